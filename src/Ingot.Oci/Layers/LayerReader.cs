using System.Buffers;
using System.Security.Cryptography;
using Ingot.Oci.Content;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Tar;

namespace Ingot.Oci.Layers;

/// <summary>What a layer may cost those who only read it.</summary>
public sealed record LayerReadLimits
{
    /// <summary>The defaults.</summary>
    public static LayerReadLimits Default { get; } = new();

    /// <summary>The most bytes that a layer may have, uncompressed.</summary>
    public long MaxBytes { get; init; } = 64L << 30;

    /// <summary>What a compressed layer may become in any case, in bytes; above that, <see cref="MaxRatio"/> counts.</summary>
    public long FreeBytes { get; init; } = 8L << 30;

    /// <summary>How many times its size a compressed layer may become, beyond <see cref="FreeBytes"/>.</summary>
    public int MaxRatio { get; init; } = 250;

    /// <summary>The archive's own limits.</summary>
    public TarLimits Tar { get; init; } = TarLimits.Default with { MaxEntries = 1_000_000 };

    /// <summary>The most bytes that come out of <paramref name="compressed"/> bytes.</summary>
    public long For(long compressed) => Math.Min(MaxBytes, FreeBytes + (Math.Min(compressed, MaxBytes) * MaxRatio));
}

/// <summary>Reads layers without unpacking them: needs no root, writes nothing, and refuses what <see cref="LayerExtractor"/> would refuse
/// by the archive alone.</summary>
public static class LayerReader
{
    private const int CopyBytes = 128 << 10;

    /// <summary>The index of a layer in a store; verifies the blob and, when given, the diff id.</summary>
    public static Task<LayerIndex> IndexAsync(
        IContentStore store, Descriptor blob, Digest? diffId, LayerReadLimits? limits = null,
        CancellationToken cancellationToken = default) =>
        IndexAsync(store, blob, diffId, copy: null, limits, cancellationToken);

    /// <summary>The index of a layer in a store, whose uncompressed archive is written to <paramref name="copy"/> on the way. When this
    /// throws, that is not to be believed.</summary>
    public static async Task<LayerIndex> IndexAsync(
        IContentStore store, Descriptor blob, Digest? diffId, Stream? copy, LayerReadLimits? limits = null,
        CancellationToken cancellationToken = default)
    {
        limits ??= LayerReadLimits.Default;
        Stream tar = new LimitedStream(await LayerBlob.OpenAsync(store, blob, diffId, cancellationToken).ConfigureAwait(false),
            limits.For(blob.Size), $"the layer '{blob.Digest}'");
        if (copy is not null)
            tar = new CopyingStream(tar, copy);
        await using (tar.ConfigureAwait(false))
            return await IndexAsync(tar, limits, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The index of an uncompressed layer, which is read to its end.</summary>
    public static async Task<LayerIndex> IndexAsync(
        Stream tar, LayerReadLimits? limits = null, CancellationToken cancellationToken = default)
    {
        var files = new Dictionary<string, FileRecord>();
        var whiteouts = new HashSet<string>();
        await ReadAsync(tar, limits ?? LayerReadLimits.Default, (entry, digest, offset) => Add(files, whiteouts, entry, digest, offset),
            cancellationToken).ConfigureAwait(false);
        return new LayerIndex(files.Values, whiteouts);
    }

    /// <summary>Reads a layer to its end and keeps nothing: throws when it is malformed or hostile. Returns the diff id.</summary>
    public static async Task<Digest> CheckAsync(
        Stream compressed, LayerCompression compression, long size, Digest? diffId, LayerReadLimits? limits = null,
        CancellationToken cancellationToken = default)
    {
        limits ??= LayerReadLimits.Default;
        var tar = new DiffIdStream(
            new LimitedStream(new ReadAheadStream(compression.Decompress(compressed)), limits.For(size), "the layer"), diffId);
        await using (tar.ConfigureAwait(false))
        {
            await ReadAsync(tar, limits, (_, _, _) => { }, cancellationToken).ConfigureAwait(false);
            return tar.DiffId!.Value;
        }
    }

    /// <summary>How a stream of a layer is compressed, by its first bytes; the stream must be seekable,
    /// and is where it was afterwards.</summary>
    public static async Task<LayerCompression> DetectAsync(Stream layer, CancellationToken cancellationToken = default)
    {
        byte[] first = new byte[4];
        long position = layer.Position;
        int read = await layer.ReadAtLeastAsync(first, first.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        layer.Position = position;
        return first.AsSpan(0, read) switch
        {
            [0x1f, 0x8b, ..] => LayerCompression.Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] => LayerCompression.Zstandard,
            _ => LayerCompression.None,
        };
    }

    /// <summary>The decompressed bytes of <paramref name="packed"/>, which it owns:
    /// of so many bytes no more than the limits allow.</summary>
    public static Stream Decompress(Stream packed, LayerCompression compression, long size, string what, LayerReadLimits? limits = null) =>
        new LimitedStream(compression.Decompress(packed), (limits ?? LayerReadLimits.Default).For(size), what);

    private static async Task ReadAsync(
        Stream tar, LayerReadLimits limits, Action<TarEntry, Digest?, long> visit, CancellationToken cancellationToken)
    {
        using var reader = new TarReader(tar, limits.Tar, leaveOpen: true);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(CopyBytes);
        try
        {
            while (await reader.NextAsync(cancellationToken).ConfigureAwait(false) is { } entry)
            {
                Check(entry);
                long offset = reader.Position;
                int read;
                while (entry.Size > 0 && (read = await reader.Content.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
                    hash.AppendData(buffer.AsSpan(0, read));
                visit(entry, entry.Type == TarEntryType.File ? Digest.FromHash(hash.GetHashAndReset()) : null, offset);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static void Check(TarEntry entry)
    {
        if (TarPath.Parent(entry.Path) is { Length: > 0 } parent
            && parent.Contains(Whiteout.Prefix, StringComparison.Ordinal)
            && parent.Split('/').Any(Whiteout.IsWhiteout))
            throw new LayerException($"'{entry.Path}' lies in a whiteout");
        if (!Whiteout.IsWhiteout(entry.Path))
            return;
        if (entry.Type != TarEntryType.File)
            throw new LayerException($"the whiteout '{entry.Path}' is a {entry.Type}");
        if (!Whiteout.IsOpaque(entry.Path) && (TarPath.Name(entry.Path)[Whiteout.Prefix.Length..] is "" or "." or ".."
            || Whiteout.IsWhiteout(Whiteout.Hidden(entry.Path))))
            throw new LayerException($"'{entry.Path}' is not a whiteout of anything");
    }

    // As when it is unpacked: what comes later under the same name replaces what came before.
    private static void Add(Dictionary<string, FileRecord> files, HashSet<string> whiteouts, TarEntry entry, Digest? digest, long offset)
    {
        if (Whiteout.IsWhiteout(entry.Path))
        {
            whiteouts.Add(entry.Path);
            return;
        }

        if (files.TryGetValue(entry.Path, out var earlier)
            && (earlier.Type == TarEntryType.Directory) != (entry.Type == TarEntryType.Directory))
            throw new LayerException($"'{entry.Path}' is a directory and something else in one layer");

        var target = entry.Type == TarEntryType.HardLink ? files.GetValueOrDefault(entry.LinkTarget!) : null;
        files[entry.Path] = target is null
            ? new FileRecord(entry, digest, entry.Size, digest is null ? 0 : offset)
            : new FileRecord(entry, target.Digest, target.Size, target.Offset);
    }
}
