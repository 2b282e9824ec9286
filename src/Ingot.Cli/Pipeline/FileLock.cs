using System.Security.Cryptography;
using System.Text;

namespace Ingot.Cli.Pipeline;

/// <summary>Keeps other processes of this host away from a thing while it is held. The kernel lets go of it when the process ends, however it ends.</summary>
internal sealed class FileLock : IDisposable
{
    // Linux's EAGAIN, which the base library passes on when another handle has the file for itself.
    private const int WouldBlock = 11;
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(50);

    private readonly FileStream _file;

    private FileLock(FileStream file) => _file = file;

    /// <summary>Waits for the lock on what <paramref name="thing"/> names, and holds it.</summary>
    public static async Task<FileLock> TakeAsync(Home home, string thing, CancellationToken cancellationToken)
    {
        string directory = Directory.CreateDirectory(Path.Combine(home.Work, "locks")).FullName;
        string path = Path.Combine(directory, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(thing)))[..32]);
        while (true)
        {
            try
            {
                return new FileLock(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
            }
            catch (IOException e) when (e.HResult == WouldBlock)
            {
                await Task.Delay(s_pause, cancellationToken);
            }
        }
    }

    public void Dispose() => _file.Dispose();
}
