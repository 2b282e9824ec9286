using System.Collections.Concurrent;
using System.Diagnostics;
using Ingot.Corpus;
using Ingot.Oci.Layouts;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.SystemTests.Builds;

/// <summary>Builds every case of the corpus once with Ingot, a few at a time.</summary>
public sealed class CorpusFixture : IAsyncLifetime
{
    private readonly ConcurrentDictionary<string, CaseResult> _results = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-corpus-").FullName;

    /// <summary>The cases.</summary>
    public static IReadOnlyList<CorpusCase> Cases { get; } = [.. CorpusCase.ReadAll(Repository.Vector("dockerfile", "corpus"))];

    /// <summary>What Ingot made of a case; null when its base could not be made.</summary>
    public CaseResult? Find(string name) => _results.GetValueOrDefault(name);

    public async ValueTask InitializeAsync()
    {
        if (Missing is not null)
            return;

        // Making Debian takes as long as all the cases that need none.
        var debian = BootstrapAsync();
        var layout = new OciLayout(Path.Combine(_directory, "content"));
        await BaseImages.MakeAsync(layout, Busybox!);
        await BuildAsync(layout, Cases.Where(c => !c.NeedsDebian));
        if (await debian is { } archive)
        {
            await BaseImages.MakeDebianAsync(layout, archive);
            await BuildAsync(layout, Cases.Where(c => c.NeedsDebian));
        }
    }

    private async Task BuildAsync(OciLayout layout, IEnumerable<CorpusCase> cases)
    {
        var ingot = new IngotBuild(layout, await BaseImages.ReadAsync(layout), _directory);
        await Parallel.ForEachAsync(cases, async (corpusCase, token) => _results[corpusCase.Name] = await ingot.RunAsync(corpusCase, token));
    }

    public ValueTask DisposeAsync()
    {
        // Not the base library's way: names in contexts and images may be no text.
        Process.Start("rm", ["-rf", _directory]).WaitForExit();
        return ValueTask.CompletedTask;
    }

    /// <summary>Why these tests cannot run here; null when they can.</summary>
    public static string? Missing { get; } = BuildFixture.Missing ?? (Busybox is null ? "needs busybox-static" : null);

    private static string? Busybox => new[] { "/bin/busybox", "/usr/bin/busybox" }.FirstOrDefault(File.Exists);

    private async Task<string?> BootstrapAsync()
    {
        string archive = Path.Combine(_directory, "debian.tar");
        try
        {
            await BaseImages.BootstrapAsync(archive);
            return archive;
        }
        catch (ToolException)
        {
            // No network.
            return null;
        }
    }
}
