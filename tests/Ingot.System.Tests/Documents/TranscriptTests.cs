using System.Diagnostics;
using Ingot.SystemTests.Shop;
using Ingot.Testing;

namespace Ingot.SystemTests.Documents;

/// <summary>What the README and the example's page show is what their commands print. The gate checks the quick ones by itself.</summary>
public sealed class TranscriptTests
{
    [Fact]
    public async Task TheTourOfTheExampleIsAsTheDocumentsShowIt()
    {
        var start = new ProcessStartInfo(
            Path.Combine(Repository.Root, "scripts", "generate-transcripts"), ["--check", "--program", IngotProgram.Path, "shop"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var script = Process.Start(start)!;
        var error = script.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = await script.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await script.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.SkipWhen(output.Contains("left out", StringComparison.Ordinal), output.Trim());
        Assert.True(script.ExitCode == 0, await error);
    }
}
