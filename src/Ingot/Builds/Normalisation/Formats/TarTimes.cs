using System.Text;
using Ingot.Oci.Layers;

namespace Ingot.Builds.Normalisation.Formats;

/// <summary>Times of the members of a tar file with plain headers (<see href="https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_06">ustar</see>).</summary>
internal static class TarTimes
{
    private const int BlockBytes = 512;
    private const int SizeOffset = 124;
    private const int TimeOffset = 136;
    private const int ChecksumOffset = 148;
    private const int MaxMembers = 1_000_000;

    /// <summary>What to change so that no member is later than <paramref name="epoch"/>. Nothing for what is no whole tar file.</summary>
    public static IReadOnlyList<ContentPatch> Find(LayerContent content, uint epoch)
    {
        var patches = new List<ContentPatch>();
        byte[] block = new byte[BlockBytes];
        long at = 0;
        for (int members = 0; members < MaxMembers && content.ReadAt(at, block) == BlockBytes; members++)
        {
            if (!block.AsSpan().ContainsAnyExcept((byte)0))
                return patches;
            if (Octal(block.AsSpan(SizeOffset, 12)) is not { } size || Octal(block.AsSpan(TimeOffset, 12)) is not { } time || Octal(block.AsSpan(ChecksumOffset, 8)) != Checksum(block))
                return [];

            if (time > epoch)
                Add(patches, block, at, epoch);
            at += BlockBytes + ((size + BlockBytes - 1) / BlockBytes * BlockBytes);
        }

        return at == content.Length ? patches : [];
    }

    private static void Add(List<ContentPatch> patches, byte[] block, long at, uint epoch)
    {
        byte[] time = Encoding.ASCII.GetBytes(Convert.ToString(epoch, 8).PadLeft(11, '0') + "\0");
        time.CopyTo(block, TimeOffset);
        patches.Add(new ContentPatch(at + TimeOffset, time));
        patches.Add(new ContentPatch(at + ChecksumOffset, Encoding.ASCII.GetBytes(Convert.ToString(Checksum(block), 8).PadLeft(6, '0') + "\0 ")));
    }

    private static long Checksum(byte[] block)
    {
        long sum = 8 * ' ';
        for (int i = 0; i < BlockBytes; i++)
            sum += i is >= ChecksumOffset and < ChecksumOffset + 8 ? 0 : block[i];
        return sum;
    }

    private static long? Octal(ReadOnlySpan<byte> field)
    {
        string text = Encoding.ASCII.GetString(field).Trim('\0', ' ');
        return text.Length is > 0 and <= 12 && text.All(c => c is >= '0' and <= '7') ? Convert.ToInt64(text, 8) : null;
    }
}
