using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Ingot.Builds;

namespace Ingot.SystemTests.Builds;

/// <summary>Commands that try to get out, to look out, or to stay.</summary>
[Collection("builds of commands")]
public sealed class RunIsolationTests(BuildFixture fixture)
{
    [Theory]
    [InlineData("echo c > /proc/sysrq-trigger")]
    [InlineData("echo 1 > /proc/sys/kernel/panic")]
    [InlineData("echo x > /proc/sys/kernel/core_pattern")]
    [InlineData("echo 1 > /proc/sys/net/ipv4/ip_forward")]
    [InlineData("echo 1 > /sys/kernel/uevent_helper")]
    [InlineData("mkdir /sys/fs/cgroup/x")]
    [InlineData("mount -t tmpfs none /mnt")]
    [InlineData("mount -t proc none /mnt")]
    [InlineData("mount --bind /etc /mnt")]
    [InlineData("mount -t cgroup2 none /mnt")]
    [InlineData("umount /etc/resolv.conf")]
    [InlineData("umount -l /proc")]
    [InlineData("unshare -r true")]
    [InlineData("unshare -m true")]
    [InlineData("nsenter -t 1 -m true")]
    [InlineData("mknod /sda b 8 0 && head -c 1 /sda")]
    [InlineData("mknod /mem c 1 1 && head -c 1 /mem")]
    [InlineData("mknod /kmsg c 1 11 && head -c 1 /kmsg")]
    [InlineData("mknod /fuse c 10 229 && exec 3<>/fuse")]
    [InlineData("test -s /proc/kcore && head -c 1 /proc/kcore | grep -q .")]
    [InlineData("head -c 1 /proc/keys | grep -q .")]
    [InlineData("dmesg")]
    [InlineData("date -s 2001-01-01")]
    [InlineData("hostname changed")]
    [InlineData("swapoff -a && swapon /swap")]
    [InlineData("sysctl -w kernel.hostname=x")]
    [InlineData("chroot /proc/1/root test -e /etc/ingot-marker")]
    [InlineData("perl -e 'exit(syscall(250, 0, -3, 0) >= 0 ? 0 : 1)'")]
    [InlineData("perl -e 'exit(syscall(321, 0, 0, 0) >= 0 ? 0 : 1)'")]
    [InlineData("perl -e 'exit(syscall(425, 1, 0) >= 0 ? 0 : 1)'")]
    [InlineData("perl -e 'exit(syscall(304, 0, 0, 0) >= 0 ? 0 : 1)'")]
    public async Task WhatReachesPastTheContainerIsRefused(string attempt)
    {
        Skip();
        var built = await fixture.BuildAsync($"FROM base\nRUN if ( {attempt} ) >/dev/null 2>&1; then echo reached; else echo refused; fi; "
            + $"rm -f /sda /mem /kmsg /fuse; : {Stopwatch.GetTimestamp()}\n");
        Assert.Equal(["refused"], built.Progress.Lines);
    }

