using System.Globalization;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;
using Ingot.Plans;

namespace Ingot.Builds;

/// <summary>What the steps of one build share.</summary>
internal sealed record BuildSession(BuildSettings Settings, LayerCache Layers, Workspace Workspace, string LogDirectory)
{
    /// <summary>Fetches what is added from web servers.</summary>
    public required Downloads Downloads { get; init; }

    /// <summary>Fetches what is added from repositories.</summary>
    public required GitTrees Repositories { get; init; }

    /// <summary>What may happen at a time.</summary>
    public required StepSlots Slots { get; init; }

    private const int MaxAccountBytes = 4 << 20;

    /// <summary>Looks for secrets in what steps make.</summary>
    public SecretGuard Guard { get; init; } = SecretGuard.None;

    /// <summary>The step that is being made; null between steps.</summary>
    public Step? Step { get; init; }

    /// <summary>Looks at a layer of the step; null when there is nothing to look for.</summary>
    public ILayerObserver? NewObserver() => Step is null ? null : Guard.Observer(Step);

    /// <summary>The accounts of a root filesystem.</summary>
    public async Task<Accounts> AccountsAsync(LayerChain chain, CancellationToken cancellationToken)
    {
        var tree = await Layers.TreeAsync(chain, Workspace, cancellationToken).ConfigureAwait(false);
        if (tree.Find("etc/passwd") is null && tree.Find("etc/group") is null)
            return new Accounts("", "");

        return new Accounts(
            await TextAsync(chain, tree, "etc/passwd", cancellationToken).ConfigureAwait(false),
            await TextAsync(chain, tree, "etc/group", cancellationToken).ConfigureAwait(false));
    }

    /// <summary>A writer for a layer that is not made of a directory: into the store when an image has it, else beside the cache.</summary>
    public Task<LayerWriter> WriterAsync(bool export, CancellationToken cancellationToken) => export
        ? LayerWriter.BeginAsync(Settings.Store, Settings.Codec, NewObserver(), cancellationToken)
        : LayerWriter.BeginAsync(Layers.Local, LayerCompression.None, NewObserver(), cancellationToken);

    /// <summary>Finishes a layer of <see cref="WriterAsync"/> and remembers it.</summary>
    public async Task<StepResult> FinishAsync(LayerWriter writer, bool export, Func<Layer, bool> isWhole, CancellationToken cancellationToken)
    {
        var layer = await writer.FinishAsync(cancellationToken).ConfigureAwait(false);
        if (!isWhole(layer))
            throw new BuildCacheException("files changed while they were copied: build again");

        Layers.Add(layer, export ? Settings.Codec : LayerCompression.None);
        return new StepResult { DiffId = layer.DiffId, Bytes = layer.TarSize };
    }

    /// <summary>Where the output of a failed step goes.</summary>
    public string NewLog(string name) => Path.Combine(
        Directory.CreateDirectory(LogDirectory).FullName,
        string.Create(CultureInfo.InvariantCulture, $"{Settings.TimeProvider.GetUtcNow():yyyyMMdd'T'HHmmss}-{name}.log"));

    private async Task<string> TextAsync(LayerChain chain, FileTree tree, string path, CancellationToken cancellationToken)
    {
        if (tree.Resolve(path) is not { } resolved || tree.Find(resolved) is not { Record.Type: TarEntryType.File or TarEntryType.HardLink } file || file.Record.Size > MaxAccountBytes)
            return "";

        var snapshots = await Layers.SnapshotsAsync(chain, Workspace, cancellationToken).ConfigureAwait(false);
        using var files = new HostFiles(snapshots[^(file.Layer + 1)]);
        using var reader = new StreamReader(files.OpenRead(resolved), System.Text.Encoding.Latin1);
        return await reader.ReadToEndAsync(cancellationToken).ConfigureAwait(false);
    }
}
