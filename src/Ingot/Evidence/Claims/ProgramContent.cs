using System.Buffers;
using System.Text;

namespace Ingot.Evidence.Claims;

/// <summary>Programs that are known by words in them, whatever they are called: those that a shell needs to be one.</summary>
/// <param name="Name">The family, such as <c>posix</c>.</param>
/// <param name="Needed">How many of the words must be there.</param>
/// <param name="Words">The words; a zero byte at an end is part of one.</param>
internal sealed record ProgramFamily(string Name, int Needed, params IReadOnlyList<string> Words)
{
    /// <summary>The words as they stand in a program.</summary>
    public IReadOnlyList<byte[]> Bytes { get; } = [.. Words.Select(Encoding.UTF8.GetBytes)];

    /// <summary>The family in a line, for a digest.</summary>
    public string Rule => $"{Name} {Needed} {string.Join('|', Words)}";
}

/// <summary>What the bytes of a file say that it is.</summary>
/// <param name="Families">The families that it belongs to.</param>
/// <param name="IsPacked">Whether it is a program whose code is compressed or encrypted, so that nobody can say what it does.</param>
/// <param name="Text">The start of a script or list; empty for all else.</param>
internal sealed record ProgramContent(IReadOnlyList<ProgramFamily> Families, bool IsPacked, string Text)
{
    private const int MaxTextBytes = 64 << 10;

    // A multiple of the window over which packed code is measured.
    private const int ChunkBytes = 1 << 20;

    public static ProgramContent None { get; } = new([], IsPacked: false, "");

    /// <summary>Reads a file in one pass and in bounded memory, however large it is. What the loader can run is a program, whether or not
    /// anybody may execute it: <c>ld.so</c> asks for no such right.</summary>
    /// <param name="stream">The file; its size is known.</param>
    /// <param name="isList">Whether it is read as text although no interpreter is named in it.</param>
    public static ProgramContent Read(Stream stream, bool isList)
    {
        Span<byte> head = stackalloc byte[4];
        int length = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        stream.Position = 0;
        if (length == head.Length && head.SequenceEqual("\u007fELF"u8))
            return ReadProgram(stream);
        return isList || head.StartsWith("#!"u8) ? None with { Text = ReadText(stream) } : None;
    }

    private static ProgramContent ReadProgram(Stream stream)
    {
        var packing = new PackingMeter(ElfSegments.ReadExecutable(stream));
        var search = new WordSearch([.. Shells.Families, .. PackageManagers.Families]);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes + search.Overlap);
        try
        {
            Scan(stream, buffer, search, packing);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        return new ProgramContent(search.Found(), packing.IsPacked, "");
    }

    // Each chunk is searched together with the end of the one before: a word may lie across.
    private static void Scan(Stream stream, byte[] buffer, WordSearch search, PackingMeter packing)
    {
        int kept = 0;
        long position = 0;
        stream.Position = 0;
        while (true)
        {
            int read = stream.ReadAtLeast(buffer.AsSpan(kept, ChunkBytes), ChunkBytes, throwOnEndOfStream: false);
            if (read == 0)
                return;

            packing.Add(buffer.AsSpan(kept, read), position);
            position += read;
            search.Look(buffer.AsSpan(0, kept + read));
            int keep = Math.Min(search.Overlap, kept + read);
            buffer.AsSpan(kept + read - keep, keep).CopyTo(buffer);
            kept = keep;
        }
    }

    private static string ReadText(Stream stream)
    {
        var bytes = new byte[MaxTextBytes];
        int length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return Encoding.Latin1.GetString(bytes, 0, length);
    }

    /// <summary>Looks for the words of families; a word that was found is not looked for again.</summary>
    private sealed class WordSearch(IReadOnlyList<ProgramFamily> families)
    {
        private readonly List<byte[]> _missing = [.. families.SelectMany(f => f.Bytes).DistinctBy(Convert.ToHexString)];

        public int Overlap { get; } = families.SelectMany(f => f.Bytes).Max(w => w.Length) - 1;

        public void Look(ReadOnlySpan<byte> content)
        {
            for (int i = _missing.Count - 1; i >= 0; i--)
            {
                if (content.IndexOf(_missing[i]) >= 0)
                    _missing.RemoveAt(i);
            }
        }

        public List<ProgramFamily> Found() =>
            [.. families.Where(f => f.Bytes.Count(word => !_missing.Any(m => m.AsSpan().SequenceEqual(word))) >= f.Needed)];
    }
}
