using System.Net.Sockets;
using System.Runtime.InteropServices;
using Ingot.Oci.Linux;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Tools;

/// <summary>The process at the other end of a unix socket, as the kernel knows it: for one that listens,
/// the process that called <c>listen</c>.</summary>
/// <param name="Pid">Its id; 0 when it is in a container this one cannot see into.</param>
/// <param name="UserId">The user it acted as.</param>
public sealed record UnixPeer(int Pid, uint UserId)
{
    private const int LongestPath = 107;

    /// <summary>The user this process acts as.</summary>
    public static uint OwnUserId => Libc.GetEUid();

    /// <summary>Who is at the other end.</summary>
    public static UnixPeer Of(Socket socket)
    {
        Span<byte> credentials = stackalloc byte[12];
        socket.GetRawSocketOption(Kernel.SOL_SOCKET, Kernel.SO_PEERCRED, credentials);
        return new UnixPeer(MemoryMarshal.Read<int>(credentials), MemoryMarshal.Read<uint>(credentials[4..]));
    }

    /// <summary>Throws unless the peer acts as root or as this process's own user:
    /// what a daemon is told and what it says decide what runs.</summary>
    public void MustBeTrusted(string program, string path)
    {
        if (UserId != 0 && UserId != OwnUserId)
            throw new ToolException(program,
                $"'{path}' is listened to by the user {UserId}, who is neither root nor this user: nothing was sent");
    }

    /// <summary>Connects to a socket file whose listener must act as <paramref name="user"/>; of anybody else's nothing is read, and to
    /// them nothing is said.</summary>
    public static async ValueTask<(Socket Socket, UnixPeer Peer)> ConnectAsync(
        string path, uint user, CancellationToken cancellationToken = default)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            using var directory = ShortDirectory.Of(path);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(directory.Path), cancellationToken);
            var peer = Of(socket);
            return peer.UserId == user
                ? (socket, peer)
                : throw new ToolException("ingot", $"'{path}' is listened to by the user {peer.UserId}, not {user}: nothing was sent; "
                    + "remove it, or set INGOT_HOME to a directory of your own");
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Asks the peer to end with SIGTERM. <paramref name="stillThere"/> is asked once the process is held, so that a number that
    /// came to mean another process is noticed.</summary>
    public async Task<bool> TerminateAsync(Func<Task<bool>> stillThere)
    {
        int handle = Libc.PidFdOpen(Pid);
        if (handle < 0)
            return false;

        using var process = new SafeFileHandle(handle, ownsHandle: true);
        return await stillThere() && Libc.PidFdSendSignal(process, Kernel.SIGTERM) == 0;
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

    /// <summary>A name of at most 107 bytes for a socket whose path is longer: through the open directory it is in.</summary>
    public sealed class ShortDirectory : IDisposable
    {
        private readonly SafeFileHandle? _directory;

        private ShortDirectory(string path)
        {
            Path = path;
            if (System.Text.Encoding.UTF8.GetByteCount(path) <= LongestPath)
                return;

            string directory = System.IO.Path.GetDirectoryName(path)!;
            int handle = Libc.Open(LinuxPath.Terminated(directory), Kernel.O_PATH | Kernel.O_CLOEXEC);
            if (handle < 0)
                throw new SocketException((int)SocketError.AddressNotAvailable, $"could not open '{directory}': {LinuxError.Message}");
            _directory = new SafeFileHandle(handle, ownsHandle: true);
            Path = $"/proc/self/fd/{handle}/{System.IO.Path.GetFileName(path)}";
        }

        /// <summary>The name, valid until this is disposed.</summary>
        public string Path { get; }

        /// <summary>Opens the directory of <paramref name="path"/> when the path is too long.</summary>
        public static ShortDirectory Of(string path) => new(path);

        /// <inheritdoc/>
        public void Dispose() => _directory?.Dispose();
    }
}
