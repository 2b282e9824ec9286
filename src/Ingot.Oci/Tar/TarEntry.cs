namespace Ingot.Oci.Tar;

/// <summary>What kind of file an entry is.</summary>
public enum TarEntryType
{
    /// <summary>A regular file.</summary>
    File,

    /// <summary>Another name of a file that came before.</summary>
    HardLink,

    /// <summary>A symbolic link.</summary>
    SymbolicLink,

    /// <summary>A character device.</summary>
    CharacterDevice,

    /// <summary>A block device.</summary>
    BlockDevice,

    /// <summary>A directory.</summary>
    Directory,

    /// <summary>A named pipe.</summary>
    Fifo,
}

/// <summary>One file in an archive: everything but its content.</summary>
public sealed record TarEntry
{
    /// <summary>The path below the root, without leading or trailing slash, without <c>.</c> and <c>..</c>; empty for the root itself. See
    /// <see cref="TarPath"/> for bytes that are not text.</summary>
    public required string Path { get; init; }

    /// <summary>What kind of file it is.</summary>
    public required TarEntryType Type { get; init; }

    /// <summary>The permissions and the set-id and sticky bits: 12 bits.</summary>
    public int Mode { get; init; }

    /// <summary>The owner's number. Names are neither written nor read: they mean nothing on another machine.</summary>
    public long UserId { get; init; }

    /// <summary>The group's number.</summary>
    public long GroupId { get; init; }

    /// <summary>The bytes of content; 0 for everything but a <see cref="TarEntryType.File"/>.</summary>
    public long Size { get; init; }

    /// <summary>When the content last changed, to 100 nanoseconds.</summary>
    public DateTimeOffset ModifiedTime { get; init; } = DateTimeOffset.UnixEpoch;

    /// <summary>For a symbolic link its text; for a hard link the path of the file below the root; else null.</summary>
    public string? LinkTarget { get; init; }

    /// <summary>A device's major number.</summary>
    public int DeviceMajor { get; init; }

    /// <summary>A device's minor number.</summary>
    public int DeviceMinor { get; init; }

    /// <summary>Extended attributes by full name, such as <c>security.capability</c>; null when there is none.</summary>
    public SortedDictionary<string, byte[]>? ExtendedAttributes { get; init; }
}
