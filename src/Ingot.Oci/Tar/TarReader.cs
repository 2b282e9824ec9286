namespace Ingot.Oci.Tar;

/// <summary>Reads an archive from start to end: ustar, PAX, GNU long names and base-256 numbers. What is malformed, or read differently by
/// different programs, throws <see cref="TarFormatException"/>.</summary>
public sealed class TarReader : IDisposable
{
    private const int BufferBytes = 64 << 10;

    // No file system holds more in one file; sums with padding stay far from overflow.
    private const long MaxContentBytes = 1L << 60;

    private readonly Stream _input;
    private readonly bool _leaveOpen;
    private readonly TarLimits _limits;
    private readonly byte[] _buffer = new byte[BufferBytes];
    private int _start;
    private int _end;
    private long _offset;
    private long _contentLeft;
    private int _padding;
    private int _entries;
    private bool _finished;

    /// <summary>Reads from <paramref name="input"/>, which is disposed with the reader unless <paramref name="leaveOpen"/>.</summary>
    public TarReader(Stream input, TarLimits? limits = null, bool leaveOpen = false)
    {
        _input = input;
        _leaveOpen = leaveOpen;
        _limits = limits ?? TarLimits.Default;
        Content = new EntryContent(this);
    }

    /// <summary>The content of the entry that <see cref="NextAsync"/> returned last, readable once, until the next call.</summary>
    public Stream Content { get; }

    /// <summary>Where in the archive the next unread byte is: right after <see cref="NextAsync"/>,
    /// where the entry's content begins.</summary>
    public long Position => _offset;

