using System.Net;
using System.Net.Sockets;
using Ingot.Server.Api;

namespace Ingot.Cli.Tests;

public sealed class ServerClientTests
{
    [Fact]
    public async Task AServerThatDoesNotAnswerIsUnreachableAndNobodyWasInterrupted()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        using var client = new ServerClient(new AddressConnection(new Uri($"http://{silent.LocalEndpoint}/")), token: null,
            TimeSpan.FromMilliseconds(200));

        var e = await Assert.ThrowsAsync<ServerException>(() =>
            client.GetAsync("api/v1/health", ApiJson.Default.HealthReply, CancellationToken.None));
        Assert.Equal("unreachable", e.Code);
        Assert.Contains("did not answer within 0.2 s", e.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ServerException>(() => client.GetTextAsync("api/v1/log", CancellationToken.None));
    }

    [Fact]
    public async Task WhoeverStopsItIsToldThatItWasStopped()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        using var client = new ServerClient(new AddressConnection(new Uri($"http://{silent.LocalEndpoint}/")), token: null);
        using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.GetTextAsync("api/v1/log", stop.Token));
    }
}
