using System.Buffers.Binary;
using Ingot.Oci.Layers;

namespace Ingot.Builds.Normalisation.Formats;

/// <summary>Times of the members of a zip file, such as a Java archive, in its directory and before each member
/// (<see href="https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT">APPNOTE</see>, 4.3 to 4.5). A signature over the members' contents stays valid.</summary>
internal static class ZipTimes
{
    private const int EndBytes = 22;
    private const int MaxCommentBytes = 0xFFFF;
    private const int CentralBytes = 46;
    private const int LocalBytes = 30;
    private const int MaxDirectoryBytes = 64 << 20;
    private const uint EndSignature = 0x06054B50;
    private const uint CentralSignature = 0x02014B50;
    private const uint LocalSignature = 0x04034B50;
    private const ushort UnixTimes = 0x5455;

    /// <summary>What to change so that no member is later than <paramref name="epoch"/>. Nothing for what is no whole zip file, or one of more than 4 GiB.</summary>
    public static IReadOnlyList<ContentPatch> Find(LayerContent content, uint epoch)
    {
        if (Directory(content) is not { } directory)
            return [];

        uint dos = DosTime(epoch);
        var patches = new List<ContentPatch>();
        byte[] central = new byte[directory.Length];
        if (content.ReadAt(directory.Offset, central) != central.Length)
            return [];

        for (int at = 0; at + CentralBytes <= central.Length;)
        {
            var member = central.AsSpan(at);
            if (Word(member) != CentralSignature)
                return [];

            int name = Half(member[28..]), extra = Half(member[30..]), comment = Half(member[32..]);
            int length = CentralBytes + name + extra + comment;
            if (length > member.Length || !AddLocal(patches, content, Word(member[42..]), epoch, dos))
                return [];
            Add(patches, member[12..], directory.Offset + at + 12, dos);
            AddExtra(patches, member.Slice(CentralBytes + name, extra), directory.Offset + at + CentralBytes + name, epoch);
            at += length;
        }

        return patches;
    }

    private static (long Offset, int Length)? Directory(LayerContent content)
    {
        byte[] tail = new byte[Math.Min(content.Length, EndBytes + MaxCommentBytes)];
        long start = content.Length - tail.Length;
        if (content.ReadAt(start, tail) != tail.Length)
            return null;

        for (int at = tail.Length - EndBytes; at >= 0; at--)
        {
            var end = tail.AsSpan(at);
            if (Word(end) != EndSignature)
                continue;

            uint length = Word(end[12..]), offset = Word(end[16..]);
            bool isWhole = length <= MaxDirectoryBytes && offset + (long)length == start + at;
            return isWhole ? (offset, (int)length) : null;
        }

        return null;
    }

    private static bool AddLocal(List<ContentPatch> patches, LayerContent content, uint at, uint epoch, uint dos)
    {
        Span<byte> header = stackalloc byte[LocalBytes];
        if (content.ReadAt(at, header) != LocalBytes || Word(header) != LocalSignature)
            return false;

        Add(patches, header[10..], at + 10L, dos);
        int name = Half(header[26..]);
        byte[] extra = new byte[Half(header[28..])];
        long place = at + (long)LocalBytes + name;
        if (content.ReadAt(place, extra) != extra.Length)
            return false;
        AddExtra(patches, extra, place, epoch);
        return true;
    }

    // The date stands after the time; together they are a number that grows with time.
    private static void Add(List<ContentPatch> patches, ReadOnlySpan<byte> time, long at, uint dos)
    {
        if (Word(time) > dos)
            patches.Add(new ContentPatch(at, Words.Of(dos)));
    }

    private static void AddExtra(List<ContentPatch> patches, ReadOnlySpan<byte> extra, long at, uint epoch)
    {
        while (extra.Length >= 4)
        {
            int length = Half(extra[2..]);
            if (length + 4 > extra.Length)
                return;
            // Flags, then up to three times of four bytes.
            for (int i = 5; Half(extra) == UnixTimes && i + 4 <= length + 4; i += 4)
            {
                if (Word(extra[i..]) is var seconds && seconds > epoch)
                    patches.Add(new ContentPatch(at + i, Words.Of(epoch)));
            }

            extra = extra[(length + 4)..];
            at += length + 4;
        }
    }

    private static uint DosTime(uint epoch)
    {
        var time = DateTimeOffset.FromUnixTimeSeconds(Math.Max(epoch, 315532800u));
        uint date = (uint)(((Math.Min(time.Year, 2107) - 1980) << 9) | (time.Month << 5) | time.Day);
        return (date << 16) | (uint)((time.Hour << 11) | (time.Minute << 5) | (time.Second / 2));
    }

    private static uint Word(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt32LittleEndian(bytes);

    private static int Half(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt16LittleEndian(bytes);
}
