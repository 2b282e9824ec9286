using System.Runtime.InteropServices;
using Ingot.Oci.Content;

namespace Ingot.Oci.Layers.Compression;

/// <summary>The system's zstd (<see href="https://facebook.github.io/zstd/zstd_manual.html">manual</see>),
/// as far as layers need it.</summary>
internal static unsafe partial class Zstd
{
    /// <summary>128 MiB: what the command line accepts too. A frame that needs more is refused.</summary>
    public const int MaxWindowLog = 27;

    public const int CompressionLevel = 100;
    public const int ChecksumFlag = 201;
    public const int DecoderMaxWindowLog = 100;

    private const string Library = "libzstd.so.1";

    private static readonly Lazy<string> s_version = new(() => Marshal.PtrToStringUTF8(VersionText())!);

    public static string Version => s_version.Value;

    public static nuint Check(nuint result) => IsError(result) == 0
        ? result
        : throw new LayerException($"zstd answered: {Marshal.PtrToStringUTF8(ErrorName(result))}");

    [LibraryImport(Library, EntryPoint = "ZSTD_versionString")]
    private static partial nint VersionText();

    [LibraryImport(Library, EntryPoint = "ZSTD_isError")]
    private static partial uint IsError(nuint result);

    [LibraryImport(Library, EntryPoint = "ZSTD_getErrorName")]
    private static partial nint ErrorName(nuint result);

    [LibraryImport(Library, EntryPoint = "ZSTD_createCCtx")]
    public static partial nint CreateEncoder();

    [LibraryImport(Library, EntryPoint = "ZSTD_freeCCtx")]
    public static partial nuint FreeEncoder(nint encoder);

    [LibraryImport(Library, EntryPoint = "ZSTD_CCtx_setParameter")]
    public static partial nuint SetEncoderParameter(nint encoder, int parameter, int value);

    /// <summary>The most bytes that so many can become.</summary>
    [LibraryImport(Library, EntryPoint = "ZSTD_compressBound")]
    public static partial nuint Bound(nuint size);

    /// <summary>Compresses into one frame; what was set stays set.</summary>
    [LibraryImport(Library, EntryPoint = "ZSTD_compress2")]
    public static partial nuint CompressWhole(nint encoder, byte* target, nuint capacity, byte* source, nuint size);

    [LibraryImport(Library, EntryPoint = "ZSTD_createDCtx")]
    public static partial nint CreateDecoder();

    [LibraryImport(Library, EntryPoint = "ZSTD_freeDCtx")]
    public static partial nuint FreeDecoder(nint decoder);

    [LibraryImport(Library, EntryPoint = "ZSTD_DCtx_setParameter")]
    public static partial nuint SetDecoderParameter(nint decoder, int parameter, int value);

    [LibraryImport(Library, EntryPoint = "ZSTD_decompressStream")]
    public static partial nuint Decompress(nint decoder, Buffer* output, Buffer* input);

    /// <summary><c>ZSTD_inBuffer</c> and <c>ZSTD_outBuffer</c>, which have one layout.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Buffer
    {
        public byte* Start;
        public nuint Size;
        public nuint Position;
    }
}
