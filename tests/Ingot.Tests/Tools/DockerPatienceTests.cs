using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Ingot.Instances;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.Tests.Tools;

/// <summary>Whatever the Engine does, a call ends in time, and in words.</summary>
public sealed class DockerPatienceTests
{
    private static readonly DockerPatience s_patience = new()
    {
        Answer = TimeSpan.FromMilliseconds(300),
        Work = TimeSpan.FromMilliseconds(400),
        Silence = TimeSpan.FromMilliseconds(300),
    };

    private static readonly TimeSpan s_generous = TimeSpan.FromSeconds(10);

    public static TheoryData<string> Answers =>
        ["nothing", "half a head", "a head and nothing", "a byte now and then", "a body without end", "a chunk now and then"];

    [Theory]
    [MemberData(nameof(Answers))]
    public async Task AQuestionEndsInTimeAndSaysWhatWasAskedAndHowLongWasWaited(string how)
    {
        using var peer = new HostileEngine((_, socket, stop) => AnswerAsync(how, socket, stop));
        using var engine = new DockerEngine(peer.Path, s_patience);
        Func<Task>[] calls =
        [
            () => engine.VersionAsync(),
            () => engine.FindContainerAsync("a"),
            () => engine.FindImageAsync("a"),
            () => engine.ListAsync(["a"]),
            () => engine.FindNetworksAsync("a"),
            () => engine.TryCreateAsync("a", new DockerContainerSpec { Image = "i" }),
            () => engine.TryCreateNetworkAsync("a", new Dictionary<string, string>()),
            () => engine.LogsAsync("a", 5),
        ];
        var clock = Stopwatch.StartNew();
        var failures = await Task.WhenAll(calls.Select(call => Assert.ThrowsAsync<ToolException>(call)));
        Assert.True(clock.Elapsed < s_generous, $"all ended after {clock.Elapsed}");
        foreach (var e in failures)
        {
            Assert.Matches(
                "^(asking for '|creating the (container|network) 'a'|reading the log of the container 'a').*(did not answer within 0.[34] "
                    + "s|more than [0-9]+ bytes)",
                e.Message);
        }
    }

    [Theory]
    [InlineData("nothing")]
    [InlineData("half a head")]
    public async Task WorkEndsInTimeToo(string how)
    {
        using var peer = new HostileEngine((_, socket, stop) => AnswerAsync(how, socket, stop));
        using var engine = new DockerEngine(peer.Path, s_patience);

        await Assert.ThrowsAsync<ToolException>(() => engine.StartAsync("a"));
        await Assert.ThrowsAsync<ToolException>(() => engine.StopAsync("a", 0));
        await Assert.ThrowsAsync<ToolException>(() => engine.KillAsync("a", "SIGKILL"));
        await Assert.ThrowsAsync<ToolException>(() => engine.RemoveAsync("a", force: true));
        await Assert.ThrowsAsync<ToolException>(() => engine.TryRemoveNetworkAsync("a"));
    }

    [Fact]
    public async Task AnEngineThatIsStoppedAcceptsAndNeverAnswers()
    {
        // As the kernel does for a stopped process: connections wait in the queue.
        using var directory = new TemporaryDirectory();
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(directory.At("s")));
        listener.Listen();
        using var engine = new DockerEngine(directory.At("s"), s_patience);

