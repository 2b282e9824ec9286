using System.Diagnostics;
using System.Net;
using System.Text;
using Ingot.Builds;
using Ingot.Diagnostics;

namespace Ingot.SystemTests.Builds;

/// <summary>COPY and ADD in real images: over real layers, seen by real commands.</summary>
public sealed class AddTests(BuildFixture fixture) : IClassFixture<BuildFixture>
{
    private const string Epoch = "315532800";

    [Fact]
    public async Task ALinkedLayerIsMadeOnceWhateverIsBelow()
    {
        Skip();
        const string Copy = "COPY --link --chown=7:8 a /opt/deep/a\n";
        var first = await fixture.BuildAsync("FROM base\nRUN ln -s /etc /opt/deep\n" + Copy, ("a", "linked"));
        var second = await fixture.BuildAsync(
            "FROM base\nRUN mkdir -m 700 /opt/deep && echo other > /opt/other\n" + Copy
                + "RUN cat /opt/deep/a && stat -c '%a %u:%g' /opt/deep",
            ("a", "linked"));
        Assert.DoesNotContain(Copy.Trim(), second.Progress.Started);
        Assert.Contains(first.Image.Manifest.Layers[^1].Digest, second.Image.Manifest.Layers.Select(l => l.Digest));
        Assert.Equal([$"Directory opt 755 7:8 {Epoch}", $"Directory opt/deep 755 7:8 {Epoch}", $"File opt/deep/a 644 7:8 {Epoch}"],
            await first.LayerAsync(0));
        Assert.Equal(["linked755 7:8"], second.Progress.Lines);
    }

    [Fact]
    public async Task AnUnlinkedLayerFollowsWhatIsBelow()
    {
        Skip();
        var built = await fixture.BuildAsync("FROM base\nRUN ln -s /etc /opt/deep\nCOPY a /opt/deep/a\n", ("a", "x"));
        Assert.Equal([$"File etc/a 644 0:0 {Epoch}"], await built.LayerAsync(0));
    }

