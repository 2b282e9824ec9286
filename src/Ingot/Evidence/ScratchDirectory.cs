using System.Security.Cryptography;
using Ingot.Tools;

namespace Ingot.Evidence;

/// <summary>A directory for the time of one task. It is removed with its owner; when the owner was killed,
/// by the next one who looks.</summary>
/// <remarks>Beside <c>NAME</c> stands <c>NAME.lock</c>, which a living owner holds locked:
/// the kernel lets go of it however the owner ends.</remarks>
public sealed class ScratchDirectory : IAsyncDisposable
{
    private const string LockSuffix = ".lock";

    private readonly FileStream _lock;

    private ScratchDirectory(string path, FileStream held)
    {
        Path = path;
        _lock = held;
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>The directory.</summary>
    public string Path { get; }

    /// <summary>Makes one below <paramref name="parent"/> and clears away what killed owners left there.</summary>
    public static async Task<ScratchDirectory> CreateAsync(string parent, string prefix, CancellationToken cancellationToken)
    {
        parent = System.IO.Path.GetFullPath(parent);
        Directory.CreateDirectory(parent);
        await RemoveLeftoversAsync(parent, cancellationToken);
        for (int attempt = 1; ; attempt++)
        {
            string path = System.IO.Path.Combine(parent, $"{prefix}-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}");
            try
            {
                return new ScratchDirectory(path,
                    new FileStream(path + LockSuffix, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None));
            }
            catch (IOException) when (attempt < 3)
            {
                // Between making the lock and taking it somebody else took it for a leftover.
            }
        }
    }

    /// <summary>Removes the directories below <paramref name="parent"/> whose owner is gone.</summary>
    public static async Task RemoveLeftoversAsync(string parent, CancellationToken cancellationToken)
    {
        foreach (var held in Directory.EnumerateFiles(parent, "*" + LockSuffix))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (TryLock(held) is not { } file)
                continue;

            await using (file)
                await RemoveAsync(held[..^LockSuffix.Length]);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await RemoveAsync(Path);
        await _lock.DisposeAsync();
    }

    private static FileStream? TryLock(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            // Its owner lives, or somebody else is removing it.
            return null;
        }
    }

    // rm knows names that are no text, and stays on one filesystem: what is mounted below is not of ours to delete.
    private static async Task RemoveAsync(string path)
    {
        string state = System.IO.Path.Combine(path, StateName);
        if (Directory.Exists(state))
        {
            foreach (var container in Directory.EnumerateDirectories(state))
                await CommandRunner.TryRunAsync(new Runc(state).Delete(System.IO.Path.GetFileName(container)), onLine: null,
                    CancellationToken.None);
        }

        await CommandRunner.RunAsync(new Command("rm", "--recursive", "--force", "--one-file-system", path), CancellationToken.None);
        File.Delete(path + LockSuffix);
    }

    /// <summary>The name of the directory in which a sandbox keeps its runtime's state:
    /// what is registered there is ended before it is removed.</summary>
    public const string StateName = "state";
}
