using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Tar;

namespace Ingot.Oci.Layouts;

/// <summary>Makes an image of one layer of an archive of a root filesystem.</summary>
internal static class RootFileSystemReader
{
    private const string Created = "1970-01-01T00:00:00Z";

    public static async Task<ImportedImage> ImportAsync(
        Stream archive, string name, IContentStore store, Platform platform, CancellationToken cancellationToken)
    {
        await using (archive.ConfigureAwait(false))
        {
            // Once to see that it is whole and honest, once to store it.
            await WriteAsync(archive, name, LayerWriter.HashOnly(), cancellationToken).ConfigureAwait(false);
            archive.Position = 0;
            var layer = await WriteAsync(
                archive,
                name,
                await LayerWriter.BeginAsync(store, LayerCompression.Gzip, cancellationToken).ConfigureAwait(false),
                cancellationToken).ConfigureAwait(false);
            var config = new ImageConfig
            {
                Created = Created,
                Architecture = platform.Architecture,
                Os = platform.Os,
                Variant = platform.Variant,
                RootFs = new RootFileSystem { DiffIds = [layer.DiffId] },
                History = [new HistoryEntry { Created = Created, CreatedBy = "ingot import" }],
            };
            var configBlob = await store.PutAsync(MediaType.Config, ImageJson.Write(config), cancellationToken).ConfigureAwait(false);
            var manifest = await store.PutAsync(MediaType.Manifest,
                ImageJson.Write(new Manifest { Config = configBlob, Layers = [layer.Blob!] }), cancellationToken).ConfigureAwait(false);
            return new ImportedImage(manifest, Name: null);
        }
    }

    private static async Task<Layer> WriteAsync(Stream archive, string name, LayerWriter writer, CancellationToken cancellationToken)
    {
        await using (writer.ConfigureAwait(false))
        {
            using var reader = new TarReader(archive, LayerReadLimits.Default.Tar, leaveOpen: true);
            var types = new Dictionary<string, TarEntryType>();
            while (await reader.NextAsync(cancellationToken).ConfigureAwait(false) is { } entry)
            {
                Check(entry, types, name);
                types[entry.Path] = entry.Type;
                await writer.WriteAsync(entry, entry.Size > 0 ? reader.Content : null, cancellationToken).ConfigureAwait(false);
            }

            return types.Count == 0
                ? throw new ImageException($"'{name}' is an empty archive, not a root filesystem")
                : await writer.FinishAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private static void Check(TarEntry entry, Dictionary<string, TarEntryType> types, string name)
    {
        if (types.ContainsKey(entry.Path))
            throw new ImageException($"'{entry.Path}' appears twice in '{name}': it is unclear which one is meant");
        if (entry.Path.Contains(Whiteout.Prefix, StringComparison.Ordinal) && entry.Path.Split('/').Any(Whiteout.IsWhiteout))
            throw new ImageException($"'{entry.Path}' in '{name}' would delete a file in an image: it is a layer, not a root filesystem");
        if (entry.Type is TarEntryType.CharacterDevice or TarEntryType.BlockDevice)
            throw new ImageException(
                $"'{entry.Path}' in '{name}' is a device, which an image has no use for: make the archive with '--exclude=./dev/*'");
        if (entry.Type == TarEntryType.HardLink
            && (!types.TryGetValue(entry.LinkTarget!, out var target) || target == TarEntryType.Directory))
            throw new ImageException(
                $"the hard link '{entry.Path}' in '{name}' names '{entry.LinkTarget}', which is not a file that came before it");
        for (string parent = TarPath.Parent(entry.Path); parent.Length > 0; parent = TarPath.Parent(parent))
        {
            if (types.TryGetValue(parent, out var type) && type != TarEntryType.Directory)
                throw new ImageException($"'{entry.Path}' in '{name}' lies below '{parent}', which is a {type}");
        }
    }
}
