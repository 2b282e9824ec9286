using System.Runtime.InteropServices;

namespace Ingot.Oci.Linux;

/// <summary>What the kernel says of a file: <c>struct statx</c>, which has one layout on every processor
/// (<see href="https://man7.org/linux/man-pages/man2/statx.2.html">statx</see>).</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
public readonly struct StatX
{
    [FieldOffset(16)]
    private readonly uint _links;

    [FieldOffset(20)]
    private readonly uint _user;

    [FieldOffset(24)]
    private readonly uint _group;

    [FieldOffset(28)]
    private readonly ushort _mode;

    [FieldOffset(32)]
    private readonly ulong _inode;

    [FieldOffset(40)]
    private readonly ulong _size;

    [FieldOffset(48)]
    private readonly ulong _blocks;

    [FieldOffset(96)]
    private readonly StatXTime _changed;

    [FieldOffset(112)]
    private readonly StatXTime _modified;

    [FieldOffset(128)]
    private readonly uint _fileDeviceMajor;

    [FieldOffset(132)]
    private readonly uint _fileDeviceMinor;

    [FieldOffset(136)]
    private readonly uint _deviceMajor;

    [FieldOffset(140)]
    private readonly uint _deviceMinor;

    /// <summary>How many names it has.</summary>
    public uint Links => _links;

    /// <summary>The owner's number.</summary>
    public uint UserId => _user;

    /// <summary>The group's number.</summary>
    public uint GroupId => _group;

    /// <summary>Its type and permissions.</summary>
    public int TypeAndMode => _mode;

    /// <summary>One of the <c>S_IF…</c> of <see cref="Kernel"/>.</summary>
    public int Type => _mode & Kernel.S_IFMT;

    /// <summary>The permissions and the set-id and sticky bits.</summary>
    public int Mode => _mode & 0xFFF;

    /// <summary>Its number on its filesystem.</summary>
    public ulong Inode => _inode;

    /// <summary>In bytes.</summary>
    public long Size => (long)_size;

    /// <summary>What it takes on its filesystem, in bytes.</summary>
    public long AllocatedBytes => (long)_blocks * 512;

    /// <summary>When anything of it was last changed.</summary>
    public StatXTime Changed => _changed;

    /// <summary>When its content was last changed, or was said to be.</summary>
    public StatXTime Modified => _modified;

    /// <summary>Which device a device file stands for.</summary>
    public (int Major, int Minor) FileDevice => ((int)_fileDeviceMajor, (int)_fileDeviceMinor);

    /// <summary>The filesystem it is on.</summary>
    public ulong Device => ((ulong)_deviceMinor << 32) | _deviceMajor;
}

/// <summary>A time of the kernel.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
public readonly struct StatXTime
{
    [FieldOffset(0)]
    private readonly long _seconds;

    [FieldOffset(8)]
    private readonly uint _nanoseconds;

    /// <summary>Since 1970.</summary>
    public long Seconds => _seconds;

    /// <summary>Of the second.</summary>
    public uint Nanoseconds => _nanoseconds;

    /// <summary>Since 1970, in nanoseconds.</summary>
    public long TotalNanoseconds => (_seconds * 1_000_000_000) + _nanoseconds;
}
