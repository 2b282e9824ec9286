using System.Buffers.Binary;
using System.Text;
using Ingot.Oci.Layers;

namespace Ingot.Builds.Normalisation.Formats;

/// <summary>Times of the members of a zip file, such as a Java archive, in its directory and before each member
/// (<see href="https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT">APPNOTE</see>, 4.3 to 4.5). A file that is signed stays as it
/// is.</summary>
internal sealed class ZipTimes
{
    private const int EndBytes = 22;
    private const int MaxCommentBytes = 0xFFFF;
    private const int CentralBytes = 46;
    private const int LocalBytes = 30;
    private const int MaxDirectoryBytes = 64 << 20;
    private const uint EndSignature = 0x06054B50;
    private const uint CentralSignature = 0x02014B50;
    private const uint LocalSignature = 0x04034B50;

    // Extra fields: UT of Info-ZIP, its older UX, and NTFS's.
    private const ushort UnixTimes = 0x5455;
    private const ushort OldUnixTimes = 0x5855;
    private const ushort NtfsTimes = 0x000A;
    private const long TicksASecond = 10_000_000;

    // Encrypted, strongly encrypted, with a masked directory: the password is checked against the time.
    private const int Encrypted = 0x2041;

    private readonly BoundedPatches _patches;
    private readonly LayerContent _content;
    private readonly StepTimes _times;
    private long _localBytes;

    private ZipTimes(LayerContent content, StepTimes times, long maxBytes) =>
        (_content, _times, _patches) = (content, times, new BoundedPatches(maxBytes));

    /// <summary>What to change so that no member has a time of the step. Nothing for what is no whole zip file, is signed or encrypted, or
    /// has more than 4 GiB, and where it would be more than is held in memory.</summary>
    public static IReadOnlyList<ContentPatch> Find(LayerContent content, StepTimes times) => Find(content, times, BoundedPatches.MaxBytes);

    internal static IReadOnlyList<ContentPatch> Find(LayerContent content, StepTimes times, long maxBytes)
    {
        var zip = new ZipTimes(content, times, maxBytes);
        return Directory(content) is { } directory
            && !HasSignedBlock(content, directory.Offset)
            && zip.IsWhole(directory.Offset, directory.Length)
            ? zip._patches.All : [];
    }

    private bool IsWhole(long offset, int directoryBytes)
    {
        byte[] central = new byte[directoryBytes];
        if (_content.ReadAt(offset, central) != central.Length)
            return false;

        for (int at = 0; at + CentralBytes <= central.Length;)
        {
            var member = central.AsSpan(at);
            int name = Half(member[28..]), extra = Half(member[30..]), comment = Half(member[32..]);
            int length = CentralBytes + name + extra + comment;
            if (Word(member) != CentralSignature || length > member.Length || (Half(member[8..]) & Encrypted) != 0 || _patches.IsFull)
                return false;
            if (IsSignature(member.Slice(CentralBytes, name)) || !AddLocal(Word(member[42..])))
                return false;

            Add(member[12..], offset + at + 12);
            AddExtra(member.Slice(CentralBytes + name, extra), offset + at + CentralBytes + name);
            at += length;
        }

        return true;
    }

    // https://docs.oracle.com/en/java/javase/21/docs/specs/jar/jar.html#signed-jar-file
    // https://learn.microsoft.com/en-us/nuget/reference/signed-packages-reference
    private static bool IsSignature(ReadOnlySpan<byte> name) => name.SequenceEqual(".signature.p7s"u8)
        || (name.Length < 300
            && name.StartsWith("META-INF/"u8)
            && Encoding.ASCII.GetString(name).EndsWith(".SF", StringComparison.OrdinalIgnoreCase));

    // https://source.android.com/docs/security/features/apksigning/v2
    private static bool HasSignedBlock(LayerContent content, long directory)
    {
        Span<byte> magic = stackalloc byte[16];
        return directory >= magic.Length
            && content.ReadAt(directory - magic.Length, magic) == magic.Length
            && magic.SequenceEqual("APK Sig Block 42"u8);
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

    private bool AddLocal(uint at)
    {
        Span<byte> header = stackalloc byte[LocalBytes];
        if (_content.ReadAt(at, header) != LocalBytes || Word(header) != LocalSignature)
            return false;

        Add(header[10..], at + 10L);
        int name = Half(header[26..]), more = Half(header[28..]);
        // Members do not overlap: one that many name would be read as often.
        if ((_localBytes += LocalBytes + name + more) > _content.Length)
            return false;

        byte[] extra = new byte[more];
        long place = at + (long)LocalBytes + name;
        if (_content.ReadAt(place, extra) != extra.Length)
            return false;
        AddExtra(extra, place);
        return true;
    }

    private void Add(ReadOnlySpan<byte> time, long at)
    {
        if (Seconds(Word(time)) is { } seconds && _times.IsLocalOfStep(seconds))
            _patches.Add(at, Words.Of(DosTime(_times.Epoch)));
    }

    private void AddExtra(ReadOnlySpan<byte> extra, long at)
    {
        while (extra.Length >= 4)
        {
            int length = Half(extra[2..]);
            if (length + 4 > extra.Length)
                return;

            var field = extra.Slice(4, length);
            switch (Half(extra))
            {
                // Flags, then up to three times of four bytes.
                case UnixTimes:
                    AddUnix(field, at + 4, from: 1, count: 3);
                    break;
                case OldUnixTimes:
                    AddUnix(field, at + 4, from: 0, count: 2);
                    break;
                // Four bytes for later, the number and the length of a field, and three times.
                case NtfsTimes when length >= 32 && Half(field[4..]) == 1 && Half(field[6..]) == 24:
                    AddNtfs(field, at + 4);
                    break;
            }

            extra = extra[(length + 4)..];
            at += length + 4;
        }
    }

    private void AddUnix(ReadOnlySpan<byte> field, long at, int from, int count)
    {
        for (int i = from; i + 4 <= field.Length && i < from + (count * 4); i += 4)
        {
            if (_times.IsOfStep(Word(field[i..])))
                _patches.Add(at + i, Words.Of(_times.Epoch));
        }
    }

    private void AddNtfs(ReadOnlySpan<byte> field, long at)
    {
        long epoch = DateTimeOffset.FromUnixTimeSeconds(_times.Epoch).ToFileTime();
        for (int i = 8; i < 32; i += 8)
        {
            long seconds = (BinaryPrimitives.ReadInt64LittleEndian(field[i..]) / TicksASecond)
                - (DateTimeOffset.UnixEpoch.ToFileTime() / TicksASecond);
            if (_times.IsOfStep(seconds))
                _patches.Add(at + i, BitConverter.GetBytes(epoch));
        }
    }

    // The date stands after the time. Null for what is no date.
    private static long? Seconds(uint dos)
    {
        int year = (int)(dos >> 25) + 1980, month = (int)(dos >> 21) & 15, day = (int)(dos >> 16) & 31;
        int hour = (int)(dos >> 11) & 31, minute = (int)(dos >> 5) & 63, second = ((int)dos & 31) * 2;
        bool isDate = month is >= 1 and <= 12 && day >= 1 && day <= DateTime.DaysInMonth(year, month)
            && hour < 24 && minute < 60 && second < 60;
        return isDate ? new DateTimeOffset(year, month, day, hour, minute, second, TimeSpan.Zero).ToUnixTimeSeconds() : null;
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
