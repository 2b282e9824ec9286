using Ingot.Builds;
using Ingot.Builds.Cache;
using Ingot.Builds.Running;
using Ingot.Builds.Steps;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;
using Ingot.Plans;
using Ingot.Templates.Project;
using Ingot.Testing;

namespace Ingot.Tests.Builds.Running;

/// <summary>Kinds of steps and of outputs that this program does not have: a row is all that they take.</summary>
public sealed class StepKindTests : IDisposable
{
    private static readonly SourceSpan s_here = new(new SourceText("template", "NOTE"), 0, 4);

    private readonly TemporaryDirectory _directory = new();
    private readonly DirectoryStore _store;
    private readonly Events _events = new();
    private int _made;
    private bool _isAllowed = true;

    public StepKindTests() => _store = new DirectoryStore(_directory.Make("store"));

    public void Dispose() => _directory.Dispose();

    // Writes a text and the number of layers of a stage that it reads.
    private sealed record NoteStep(string Note, TreeSource From) : Step($"NOTE {Note}", s_here)
    {
        public override IReadOnlyList<KeyPart> Parts => [new("note", Note)];

        public override IEnumerable<TreeSource> Reads => [From];
    }

    private sealed record StageInput(int Layers, Digest Read) : StepInput(Read);

    private StepKind<NoteStep> Kind => new(StepSlot.Work)
    {
        KeyParts = (_, met) => [met.Below, .. met.Reads, new("notes", "1")],
        Checks = (step, _, diagnostics) =>
        {
            if (!_isAllowed)
                diagnostics.Error("note-not-allowed", "no notes", step.Span, "write none");
        },
        Read = async (step, _, build, _) =>
        {
            var chain = await build.ChainAsync(step.From);
            return new StageInput(chain.Layers.Count, chain.Id);
        },
        Run = async (session, step, work, cancellationToken) =>
        {
            _made++;
            session.Output("writing");
            byte[] text = System.Text.Encoding.UTF8.GetBytes($"{step.Note} {((StageInput)work.Input).Layers}");
            var entry = new TarEntry
            {
                Path = "note",
                Type = TarEntryType.File,
                Mode = 0b110_100_100,
                Size = text.Length,
                ModifiedTime = session.Settings.Epoch,
            };
            var writer = await session.WriterAsync(work.Export, cancellationToken);
            await using (writer)
            {
                await writer.WriteAsync(entry, new MemoryStream(text), cancellationToken);
                return await session.FinishAsync(writer, _ => true, cancellationToken);
            }
        },
    };

    [Fact]
    public async Task AKindOfStepIsARow()
    {
        var plan = PlanOf("hello");
        Assert.Contains("note=hello", plan.ToString(), StringComparison.Ordinal);
        Assert.Equal(["below"], plan.Stage("app").Uses);

        var first = await BuildAsync(plan);
        await AssertNoteAsync("hello 1", first);
        Assert.Equal((2, 0, 1), (first.Record.Steps, first.Record.CachedSteps, _made));
        Assert.Equal(["writing"], _events.All.OfType<BuildEvent.StepOutput>().Select(e => e.Line));

        var again = await BuildAsync(plan);
        Assert.Equal((first.Digest, 2, 1), (again.Digest, again.Record.CachedSteps, _made));

        var other = await BuildAsync(PlanOf("goodbye"));
        await AssertNoteAsync("goodbye 1", other);
        Assert.Equal(2, _made);
        Assert.Equal("note was 'hello' and is 'goodbye'", Assert.Single(_events.All.OfType<BuildEvent.StepStarted>().Last().Reasons));
    }

    [Fact]
    public async Task ARowSaysWhatIsNotAllowedBeforeAnythingRuns()
    {
        _isAllowed = false;
        var refused = await Assert.ThrowsAsync<InvalidInputException>(() => BuildAsync(PlanOf("hello")));
        Assert.Equal("no notes", refused.Diagnostics.Single().Summary);
        Assert.Equal(0, _made);
    }

