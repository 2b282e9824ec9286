using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Ingot.Oci.Tests.Layers.Erofs;

/// <summary>A file of an image, with the names that lead to it. Text is Latin-1: a character is a byte.</summary>
internal sealed class ErofsFile
{
    public required long Position { get; init; }
    public required int TypeAndMode { get; init; }
    public required int Layout { get; init; }
    public required long Size { get; init; }
    public required uint Union { get; init; }
    public required uint UserId { get; init; }
    public required uint GroupId { get; init; }
    public required long Seconds { get; init; }
    public required int Nanoseconds { get; init; }
    public required int Links { get; init; }
    public required long Behind { get; init; }
    public required IReadOnlyDictionary<string, byte[]> Attributes { get; init; }

    public List<string> Paths { get; } = [];
    public string Text { get; set; } = "";

    /// <summary>For a file: device, first block and bytes of each piece.</summary>
    public List<(int Device, long Block, long Bytes)> Pieces { get; } = [];

    public char Type => (TypeAndMode >> 12) switch { 1 => 'p', 2 => 'c', 4 => 'd', 6 => 'b', 8 => 'f', 10 => 'l', _ => '?' };
    public int Mode => TypeAndMode & 0xFFF;
}

/// <summary>Reads an image as strictly as the format can be read: whatever is not as documented fails the test.
/// Knows nothing of the writer.</summary>
internal sealed class ErofsReader
{
    private const int Block = 512;
    private static readonly string[] s_prefixes = ["", "user.", "", "", "trusted.", "", "security."];

    private readonly byte[] _image;
    private readonly Dictionary<long, ErofsFile> _inodes = [];
    private readonly List<(long Start, long End)> _used = [(0, 1152)];
    private readonly long[] _devices;

    private ErofsReader(byte[] image)
    {
        _image = image;
        Assert.Equal(0xE0F5E1E2, U32(1024));
        Assert.Equal(Checksum(image.AsSpan(1024, Block)), U32(1028));
        Assert.Equal(9, image[1024 + 12]);
        Assert.Equal(0xCu, U32(1024 + 80));
        Assert.Equal(image.Length, (int)U32(1024 + 36) * Block);
        Assert.Equal(0, image.Length % 4096);
        Assert.Equal(9, U16(1024 + 88));
        _devices = [.. Enumerable.Range(0, U16(1024 + 86)).Select(i => (long)U32(1152 + (128 * i) + 64))];
        _used.Add((1152, 1152 + (128 * _devices.Length)));
        Uuid = image[1072..1088];

        int root = U16(1024 + 14) * 32;
        ReadTree(root);
        Assert.Equal(_inodes.Count, (long)U64(1024 + 16));
        CheckLinks();
        CheckOverlaps();
    }

    public byte[] Uuid { get; }

    public IEnumerable<ErofsFile> Files => _inodes.Values;

    public ErofsFile this[string path] => _inodes.Values.Single(file => file.Paths.Contains(path));

    public static ErofsReader Read(byte[] image) => new(image);

    /// <summary>The content of a file, from the devices' bytes.</summary>
    public byte[] Content(string path, params byte[][] devices) =>
        [.. this[path].Pieces
            .SelectMany(piece => devices[piece.Device - 1][(int)(piece.Block * Block)..(int)((piece.Block * Block) + piece.Bytes)])];

    /// <summary>Every file as <c>LinuxTree</c> lists an unpacked one.</summary>
    public string List()
    {
        var names = _inodes.Values.SelectMany(file => file.Paths.Select(path => (path, file))).Where(pair => pair.path.Length > 0);
        var numbers = new Dictionary<ErofsFile, int>();
        // find puts a tab behind the path, and lines are sorted with it.
        return string.Join('\n',
            names.OrderBy(pair => pair.path + "\t", StringComparer.Ordinal).Select(pair => Describe(pair.path, pair.file, numbers)));
    }

