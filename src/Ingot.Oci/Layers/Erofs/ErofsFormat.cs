using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;
using Ingot.Oci.Tar;

namespace Ingot.Oci.Layers.Erofs;

/// <summary>The records of the format (<see href="https://docs.kernel.org/filesystems/erofs.html">EROFS</see>, the kernel's
/// <c>fs/erofs/erofs_fs.h</c>) as bytes, little-endian throughout.</summary>
internal static class ErofsFormat
{
    // As archives have it: so every content in one begins at a block.
    public const int BlockBits = 9;
    public const int BlockBytes = 1 << BlockBits;

    /// <summary>Positions of inodes are counted in these.</summary>
    public const int SlotBytes = 32;

    public const int SuperblockPosition = 1024;
    public const int SuperblockBytes = 128;
    public const int DeviceBytes = 128;
    public const int DevicesPosition = SuperblockPosition + SuperblockBytes;
    public const int MaxDevices = 1000;

    public const int InodeBytes = 64;
    public const int DirectoryEntryBytes = 12;
    public const int ChunkIndexBytes = 8;
    public const int MaxChunkBits = BlockBits + 31;

    public const int TypeMask = 0xF000;
    public const int DirectoryType = 0x4000;
    public const int CharacterDeviceType = 0x2000;
    private const int FileType = 0x8000;
    private const int SymbolicLinkType = 0xA000;
    private const int BlockDeviceType = 0x6000;
    private const int FifoType = 0x1000;

    private const uint Magic = 0xE0F5E1E2;
    private const int ChecksumPosition = SuperblockPosition + 4;
    private const int UuidPosition = SuperblockPosition + 48;
    private const int UuidBytes = 16;
    private const uint HasChecksumAndTimes = 0x3;
    private const uint HasChunksAndDevices = 0xC;

    // Of an inode's first field: bit 0 says that it has 64 bytes, and then comes the layout of its content.
    private const int Extended = 1;
    private const int LayoutPlain = 0 << 1;
    private const int LayoutInline = 2 << 1;
    private const int LayoutChunks = 4 << 1;
    private const int ChunkIndexes = 0x20;

    /// <summary>The bits that stand for a type in a mode.</summary>
    public static int TypeOf(TarEntryType type) => type switch
    {
        TarEntryType.Directory => DirectoryType,
        TarEntryType.SymbolicLink => SymbolicLinkType,
        TarEntryType.CharacterDevice => CharacterDeviceType,
        TarEntryType.BlockDevice => BlockDeviceType,
        TarEntryType.Fifo => FifoType,
        _ => FileType,
    };

    public static bool IsFile(ErofsNode node) => node.Type == FileType;

    public static bool IsSymbolicLink(ErofsNode node) => node.Type == SymbolicLinkType;

    /// <summary>The smallest chunk that holds a whole file, as a power of two of bytes: one index a file,
    /// but for those beyond a tebibyte.</summary>
    public static int ChunkBits(long size) => Math.Clamp(64 - BitOperations.LeadingZeroCount((ulong)(size - 1)), BlockBits, MaxChunkBits);

    /// <summary>How many chunk indexes a file has.</summary>
    public static long Chunks(long size) => size == 0 ? 0 : ((size - 1) >> ChunkBits(size)) + 1;

    public static void WriteInode(Span<byte> at, ErofsNode node, int number)
    {
        int layout = node.IsInline ? LayoutInline : IsFile(node) && node.Size > 0 ? LayoutChunks : LayoutPlain;
        BinaryPrimitives.WriteUInt16LittleEndian(at, (ushort)(Extended | layout));
        BinaryPrimitives.WriteUInt16LittleEndian(at[2..], ErofsAttributes.Count(node.Attributes));
        BinaryPrimitives.WriteUInt16LittleEndian(at[4..], (ushort)node.Mode);
        BinaryPrimitives.WriteInt64LittleEndian(at[8..], node.Size);
        BinaryPrimitives.WriteUInt32LittleEndian(at[16..], Content(node, layout));
        BinaryPrimitives.WriteInt32LittleEndian(at[20..], number);
        BinaryPrimitives.WriteUInt32LittleEndian(at[24..], (uint)node.UserId);
        BinaryPrimitives.WriteUInt32LittleEndian(at[28..], (uint)node.GroupId);
        long seconds = node.ModifiedTime.ToUnixTimeSeconds();
        BinaryPrimitives.WriteInt64LittleEndian(at[32..], seconds);
        BinaryPrimitives.WriteInt32LittleEndian(at[40..], (int)(node.ModifiedTime.UtcTicks % TimeSpan.TicksPerSecond) * 100);
        BinaryPrimitives.WriteInt32LittleEndian(at[44..], node.Links);
    }

