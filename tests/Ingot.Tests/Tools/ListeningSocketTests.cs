using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Ingot.Tools;

namespace Ingot.Tests.Tools;

public sealed class ListeningSocketTests
{
    private static readonly int[] s_self = [Environment.ProcessId];

    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1")]
    [InlineData("127.0.0.1", "0.0.0.0")]
    [InlineData("0.0.0.0", "127.0.0.1")]
    [InlineData("[::1]", "[::]")]
    public void AnAddressBelongsToOne(string first, string second)
    {
        using var one = ListeningSocket.Bind(Free(first));

        var e = Assert.Throws<ToolException>(() => ListeningSocket.Bind(At(second, one.Address.Port)));

        string at = Regex.Escape(At(second, one.Address.Port).ToString());
        string cure = "end it, or give the service another 'listen'";
        Assert.Matches($@"^could not listen at '{at}': '.+' \(process {Environment.ProcessId}\) has that address; {cure}$", e.Message);
    }

    // Both ask for the port to be shared, as HAProxy does by itself.
    [Fact]
    public void WhoWouldShareGetsNothing()
    {
        using var sharing = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        sharing.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        sharing.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        sharing.Listen();
        Assert.Throws<ToolException>(() => ListeningSocket.Bind((IPEndPoint)sharing.LocalEndPoint!));

        using var ours = ListeningSocket.Bind(Free("127.0.0.1"));
        using var late = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        late.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        Assert.Throws<SocketException>(() => late.Bind(ours.Address));
    }

    [Fact]
    public void AnAddressThisHostDoesNotHaveIsSaid()
    {
        var e = Assert.Throws<ToolException>(() => ListeningSocket.Bind(IPEndPoint.Parse("192.0.2.1:8080")));

        Assert.Equal("could not listen at '192.0.2.1:8080': this host has no such address; give the service another 'listen'", e.Message);
    }

    [Fact]
    public void EveryAddressIsEveryAddress()
    {
        using var all = ListeningSocket.Bind(Free("[::]"));

        Connect(At("127.0.0.1", all.Address.Port)).Dispose();
        Connect(At("[::1]", all.Address.Port)).Dispose();
        Assert.NotNull(ListeningSocket.TryTake(all.Address, s_self));
    }

    // As when the process that holds it passes it on and ends: what waits in the queue is still there.
    [Fact]
    public void WhatIsTakenGoesOnWhenTheFirstLetsGo()
    {
        var first = ListeningSocket.Bind(Free("127.0.0.1"));
        using var early = Connect(first.Address);
        var second = ListeningSocket.TryTake(first.Address, s_self)!;

        first.Dispose();

        using var late = Connect(second.Address);
        using var accepting = new Socket(new SafeSocketHandle(second.Handle.DangerousGetHandle(), ownsHandle: false)) { Blocking = true };
        foreach (var client in new[] { early, late })
        {
            using var accepted = accepting.Accept();
            accepted.Send("well"u8);
            var buffer = new byte[8];
            Assert.Equal("well", Encoding.ASCII.GetString(buffer, 0, client.Receive(buffer)));
        }

        second.Dispose();
        Assert.Throws<SocketException>(() => Connect(second.Address));
        // And is free again at once, although connections of it were open just now.
        ListeningSocket.Bind(second.Address).Dispose();
    }

    [Fact]
    public void NothingIsTakenFromWhoDoesNotHaveIt()
    {
        using var held = ListeningSocket.Bind(Free("127.0.0.1"));

        Assert.Null(ListeningSocket.TryTake(held.Address, [1, 4194304]));
        Assert.Null(ListeningSocket.TryTake(held.Address, []));
        Assert.Null(ListeningSocket.TryTake(At("127.0.0.2", held.Address.Port), s_self));
        // A connection at that port is no listening socket.
        using var client = Connect(held.Address);
        Assert.Null(ListeningSocket.TryTake((IPEndPoint)client.LocalEndPoint!, s_self));
    }

    [Theory]
    [InlineData("0100007F:1F90", "127.0.0.1:8080")]
    [InlineData("00000000:0050", "0.0.0.0:80")]
    [InlineData("00000000000000000000000001000000:1F90", "[::1]:8080")]
    [InlineData("B80D0120000000000000000001000000:FFFF", "[2001:db8::1]:65535")]
    public void TheKernelsAddressesAreRead(string text, string address) =>
        Assert.Equal(IPEndPoint.Parse(address), ListeningSockets.Read(text));

    [Theory]
    [InlineData("")]
    [InlineData("local_address")]
    [InlineData("0100007F")]
    [InlineData("0100007F:")]
    [InlineData("0100007F:XY")]
    [InlineData("0100007:1F90")]
    [InlineData("0100007G:1F90")]
    [InlineData("01:00:00:7F")]
    public void WhatIsNoAddressIsNone(string text) => Assert.Null(ListeningSockets.Read(text));

    private static IPEndPoint At(string address, int port) => new(IPAddress.Parse(address.Trim('[', ']')), port);

    private static IPEndPoint Free(string address)
    {
        using var probe = new TcpListener(IPAddress.Parse(address.Trim('[', ']')), 0);
        probe.Start();
        return (IPEndPoint)probe.LocalEndpoint;
    }

    private static Socket Connect(IPEndPoint address)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(address);
        return socket;
    }
}
