using System.Globalization;
using System.Text;
using Ingot.Oci.Layers;

namespace Ingot.Builds.Normalisation.Formats;

/// <summary>Times, inodes and devices in an archive that is not compressed, as the kernel unpacks it
/// (<see href="https://docs.kernel.org/driver-api/early-userspace/buffer-format.html">initramfs buffer format</see>).</summary>
internal static class CpioTimes
{
    private const int HeaderBytes = 110;
    private const int FieldBytes = 8;
    private const int MaxMembers = 1_000_000;
    private const int MaxNameBytes = 4096;

    private const int Inode = 6;
    private const int Time = 46;
    private const int Size = 54;
    private const int DeviceMajor = 62;
    private const int DeviceMinor = 70;
    private const int NameSize = 94;

    /// <summary>What to change so that no member has a time of the step, and inodes are numbered in the order in which they come. Nothing
    /// for what is no whole archive, or has no time of the step, and where it would be more than is held in memory; what follows its end
    /// is not looked at.</summary>
    public static IReadOnlyList<ContentPatch> Find(LayerContent content, StepTimes times) => Find(content, times, BoundedPatches.MaxBytes);

    internal static IReadOnlyList<ContentPatch> Find(LayerContent content, StepTimes times, long maxBytes)
    {
        var patches = new BoundedPatches(maxBytes);
        // Names of one file have one number; whose it was is forgotten.
        var inodes = new Dictionary<(uint, uint, uint), uint>();
        byte[] header = new byte[HeaderBytes];
        long at = 0;
        bool isOfStep = false;
        for (int members = 0; members < MaxMembers; members++)
        {
            if (content.ReadAt(at, header) != HeaderBytes
                || !(header.AsSpan().StartsWith("070701"u8) || header.AsSpan().StartsWith("070702"u8))
                || Fields(header) is not { } fields)
                return [];
            if (IsEnd(content, at, fields.Name))
                return isOfStep ? patches.All : [];

            if (!inodes.TryGetValue(fields.File, out uint number))
                inodes[fields.File] = number = (uint)inodes.Count + 1;
            bool isLate = times.IsOfStep(fields.Time);
            isOfStep |= isLate;
            Add(patches, header, at, (Inode, number), (Time, isLate ? times.Epoch : fields.Time), (DeviceMajor, 0u), (DeviceMinor, 0u));
            if (patches.IsFull)
                return [];
            at = Aligned(Aligned(at + HeaderBytes + fields.Name) + fields.Size);
        }

        return [];
    }

    private static void Add(BoundedPatches patches, byte[] header, long at, params ReadOnlySpan<(int Offset, uint Value)> fields)
    {
        foreach (var (offset, value) in fields)
        {
            if (Number(header, offset) != value)
                patches.Add(at + offset, Encoding.ASCII.GetBytes($"{value:X8}"));
        }
    }

    private static ((uint, uint, uint) File, uint Time, uint Size, uint Name)? Fields(byte[] header) =>
        Number(header, Inode) is { } inode && Number(header, Time) is { } time && Number(header, Size) is { } size
        && Number(header, DeviceMajor) is { } major
        && Number(header, DeviceMinor) is { } minor
        && Number(header, NameSize) is { } name and <= MaxNameBytes
            ? ((inode, major, minor), time, size, name)
            : null;

    private static bool IsEnd(LayerContent content, long at, uint length)
    {
        byte[] name = new byte[length];
        return content.ReadAt(at + HeaderBytes, name) == length && name.AsSpan().SequenceEqual("TRAILER!!!\0"u8);
    }

    private static long Aligned(long at) => (at + 3) / 4 * 4;

    private static uint? Number(byte[] header, int offset) =>
        uint.TryParse(Encoding.ASCII.GetString(header, offset, FieldBytes), NumberStyles.AllowHexSpecifier,
            CultureInfo.InvariantCulture, out uint number)
            ? number
            : null;
}
