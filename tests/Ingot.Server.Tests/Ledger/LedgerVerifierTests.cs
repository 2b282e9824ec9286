using Ingot.Server.Ledger;
using Ingot.Server.Storage;
using Ingot.Transparency;

namespace Ingot.Server.Tests.Ledger;

public sealed class LedgerVerifierTests : IDisposable
{
    private readonly TestHome _test = new();

    public void Dispose() => _test.Dispose();

    [Fact]
    public async Task ALedgerOfEveryKindOfEntryVerifies()
    {
        await FillAsync(20);
        var report = await LedgerVerifier.VerifyAsync(_test.Home);

        Assert.Empty(report.Problems);
        Assert.Equal(20 * SampleEvents.Life(1).Count(), report.Size);
    }

    /// <summary>Fills the home's ledger and leaves all of it in the one file.</summary>
    private async Task FillAsync(int lives)
    {
        await using (var ledger = await LedgerStore.OpenAsync(_test.Home, TimeProvider.System))
        {
            foreach (var value in SampleEvents.Lives(lives))
                await ledger.AppendAsync("tester", value);
        }

        using var db = SqliteDatabase.OpenWriter(_test.Home.Database);
        db.Number("PRAGMA wal_checkpoint(TRUNCATE)");
    }
}
