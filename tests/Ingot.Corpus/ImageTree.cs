using System.Security.Cryptography;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Corpus;

/// <summary>A file of an image: what its archive says, and its content.</summary>
/// <param name="Entry">The entry that describes it; hard links share one.</param>
/// <param name="Digest">The digest of the content; null for what has none.</param>
/// <param name="Text">The content, when it is short; else null.</param>
public sealed record ImageFile(TarEntry Entry, Digest? Digest, byte[]? Text);

/// <summary>The files of an image after all of its layers, in memory. Paths with one file in common have the same object.</summary>
public sealed class ImageTree
{
    private const int ShortContent = 64;

    private readonly List<bool> _emptyLayers = [];
    private readonly SortedDictionary<string, ImageFile> _files = new(Comparer<string>.Create(TarPath.Compare));

    /// <summary>Every path and its file; the root's own is the empty one, when a layer has it.</summary>
    public IReadOnlyDictionary<string, ImageFile> Files => _files;

    /// <summary>Of each layer that was read, lowest first, whether it changes nothing but times.</summary>
    public IReadOnlyList<bool> EmptyLayers => _emptyLayers;

    /// <summary>Reads the lowest <paramref name="count"/> layers of an image.</summary>
    public static async Task<ImageTree> ReadAsync(
        IContentStore store, Image image, int count, CancellationToken cancellationToken = default)
    {
        var tree = new ImageTree();
        foreach (var (blob, diffId) in image.Manifest.Layers.Zip(image.Config.RootFs.DiffIds).Take(count))
        {
            await using var tar = await LayerBlob.OpenAsync(store, blob, diffId, cancellationToken);
            await tree.ApplyAsync(tar, cancellationToken);
        }

        return tree;
    }

    private async Task ApplyAsync(Stream layer, CancellationToken cancellationToken)
    {
        using var reader = new TarReader(layer);
        var entries = new List<(TarEntry Entry, ImageFile? File)>();
        while (await reader.NextAsync(cancellationToken) is { } entry)
            entries.Add((entry, entry.Type == TarEntryType.File
                ? await FileAsync(entry, reader.Content, cancellationToken)
                : new ImageFile(entry, null, null)));

        _emptyLayers.Add(entries.TrueForAll(e => IsAsBelow(e.Entry, e.File)));
        // Whiteouts hide what is below, wherever in the archive they stand.
        foreach (var (entry, _) in entries.Where(e => Whiteout.IsWhiteout(e.Entry.Path)))
            Remove(Whiteout.Hidden(entry.Path), keepItself: Whiteout.IsOpaque(entry.Path));
        foreach (var (entry, file) in entries.Where(e => !Whiteout.IsWhiteout(e.Entry.Path)))
            Put(entry, file!);
    }

    private bool IsAsBelow(TarEntry entry, ImageFile? file)
    {
        if (Whiteout.IsWhiteout(entry.Path) || !_files.TryGetValue(entry.Path, out var below))
            return entry.Path.Length == 0;
        if (entry.Type == TarEntryType.HardLink)
            return ReferenceEquals(below, _files.GetValueOrDefault(entry.LinkTarget!));
        return below.Digest == file!.Digest && (below.Entry with { ModifiedTime = default, ExtendedAttributes = null, Path = "" })
            == (entry with { ModifiedTime = default, ExtendedAttributes = null, Path = "" })
            && Attributes(below.Entry).SequenceEqual(Attributes(entry));
    }

    private static IEnumerable<string> Attributes(TarEntry entry) =>
        (entry.ExtendedAttributes ?? []).Select(a => $"{a.Key}={Convert.ToHexString(a.Value)}");

    private void Put(TarEntry entry, ImageFile file)
    {
        if (entry.Type == TarEntryType.HardLink)
            file = _files[entry.LinkTarget!];
        else if (entry.Type != TarEntryType.Directory)
            Remove(entry.Path, keepItself: false);
        _files[entry.Path] = file;
    }

    private void Remove(string path, bool keepItself)
    {
        string below = path.Length == 0 ? "" : path + "/";
        foreach (string gone in _files.Keys
            .Where(p => (p == path && !keepItself) || (p != path && p.StartsWith(below, StringComparison.Ordinal)))
            .ToList())
            _files.Remove(gone);
    }

    private static async Task<ImageFile> FileAsync(TarEntry entry, Stream content, CancellationToken cancellationToken)
    {
        if (entry.Size <= ShortContent)
        {
            byte[] text = new byte[entry.Size];
            await content.ReadExactlyAsync(text, cancellationToken);
            return new ImageFile(entry, Digest.Of(text), text);
        }

        return new ImageFile(entry, Digest.FromHash(await SHA256.HashDataAsync(content, cancellationToken)), null);
    }
}
