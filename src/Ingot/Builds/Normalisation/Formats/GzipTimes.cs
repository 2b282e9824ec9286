using System.Buffers.Binary;
using Ingot.Oci.Layers;

namespace Ingot.Builds.Normalisation.Formats;

/// <summary>The time in the header of a gzip file (<see href="https://www.rfc-editor.org/rfc/rfc1952#section-2.3">RFC
/// 1952</see>).</summary>
internal static class GzipTimes
{
    private const int HeaderBytes = 10;
    private const int TimeOffset = 4;

    /// <summary>What to change so that it is none of the step.</summary>
    public static IReadOnlyList<ContentPatch> Find(LayerContent content, StepTimes times)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        bool isGzip = content.ReadAt(0, header) == HeaderBytes && header is [0x1F, 0x8B, 8, ..];
        return isGzip && times.IsOfStep(BinaryPrimitives.ReadUInt32LittleEndian(header[TimeOffset..]))
            ? [new ContentPatch(TimeOffset, Words.Of(times.Epoch))]
            : [];
    }
}
