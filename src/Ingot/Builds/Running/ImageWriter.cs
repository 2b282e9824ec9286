using Ingot.Builds.Cache;
using Ingot.Builds.Steps;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Plans;

namespace Ingot.Builds.Running;

/// <summary>Makes images of finished stages: configuration and manifest, and blobs of layers that had none.</summary>
internal sealed class ImageWriter(OutputRequest request)
{
    private FinishedStages Build => request.Build;

    private BuildSettings Settings => Build.Session.Settings;

    /// <summary>Puts an image into the store.</summary>
    /// <param name="cancellationToken">Ends it; what is in the store then is whole.</param>
    public async Task<BuiltImage> WriteAsync(CancellationToken cancellationToken)
    {
        var (image, session) = (request.Image, Build.Session);
        var stage = Build.Plan.Stage(image.Stage);
        var result = Build.Results[image.Stage];
        await Parallel.ForEachAsync(result.Chain.Layers.Where(l => l.Foreign is null),
            new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = cancellationToken },
            async (layer, token) => await session.Layers.EnsureAsync(layer.DiffId, token));
        var codec = session.CodecOf(image);
        var layers = new List<Descriptor>();
        foreach (var layer in result.Chain.Layers)
            layers.Add(await session.Layers.BlobAsync(layer, codec, cancellationToken));

        var labelled = StandardLabels.Over(stage.Config, image, stage, Build.Source, Build.EpochOf(stage));
        var config = ConfigOf(stage, result) with { Config = labelled };
        var configBlob = await PutAsync(MediaType.Config, ImageJson.Write(config), cancellationToken);
        var manifest = new Manifest { Config = configBlob, Layers = layers, Annotations = Annotations() };
        var descriptor = await PutAsync(MediaType.Manifest, ImageJson.Write(manifest), cancellationToken);
        return new BuiltImage(image.Name, descriptor.Digest, manifest, config, Build.RecordOf(image, request.Finished));
    }

    private SortedDictionary<string, string>? Annotations() =>
        Settings.Annotations.Count == 0 ? null : new(Settings.Annotations.ToDictionary(), StringComparer.Ordinal);

    // It may be there already, named by nobody.
    private async Task<Descriptor> PutAsync(string mediaType, byte[] document, CancellationToken cancellationToken)
    {
        await Build.Session.Use.MarkAsync(Digest.Of(document), cancellationToken);
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

    private string CreatedOf(PlannedStage stage) =>
        Build.EpochOf(stage).ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture);

    // The history of an image from elsewhere stays as it is.
    private List<HistoryEntry> HistoryOf(PlannedStage stage, StageResult result)
    {
        var history = result.Base is { } below
            ? HistoryOf(Build.Plan.Stage(((TreeSource.Stage)stage.Base).Name), below)
            : [.. stage.History];
        history.AddRange(result.Steps.Select(s => new HistoryEntry
        {
            Created = CreatedOf(stage),
            CreatedBy = s.Step.CreatedBy,
            EmptyLayer = s.Result?.DiffId is null ? true : null,
        }));
        return history;
    }
}
