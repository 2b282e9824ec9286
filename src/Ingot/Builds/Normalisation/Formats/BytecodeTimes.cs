using System.Buffers.Binary;
using Ingot.Oci.Layers;

namespace Ingot.Builds.Normalisation.Formats;

/// <summary>The time of the source in a compiled Python module: the layer's source is no later than the epoch, and the module is only valid
/// when it says the same (<see href="https://peps.python.org/pep-0552/">PEP 552</see>).</summary>
internal static class BytecodeTimes
{
    private const int HeaderBytes = 16;
    private const int FlagsOffset = 4;
    private const int TimeOffset = 8;

    /// <summary>What to change so that it is no later than the epoch; nothing for a module that names its source by hash.</summary>
    public static IReadOnlyList<ContentPatch> Find(LayerContent content, StepTimes times)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        bool isModule = content.ReadAt(0, header) == HeaderBytes
            && header[2..4] is [0x0D, 0x0A]
            && BinaryPrimitives.ReadUInt32LittleEndian(header[FlagsOffset..]) == 0;
        return isModule && BinaryPrimitives.ReadUInt32LittleEndian(header[TimeOffset..]) > times.Epoch
            ? [new ContentPatch(TimeOffset, Words.Of(times.Epoch))]
            : [];
    }
}