    private static uint Content(ErofsNode node, int layout) =>
        layout == LayoutChunks ? (uint)(ChunkIndexes | (ChunkBits(node.Size) - BlockBits))
        : node.IsDirectory || IsSymbolicLink(node) ? (uint)(node.DataPosition >> BlockBits)
        : node.Device;

    public static void WriteChunkIndexes(Span<byte> at, long size, ErofsPlace place)
    {
        int bits = ChunkBits(size);
        for (long chunk = 0; chunk < Chunks(size); chunk++)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(at[2..], (ushort)place.Device);
            BinaryPrimitives.WriteUInt32LittleEndian(at[4..], (uint)((place.Offset + (chunk << bits)) >> BlockBits));
            at = at[ChunkIndexBytes..];
        }
    }

    public static void WriteDirectoryEntry(Span<byte> at, long position, int nameOffset, int mode)
    {
        BinaryPrimitives.WriteInt64LittleEndian(at, position / SlotBytes);
        BinaryPrimitives.WriteUInt16LittleEndian(at[8..], (ushort)nameOffset);
        at[10] = DirectoryEntryType(mode & TypeMask);
    }

    // FT_REG_FILE and so on.
    private static byte DirectoryEntryType(int type) => type switch
    {
        FileType => 1,
        DirectoryType => 2,
        CharacterDeviceType => 3,
        BlockDeviceType => 4,
        FifoType => 5,
        _ => 7,
    };

    public static void WriteDevice(Span<byte> at, ErofsDevice device) =>
        BinaryPrimitives.WriteUInt32LittleEndian(at[64..], (uint)Blocks(device.Bytes));

    public static long Blocks(long bytes) => (bytes + BlockBytes - 1) >> BlockBits;

    /// <summary>Writes the superblock of an image that is otherwise done: the identity and the checksum are made from it.</summary>
    public static void WriteSuperblock(Span<byte> image, long rootPosition, long inodes, int devices)
    {
        var at = image[SuperblockPosition..];
        BinaryPrimitives.WriteUInt32LittleEndian(at, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(at[8..], HasChecksumAndTimes);
        at[12] = BlockBits;
        BinaryPrimitives.WriteUInt16LittleEndian(at[14..], (ushort)(rootPosition / SlotBytes));
        BinaryPrimitives.WriteInt64LittleEndian(at[16..], inodes);
        BinaryPrimitives.WriteUInt32LittleEndian(at[36..], (uint)(image.Length >> BlockBits));
        BinaryPrimitives.WriteUInt32LittleEndian(at[80..], HasChunksAndDevices);
        BinaryPrimitives.WriteUInt16LittleEndian(at[86..], (ushort)devices);
        BinaryPrimitives.WriteUInt16LittleEndian(at[88..], DevicesPosition / DeviceBytes);
        WriteUuid(image);
        BinaryPrimitives.WriteUInt32LittleEndian(image[ChecksumPosition..], Checksum(image.Slice(SuperblockPosition, BlockBytes)));
    }

    // Version 8 of https://www.rfc-editor.org/rfc/rfc9562: made from the content.
    private static void WriteUuid(Span<byte> image)
    {
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(image, hash);
        hash[6] = (byte)(0x80 | (hash[6] & 0xF));
        hash[8] = (byte)(0x80 | (hash[8] & 0x3F));
        hash[..UuidBytes].CopyTo(image[UuidPosition..]);
    }

    // CRC-32C of the superblock's block with the field itself zero, and not inverted at the end.
    private static uint Checksum(ReadOnlySpan<byte> block)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in block)
            crc = BitOperations.Crc32C(crc, b);
        return crc;
    }
}
