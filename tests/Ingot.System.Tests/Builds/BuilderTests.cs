using System.Diagnostics;
using System.Text.Json;
using Ingot.Builds;
using Ingot.Builds.Running;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Tar;
using Ingot.Plans;
using Ingot.Templates.Project;

namespace Ingot.SystemTests.Builds;

public sealed class BuilderTests(BuildFixture fixture) : IClassFixture<BuildFixture>
{
    private const string Epoch = "315532800";

    [Fact]
    public async Task TheSameProjectGivesTheSameDigestsWhereverAndByWhomeverItIsBuilt()
    {
        Skip();
        string elsewhere = Path.Combine(fixture.Directory, "else", "where");
        BuildFixture.Write(elsewhere, BuildFixture.Ordinary);
        // The packages are installed again as they are locked.
        string locked = await File.ReadAllTextAsync(Path.Combine(fixture.Directory, "place", "ingot.lock"));
        Assert.Matches("\n      \"libc6:[a-z0-9]+\": [^ ]+ sha256:[0-9a-f]{64}\n", locked);
        await File.WriteAllTextAsync(Path.Combine(elsewhere, "ingot.lock"), locked);
        // What a clone under another umask looks like; and on a machine with one processor, elsewhere in the world.
        using (var chmod = Process.Start("chmod", ["-R", "go=,u=rwX", elsewhere]))
            await chmod.WaitForExitAsync();

        var second = await BuildFixture.ProgramAsync(elsewhere, Path.Combine(fixture.Directory, "home2"), umask: "077", noCache: true,
            under: "taskset --cpu-list --pid 0 $$ > /dev/null; export LANG=de_DE.UTF-8 LC_ALL=tr_TR.UTF-8 TZ=Asia/Tokyo HOSTNAME=other;");
        Assert.Equal(Digests(fixture.First), Digests(second));
        Assert.Equal(locked, await File.ReadAllTextAsync(Path.Combine(elsewhere, "ingot.lock")));
    }

    // Each makes a layer that is there already: the kernel mounts no directory twice.
    [Fact]
    public async Task CommandsThatDoTheSameAgainAreBuilt()
    {
        Skip();
        var built = await fixture.BuildAsync("""
            FROM base
            RUN ldconfig && echo same > /same
            RUN touch /between
            RUN ldconfig && rm /same && echo same > /same
            RUN rm /same
            RUN echo same > /same
            RUN rm /same
            RUN mkdir -p /d && echo 1 > /d/1
            RUN rm -r /d
            RUN mkdir -p /d && echo 1 > /d/1
            RUN rm -r /d
            RUN test ! -e /same && test ! -e /d && test -e /between && mkdir /d && ls -A /d | wc -l && cat /etc/ld.so.cache > /dev/null
            """);
        Assert.Equal("0", Assert.Single(built.Progress.Lines));
        Assert.NotEqual(built.Image.Config.RootFs.DiffIds.Count, built.Image.Config.RootFs.DiffIds.Distinct().Count());
    }

    [Fact]
    public async Task ALockThatCannotBeKeptNamesThePackageAndTheCure()
    {
        Skip();
        string place = Path.Combine(fixture.Directory, "place"), project = Path.Combine(fixture.Directory, "gone");
        BuildFixture.Write(project, BuildFixture.Ordinary);
        var unlocked = await EndAsync(project, "--locked");
        Assert.Equal(2, unlocked.ExitCode);
        Assert.Contains("the packages of 'base' are not in ingot.lock", unlocked.Error, StringComparison.Ordinal);

        string locked = await File.ReadAllTextAsync(Path.Combine(place, "ingot.lock"));
        await File.WriteAllTextAsync(Path.Combine(project, "ingot.lock"),
            System.Text.RegularExpressions.Regex.Replace(locked, "(\"bash:[a-z0-9]+\": )[^ ]+", "${1}1.0-1"));
        var gone = await EndAsync(project, "--locked");
        Assert.Equal(3, gone.ExitCode);
        Assert.Contains("'base' is not what ingot.lock says: the mirror has no 'bash' 1.0-1 any more.", gone.Error,
            StringComparison.Ordinal);
        Assert.Contains("'ingot build --update=base'", gone.Error, StringComparison.Ordinal);
    }

