using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Ingot.Server.Ledger;

/// <summary>SipHash-2-4 with 128 bits (<see href="https://www.aumasson.jp/siphash/siphash.pdf">Aumasson and Bernstein, 2012</see>): without
/// its key nobody can tell its results from random ones.</summary>
internal struct SipHash
{
    private ulong _v0;
    private ulong _v1;
    private ulong _v2;
    private ulong _v3;

    /// <summary>The hash of some bytes under a key of 16.</summary>
    // It is called by the million from loops that are never compiled again.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static UInt128 Of(ReadOnlySpan<byte> key, ReadOnlySpan<byte> input)
    {
        ulong k0 = BinaryPrimitives.ReadUInt64LittleEndian(key);
        ulong k1 = BinaryPrimitives.ReadUInt64LittleEndian(key[8..]);
        var state = new SipHash
        {
            _v0 = k0 ^ 0x736f6d6570736575,
            _v1 = k1 ^ 0x646f72616e646f6d ^ 0xee,
            _v2 = k0 ^ 0x6c7967656e657261,
            _v3 = k1 ^ 0x7465646279746573,
        };
        int whole = input.Length & ~7;
        for (int i = 0; i < whole; i += 8)
            state.Take(BinaryPrimitives.ReadUInt64LittleEndian(input[i..]));
        ulong last = (ulong)input.Length << 56;
        for (int i = whole; i < input.Length; i++)
            last |= (ulong)input[i] << (8 * (i - whole));
        state.Take(last);
        ulong low = state.Finish(0xee);
        return new UInt128(state.Finish(0xdd, more: true), low);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Take(ulong word)
    {
        _v3 ^= word;
        Round();
        Round();
        _v0 ^= word;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong Finish(ulong mark, bool more = false)
    {
        if (more)
            _v1 ^= mark;
        else
            _v2 ^= mark;
        for (int i = 0; i < 4; i++)
            Round();
        return _v0 ^ _v1 ^ _v2 ^ _v3;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Round()
    {
        _v0 += _v1;
        _v2 += _v3;
        _v1 = BitOperations.RotateLeft(_v1, 13) ^ _v0;
        _v3 = BitOperations.RotateLeft(_v3, 16) ^ _v2;
        _v0 = BitOperations.RotateLeft(_v0, 32);
        _v2 += _v1;
        _v0 += _v3;
        _v1 = BitOperations.RotateLeft(_v1, 17) ^ _v2;
        _v3 = BitOperations.RotateLeft(_v3, 21) ^ _v0;
        _v2 = BitOperations.RotateLeft(_v2, 32);
    }
}
