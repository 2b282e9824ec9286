namespace Ingot.Oci.Layers.Erofs;

/// <summary>The content of directories: blocks, each with the entries of some names and then these names, sorted by their bytes throughout,
/// the two dots among them.</summary>
internal sealed class ErofsDirectory(ErofsTree tree)
{
    // Of one directory at a time.
    private readonly List<Entry> _entries = [];

    /// <summary>How many bytes the content of a directory has.</summary>
    public int Size(ErofsNode directory)
    {
        Collect(directory);
        int size = 0;
        for (int first = 0, next; first < _entries.Count; first = next)
        {
            next = EndOfBlock(first, out int used);
            size += next < _entries.Count ? ErofsFormat.BlockBytes : used;
        }

        return size;
    }

    /// <summary>Writes the content of a directory; the positions of all inodes must be known.</summary>
    public void Write(Span<byte> content, ErofsNode directory)
    {
        Collect(directory);
        for (int first = 0, next; first < _entries.Count; first = next)
        {
            next = EndOfBlock(first, out _);
            WriteBlock(content, first, next);
            content = content[Math.Min(ErofsFormat.BlockBytes, content.Length)..];
        }
    }

    private void WriteBlock(Span<byte> block, int first, int end)
    {
        int nameOffset = (end - first) * ErofsFormat.DirectoryEntryBytes;
        for (int i = first; i < end; i++)
        {
            var (start, length, node) = _entries[i];
            var inode = node.Target ?? node;
            ErofsFormat.WriteDirectoryEntry(block[((i - first) * ErofsFormat.DirectoryEntryBytes)..], inode.Position,
                nameOffset, inode.Mode);
            tree.Name(start, length).CopyTo(block[nameOffset..]);
            nameOffset += length;
        }
    }

    private int EndOfBlock(int first, out int used)
    {
        used = 0;
        int next = first;
        for (; next < _entries.Count; next++)
        {
            int needed = ErofsFormat.DirectoryEntryBytes + _entries[next].NameLength;
            if (used + needed > ErofsFormat.BlockBytes)
                break;
            used += needed;
        }

        return next;
    }

    private void Collect(ErofsNode directory)
    {
        _entries.Clear();
        int dots = 0;
        for (var child = directory.FirstChild; child is not null; child = child.Next)
        {
            if (!child.IsThere)
                continue;

            while (dots < 2 && tree.Name(0, dots + 1).SequenceCompareTo(tree.Name(child.NameStart, child.NameLength)) < 0)
                AddDots(directory, ++dots);
            _entries.Add(new Entry(child.NameStart, child.NameLength, child));
        }

        while (dots < 2)
            AddDots(directory, ++dots);
    }

    private void AddDots(ErofsNode directory, int count) =>
        _entries.Add(new Entry(0, count, count == 1 ? directory : directory.Parent ?? directory));

    private readonly record struct Entry(int NameStart, int NameLength, ErofsNode Node);
}