        Assert.False(await engine.AnswersAsync());
        var e = await Assert.ThrowsAsync<ToolException>(() => engine.ListAsync([]));
        Assert.Equal(
            $"asking for its API version failed: the Docker Engine at '{directory.At("s")}' did not answer within 0.3 s; "
                + "see whether 'docker version' answers",
            e.Message);
    }

    [Fact]
    public async Task WhoeverAsksMayGiveUpBeforeAndThatIsNoFailureOfTheEngine()
    {
        using var peer = new HostileEngine((_, socket, stop) => AnswerAsync("nothing", socket, stop));
        using var engine = new DockerEngine(peer.Path);
        using var given = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => engine.ListAsync([], given.Token));
    }

    [Theory]
    [InlineData("nothing")]
    [InlineData("half a head")]
    [InlineData("a head and nothing")]
    [InlineData("a chunk now and then")]
    [InlineData("the same line again and again")]
    public async Task APullThatDoesNotGetOnEnds(string how)
    {
        using var peer = new HostileEngine((_, socket, stop) => AnswerAsync(how, socket, stop));
        using var engine = new DockerEngine(peer.Path, s_patience with { Answer = s_generous });
        var clock = Stopwatch.StartNew();

        var e = await Assert.ThrowsAsync<ToolException>(() => engine.PullAsync("r/a", "sha256:abc"));

        Assert.Equal("pulling 'r/a@sha256:abc' failed: there was no progress for 0.3 s", e.Message);
        Assert.True(clock.Elapsed < s_generous);
    }

    [Fact]
    public async Task APullThatGetsOnMayTakeLongerThanAnySilence()
    {
        // Long enough for a machine that has much else to do.
        var patience = s_patience with { Answer = s_generous, Silence = TimeSpan.FromSeconds(2) };
        var clock = Stopwatch.StartNew();
        using var peer = new HostileEngine(async (_, socket, stop) =>
        {
            await socket.SendAsync(HostileEngine.Head("Connection: close"), stop);
            for (int i = 0; i < 30; i++)
            {
                await socket.SendAsync(
                    Encoding.ASCII.GetBytes($"{{\"status\":\"Downloading\",\"progressDetail\":{{\"current\":{i}}}}}\n"), stop);
                await Task.Delay(100, stop);
            }

            socket.Close();
        });
        using var engine = new DockerEngine(peer.Path, patience);

        await engine.PullAsync("r/a", "sha256:abc");

        Assert.True(clock.Elapsed > patience.Silence);
    }

    [Theory]
    [InlineData("{\"status\":")]
    [InlineData("[]")]
    [InlineData("\"text\"")]
    public async Task ProgressThatCannotBeReadIsAnErrorInWords(string line)
    {
        using var peer = new HostileEngine(async (_, socket, stop) =>
        {
            byte[] answer = [.. HostileEngine.Head("Connection: close"), .. Encoding.ASCII.GetBytes(line + "\n")];
            await socket.SendAsync(answer, stop);
            socket.Close();
        });
        using var engine = new DockerEngine(peer.Path);

        await Assert.ThrowsAsync<ToolException>(() => engine.PullAsync("r/a", "sha256:abc"));
    }

    [Fact]
    public async Task ATargetWhoseEngineHangsSaysSoAndNeverThatNothingIsThere()
    {
        using var directory = new TemporaryDirectory();
        using var peer = new HostileEngine((_, socket, stop) => AnswerAsync("nothing", socket, stop));
        await using var target = new DockerTarget(directory.Root, "0123456789ab", TimeProvider.System,
            new DockerEngine(peer.Path, s_patience));

        await Assert.ThrowsAsync<ToolException>(() => target.FindServicesAsync());
        await Assert.ThrowsAsync<ToolException>(() => target.DescribeAsync());
    }

    private static async Task AnswerAsync(string how, Socket socket, CancellationToken stop)
    {
        switch (how)
        {
            case "nothing":
                break;
            case "half a head":
                await socket.SendAsync("HTTP/1.1 200 OK\r\nApi-Ver"u8.ToArray(), stop);
                break;
            case "a head and nothing":
                await socket.SendAsync(HostileEngine.Head(), stop);
                break;
            case "a byte now and then":
                await socket.SendAsync(HostileEngine.Head(), stop);
                await RepeatAsync(socket, " "u8.ToArray(), TimeSpan.FromMilliseconds(50), stop);
                break;
            case "a chunk now and then":
                await socket.SendAsync(HostileEngine.Head("Transfer-Encoding: chunked"), stop);
                await RepeatAsync(socket, "1\r\n \r\n"u8.ToArray(), TimeSpan.FromMilliseconds(50), stop);
                break;
            case "the same line again and again":
                await socket.SendAsync(HostileEngine.Head("Connection: close"), stop);
                await RepeatAsync(socket, "{\"status\":\"Waiting\"}\n"u8.ToArray(), TimeSpan.FromMilliseconds(20), stop);
                break;
            case "a body without end":
                await socket.SendAsync(HostileEngine.Head("Connection: close"), stop);
                await RepeatAsync(socket, new byte[1 << 20], TimeSpan.Zero, stop);
                break;
        }

        await Task.Delay(Timeout.Infinite, stop);
    }

    private static async Task RepeatAsync(Socket socket, byte[] bytes, TimeSpan pause, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            await socket.SendAsync(bytes, stop);
            await Task.Delay(pause, stop);
        }
    }
}
