using System.Buffers.Binary;
using Ingot.Oci.Layers;

namespace Ingot.Builds.Normalisation.Formats;

/// <summary>Marks of objects that a compiled Python module might refer to again, of versions 3.8 to 3.14
/// (<see href="https://docs.python.org/3/library/marshal.html">marshal</see>). Python marks what more than one thing in the process refers
/// to, so that the bytes depend on what else was loaded. Marks that nothing refers to are taken away, and the others numbered anew;
/// what is loaded is the same.</summary>
internal static class BytecodeReferences
{
    private const int HeaderBytes = 16;
    private const int MaxBytes = 64 << 20;

    /// <summary>What to change. Nothing for what is no whole module, or of another version.</summary>
    public static IReadOnlyList<ContentPatch> Find(LayerContent content)
    {
        Span<byte> header = stackalloc byte[4];
        if (content.Length is <= HeaderBytes or > MaxBytes || content.ReadAt(0, header) != 4 || header[2..] is not [0x0D, 0x0A])
            return [];

        // Which version has which number stands in Python's own Lib/importlib/_bootstrap_external.py.
        var form = BinaryPrimitives.ReadUInt16LittleEndian(header) switch
        {
            >= 3410 and < 3450 => new CodeForm(Numbers: 6, Before: 8, After: 1),
            >= 3450 and < 3650 => new CodeForm(Numbers: 5, Before: 8, After: 2),
            _ => null,
        };
        if (form is null)
            return [];

        byte[] module = content.ReadAll();
        var reader = new Reader(module, form);
        return reader.IsWhole() ? reader.Patches() : [];
    }

    /// <summary>What a code object consists of: numbers, objects, the number of its first line, objects.</summary>
    private sealed record CodeForm(int Numbers, int Before, int After);

    private sealed class Reader(byte[] module, CodeForm form)
    {
        private const byte Mark = 0x80;
        // As deep as Python itself reads.
        private const int MaxDepth = 2000;

        private readonly List<int> _marked = [];
        private readonly List<(int Offset, int Target)> _references = [];
        private int _at = HeaderBytes;

        public bool IsWhole() => Read(0) && _at == module.Length && _references.TrueForAll(r => r.Target < _marked.Count);

        public IReadOnlyList<ContentPatch> Patches()
        {
            var used = _references.Select(r => r.Target).ToHashSet();
            var patches = new List<ContentPatch>();
            int[] numbers = new int[_marked.Count];
            for (int i = 0, next = 0; i < _marked.Count; i++)
            {
                numbers[i] = next;
                if (used.Contains(i))
                    next++;
                else
                    patches.Add(new ContentPatch(_marked[i], [(byte)(module[_marked[i]] & ~Mark)]));
            }

            patches.AddRange(_references
                .Where(r => numbers[r.Target] != r.Target)
                .Select(r => new ContentPatch(r.Offset, Words.Of((uint)numbers[r.Target]))));
            return patches;
        }

        // Objects are numbered in the order in which they begin.
        private bool Read(int depth)
        {
            if (_at >= module.Length || depth > MaxDepth)
                return false;

            byte type = module[_at];
            if ((type & Mark) != 0)
                _marked.Add(_at);
            _at++;
            return (char)(type & ~Mark) switch
            {
                'N' or 'F' or 'T' or 'S' or '.' => true,
                'i' => Skip(4),
                'I' or 'g' => Skip(8),
                'y' => Skip(16),
                'l' => Number() is { } digits && digits != int.MinValue && Skip(2L * Math.Abs(digits)),
                's' or 't' or 'u' or 'a' or 'A' => Number() is { } length && Skip(length),
                'z' or 'Z' or 'f' => Byte() is { } length && Skip(length),
                'x' => Byte() is { } real && Skip(real) && Byte() is { } imaginary && Skip(imaginary),
                '(' or '[' or '<' or '>' => Number() is { } count && Read(count, depth),
                ')' => Byte() is { } count && Read(count, depth),
                ':' => Read(3, depth),
                '{' => ReadPairs(depth),
                'r' => Reference(),
                'c' => Skip(4 * form.Numbers) && Read(form.Before, depth) && Skip(4) && Read(form.After, depth),
                _ => false,
            };
        }

        private bool Read(int count, int depth)
        {
            for (int i = 0; i < count; i++)
            {
                if (!Read(depth + 1))
                    return false;
            }

            return count >= 0;
        }

        private bool ReadPairs(int depth)
        {
            while (_at < module.Length && module[_at] != (byte)'0')
            {
                if (!Read(2, depth))
                    return false;
            }

            return Skip(1);
        }

        private bool Reference()
        {
            int at = _at;
            if (Number() is not { } target || target < 0 || target >= _marked.Count)
                return false;

            _references.Add((at, target));
            return true;
        }

        private int? Byte() => Skip(1) ? module[_at - 1] : null;

        private int? Number() => Skip(4) ? BinaryPrimitives.ReadInt32LittleEndian(module.AsSpan(_at - 4)) : null;

        private bool Skip(long count)
        {
            if (count < 0 || count > module.Length - _at)
                return false;

            _at += (int)count;
            return true;
        }
    }
}
