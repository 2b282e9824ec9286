using System.Buffers.Binary;
using System.Net.Sockets;
using Ingot.Oci.Linux;

namespace Ingot.Tools;

/// <summary>Lends an SSH agent: a socket of its own, with an owner and mode of its own, through which keys can be listed and used, and
/// nothing about the agent changed (<see href="https://datatracker.ietf.org/doc/html/draft-ietf-sshm-ssh-agent">agent
/// protocol</see>).</summary>
public sealed class SshAgentProxy : IAsyncDisposable
{
    private const byte RequestIdentities = 11;
    private const byte SignRequest = 13;
    private const int MaxMessageBytes = 256 << 10;
    private const int MaxConnections = 64;

    private static readonly byte[] s_failure = [0, 0, 0, 1, 5];

    private readonly CancellationTokenSource _stop = new();
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly SemaphoreSlim _free = new(MaxConnections);
    private readonly string _agent;
    private Task _accepting = Task.CompletedTask;

    /// <summary>Lends the agent behind a socket, from when <see cref="Listen"/> is called.</summary>
    /// <param name="agent">The agent's socket.</param>
    /// <exception cref="ToolException">There is none.</exception>
    public SshAgentProxy(string agent)
    {
        if (!File.Exists(agent))
            throw new ToolException("ssh-agent",
                $"the socket '{agent}' of the SSH agent does not exist: start one with 'eval $(ssh-agent)' and 'ssh-add'");
        _agent = agent;
    }

    /// <summary>Begins to listen, once.</summary>
    /// <param name="path">The new socket, as the calling thread sees it, of at most 107 bytes.</param>
    /// <param name="mode">Its mode.</param>
    /// <param name="userId">Its owner.</param>
    /// <param name="groupId">Its group.</param>
    public void Listen(string path, int mode, uint userId, uint groupId)
    {
        _listener.Bind(new UnixDomainSocketEndPoint(path));
        _listener.Listen();
        File.SetUnixFileMode(path, (UnixFileMode)mode);
        if (Libc.LChOwn(LinuxPath.Terminated(path), userId, groupId) != 0)
            throw LinuxError.Failed($"give to {userId}:{groupId}", path);
        _accepting = Task.Run(AcceptAsync);
    }

    /// <summary>Ends every connection.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            await _free.WaitAsync(_stop.Token);
            var client = await _listener.AcceptAsync(_stop.Token);
            _ = ServeAsync(client, _stop.Token);
        }
    }

    // What goes wrong on a connection ends that connection.
    private async Task ServeAsync(Socket client, CancellationToken cancellationToken)
    {
        try
        {
            using var agent = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await agent.ConnectAsync(new UnixDomainSocketEndPoint(_agent), cancellationToken);
            using var near = new NetworkStream(client, ownsSocket: true);
            using var far = new NetworkStream(agent);
            while (await ReadAsync(near, cancellationToken) is { } question)
            {
                byte[]? answer = s_failure;
                if (question[4] is RequestIdentities or SignRequest)
                {
                    await far.WriteAsync(question, cancellationToken);
                    answer = await ReadAsync(far, cancellationToken);
                }

                if (answer is null)
                    return;
                await near.WriteAsync(answer, cancellationToken);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The other end sees the connection close.
        }
        finally
        {
            client.Dispose();
            _free.Release();
        }
    }

    // A message with its length before it; null at the end, or when it is none.
    private static async Task<byte[]?> ReadAsync(NetworkStream stream, CancellationToken cancellationToken)
    {
        byte[] length = new byte[4];
        if (await stream.ReadAtLeastAsync(length, length.Length, throwOnEndOfStream: false, cancellationToken) < length.Length)
            return null;

        uint bytes = BinaryPrimitives.ReadUInt32BigEndian(length);
        if (bytes is 0 or > MaxMessageBytes)
            return null;

        byte[] message = [.. length, .. new byte[bytes]];
        await stream.ReadExactlyAsync(message.AsMemory(length.Length), cancellationToken);
        return message;
    }
}
