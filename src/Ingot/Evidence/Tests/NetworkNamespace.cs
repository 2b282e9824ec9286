using System.Net;
using System.Net.Sockets;
using Ingot.Oci.Linux;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Evidence.Tests;

/// <summary>Another process's network, entered only to make a socket: the socket stays in it, the thread does not live on.</summary>
internal sealed class NetworkNamespace : IDisposable
{
    private readonly SafeFileHandle _handle;

    private NetworkNamespace(SafeFileHandle handle) => _handle = handle;

    /// <summary>Opens the network of a process of this host; null if the process has ended,
    /// which its number in a listing does not tell.</summary>
    public static NetworkNamespace? TryOpen(int processId)
    {
        string process = $"/proc/{processId}";
        try
        {
            return new(File.OpenHandle($"{process}/ns/net"));
        }
        catch (Exception e) when (e is FileNotFoundException || !Directory.Exists(process))
        {
            return null;
        }
    }

    /// <summary>Connects to a port in it. The caller owns the stream.</summary>
    public async Task<Stream> ConnectAsync(IPEndPoint endPoint, CancellationToken cancellationToken)
    {
        var socket = await CreateSocketAsync(endPoint.AddressFamily);
        try
        {
            await socket.ConnectAsync(endPoint, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    // A thread that has changed its network must never go back to the pool: it makes the socket and ends.
    private Task<Socket> CreateSocketAsync(AddressFamily family)
    {
        var result = new TaskCompletionSource<Socket>(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() =>
        {
            if (Libc.SetNs(_handle, Kernel.CLONE_NEWNET) != 0)
                result.SetException(new IOException($"could not enter the sandbox's network: {LinuxError.Message}"));
            else
                Complete(result, family);
        })
        { IsBackground = true, Name = "sandbox socket" };
        thread.Start();
        return result.Task;
    }

    private static void Complete(TaskCompletionSource<Socket> result, AddressFamily family)
    {
        try
        {
            result.SetResult(new Socket(family, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
        }
        catch (SocketException e)
        {
            result.SetException(e);
        }
    }
}
