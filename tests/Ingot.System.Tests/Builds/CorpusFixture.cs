using System.Collections.Concurrent;
using System.Diagnostics;
using Ingot.Corpus;
using Ingot.Oci.Layouts;
using Ingot.Testing;

namespace Ingot.SystemTests.Builds;

/// <summary>Builds every case of the corpus once with Ingot, a few at a time.</summary>
public sealed class CorpusFixture : IAsyncLifetime
{
    private readonly ConcurrentDictionary<string, CaseResult> _results = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-corpus-").FullName;

    /// <summary>The cases.</summary>
    public static IReadOnlyList<CorpusCase> Cases { get; } = [.. CorpusCase.ReadAll(Repository.Vector("dockerfile", "corpus"))];

    /// <summary>What Ingot made of a case.</summary>
    public CaseResult this[string name] => _results[name];

    public async ValueTask InitializeAsync()
    {
        if (Missing is not null)
            return;

        var layout = new OciLayout(Path.Combine(_directory, "content"));
        await BaseImages.MakeAsync(layout, Busybox!);
        if (Cases.Any(c => c.NeedsDebian))
            await BaseImages.MakeDebianAsync(layout, await BootstrapAsync());

        var bases = await BaseImages.ReadAsync(layout);
        var ingot = new IngotBuild(layout, bases, _directory);
        await Parallel.ForEachAsync(Cases, async (corpusCase, token) => _results[corpusCase.Name] = await ingot.RunAsync(corpusCase, token));
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

    private async Task<string> BootstrapAsync()
    {
        string archive = Path.Combine(_directory, "debian.tar");
        await BaseImages.BootstrapAsync(archive);
        return archive;
    }
}
