using System.Buffers.Binary;
using System.Net.Sockets;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.Tests.Tools;

public sealed class SshAgentProxyTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(11)]
    [InlineData(13)]
    public async Task KeysAreListedAndUsed(byte request)
    {
        await using var agent = new FakeAgent(_directory.At("agent"));
        await using var proxy = Lend(agent);
        Assert.Equal([12, 1, 2, 3], await AskAsync([request, 7, 7]));
        Assert.Equal([[request, 7, 7]], agent.Seen);
    }

    [Theory]
    [InlineData(17)]
    [InlineData(18)]
    [InlineData(19)]
    [InlineData(22)]
    [InlineData(25)]
    [InlineData(27)]
    [InlineData(0)]
    [InlineData(255)]
    public async Task NothingElseGetsToTheAgent(byte request)
    {
        await using var agent = new FakeAgent(_directory.At("agent"));
        await using var proxy = Lend(agent);
        Assert.Equal([5], await AskAsync([request, 1]));
        Assert.Empty(agent.Seen);
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(uint.MaxValue)]
    [InlineData(300_000u)]
    public async Task AMessageOfNoSensibleLengthEndsTheConnection(uint length)
    {
        await using var agent = new FakeAgent(_directory.At("agent"));
        await using var proxy = Lend(agent);
        using var socket = await ConnectAsync();
        byte[] header = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(header, length);
        await socket.SendAsync(header);
        Assert.Equal(0, await socket.ReceiveAsync(new byte[1]));
        Assert.Equal([12, 1, 2, 3], await AskAsync([11]));
    }

    [Fact]
    public async Task AnAgentThatIsGoneEndsTheConnectionAndNoMore()
    {
        var agent = new FakeAgent(_directory.At("agent"));
        await using var proxy = Lend(agent);
        await agent.DisposeAsync();
        using var socket = await ConnectAsync();
        Assert.Equal(0, await socket.ReceiveAsync(new byte[1]));
    }

    [Fact]
    public void AnAgentThatIsNotThereIsSaidWithTheCure()
    {
        var error = Assert.Throws<ToolException>(() => new SshAgentProxy(_directory.At("absent")));
        Assert.Contains("ssh-agent", error.Message, StringComparison.Ordinal);
    }

    private SshAgentProxy Lend(FakeAgent agent)
    {
        var proxy = new SshAgentProxy(agent.Path);
        proxy.Listen(_directory.At("lent"), 0b110_000_000, 0, 0);
        return proxy;
    }

    private async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(_directory.At("lent")));
        return socket;
    }

    private async Task<byte[]> AskAsync(byte[] message)
    {
        using var socket = await ConnectAsync();
        await socket.SendAsync(FakeAgent.Framed(message));
        return await FakeAgent.ReceiveAsync(socket);
    }

    private sealed class FakeAgent : IAsyncDisposable
    {
        private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        private readonly Task _serving;

        public FakeAgent(string path)
        {
            Path = path;
            _listener.Bind(new UnixDomainSocketEndPoint(path));
            _listener.Listen();
            _serving = ServeAsync();
        }

        public string Path { get; }

        public List<byte[]> Seen { get; } = [];

        public static byte[] Framed(byte[] message)
        {
            byte[] framed = [0, 0, 0, 0, .. message];
            BinaryPrimitives.WriteInt32BigEndian(framed, message.Length);
            return framed;
        }

        public static async Task<byte[]> ReceiveAsync(Socket socket)
        {
            await using var stream = new NetworkStream(socket);
            byte[] length = new byte[4];
            if (await stream.ReadAtLeastAsync(length, 4, throwOnEndOfStream: false) < 4)
                return [];
            byte[] message = new byte[BinaryPrimitives.ReadInt32BigEndian(length)];
            await stream.ReadExactlyAsync(message);
            return message;
        }

        public async ValueTask DisposeAsync()
        {
            _listener.Dispose();
            File.Delete(Path);
            await _serving;
        }

        private async Task ServeAsync()
        {
            try
            {
                while (true)
                {
                    using var client = await _listener.AcceptAsync();
                    if (await ReceiveAsync(client) is { Length: > 0 } message)
                    {
                        Seen.Add(message);
                        await client.SendAsync(Framed([12, 1, 2, 3]));
                    }
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
            }
        }
    }
}
