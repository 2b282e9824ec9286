using System.Buffers;
using System.Globalization;
using System.Text;

namespace Ingot.Oci.Tar;

/// <summary>Writes an archive whose bytes depend only on the entries: ustar where an entry fits,
/// else PAX with sorted keys under one fixed name.</summary>
/// <remarks>No owner names, no access or change times, no process id, no sparse files.
/// The base library's writer names its PAX headers after the process.</remarks>
public sealed class TarWriter : IAsyncDisposable
{
    private const int CopyBytes = 256 << 10;
    private const int PaxMode = 0b110_100_100;
    private const int ModeBits = 0xFFF;

    private static readonly byte[] s_paxName = "PaxHeaders/entry"u8.ToArray();
    private static readonly byte[] s_zeros = new byte[2 * TarHeader.BlockSize];

    private readonly Stream _output;
    private readonly bool _leaveOpen;
    private bool _completed;

    /// <summary>Writes to <paramref name="output"/>, which is disposed with the writer unless <paramref name="leaveOpen"/>.</summary>
    public TarWriter(Stream output, bool leaveOpen = false)
    {
        _output = output;
        _leaveOpen = leaveOpen;
    }

    /// <summary>Bytes written so far: after an entry's header, where its content begins.</summary>
    public long Position { get; private set; }

