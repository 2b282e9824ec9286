using System.Security.Cryptography;

namespace Ingot.Server.Registry;

/// <summary>The bytes of a manifest that is being pushed. A large one, and what is made of it, takes memory only when it is its
/// turn.</summary>
internal sealed class ManifestBody : IDisposable
{
    /// <summary>Up to here a manifest is small: nearly all are.</summary>
    public const int Small = 256 << 10;

    private readonly SemaphoreSlim? _turn;

    private ManifestBody(byte[] bytes, SemaphoreSlim? turn) => (Bytes, _turn) = (bytes, turn);

    public byte[] Bytes { get; }

    /// <summary>Reads a body whole. What comes slowly waits on the disk, not in memory, and not in the way of others.</summary>
    /// <param name="body">The body.</param>
    /// <param name="max">The most bytes it may have.</param>
    /// <param name="directory">Where a large one waits.</param>
    /// <param name="turns">How many large ones may be at work at once.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task<ManifestBody> ReadAsync(
        Stream body, int max, string directory, SemaphoreSlim turns, CancellationToken cancellationToken)
    {
        using var memory = new MemoryStream();
        byte[] buffer = new byte[16 << 10];
        int read;
        while (memory.Length <= Small && (read = await body.ReadAsync(buffer, cancellationToken)) > 0)
            memory.Write(buffer, 0, read);
        if (memory.Length > max)
            throw TooLarge(max);
        if (memory.Length <= Small)
            return new ManifestBody(memory.ToArray(), turn: null);

        await using var file = Create(Path.Combine(directory, $"manifest-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16))}"));
        await file.WriteAsync(memory.GetBuffer().AsMemory(0, (int)memory.Length), cancellationToken);
        while ((read = await body.ReadAsync(buffer, cancellationToken)) > 0)
        {
            if (file.Length + read > max)
                throw TooLarge(max);
            await file.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
        }

        return await TakeTurnAsync(file, turns, cancellationToken);
    }

    public void Dispose() => _turn?.Release();

    private static FileStream Create(string path) => new(path, new FileStreamOptions
    {
        Mode = FileMode.CreateNew,
        Access = FileAccess.ReadWrite,
        BufferSize = 0,
        Options = FileOptions.DeleteOnClose,
    });

    private static async Task<ManifestBody> TakeTurnAsync(FileStream file, SemaphoreSlim turns, CancellationToken cancellationToken)
    {
        await turns.WaitAsync(cancellationToken);
        try
        {
            byte[] bytes = GC.AllocateUninitializedArray<byte>((int)file.Length);
            file.Position = 0;
            await file.ReadExactlyAsync(bytes, cancellationToken);
            return new ManifestBody(bytes, turns);
        }
        catch
        {
            turns.Release();
            throw;
        }
    }

    private static RegistryRefusal TooLarge(int max) => new(413, ErrorCode.ManifestInvalid, $"the manifest is larger than {max} bytes");
}
