using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Ingot.Instances;
using Ingot.Templates.Project;

namespace Ingot.Tests.Instances;

public sealed class SyntheticSenderTests
{
    [Fact]
    public async Task ItSendsAtItsRateOverKeptAndNewConnectionsAndFollowsNoRedirect()
    {
        using var service = new Service(context =>
        {
            context.Response.StatusCode = 302;
            context.Response.RedirectLocation = "/elsewhere";
        });
        await using var sender = new SyntheticSender(service.Listen, "/ping?x=1", 100, TimeProvider.System);

        var seen = await Until(sender, s => s.Sent >= 50);

        Assert.Equal((0L, 0L, "/ping?x=1", 100), (seen.Failed, seen.Skipped, seen.Path, seen.Rate));
        Assert.Equal(["/ping?x=1"], service.Paths.Distinct());
        Assert.Equal([false, true], service.KeptAlive.Distinct().Order());
    }

    [Fact]
    public async Task AnswersOfFiveHundredAndConnectionsRefusedAreFailures()
    {
        using var service = new Service(context => context.Response.StatusCode = 503);
        await using var broken = new SyntheticSender(service.Listen, "/", 100, TimeProvider.System);
        await using var refused = new SyntheticSender(new ListenAddress("127.0.0.1", Service.FreePort()), "/", 100, TimeProvider.System);

        Assert.True((await Until(broken, s => s.Failed >= 10)).Failed >= 10);
        Assert.True((await Until(refused, s => s.Failed >= 10)).Failed >= 10);
    }

    [Fact]
    public async Task AServiceThatHangsCollectsNoRequestsWithoutEnd()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        await using var sender = new SyntheticSender(new ListenAddress("127.0.0.1", ((IPEndPoint)silent.LocalEndpoint).Port), "/", 50,
            TimeProvider.System);

        var seen = await Until(sender, s => s is { Skipped: > 0, Sent: >= 100 });

        // What was given up has failed; the rest is unanswered, two seconds' worth at most.
        Assert.InRange(seen.Sent - seen.Failed, 0, 100);
    }

    [Fact]
    public async Task AnAnswerWithoutEndIsLetGo()
    {
        long sent = 0;
        using var endless = new Service(context =>
        {
            try
            {
                for (int i = 0; i < 4000; i++, Interlocked.Add(ref sent, 16 << 10))
                    context.Response.OutputStream.Write(new byte[16 << 10]);
            }
            catch (HttpListenerException)
            {
                // The other side went.
            }
        });
        await using var sender = new SyntheticSender(endless.Listen, "/", 2, TimeProvider.System);

        var seen = await Until(sender, s => s.Sent >= 3);

        Assert.Equal(0, seen.Failed);
        Assert.InRange(Interlocked.Read(ref sent), 1, 48L << 20);
    }

    [Fact]
    public async Task WhatABreakDelayedIsNotMadeUpFor()
    {
        var time = new JumpingTime();
        using var service = new Service(_ => { });
        await using var sender = new SyntheticSender(service.Listen, "/", 50, time);

        await Until(sender, s => s.Sent >= 1);
        time.Jump(TimeSpan.FromHours(1));

        var seen = await Until(sender, s => s.Skipped > 0);
        Assert.InRange(seen.Skipped, 50 * 3590, 50 * 3600);
        Assert.InRange(seen.Sent, 1, 1000);
    }

    [Fact]
    public async Task AfterDisposingNothingIsSentAnyMore()
    {
        using var service = new Service(_ => { });
        var sender = new SyntheticSender(new ListenAddress("0.0.0.0", service.Listen.Port), "/", 200, TimeProvider.System);
        await Until(sender, s => s.Sent >= 10);

        await sender.DisposeAsync();
        long sent = sender.Observe().Sent;
        await Task.Delay(50);

        Assert.Equal(sent, sender.Observe().Sent);
    }

    [Fact]
    public void ARateOfNothingIsRefused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            new SyntheticSender(new ListenAddress("127.0.0.1", 1), "/", 0, TimeProvider.System));

    private static async Task<Ingot.Releases.SyntheticObservation> Until(
        SyntheticSender sender, Func<Ingot.Releases.SyntheticObservation, bool> reached)
    {
        var clock = Stopwatch.StartNew();
        while (!reached(sender.Observe()) && clock.Elapsed < TimeSpan.FromSeconds(20))
            await Task.Delay(10);
        return sender.Observe();
    }

    private sealed class JumpingTime : TimeProvider
    {
        private long _ahead;

        public override long GetTimestamp() => System.GetTimestamp() + Interlocked.Read(ref _ahead);

        public void Jump(TimeSpan by) => Interlocked.Add(ref _ahead, (long)(by.TotalSeconds * TimestampFrequency));
    }

    private sealed class Service : IDisposable
    {
        private readonly HttpListener _listener = new();

        public Service(Action<HttpListenerContext> answer)
        {
            Listen = new ListenAddress("127.0.0.1", FreePort());
            _listener.Prefixes.Add($"http://{Listen}/");
            _listener.Start();
            _ = Task.Run(() => RunAsync(answer));
        }

        public ListenAddress Listen { get; }

        // Read while requests still come.
        public ConcurrentQueue<string> Paths { get; } = [];

        public ConcurrentQueue<bool> KeptAlive { get; } = [];

        public static int FreePort()
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            return ((IPEndPoint)listener.LocalEndpoint).Port;
        }

        public void Dispose() => _listener.Close();

        private async Task RunAsync(Action<HttpListenerContext> answer)
        {
            while (true)
            {
                try
                {
                    var context = await _listener.GetContextAsync();
                    Paths.Enqueue(context.Request.RawUrl!);
                    KeptAlive.Enqueue(context.Request.KeepAlive);
                    answer(context);
                    context.Response.Close();
                }
                catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or InvalidOperationException)
                {
                    if (!_listener.IsListening)
                        return;
                }
            }
        }
    }
}
