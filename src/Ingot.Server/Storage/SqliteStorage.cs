using Ingot.Oci.Linux;

namespace Ingot.Server.Storage;

/// <summary>The ledger in a file of the home, for servers on one host.</summary>
public sealed class SqliteStorage(ServerHome home) : IStorage
{
    /// <inheritdoc/>
    public string Name => home.Database;

    /// <inheritdoc/>
    public bool IsThere => File.Exists(home.Database);

    /// <inheritdoc/>
    public IDisposable? TryHold()
    {
        try
        {
            Directory.CreateDirectory(home.Root);
            // The kernel lets go of it when the process ends, however it ends.
            return new FileStream(home.Lock, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (e.HResult == Kernel.EAGAIN)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public IDatabase OpenWriter() => SqliteDatabase.OpenWriter(home.Database);

    /// <inheritdoc/>
    public IDatabase OpenReader() => SqliteDatabase.OpenReader(home.Database);
}
