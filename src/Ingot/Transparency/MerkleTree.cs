using System.Numerics;
using System.Security.Cryptography;

namespace Ingot.Transparency;

/// <summary>The hash of a complete subtree: that of the leaves from <c>index · 2^level</c> on, <c>2^level</c> of them.</summary>
public delegate MerkleHash NodeReader(int level, long index);

/// <summary>The Merkle tree of Certificate Transparency: hashes, proofs, and their verification
/// (<see href="https://www.rfc-editor.org/rfc/rfc6962#section-2.1">RFC 6962, section 2.1</see>).</summary>
public static class MerkleTree
{
    private const byte LeafPrefix = 0;
    private const byte NodePrefix = 1;

    // OpenSSL looks its algorithm up for each new hash, which takes longer than hashing a node.
    // Nothing else runs on the thread while one is used.
    [ThreadStatic]
    private static IncrementalHash? t_hasher;

    private static IncrementalHash Hasher => t_hasher ??= IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>The root of a tree without leaves: the hash of the empty string.</summary>
    public static MerkleHash EmptyRoot { get; } = new(SHA256.HashData([]));

    /// <summary>The hash of a leaf that holds <paramref name="entry"/>.</summary>
    public static MerkleHash HashLeaf(ReadOnlySpan<byte> entry)
    {
        var hasher = Hasher;
        hasher.AppendData([LeafPrefix]);
        hasher.AppendData(entry);
        return Finish(hasher);
    }

    /// <summary>The hash of the node above two others.</summary>
    public static MerkleHash HashNode(MerkleHash left, MerkleHash right)
    {
        Span<byte> input = stackalloc byte[1 + (2 * MerkleHash.Size)];
        input[0] = NodePrefix;
        left.CopyTo(input[1..]);
        right.CopyTo(input[(1 + MerkleHash.Size)..]);
        var hasher = Hasher;
        hasher.AppendData(input);
        return Finish(hasher);
    }

    /// <summary>The root of the tree over the first <paramref name="size"/> leaves.</summary>
    public static MerkleHash Root(long size, NodeReader nodes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        return size == 0 ? EmptyRoot : HashRange(0, size, nodes);
    }

    /// <summary>The path that shows the leaf at <paramref name="index"/> to be in the tree of <paramref name="size"/> leaves,
    /// the leaf's sibling first.</summary>
    public static IReadOnlyList<MerkleHash> InclusionProof(long index, long size, NodeReader nodes)
    {
        if (index < 0 || index >= size)
            throw new ArgumentOutOfRangeException(nameof(index), index, $"a tree of {size} leaves has none at {index}");

        var path = new List<MerkleHash>();
        Climb(0, size);
        return path;

        void Climb(long start, long end)
        {
            if (end - start == 1)
                return;

            long middle = Split(start, end);
            if (index < middle)
            {
                Climb(start, middle);
                path.Add(HashRange(middle, end, nodes));
            }
            else
            {
                Climb(middle, end);
                path.Add(HashRange(start, middle, nodes));
            }
        }
    }

    /// <summary>The hashes that show the tree of <paramref name="newSize"/> leaves to continue the one of <paramref name="oldSize"/>; empty
    /// when either is the other, or the old one is empty.</summary>
    public static IReadOnlyList<MerkleHash> ConsistencyProof(long oldSize, long newSize, NodeReader nodes)
    {
        if (oldSize < 0 || oldSize > newSize)
            throw new ArgumentOutOfRangeException(nameof(oldSize), oldSize,
                $"a tree of {newSize} leaves does not continue one of {oldSize}");

        var proof = new List<MerkleHash>();
        if (oldSize != 0)
            Climb(0, newSize, isOldRoot: true);
        return proof;

        // RFC 6962, SUBPROOF: the old root is known to the reader as long as only right parts were cut off.
        void Climb(long start, long end, bool isOldRoot)
        {
            if (oldSize == end)
            {
                if (!isOldRoot)
                    proof.Add(HashRange(start, end, nodes));
                return;
            }

            long middle = Split(start, end);
            if (oldSize <= middle)
            {
                Climb(start, middle, isOldRoot);
                proof.Add(HashRange(middle, end, nodes));
            }
            else
            {
                Climb(middle, end, isOldRoot: false);
                proof.Add(HashRange(start, middle, nodes));
            }
        }
    }