    // Mounts, maps and sockets name what is in the container, and not where it lies on the host: another place would make another image.
    // Caches are another matter: they are the host's own directories.
    [Fact]
    public async Task NothingOfTheKernelsShowsThePathsOfTheHost()
    {
        Skip();
        using var agent = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        string socket = Path.Combine(fixture.Directory, "agent");
        agent.Bind(new UnixDomainSocketEndPoint(socket));
        var built = await fixture.BuildAsync(
            """
            FROM base AS other
            RUN mkdir /d && echo in > /d/f
            FROM base
            COPY a /etc/made
            RUN --mount=type=secret,id=s --mount=type=ssh --mount=type=tmpfs,target=/t --mount=from=other,target=/o --mount=from=other,source=d/f,target=/f --mount=type=bind,target=/c,rw --mount=type=bind,source=a,target=/a <<'EOS'
            paths='[i]ngot-builds-\|work/build[s]\|cache/moun[t]s\|ingot-[0-9a-f]\{16\}'
            grep -a -s "$paths" /proc/swaps /proc/partitions /proc/mdstat /proc/mounts /proc/locks /proc/net/* /proc/[0-9]*/mountinfo /proc/[0-9]*/mounts /proc/[0-9]*/mountstats /proc/[0-9]*/task/*/mountinfo
            grep -a -s "$paths" /proc/[0-9]*/maps /proc/[0-9]*/smaps /proc/[0-9]*/cgroup /proc/[0-9]*/environ /proc/[0-9]*/status
            ls -l /proc/[0-9]*/fd /proc/[0-9]*/cwd /proc/[0-9]*/exe /proc/[0-9]*/root /proc/[0-9]*/map_files 2>/dev/null | grep "$paths"
            timeout 60 grep -r -a -s "$paths" /sys/fs /sys/block /sys/class/block /sys/module/loop 2>/dev/null
            cat /f /a /c/a /run/secrets/s /etc/hosts /etc/resolv.conf > /dev/null && test -S "$SSH_AUTH_SOCK" && echo looked
            EOS
            """ + $"\nRUN : {Stopwatch.GetTimestamp()}\n",
            s => s with
            {
                Access = new()
                {
                    SshAgents = new Dictionary<string, string> { ["default"] = socket },
                    Secrets = new Dictionary<string, ReadOnlyMemory<byte>> { ["s"] = "hidden secret"u8.ToArray() },
                },
            },
            TestContext.Current.CancellationToken,
            ("a", $"text {Stopwatch.GetTimestamp()}"));
        Assert.Equal(["looked"], built.Progress.Lines);
    }

    // The one exception: a bind mount names its place on the file system that it is of, and a cache is shared by all builds.
    [Fact]
    public async Task OfWhatIsMountedOnlyACacheNamesItsPlaceOnTheHost()
    {
        Skip();
        var built = await fixture.BuildAsync("FROM base\nRUN --mount=type=cache,target=/kept --mount=type=tmpfs,target=/t grep -a "
            + $"'cache/moun[t]s\\|work/build[s]' /proc/self/mountinfo | cut -d' ' -f5; : {Stopwatch.GetTimestamp()}\n");
        Assert.Equal(["/kept"], built.Progress.Lines);
    }

    // As in images of whole systems.
    [Fact]
    public async Task FilesOfTheNetworkAreMountedWhereLinksLead()
    {
        Skip();
        var built = await fixture.BuildAsync($"""
            FROM base AS links
            RUN mkdir -p /l/etc && ln -s ../run/stub.conf /l/etc/resolv.conf && ln -s ../run/names /l/etc/hosts; : {Stopwatch.GetTimestamp()}
            FROM base
            COPY --from=links /l/ /
            RUN grep -c nameserver /etc/resolv.conf && grep -c 'localhost ingot' /etc/hosts && readlink /etc/resolv.conf /etc/hosts && head -c 9 /run/names
            """);
        Assert.Equal(["1", "1", "../run/stub.conf", "../run/names", "127.0.0.1"], built.Progress.Lines);
    }

    [Fact]
    public async Task TheUsualWaysOutOfAChrootLeadBackToTheRoot()
    {
        Skip();
        string marker = $"/ingot-marker-{Environment.ProcessId}";
        await File.WriteAllTextAsync(marker, "host");
        try
        {
            var built = await fixture.BuildAsync($$"""
                FROM base
                RUN mkdir /jail && perl -e 'opendir(D, "/"); chroot("/jail"); chdir(D) if 0; for (1..50) { chdir("..") } chroot("."); print -e "{{marker}}" ? "out\n" : "in\n"; print -e "/etc/passwd" ? "root\n" : "jail\n"'; \
                    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do test -e "/proc/self/fd/$i{{marker}}" && echo "fd $i"; test -e "/proc/1/cwd/../../../..{{marker}}" && echo cwd; done; rmdir /jail; \
                    ls -d /proc/*/root{{marker}} 2>/dev/null; find / -xdev -name 'ingot-marker-*' | head -1
                """);
            Assert.Equal(["in", "root"], built.Progress.Lines);
        }
        finally
        {
            File.Delete(marker);
        }
    }

