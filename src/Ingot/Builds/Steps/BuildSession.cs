using Ingot.Builds.Cache;
using Ingot.Builds.Files;
using Ingot.Builds.Layers;
using Ingot.Builds.Remote;
using Ingot.Builds.Secrets;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Tar;
using Ingot.Plans;

namespace Ingot.Builds.Steps;

/// <summary>What the steps of one build share.</summary>
internal sealed record BuildSession(BuildSettings Settings, LayerCache Layers, Workspace Workspace, string LogDirectory)
{
    /// <summary>Fetches what is added from web servers.</summary>
    public required Downloads Downloads { get; init; }

    /// <summary>Fetches what is added from repositories.</summary>
    public required GitTrees Repositories { get; init; }

    /// <summary>What shared caches offer; null when there are none.</summary>
    public CacheImport? Imported { get; init; }

    /// <summary>Marks what the build uses of the cache.</summary>
    public required CacheUse Use { get; init; }

    /// <summary>Keeps what copies selected, for <c>--explain</c>.</summary>
    public required CopiedFiles Copied { get; init; }

    /// <summary>What may happen at a time.</summary>
    public required StepSlots Slots { get; init; }

    private const int MaxAccountBytes = 4 << 20;

    /// <summary>Looks for secrets in what steps make.</summary>
    public SecretGuard Guard { get; init; } = SecretGuard.None;

    /// <summary>Names of normalisation rules that are switched off for the step.</summary>
    public IReadOnlyList<string> RulesOff { get; init; } = [];

    /// <summary>Tells the person something of the step that is being made, in a line.</summary>
    public Action<string> Note { get; init; } = _ => { };

    /// <summary>Gets each line that the step which is being made writes.</summary>
    public Action<string> Output { get; init; } = _ => { };

    /// <summary>The step that is being made; null between steps.</summary>
    public Step? Step { get; init; }

    /// <summary>How the layers of an image are compressed.</summary>
    public LayerCompression CodecOf(PlannedImage image) => image.Compression is null
        ? Settings.Codec
        : LayerCompression.Find(image.Compression)
            ?? throw new ArgumentException($"'{image.Compression}' is not a way to compress layers", nameof(image));

    /// <summary>Looks at a layer of the step; null when there is nothing to look for.</summary>
    public ILayerObserver? NewObserver() => Step is null ? null : Guard.Observer(Step);

    /// <summary>The accounts of a root filesystem.</summary>
    public async Task<Accounts> AccountsAsync(LayerChain chain, CancellationToken cancellationToken)
    {
        var tree = await Layers.TreeAsync(chain, Workspace, cancellationToken);
        if (tree.Find("etc/passwd") is null && tree.Find("etc/group") is null)
            return Accounts.None;

        byte[] passwd = await BytesAsync(chain, tree, "etc/passwd", cancellationToken);
        byte[] group = await BytesAsync(chain, tree, "etc/group", cancellationToken);
        return Accounts.Parse(passwd, group);
    }

    /// <summary>A writer for a layer that is not made of a directory: into the store when an image has it,
    /// and as it is beside the cache.</summary>
    public Task<LayerWriter> WriterAsync(bool export, CancellationToken cancellationToken) =>
        LayerWriter.BeginAsync(export ? Settings.Store : null, Settings.Codec, NewObserver(), NewArchive(), cancellationToken);

    /// <summary>A name for the archive of a layer that is being written.</summary>
    public string NewArchive() => Path.Combine(Workspace.NewDirectory("layer"), "layer.tar");

    /// <summary>Finishes a layer of <see cref="WriterAsync"/> and remembers it.</summary>
    public async Task<StepResult> FinishAsync(LayerWriter writer, Func<Layer, bool> isWhole, CancellationToken cancellationToken)
    {
        var layer = await writer.FinishAsync(cancellationToken);
        return await KeepAsync(layer, LayerArchive.Whole(writer.Archive!), isWhole(layer), cancellationToken);
    }

    /// <summary>Remembers a layer.</summary>
    public async Task<StepResult> KeepAsync(Layer layer, LayerArchive archive, bool isWhole, CancellationToken cancellationToken)
    {
        if (!isWhole)
            throw new BuildCacheException("files changed while they were copied: build again");

        await Use.MarkAsync(layer.DiffId, cancellationToken);
        Layers.Add(layer, Settings.Codec, archive);
        return new StepResult { DiffId = layer.DiffId, Bytes = layer.TarSize };
    }

    /// <summary>Where the output of a failed step goes.</summary>
    public string NewLog(string name) => Path.Combine(
        Directory.CreateDirectory(LogDirectory).FullName,
        $"{Settings.TimeProvider.GetUtcNow():yyyyMMdd'T'HHmmss}-{name}.log");

    private async Task<byte[]> BytesAsync(LayerChain chain, FileTree tree, string path, CancellationToken cancellationToken)
    {
        if (tree.Resolve(path) is not { } resolved
            || tree.Find(resolved) is not { Record.Type: TarEntryType.File or TarEntryType.HardLink } file
            || file.Record.Size > MaxAccountBytes)
            return [];

        using var files = await Layers.OpenerAsync(chain, Workspace, cancellationToken);
        using var content = files.Open(new FileOrigin(file.Layer, resolved));
        var bytes = new MemoryStream();
        await content.CopyToAsync(bytes, cancellationToken);
        return bytes.ToArray();
    }
}