    private static string Describe(string path, ErofsFile file, Dictionary<ErofsFile, int> numbers)
    {
        string size = file.Type == 'f' ? $" {file.Size}" : "", link = file.Type == 'l' ? " -> " + file.Text : "";
        string device = file.Type is 'c' or 'b'
            ? string.Create(CultureInfo.InvariantCulture,
                $" {(file.Union >> 8) & 0xFFF:x},{(file.Union & 0xFF) | ((file.Union >> 12) & 0xFFF00):x}")
            : "";
        string opaque = file.Attributes.ContainsKey("trusted.overlay.opaque") ? " opaque" : "",
            capability = file.Attributes.ContainsKey("security.capability") ? " capability" : "";
        string shared = "";
        if (file.Type != 'd' && file.Links > 1)
        {
            if (!numbers.TryGetValue(file, out int number))
                numbers[file] = number = numbers.Count + 1;
            shared = $" #{number}";
        }

        return $"{path} {file.Type} {Convert.ToString(file.Mode, 8)} {file.UserId}:{file.GroupId}{size} "
            + $"{file.Seconds}{link}{device}{opaque}{capability}{shared}";
    }

    // Not recursive: trees may be deep.
    private void ReadTree(long root)
    {
        var open = new Queue<(ErofsFile Directory, long Parent, string Path)>();
        open.Enqueue((ReadInode(root), root, ""));
        _inodes[root].Paths.Add("");
        while (open.TryDequeue(out var at))
        {
            foreach (var (name, position, type) in ReadDirectory(at.Directory, at.Parent))
            {
                string path = at.Path.Length == 0 ? name : $"{at.Path}/{name}";
                bool isKnown = _inodes.TryGetValue(position, out var file);
                file ??= ReadInode(position);
                Assert.Equal("?fdcbp?l"[type], file.Type);
                Assert.False(isKnown && file.Type == 'd', $"'{path}' is a second name of a directory");
                file.Paths.Add(path);
                if (file.Type == 'd')
                    open.Enqueue((file, at.Directory.Position, path));
            }
        }
    }

    private ErofsFile ReadInode(long position)
    {
        Assert.Equal(0, position % 32);
        int format = U16(position), count = U16(position + 2);
        Assert.Equal(1, format & 1);
        long attributes = count == 0 ? 0 : 12 + ((count - 1) * 4);
        var file = _inodes[position] = new ErofsFile
        {
            Position = position,
            Layout = format >> 1,
            TypeAndMode = U16(position + 4),
            Size = (long)U64(position + 8),
            Union = U32(position + 16),
            UserId = U32(position + 24),
            GroupId = U32(position + 28),
            Seconds = (long)U64(position + 32),
            Nanoseconds = (int)U32(position + 40),
            Links = (int)U32(position + 44),
            Attributes = ReadAttributes(position + 64, attributes),
            Behind = position + 64 + attributes,
        };
        Assert.InRange(file.Nanoseconds, 0, 999_999_999);
        _used.Add((position, file.Behind));
        ReadContent(file);
        return file;
    }

    private void ReadContent(ErofsFile file)
    {
        if (file.Type is 'f')
            ReadPieces(file);
        else if (file.Type is 'l')
            file.Text = Encoding.Latin1.GetString(Content(file));
        else if (file.Type is not 'd')
            Assert.Equal((0, 0L), (file.Layout, file.Size));
    }

    private void ReadPieces(ErofsFile file)
    {
        if (file.Size == 0)
        {
            Assert.Equal(0, file.Layout);
            return;
        }

        Assert.Equal(4, file.Layout);
        Assert.Equal(0x20u, file.Union & 0xFFFFFFE0);
        long chunk = 1L << (9 + (int)(file.Union & 0x1F)), at = (file.Behind + 7) & -8L, left = file.Size;
        for (; left > 0; left -= chunk, at += 8)
        {
            var piece = (Device: U16(at + 2), Block: (long)U32(at + 4), Bytes: Math.Min(left, chunk));
            Assert.InRange(piece.Device, 1, _devices.Length);
            Assert.InRange(piece.Block + ((piece.Bytes + Block - 1) / Block), 0, _devices[piece.Device - 1]);
            file.Pieces.Add(piece);
            _used.Add((at, at + 8));
        }
    }

    private byte[] Content(ErofsFile file)
    {
        Assert.True(file.Layout is 0 or 2);
        long start = file.Layout == 2 ? file.Behind : file.Union * (long)Block;
        if (file.Layout == 2)
            Assert.True(start / Block == (start + file.Size - 1) / Block, "content behind an inode must not cross a block");
        _used.Add((start, start + file.Size));
        return _image[(int)start..(int)(start + file.Size)];
    }

