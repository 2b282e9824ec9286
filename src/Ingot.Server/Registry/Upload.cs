using System.Buffers;
using System.Security.Cryptography;
using Ingot.Oci.Content;

namespace Ingot.Server.Registry;

/// <summary>One upload. Only one request at a time may write to it.</summary>
internal sealed class Upload(string id, string path, IncrementalHash? hash) : IDisposable
{
    private const int BufferSize = 128 << 10;

    private readonly SemaphoreSlim _gate = new(1, 1);
    private IncrementalHash? _hash = hash;

    public string Id => id;

    public string Path => path;

    /// <summary>The bytes received so far.</summary>
    public long Received { get; private set; } = new FileInfo(path).Length;

    /// <summary>Whether it was finished, cancelled or thrown away while somebody still held it.</summary>
    public bool IsGone { get; set; }

    /// <summary>Takes the right to write; false when another request has it.</summary>
    public bool TryEnter() => _gate.Wait(0);

    public void Leave() => _gate.Release();

    /// <summary>Appends everything of <paramref name="body"/>, hashing it on the way. What arrived before a failure is kept,
    /// and counted.</summary>
    public async Task AppendAsync(Stream body, DiskReserve disk, CancellationToken cancellationToken)
    {
        var hasher = _hash ??= await HashFileAsync(default, cancellationToken);
        await using var file = new FileStream(
            path, new FileStreamOptions { Mode = FileMode.Open, Access = FileAccess.Write, BufferSize = 0 });
        // Bytes of a write that failed half-way were not hashed.
        file.SetLength(Received);
        file.Position = Received;
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            int filled;
            long unasked = 0;
            while ((filled = await body.ReadAtLeastAsync(buffer, BufferSize, throwOnEndOfStream: false, cancellationToken)) > 0)
            {
                await file.WriteAsync(buffer.AsMemory(0, filled), CancellationToken.None);
                hasher.AppendData(buffer, 0, filled);
                Received += filled;
                if ((unasked += filled) >= DiskReserve.Step)
                {
                    disk.Require(unasked);
                    unasked = 0;
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>The digest of all received bytes by the algorithm of <paramref name="expected"/>;
    /// they are on disk when this returns.</summary>
    public async Task<Digest> SealAsync(Digest expected, CancellationToken cancellationToken)
    {
        // A client need not say beforehand by which algorithm it will name what it sends.
        if (_hash?.HashLengthInBytes != expected.ToHash().Length)
        {
            _hash?.Dispose();
            _hash = await HashFileAsync(expected, cancellationToken);
        }

        var hasher = _hash;
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Write);
        RandomAccess.FlushToDisk(file);
        return Digest.FromHash(hasher.GetCurrentHash());
    }

    public void Dispose() => _hash?.Dispose();

    private async Task<IncrementalHash> HashFileAsync(Digest like, CancellationToken cancellationToken)
    {
        var hasher = like.BeginHash();
        await using var file = new FileStream(path,
            new FileStreamOptions { Mode = FileMode.Open, Access = FileAccess.Read, BufferSize = 0, Options = FileOptions.SequentialScan });
        var buffer = new byte[BufferSize];
        int read;
        while ((read = await file.ReadAsync(buffer, cancellationToken)) > 0)
            hasher.AppendData(buffer, 0, read);
        return hasher;
    }
}
