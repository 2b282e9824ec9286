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

    /// <summary>What another process came to from a second checkout, at another place, under another umask, in another language and time
    /// zone, with nothing from a cache, by case.</summary>
    public Task<IReadOnlyDictionary<string, string>> SecondCheckout { get; private set; } =
        Task.FromResult<IReadOnlyDictionary<string, string>>(new Dictionary<string, string>());

    /// <summary>What Ingot made of a case; null when its base could not be made.</summary>
    public CaseResult? Find(string name) => _results.GetValueOrDefault(name);

    public async ValueTask InitializeAsync()
    {
        if (Missing is not null)
            return;

        SecondCheckout = SecondCheckoutAsync();
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

    private async Task<IReadOnlyDictionary<string, string>> SecondCheckoutAsync()
    {
        const string Script = """
            umask 077
            mkdir -p "$1"
            cp -r "$2" "$1/corpus"
            "$3" bases "$1" "$4"
            exec "$3" digests "$1" "$1/corpus" $5
            """;
        string place = Path.Combine(_directory, "an other öne with a longer name", "and", "further", "down");
        string tool = Path.Combine(AppContext.BaseDirectory, "Ingot.Corpus");
        var cases = string.Join(' ', Cases.Where(c => !c.NeedsDebian).Select(c => c.Name));
        string output = await CommandRunner.RunAsync(new Command("sh", "-euc", Script, "sh", place,
            Repository.Vector("dockerfile", "corpus"), tool, Busybox!, cases)
        {
            Environment = new Dictionary<string, string>
            {
                ["LC_ALL"] = "tr_TR.UTF-8",
                ["TZ"] = "Pacific/Kiritimati",
                ["DOTNET_PROCESSOR_COUNT"] = "3",
            },
        });
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split('\t', 2)).ToDictionary(l => l[0], l => l[1]);
    }

    private async Task BuildAsync(OciLayout layout, IEnumerable<CorpusCase> cases)
    {
        var ingot = new IngotBuild(layout, await BaseImages.ReadAsync(layout), _directory);
        await Parallel.ForEachAsync(cases,
            async (corpusCase, token) => _results[corpusCase.Name] = await ingot.RunAsync(corpusCase, token));
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
