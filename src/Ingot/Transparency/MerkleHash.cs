using System.Buffers.Binary;

namespace Ingot.Transparency;

/// <summary>A hash in a Merkle tree: 32 bytes of SHA-256. <c>default</c> is 32 zero bytes, which no data hashes to.</summary>
public readonly record struct MerkleHash
{
    /// <summary>The length of a hash in bytes.</summary>
    public const int Size = 32;

    // Four words compare and copy without a heap object per hash.
    private readonly ulong _a;
    private readonly ulong _b;
    private readonly ulong _c;
    private readonly ulong _d;

    /// <summary>Takes the 32 bytes of a hash.</summary>
    public MerkleHash(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Size)
            throw new ArgumentException($"a Merkle hash has {Size} bytes, not {bytes.Length}", nameof(bytes));

        _a = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        _b = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        _c = BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]);
        _d = BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]);
    }

    /// <summary>Reads a hash in base64; false when the text is not 32 bytes of it.</summary>
    public static bool TryParse(ReadOnlySpan<char> base64, out MerkleHash hash)
    {
        hash = default;
        Span<byte> bytes = stackalloc byte[Size + 2];
        // The last character of 44 is padding; anything else is not the one way to write 32 bytes.
        if (base64.Length != 44 || base64.ContainsAny(" \t\r\n")
            || !Convert.TryFromBase64Chars(base64, bytes, out int written) || written != Size)
            return false;

        hash = new MerkleHash(bytes[..Size]);
        return base64.SequenceEqual(hash.ToString());
    }

    /// <summary>Writes the 32 bytes at the start of <paramref name="destination"/>.</summary>
    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, _a);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], _b);
        BinaryPrimitives.WriteUInt64BigEndian(destination[16..], _c);
        BinaryPrimitives.WriteUInt64BigEndian(destination[24..], _d);
    }

    /// <summary>The 32 bytes.</summary>
    public byte[] ToArray()
    {
        var bytes = new byte[Size];
        CopyTo(bytes);
        return bytes;
    }

    /// <summary>The hash in base64, as checkpoints and proofs write it.</summary>
    public override string ToString() => Convert.ToBase64String(ToArray());
}
