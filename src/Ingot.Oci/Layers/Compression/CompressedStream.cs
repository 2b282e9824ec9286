using Ingot.Oci.Content;

namespace Ingot.Oci.Layers.Compression;

/// <summary>Reads what is compressed, or not, by what its first bytes say: gzip, bzip2, xz or zstd.</summary>
public static class CompressedStream
{
    /// <summary>How many of the first bytes are looked at.</summary>
    public const int MagicBytes = 6;

    private static readonly (byte[] Magic, string Library, Func<Stream, Stream> Decode)[] s_all =
    [
        ([0x1F, 0x8B, 0x08], "zlib1g", input => new GzipDecoder(input)),
        ([.. "BZh"u8], "libbz2-1.0", input => new Bzip2Decoder(input)),
        ([0xFD, .. "7zXZ"u8, 0x00], "liblzma5", input => new XzDecoder(input)),
        ([0x28, 0xB5, 0x2F, 0xFD], "libzstd1", input => new ZstdDecoder(input)),
    ];

    /// <summary>A stream over the decompressed bytes of <paramref name="input"/>, which it owns; that itself when it is not compressed.
    /// Memory is bounded, whatever the input; damaged data throws <see cref="LayerException"/> while it is read.</summary>
    /// <param name="input">The data, from its beginning.</param>
    /// <param name="magic">Its first <see cref="MagicBytes"/> bytes, or all of them when it has fewer.</param>
    public static Stream Open(Stream input, ReadOnlySpan<byte> magic)
    {
        foreach (var (begin, library, decode) in s_all)
        {
            if (magic.StartsWith(begin) || (library == "libzstd1" && IsSkippable(magic)))
                return HostLibrary.Use(library, () => decode(input));
        }

        return input;
    }

    // https://www.rfc-editor.org/rfc/rfc8878#section-3.1.2
    private static bool IsSkippable(ReadOnlySpan<byte> magic) => magic is [>= 0x50 and <= 0x5F, 0x2A, 0x4D, 0x18, ..];
}
