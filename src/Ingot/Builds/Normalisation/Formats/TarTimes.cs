using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Ingot.Oci.Layers;

namespace Ingot.Builds.Normalisation.Formats;

/// <summary>Times of the members of a tar file, in their headers and in extended headers before them
/// (<see href="https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_03">pax</see>).</summary>
internal static partial class TarTimes
{
    private const int BlockBytes = 512;
    private const int SizeOffset = 124;
    private const int TimeOffset = 136;
    private const int FieldBytes = 12;
    private const int ChecksumOffset = 148;
    private const int TypeOffset = 156;
    private const int MaxMembers = 1_000_000;
    private const int MaxExtendedBytes = 1 << 20;

    /// <summary>What to change so that no member has a time of the step. Nothing for what is no whole tar file.</summary>
    public static IReadOnlyList<ContentPatch> Find(LayerContent content, StepTimes times)
    {
        var patches = new List<ContentPatch>();
        byte[] block = new byte[BlockBytes];
        long at = 0;
        for (int members = 0; members < MaxMembers && content.ReadAt(at, block) == BlockBytes; members++)
        {
            if (!block.AsSpan().ContainsAnyExcept((byte)0))
                return patches;
            if (Number(block, SizeOffset) is not { } size || Number(block, TimeOffset) is not { } time || Octal(block.AsSpan(ChecksumOffset, 8)) != Checksum(block))
                return [];

            if (block[TypeOffset] is (byte)'x' or (byte)'g' && size <= MaxExtendedBytes)
                AddExtended(patches, content, at + BlockBytes, (int)size, times);
            if (times.IsOfStep(time))
                Add(patches, block, at, times.Epoch);
            at += BlockBytes + ((size + BlockBytes - 1) / BlockBytes * BlockBytes);
        }

        return at == content.Length ? patches : [];
    }

    private static void Add(List<ContentPatch> patches, byte[] block, long at, uint epoch)
    {
        byte[] time = Encoding.ASCII.GetBytes(Convert.ToString(epoch, 8).PadLeft(FieldBytes - 1, '0') + "\0");
        time.CopyTo(block, TimeOffset);
        patches.Add(new ContentPatch(at + TimeOffset, time));
        patches.Add(new ContentPatch(at + ChecksumOffset, Encoding.ASCII.GetBytes(Convert.ToString(Checksum(block), 8).PadLeft(6, '0') + "\0 ")));
    }

    // A record says how long it is: a time is written as long as the one it takes the place of.
    private static void AddExtended(List<ContentPatch> patches, LayerContent content, long at, int size, StepTimes times)
    {
        byte[] records = new byte[size];
        if (content.ReadAt(at, records) != size)
            return;

        foreach (Match match in TimeRecord().Matches(Encoding.Latin1.GetString(records)))
        {
            var (whole, fraction) = (match.Groups[2], match.Groups[3]);
            string text = times.Epoch.ToString(CultureInfo.InvariantCulture);
            if (!long.TryParse(whole.ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out long seconds) || !times.IsOfStep(seconds) || text.Length > whole.Length)
                continue;

            patches.Add(new ContentPatch(at + whole.Index, Encoding.ASCII.GetBytes(text.PadLeft(whole.Length, '0'))));
            if (fraction.Length > 0)
                patches.Add(new ContentPatch(at + fraction.Index, Encoding.ASCII.GetBytes(new string('0', fraction.Length))));
        }
    }

    private static long Checksum(byte[] block)
    {
        long sum = 8 * ' ';
        for (int i = 0; i < BlockBytes; i++)
            sum += i is >= ChecksumOffset and < ChecksumOffset + 8 ? 0 : block[i];
        return sum;
    }

    // What does not fit in octal digits is in bytes, the first of which has its highest bit set;
    // https://www.gnu.org/software/tar/manual/html_node/Extensions.html.
    private static long? Number(byte[] block, int offset)
    {
        var field = block.AsSpan(offset, FieldBytes);
        if (field[0] != 0x80)
            return Octal(field);

        bool fits = !field[1..5].ContainsAnyExcept((byte)0) && field[5] < 0x40;
        return fits ? System.Buffers.Binary.BinaryPrimitives.ReadInt64BigEndian(field[4..]) : null;
    }

    private static long? Octal(ReadOnlySpan<byte> field)
    {
        string text = Encoding.ASCII.GetString(field).Trim('\0', ' ');
        if (text.Length == 0)
            return 0;
        return text.Length <= 12 && text.All(c => c is >= '0' and <= '7') ? Convert.ToInt64(text, 8) : null;
    }

    [GeneratedRegex(@"(?<=^|\n)([0-9]+) (?:mtime|atime|ctime|LIBARCHIVE\.creationtime)=([0-9]{1,18})(?:\.([0-9]+))?\n")]
    private static partial Regex TimeRecord();
}
