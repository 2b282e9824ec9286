using Ingot.Builds.Cache;
using Ingot.Builds.Steps;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Plans;

namespace Ingot.Builds.Running;

/// <summary>Makes images of finished stages: configuration and manifest, and blobs of layers that had none.</summary>
internal sealed class ImageWriter(Plan plan, BuildSession session, IReadOnlyDictionary<string, StageResult> results, SourceRevision? source, DateTimeOffset started)
{
    private BuildSettings Settings => session.Settings;

    /// <summary>Puts an image into the store.</summary>
    /// <param name="image">What was asked for.</param>
    /// <param name="finished">The images of the plan that are in the store.</param>
    /// <param name="cancellationToken">Ends it; what is in the store then is whole.</param>
    public async Task<BuiltImage> WriteAsync(PlannedImage image, IReadOnlyList<BuiltImage> finished, CancellationToken cancellationToken)
    {
        var stage = plan.Stage(image.Stage);
        var result = results[image.Stage];
        await Parallel.ForEachAsync(result.Chain.Layers.Where(l => l.Foreign is null), new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = cancellationToken },
            async (layer, token) => await session.Layers.EnsureAsync(layer.DiffId, token));
        var codec = session.CodecOf(image);
        var layers = new List<Descriptor>();
        foreach (var layer in result.Chain.Layers)
            layers.Add(await session.Layers.BlobAsync(layer, codec, cancellationToken));

        var config = ConfigOf(stage, result) with { Config = StandardLabels.Over(stage.Config, image, stage, source, EpochOf(stage)) };
        var configBlob = await PutAsync(MediaType.Config, ImageJson.Write(config), cancellationToken);
        var manifest = new Manifest { Config = configBlob, Layers = layers, Annotations = Annotations() };
        var descriptor = await PutAsync(MediaType.Manifest, ImageJson.Write(manifest), cancellationToken);
        return new BuiltImage(image.Name, descriptor.Digest, manifest, config, RecordOf(image, finished));
    }

    private SortedDictionary<string, string>? Annotations() =>
        Settings.Annotations.Count == 0 ? null : new(Settings.Annotations.ToDictionary(), StringComparer.Ordinal);

    // It may be there already, named by nobody.
    private async Task<Descriptor> PutAsync(string mediaType, byte[] document, CancellationToken cancellationToken)
    {
        await session.Use.MarkAsync(Digest.Of(document), cancellationToken);
        return await Settings.Store.PutAsync(mediaType, document, cancellationToken);
    }

    private ImageConfig ConfigOf(PlannedStage stage, StageResult result) => new()
    {
        Created = CreatedOf(stage),
        Author = stage.Author,
        Architecture = stage.Platform.Architecture,
        Os = stage.Platform.Os,
        Variant = stage.Platform.Variant,
        Config = stage.Config,
        RootFs = new RootFileSystem { DiffIds = [.. result.Chain.Layers.Select(l => l.DiffId)] },
        History = HistoryOf(stage, result),
    };

    private string CreatedOf(PlannedStage stage) => EpochOf(stage).ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture);

    private DateTimeOffset EpochOf(PlannedStage stage) => stage.Epoch ?? Settings.Epoch;

    // The history of an image from elsewhere stays as it is.
    private List<HistoryEntry> HistoryOf(PlannedStage stage, StageResult result)
    {
        var history = result.Base is { } below ? HistoryOf(plan.Stage(((TreeSource.Stage)stage.Base).Name), below) : [.. stage.History];
        history.AddRange(result.Steps.Select(s => new HistoryEntry { Created = CreatedOf(stage), CreatedBy = s.Step.CreatedBy, EmptyLayer = s.Result?.DiffId is null ? true : null }));
        return history;
    }

    private BuildRecord RecordOf(PlannedImage image, IReadOnlyList<BuiltImage> finished)
    {
        var (own, others) = StagesOf(image);
        var steps = own.SelectMany(name => results[name].Steps).Where(s => s.Result is not null).ToList();
        var all = own.Concat(others.SelectMany(o => StagesOf(plan.Images.First(i => i.Stage == o)).Own)).Distinct();
        var executed = all.SelectMany(name => results[name].Steps.Select(step => (Stage: name, step.Step, step.Result))).ToList();
        var made = executed.Select(s => s.Result).OfType<StepResult>().ToList();
        return new BuildRecord
        {
            Source = source,
            Template = image.Template,
            Bases =
            [
                .. image.Bases.Select(b => new BaseImage(b.Reference, b.Manifest)),
                .. finished.Where(f => plan.Images.Any(i => i.Name == f.Name && others.Contains(i.Stage))).Select(f => new BaseImage(f.Name, f.Digest)),
            ],
            Arguments = image.Arguments,
            Bootstraps = [.. executed.Where(s => s.Step is BootstrapStep).Select(s => new BootstrapRecord(s.Stage, ((BootstrapStep)s.Step).Request, s.Result!.Packages))],
            Materials = [.. made.SelectMany(r => r.Materials).Distinct()],
            Rules = [.. made.SelectMany(r => r.Rules).Distinct().Order(StringComparer.Ordinal)],
            Started = started,
            Finished = Settings.TimeProvider.GetUtcNow(),
            Steps = steps.Count,
            CachedSteps = steps.Count(s => s.IsCached),
            Epoch = EpochOf(plan.Stage(image.Stage)),
            RulesOff = plan.Stage(image.Stage).RulesOff,
            Codec = session.CodecOf(image).Codec,
        };
    }

    // The stages of an image, and the stages it uses that are another image asked for.
    private (IReadOnlyList<string> Own, IReadOnlyList<string> Others) StagesOf(PlannedImage image)
    {
        var own = new List<string>();
        var others = new List<string>();
        var next = new Queue<string>([image.Stage]);
        while (next.TryDequeue(out var name))
        {
            if (own.Contains(name) || others.Contains(name))
                continue;

            bool isOther = name != image.Stage && plan.Images.Any(i => i.Stage == name);
            (isOther ? others : own).Add(name);
            foreach (var used in isOther ? [] : plan.Stage(name).Uses)
                next.Enqueue(used);
        }

        return (own, others);
    }
}
