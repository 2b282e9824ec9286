using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Ingot.Diagnostics;

namespace Ingot.SystemTests.Builds;

[Collection("builds of commands")]
public sealed class RunMountTests(BuildFixture fixture)
{
    [Fact]
    public async Task ABindMountShowsTheContextWithoutWhatIsIgnored()
    {
        Skip();
        var built = await fixture.BuildAsync(
            "FROM base\nRUN --mount=type=bind,target=/src cd /src && find . "
                + "| sort && stat -c '%a %u %n' a.txt && ! touch /src/new 2>/dev/null && cat a.txt > /out\n",
            (".dockerignore", "secret*\nDockerfile\ningot.yaml\n.dockerignore\n"), ("a.txt", "text\n"), ("secret.txt", "no"), ("d/b", "b"));
        Assert.Equal([".", "./a.txt", "./d", "./d/b", "644 0 a.txt"], built.Progress.Lines);
        Assert.Equal(["File out 644 0:0 315532800"], await built.LayerAsync(0));
    }

    [Fact]
    public async Task ContentThatIsMountedIsPartOfTheKeyAndContentBesideItIsNot()
    {
        Skip();
        const string Dockerfile = "FROM base\nRUN --mount=type=bind,source=d,target=/src cat /src/* > /out\n";
        await fixture.BuildAsync(Dockerfile, ("d/x", "1"), ("other", "1"));
        var same = await fixture.BuildAsync(Dockerfile, ("d/x", "1"), ("other", "2"));
        Assert.Empty(same.Progress.Started);
        var changed = await fixture.BuildAsync(Dockerfile, ("d/x", "2"), ("other", "2"));
        Assert.Contains(changed.Progress.Started, s => s.StartsWith("RUN", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ABindMountMayShowAFileOfAStageThroughLinksThatStayInTheStage()
    {
        Skip();
        var built = await fixture.BuildAsync("""
            FROM base AS tools
            RUN mkdir -p /opt/tool-1 && echo tool > /opt/tool-1/run && ln -s /opt/tool-1 /opt/tool && ln -s ../../../../../../opt/tool/run /opt/outside && ln -s /etc/hostname /opt/host
            FROM base
            RUN --mount=from=tools,source=/opt/outside,target=/usr/local/bin/run --mount=from=tools,source=/opt/tool,target=/t cat /usr/local/bin/run /t/run && ls /t
            """);
        Assert.Equal(["tool", "tool", "run"], built.Progress.Lines);
        Assert.True(built.Image.Config.History[^1].EmptyLayer);
    }

    [Fact]
    public async Task WhatIsWrittenToAWritableBindMountIsGone()
    {
        Skip();
        var built = await fixture.BuildAsync(
            "FROM base\nRUN --mount=target=/src,rw echo new > /src/new && rm /src/a && ls /src && mkdir -p /src/deep/er\n"
                + "RUN --mount=target=/src ls /src\n",
            (".dockerignore", "*\n!a\n"), ("a", "a"));
        Assert.Equal(["new", "a"], built.Progress.Lines);
        Assert.Equal([true, true], built.Image.Config.History.TakeLast(2).Select(h => h.EmptyLayer));
    }

    [Fact]
    public async Task MountsWithinMountsAreMadeWhateverTheOrderAndLeaveNothing()
    {
        Skip();
        string id = $"nested-{Environment.TickCount64}";
        var built = await fixture.BuildAsync(
            $"FROM base\nRUN --mount=type=cache,id={id},target=/src/node_modules/.cache --mount=type=tmpfs,target=/src/tmp "
                + "--mount=target=/src touch /src/node_modules/.cache/x /src/tmp/y && find /src | sort && mkdir -p /src/tmp/z\n" +
            $"RUN --mount=type=cache,id={id},target=/elsewhere ls /elsewhere\n",
            (".dockerignore", "*\n!a\n"), ("a", "a"));
        Assert.Equal(
            ["/src", "/src/a", "/src/node_modules", "/src/node_modules/.cache", "/src/node_modules/.cache/x",
                "/src/tmp", "/src/tmp/y", "x"],
            built.Progress.Lines);
        Assert.Equal([true, true], built.Image.Config.History.TakeLast(2).Select(h => h.EmptyLayer));
    }

    [Fact]
    public async Task MountPointsGetIntoNoLayerAndWhatTheCommandPutsBesideThemDoes()
    {
        Skip();
        var built = await fixture.BuildAsync("FROM base\nRUN --mount=type=cache,id=beside,target=/opt/made/cache echo x > "
            + "/opt/made/cache/x\nRUN --mount=type=cache,id=beside,target=/opt/made/cache echo y > /opt/made/y\n");
        Assert.Equal([true, null], built.Image.Config.History.TakeLast(2).Select(h => h.EmptyLayer));
        Assert.Equal(["Directory opt 755 0:0 315532800", "Directory opt/made 755 0:0 315532800", "File opt/made/y 644 0:0 315532800"],
            await built.LayerAsync(0));
    }

    [Fact]
    public async Task AMountHidesWhatIsThereAndPutsItBack()
    {
        Skip();
        var built = await fixture.BuildAsync(
            "FROM base\nRUN mkdir /d && echo kept > /d/kept && ln -s /d /link && echo f > /f\nRUN --mount=type=tmpfs,target=/link ls -A /d "
                + "&& touch /d/gone\nRUN --mount=target=/f,source=a cat /f && ls /d && cat /d/kept\n",
            ("a", "over"));
        Assert.Equal(["over" + "kept", "kept"], built.Progress.Lines);
    }

    [Fact]
    public async Task ACacheStaysFromBuildToBuildAndIsNoPartOfTheKey()
    {
        Skip();
        string id = $"stays-{Environment.TickCount64}";
        string Dockerfile(int n) => $"FROM base\nRUN --mount=type=cache,id={id},target=/c,mode=0700,uid=7,gid=8 stat -c '%a %u:%g' /c && "
            + $"cat /c/n 2>/dev/null; echo {n} > /c/n\n";
        Assert.Equal(["700 7:8"], (await fixture.BuildAsync(Dockerfile(1))).Progress.Lines);
        Assert.Equal(["700 7:8", "1"], (await fixture.BuildAsync(Dockerfile(2))).Progress.Lines);
        Assert.Empty((await fixture.BuildAsync(Dockerfile(2))).Progress.Started);
        Assert.Equal(["2"], (await fixture.BuildAsync(
            $"FROM base\nRUN --mount=type=cache,id={id},target=/x,ro cat /x/n; ! touch /x/n 2>/dev/null\n")).Progress.Lines);
    }

    [Fact]
    public async Task ACacheBeginsWithWhatATreeHolds()
    {
        Skip();
        string id = $"begins-{Environment.TickCount64}";
        var built = await fixture.BuildAsync($"""
            FROM base AS seed
            RUN mkdir -p /seed/d && echo s > /seed/d/s && chown 5:6 /seed/d/s && chmod 4750 /seed/d/s
            FROM base
            RUN --mount=type=cache,id={id},target=/c,from=seed,source=/seed stat -c '%a %u:%g' /c/d/s && rm /c/d/s
            RUN --mount=type=cache,id={id},target=/c,from=seed,source=/seed ls -R /c
            """);
        Assert.Equal(["4750 5:6", "/c:", "d", "", "/c/d:"], built.Progress.Lines);
    }

    [Theory]
    [InlineData("locked", new[] { "begin", "end", "begin", "end" })]
    [InlineData("shared", new[] { "begin", "begin", "end", "end" })]
    public async Task TwoStepsThatWantOneCacheWaitOrShare(string sharing, string[] expected)
    {
        Skip();
        string id = $"{sharing}-{Environment.TickCount64}";
        string Command(string name) => $"RUN --mount=type=cache,id={id},target=/c,sharing={sharing} echo begin >> /c/log; sleep 1.5; "
            + $"echo end >> /c/log; touch /{name}\n";
        await fixture.BuildAsync(
            $"FROM base AS a\n{Command("a")}FROM base AS b\n{Command("b")}FROM base\nCOPY --from=a /a /\nCOPY --from=b /b /\n",
            s => s with { Parallelism = 2 },
            CancellationToken.None);
        Assert.Equal(expected,
            (await fixture.BuildAsync($"FROM base\nRUN --mount=type=cache,id={id},target=/c cat /c/log\n")).Progress.Lines);
    }

    [Fact]
    public async Task APrivateCacheIsAnothersOnlyWhenNobodyHasIt()
    {
        Skip();
        string id = $"private-{Environment.TickCount64}";
        string Command(string name) =>
            $"RUN --mount=type=cache,id={id},target=/c,sharing=private ls /c; touch /c/{name}; sleep 1.5; touch /{name}\n";
        var both = await fixture.BuildAsync(
            $"FROM base AS a\n{Command("a")}FROM base AS b\n{Command("b")}FROM base\nCOPY --from=a /a /\nCOPY --from=b /b /\n",
            s => s with { Parallelism = 2 },
            CancellationToken.None);
        Assert.Empty(both.Progress.Lines);
        var third = await fixture.BuildAsync($"FROM base\nRUN --mount=type=cache,id={id},target=/c,sharing=private ls /c\n");
        Assert.Single(third.Progress.Lines);
    }

    [Fact]
    public async Task ATmpfsIsAsLargeAsSaid()
    {
        Skip();
        var built = await fixture.BuildAsync("FROM base\nRUN --mount=type=tmpfs,target=/m,size=1m ! dd if=/dev/zero of=/m/x bs=1M count=2 "
            + "2>/dev/null; stat -c %s /m/x; stat -c %a /m; stat -f -c %T /m\n");
        Assert.Equal(["1048576", "755", "tmpfs"], built.Progress.Lines);
    }

    [Fact]
    public async Task ASecretIsAFileInMemoryForItsOwnerAndAVariable()
    {
        Skip();
        var secrets = Secrets(("token", "correct horse battery\n"), ("other", "0123456789\n"));
        var built = await fixture.BuildAsync(
            """
            FROM base
            RUN --mount=type=secret,id=token --mount=type=secret,id=other,target=/etc/o,uid=1,gid=2,mode=0440 --mount=type=secret,id=token,env=TOKEN --mount=type=secret,id=absent \
                stat -c '%a %u:%g %s' /run/secrets/token /etc/o; stat -f -c %T /run/secrets/token; test "$TOKEN" = "$(cat /run/secrets/token)" || echo "${#TOKEN}"; \
                ls /run/secrets; ! touch /run/secrets/token 2>/dev/null; sha256sum < /etc/o
            """,
            s => s with { Access = new() { Secrets = secrets } }, CancellationToken.None);
        Assert.Equal(
            ["400 0:0 22", "440 1:2 11", "tmpfs", "22", "token", $"{Convert.ToHexStringLower(SHA256.HashData("0123456789\n"u8))}  -"],
            built.Progress.Lines);
        Assert.True(built.Image.Config.History[^1].EmptyLayer);
        fixture.AssertNothingIsLeft("run/secrets");
    }

    [Fact]
    public async Task TheValueOfASecretIsNoPartOfTheKey()
    {
        Skip();
        string dockerfile =
            $"FROM base\nRUN --mount=type=secret,id=key,required=true wc -c < /run/secrets/key > /{Environment.TickCount64}\n";
        var one = await fixture.BuildAsync(dockerfile, s => s with { Access = new() { Secrets = Secrets(("key", "value number one")) } },
            CancellationToken.None);
        var other = await fixture.BuildAsync(dockerfile, s => s with { Access = new() { Secrets = Secrets(("key", "another value")) } },
            CancellationToken.None);
        Assert.Empty(other.Progress.Started);
        Assert.Equal(one.Image.Digest, other.Image.Digest);
    }

    [Fact]
    public async Task ASecretThatIsRequiredAndMissingIsNamedWithTheOptionThatGivesIt()
    {
        Skip();
        var error = await Assert.ThrowsAsync<InvalidInputException>(() =>
            fixture.BuildAsync($"FROM base\nRUN --mount=type=secret,id=npm,required=true echo {Environment.TickCount64}\n"));
        string text = string.Join('\n', error.Diagnostics.Select(d => $"{d}"));
        Assert.Contains("'npm'", text, StringComparison.Ordinal);
        Assert.Contains("--secret id=npm", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("type=tmpfs,target=/sys")]
    [InlineData("type=tmpfs,target=/proc")]
    [InlineData("type=tmpfs,target=/proc/self/fd")]
    [InlineData("type=cache,target=/sys/fs/cgroup")]
    [InlineData("type=bind,target=/dev")]
    [InlineData("type=bind,target=/dev/pts")]
    [InlineData("type=tmpfs,target=/a/../proc/sys")]
    [InlineData("type=secret,id=s,target=/proc/sysrq-trigger")]
    public async Task TargetsThatAreTheKernelsAreRefused(string mount)
    {
        Skip();
        var error = await Assert.ThrowsAsync<InvalidInputException>(() => fixture.BuildAsync($"FROM base\nRUN --mount={mount} true\n",
            s => s with { Access = new() { Secrets = Secrets(("s", "0123456789")) } }, CancellationToken.None));
        Assert.Contains(error.Diagnostics, d => d.Code == "build-mount-target");
    }

    [Theory]
    [InlineData("ln -s /proc /opt/p", "/opt/p")]
    [InlineData("ln -s / /opt/p", "/opt/p/proc")]
    [InlineData("ln -s ../../../.. /opt/p", "/opt/p")]
    [InlineData("ln -s /dev/pts /opt/p && ln -s p /opt/q", "/opt/q/x")]
    [InlineData("ln -s q /opt/p && ln -s p /opt/q", "/opt/q")]
    [InlineData("touch /opt/p", "/opt/p")]
    [InlineData("touch /opt/p", "/opt/p/below")]
    public async Task LinksOfTheImageLeadNoMountAstray(string prepare, string target)
    {
        Skip();
        var error = await Assert.ThrowsAsync<InvalidInputException>(() =>
            fixture.BuildAsync($"FROM base\nRUN {prepare}\nRUN --mount=type=tmpfs,target={target} true\n"));
        Assert.Contains(error.Diagnostics, d => d.Code == "build-mount-target");
    }

    [Fact]
    public async Task ALinkOfTheImageNeverLeadsAMountToTheHost()
    {
        Skip();
        string outside = Directory.CreateTempSubdirectory("ingot-outside-").FullName;
        try
        {
            var built = await fixture.BuildAsync($"FROM base\nRUN mkdir -p /a && ln -s {outside} /a/link\n"
                + $"RUN --mount=type=cache,id=astray,target=/a/link/deep touch /a/link/deep/x && ls {outside} && test -e "
                + $"{outside}/deep/x\n");
            Assert.Equal(["deep"], built.Progress.Lines);
            Assert.Empty(Directory.EnumerateFileSystemEntries(outside));
        }
        finally
        {
            Directory.Delete(outside);
        }
    }

    [Fact]
    public async Task ALinkInWhatIsMountedLeadsTheNextMountWithinTheRoot()
    {
        Skip();
        var built = await fixture.BuildAsync("""
            FROM base AS hostile
            RUN mkdir /h && ln -s /etc /h/out && ln -s ../../../../../../../../etc /h/up
            FROM base
            RUN --mount=from=hostile,source=/h,target=/src --mount=type=tmpfs,target=/src/out/made touch /etc/made/x && ls /src/out/made
            """);
        Assert.Equal(["x"], built.Progress.Lines);
        Assert.False(Path.Exists("/etc/made"));
        Assert.True(built.Image.Config.History[^1].EmptyLayer);
    }

    [Fact]
    public async Task AHostileCacheLeadsNothingOutOfTheRoot()
    {
        Skip();
        string id = $"hostile-{Environment.TickCount64}";
        var error = await Record.ExceptionAsync(() => fixture.BuildAsync(
            $"FROM base\nRUN --mount=type=cache,id={id},target=/c ln -s /root /c/inner && mknod /c/null c 1 3 && chmod 4755 /c/null\n"
                + $"RUN --mount=type=cache,id={id},target=/c --mount=type=tmpfs,target=/c/inner touch /c/inner/x; ls -A /root | grep x\n"));
        Assert.Null(error);
        Assert.False(File.Exists("/root/x"));
    }

    [Fact]
    public async Task WhatIsNotInTheContextOrTheStageIsSaidBeforeAnythingRuns()
    {
        Skip();
        var context = await Assert.ThrowsAsync<InvalidInputException>(() =>
            fixture.BuildAsync($"FROM base\nRUN echo {Environment.TickCount64}\nRUN --mount=source=absent,target=/x true\n"));
        Assert.Contains(context.Diagnostics, d => d.Code == "build-copy-missing");
        var stage = await Assert.ThrowsAsync<InvalidInputException>(() =>
            fixture.BuildAsync("FROM base AS s\nFROM base\nRUN --mount=from=s,source=/absent,target=/x true\n"));
        Assert.Contains(stage.Diagnostics, d => d.Code == "build-copy-missing");
    }

    [Fact]
    public async Task AnAgentIsASocketOfTheOwnerThatWasAskedFor()
    {
        Skip();
        string path = Path.Combine(fixture.Directory, "agent");
        using var agent = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        agent.Bind(new UnixDomainSocketEndPoint(path));
        agent.Listen();
        var answering = AnswerAsync(agent);
        var built = await fixture.BuildAsync(
            """
            FROM base
            RUN useradd --uid 1234 u
            USER u
            RUN --mount=type=ssh,uid=1234,required=true echo "$SSH_AUTH_SOCK $(stat -c '%F %a %u' $SSH_AUTH_SOCK)"; perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => $ENV{SSH_AUTH_SOCK}) or die $!; syswrite $s, pack("NC", 1, 11); sysread $s, my $a, 9; print unpack("H*", $a), "\n"'
            """,
            s => s with { Access = new() { SshAgents = new Dictionary<string, string> { ["default"] = path } } }, CancellationToken.None);
        Assert.Equal(["/run/buildkit/ssh_agent.0 socket 600 1234", "000000050c00000000"], built.Progress.Lines);
        Assert.True(built.Image.Config.History[^1].EmptyLayer);
        await answering;
        File.Delete(path);
    }

    [Fact]
    public async Task AnAgentThatIsRequiredAndMissingIsNamedAndAnotherIsJustNotThere()
    {
        Skip();
        var error = await Assert.ThrowsAsync<InvalidInputException>(() =>
            fixture.BuildAsync("FROM base\nRUN --mount=type=ssh,id=work,required=true true\n"));
        Assert.Contains("--ssh work", error.Diagnostics[0].ToString(), StringComparison.Ordinal);
        var built = await fixture.BuildAsync("FROM base\nRUN --mount=type=ssh,id=work echo \"socket: $SSH_AUTH_SOCK\"\n");
        Assert.Equal(["socket: "], built.Progress.Lines);
    }

    private static async Task AnswerAsync(Socket agent)
    {
        using var client = await agent.AcceptAsync();
        await client.ReceiveAsync(new byte[5]);
        await client.SendAsync(new byte[] { 0, 0, 0, 5, 12, 0, 0, 0, 0 });
    }

    internal static Dictionary<string, ReadOnlyMemory<byte>> Secrets(params (string Id, string Value)[] secrets) =>
        secrets.ToDictionary(s => s.Id, s => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(s.Value));

    private static void Skip() => Assert.SkipUnless(BuildFixture.Missing is null, BuildFixture.Missing ?? "");
}
