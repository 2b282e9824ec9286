using System.Diagnostics;
using System.Globalization;
using Ingot.Server.Ledger;

namespace Ingot.Server.Tests.Ledger;

public sealed class CrashTests : IDisposable
{
    private readonly TestHome _test = new();

    public void Dispose() => _test.Dispose();

    [Fact]
    public async Task EveryAcknowledgedEntryIsThereAfterTheProcessWasKilled()
    {
        var acknowledged = new HashSet<long>();
        for (int round = 1; round <= 5; round++)
        {
            await AppendUntilKilledAsync(acknowledged, entries: 60 * round);
            await using var ledger = await LedgerStore.OpenAsync(_test.Home, TimeProvider.System);
            Assert.All(acknowledged, seq => Assert.NotNull(ledger.Read(view => view.Entry(seq))));
        }

        var report = await LedgerVerifier.VerifyAsync(_test.Home);
        Assert.Empty(report.Problems);
        Assert.True(report.Size >= acknowledged.Count);
    }

    [Fact]
    public async Task AKilledLedgerVerifiesBeforeAnybodyOpensItAgain()
    {
        await AppendUntilKilledAsync([], entries: 100);
        Assert.Empty((await LedgerVerifier.VerifyAsync(_test.Home)).Problems);
    }

    private async Task AppendUntilKilledAsync(HashSet<long> acknowledged, int entries)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "Ingot.Appender.dll");
        using var process =
            Process.Start(new ProcessStartInfo("dotnet", ["exec", program, _test.Home.Root]) { RedirectStandardOutput = true })!;
        for (int i = 0; i < entries; i++)
            Add(await process.StandardOutput.ReadLineAsync());
        process.Kill();
        // What was printed before the kill counts, except for a number cut in half.
        string rest = await process.StandardOutput.ReadToEndAsync();
        foreach (string line in rest[..(rest.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries))
            Add(line);
        await process.WaitForExitAsync();

        void Add(string? line) =>
            Assert.True(acknowledged.Add(long.Parse(line!, CultureInfo.InvariantCulture)), $"entry {line} was acknowledged twice");
    }
}
