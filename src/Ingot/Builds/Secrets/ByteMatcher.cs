using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Ingot.Builds.Secrets;

/// <summary>Finds many short byte strings at once in a stream, in one pass and without looking at every byte.</summary>
/// <remarks>
/// After S. Wu and U. Manber, "A fast algorithm for multi-pattern searching" (1994): the last two bytes of a window, which is as long as
/// the shortest pattern, tell how far the window can move at least. The table is the matcher's; where one is in a stream is the
/// <see cref="Scan"/>'s, so one matcher serves many streams at once.
/// </remarks>
internal sealed class ByteMatcher
{
    /// <summary>How long a pattern must be at least, in bytes.</summary>
    public const int MinLength = 4;

    /// <summary>How long a pattern may be, in bytes.</summary>
    public const int MaxLength = 64;

    private readonly byte[][] _patterns;
    private readonly int _window;
    private readonly int _longest;
    private readonly byte[] _shifts = new byte[1 << 16];
    private readonly Dictionary<ushort, int[]> _candidates = [];

    /// <summary>For patterns of <see cref="MinLength"/> to <see cref="MaxLength"/> bytes.</summary>
    public ByteMatcher(IEnumerable<byte[]> patterns)
    {
        _patterns = [.. patterns];
        if (Array.Exists(_patterns, p => p.Length is < MinLength or > MaxLength))
            throw new ArgumentException($"a pattern must have {MinLength} to {MaxLength} bytes", nameof(patterns));

        _window = _patterns.Length == 0 ? MaxLength : _patterns.Min(p => p.Length);
        _longest = _patterns.Length == 0 ? 0 : _patterns.Max(p => p.Length);
        Array.Fill(_shifts, (byte)(_window - 1));
        foreach (var pattern in _patterns)
        {
            for (int i = 0; i + 2 <= _window; i++)
            {
                ref byte shift = ref _shifts[BinaryPrimitives.ReadUInt16LittleEndian(pattern.AsSpan(i))];
                shift = Math.Min(shift, (byte)(_window - 2 - i));
            }
        }

        foreach (var group in Enumerable.Range(0, _patterns.Length)
            .GroupBy(p => BinaryPrimitives.ReadUInt16LittleEndian(_patterns[p].AsSpan(_window - 2))))
            _candidates[group.Key] = [.. group];
    }

    /// <summary>Whether any pattern occurs.</summary>
    public bool IsIn(ReadOnlySpan<byte> bytes)
    {
        bool found = false;
        Search(bytes, from: 0, (_, _) => found = true);
        return found;
    }

    /// <summary>A stream to be searched.</summary>
    /// <param name="found">Is told of each occurrence: the number of the pattern, and where in the stream it begins.</param>
    public Scan Begin(Action<int, long> found) => new(this, found);

    // Occurrences that end after the first 'from' bytes: those that end before were found already.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Search(ReadOnlySpan<byte> bytes, int from, Action<int, int> found)
    {
        if (_patterns.Length == 0)
            return;

        ref byte shifts = ref _shifts[0];
        int end = _window;
        while (end <= bytes.Length)
        {
            ushort block = BinaryPrimitives.ReadUInt16LittleEndian(bytes[(end - 2)..]);
            int shift = Unsafe.Add(ref shifts, block);
            if (shift == 0)
            {
                Compare(bytes, end - _window, block, from, found);
                shift = 1;
            }

            end += shift;
        }
    }

    private void Compare(ReadOnlySpan<byte> bytes, int start, ushort block, int from, Action<int, int> found)
    {
        foreach (int candidate in _candidates[block])
        {
            var pattern = _patterns[candidate];
            if (start + pattern.Length > from && bytes[start..].StartsWith(pattern))
                found(candidate, start);
        }
    }

    /// <summary>How far a stream was searched. Not for several threads at once.</summary>
    public sealed class Scan
    {
        private readonly ByteMatcher _matcher;
        private readonly Action<int, long> _found;
        // The end of what was seen, and behind it the beginning of what is new.
        private readonly byte[] _seam = new byte[2 * MaxLength];
        private int _kept;
        private long _position;

        internal Scan(ByteMatcher matcher, Action<int, long> found)
        {
            _matcher = matcher;
            _found = found;
        }

        /// <summary>Searches the next bytes; what began in those before counts.</summary>
        public void Add(ReadOnlySpan<byte> bytes)
        {
            int overlap = Math.Min(bytes.Length, Math.Max(0, _matcher._longest - 1));
            bytes[..overlap].CopyTo(_seam.AsSpan(_kept));
            long seamStart = _position - _kept;
            if (_kept > 0)
                _matcher.Search(_seam.AsSpan(0, _kept + overlap), from: _kept, (pattern, at) => OnSeam(pattern, at, seamStart));

            long start = _position;
            _matcher.Search(bytes, from: 0, (pattern, at) => _found(pattern, start + at));
            _position += bytes.Length;
            Keep(bytes, overlap);
        }

        // What begins in the new bytes is found there.
        private void OnSeam(int pattern, int at, long seamStart)
        {
            if (at < _kept)
                _found(pattern, seamStart + at);
        }

        private void Keep(ReadOnlySpan<byte> bytes, int overlap)
        {
            int wanted = Math.Max(0, _matcher._longest - 1);
            if (bytes.Length >= wanted)
            {
                bytes[^wanted..].CopyTo(_seam);
                _kept = wanted;
                return;
            }

            int all = _kept + overlap;
            int dropped = Math.Max(0, all - wanted);
            _seam.AsSpan(dropped, all - dropped).CopyTo(_seam);
            _kept = all - dropped;
        }
    }
}