    [Fact]
    public async Task AnOwnerThatIsANameHasNoMeaningOverNothing()
    {
        Skip();
        var e = await Assert.ThrowsAsync<InvalidInputException>(() =>
            fixture.BuildAsync("FROM base\nCOPY --link --chown=daemon a /a\n", ("a", "x")));
        Assert.Contains("user 'daemon' is a name", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatAStageHasIsCopiedWithItsBitsLinksAndCapabilities()
    {
        Skip();
        var built = await fixture.BuildAsync("""
            FROM base AS build
            RUN apt-get update && apt-get install -y --no-install-recommends libcap2-bin
            RUN mkdir -p /out/s && cp /bin/true /out/cap && setcap cap_net_raw=ep /out/cap && cp /bin/true /out/suid && chmod 4755 /out/suid && ln /out/suid /out/s/again \
             && mkfifo -m 600 /out/pipe && ln -s suid /out/l && chmod 2775 /out/s && mknod /out/null c 1 3
            FROM base
            COPY --from=build --chown=5:6 /out /in/
            COPY --from=build --exclude=s --exclude=null /out /less/
            COPY --from=build --parents /out/./s /out/l /kept/
            COPY --from=build /out/l /followed
            RUN test -p /in/pipe && test -c /in/null && test "$(stat -c %i /in/suid)" = "$(stat -c %i /in/s/again)"
            """);
        Assert.Equal(["File followed 4755 0:0"], Sorted(await built.LayerAsync(0)));
        Assert.Equal(
            ["Directory kept 755 0:0", "Directory kept/out 755 0:0", "Directory kept/s 2775 0:0", "File kept/s/again 4755 0:0",
                "SymbolicLink kept/out/l 777 0:0 -> suid"],
            Sorted(await built.LayerAsync(1)));
        Assert.Equal(
            ["Directory less 755 0:0", "Fifo less/pipe 600 0:0", "File less/cap 755 0:0 security.capability", "File less/suid 4755 0:0",
                "SymbolicLink less/l 777 0:0 -> suid"],
            Sorted(await built.LayerAsync(2)));
        Assert.Contains("HardLink in/suid 4755 5:6 -> in/s/again", (await built.LayerAsync(3)).Select(Timeless));
        Assert.Contains("File in/cap 755 5:6 security.capability", (await built.LayerAsync(3)).Select(Timeless));
    }

    [Fact]
    public async Task AnArchiveIsUnpackedOverTheImageAndNothingElse()
    {
        Skip();
        string project = Directory.CreateTempSubdirectory("ingot-add-").FullName;
        try
        {
            Shell(project, """
                mkdir -p t/lib t/opt && echo lib > t/lib/ingot-test && ln -s /etc t/out && echo tool > t/opt/tool && chmod 4711 t/opt/tool && ln t/opt/tool t/opt/again
                tar --owner=3 --group=4 --mtime=@1000 -C t -cJf a.tar.xz lib/ingot-test opt out && cp a.tar.xz no-suffix && rm -r t
                """);
            BuildFixture.Write(project, new Dictionary<string, string>
            {
                ["ingot.yaml"] = BuildFixture.Base + "  app: { dockerfile: Dockerfile }\n",
                ["Dockerfile"] = "FROM base\nADD no-suffix /\nADD --unpack=false a.tar.xz /kept/\nCOPY a.tar.xz /copied/\n"
                    + "RUN cat /usr/lib/ingot-test && stat -c '%a %u:%g %h %Y' /opt/again && readlink /out && ls /kept /copied "
                    + "&& test -L /lib\n",
            });
            var built = await fixture.BuildAtAsync(project, s => s, CancellationToken.None);
            Assert.Equal(["lib", "4711 3:4 2 1000", "/etc", "/copied:", "a.tar.xz", "", "/kept:", "a.tar.xz"], built.Progress.Lines);
        }
        finally
        {
            Directory.Delete(project, recursive: true);
        }
    }

    [Fact]
    public async Task AFileOfAWebServerIsFetchedOnceAndAskedAbout()
    {
        Skip();
        await using var server = new StaticServer(path => path == "/file" ? Encoding.ASCII.GetBytes("from afar\n") : null);
        string dockerfile = $"FROM base\nADD {server.Root.Replace("://", "://me:hidden@", StringComparison.Ordinal)}/file /opt/\n"
            + "RUN cat /opt/file && stat -c '%a %u:%g %Y' /opt/file\n";
        var built = await fixture.BuildAsync(dockerfile);
        Assert.Equal(["from afar", $"600 0:0 {Epoch}"], built.Progress.Lines);
        Assert.DoesNotContain("hidden", string.Join('\n', built.History) + string.Join('\n', built.Progress.Started),
            StringComparison.Ordinal);
        Assert.Equal(Ingot.Oci.Content.Digest.Of("from afar\n"u8).ToString(), Assert.Single(built.Image.Record.Materials).Identity);
        Assert.Empty((await fixture.BuildAsync(dockerfile)).Progress.Started);
        Assert.DoesNotContain(Directory.EnumerateFiles(Path.Combine(fixture.Home, "cache", "steps")),
            f => File.ReadAllText(f).Contains("hidden", StringComparison.Ordinal));

        string wrong = new('0', 64);
        var e = await Assert.ThrowsAsync<UnavailableException>(() =>
            fixture.BuildAsync($"FROM base\nADD --checksum=sha256:{wrong} {server.Root}/file /opt/\n"));
        Assert.StartsWith("Dockerfile:2:1: error: ", e.Message, StringComparison.Ordinal);
        Assert.Contains(wrong, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ARepositoryIsAddedAtItsCommit()
    {
        Skip();
        string repository = Directory.CreateTempSubdirectory("ingot-repository-").FullName;
        try
        {
            Shell(repository, """
                git init -q -b main . && mkdir d && echo one > d/f && chmod 755 d/f && git add . && git -c user.name=t -c user.email=t@example.org commit -q -m one && git tag v1
                git -c user.name=t -c user.email=t@example.org commit -q --allow-empty -m two && git update-server-info
                """);
            await using var server = new StaticServer(path => File.Exists(repository + path) ? File.ReadAllBytes(repository + path) : null);
            string dockerfile = $"FROM base\nADD {server.Root}/.git#v1:d /opt/\nADD --keep-git-dir=true {server.Root}/.git#v1 /src/\n"
                + "RUN cat /opt/f && stat -c %a /opt/f /opt && ls -A /opt && cat /src/.git/HEAD\n";
            var built = await fixture.BuildAsync(dockerfile);
            string commit = Shell(repository, "git rev-parse v1").Trim();
            Assert.Equal(["one", "755", "755", "f", commit], built.Progress.Lines);
            Assert.Equal([commit], built.Image.Record.Materials.Select(m => m.Identity).Distinct());
            Assert.Empty((await fixture.BuildAsync(dockerfile)).Progress.Started);
        }
        finally
        {
            Directory.Delete(repository, recursive: true);
        }
    }

    [Fact]
    public async Task ARepositoryMayBeAContextOfAnyName()
    {
        Skip();
        string repository = Directory.CreateTempSubdirectory("ingot-repository-").FullName;
        try
        {
            Shell(repository, "git init -q -b main . && mkdir d && echo one > d/f && git add . "
                + "&& git -c user.name=t -c user.email=t@example.org commit -q -m one && git update-server-info");
            await using var server = new StaticServer(path => File.Exists(repository + path) ? File.ReadAllBytes(repository + path) : null);
            var built = await fixture.BuildWithContextsAsync(
                """
                FROM base
                COPY --from=docker.io/library/source:latest d/f /copied
                RUN --mount=from=source,target=/m --mount=from=source,source=d/f,target=/f cat /copied /m/d/f /f && ls -A /m
                """,
                new Dictionary<string, string> { ["source"] = server.Root + "/.git#main" });
            Assert.Equal(["one", "one", "one", "d"], built.Progress.Lines);
            Assert.Equal([Shell(repository, "git rev-parse main").Trim()], built.Image.Record.Materials.Select(m => m.Identity).Distinct());
        }
        finally
        {
            Directory.Delete(repository, recursive: true);
        }
    }

    [Fact]
    public async Task WorkingDirectoriesAreTheirUsersWithTheGroupOfTheNumber()
    {
        Skip();
        var built = await fixture.BuildAsync("FROM base\nUSER 1234\nWORKDIR /w/d\nUSER daemon\nWORKDIR /x\n");
        Assert.Equal([$"Directory x 755 1:1 {Epoch}"], await built.LayerAsync(0));
        Assert.Equal([$"Directory w 755 1234:1234 {Epoch}", $"Directory w/d 755 1234:1234 {Epoch}"], await built.LayerAsync(1));
    }

    private static void Skip() => Assert.SkipUnless(BuildFixture.Missing is null, BuildFixture.Missing ?? "");

    private static string Timeless(string line)
    {
        var words = line.Split(' ').ToList();
        words.RemoveAt(4);
        return string.Join(' ', words);
    }

    private static IEnumerable<string> Sorted(IEnumerable<string> layer) => layer.Select(Timeless).Order(StringComparer.Ordinal);

    private static string Shell(string directory, string script)
    {
        using var process = Process.Start(
            new ProcessStartInfo("sh", ["-e", "-c", script]) { WorkingDirectory = directory, RedirectStandardOutput = true })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return output;
    }

    /// <summary>Serves files, and says for each what version it is.</summary>
    private sealed class StaticServer : IAsyncDisposable
    {
        private readonly HttpListener _listener = new();
        private readonly Task _serving;

        public StaticServer(Func<string, byte[]?> find)
        {
            Root = $"http://127.0.0.1:{FreePort()}";
            _listener.Prefixes.Add(Root + "/");
            _listener.Start();
            _serving = ServeAsync(find);
        }

        public string Root { get; }

        public async ValueTask DisposeAsync()
        {
            _listener.Stop();
            await _serving;
            _listener.Close();
        }

        private async Task ServeAsync(Func<string, byte[]?> find)
        {
            while (_listener.IsListening)
            {
                try
                {
                    var context = await _listener.GetContextAsync();
                    byte[]? content = find(context.Request.Url!.AbsolutePath);
                    context.Response.StatusCode = content is null ? 404 : 200;
                    context.Response.AddHeader("ETag", "\"one\"");
                    context.Response.Close(content ?? [], willBlock: true);
                }
                catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or InvalidOperationException)
                {
                    return;
                }
            }
        }

        private static int FreePort()
        {
            using var socket = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
            socket.Start();
            return ((IPEndPoint)socket.LocalEndpoint).Port;
        }
    }
}