    private async Task<(int ExitCode, string Error)> EndAsync(string project, string option)
    {
        var start = BuildFixture.Program(project, fixture.Home, "022", noCache: false);
        start.ArgumentList.Remove("--output");
        start.ArgumentList.Remove("json");
        start.ArgumentList.Add(option);
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        string error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, error + await output);
    }

    [Fact]
    public async Task TheOrdinaryProjectIsWhatItsTemplateSays()
    {
        Skip();
        var built = await fixture.BuildAtAsync(Path.Combine(fixture.Directory, "place"), s => s, CancellationToken.None);
        Assert.Equal(built.Image.Digest.ToString(),
            fixture.First.EnumerateArray().First(i => i.GetProperty("name").GetString() == "app").GetProperty("digest").GetString());
        Assert.Empty(built.Progress.Started);
        Assert.Equal((9, 9), (built.Image.Record.Steps, built.Image.Record.CachedSteps));
        Assert.Equal(["base"], built.Image.Record.Bases.Select(b => b.Name));
        Assert.Contains(built.Image.Record.Bootstraps.Single().Packages, p => p.Name == "libc6");
        Assert.Empty(((string[])["apt-logs@1", "account-backups@1", "shadow-last-change@1"]).Except(built.Image.Record.Rules));
        Assert.Equal("1980-01-01T00:00:00Z", built.Image.Config.Created);
        Assert.Equal("web", built.Image.Config.Config.User);

        Assert.Equal([$"File usr/local/bin/run 644 0:0 {Epoch}"], await built.LayerAsync(0));
        Assert.Equal(
            [
                $"File srv/a 644 10001:10001 {Epoch}", $"HardLink srv/b 644 10001:10001 {Epoch} -> srv/a",
                $"File srv/n1 644 10001:10001 {Epoch}", $"File srv/n2 644 10001:10001 {Epoch}",
                $"File srv/n3 644 10001:10001 {Epoch}", "File srv/old 644 10001:10001 0", $"Fifo srv/pipe 644 10001:10001 {Epoch}",
                $"File srv/version 644 10001:10001 {Epoch}", $"File srv/zero 644 10001:10001 {Epoch}",
            ],
            await built.LayerAsync(1));
        Assert.Equal([$"File etc/group 644 0:0 {Epoch}", $"File etc/passwd 644 0:0 {Epoch}"], await built.LayerAsync(2));
    }

    [Fact]
    public async Task ALayerHoldsWhatItsCommandChangedAndNothingElse()
    {
        Skip();
        var built = await fixture.BuildAsync("""
            FROM base
            RUN echo x > /x && chmod 4755 /x && rm /etc/issue && rm -r /usr/share/bug && mkdir /usr/share/bug && touch /usr/share/bug/new && mkdir /odd && touch "$(printf '/odd/\377')" && ln -s x /odd/link
            """);
        Assert.Equal(
            [
                $"Directory etc 755 0:0 {Epoch}", $"File etc/.wh.issue 0 0:0 {Epoch}",
                $"Directory odd 755 0:0 {Epoch}", $"SymbolicLink odd/link 777 0:0 {Epoch} -> x", $"File odd/\uDCFF 644 0:0 {Epoch}",
                $"Directory usr 755 0:0 {Epoch}", $"Directory usr/share 755 0:0 {Epoch}", $"Directory usr/share/bug 755 0:0 {Epoch}",
                $"File usr/share/bug/.wh..wh..opq 0 0:0 {Epoch}", $"File usr/share/bug/new 644 0:0 {Epoch}",
                $"File x 4755 0:0 {Epoch}",
            ],
            await built.LayerAsync(0));
    }

    [Fact]
    public async Task AStepThatChangesNothingMakesNoLayer()
    {
        Skip();
        var built =
            await fixture.BuildAsync("FROM base\nRUN true\nRUN cat /etc/resolv.conf /etc/hosts > /dev/null\nWORKDIR /usr\nENV A=1\n");
        Assert.Single(built.Image.Manifest.Layers);
        Assert.Equal(
            ["RUN /bin/sh -c true (empty)", "RUN /bin/sh -c cat /etc/resolv.conf /etc/hosts > /dev/null (empty)",
                "WORKDIR /usr (empty)", "ENV A=1 (empty)"],
            built.History.Skip(1));
    }

    [Fact]
    public async Task ACommandSeesAPlainMachineThatIsNotTheHost()
    {
        Skip();
        var built = await fixture.BuildAsync("""
            FROM base
            ENV GREETING="hello you"
            RUN echo "$GREETING $HOME $PWD $TZ $LANG $SOURCE_DATE_EPOCH $PYTHONHASHSEED"; hostname; id -u; umask; grep ^CapEff /proc/self/status; echo $$; ls /proc | grep -c '^[0-9]' ; \
                readlink /dev/fd; mount | grep -c 'on /sys type sysfs (ro,' ; touch /sys/x 2>&1 | tail -c 22; env | grep -c INGOT; cat
            """);
        Assert.Equal(
            ["hello you /root / UTC C.UTF-8 315532800 0", "ingot", "0", "0022", "CapEff:\t00000000a80405fb", "1"],
            built.Progress.Lines.Take(6));
        Assert.Equal(["/proc/self/fd", "1", "Read-only file system", "0"], built.Progress.Lines.Skip(7));
    }

    [Fact]
    public async Task ACommandSeesAsManyProcessorsAsItsImageSaysAndLeavesNoCoreFile()
    {
        Skip();
        string project = Path.Combine(fixture.Directory, "processors");
        BuildFixture.Write(project, new Dictionary<string, string>
        {
            ["ingot.yaml"] = BuildFixture.Base + "  app: { dockerfile: Dockerfile, processors: 1 }\n",
            ["Dockerfile"] = "FROM base\nWORKDIR /work\nRUN echo $(nproc) $(getconf _NPROCESSORS_ONLN) $(cat "
                + "/sys/devices/system/cpu/online); sh -c 'ulimit -c; kill -SEGV $$' || ls | wc -l\n",
        });
        var built = await fixture.BuildAtAsync(project, s => s, CancellationToken.None);
        Assert.Equal(["1 1 0", "0", "0"], built.Progress.Lines.Where(l => !l.Contains("fault", StringComparison.Ordinal)));

        File.WriteAllText(Path.Combine(project, "ingot.yaml"), BuildFixture.Base + "  app: { dockerfile: Dockerfile, processors: 1024 }\n");
        var refused = await Assert.ThrowsAsync<InvalidInputException>(() => fixture.BuildAtAsync(project, s => s, CancellationToken.None));
        Assert.Contains("the command needs 1024 processors, and this host has", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task UsersAndWorkingDirectoriesAreTheImages()
    {
        Skip();
        var built = await fixture.BuildAsync("""
            FROM base
            RUN useradd --uid 1500 --create-home web && groupadd --gid 1600 more && usermod --append --groups more web
            USER web
            WORKDIR /home/web/a/b
            RUN id && pwd && touch file && echo $HOME
            COPY --chown=web:more Dockerfile .
            USER 77:88
            RUN id
            """);
        Assert.Equal(["uid=1500(web) gid=1500(web) groups=1500(web),1600(more)", "/home/web/a/b", "/home/web", "uid=77 gid=88 groups=88"],
            built.Progress.Lines);
        Assert.Equal([$"File home/web/a/b/Dockerfile 644 1500:1600 {Epoch}"], await built.LayerAsync(0));
        Assert.Equal($"File home/web/a/b/file 644 1500:1500 {Epoch}", (await built.LayerAsync(1))[^1]);
        Assert.Equal([$"Directory home/web/a 755 1500:1500 {Epoch}", $"Directory home/web/a/b 755 1500:1500 {Epoch}"],
            await built.LayerAsync(2));
    }

    [Fact]
    public async Task CapabilitiesOfFilesAreKeptThroughEveryForm()
    {
        Skip();
        var built = await fixture.BuildAsync("""
            FROM base AS build
            RUN apt-get update && apt-get install -y --no-install-recommends libcap2-bin
            RUN cp /bin/ls /ls && setcap cap_net_bind_service=ep /ls
            FROM base
            COPY --from=build /ls /ls
            """);
        Assert.EndsWith("security.capability", Assert.Single(await built.LayerAsync(0)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task HereDocumentsAreScriptsAndFiles()
    {
        Skip();
        var built = await fixture.BuildAsync("""
            FROM base
            COPY <<one <<"two" /etc/
            1 $PATH
            one
            2 $PATH
            two
            RUN <<program
            #!/usr/bin/perl
            print "perl in $0\n";
            program
            RUN <<EOF
            cat /etc/one /etc/two
            EOF
            """);
        Assert.Equal(["perl in /dev/pipes/program", "1 /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "2 $PATH"],
            built.Progress.Lines);
    }

    [Fact]
    public async Task AFailedCommandSaysWhereHowAndWhy()
    {
        Skip();
        var recorder = await Assert.ThrowsAsync<BuildException>(() => fixture.BuildAsync("FROM base\nRUN touch /before\n"
            + "RUN for i in $(seq 100); do echo line $i; done; \\\n    echo trouble >&2; exit 3\nRUN touch /after\n"));
        var failure = recorder.Failure;
        Assert.Equal((3, 3), (failure.ExitCode, failure.Span.Line));
        Assert.StartsWith("RUN for i in", failure.Instruction, StringComparison.Ordinal);
        // The two streams are two pipes: which of them is read first is nobody's promise.
        Assert.Contains("line 100", failure.Tail, StringComparison.Ordinal);
        Assert.Contains("trouble", failure.Tail, StringComparison.Ordinal);
        Assert.Equal(101, File.ReadAllLines(failure.Log).Length);
        Assert.StartsWith("Dockerfile:3:1: 'RUN for i in", recorder.Message, StringComparison.Ordinal);
        fixture.AssertNothingIsLeft("for i in $(seq 100)");

        var built = await fixture.BuildAsync("FROM base\nRUN touch /before\n");
        Assert.Empty(built.Progress.Started);
    }

    [Theory]
    [InlineData("RUN [\"no-such-program\"]", "no-such-program")]
    [InlineData("RUN sh -c 'kill -9 $$'", "")]
    [InlineData("RUN mount -t tmpfs x /mnt", "permission denied")]
    public async Task WhatACommandMayNotOrCannotDoFailsAsItsOwn(string instruction, string said)
    {
        Skip();
        var failure = (await Assert.ThrowsAsync<BuildException>(() => fixture.BuildAsync($"FROM base\n{instruction}\n"))).Failure;
        Assert.NotEqual(0, failure.ExitCode);
        Assert.Contains(said, failure.Tail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("USER nobody-knows\nRUN true", "build-unknown-user", "user 'nobody-knows' is not in the image")]
    [InlineData("COPY --chown=wbe:root Dockerfile /", "build-unknown-user", "user 'wbe' is not in the image")]
    [InlineData("COPY --from=base /etc/pass /x", "build-copy-missing", "'etc/pass' is not in 'stage base'")]
    [InlineData("COPY Dockerfile /etc", null, null)]
    [InlineData("COPY Dockerfile /etc/passwd/x", "build-copy-conflict", "'/etc/passwd' is a File, and the copy needs a directory there")]
    [InlineData("WORKDIR /etc/passwd/x", "build-directory", "'/etc/passwd' is a File and not a directory")]
    public async Task MistakesThatOnlyShowNowPointIntoTheFile(string instructions, string? code, string? summary)
    {
        Skip();
        if (code is null)
        {
            Assert.Equal([$"File etc/Dockerfile 644 0:0 {Epoch}"],
                await (await fixture.BuildAsync($"FROM base\n{instructions}\n")).LayerAsync(0));
            return;
        }

        var diagnostic = Assert.Single(
            (await Assert.ThrowsAsync<InvalidInputException>(() => fixture.BuildAsync($"FROM base\n{instructions}\n"))).Diagnostics);
        Assert.Equal((code, summary), (diagnostic.Code, diagnostic.Summary));
        Assert.True(diagnostic.Span!.Value.Line >= 2);
    }

    [Fact]
    public async Task AMissingFileIsSaidBeforeAnythingRuns()
    {
        Skip();
        var e = await Assert.ThrowsAsync<InvalidInputException>(() =>
            fixture.BuildAsync("FROM base\nRUN sleep 60\nCOPY Dockerfil /\nCOPY nothing* /\n"));
        // A pattern may match nothing, as with Docker.
        Assert.Equal(["'Dockerfil' is not in the context '.'"], e.Diagnostics.Select(d => d.Summary));
        Assert.Equal("did you mean 'Dockerfile'?", e.Diagnostics[0].Detail);
    }

    [Fact]
    public async Task SnapshotsMadeAgainFromLayersGiveTheSameImages()
    {
        Skip();
        const string Before = "FROM base\nCOPY --chown=5:6 data /data\nRUN mkdir -m 750 /d && echo a > /d/a && echo b > /d/b && touch -d "
            + "@99 /d/b\nRUN rm /d/a && rm -r /data && mkdir /data && ln /d/b /data/b\n";
        const string Last = "RUN ls -l --time-style=+%s /d /data > /listing\n";
        await fixture.BuildAsync(Before, ("data/x", "1"));
        var cached = await fixture.BuildAsync(Before + Last, ("data/x", "1"));
        Assert.Single(cached.Progress.Started);

        var cold = await fixture.BuildAsync(Before + Last, s => s with { NoCache = true }, CancellationToken.None, ("data/x", "1"));
        Assert.True(cold.Progress.Started.Count >= 5, string.Join('\n', cold.Progress.Started));

        string snapshots = Path.Combine(fixture.Home, "cache", "snapshots");
        string aside = snapshots + ".aside";
        Directory.Move(snapshots, aside);
        try
        {
            File.Delete(RecordOf(cached, Last));
            var fromLayers = await fixture.BuildAsync(Before + Last, ("data/x", "1"));
            Assert.Equal([Last.Trim()], fromLayers.Progress.Started);
            Assert.Equal(cached.Image.Digest, cold.Image.Digest);
            Assert.Equal(cached.Image.Digest, fromLayers.Image.Digest);
        }
        finally
        {
            Process.Start("rm", ["-rf", snapshots]).WaitForExit();
            Directory.Move(aside, snapshots);
        }
    }

    [Fact]
    public async Task WhatComesToTheSameAgainChangesNothingAfterIt()
    {
        Skip();
        const string Dockerfile = "FROM base AS build\nCOPY input /input\nRUN wc -l < /input > /lines\nFROM base\n"
            + "COPY --from=build /lines /lines\nRUN cat /lines\n";
        var one = await fixture.BuildAsync(Dockerfile, ("input", "a\nb\n"));
        var other = await fixture.BuildAsync(Dockerfile, ("input", "c\nd\n"));
        Assert.Equal(one.Image.Digest, other.Image.Digest);
        Assert.Equal(["COPY input /input", "RUN wc -l < /input > /lines"], other.Progress.Started);
        Assert.Contains(other.Progress.Events.OfType<BuildEvent.StepStarted>(),
            s => s.Reasons.Any(r => r.StartsWith("content was", StringComparison.Ordinal)));

        var third = await fixture.BuildAsync(Dockerfile, ("input", "one line\n"));
        Assert.NotEqual(one.Image.Digest, third.Image.Digest);
    }

    [Fact]
    public async Task ALostBlobIsMadeAgain()
    {
        Skip();
        var built = await fixture.BuildAsync("FROM base\nRUN echo lost > /lost\n");
        var blob = built.Image.Manifest.Layers[^1].Digest;
        await fixture.Store.DeleteAsync(blob);
        var again = await fixture.BuildAsync("FROM base\nRUN echo lost > /lost\n");
        Assert.Empty(again.Progress.Started);
        Assert.Equal(built.Image.Digest, again.Image.Digest);
        Assert.NotNull(await fixture.Store.SizeAsync(blob));
    }

    [Fact]
    public async Task CancellingEndsEverythingAndLeavesNothing()
    {
        Skip();
        using var stop = new CancellationTokenSource();
        var building = fixture.BuildAsync("FROM base\nRUN sleep 613 & trap '' TERM INT; sleep 613\n", s => s, stop.Token);
        await UntilAsync(() => BuildFixture.Processes("sleep 613").Any(p => p.StartsWith("sleep", StringComparison.Ordinal)));
        string[] groups = ControlGroupsOf("sleep\0613\0");
        Assert.NotEmpty(groups);
        var clock = Stopwatch.StartNew();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => building);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), $"took {clock.Elapsed}");
        fixture.AssertNothingIsLeft("sleep 613");
        Assert.DoesNotContain(groups, IsThere);
    }

    [Fact]
    public async Task AKilledBuilderLeavesNothingRunningAndTheNextOneClearsUp()
    {
        Skip();
        string project = Path.Combine(fixture.Directory, "killed");
        BuildFixture.Write(project, new Dictionary<string, string>
        {
            ["ingot.yaml"] = BuildFixture.Base + "  app: { dockerfile: Dockerfile }\n",
            ["Dockerfile"] = "FROM base\nRUN (setsid sleep 617 &) ; echo half > /half; sleep 617\n",
        });
        using var builder = Process.Start(BuildFixture.Program(project, fixture.Home, "022", noCache: false))!;
        await UntilAsync(() => BuildFixture.Processes("sleep 617").Count(p => p.StartsWith("sleep", StringComparison.Ordinal)) == 2);
        string[] groups = ControlGroupsOf("sleep\0617\0");
        Assert.NotEmpty(groups);
        builder.Kill();
        await builder.WaitForExitAsync();
        await UntilAsync(() => BuildFixture.Processes("sleep 617").Count == 0);
        Assert.NotEmpty(Directory.EnumerateDirectories(Path.Combine(fixture.Home, "work", "builds")));

        await fixture.BuildAsync("FROM base\n");
        fixture.AssertNothingIsLeft("sleep 617");
        Assert.DoesNotContain(groups, IsThere);
        Assert.NotNull(await Record.ExceptionAsync(() => fixture.BuildAsync("FROM base\nRUN test -e /half\n")));
    }

    [Fact]
    public async Task TwoBuildersMayShareACache()
    {
        Skip();
        string unique = $"FROM base\nRUN echo {Environment.TickCount64} > /unique && sleep 1\nRUN cat /unique\n";
        var both = await Task.WhenAll(fixture.BuildAsync(unique), fixture.BuildAsync(unique), fixture.BuildAsync(unique));
        Assert.Single(both.Select(b => b.Image.Digest).Distinct());
        fixture.AssertNothingIsLeft("cat /unique");
    }

    [Fact]
    public async Task IndependentStagesRunSideBySide()
    {
        Skip();
        const string Dockerfile = "FROM base AS a\nRUN while [ ! -e /proc/net/unix ]; do :; done; sleep 3; date +%s%N > /a\n"
            + "FROM base AS b\nRUN sleep 3; date +%s%N > /b\nFROM base\nCOPY --from=a /a /\nCOPY --from=b /b /\nRUN rm /a /b\n";
        var built = await fixture.BuildAsync(Dockerfile, s => s with { Parallelism = 2, NoCache = false }, CancellationToken.None);
        var steps = built.Progress.Events.ToList();
        int FirstEnd = steps.FindIndex(e => e is BuildEvent.StepFinished);
        Assert.Equal(2, steps
            .Take(FirstEnd)
            .Count(e => e is BuildEvent.StepStarted { Step.Text: var text } && text.StartsWith("RUN", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task CommandsThatWaitTakeNoProcessorFromOthers()
    {
        Skip();
        string[] names = [.. Enumerable.Range(0, 6).Select(i => $"c{i}")];
        string stages = string.Concat(names.Select(name => $"FROM base AS {name}\nRUN sleep 4; echo {name} > /{name}\n"));
        string copies = string.Concat(names.Select(name => $"COPY --from={name} /{name} /\n"));
        var built = await fixture.BuildAsync($"{stages}FROM base\n{copies}", s => s with { Parallelism = 1 }, CancellationToken.None);
        var steps = built.Progress.Events.ToList();
        int firstEnd = steps.FindIndex(e => e is BuildEvent.StepFinished);
        Assert.Equal(names.Length, steps
            .Take(firstEnd)
            .Count(e => e is BuildEvent.StepStarted { Step.Text: var text } && text.StartsWith("RUN", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task NoMoreCommandsRunAtATimeThanAreAllowed()
    {
        Skip();
        const string Dockerfile = "FROM base AS a\nRUN sleep 0.4; echo only > /a\nFROM base AS b\nRUN sleep 0.3; echo only > /b\n"
            + "FROM base\nCOPY --from=a /a /\nCOPY --from=b /b /\n";
        var built = await fixture.BuildAsync(Dockerfile, s => s with { Commands = 1 }, CancellationToken.None);
        var steps = built.Progress.Events
            .Where(e => e is BuildEvent.StepStarted { Step.Text: ['R', 'U', 'N', ..] }
                or BuildEvent.StepFinished { Step.Text: ['R', 'U', 'N', ..] })
            .ToList();
        Assert.Equal([true, false, true, false], steps.Select(e => e is BuildEvent.StepStarted));
    }

    [Fact]
    public async Task AFullDiskLeavesNothingHalfMade()
    {
        Skip();
        string disk = Path.Combine(fixture.Directory, "disk");
        Directory.CreateDirectory(disk);
        await RunAsync("mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk);
        try
        {
            string project = Path.Combine(fixture.Directory, "large");
            BuildFixture.Write(project, new Dictionary<string, string>
            {
                ["ingot.yaml"] = "ingot: 1\nproject: p\nimages:\n  app: { dockerfile: Dockerfile }\n",
                ["Dockerfile"] = "FROM scratch\nCOPY small /\nCOPY large /\n",
                ["small"] = "small",
            });
            await File.WriteAllBytesAsync(Path.Combine(project, "large"),
                System.Security.Cryptography.RandomNumberGenerator.GetBytes(8 << 20));
            var store = new DirectoryStore(Path.Combine(disk, "store"));
            BuildSettings Small(BuildSettings settings) =>
                settings with { Store = store, CacheDirectory = Path.Combine(disk, "cache"), WorkDirectory = null };
            await Assert.ThrowsAsync<DiskException>(() => fixture.BuildAtAsync(project, Small, CancellationToken.None));
            Assert.Empty(Directory.EnumerateFiles(Path.Combine(disk, "store", "tmp")));
            Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(disk, "cache", "work", "builds")));

            await File.WriteAllBytesAsync(Path.Combine(project, "large"), new byte[1000]);
            var built = await fixture.BuildAtAsync(project, Small, CancellationToken.None);
            Assert.Equal(["COPY large /"], built.Progress.Started);
        }
        finally
        {
            await RunAsync("umount", disk);
        }
    }

    [Theory]
    [InlineData("../escape")]
    [InlineData("link/escape")]
    [InlineData("dev/sda")]
    public async Task AHostileBaseIsRefusedAndWritesNothingOutside(string path)
    {
        Skip();
        var store = new MemoryStore();
        var digest = await HostileImageAsync(store, path);
        string project = Path.Combine(fixture.Directory, "hostile");
        BuildFixture.Write(project, new Dictionary<string, string> { ["Dockerfile"] = "FROM hostile:1\nRUN true\n" });
        var diagnostics = new DiagnosticBag();
        var definition = new ProjectDefinition("p", [new DockerfileImage("app", default, "Dockerfile", ".", null, [])], [], [],
            new SourceText("ingot.yaml", ""));
        var image = await Image.LoadAsync(store, digest);
        var plan = await Planner.PlanAsync(
            definition,
            new PlanSettings
            {
                Directory = project,
                FindImage = (_, _, _) => Task.FromResult<StoredImage?>(new StoredImage(digest, image.Config)),
            },
            diagnostics);
        Assert.Empty(diagnostics);

        var builder = new Builder(new BuildSettings { Store = store, CacheDirectory = Path.Combine(fixture.Directory, "hostile-cache") });
        await Assert.ThrowsAnyAsync<IngotException>(() => builder.BuildAsync(plan!, NoBuildProgress.Instance));
        Assert.False(File.Exists("/tmp/ingot-hostile/escape"));
        Assert.DoesNotContain(
            Directory.EnumerateFiles(fixture.Directory, "escape",
                new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 6 }),
            _ => true);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(fixture.Directory, "hostile-cache", "work", "builds")));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(fixture.Directory, "hostile-cache", "snapshots")));
    }

    [Fact]
    public async Task AnImageOfTheStoreIsBuiltUponWithItsOwnBlobs()
    {
        Skip();
        var first = await fixture.BuildAsync("FROM base\nRUN echo first > /first\nENV FIRST=1\n");
        string project = Path.Combine(fixture.Directory, "upon");
        BuildFixture.Write(project,
            new Dictionary<string, string> { ["Dockerfile"] = "FROM tools:1\nRUN cat /first; echo $FIRST; echo second > /second\n" });
        var definition = new ProjectDefinition("p", [new DockerfileImage("app", default, "Dockerfile", ".", null, [])], [], [],
            new SourceText("ingot.yaml", ""));
        var diagnostics = new DiagnosticBag();
        var plan = await Planner.PlanAsync(
            definition,
            new PlanSettings
            {
                Directory = project,
                FindImage = (_, _, _) => Task.FromResult<StoredImage?>(new StoredImage(first.Image.Digest, first.Image.Config)),
            },
            diagnostics);

        var recorder = new Recorder();
        // A cache that has never seen the layers.
        var builder =
            new Builder(new BuildSettings { Store = fixture.Store, CacheDirectory = Path.Combine(fixture.Directory, "upon-cache") });
        var image = Assert.Single((await builder.BuildAsync(plan!, recorder)).Images);
        Assert.Equal(["first", "1"], recorder.Lines);
        Assert.Equal(first.Image.Manifest.Layers, image.Manifest.Layers.Take(2));
        Assert.Equal(first.Image.Config.History.Count + 1, image.Config.History.Count);
        Assert.Equal([new BaseImage("tools:1", first.Image.Digest)], image.Record.Bases);
    }

    private static async Task<Digest> HostileImageAsync(MemoryStore store, string path)
    {
        await using var writer = await LayerWriter.BeginAsync(store, LayerCompression.None);
        await writer.WriteAsync(new TarEntry { Path = "link", Type = TarEntryType.SymbolicLink, LinkTarget = "/tmp/ingot-hostile" });
        await writer.WriteAsync(path == "dev/sda"
            ? new TarEntry { Path = path, Type = TarEntryType.BlockDevice, DeviceMajor = 8 }
            : new TarEntry { Path = path.Replace("../", "XX/", StringComparison.Ordinal), Type = TarEntryType.File });
        var layer = await writer.FinishAsync();

        // The writer of layers would not write such a path: it is put in afterwards, with the checksum of its header.
        byte[] tar = (await store.ReadAsync(layer.Blob!.Digest))!;
        int header = tar.AsSpan().IndexOf("XX/escape"u8);
        if (header >= 0)
        {
            "../escape"u8.CopyTo(tar.AsSpan(header));
            "        "u8.CopyTo(tar.AsSpan(header + 148));
            int sum = 0;
            foreach (byte b in tar.AsSpan(header, 512))
                sum += b;
            System.Text.Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(tar.AsSpan(header + 148));
        }

        var blob = await store.PutAsync(MediaType.Layer, tar);
        var config = new ImageConfig
        {
            Architecture = Platform.Host.Architecture,
            Os = "linux",
            RootFs = new RootFileSystem { DiffIds = [Digest.Of(tar)] },
        };
        var configBlob = await store.PutAsync(MediaType.Config, ImageJson.Write(config));
        return (await store.PutAsync(MediaType.Manifest, ImageJson.Write(new Manifest { Config = configBlob, Layers = [blob] }))).Digest;
    }

    private string RecordOf(Built built, string instruction)
    {
        string text = instruction.Trim()["RUN ".Length..];
        string diffId = built.Image.Config.RootFs.DiffIds[^1].ToString();
        return Directory.EnumerateFiles(Path.Combine(fixture.Home, "cache", "steps"))
            .Single(f => File.ReadAllText(f) is var json
                && json.Contains(diffId, StringComparison.Ordinal)
                && JsonDocument.Parse(json).RootElement.GetProperty("key").EnumerateArray().Any(p => p.GetString() == text));
    }

    private static string Digests(JsonElement images) => string.Join('\n',
        images.EnumerateArray().Select(i => $"{i.GetProperty("name").GetString()} {i.GetProperty("digest").GetString()}"));

    // Of the processes with these arguments: others build on this host, too.
    private static string[] ControlGroupsOf(string arguments) => [.. Directory.EnumerateDirectories("/proc")
        .Where(process => int.TryParse(Path.GetFileName(process), out _) && TryRead(Path.Combine(process, "cmdline")) == arguments)
        .SelectMany(process => TryRead(Path.Combine(process, "cgroup")).Split(['\n', '/']))
        .Where(name => name.StartsWith("ingot-", StringComparison.Ordinal)).Distinct()];

    private static bool IsThere(string group) =>
        Directory.EnumerateDirectories("/sys/fs/cgroup", group,
            new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true }).Any();

    // A process may end while it is looked at.
    private static string TryRead(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (IOException)
        {
            return "";
        }
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }

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