    /// <summary>Writes an entry. <paramref name="content"/> must give exactly <see cref="TarEntry.Size"/> bytes, and may be null when that
    /// is 0; it stays open.</summary>
    public async Task WriteAsync(TarEntry entry, Stream? content, CancellationToken cancellationToken = default)
    {
        await WriteHeaderAsync(entry, cancellationToken).ConfigureAwait(false);
        await WriteContentAsync(entry, content, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Writes an entry without content.</summary>
    public Task WriteAsync(TarEntry entry, CancellationToken cancellationToken = default) =>
        WriteAsync(entry, content: (Stream?)null, cancellationToken);

    /// <summary>Writes an entry whose content is in memory: exactly <see cref="TarEntry.Size"/> bytes.</summary>
    public async Task WriteAsync(TarEntry entry, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default)
    {
        if (content.Length != entry.Size)
            throw new ArgumentException($"'{entry.Path}' has {entry.Size} bytes, and {content.Length} were given", nameof(content));

        await WriteHeaderAsync(entry, cancellationToken).ConfigureAwait(false);
        await WriteBytesAsync(content, cancellationToken).ConfigureAwait(false);
        await PadAsync(entry.Size, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Writes the end mark. Nothing may be written after it; without it the archive is not one.</summary>
    public async Task CompleteAsync(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_completed, this);
        _completed = true;
        await WriteBytesAsync(s_zeros, cancellationToken).ConfigureAwait(false);
        await _output.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Disposes the output. Does not write the end mark: what was abandoned must not look complete.</summary>
    public ValueTask DisposeAsync() => _leaveOpen ? default : _output.DisposeAsync();

    /// <summary>The bytes of the mark at an archive's end.</summary>
    public const int EndBytes = 2 * TarHeader.BlockSize;

    /// <summary>The bytes of an entry: its header, its content, and what fills its last block.</summary>
    public static long EntryBytes(TarEntry entry) => HeaderBytes(entry) + entry.Size + TarHeader.Padding(entry.Size);

    /// <summary>The bytes before an entry's content.</summary>
    public static int HeaderBytes(TarEntry entry) => IsPlain(entry) ? TarHeader.BlockSize : Render(entry).Length;

    // What fits into one block for certain.
    private static bool IsPlain(TarEntry entry) =>
        entry.Path.Length < TarHeader.NameLength && System.Text.Ascii.IsValid(entry.Path) && (entry.LinkTarget is null
            || (entry.LinkTarget.Length < TarHeader.NameLength && System.Text.Ascii.IsValid(entry.LinkTarget)))
        && entry is
        {
            ExtendedAttributes: null,
            UserId: >= 0 and <= TarHeader.MaxId,
            GroupId: >= 0 and <= TarHeader.MaxId,
            Size: <= TarHeader.MaxSize,
            DeviceMajor: >= 0 and <= (int)TarHeader.MaxId,
            DeviceMinor: >= 0 and <= (int)TarHeader.MaxId,
        }
        && entry.ModifiedTime.UtcTicks % TimeSpan.TicksPerSecond == 0
        && entry.ModifiedTime.ToUnixTimeSeconds() is >= 0 and <= TarHeader.MaxSize;

    internal async Task WriteHeaderAsync(TarEntry entry, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_completed, this);
        await WriteBytesAsync(Render(entry), cancellationToken).ConfigureAwait(false);
    }

    internal async Task WriteContentAsync(TarEntry entry, Stream? content, CancellationToken cancellationToken)
    {
        if (entry.Size > 0)
            await CopyAsync(entry, content ?? throw new ArgumentNullException(nameof(content), $"'{entry.Path}' has {entry.Size} bytes"),
                cancellationToken).ConfigureAwait(false);
        await PadAsync(entry.Size, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Leaves room in a seekable output for a content that somebody else writes there.</summary>
    internal async Task SkipContentAsync(long size, CancellationToken cancellationToken)
    {
        await _output.FlushAsync(cancellationToken).ConfigureAwait(false);
        _output.Seek(size, SeekOrigin.Current);
        Position += size;
        await PadAsync(size, cancellationToken).ConfigureAwait(false);
    }

    private async Task CopyAsync(TarEntry entry, Stream content, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(entry.Size, CopyBytes));
        try
        {
            for (long left = entry.Size; left > 0;)
            {
                int read = await content.ReadAsync(buffer.AsMemory(0, (int)Math.Min(left, buffer.Length)),
                    cancellationToken).ConfigureAwait(false);
                if (read == 0)
                    throw new IOException($"'{entry.Path}' ended {left} bytes before its {entry.Size}: it changed while it was read");

                await WriteBytesAsync(buffer.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
                left -= read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private Task PadAsync(long size, CancellationToken cancellationToken) =>
        WriteBytesAsync(s_zeros.AsMemory(0, TarHeader.Padding(size)), cancellationToken);

    private async Task WriteBytesAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await _output.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
        Position += bytes.Length;
    }

    private static byte[] Render(TarEntry entry)
    {
        Check(entry);
        var pax = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        byte[] block = RenderBlock(entry, pax);
        if (pax.Count == 0)
            return block;

        byte[] records = PaxRecords.Write(pax);
        byte[] bytes = new byte[(2 * TarHeader.BlockSize) + records.Length + TarHeader.Padding(records.Length)];
        RenderPaxBlock(bytes.AsSpan(0, TarHeader.BlockSize), records.Length);
        records.CopyTo(bytes, TarHeader.BlockSize);
        block.CopyTo(bytes, bytes.Length - TarHeader.BlockSize);
        return bytes;
    }

    private static void Check(TarEntry entry)
    {
        if (entry.Size < 0 || (entry.Size > 0 && entry.Type != TarEntryType.File))
            throw new ArgumentException($"'{entry.Path}' cannot have {entry.Size} bytes: it is a {entry.Type}", nameof(entry));
        if ((entry.Mode & ~ModeBits) != 0)
            throw new ArgumentException(
                $"'{entry.Path}' has the mode {Convert.ToString(entry.Mode, 8)}: a mode has 12 bits", nameof(entry));
        if (TarPath.Normalise(entry.Path) != entry.Path)
            throw new ArgumentException(
                $"'{entry.Path}' is not a path below the root: leave out the leading and trailing slash, '.' and '..'", nameof(entry));
        if (entry.Type is TarEntryType.HardLink or TarEntryType.SymbolicLink && string.IsNullOrEmpty(entry.LinkTarget))
            throw new ArgumentException($"the link '{entry.Path}' has no target", nameof(entry));
        if (entry.UserId < 0 || entry.GroupId < 0)
            throw new ArgumentException($"'{entry.Path}' has the owner {entry.UserId}:{entry.GroupId}: numbers begin at 0", nameof(entry));
    }

    private static byte[] RenderBlock(TarEntry entry, SortedDictionary<string, byte[]> pax)
    {
        byte[] block = new byte[TarHeader.BlockSize];
        WritePath(block, NameOf(entry), pax);
        if (entry.Type is TarEntryType.HardLink or TarEntryType.SymbolicLink)
            WriteText(block, TarHeader.LinkName, TarPath.Encode(entry.LinkTarget!), PaxRecords.LinkPath, pax);

        TarHeader.WriteOctal(block.AsSpan(TarHeader.Mode), entry.Mode);
        WriteNumber(block, TarHeader.UserId, entry.UserId, TarHeader.MaxId, PaxRecords.UserId, pax);
        WriteNumber(block, TarHeader.GroupId, entry.GroupId, TarHeader.MaxId, PaxRecords.GroupId, pax);
        WriteNumber(block, TarHeader.Size, entry.Size, TarHeader.MaxSize, PaxRecords.Size, pax);
        WriteTime(block, entry.ModifiedTime, pax);
        block[TarHeader.Type] = TypeOf(entry.Type);
        TarHeader.UstarMagic.CopyTo(block.AsSpan(TarHeader.Magic));
        WriteNumber(block, TarHeader.DeviceMajor, entry.DeviceMajor, TarHeader.MaxId, PaxRecords.DeviceMajor, pax);
        WriteNumber(block, TarHeader.DeviceMinor, entry.DeviceMinor, TarHeader.MaxId, PaxRecords.DeviceMinor, pax);
        AddExtendedAttributes(entry, pax);
        TarHeader.WriteChecksum(block);
        return block;
    }

    private static void RenderPaxBlock(Span<byte> block, int size)
    {
        s_paxName.CopyTo(block[TarHeader.Name]);
        TarHeader.WriteOctal(block[TarHeader.Mode], PaxMode);
        TarHeader.WriteOctal(block[TarHeader.UserId], 0);
        TarHeader.WriteOctal(block[TarHeader.GroupId], 0);
        TarHeader.WriteOctal(block[TarHeader.Size], size);
        TarHeader.WriteOctal(block[TarHeader.ModifiedTime], 0);
        block[TarHeader.Type] = TarHeader.PaxType;
        TarHeader.UstarMagic.CopyTo(block[TarHeader.Magic]);
        TarHeader.WriteOctal(block[TarHeader.DeviceMajor], 0);
        TarHeader.WriteOctal(block[TarHeader.DeviceMinor], 0);
        TarHeader.WriteChecksum(block);
    }

    private static byte[] NameOf(TarEntry entry)
    {
        string slash = entry.Type == TarEntryType.Directory ? "/" : "";
        return entry.Path.Length == 0 ? "./"u8.ToArray() : TarPath.Encode(entry.Path + slash);
    }

    // A long path is cut at a slash that leaves at most 100 bytes after it and 155 before, the first such one.
    private static void WritePath(byte[] block, byte[] name, SortedDictionary<string, byte[]> pax)
    {
        int cut = name.Length <= TarHeader.NameLength ? -1 : FindCut(name);
        if (cut < 0)
        {
            WriteText(block, TarHeader.Name, name, PaxRecords.Path, pax);
            return;
        }

        name.AsSpan(0, cut).CopyTo(block.AsSpan(TarHeader.Prefix));
        name.AsSpan(cut + 1).CopyTo(block.AsSpan(TarHeader.Name));
    }

    private static int FindCut(byte[] name)
    {
        // A directory's own trailing slash is no place to cut: nothing would be left.
        int first = Math.Max(1, name.Length - 1 - TarHeader.NameLength);
        int last = Math.Min(TarHeader.PrefixLength, name.Length - 2);
        int found = first > last ? -1 : name.AsSpan(first..(last + 1)).IndexOf((byte)'/');
        return found < 0 ? -1 : first + found;
    }

    private static void WriteText(byte[] block, Range field, byte[] text, string paxKey, SortedDictionary<string, byte[]> pax)
    {
        var space = block.AsSpan(field);
        if (text.AsSpan().Contains((byte)0))
            throw new ArgumentException($"'{TarPath.Decode(text)}' cannot be a file name: it contains a NUL");
        if (text.Length > space.Length)
            pax[paxKey] = text;
        text.AsSpan(0, Math.Min(text.Length, space.Length)).CopyTo(space);
    }

    private static void WriteNumber(byte[] block, Range field, long value, long max, string paxKey, SortedDictionary<string, byte[]> pax)
    {
        if (value > max)
            pax[paxKey] = Encoding.ASCII.GetBytes(value.ToString(CultureInfo.InvariantCulture));
        TarHeader.WriteOctal(block.AsSpan(field), value > max ? 0 : value);
    }

    private static void WriteTime(byte[] block, DateTimeOffset time, SortedDictionary<string, byte[]> pax)
    {
        long seconds = time.ToUnixTimeSeconds();
        bool fits = seconds is >= 0 and <= TarHeader.MaxSize;
        if (!fits || time.UtcTicks % TimeSpan.TicksPerSecond != 0)
            pax[PaxRecords.ModifiedTime] = PaxRecords.FormatTime(time);
        TarHeader.WriteOctal(block.AsSpan(TarHeader.ModifiedTime), fits ? seconds : 0);
    }

    private static void AddExtendedAttributes(TarEntry entry, SortedDictionary<string, byte[]> pax)
    {
        foreach (var (name, value) in entry.ExtendedAttributes ?? [])
        {
            if (name.Contains('='))
                throw new ArgumentException(
                    $"the extended attribute '{name}' of '{entry.Path}' cannot be written: its name contains '='", nameof(entry));
            pax[PaxRecords.ExtendedAttribute + name] = value;
        }
    }

    private static byte TypeOf(TarEntryType type) => type switch
    {
        TarEntryType.File => (byte)'0',
        TarEntryType.HardLink => (byte)'1',
        TarEntryType.SymbolicLink => (byte)'2',
        TarEntryType.CharacterDevice => (byte)'3',
        TarEntryType.BlockDevice => (byte)'4',
        TarEntryType.Directory => (byte)'5',
        TarEntryType.Fifo => (byte)'6',
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not a type of entry"),
    };
}