    [Fact]
    public async Task TheHostsProcessesEnvironmentAndFilesAreNotThere()
    {
        Skip();
        Environment.SetEnvironmentVariable("INGOT_TEST_ENVIRONMENT", "of-the-host");
        var built = await fixture.BuildAsync($"""
            FROM base
            RUN cat /proc/*/environ | tr '\0' '\n' | grep -c '[o]f-the-host'; cat /proc/*/cmdline | tr '\0' ' ' | grep -c '[I]ngot'; ls -d /proc/[0-9]* | wc -l | awk '{"{ print ($1 < 12) ? \"few\" : \"many\" }"}'; \
                grep -c '{fixture.Home}' /proc/self/mountinfo | awk '{"{ print ($1 >= 0) ? \"\" : \"\" }"}'; ls /proc/self/fd | wc -l; cat /proc/self/cgroup | grep -c system.slice; : {Environment.TickCount64}
            """);
        Assert.Equal(["0", "0", "few", "", "4", "0"], built.Progress.Lines);
    }

    [Fact]
    public async Task ACommandCannotForkTheHostToDeath()
    {
        Skip();
        var clock = Stopwatch.StartNew();
        var built = await fixture.BuildAsync($"""
            FROM base
            RUN ["perl", "-e", "my $n = 0; while ($n < 100000) {'{'} my $p = fork; last unless defined $p; if (!$p) {'{'} sleep 600; exit {'}'} $n++ {'}'} print $n < 10000 ? \"bounded\\n\" : \"$n\\n\"; exit 0 # {Environment.TickCount64}"]
            """);
        Assert.Equal(["bounded"], built.Progress.Lines);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(60), $"took {clock.Elapsed}");
        fixture.AssertNothingIsLeft("sleep 600");
    }

    [Theory]
    [InlineData("(setsid sleep 631 &)")]
    [InlineData("nohup sleep 631 >/dev/null 2>&1 &")]
    [InlineData("(trap '' TERM HUP INT; sleep 631) & sleep 0.1")]
    [InlineData("perl -e 'if (!fork) { setpgrp; if (!fork) { exec q(sleep), 631 } exit } sleep 1'")]
    public async Task ADaemonEndsWithItsCommand(string daemon)
    {
        Skip();
        await fixture.BuildAsync($"FROM base\nRUN : {Stopwatch.GetTimestamp()}; {daemon}\nRUN ! ls /proc/*/exe 2>/dev/null | grep -q "
            + $"sleep; : {Stopwatch.GetTimestamp()}\n");
        fixture.AssertNothingIsLeft("sleep 631");
    }

    [Fact]
    public async Task OutputWithoutEndOrLinesIsHeldInBounds()
    {
        Skip();
        long before = GC.GetTotalMemory(forceFullCollection: true);
        var recorder = new Recorder();
        await fixture.BuildAsync(
            $"FROM base\nRUN head -c 30000000 /dev/zero | tr '\\0' x; seq 1 200000 >&2; printf end; : {Stopwatch.GetTimestamp()}\n",
            s => s,
            recorder,
            CancellationToken.None);
        Assert.All(recorder.Lines, line => Assert.True(line.Length <= 64 << 10));
        // The two streams come in no order.
        Assert.Contains(recorder.Lines, line => line.EndsWith("end", StringComparison.Ordinal));
        Assert.True(before >= 0);
    }

    [Fact]
    public async Task OutputThatIsNoTextDoesNoHarm()
    {
        Skip();
        var error = await Assert.ThrowsAsync<BuildException>(() =>
            fixture.BuildAsync("FROM base\nRUN head -c 3000 /dev/urandom; printf '\\033]0;title\\007\\r\\n'; exit 7\n"));
        Assert.Equal(7, error.Failure.ExitCode);
        Assert.True(new FileInfo(error.Failure.Log).Length > 0);
    }

    [Fact]
    public async Task AMountTargetThatIsSwappedForALinkLeadsNowhere()
    {
        Skip();
        string outside = Directory.CreateTempSubdirectory("ingot-swap-").FullName;
        string id = $"swap-{Environment.TickCount64}";
        try
        {
            // One command swaps a directory of the cache for a link all the time, another mounts on it.
            string swapper = $"RUN --mount=type=cache,id={id},target=/c for i in $(seq 1 400); do mkdir -p /c/t; rmdir /c/t; "
                + $"ln -s {outside} /c/t; sleep 0.005; rm /c/t; done; touch /a\n";
            string mounter = string.Concat(Enumerable.Range(0, 8).Select(i =>
                $"RUN --mount=type=cache,id={id},target=/c --mount=type=tmpfs,target=/c/t/below touch /c/t/below/x || true; : {i}\n"));
            var error = await Record.ExceptionAsync(() => fixture.BuildAsync(
                $"FROM base AS a\n{swapper}FROM base AS b\n{mounter}FROM base\nCOPY --from=a /a /a\nCOPY --from=b /etc/passwd /b\n",
                s => s with { Parallelism = 2 },
                CancellationToken.None));
            Assert.Empty(Directory.EnumerateFileSystemEntries(outside));
            Assert.True(error is null or IngotException, $"{error}");
        }
        finally
        {
            Directory.Delete(outside, recursive: true);
        }
    }

    [Fact]
    public async Task WhatAKilledBuilderLeftIsGoneWithTheNextOne()
    {
        Skip();
        string project = Path.Combine(fixture.Directory, "killed-run");
        string id = $"killed-{Environment.TickCount64}";
        BuildFixture.Write(project, new Dictionary<string, string>
        {
            ["ingot.yaml"] = BuildFixture.Base + "  app: { dockerfile: Dockerfile }\n",
            ["Dockerfile"] = $"FROM base\nRUN --mount=target=/src,rw --mount=type=cache,id={id},target=/c,sharing=locked "
                + "--mount=type=tmpfs,target=/t (setsid sleep 641 &) ; touch /c/x /src/y; sleep 641\n",
        });
        int bridges = Interfaces();
        using var builder = Process.Start(BuildFixture.Program(project, fixture.Home, "022", noCache: false))!;
        await UntilAsync(() => BuildFixture.Processes("sleep 641").Count(p => p.StartsWith("sleep", StringComparison.Ordinal)) == 2);
        Assert.NotEmpty(BuildFixture.Processes("--configure --mtu=65520"));
        builder.Kill();
        await builder.WaitForExitAsync();
        await UntilAsync(() => BuildFixture.Processes("sleep 641").Count == 0
            && BuildFixture.Processes("--configure --mtu=65520").Count == 0);

        // Also the lock of the cache is free.
        var next = await fixture.BuildAsync($"FROM base\nRUN --mount=type=cache,id={id},target=/c,sharing=locked ls /c\n")
            .WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(["x"], next.Progress.Lines);
        fixture.AssertNothingIsLeft("sleep 641");
        Assert.Equal(bridges, Interfaces());
    }

    [Fact]
    public async Task TwoProgramsThatBuildTheSameShareTheWork()
    {
        Skip();
        string unique = Environment.TickCount64.ToString(CultureInfo.InvariantCulture);
        // Builders that were killed leave some.
        string[] Locks() => Directory.GetFiles(Path.Combine(fixture.Home, "cache", "locks"));
        string[] before = Locks();
        string dockerfile = $"FROM base\nRUN --mount=type=cache,id=work-{unique},target=/c echo x >> /c/count; sleep 1; "
            + $"echo {unique} > /made\nRUN cat /made\n";
        var both = await Task.WhenAll(fixture.BuildAsync(dockerfile), fixture.BuildAsync(dockerfile));
        Assert.Single(both.Select(b => b.Image.Digest).Distinct());
        var count = await fixture.BuildAsync($"FROM base\nRUN --mount=type=cache,id=work-{unique},target=/c wc -l < /c/count\n");
        Assert.Equal(["1"], count.Progress.Lines);
        Assert.Empty(Locks().Except(before));
    }

    [Fact]
    public async Task ABuilderThatIsKilledWhileAnotherWaitsForItsStepHandsItOver()
    {
        Skip();
        string unique = Environment.TickCount64.ToString(CultureInfo.InvariantCulture);
        string dockerfile = $"FROM base\nRUN --mount=type=cache,id=hand-{unique},target=/c if [ -e /c/first ]; then echo second; "
            + "else touch /c/first; sleep 643; fi\n";
        string project = Path.Combine(fixture.Directory, "handed");
        BuildFixture.Write(project, new Dictionary<string, string>
        {
            ["ingot.yaml"] = BuildFixture.Base + "  app: { dockerfile: Dockerfile }\n",
            ["Dockerfile"] = dockerfile,
        });
        using var builder = Process.Start(BuildFixture.Program(project, fixture.Home, "022", noCache: false))!;
        await UntilAsync(() => BuildFixture.Processes("sleep 643").Any(p => p.StartsWith("sleep", StringComparison.Ordinal)));
        var waiting = fixture.BuildAsync(dockerfile);
        await Task.Delay(500);
        Assert.False(waiting.IsCompleted);
        builder.Kill();
        await builder.WaitForExitAsync();
        Assert.Equal(["second"], (await waiting.WaitAsync(TimeSpan.FromSeconds(60))).Progress.Lines);
    }

    [Fact]
    public async Task ABlobThatWasDamagedIsNeverBuiltUpon()
    {
        Skip();
        string unique = Environment.TickCount64.ToString(CultureInfo.InvariantCulture);
        var built = await fixture.BuildAsync($"FROM base\nRUN echo {unique} > /damaged\n");
        var layer = built.Image.Manifest.Layers[^1];
        string blob = Path.Combine(fixture.Home, "content", "blobs", "sha256", layer.Digest.Hex);
        byte[] bytes = await File.ReadAllBytesAsync(blob);
        bytes[bytes.Length / 2] ^= 1;
        await File.WriteAllBytesAsync(blob, bytes);
        string snapshot = Path.Combine(fixture.Home, "cache", "snapshots", built.Image.Config.RootFs.DiffIds[^1].Hex);
        using (var remove = Process.Start("rm", ["-rf", snapshot]))
            await remove.WaitForExitAsync();
        try
        {
            await Assert.ThrowsAnyAsync<IngotException>(() =>
                fixture.BuildAsync($"FROM base\nRUN echo {unique} > /damaged\nRUN cat /damaged\n"));
            Assert.False(Directory.Exists(snapshot));
        }
        finally
        {
            File.Delete(blob);
        }

        // Gone is better than damaged: it is made again.
        var again = await fixture.BuildAsync($"FROM base\nRUN echo {unique} > /damaged\nRUN cat /damaged\n");
        Assert.Equal([unique], again.Progress.Lines);
    }

    // Docker's come and go with the containers of other tests.
    private static int Interfaces() => Directory.EnumerateFileSystemEntries("/sys/class/net").Select(Path.GetFileName)
        .Count(name =>
            !name!.StartsWith("veth", StringComparison.Ordinal) && !name.StartsWith("br-", StringComparison.Ordinal) && name != "docker0");

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < TimeSpan.FromSeconds(60);)
        {
            if (condition())
                return;
            await Task.Delay(100);
        }

        Assert.Fail("did not happen within a minute");
    }

    private static void Skip() => Assert.SkipUnless(BuildFixture.Missing is null, BuildFixture.Missing ?? "");
}
