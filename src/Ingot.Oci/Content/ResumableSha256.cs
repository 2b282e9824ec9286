using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Ingot.Oci.Content;

/// <summary>How far a hash has come: who has the bytes up to there need not hash them again.</summary>
/// <param name="Length">The bytes that were hashed.</param>
/// <param name="State">The state after them, 32 bytes.</param>
public readonly record struct HashCheckpoint(long Length, byte[] State);

/// <summary>SHA-256 that says how far it has come, once a mebibyte, and can go on from there.</summary>
/// <remarks>The base library's keeps its state to itself. OpenSSL's old interface
/// (<see href="https://docs.openssl.org/3.0/man3/SHA256_Init/">SHA256_Init</see>) has the same code under it and does not; on a host
/// without it there are no checkpoints, and nothing else is different.</remarks>
public sealed unsafe class ResumableSha256 : IDisposable
{
    /// <summary>The bytes between checkpoints.</summary>
    public const long Interval = 1 << 20;

    private const int StateBytes = 32;

    // SHA256_CTX: eight words of state, the length in bits as two words, a block, and what of it is filled.
    private const int ContextBytes = 112;
    private const int LengthAt = 32;
    private const int FilledAt = 104;

    private static readonly Native? s_native = Native.TryLoad();

    private readonly byte[] _context = new byte[ContextBytes];
    private readonly List<HashCheckpoint> _checkpoints = [];
    private readonly IncrementalHash? _plain;
    private long _length;

    /// <summary>Begins a hash.</summary>
    public ResumableSha256()
    {
        if (s_native is null)
        {
            _plain = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            return;
        }

        fixed (byte* context = _context)
            s_native.Init(context);
    }

    /// <summary>Goes on from a checkpoint of an earlier hash.</summary>
    /// <param name="earlier">The checkpoints of that hash; those up to <paramref name="from"/> are this one's too.</param>
    /// <param name="from">One of them; the default for the start.</param>
    public ResumableSha256(IEnumerable<HashCheckpoint> earlier, HashCheckpoint from)
        : this()
    {
        if (from.Length == 0)
            return;

        _checkpoints.AddRange(earlier.Where(c => c.Length <= from.Length));
        from.State.CopyTo(_context, 0);
        _length = from.Length;
        BitConverter.TryWriteBytes(_context.AsSpan(LengthAt), (ulong)_length * 8);
    }

    /// <summary>Whether this host's library tells.</summary>
    public static bool IsResumable => s_native is not null;

    /// <summary>How far it has come, in order.</summary>
    public IReadOnlyList<HashCheckpoint> Checkpoints => _checkpoints;

    /// <summary>The last checkpoint that is not after <paramref name="length"/>; the default when there is none.</summary>
    public static HashCheckpoint Before(IEnumerable<HashCheckpoint> checkpoints, long length) =>
        checkpoints.LastOrDefault(c => c.Length <= length);

    /// <summary>Adds bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        if (_plain is not null)
        {
            _plain.AppendData(bytes);
            return;
        }

        while (!bytes.IsEmpty)
        {
            int taken = (int)Math.Min(bytes.Length, Interval - (_length % Interval));
            fixed (byte* context = _context, start = bytes)
                s_native!.Update(context, start, (nuint)taken);
            _length += taken;
            bytes = bytes[taken..];
            if (_length % Interval == 0)
                _checkpoints.Add(new HashCheckpoint(_length, _context[..StateBytes]));
        }
    }

    /// <summary>The digest of everything. Nothing may be appended after it.</summary>
    public Digest Finish()
    {
        if (_plain is not null)
            return Digest.FromHash(_plain.GetHashAndReset());

        byte[] hash = new byte[StateBytes];
        fixed (byte* context = _context, result = hash)
            s_native!.Final(result, context);
        return Digest.FromHash(hash);
    }

    /// <inheritdoc/>
    public void Dispose() => _plain?.Dispose();

    private sealed class Native(
        delegate* unmanaged<byte*, int> init, delegate* unmanaged<byte*, byte*, nuint, int> update,
        delegate* unmanaged<byte*, byte*, int> final)
    {
        private static readonly string[] s_libraries = ["libcrypto.so.3", "libcrypto.so.1.1"];

        public void Init(byte* context) => Check(init(context));

        public void Update(byte* context, byte* bytes, nuint length) => Check(update(context, bytes, length));

        public void Final(byte* result, byte* context) => Check(final(result, context));

        public static Native? TryLoad()
        {
            foreach (string name in s_libraries)
            {
                if (NativeLibrary.TryLoad(name, out nint library)
                    && NativeLibrary.TryGetExport(library, "SHA256_Init", out nint init)
                    && NativeLibrary.TryGetExport(library, "SHA256_Update", out nint update)
                    && NativeLibrary.TryGetExport(library, "SHA256_Final", out nint final))
                {
                    var native = new Native((delegate* unmanaged<byte*, int>)init, (delegate* unmanaged<byte*, byte*, nuint, int>)update,
                        (delegate* unmanaged<byte*, byte*, int>)final);
                    return native.IsAsExpected() ? native : null;
                }
            }

            return null;
        }

        // The layout is the library's own affair: it is believed after a look.
        private bool IsAsExpected()
        {
            byte* context = stackalloc byte[2 * ContextBytes];
            new Span<byte>(context, 2 * ContextBytes).Fill(0xA5);
            byte* block = stackalloc byte[64];
            new Span<byte>(block, 64).Clear();
            Init(context);
            Update(context, block, 64);
            var span = new Span<byte>(context, 2 * ContextBytes);
            return BitConverter.ToUInt64(span[LengthAt..]) == 512
                && BitConverter.ToUInt32(span[FilledAt..]) == 0
                && span[ContextBytes..].IndexOfAnyExcept((byte)0xA5) < 0
                && BitConverter.IsLittleEndian;
        }

        private static void Check(int result)
        {
            if (result != 1)
                throw new CryptographicException("the system's SHA-256 failed");
        }
    }
}
