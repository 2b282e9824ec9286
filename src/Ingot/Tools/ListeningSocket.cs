using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Ingot.Oci.Linux;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Tools;

/// <summary>A socket on which connections arrive. It is held apart from the program that accepts them: while anybody holds it,
/// connections wait in its queue and none is refused.</summary>
public sealed class ListeningSocket : IDisposable
{
    // The kernel takes less where its own limit is lower.
    private const int Queue = 4096;

    private readonly IDisposable? _socket;

    private ListeningSocket(IPEndPoint address, SafeHandle handle, IDisposable? socket = null)
    {
        Address = address;
        Handle = handle;
        _socket = socket;
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint Address { get; }

    /// <summary>The open file.</summary>
    public SafeHandle Handle { get; }

    /// <summary>Takes an address for itself alone: a second socket on it is refused by the kernel, whoever asks. Throws, and has changed
    /// nothing, when somebody has it.</summary>
    public static ListeningSocket Bind(IPEndPoint address)
    {
        // Without SO_REUSEPORT, with which two programs would share an address and neither would notice.
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Blocking = false;
            // Every address means those of IPv4 too, as the system has it by default.
            if (address.Address.Equals(IPAddress.IPv6Any))
                socket.DualMode = true;
            socket.Bind(address);
            socket.Listen(Queue);
            return new ListeningSocket(address, socket.SafeHandle, socket);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new ToolException("haproxy", Explain(address, e), e);
        }
    }

    /// <summary>The socket of an address that one of some processes holds, held here too. Null when none of them has one.</summary>
    public static ListeningSocket? TryTake(IPEndPoint address, IEnumerable<int> processes)
    {
        var inodes = ListeningSockets.Of(address, exactly: true);
        if (inodes.Count == 0)
            return null;

        foreach (int process in processes)
        {
            foreach (int descriptor in ListeningSockets.Descriptors(process, inodes))
            {
                if (TryDuplicate(process, descriptor) is { } handle)
                    return new ListeningSocket(address, handle);
            }
        }

        return null;
    }

    /// <summary>Lets go of it here. Whoever else holds it goes on.</summary>
    public void Dispose()
    {
        _socket?.Dispose();
        Handle.Dispose();
    }

    // A process that ended meanwhile has nothing to take; one that may not be looked into is said.
    private static SafeFileHandle? TryDuplicate(int process, int descriptor)
    {
        int opened = Libc.PidFdOpen(process);
        if (opened < 0)
            return null;

        using var handle = new SafeFileHandle(opened, ownsHandle: true);
        int taken = Libc.PidFdGetFd(handle, descriptor);
        if (taken >= 0)
            return new SafeFileHandle(taken, ownsHandle: true);
        return LinuxError.Last == Kernel.EPERM
            ? throw new ToolException("haproxy",
                $"the listening socket of the process {process} could not be taken over: {LinuxError.Message}; run the server as root")
            : null;
    }

    private static string Explain(IPEndPoint address, SocketException e) => e.SocketErrorCode switch
    {
        SocketError.AddressAlreadyInUse =>
            $"could not listen at '{address}': {ListeningSockets.HolderOf(address)}; end it, or give the service another 'listen'",
        SocketError.AddressNotAvailable =>
            $"could not listen at '{address}': this host has no such address; give the service another 'listen'",
        SocketError.AccessDenied =>
            $"could not listen at '{address}': this user may not; run the server as root, or give the service a port from 1024 on",
        _ => $"could not listen at '{address}': {IngotException.ReasonOf(e)}",
    };
}

/// <summary>The sockets on which this host's processes listen, as the kernel lists them
/// (<see href="https://man7.org/linux/man-pages/man5/proc_pid_net.5.html">proc_pid_net</see>).</summary>
internal static class ListeningSockets
{
    private const string Listening = "0A";

    /// <summary>The inodes of those at an address: exactly that one, or all that keep others from it.</summary>
    public static HashSet<string> Of(IPEndPoint address, bool exactly) =>
    [
        .. from file in new[] { "/proc/net/tcp", "/proc/net/tcp6" }
           where File.Exists(file)
           from line in File.ReadLines(file).Skip(1)
           let words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
           let local = words.Length > 9 && words[3] == Listening ? Read(words[1]) : null
           where local is not null && (exactly ? local.Equals(address) : Overlap(local, address))
           select words[9],
    ];

    /// <summary>The numbers under which a process has one of some sockets open.</summary>
    public static IReadOnlyList<int> Descriptors(int process, HashSet<string> inodes)
    {
        var found = new List<int>();
        foreach (var file in Files(process))
        {
            if (TargetOf(file) is { } target && target.StartsWith("socket:[", StringComparison.Ordinal) && inodes.Contains(target[8..^1]))
                found.Add(int.Parse(file.Name, CultureInfo.InvariantCulture));
        }

        return found;
    }

    /// <summary>Who has an address, as far as this process may look.</summary>
    public static string HolderOf(IPEndPoint address)
    {
        var inodes = Of(address, exactly: false);
        int holder = Processes.All().Where(process => Descriptors(process, inodes).Count > 0)
            .OrderBy(HaproxyKeeper.IsKeeper).FirstOrDefault();
        return holder > 0
            ? string.Create(CultureInfo.InvariantCulture, $"'{Processes.NameOf(holder)}' (process {holder}) has that address")
            : "another program has that address";
    }

    private static FileInfo[] Files(int process)
    {
        try
        {
            return new DirectoryInfo(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/fd")).GetFiles();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static string? TargetOf(FileInfo file)
    {
        try
        {
            return file.LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static bool Overlap(IPEndPoint a, IPEndPoint b) =>
        a.Port == b.Port && (a.Address.Equals(b.Address) || IsWildcard(a.Address) || IsWildcard(b.Address));

    private static bool IsWildcard(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);

    // Words of four bytes, each in the processor's order, and the port as a number.
    internal static IPEndPoint? Read(string text)
    {
        if (text.Split(':') is not [{ Length: 8 or 32 } address, var port]
            || !int.TryParse(port, NumberStyles.HexNumber, CultureInfo.InvariantCulture, out int number))
            return null;

        var bytes = new byte[address.Length / 2];
        for (int i = 0; i < address.Length / 8; i++)
        {
            if (!uint.TryParse(address.AsSpan(i * 8, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out uint word))
                return null;
            BitConverter.TryWriteBytes(bytes.AsSpan(i * 4), word);
        }

        return new IPEndPoint(new IPAddress(bytes), number);
    }
}