    [Fact]
    public async Task AStepOfNoKindIsNotSkipped() =>
        await Assert.ThrowsAsync<InvalidOperationException>(() => new Builder(Settings()).BuildAsync(PlanOf("hello"), _events));

    [Fact]
    public async Task AKindOfOutputIsARow()
    {
        const string MediaTypeOfLists = "application/vnd.example.list";
        var lists = new OutputKind("list", async (request, cancellationToken) =>
        {
            var (image, build, finished) = request;
            byte[] text =
                System.Text.Encoding.UTF8.GetBytes($"{image.Name} after {finished.Count}: {build.Results[image.Stage].Chain.Layers.Count}");
            var blob = await _store.PutAsync(MediaTypeOfLists, text, cancellationToken);
            var manifest = new Manifest
            {
                Config = await _store.PutAsync("application/vnd.oci.empty.v1+json", "{}"u8.ToArray(), cancellationToken),
                Layers = [blob],
            };
            var descriptor = await _store.PutAsync(MediaType.Manifest, ImageJson.Write(manifest), cancellationToken);
            var config = new ImageConfig { Architecture = "", Os = "", RootFs = new RootFileSystem { DiffIds = [] } };
            return new BuiltImage(image.Name, descriptor.Digest, manifest, config, build.RecordOf(image, finished));
        });
        var plan = PlanOf("hello");
        plan = plan with { Images = [.. plan.Images, plan.Images[0] with { Name = "files", Output = "list" }] };
        var builder = new Builder(Settings())
        {
            Kinds = StepKinds.Standard.With(Kind),
            Outputs = new OutputKinds(OutputKinds.Standard.Of(plan.Images[0]), lists),
        };
        var images = (await builder.BuildAsync(plan, _events)).Images;
        await AssertNoteAsync("hello 1", images[0]);
        Assert.Equal(MediaTypeOfLists, images[1].Manifest.Layers.Single().MediaType);
        Assert.Equal("files after 1: 1",
            System.Text.Encoding.UTF8.GetString((await _store.ReadAsync(images[1].Manifest.Layers[0].Digest))!));
        Assert.Equal(2, images[1].Record.Steps);
        Assert.Equal(["app", "files"], _events.All.OfType<BuildEvent.ImageFinished>().Select(e => e.Name));
    }

    private Plan PlanOf(string note)
    {
        var below = new PlannedStage("below", new TreeSource.Scratch(), [new DirectoryStep("WORKDIR /src", default, "/src", "")],
            new ContainerConfig(), []);
        var app = new PlannedStage("app", new TreeSource.Scratch(), [new NoteStep(note, new TreeSource.Stage("below"))],
            new ContainerConfig(), []);
        return new Plan
        {
            Project = "p",
            Directory = _directory.Make("project"),
            Platform = Platform.Host,
            Stages = [below, app],
            Images = [new PlannedImage("app", "app", new DockerfileImage("app", default, "Dockerfile", ".", Target: null, []),
                Digest.Of("template"u8), [], [])],
        };
    }

    private BuildSettings Settings() => new() { Store = _store, CacheDirectory = _directory.At("cache") };

    private async Task<BuiltImage> BuildAsync(Plan plan) =>
        (await new Builder(Settings()) { Kinds = StepKinds.Standard.With(Kind) }.BuildAsync(plan, _events)).Images.Single();

    private async Task AssertNoteAsync(string text, BuiltImage image)
    {
        var note =
            (await LayerReader.IndexAsync(_store, image.Manifest.Layers.Single(), image.Config.RootFs.DiffIds.Single())).Files.Single();
        Assert.Equal(("note", Digest.Of(System.Text.Encoding.UTF8.GetBytes(text))), (note.Path, note.Digest));
    }

    private sealed class Events : IBuildProgress
    {
        private readonly Lock _gate = new();
        private readonly List<BuildEvent> _events = [];

        public IReadOnlyList<BuildEvent> All
        {
            get
            {
                lock (_gate)
                    return [.. _events];
            }
        }

        public void Report(BuildEvent progress)
        {
            lock (_gate)
                _events.Add(progress);
        }
    }
}