    /// <summary>Goes to the next entry, skipping what is unread of this one's content; null after the last. The input is then read to its
    /// end, so that whatever verifies below has seen every byte.</summary>
    public async ValueTask<TarEntry?> NextAsync(CancellationToken cancellationToken = default)
    {
        if (_finished)
            return null;

        await SkipAsync(_contentLeft + _padding, cancellationToken).ConfigureAwait(false);
        _contentLeft = 0;
        _padding = 0;
        var entry = await ReadEntryAsync(cancellationToken).ConfigureAwait(false);
        if (entry is null)
        {
            _finished = true;
            await DrainAsync(cancellationToken).ConfigureAwait(false);
            return null;
        }

        if (++_entries > _limits.MaxEntries)
            throw Malformed($"it has more than {_limits.MaxEntries} entries");

        _contentLeft = entry.Size;
        _padding = TarHeader.Padding(entry.Size);
        return entry;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_leaveOpen)
            _input.Dispose();
    }

    private async ValueTask<TarEntry?> ReadEntryAsync(CancellationToken cancellationToken)
    {
        var extensions = new Extensions();
        for (int headers = 0; ; headers++)
        {
            long at = _offset;
            if (!await ReadBlockAsync(cancellationToken).ConfigureAwait(false))
                return headers == 0 ? null : throw Malformed(at, "an extended header is followed by no entry");

            var header = ParseBlock(at, Take(TarHeader.BlockSize));
            if (!IsExtension(header.Type))
                return Build(at, header, extensions);

            if (headers == _limits.MaxExtendedHeaders)
                throw Malformed(at, $"an entry may have {_limits.MaxExtendedHeaders} extended headers");
            await ReadExtensionAsync(at, header, extensions, cancellationToken).ConfigureAwait(false);
        }
    }

    // False at the end: two blocks of zeros, or no more bytes at all, which is how some writers end.
    private async ValueTask<bool> ReadBlockAsync(CancellationToken cancellationToken)
    {
        if (!await FillAsync(TarHeader.BlockSize, cancellationToken).ConfigureAwait(false))
            return false;
        if (!IsZero())
            return true;

        Take(TarHeader.BlockSize);
        if (!await FillAsync(TarHeader.BlockSize, cancellationToken).ConfigureAwait(false))
            return false;

        return IsZero() ? false : throw Malformed("a lone block of zeros is followed by something");
    }

    private bool IsZero() => _buffer.AsSpan(_start, TarHeader.BlockSize).IndexOfAnyExcept((byte)0) < 0;

    private async ValueTask ReadExtensionAsync(long at, Header header, Extensions extensions, CancellationToken cancellationToken)
    {
        if (header.Size > _limits.MaxExtendedHeaderBytes)
            throw Malformed(at, $"an extended header of {header.Size} bytes: {_limits.MaxExtendedHeaderBytes} are allowed");

        byte[] body = new byte[header.Size];
        await ReadExactlyAsync(body, cancellationToken).ConfigureAwait(false);
        await SkipAsync(TarHeader.Padding(header.Size), cancellationToken).ConfigureAwait(false);
        switch (header.Type)
        {
            case TarHeader.GnuLongNameType:
                extensions.LongName = TarHeader.Text(body).ToArray();
                break;
            case TarHeader.GnuLongLinkType:
                extensions.LongLink = TarHeader.Text(body).ToArray();
                break;
            case TarHeader.PaxType:
                // A second header replaces the first, as in Go's reader.
                extensions.Records.Clear();
                ReadRecords(at, body, extensions.Records);
                break;
            default:
                CheckGlobal(at, body);
                break;
        }
    }

    private static void ReadRecords(long at, byte[] body, Dictionary<string, byte[]> records)
    {
        if (PaxRecords.Read(body, records) is { } problem)
            throw Malformed(at, problem);
        if (records.Keys.FirstOrDefault(key => key.StartsWith(PaxRecords.GnuSparse, StringComparison.Ordinal)) is { } sparse)
            throw Malformed(at, $"'{sparse}' marks a sparse file, which an image layer may not have");
    }

    // Docker and containerd skip global headers, POSIX applies them: one that matters would show us other files than they run.
    private static void CheckGlobal(long at, byte[] body)
    {
        var records = new Dictionary<string, byte[]>();
        ReadRecords(at, body, records);
        if (records.Keys.FirstOrDefault(ChangesEntries) is { } key)
            throw Malformed(at, $"a global header sets '{key}', which programs read differently");
    }

    private static bool ChangesEntries(string key) =>
        key is PaxRecords.Path or PaxRecords.LinkPath or PaxRecords.Size or PaxRecords.UserId or PaxRecords.GroupId
            or PaxRecords.ModifiedTime
        || key.StartsWith("SCHILY.", StringComparison.Ordinal);

    private static bool IsExtension(byte type) =>
        type is TarHeader.PaxType or TarHeader.GlobalPaxType or TarHeader.GnuLongNameType or TarHeader.GnuLongLinkType;

    private static Header ParseBlock(long at, ReadOnlySpan<byte> block)
    {
        long sum = Number(at, block, TarHeader.Checksum, "checksum");
        if (sum != TarHeader.Sum(block) && sum != TarHeader.SignedSum(block))
            throw Malformed(at, "the header's checksum is wrong");

        var magic = block[TarHeader.Magic];
        bool isUstar = magic.SequenceEqual(TarHeader.UstarMagic);
        bool isStar = isUstar && block[TarHeader.StarTrailer].SequenceEqual(TarHeader.StarMark);
        bool hasDevice = magic.StartsWith("ustar"u8);
        var prefix = !isUstar ? default : TarHeader.Text(block[isStar ? TarHeader.StarPrefix : TarHeader.Prefix]);
        return new Header
        {
            Name = [.. prefix, .. prefix.IsEmpty ? default : "/"u8, .. TarHeader.Text(block[TarHeader.Name])],
            LinkName = TarHeader.Text(block[TarHeader.LinkName]).ToArray(),
            Type = block[TarHeader.Type],
            Mode = Number(at, block, TarHeader.Mode, "mode"),
            UserId = Number(at, block, TarHeader.UserId, "user id"),
            GroupId = Number(at, block, TarHeader.GroupId, "group id"),
            Size = Number(at, block, TarHeader.Size, "size"),
            ModifiedTime = Number(at, block, TarHeader.ModifiedTime, "time"),
            DeviceMajor = hasDevice ? Number(at, block, TarHeader.DeviceMajor, "device number") : 0,
            DeviceMinor = hasDevice ? Number(at, block, TarHeader.DeviceMinor, "device number") : 0,
        };
    }

    private static long Number(long at, ReadOnlySpan<byte> block, Range field, string what)
    {
        if (!TarHeader.TryReadNumber(block[field], out long value))
            throw Malformed(at, $"the {what} '{TarPath.Decode(TarHeader.Text(block[field]))}' is not a number");

        return value >= 0 || field.Equals(TarHeader.ModifiedTime) ? value : throw Malformed(at, $"the {what} is negative");
    }

    private TarEntry Build(long at, Header header, Extensions extensions)
    {
        var records = extensions.Records;
        byte[] name = extensions.LongName ?? Bytes(records, PaxRecords.Path) ?? header.Name;
        byte[] link = extensions.LongLink ?? Bytes(records, PaxRecords.LinkPath) ?? header.LinkName;
        var type = TypeOf(at, header.Type, name);
        string path = PathOf(at, name, "name");
        if (path.Length == 0 && type != TarEntryType.Directory)
            throw Malformed(at, $"the root is a {type}");

        long size = Number(at, records, PaxRecords.Size) ?? header.Size;
        if (size > MaxContentBytes)
            throw Malformed(at, $"'{path}' claims {size} bytes");

        return new TarEntry
        {
            Path = path,
            Type = type,
            // Old writers put the type's bits above the permissions.
            Mode = (int)(header.Mode & 0xFFF),
            UserId = Number(at, records, PaxRecords.UserId) ?? header.UserId,
            GroupId = Number(at, records, PaxRecords.GroupId) ?? header.GroupId,
            // The size of a link or directory is a remark: no content follows.
            Size = type == TarEntryType.File ? size : 0,
            ModifiedTime = TimeOf(at, header, records),
            LinkTarget = LinkOf(at, type, link),
            DeviceMajor = DeviceNumber(at, records, PaxRecords.DeviceMajor, header.DeviceMajor),
            DeviceMinor = DeviceNumber(at, records, PaxRecords.DeviceMinor, header.DeviceMinor),
            ExtendedAttributes = ExtendedAttributes(records),
        };
    }

    private static TarEntryType TypeOf(long at, byte type, byte[] name) => type switch
    {
        // A directory, in archives older than the type for it.
        (byte)'0' or 0 when name is [.., (byte)'/'] => TarEntryType.Directory,
        (byte)'0' or 0 or (byte)'7' => TarEntryType.File,
        (byte)'1' => TarEntryType.HardLink,
        (byte)'2' => TarEntryType.SymbolicLink,
        (byte)'3' => TarEntryType.CharacterDevice,
        (byte)'4' => TarEntryType.BlockDevice,
        (byte)'5' => TarEntryType.Directory,
        (byte)'6' => TarEntryType.Fifo,
        (byte)'S' => throw Malformed(at, "a sparse file, which an image layer may not have"),
        _ => throw Malformed(at, $"the type 0x{type:X2} is not known"),
    };

    private string PathOf(long at, byte[] bytes, string what)
    {
        if (bytes.Length > _limits.MaxNameBytes)
            throw Malformed(at, $"a {what} of {bytes.Length} bytes: {_limits.MaxNameBytes} are allowed");

        string text = TarPath.Decode(bytes);
        if (text.Length == 0)
            throw Malformed(at, $"the {what} is empty");

        return TarPath.Normalise(text)
            ?? throw Malformed(at, $"the {what} '{text.Replace("\0", "\\0", StringComparison.Ordinal)}' leads out of the archive");
    }

    private string? LinkOf(long at, TarEntryType type, byte[] link)
    {
        if (type == TarEntryType.HardLink)
            return PathOf(at, link, "hard link's target");
        if (type != TarEntryType.SymbolicLink)
            return null;

        if (link.Length == 0 || link.Length > _limits.MaxNameBytes || link.AsSpan().Contains((byte)0))
            throw Malformed(at, $"a symbolic link's target of {link.Length} bytes: 1 to {_limits.MaxNameBytes} without NUL are allowed");
        return TarPath.Decode(link);
    }

    private static DateTimeOffset TimeOf(long at, Header header, Dictionary<string, byte[]> records)
    {
        bool known = Bytes(records, PaxRecords.ModifiedTime) is { } text
            ? PaxRecords.TryReadTime(text, out var time)
            : PaxRecords.TryFromSeconds(header.ModifiedTime, out time);
        return known ? time : throw Malformed(at, "the time is not between the years 1 and 9999");
    }

    private static int DeviceNumber(long at, Dictionary<string, byte[]> records, string key, long fallback)
    {
        long value = Number(at, records, key) ?? fallback;
        return value <= int.MaxValue ? (int)value : throw Malformed(at, $"the device number {value} is too large");
    }

    private static SortedDictionary<string, byte[]>? ExtendedAttributes(Dictionary<string, byte[]> records)
    {
        SortedDictionary<string, byte[]>? attributes = null;
        foreach (var (key, value) in records)
        {
            if (key.StartsWith(PaxRecords.ExtendedAttribute, StringComparison.Ordinal))
                (attributes ??= new(StringComparer.Ordinal))[key[PaxRecords.ExtendedAttribute.Length..]] = value;
        }

        return attributes;
    }

    // An empty value takes the record back.
    private static byte[]? Bytes(Dictionary<string, byte[]> records, string key) =>
        records.TryGetValue(key, out byte[]? value) && value.Length > 0 ? value : null;

    private static long? Number(long at, Dictionary<string, byte[]> records, string key)
    {
        if (Bytes(records, key) is not { } text)
            return null;

        return PaxRecords.TryReadDigits(text, out long value)
            ? value
            : throw Malformed(at, $"the '{key}' of an extended header is not a number");
    }

    private async ValueTask<bool> FillAsync(int count, CancellationToken cancellationToken)
    {
        while (_end - _start < count)
        {
            _buffer.AsSpan(_start.._end).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
            int read = await _input.ReadAsync(_buffer.AsMemory(_end), cancellationToken).ConfigureAwait(false);
            if (read == 0)
                return _end == 0 ? false : throw Malformed("it ends within a header");
            _end += read;
        }

        return true;
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        var taken = _buffer.AsSpan(_start, count);
        _start += count;
        _offset += count;
        return taken;
    }

    private async ValueTask ReadExactlyAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (!buffer.IsEmpty)
        {
            int read = await ReadSomeAsync(buffer, cancellationToken).ConfigureAwait(false);
            buffer = buffer[read..];
        }
    }

    private async ValueTask SkipAsync(long count, CancellationToken cancellationToken)
    {
        while (count > 0)
        {
            if (_start == _end && !await FillAsync(1, cancellationToken).ConfigureAwait(false))
                throw Malformed($"it ends {count} bytes before the content does");
            count -= Take((int)Math.Min(count, _end - _start)).Length;
        }
    }

    private async ValueTask DrainAsync(CancellationToken cancellationToken)
    {
        while (await FillAsync(1, cancellationToken).ConfigureAwait(false))
            Take(_end - _start);
    }

    private async ValueTask<int> ReadSomeAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_start < _end)
            return TakeInto(buffer.Span);

        // Straight into the caller's buffer: content is most of an archive.
        int read = await _input.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        return Account(read);
    }

    private int ReadSome(Span<byte> buffer) => _start < _end ? TakeInto(buffer) : Account(_input.Read(buffer));

    private int TakeInto(Span<byte> buffer)
    {
        var taken = Take(Math.Min(buffer.Length, _end - _start));
        taken.CopyTo(buffer);
        return taken.Length;
    }

    private int Account(int read)
    {
        if (read == 0)
            throw Malformed("it ends within an entry's content");
        _offset += read;
        return read;
    }

    private TarFormatException Malformed(string message) => Malformed(_offset, message);

    private static TarFormatException Malformed(long at, string message) => new(at, message);

    private sealed class Header
    {
        public required byte[] Name { get; init; }
        public required byte[] LinkName { get; init; }
        public byte Type { get; init; }
        public long Mode { get; init; }
        public long UserId { get; init; }
        public long GroupId { get; init; }
        public long Size { get; init; }
        public long ModifiedTime { get; init; }
        public long DeviceMajor { get; init; }
        public long DeviceMinor { get; init; }
    }

    private sealed class Extensions
    {
        public Dictionary<string, byte[]> Records { get; } = [];
        public byte[]? LongName { get; set; }
        public byte[]? LongLink { get; set; }
    }

    private sealed class EntryContent(TarReader reader) : Stream
    {
        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            int wanted = (int)Math.Min(buffer.Length, reader._contentLeft);
            int read = wanted == 0 ? 0 : reader.ReadSome(buffer[..wanted]);
            reader._contentLeft -= read;
            return read;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int wanted = (int)Math.Min(buffer.Length, reader._contentLeft);
            int read = wanted == 0 ? 0 : await reader.ReadSomeAsync(buffer[..wanted], cancellationToken).ConfigureAwait(false);
            reader._contentLeft -= read;
            return read;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
