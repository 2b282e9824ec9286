using Ingot.Builds;
using Ingot.Builds.Running;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Plans;
using Ingot.Templates.Project;
using Ingot.Testing;

namespace Ingot.Tests.Builds.Running;

/// <summary>Builds of files alone: nothing is run for them.</summary>
public sealed class CopyBuildTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly DirectoryStore _store;
    private readonly Dictionary<string, string> _contexts = [];

    public CopyBuildTests()
    {
        _store = new DirectoryStore(_directory.Make("store"));
        Write("ingot.yaml", "ingot: 1\nproject: p\nimages:\n  app: { dockerfile: Dockerfile }\n");
        Write("files/a", "one");
        Write("files/d/b", "two");
    }

    public void Dispose() => _directory.Dispose();

    // The look of the context is known, and with it the digest of what is selected; the contents of files were forgotten,
    // and the second copy finds all of them there.
    [Fact]
    public async Task ASelectionKnownByItsLookWhoseFilesAreAllThereEnds()
    {
        Write("Dockerfile", "FROM scratch\nCOPY files /f/\nCOPY files /f/\n");
        await SettleAsync();
        var first = await BuildAsync();
        Forget("stamps", "steps", "last");
        Assert.Equal(first, await BuildAsync().WaitAsync(TimeSpan.FromMinutes(1)));
        Forget("stamps", "steps", "last");
        Write("Dockerfile", "FROM scratch\nCOPY files /f/\nCOPY files /f/\nLABEL x=y\n");
        Assert.NotEqual(first, await BuildAsync().WaitAsync(TimeSpan.FromMinutes(1)));
    }

    [Fact]
    public async Task AFileThatIsAnotherThanTheOneThereIsCopiedWhateverIsKnownOfIt()
    {
        Write("Dockerfile", "FROM scratch\nCOPY files /f/\nCOPY more /f/\n");
        Write("more/a", "ONE");
        await SettleAsync();
        var first = await BuildAsync();
        Forget("stamps", "steps", "last");
        Assert.Equal(first, await BuildAsync().WaitAsync(TimeSpan.FromMinutes(1)));
    }

    [Theory]
    [InlineData("COPY --from=source a d/b /f/\n", "Directory f|File f/a|File f/b")]
    [InlineData("COPY --from=source d /f/\n", "Directory f|File f/b")]
    [InlineData("COPY --from=source --exclude=d . /\n", "File a")]
    [InlineData("COPY --from=source --parents ./d/* /\n", "Directory d|File d/b")]
    [InlineData("COPY --from=source /a* /\n", "File a")]
    public async Task ARepositoryIsAContext(string copy, string expected)
    {
        UseRepository();
        Write("Dockerfile", "FROM scratch\n" + copy);
        Assert.Equal(expected.Split('|'), await EntriesAsync(await BuildAsync()));
    }

    [Fact]
    public async Task ARepositoryIsAStageToStartWith()
    {
        UseRepository();
        Write("Dockerfile", "FROM scratch AS source\nCOPY files /never\nFROM source\n");
        Assert.Equal(["File a", "Directory d", "File d/b"], await EntriesAsync(await BuildAsync()));
    }

    [Fact]
    public async Task WhatIsNotInARepositoryIsSaid()
    {
        UseRepository();
        Write("Dockerfile", "FROM scratch\nCOPY --from=source nothing /\n");
        var e = await Assert.ThrowsAsync<InvalidInputException>(BuildAsync);
        Assert.Contains("'nothing' is not in 'git file://", e.Message, StringComparison.Ordinal);
    }

    // A plan that leads to files of another kind than those that are copied must not make an image without them.
    [Fact]
    public async Task WhatHasNoLayersIsNoEmptyTree()
    {
        Write("Dockerfile", "FROM scratch\nCOPY files /f/\n");
        var plan = await PlanAsync();
        var stage = plan.Stages[0];
        var wrong = plan with
        {
            Stages = [stage with { Base = new TreeSource.Download(new Uri("http://127.0.0.1:1/x"), Checksum: null, "x") }],
        };
        await Assert.ThrowsAsync<InvalidOperationException>(() => BuildAsync(wrong));
    }

    private void UseRepository()
    {
        string at = _directory.Make("repository");
        File.WriteAllText(Path.Combine(at, "a"), "one");
        Directory.CreateDirectory(Path.Combine(at, "d"));
        File.WriteAllText(Path.Combine(at, "d/b"), "two");
        LinuxTree.RunAsync(at, "sh", "-ec",
            "git init -q -b main && git add . && git -c user.name=t -c user.email=t@example.org commit -qm first")
            .GetAwaiter()
            .GetResult();
        _contexts["source"] = $"https://example.org/repository.git#main";
    }

    // Addresses of this host's own files are for tests alone: the plan is made with one that people have.
    private Plan WithLocalRepository(Plan plan)
    {
        TreeSource Local(TreeSource source) =>
            source is TreeSource.Git git ? git with { Repository = "file://" + _directory.At("repository") } : source;
        Step LocalStep(Step step) => step is CopyStep copy ? copy with { From = Local(copy.From) } : step;
        return plan with { Stages = [.. plan.Stages.Select(s => s with { Steps = [.. s.Steps.Select(LocalStep)] })] };
    }

    private async Task<Plan> PlanAsync()
    {
        var diagnostics = new DiagnosticBag();
        string project = _directory.At("project");
        var definition = ProjectParser.Parse(
            new SourceText("ingot.yaml", await File.ReadAllTextAsync(Path.Combine(project, "ingot.yaml"))), diagnostics);
        var plan = await Planner.PlanAsync(definition!,
            new PlanSettings { Directory = project, Options = new PlanOptions { Contexts = _contexts } }, diagnostics);
        diagnostics.ThrowIfErrors();
        return WithLocalRepository(plan!);
    }

    private async Task<Digest> BuildAsync() => await BuildAsync(await PlanAsync());

    private async Task<Digest> BuildAsync(Plan plan)
    {
        var settings = new BuildSettings { Store = _store, CacheDirectory = _directory.At("cache"), AllowLocalRepositoriesUnsafe = true };
        return (await new Builder(settings).BuildAsync(plan, new Silence())).Images.Single().Digest;
    }

    private async Task<string[]> EntriesAsync(Digest image)
    {
        var loaded = await Oci.Images.Image.LoadAsync(_store, image);
        var entries = new List<string>();
        foreach (var (blob, diffId) in loaded.Manifest.Layers.Zip(loaded.Config.RootFs.DiffIds))
            entries.AddRange((await LayerReader.IndexAsync(_store, blob, diffId)).Files.Select(f => $"{f.Type} {f.Path}"));
        return [.. entries];
    }

    private void Forget(params string[] parts)
    {
        foreach (string part in parts)
            Directory.Delete(_directory.At("cache", part), recursive: true);
        Directory.CreateDirectory(_directory.At("cache", "stamps"));
    }

    // A file that was changed just now might be changed again in the same tick of the kernel's clock.
    private static Task SettleAsync() => Task.Delay(100);

    private void Write(string path, string text)
    {
        string full = _directory.At(["project", .. path.Split('/')]);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, text);
    }

    private sealed class Silence : IBuildProgress
    {
        public void Report(BuildEvent progress)
        {
        }
    }
}
