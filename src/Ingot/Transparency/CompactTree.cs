using System.Numerics;

namespace Ingot.Transparency;

/// <summary>All that is needed of a Merkle tree to append to it: its size and its right edge, the hashes of the complete subtrees the size
/// falls into, largest first.</summary>
/// <remarks>Immutable; appending makes another one in O(log n), and so is the root computed when it is asked for.</remarks>
public sealed class CompactTree
{
    private readonly MerkleHash[] _edge;

    private CompactTree(long size, MerkleHash[] edge)
    {
        Size = size;
        _edge = edge;
    }

    /// <summary>The tree without leaves.</summary>
    public static CompactTree Empty { get; } = new(0, []);

    /// <summary>The number of leaves.</summary>
    public long Size { get; }

    /// <summary>The root.</summary>
    public MerkleHash Root => RootOf(_edge);

    /// <summary>Reads what <see cref="EdgeToArray"/> wrote; null when the bytes cannot be the right edge of a tree of
    /// <paramref name="size"/>.</summary>
    public static CompactTree? TryRead(long size, ReadOnlySpan<byte> edge)
    {
        if (size < 0 || edge.Length != BitOperations.PopCount((ulong)size) * MerkleHash.Size)
            return null;

        var hashes = new MerkleHash[edge.Length / MerkleHash.Size];
        for (int i = 0; i < hashes.Length; i++)
            hashes[i] = new MerkleHash(edge.Slice(i * MerkleHash.Size, MerkleHash.Size));
        return new CompactTree(size, hashes);
    }

    /// <summary>The tree with one more leaf. <paramref name="completed"/> gets the level, index and hash of each subtree the leaf
    /// completes, from the leaf itself (level 0) up.</summary>
    public CompactTree Append(MerkleHash leaf, Action<int, long, MerkleHash>? completed = null)
    {
        // Each trailing one in the size is a complete subtree that joins with the new one, as a carry does in addition.
        int joins = BitOperations.TrailingZeroCount(~Size);
        var hash = leaf;
        completed?.Invoke(0, Size, leaf);
        for (int level = 1; level <= joins; level++)
        {
            hash = MerkleTree.HashNode(_edge[^level], hash);
            completed?.Invoke(level, Size >> level, hash);
        }

        return new CompactTree(Size + 1, [.. _edge.AsSpan(0, _edge.Length - joins), hash]);
    }

    /// <summary>The right edge as bytes, 32 a hash.</summary>
    public byte[] EdgeToArray()
    {
        var bytes = new byte[_edge.Length * MerkleHash.Size];
        for (int i = 0; i < _edge.Length; i++)
            _edge[i].CopyTo(bytes.AsSpan(i * MerkleHash.Size));
        return bytes;
    }

    private static MerkleHash RootOf(MerkleHash[] edge)
    {
        if (edge.Length == 0)
            return MerkleTree.EmptyRoot;

        var root = edge[^1];
        for (int i = edge.Length - 2; i >= 0; i--)
            root = MerkleTree.HashNode(edge[i], root);
        return root;
    }
}