    private List<(string Name, long Position, int Type)> ReadDirectory(ErofsFile directory, long parent)
    {
        byte[] content = Content(directory);
        var entries = new List<(string Name, long Position, int Type)>();
        for (int at = 0; at < content.Length; at += Block)
            ReadDirectoryBlock(content.AsSpan(at, Math.Min(Block, content.Length - at)), entries);
        for (int i = 1; i < entries.Count; i++)
            Assert.True(string.CompareOrdinal(entries[i - 1].Name, entries[i].Name) < 0,
                $"'{entries[i].Name}' is not behind '{entries[i - 1].Name}'");
        Assert.Contains((".", directory.Position, 2), entries);
        Assert.Contains(("..", parent, 2), entries);
        return entries.FindAll(entry => entry.Name is not ("." or ".."));
    }

    private static void ReadDirectoryBlock(ReadOnlySpan<byte> block, List<(string Name, long Position, int Type)> entries)
    {
        int count = BinaryPrimitives.ReadUInt16LittleEndian(block[8..]) / 12;
        Assert.InRange(count, 1, Block / 12);
        for (int i = 0; i < count; i++)
        {
            var entry = block[(12 * i)..];
            int start = BinaryPrimitives.ReadUInt16LittleEndian(entry[8..]);
            int end = i + 1 < count ? BinaryPrimitives.ReadUInt16LittleEndian(entry[20..]) : EndOfName(block, start);
            Assert.InRange(start, 12 * count, block.Length - 1);
            Assert.InRange(end - start, 1, 255);
            entries.Add((Encoding.Latin1.GetString(block[start..end]), BinaryPrimitives.ReadInt64LittleEndian(entry) * 32, entry[10]));
        }
    }

    private static int EndOfName(ReadOnlySpan<byte> block, int start)
    {
        int length = block[start..].IndexOf((byte)0);
        return length < 0 ? block.Length : start + length;
    }

    private Dictionary<string, byte[]> ReadAttributes(long at, long length)
    {
        var attributes = new Dictionary<string, byte[]>();
        if (length == 0)
            return attributes;

        Assert.Equal(0, _image[at + 4]);
        for (long entry = at + 12, end = at + length; entry < end;)
        {
            int nameLength = _image[entry], valueLength = U16(entry + 2);
            long value = entry + 4 + nameLength;
            attributes.Add(s_prefixes[_image[entry + 1]] + Encoding.Latin1.GetString(_image, (int)entry + 4, nameLength),
                _image[(int)value..(int)(value + valueLength)]);
            entry = at + ((value + valueLength - at + 3) & -4L);
            Assert.InRange(entry, at, end);
        }

        return attributes;
    }

    private void CheckLinks()
    {
        foreach (var file in Files.Where(file => file.Type != 'd'))
            Assert.Equal(file.Paths.Count, file.Links);
        var directories = Files.Where(file => file.Type == 'd').SelectMany(file => file.Paths).Where(path => path.Length > 0)
            .CountBy(path => path.LastIndexOf('/') is var slash && slash < 0 ? "" : path[..slash]).ToDictionary();
        foreach (var file in Files.Where(file => file.Type == 'd'))
            Assert.Equal(2 + directories.GetValueOrDefault(file.Paths[0]), file.Links);
    }

    private void CheckOverlaps()
    {
        long end = 0;
        foreach (var used in _used.Order())
        {
            Assert.True(used.Start >= end, $"two things lie at {used.Start}");
            // What nothing claims is zero: equal layers give equal bytes.
            Assert.False(_image.AsSpan((int)end..(int)used.Start).ContainsAnyExcept((byte)0));
            end = used.End;
        }

        Assert.InRange(end, 0, _image.Length);
    }

    private int U16(long at) => BinaryPrimitives.ReadUInt16LittleEndian(_image.AsSpan((int)at));

    private uint U32(long at) => BinaryPrimitives.ReadUInt32LittleEndian(_image.AsSpan((int)at));

    private ulong U64(long at) => BinaryPrimitives.ReadUInt64LittleEndian(_image.AsSpan((int)at));

    // CRC-32C, bit by bit, of the block with the checksum zero.
    private static uint Checksum(ReadOnlySpan<byte> block)
    {
        byte[] copy = block.ToArray();
        copy.AsSpan(4, 4).Clear();
        uint crc = uint.MaxValue;
        foreach (byte b in copy)
        {
            crc ^= b;
            for (int i = 0; i < 8; i++)
                crc = (crc >> 1) ^ (0x82F63B78 & (0 - (crc & 1)));
        }

        return crc;
    }
}
