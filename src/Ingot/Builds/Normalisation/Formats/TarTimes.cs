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
    private const int ChecksumBytes = 8;
    private const int TypeOffset = 156;
    private const int MaxMembers = 1_000_000;
    private const int MaxExtendedBytes = 1 << 20;

    /// <summary>What to change so that no member has a time of the step. Nothing for what is no whole tar file, and where it would be more
    /// than is held in memory.</summary>
    public static IReadOnlyList<ContentPatch> Find(LayerContent content, StepTimes times) => Find(content, times, BoundedPatches.MaxBytes);

    internal static IReadOnlyList<ContentPatch> Find(LayerContent content, StepTimes times, long maxBytes)
    {
        var patches = new BoundedPatches(maxBytes);
        byte[] block = new byte[BlockBytes];
        long at = 0;
        for (int members = 0; members < MaxMembers && content.ReadAt(at, block) == BlockBytes; members++)
        {
            if (!block.AsSpan().ContainsAnyExcept((byte)0))
                return patches.All;
            if (Number(block, SizeOffset) is not { } size
                || Number(block, TimeOffset) is not { } time
                || Octal(block.AsSpan(ChecksumOffset, ChecksumBytes)) != Checksum(block))
                return [];

            bool isExtended = block[TypeOffset] is (byte)'x' or (byte)'g' && size <= MaxExtendedBytes;
            byte[]? records = isExtended ? RecordsWithout(content, at + BlockBytes, (int)size, times) : null;
            if (records is not null)
                Octal(block, SizeOffset, records.Length);
            if (times.IsOfStep(time))
                Octal(block, TimeOffset, times.Epoch);
            if (records is not null || times.IsOfStep(time))
                patches.Add(at + SizeOffset, HeaderOf(block));
            if (records is not null)
                patches.Add(at + BlockBytes, [.. records, .. new byte[(int)InBlocks(size) - records.Length]]);
            if (patches.IsFull)
                return [];
            at += BlockBytes + InBlocks(size);
        }

        return at == content.Length ? patches.All : [];
    }

    private static long InBlocks(long size) => (size + BlockBytes - 1) / BlockBytes * BlockBytes;

    // Size, time and checksum: what lies between them has not changed.
    private static byte[] HeaderOf(byte[] block)
    {
        Encoding.ASCII.GetBytes(Convert.ToString(Checksum(block), 8).PadLeft(6, '0') + "\0 ").CopyTo(block, ChecksumOffset);
        return block[SizeOffset..(ChecksumOffset + ChecksumBytes)];
    }

    // A time is written with as many digits as its fraction needs: without fractions all are equally long, and what the header says of
    // their size is, too. The zeros after them are those that fill up a block. Where fewer blocks would do, a record of filler takes up the
    // others: a block of zeros between members is the end of the archive for whoever reads it.
    private static byte[]? RecordsWithout(LayerContent content, long at, int size, StepTimes times)
    {
        byte[] records = new byte[size];
        if (content.ReadAt(at, records) != size)
            return null;

        var result = new MemoryStream(size);
        bool isChanged = false;
        for (int start = 0; start < size;)
        {
            if (RecordAt(records.AsSpan(start)) is not { } length)
                return null;
            byte[]? other = WithoutTime(records.AsSpan(start, length), times);
            isChanged |= other is not null;
            result.Write(other ?? records.AsSpan(start, length));
            start += length;
        }

        long blocks = InBlocks(size);
        if (!isChanged || result.Length > blocks)
            return null;
        if (InBlocks(result.Length) < blocks)
            result.Write(Filler((int)(blocks - result.Length), FillerKey(records)));
        return result.ToArray();
    }

    // At least a block is to be filled, so that there is always room for the key.
    private static byte[] Filler(int length, string key)
    {
        string start = $"{length} {key}=";
        return Encoding.ASCII.GetBytes(start.PadRight(length - 1, '-') + "\n");
    }

    // A comment is for nobody's eyes; but some readers take no two records of one key.
    private static string FillerKey(byte[] records) =>
        records.AsSpan().IndexOf(" comment="u8) < 0 ? "comment" : "INGOT.filler";

    // "27 mtime=1700000000.000000\n": how long it is, a key, and a value of any bytes.
    private static int? RecordAt(ReadOnlySpan<byte> records)
    {
        int digits = records.IndexOf((byte)' ');
        if (digits is < 1 or > 7 || !int.TryParse(records[..digits], NumberStyles.None, CultureInfo.InvariantCulture, out int length))
            return null;
        return length > digits + 2 && length <= records.Length && records[length - 1] == '\n' ? length : null;
    }

    private static byte[]? WithoutTime(ReadOnlySpan<byte> record, StepTimes times)
    {
        var match = TimeRecord().Match(Encoding.Latin1.GetString(record));
        if (!match.Success || !times.IsOfStep(long.Parse(match.Groups["seconds"].ValueSpan, CultureInfo.InvariantCulture)))
            return null;

        string text = $" {match.Groups["key"].ValueSpan}={times.Epoch}\n";
        int length = text.Length + 2;
        return Encoding.ASCII.GetBytes(length.ToString(CultureInfo.InvariantCulture) + text);
    }

    private static void Octal(byte[] block, int offset, long value) =>
        Encoding.ASCII.GetBytes(Convert.ToString(value, 8).PadLeft(FieldBytes - 1, '0') + "\0").CopyTo(block, offset);

    private static long Checksum(byte[] block)
    {
        long sum = 8 * ' ';
        for (int i = 0; i < BlockBytes; i++)
            sum += i is >= ChecksumOffset and < ChecksumOffset + ChecksumBytes ? 0 : block[i];
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

    [GeneratedRegex(@"^[0-9]+ (?<key>mtime|atime|ctime|LIBARCHIVE\.creationtime)=(?<seconds>[0-9]{1,18})(?:\.[0-9]*)?\n\z",
        RegexOptions.ExplicitCapture)]
    private static partial Regex TimeRecord();
}
