using System.Security.Cryptography;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Builds.Reproduction;

/// <summary>A layer that is compared.</summary>
/// <param name="Store">Where it is.</param>
/// <param name="Blob">Its blob there.</param>
/// <param name="DiffId">What it is.</param>
internal sealed record LayerOfImage(IContentStore Store, Descriptor Blob, Digest DiffId)
{
    /// <summary>What is in it, by path, with the digests of files.</summary>
    public async Task<Dictionary<string, (TarEntry Entry, Digest? Content)>> EntriesAsync(CancellationToken cancellationToken)
    {
        var entries = new Dictionary<string, (TarEntry, Digest?)>();
        await ReadAsync(
            async (entry, content) =>
            {
                bool isFile = entry.Type == TarEntryType.File;
                entries[entry.Path] = (entry, isFile ? Digest.FromHash(await SHA256.HashDataAsync(content, cancellationToken)) : null);
            },
            cancellationToken);
        return entries;
    }

    /// <summary>The contents of some of its files, but large ones.</summary>
    public async Task<Dictionary<string, byte[]>> ContentsAsync(
        IReadOnlyCollection<string> paths, int maxBytes, CancellationToken cancellationToken)
    {
        var contents = new Dictionary<string, byte[]>();
        if (paths.Count == 0)
            return contents;

        var wanted = paths.ToHashSet();
        await ReadAsync(
            async (entry, stream) =>
            {
                if (!wanted.Contains(entry.Path) || entry.Size > maxBytes)
                    return;
                byte[] content = new byte[entry.Size];
                await stream.ReadExactlyAsync(content, cancellationToken);
                contents[entry.Path] = content;
            },
            cancellationToken);
        return contents;
    }

    private async Task ReadAsync(Func<TarEntry, Stream, Task> take, CancellationToken cancellationToken)
    {
        var tar = await LayerBlob.OpenAsync(Store, Blob, DiffId, cancellationToken);
        await using (tar)
        {
            using var reader = new TarReader(tar, leaveOpen: true);
            while (await reader.NextAsync(cancellationToken) is { } entry)
                await take(entry, reader.Content);
        }
    }
}
