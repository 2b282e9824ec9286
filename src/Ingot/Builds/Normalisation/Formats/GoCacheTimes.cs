using System.Globalization;
using System.Text;
using Ingot.Oci.Layers;

namespace Ingot.Builds.Normalisation.Formats;

/// <summary>The time of an entry in Go's build cache, nanoseconds since 1970 at the end of its one line
/// (<see href="https://pkg.go.dev/cmd/go/internal/cache">cache</see>).</summary>
internal static class GoCacheTimes
{
    private const int LineBytes = 175;
    private const int TimeOffset = 154;
    private const int TimeBytes = 20;

    /// <summary>What to change so that it is none of the step. Nothing for what is no such entry.</summary>
    public static IReadOnlyList<ContentPatch> Find(LayerContent content, StepTimes times)
    {
        Span<byte> line = stackalloc byte[LineBytes];
        if (content.Length != LineBytes || content.ReadAt(0, line) != LineBytes || !line.StartsWith("v1 "u8) || line[^1] != (byte)'\n')
            return [];

        const long second = 1_000_000_000;
        bool isTime = long.TryParse(Encoding.ASCII.GetString(line.Slice(TimeOffset, TimeBytes)), NumberStyles.AllowLeadingWhite,
            CultureInfo.InvariantCulture, out long time);
        return isTime && times.IsOfStepOrItsCaches(time / second)
            ? [new ContentPatch(TimeOffset,
                Encoding.ASCII.GetBytes((times.Epoch * second).ToString(CultureInfo.InvariantCulture).PadLeft(TimeBytes)))]
            : [];
    }
}
