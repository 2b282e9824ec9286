using System.Buffers.Binary;
using Ingot.Oci.Content;
using Ingot.Oci.Tar;

namespace Ingot.Oci.Layers.Erofs;

/// <summary>The extended attributes of an inode, as the bytes that stand behind it.</summary>
internal static class ErofsAttributes
{
    private const int HeaderBytes = 12;
    private const int EntryBytes = 4;
    private const int MaxNameBytes = 255;
    private const int MaxValueBytes = ushort.MaxValue;

    // What the inode counts: the header as one, and then each four bytes.
    private const int MaxBytes = HeaderBytes + (EntryBytes * (ushort.MaxValue - 1));

    private const string UserPrefix = "user.";
    private const string TrustedPrefix = "trusted.";
    private const string SecurityPrefix = "security.";

    /// <summary>The attributes that <see cref="LayerExtractor"/> would set; empty when there is none.</summary>
    public static byte[] Encode(string path, TarEntry? entry, bool isOpaque)
    {
        var kept = Kept(path, entry);
        if (isOpaque)
            kept[OverlayAttribute.Opaque] = OverlayAttribute.OpaqueValue.ToArray();
        if (kept.Count == 0)
            return [];

        using var bytes = new MemoryStream();
        bytes.Write(stackalloc byte[HeaderBytes]);
        foreach (var (name, value) in kept)
            Write(bytes, path, name, value);
        return bytes.Length <= MaxBytes
            ? bytes.ToArray()
            : throw new LayerException($"'{path}' has {bytes.Length} bytes of attributes: EROFS holds {MaxBytes}");
    }

    /// <summary>What the inode says of the length of its attributes.</summary>
    public static ushort Count(byte[] attributes) =>
        attributes.Length == 0 ? (ushort)0 : (ushort)(1 + ((attributes.Length - HeaderBytes) / EntryBytes));

    // Overlay attributes would redirect the file system; labels and access lists belong to the host.
    private static SortedDictionary<string, byte[]> Kept(string path, TarEntry? entry)
    {
        var kept = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var (name, value) in entry?.ExtendedAttributes ?? [])
        {
            if (name.StartsWith(OverlayAttribute.Prefix, StringComparison.Ordinal)
                || name.StartsWith("user.overlay.", StringComparison.Ordinal))
                throw new LayerException($"'{path}' has the attribute '{name}', which steers overlay file systems");
            if (name.StartsWith(UserPrefix, StringComparison.Ordinal)
                || (name == OverlayAttribute.Capability && entry!.Type == TarEntryType.File))
                kept[name] = value;
        }

        return kept;
    }

    private static void Write(MemoryStream bytes, string path, string name, byte[] value)
    {
        var (index, prefix) = IndexOf(name);
        byte[] rest = TarPath.Encode(name[prefix.Length..]);
        if (rest.Length == 0 || prefix.Length + rest.Length > MaxNameBytes || rest.Contains((byte)0))
            throw new LayerException(
                $"'{path}' has the attribute '{name.Replace("\0", "\\0", StringComparison.Ordinal)}', whose name Linux does not support");
        if (value.Length > MaxValueBytes)
            throw new LayerException($"'{path}' has the attribute '{name}' of {value.Length} bytes: EROFS holds {MaxValueBytes}");

        Span<byte> entry = [(byte)rest.Length, index, 0, 0];
        BinaryPrimitives.WriteUInt16LittleEndian(entry[2..], (ushort)value.Length);
        bytes.Write(entry);
        bytes.Write(rest);
        bytes.Write(value);
        bytes.Write(stackalloc byte[-(int)bytes.Length & (EntryBytes - 1)]);
    }

    private static (byte Index, string Prefix) IndexOf(string name) =>
        name.StartsWith(UserPrefix, StringComparison.Ordinal) ? ((byte)1, UserPrefix)
        : name.StartsWith(TrustedPrefix, StringComparison.Ordinal) ? ((byte)4, TrustedPrefix)
        : ((byte)6, SecurityPrefix);
}
