using System.Globalization;
using System.Text;
using Ingot.Oci.Layers;

namespace Ingot.Builds.Normalisation.Formats;

/// <summary>Times and owners of the members of a static library
/// (<see href="https://man7.org/linux/man-pages/man5/ar.5.html">ar</see>).</summary>
internal static class ArchiveTimes
{
    private const int HeaderBytes = 60;
    private const int TimeOffset = 16;
    private const int TimeBytes = 12;
    private const int OwnerOffset = 28;
    private const int OwnerBytes = 12;
    private const int SizeOffset = 48;
    private const int SizeBytes = 10;
    // More members than any library has.
    private const int MaxMembers = 1_000_000;

    private static readonly byte[] s_noOwner = Encoding.ASCII.GetBytes("0     0     ");

    /// <summary>What to change so that no member has a time of the step, and those that had belong to root. Nothing for what is no whole
    /// archive, and where it would be more than is held in memory.</summary>
    public static IReadOnlyList<ContentPatch> Find(LayerContent content, StepTimes times) => Find(content, times, BoundedPatches.MaxBytes);

    internal static IReadOnlyList<ContentPatch> Find(LayerContent content, StepTimes times, long maxBytes)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        if (content.ReadAt(0, header[..8]) != 8 || !header[..8].SequenceEqual("!<arch>\n"u8))
            return [];

        var patches = new BoundedPatches(maxBytes);
        long at = 8;
        for (int members = 0; at < content.Length; members++)
        {
            if (members == MaxMembers || content.ReadAt(at, header) != HeaderBytes || header[58..] is not [0x60, 0x0A]
                || Number(header.Slice(SizeOffset, SizeBytes)) is not { } size)
                return [];

            Add(patches, header, at, times);
            if (patches.IsFull)
                return [];
            at += HeaderBytes + size + (size & 1);
        }

        return patches.All;
    }

    private static void Add(BoundedPatches patches, ReadOnlySpan<byte> header, long at, StepTimes times)
    {
        if (Number(header.Slice(TimeOffset, TimeBytes)) is not { } time || !times.IsOfStep(time))
            return;

        patches.Add(at + TimeOffset, Encoding.ASCII.GetBytes($"{times.Epoch}".PadRight(TimeBytes)));
        var owner = header.Slice(OwnerOffset, OwnerBytes);
        // Members that hold the index have blanks there.
        if (!owner.SequenceEqual(s_noOwner) && owner.ContainsAnyInRange((byte)'0', (byte)'9'))
            patches.Add(at + OwnerOffset, s_noOwner);
    }

    private static long? Number(ReadOnlySpan<byte> field) =>
        long.TryParse(Encoding.ASCII.GetString(field).TrimEnd(' '), NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? number
            : null;
}
