using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Layouts;
using Ingot.Server.Storage;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.Cli.Tests;

public sealed class LocalServerTests
{
    private const string Secret = "0123456789abcdef0123456789abcdef0123456789abcdef";

    // An engine that is started after another was killed must not end what that one ran.
    [Theory]
    [InlineData(null, false, "--live-restore")]
    [InlineData("""{"dns": ["192.0.2.1"]}""", false, "--live-restore")]
    [InlineData("""{"live-restore": false}""", false, null)]
    [InlineData(null, true, null)]
    public async Task AnEngineIsStartedSoThatInstancesGoOn(string? settings, bool isSwarm, string? expected)
    {
        string directory = Directory.CreateTempSubdirectory("dockerd-").FullName;
        string file = Path.Combine(directory, "daemon.json"), swarm = Path.Combine(directory, "docker-state.json");
        if (settings is not null)
            await File.WriteAllTextAsync(file, settings, TestContext.Current.CancellationToken);
        if (isSwarm)
            await File.WriteAllTextAsync(swarm, "{}", TestContext.Current.CancellationToken);
        Assert.Equal(expected is null ? [] : [expected], Dockerd.Arguments(file, swarm));
        Directory.Delete(directory, recursive: true);
    }

    [Theory]
    [InlineData("log show --from 900", "there is nothing from entry 900 on: the ledger has")]
    [InlineData("log show --from 900 --follow", "there is nothing from entry 900 on")]
    [InlineData("log show --from -1", "there is nothing from entry -1 on")]
    [InlineData("log prove 900", "there is no entry 900")]
    [InlineData("status nothing", "there is no service 'nothing'")]
    [InlineData("instances nothing", "there are no services")]
    public async Task WhatTheServerDoesNotHaveIsAnError(string line, string expected)
    {
        await using var program = new ChildProgram();
        await program.ServeAsync();
        var run = await program.RunAsync(line.Split(' '));
        Assert.Equal((2, ""), (run.ExitCode, run.Output));
        Assert.Contains(expected, run.Error, StringComparison.Ordinal);

        var json = await program.RunAsync([.. line.Split(' '), "-o", "json"]);
        Assert.Equal((2, ""), (json.ExitCode, json.Error));
        Assert.Contains("\"error\":{", json.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AConfiguredServerIsShownTheTokenThatWasGivenAndNeverTheHomes()
    {
        await using var program = new ChildProgram();
        await using var stranger = new Eavesdropper();
        LeaveToken(program);
        program.Environment["INGOT_SERVER"] = $"http://{stranger.Address}";
        await program.RunAsync("status");
        Assert.Contains("GET /api/v1/status", stranger.Heard, StringComparison.Ordinal);
        Assert.DoesNotContain("Authorization", stranger.Heard, StringComparison.OrdinalIgnoreCase);
        await program.RunAsync("pull", $"{stranger.Address}/shop/web:1");
        Assert.DoesNotContain(Secret, stranger.Heard, StringComparison.Ordinal);

        program.Environment["INGOT_TOKEN"] = "given";
        await program.RunAsync("status");
        Assert.Contains("Authorization: Bearer given", stranger.Heard, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, stranger.Heard, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnAnswerThatIsNotOursIsSaidInWords()
    {
        await using var program = new ChildProgram();
        await using var stranger = new Eavesdropper();
        program.Environment["INGOT_SERVER"] = $"http://{stranger.Address}";
        var run = await program.RunAsync("keys", "list");
        Assert.NotEqual(0, run.ExitCode);
        Assert.Contains("gave an answer that no Ingot server gives", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task KeysOfALedgerThatCannotBeOpenedSayWhyAndLookForNoServer()
    {
        await using var program = new ChildProgram();
        Assert.Equal(0, (await program.RunAsync("keys", "list")).ExitCode);
        File.Delete(Path.Combine(program.Home, "keys", "log.key"));
        var run = await program.RunAsync("keys", "list");
        Assert.NotEqual(0, run.ExitCode);
        Assert.Contains("log.key' is missing", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task KeysWithoutAServerTakeNoReasonThatCannotBeSeen()
    {
        await using var program = new ChildProgram();
        Assert.Equal(0, (await program.RunAsync("keys", "create")).ExitCode);
        var run = await program.RunAsync("keys", "retire", "own", "--why", "left\nroot approved it\u001b[2J");
        Assert.NotEqual(0, run.ExitCode);
        Assert.Contains("invisible", run.Error, StringComparison.Ordinal);
        Assert.Equal(0, (await program.RunAsync("keys", "retire", "own", "--why", "left")).ExitCode);
    }

    [Fact]
    public async Task ATokenFollowsNoRedirect()
    {
        await using var program = new ChildProgram();
        await using var other = new Eavesdropper();
        await using var stranger = new Eavesdropper($"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{other.Address}/api/v1/status\r\n"
            + "Content-Length: 0\r\nConnection: close\r\n\r\n");
        program.Environment["INGOT_SERVER"] = $"http://{stranger.Address}";
        program.Environment["INGOT_TOKEN"] = "given";
        Assert.Equal(ExitCode.WrongEnvironment, (await program.RunAsync("status")).ExitCode);
        Assert.Equal("", other.Heard);
    }

    [Fact]
    public async Task NoProxyIsToldWhatIsSaidToThisHost()
    {
        await using var program = new ChildProgram();
        await using var proxy = new Eavesdropper();
        await using var server = new Eavesdropper();
        program.Environment["http_proxy"] = $"http://{proxy.Address}";
        program.Environment["INGOT_SERVER"] = $"http://{server.Address}";
        program.Environment["INGOT_TOKEN"] = "given";
        await program.RunAsync("status");
        await program.RunAsync("pull", $"{server.Address}/shop/web:1");
        Assert.Contains("Bearer given", server.Heard, StringComparison.Ordinal);
        Assert.Equal("", proxy.Heard);
    }

    [Theory]
    [InlineData("http://192.0.2.1:7070", true)]
    [InlineData("http://ingot.example", true)]
    [InlineData("https://ingot.example", false)]
    [InlineData("http://127.0.0.1:7070", false)]
    [InlineData("http://localhost:7070", false)]
    [InlineData("http://[::1]:7070", false)]
    public void ATokenIsNotSentInPlainTextOverANetwork(string server, bool refused)
    {
        using var anonymous = LocalServer.Connect(LocalServer.ParseServer(server), token: null);
        if (refused)
            Assert.Throws<InvalidInputException>(() => LocalServer.Connect(LocalServer.ParseServer(server), "token"));
        else
            LocalServer.Connect(LocalServer.ParseServer(server), "token").Dispose();
    }

    [Theory]
    [InlineData("ftp://host")]
    [InlineData("127.0.0.1:7070")]
    [InlineData("http://user:token@host")]
    public void WhatIsNotAnAddressIsRefused(string text) => Assert.Throws<InvalidInputException>(() => LocalServer.ParseServer(text));

    [Theory]
    [InlineData("127.0.0.1:7070", "http://127.0.0.1:7070/", true)]
    [InlineData("localhost:7070", "http://127.0.0.1:7070/", true)]
    [InlineData("[::1]:7070", "http://127.0.0.1:7070/", true)]
    [InlineData("127.0.0.1:7071", "http://127.0.0.1:7070/", false)]
    [InlineData("evil.example:7070", "http://127.0.0.1:7070/", false)]
    [InlineData("127.0.0.1:7070@evil.example", "http://127.0.0.1:7070/", false)]
    [InlineData("127.0.0.1.evil.example:7070", "http://127.0.0.1:7070/", false)]
    [InlineData("ingot.example", "https://ingot.example/", true)]
    [InlineData("ingot.example.evil.example", "https://ingot.example/", false)]
    public void OurServerIsKnownByItsName(string registry, string server, bool ours) =>
        Assert.Equal(ours, HomeSurroundings.Names(registry, new Uri(server)));

    [Fact]
    public async Task CommandsFindTheServerInTheirHomeAndProveWhoTheyAre()
    {
        await using var program = new ChildProgram();
        await using var proxy = new Eavesdropper();
        program.Environment["http_proxy"] = $"http://{proxy.Address}";
        await program.ServeAsync();
        Assert.Equal(0, (await program.RunAsync("status")).ExitCode);

        var made = await program.RunAsync("tokens", "create", "ann", "--role", "approver", "--expires", "1h");
        Assert.Equal(0, made.ExitCode);
        string token = made.Output.Trim();
        Assert.StartsWith("ingot_", token, StringComparison.Ordinal);
        Assert.Equal(1, (await program.RunAsync("tokens", "create", "ann")).ExitCode);
        Assert.Equal(2, (await program.RunAsync("tokens", "create", "Ann")).ExitCode);
        Assert.Equal(2, (await program.RunAsync("tokens", "create", "bob", "--expires", "soon")).ExitCode);

        program.Environment["INGOT_TOKEN"] = token;
        Assert.Equal(0, (await program.RunAsync("status")).ExitCode);
        Assert.Equal(1, (await program.RunAsync("tokens", "list")).ExitCode);
        program.Environment.Remove("INGOT_TOKEN");
        Assert.Contains("ann", (await program.RunAsync("tokens", "revoke", "ann")).Output, StringComparison.Ordinal);
        Assert.Equal("", proxy.Heard);
    }

    [Fact]
    public async Task APushToTheHomesServerIsByItsOwner()
    {
        await using var program = new ChildProgram();
        await program.ServeAsync();
        string archive = await SampleArchiveAsync(program);
        Assert.Equal(0, (await program.RunAsync("import", archive, "--name", "sample:1")).ExitCode);
        var pushed = await program.RunAsync("push", "sample:1", $"localhost:{program.Port}/shop/sample:1", "--no-evidence");
        Assert.True(pushed.ExitCode == 0, pushed.ToString());
        using var log = JsonDocument.Parse((await program.RunAsync("log", "show", "-o", "json")).Output);
        var bound = log.RootElement.GetProperty("entries").EnumerateArray().Single(e => e.GetProperty("kind").GetString() == "tag-bound");
        Assert.Equal(Ingot.Server.Access.Principal.NameOf(Environment.UserName), bound.GetProperty("actor").GetString());
    }

    [Fact]
    public async Task ALongHomeHasASocketToo()
    {
        string root = Directory.CreateTempSubdirectory("ingot-long-").FullName;
        await using (var program = new ChildProgram { Home = Path.Combine(root, new string('a', 100), new string('b', 100)) })
        {
            await program.ServeAsync();
            Assert.Equal(0, (await program.RunAsync("status")).ExitCode);
        }

        Directory.Delete(root, recursive: true);
    }

    [Fact]
    public void WhyAServerDidNotStartIsReadFromWhatItSaidThisTime()
    {
        string log = Path.Combine(Directory.CreateTempSubdirectory("ingot-log-").FullName, "server.log");
        Assert.Null(LocalServer.ErrorIn(log, 0));
        File.WriteAllText(log, "error: of last time\ninfo: it ran\n");
        long before = new FileInfo(log).Length;
        Assert.Null(LocalServer.ErrorIn(log, before));
        File.AppendAllText(log, "info: error: in a name\nerror: could not listen at '127.0.0.1:7070'\n");
        Assert.Equal("could not listen at '127.0.0.1:7070'", LocalServer.ErrorIn(log, before));
        File.WriteAllText(log, "error: after the log was cut\n");
        Assert.Null(LocalServer.ErrorIn(log, before));
        Directory.Delete(Path.GetDirectoryName(log)!, recursive: true);
    }

    [Fact]
    public async Task AServerThatWasKilledLeavesNothingInTheWay()
    {
        await using var program = new ChildProgram();
        var first = await program.ServeAsync();
        first.Kill();
        await first.WaitForExitAsync();
        await program.ServeAsync();
        Assert.Equal(0, (await program.RunAsync("status")).ExitCode);
    }

    [Fact]
    public async Task AnAddressThatIsTakenEndsTheServerWithThree()
    {
        await using var program = new ChildProgram();
        await using var stranger = new Eavesdropper();
        var ended = await program.RunAsync("serve", "--listen", stranger.Address);
        Assert.Equal(ExitCode.WrongEnvironment, ended.ExitCode);
        Assert.Contains($"error: could not listen at '{stranger.Address}': another program has that address", ended.Error,
            StringComparison.Ordinal);
        Assert.Equal("", stranger.Heard);
    }

    [Fact]
    public async Task TheDirectoryAndTheEnvironmentOfWhoStartsItAddNothingToAServer()
    {
        string directory = Directory.CreateTempSubdirectory("ingot-hostile-").FullName;
        int[] ports =
            [ChildProgram.FreePort(), ChildProgram.FreePort(), ChildProgram.FreePort(), ChildProgram.FreePort(), ChildProgram.FreePort()];
        string settings =
            """{"Kestrel":{"Endpoints":{"Evil":{"Url":"http://127.0.0.1:FIRST"}}},"urls":"http://127.0.0.1:SECOND","AllowedHosts":"nothing"}"""
                .Replace("FIRST", $"{ports[0]}", StringComparison.Ordinal).Replace("SECOND", $"{ports[1]}", StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(directory, "appsettings.json"), settings);
        File.WriteAllText(Path.Combine(directory, "appsettings.Production.json"), settings);
        for (int i = 0; i < 50; i++)
            Directory.CreateDirectory(Path.Combine(directory, $"sub{i}"));

        await using var program = new ChildProgram { WorkingDirectory = directory };
        program.Environment["ASPNETCORE_URLS"] = $"http://127.0.0.1:{ports[2]}";
        program.Environment["DOTNET_URLS"] = $"http://127.0.0.1:{ports[3]}";
        program.Environment["Kestrel__Endpoints__Other__Url"] = $"http://127.0.0.1:{ports[4]}";
        program.Environment["ASPNETCORE_ENVIRONMENT"] = "Development";
        program.Environment["ASPNETCORE_HOSTINGSTARTUPASSEMBLIES"] = "Evil";
        var server = await program.ServeAsync();
        Assert.Equal(0, (await program.RunAsync("status")).ExitCode);
        foreach (int port in ports)
        {
            using var client = new TcpClient();
            await Assert.ThrowsAnyAsync<SocketException>(() => client.ConnectAsync("127.0.0.1", port));
        }

        Assert.Equal(0, Watches(server));
        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public async Task WhatAServerKeepsIsItsOwnersOnly()
    {
        await using var program = new ChildProgram();
        Directory.CreateDirectory(program.Home);
        File.SetUnixFileMode(program.Home, (UnixFileMode)0b111_101_101);
        await program.ServeAsync();
        Assert.Equal((UnixFileMode)0b111_000_000, File.GetUnixFileMode(program.Home));
        foreach (string path in Directory.EnumerateFileSystemEntries(program.Home, "*", SearchOption.AllDirectories))
            Assert.True((File.GetUnixFileMode(path) & (UnixFileMode)0b000_111_111) == 0,
                $"others may do something with '{path}': {File.GetUnixFileMode(path)}");
    }

    [Fact]
    public async Task AnotherUsersHomeIsRefusedBeforeAnythingOfItIsRead()
    {
        Assert.SkipUnless(UnixPeer.OwnUserId == 0, "giving a directory away needs root");
        await using var program = new ChildProgram();
        LeaveToken(program);
        using (var give = Process.Start("chown", ["65534", program.Home]))
            await give.WaitForExitAsync();
        var run = await program.RunAsync("doctor");
        Assert.Equal(ExitCode.WrongEnvironment, run.ExitCode);
        Assert.Contains("belongs to the user 65534", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ASocketThatAnotherUserListensOnIsToldNothing()
    {
        string directory = Directory.CreateTempSubdirectory("ingot-socket-").FullName;
        string path = Path.Combine(directory, "ingot.sock");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        var refused = await Assert.ThrowsAsync<ToolException>(async () => await UnixPeer.ConnectAsync(path, UnixPeer.OwnUserId + 1));
        Assert.Contains("nothing was sent", refused.Message, StringComparison.Ordinal);
        using var seen = await listener.AcceptAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, await seen.ReceiveAsync(new byte[1]));

        var (mine, peer) = await UnixPeer.ConnectAsync(path, UnixPeer.OwnUserId);
        mine.Dispose();
        Assert.Equal(new UnixPeer(Environment.ProcessId, UnixPeer.OwnUserId), peer);
        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public async Task OnlyTheProcessThatListensIsEnded()
    {
        await using var program = new ChildProgram();
        var server = await program.ServeAsync();
        var (socket, peer) = await UnixPeer.ConnectAsync(program.Socket, UnixPeer.OwnUserId);
        socket.Dispose();
        Assert.Equal(server.Id, peer.Pid);
        Assert.False(await peer.TerminateAsync(() => Task.FromResult(false)));
        Assert.True(peer.IsRunning());
        Assert.True(await peer.TerminateAsync(() => Task.FromResult(true)));
        await server.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
        Assert.False(peer.IsRunning());
        Assert.False(await peer.TerminateAsync(() => Task.FromResult(true)));
    }

    private static void LeaveToken(ChildProgram program)
    {
        HomeDirectory.Prepare(program.Home);
        Directory.CreateDirectory(Path.Combine(program.Home, "server"));
        File.WriteAllText(Path.Combine(program.Home, "server", "token"), Secret);
    }

    private static int Watches(Process process) => Directory.EnumerateFiles($"/proc/{process.Id}/fdinfo").Sum(file =>
    {
        try
        {
            return File.ReadLines(file).Count(line => line.StartsWith("inotify", StringComparison.Ordinal));
        }
        catch (IOException)
        {
            // The descriptor was closed meanwhile.
            return 0;
        }
    });

    private static async Task<string> SampleArchiveAsync(ChildProgram program)
    {
        string layout = Path.Combine(program.Home, "sample");
        var image = await SampleImage.MakeAsync(new DirectoryStore(layout), LayerCompression.Gzip, [("a", "sample")]);
        await new OciLayout(layout).SetAsync("sample:1", image.Descriptor);
        return layout;
    }
}