    /// <summary>Whether <paramref name="proof"/> shows <paramref name="leaf"/> to stand at <paramref name="index"/> in the tree of
    /// <paramref name="size"/> leaves with this root (<see href="https://www.rfc-editor.org/rfc/rfc9162#section-2.1.3.2">RFC 9162,
    /// section 2.1.3.2</see>).</summary>
    public static bool VerifyInclusion(MerkleHash leaf, long index, long size, MerkleHash root, IReadOnlyList<MerkleHash> proof)
    {
        if (index < 0 || index >= size)
            return false;

        long node = index;
        long last = size - 1;
        var hash = leaf;
        foreach (var sibling in proof)
        {
            if (last == 0)
                return false;

            if ((node & 1) == 1 || node == last)
            {
                hash = HashNode(sibling, hash);
                SkipLevelsWithoutSibling(ref node, ref last);
            }
            else
            {
                hash = HashNode(hash, sibling);
            }

            node >>= 1;
            last >>= 1;
        }

        return last == 0 && hash == root;
    }

    /// <summary>Whether <paramref name="proof"/> shows the tree of <paramref name="newSize"/> leaves to continue that of
    /// <paramref name="oldSize"/> (<see href="https://www.rfc-editor.org/rfc/rfc9162#section-2.1.4.2">RFC 9162, section 2.1.4.2</see>).
    /// Nothing can be shown about an empty old tree: that is false.</summary>
    public static bool VerifyConsistency(
        long oldSize, MerkleHash oldRoot, long newSize, MerkleHash newRoot, IReadOnlyList<MerkleHash> proof)
    {
        if (oldSize == newSize)
            return oldSize > 0 && proof.Count == 0 && oldRoot == newRoot;
        if (oldSize <= 0 || oldSize > newSize || proof.Count == 0)
            return false;

        // A complete old tree is itself the first node of the path; the proof leaves it out.
        bool isComplete = BitOperations.IsPow2(oldSize);
        long node = oldSize - 1;
        long last = newSize - 1;
        while ((node & 1) == 1)
        {
            node >>= 1;
            last >>= 1;
        }

        var first = isComplete ? oldRoot : proof[0];
        var oldHash = first;
        var newHash = first;
        for (int i = isComplete ? 0 : 1; i < proof.Count; i++)
        {
            if (last == 0)
                return false;

            if ((node & 1) == 1 || node == last)
            {
                oldHash = HashNode(proof[i], oldHash);
                newHash = HashNode(proof[i], newHash);
                SkipLevelsWithoutSibling(ref node, ref last);
            }
            else
            {
                newHash = HashNode(newHash, proof[i]);
            }

            node >>= 1;
            last >>= 1;
        }

        return last == 0 && oldHash == oldRoot && newHash == newRoot;
    }

    /// <summary>The hash over the leaves from <paramref name="start"/> (a multiple of the largest power of two that fits) up to
    /// <paramref name="end"/>.</summary>
    private static MerkleHash HashRange(long start, long end, NodeReader nodes)
    {
        long count = end - start;
        if (BitOperations.IsPow2(count))
        {
            int level = BitOperations.Log2((ulong)count);
            return nodes(level, start >> level);
        }

        long middle = Split(start, end);
        return HashNode(HashRange(start, middle, nodes), HashRange(middle, end, nodes));
    }

    /// <summary>The largest power of two smaller than the count, after <paramref name="start"/>.</summary>
    private static long Split(long start, long end) => start + (1L << BitOperations.Log2((ulong)(end - start - 1)));

    // The last node of a level has no sibling when it stands left: it rises unchanged.
    private static void SkipLevelsWithoutSibling(ref long node, ref long last)
    {
        while ((node & 1) == 0 && node != 0)
        {
            node >>= 1;
            last >>= 1;
        }
    }

    private static MerkleHash Finish(IncrementalHash hasher)
    {
        Span<byte> hash = stackalloc byte[MerkleHash.Size];
        hasher.GetHashAndReset(hash);
        return new MerkleHash(hash);
    }
}
