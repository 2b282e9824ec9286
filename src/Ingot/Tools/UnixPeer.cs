using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Ingot.Tools;

/// <summary>The process at the other end of a unix socket, as the kernel knows it: for one that listens, the process that called <c>listen</c>.</summary>
/// <param name="Pid">Its id; 0 when it is in a container this one cannot see into.</param>
/// <param name="UserId">The user it acted as.</param>
public sealed partial record UnixPeer(int Pid, uint UserId)
{
    // <sys/socket.h>: alike on x86 and arm.
    private const int SolSocket = 1;
    private const int SoPeerCred = 17;
    private const long PidfdOpen = 434;
    private const long PidfdSendSignal = 424;
    private const int SigTerm = 15;

    private const int LongestPath = 107;

    /// <summary>The user this process acts as.</summary>
    public static uint OwnUserId => EffectiveUserId();

    /// <summary>Who is at the other end.</summary>
    public static UnixPeer Of(Socket socket)
    {
        Span<byte> credentials = stackalloc byte[12];
        socket.GetRawSocketOption(SolSocket, SoPeerCred, credentials);
        return new UnixPeer(MemoryMarshal.Read<int>(credentials), MemoryMarshal.Read<uint>(credentials[4..]));
    }

    /// <summary>Connects to a socket file whose listener must act as <paramref name="user"/>; of anybody else's nothing is read, and to them nothing is said.</summary>
    public static async ValueTask<(Socket Socket, UnixPeer Peer)> ConnectAsync(string path, uint user, CancellationToken cancellationToken = default)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            using var directory = ShortDirectory.Of(path);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(directory.Path), cancellationToken).ConfigureAwait(false);
            var peer = Of(socket);
            return peer.UserId == user
                ? (socket, peer)
                : throw new ToolException("ingot", $"'{path}' is listened to by the user {peer.UserId}, not {user}: nothing was sent; remove it, or set INGOT_HOME to a directory of your own");
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Asks the peer to end with SIGTERM. <paramref name="stillThere"/> is asked once the process is held, so that a number that came to mean another process is noticed.</summary>
    public async Task<bool> TerminateAsync(Func<Task<bool>> stillThere)
    {
        int handle = (int)Call(PidfdOpen, Pid, 0, 0, 0);
        if (handle < 0)
            return false;

        try
        {
            return await stillThere().ConfigureAwait(false) && Call(PidfdSendSignal, handle, SigTerm, 0, 0) == 0;
        }
        finally
        {
            _ = CloseHandle(handle);
        }
    }

    /// <summary>Whether the process runs still; one that ended and was not waited for does not.</summary>
    public bool IsRunning()
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{Pid}/stat");
            return stat[(stat.LastIndexOf(')') + 2)..][0] is not ('Z' or 'X');
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or IOException)
        {
            // ESRCH, when it ends between opening and reading, is an IOException too.
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUserId();

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long Call(long number, long first, long second, long third, long fourth);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenDirectory(string path, int flags);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int CloseHandle(int handle);

    /// <summary>A name of at most 107 bytes for a socket whose path is longer: through the open directory it is in.</summary>
    public sealed class ShortDirectory : IDisposable
    {
        // O_PATH | O_CLOEXEC: alike on every architecture Linux has but two that .NET has not.
        private const int PathOnly = 0x200000 | 0x80000;

        private readonly int _handle = -1;

        private ShortDirectory(string path)
        {
            Path = path;
            if (System.Text.Encoding.UTF8.GetByteCount(path) <= LongestPath)
                return;

            string directory = System.IO.Path.GetDirectoryName(path)!;
            _handle = OpenDirectory(directory, PathOnly);
            if (_handle < 0)
                throw new SocketException((int)SocketError.AddressNotAvailable, $"could not open '{directory}': {Marshal.GetLastPInvokeErrorMessage()}");
            Path = $"/proc/self/fd/{_handle}/{System.IO.Path.GetFileName(path)}";
        }

        /// <summary>The name, valid until this is disposed.</summary>
        public string Path { get; }

        /// <summary>Opens the directory of <paramref name="path"/> when the path is too long.</summary>
        public static ShortDirectory Of(string path) => new(path);

        /// <inheritdoc/>
        public void Dispose()
        {
            if (_handle >= 0)
                _ = CloseHandle(_handle);
        }
    }
}
