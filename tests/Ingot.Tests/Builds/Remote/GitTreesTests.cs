using System.Diagnostics;
using System.Text;
using Ingot.Builds;
using Ingot.Builds.Remote;
using Ingot.Plans;
using Ingot.Testing;

namespace Ingot.Tests.Builds.Remote;

/// <summary>Trees of repositories, fetched by git itself from directories of this host.</summary>
public sealed class GitTreesTests : IAsyncLifetime
{
    private readonly TemporaryDirectory _home = new();
    private string _first = "";
    private string _second = "";

    private string Repository => "file://" + _home.At("repository");

    public ValueTask InitializeAsync()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/git"), "needs git");
        string at = _home.Make("repository");
        Shell(at, """
            git init -q -b main && mkdir -p docs/deep && echo one > a && echo doc > docs/deep/d && echo run > run.sh && chmod 755 run.sh && ln -s /etc/passwd link && ln -s docs shortcut
            git add . && git commit -q -m first && git tag light && git tag -a -m note v1
            echo two > a && git commit -q -a -m second && git branch feature/x && git checkout -q -b other && echo three > a && git commit -q -a -m third && git checkout -q main
            git branch both && git tag both light
            """);
        _first = Shell(at, "git rev-parse light").Trim();
        _second = Shell(at, "git rev-parse main").Trim();
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        _home.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData(null, "two")]
    [InlineData("main", "two")]
    [InlineData("refs/heads/other", "three")]
    [InlineData("other", "three")]
    [InlineData("feature/x", "two")]
    [InlineData("light", "one")]
    [InlineData("v1", "one")]
    [InlineData("refs/tags/v1", "one")]
    [InlineData("both", "two")]
    [InlineData("refs/tags/both", "one")]
    public async Task ABranchOrTagIsFetched(string? revision, string expected)
    {
        var tree = await FetchAsync(Source(revision));
        Assert.Equal(expected + "\n", await File.ReadAllTextAsync(Path.Combine(tree.Directory, "a")));
        Assert.Equal(expected == "one" ? _first : expected == "two" ? _second : tree.Commit, tree.Commit);
        Assert.False(Path.Exists(Path.Combine(tree.Directory, ".git")));
        Assert.Equal("/etc/passwd", new FileInfo(Path.Combine(tree.Directory, "link")).LinkTarget);
    }

    [Fact]
    public async Task ACommitIsFetchedByItsName()
    {
        // This one asks for single commits only where the server allows it.
        Shell(_home.At("repository"), "git config uploadpack.allowAnySHA1InWant false && git config protocol.version 0");
        Assert.Equal("one\n", await File.ReadAllTextAsync(Path.Combine((await FetchAsync(Source(_first))).Directory, "a")));
    }

    [Fact]
    public async Task ASubdirectoryIsATreeOfItsOwn()
    {
        var tree = await FetchAsync(Source("main") with { Subdirectory = "docs", KeepGitDirectory = true });
        Assert.Equal(["deep"], Directory.EnumerateFileSystemEntries(tree.Directory).Select(Path.GetFileName));
        Assert.Equal("doc\n", await File.ReadAllTextAsync(Path.Combine(tree.Directory, "deep/d")));
    }

    [Fact]
    public async Task TheRepositoryIsKeptWhenAskedForAndTheSameEachTime()
    {
        var source = Source("v1") with { KeepGitDirectory = true };
        var tree = await FetchAsync(source);
        var again = await FetchAsync(source);
        Assert.Equal(ListOf(again), ListOf(tree));
        Assert.Equal("", Shell(tree.Directory, "git status --porcelain && test \"$(git cat-file -t v1)\" = tag"));
        Assert.Equal(_first, Shell(tree.Directory, "git rev-parse HEAD").Trim());
        Assert.False(Directory.Exists(Path.Combine(again.Directory, ".git/hooks")));
        Assert.False(Directory.Exists(Path.Combine(again.Directory, ".git/logs")));
        Assert.Equal("", Shell(again.Directory, "git fsck --full --strict 2>&1 && git log --oneline | wc -l | grep -qx 1"));
    }

    // Loose objects or packs, with differences between them or without, more branches, another default branch, a later time.
    [Theory]
    [InlineData("git gc -q --aggressive")]
    [InlineData("git repack -q -a -d -F --window=0")]
    [InlineData("git branch later; git tag later; git tag -d light")]
    [InlineData("git config uploadpack.allowReachableSHA1InWant false; git config uploadpack.allowAnySHA1InWant false; git branch z other; "
        + "git checkout -q other")]
    [InlineData("echo more > a; git commit -q -a -m more; git reset -q --hard HEAD~1")]
    public async Task WhatIsKeptDependsOnTheCommitAlone(string change)
    {
        TreeSource.Git[] sources =
            [.. new[] { "v1", "main", _second, "feature/x" }.Select(r => Source(r) with { KeepGitDirectory = true })];
        var before = new List<string>();
        foreach (var source in sources)
            before.Add(ListOf(await FetchAsync(source)));
        Shell(_home.At("repository"), change);
        foreach (var (source, list) in sources.Zip(before))
        {
            var tree = await FetchAsync(source);
            Assert.Equal(list, ListOf(tree));
            Assert.Equal("", Shell(tree.Directory, "git status --porcelain; git fsck --full --strict 2>&1"));
        }
    }

    // So many objects that they are fetched as a pack.
    [Fact]
    public async Task ManyObjectsAreKeptTheSame()
    {
        string at = _home.At("repository");
        Shell(at, "for i in $(seq 300); do seq $i > n$i; done; git add . && git commit -q -m many");
        var source = Source("main") with { KeepGitDirectory = true };
        string before = ListOf(await FetchAsync(source));
        Shell(at, "git gc -q --aggressive --prune=now");
        Assert.Equal(before, ListOf(await FetchAsync(source)));
    }

    [Fact]
    public async Task ACommitWithoutHistoryIsNoShallowOne()
    {
        var tree = await FetchAsync(Source(_first) with { KeepGitDirectory = true });
        Assert.Equal("false", Shell(tree.Directory, "git rev-parse --is-shallow-repository").Trim());
        Assert.Equal("true", Shell((await FetchAsync(Source("main") with { KeepGitDirectory = true })).Directory,
            "git rev-parse --is-shallow-repository").Trim());
    }

    [Fact]
    public async Task WhatIsKeptOfSubmodulesIsTheSameToo()
    {
        string outer = _home.Make("outer");
        Shell(outer,
            "git init -q -b main && git -c protocol.file.allow=always submodule --quiet add ../repository inner && git commit -q -m outer");
        var source = new TreeSource.Git("file://" + outer, null, "", KeepGitDirectory: true, Commit: null);
        var tree = await FetchAsync(source);
        string before = ListOf(tree);
        Shell(_home.At("repository"), "git gc -q --aggressive; git branch -m main trunk; git tag later; git branch later");
        Assert.Equal(before, ListOf(await FetchAsync(source)));
        Assert.Equal("", Shell(tree.Directory,
            "git status --porcelain; git -C inner status --porcelain; git -C inner rev-parse -q --verify HEAD > /dev/null"));
    }

    private static string ListOf(GitTree tree) =>
        Shell(tree.Directory, "find . -printf '%P %y %m %l\\n' | sort; find . -type f | sort | xargs -d '\\n' sha256sum");

    [Fact]
    public async Task SubmodulesAreFetchedToo()
    {
        Shell(_home.Make("outer"), $"""
            git init -q -b main && git -c protocol.file.allow=always submodule --quiet add ../repository inner && git commit -q -m outer
            """);
        var tree = await FetchAsync(new TreeSource.Git("file://" + _home.At("outer"), null, "", KeepGitDirectory: false, Commit: null));
        Assert.Equal("two\n", await File.ReadAllTextAsync(Path.Combine(tree.Directory, "inner/a")));
        Assert.False(Path.Exists(Path.Combine(tree.Directory, "inner/.git")));
    }

    [Fact]
    public async Task TheCommitThatWasAskedForMustBeIt()
    {
        Assert.Equal(_second, (await FetchAsync(Source("main") with { Commit = _second[..7] })).Commit);
        // An annotated tag is meant by its own name too.
        string tag = Shell(_home.At("repository"), "git rev-parse v1").Trim();
        Assert.Equal(_first, (await FetchAsync(Source("v1") with { Commit = tag })).Commit);
        string message = await RefusedAsync(Source("main") with { Commit = _first });
        Assert.Contains($"'{_second}'", message, StringComparison.Ordinal);
        Assert.Contains($"'{_first}'", message, StringComparison.Ordinal);
        string wrong = _second[..39] + (_second[39] == '0' ? '1' : '0');
        Assert.Contains($"'{wrong}' was asked for", await RefusedAsync(Source(_second) with { Commit = wrong }), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nothing", "has no branch or tag 'nothing'")]
    [InlineData("refs/heads/v1", "has no branch or tag 'refs/heads/v1'")]
    [InlineData("ain", "has no branch or tag 'ain'")]
    [InlineData("--upload-pack=touch", "'--upload-pack=touch' is not the name of a branch")]
    [InlineData("mai*", "'mai*' is not the name of a branch")]
    [InlineData("v1^{}", "is not the name of a branch")]
    [InlineData("a b", "is not the name of a branch")]
    [InlineData("0123456789012345678901234567890123456789", "0123456789012345678901234567890123456789")]
    public async Task WhatIsNotThereIsSaid(string revision, string expected) =>
        Assert.Contains(expected, await RefusedAsync(Source(revision)), StringComparison.Ordinal);

    [Theory]
    [InlineData("nothing")]
    [InlineData("a")]
    [InlineData("shortcut")]
    [InlineData("shortcut/deep")]
    [InlineData("link")]
    [InlineData(".git")]
    public async Task ASubdirectoryIsADirectoryOfTheRepository(string subdirectory) =>
        Assert.EndsWith($"has no directory '{subdirectory}'", await RefusedAsync(Source("main") with { Subdirectory = subdirectory }),
            StringComparison.Ordinal);

    [Theory]
    [InlineData("ext::sh -c touch% x")]
    [InlineData("--upload-pack=touch x")]
    [InlineData("-x")]
    [InlineData("https://127.0.0.1/a\nb")]
    public async Task WhatIsNoAddressIsRefused(string repository) =>
        Assert.Contains("is not the address of a repository",
            await RefusedAsync(new TreeSource.Git(repository, null, "", KeepGitDirectory: false, Commit: null)), StringComparison.Ordinal);

    [Fact]
    public async Task ProgramsAndDirectoriesAreNoRepositories()
    {
        string touched = _home.At("touched");
        var source = new TreeSource.Git($"ext::touch${{IFS}}{touched}", null, "", KeepGitDirectory: false, Commit: null);
        Assert.Contains("'ext' not allowed", await RefusedAsync(source), StringComparison.Ordinal);
        Assert.False(File.Exists(touched));
        Assert.Contains("'file' not allowed", await RefusedAsync(Source("main"), allowLocal: false), StringComparison.Ordinal);
        Assert.Contains("'file' not allowed",
            await RefusedAsync(Source("main") with { Repository = _home.At("repository") }, allowLocal: false), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ASubmoduleThatIsAProgramIsNotRun()
    {
        string touched = _home.At("touched");
        Shell(_home.Make("outer"), $"""
            git init -q -b main && git update-index --add --cacheinfo 160000,{_first},inner
            printf '[submodule "inner"]\n\tpath = inner\n\turl = ext::touch %s\n' {touched} > .gitmodules && git add .gitmodules && git commit -q -m outer
            """);
        Assert.Contains(
            "not allowed",
            await RefusedAsync(new TreeSource.Git("file://" + _home.At("outer"), null, "", KeepGitDirectory: false, Commit: null)),
            StringComparison.Ordinal);
        Assert.False(File.Exists(touched));
    }

    [Fact]
    public async Task NothingOfARepositoryIsRun()
    {
        string touched = _home.At("touched");
        Shell(_home.At("repository"), $"""
            printf '#!/bin/sh\ntouch {touched}\n' > .git/hooks/post-checkout && chmod 755 .git/hooks/post-checkout && cp .git/hooks/post-checkout .git/hooks/post-merge
            echo 'a filter=evil' > .gitattributes && printf '[filter "evil"]\n\tsmudge = touch {touched}\n' > .gitconfig && git add . && git commit -q -m filters
            """);
        File.Delete(touched);
        await FetchAsync(Source("main"));
        Assert.False(File.Exists(touched));
    }

    [Fact]
    public async Task CredentialsAreInNoMessageAndOnNoCommandLine()
    {
        await using var server = new WebServer((_, _) => WebServer.Status("401 Unauthorized", "WWW-Authenticate: Basic\r\n"));
        var source = new TreeSource.Git(server.Root.Replace("://", "://me:hidden@", StringComparison.Ordinal) + "/x.git", "main", "",
            KeepGitDirectory: false, Commit: null);
        var e = await Assert.ThrowsAsync<DownloadException>(() => FetchAsync(source));
        Assert.DoesNotContain("hidden", e.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("hidden", source.ToString(), StringComparison.Ordinal);
        Assert.Contains(server.Requests,
            r => r.Contains($"Authorization: Basic {Convert.ToBase64String("me:hidden"u8)}", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("GIT_AUTH_TOKEN", "secret", "Basic eC1hY2Nlc3MtdG9rZW46c2VjcmV0")]
    [InlineData("GIT_AUTH_TOKEN.127.0.0.1", "secret", "Basic eC1hY2Nlc3MtdG9rZW46c2VjcmV0")]
    [InlineData("GIT_AUTH_HEADER", "Bearer abc", "Bearer abc")]
    [InlineData("GIT_AUTH_TOKEN.example.org", "secret", null)]
    public async Task SecretsOpenRepositories(string name, string value, string? expected)
    {
        await using var server = new WebServer((_, _) => WebServer.Status("404 Not Found"));
        var access = new GitAccess { Secrets = new Dictionary<string, ReadOnlyMemory<byte>> { [name] = Encoding.UTF8.GetBytes(value) } };
        await Assert.ThrowsAsync<DownloadException>(() => new GitTrees(access).MaterialiseAsync(
            new TreeSource.Git(server.Root + "/x.git", "main", "", false, null), _home.Make("out"), CancellationToken.None));
        Assert.NotEmpty(server.Requests);
        Assert.Equal(expected is not null, server.Requests.Any(r => r.Contains("Authorization: ", StringComparison.Ordinal)));
        Assert.All(server.Requests,
            r => Assert.Contains(expected is null ? "GET" : $"Authorization: {expected}\r\n", r, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("https://me:pw@example.org:8443/a/b.git?token=x#y", "https://example.org:8443/a/b.git?…")]
    [InlineData("ssh://git:pw@example.org/a.git", "ssh://git@example.org/a.git")]
    [InlineData("git@example.org:a/b.git", "git@example.org:a/b.git")]
    [InlineData("https://example.org/a%20b.git", "https://example.org/a%20b.git")]
    public void AddressesAreShownWithoutWhatOpensThem(string repository, string expected) =>
        Assert.Equal(expected, SafeAddress.OfRepository(repository));

    // What a repository brings as files: attributes, and submodules that name programs and places.
    [Theory]
    [InlineData("attributes", "echo '* filter=x diff=x merge=x' > .gitattributes")]
    [InlineData("a command", "printf '[submodule \"s\"]\npath = s\nurl = ./\nupdate = !@\n' > .gitmodules")]
    [InlineData("a helper", "printf '[submodule \"s\"]\npath = s\nurl = ext::@\n' > .gitmodules")]
    [InlineData("an option", "printf '[submodule \"s\"]\npath = s\nurl = -u@\n' > .gitmodules")]
    [InlineData("an option for ssh", "printf '[submodule \"s\"]\npath = s\nurl = ssh://-oProxyCommand=@/x\n' > .gitmodules")]
    [InlineData("a place outside", "printf '[submodule \"../../x\"]\npath = s\nurl = ./\n' > .gitmodules")]
    [InlineData("a path outside", "printf '[submodule \"s\"]\npath = ../s\nurl = ./\n' > .gitmodules")]
    public async Task NothingThatAFetchedRepositoryNamesIsRun(string what, string script)
    {
        string mark = _home.At("mark");
        await File.WriteAllTextAsync(_home.At("canary"), $"#!/bin/sh\ntouch {mark}\n", TestContext.Current.CancellationToken);
        File.SetUnixFileMode(_home.At("canary"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Shell(_home.At("repository"), $"{script.Replace("@", _home.At("canary"), StringComparison.Ordinal)}\n"
            + $"git update-index --add --cacheinfo 160000,{_first},s\ngit add . && git commit -qm {what.Split(' ')[^1]}");
        try
        {
            var tree = await FetchAsync(Source("main"));
            Assert.Equal("two\n", await File.ReadAllTextAsync(Path.Combine(tree.Directory, "a"), TestContext.Current.CancellationToken));
        }
        catch (DownloadException)
        {
            // A plain refusal.
        }

        Assert.False(File.Exists(mark));
        Assert.False(Path.Exists(_home.At("s")) || Path.Exists(_home.At("x")));
    }

    private TreeSource.Git Source(string? revision) => new(Repository, revision, "", KeepGitDirectory: false, Commit: null);

    private Task<GitTree> FetchAsync(TreeSource.Git source, bool allowLocal = true) =>
        new GitTrees(new GitAccess { AllowLocalUnsafe = allowLocal }).MaterialiseAsync(source, _home.Make($"out-{Guid.NewGuid():N}"),
            CancellationToken.None);

    private async Task<string> RefusedAsync(TreeSource.Git source, bool allowLocal = true) =>
        (await Assert.ThrowsAsync<DownloadException>(() => FetchAsync(source, allowLocal))).Message;

    private static string Shell(string directory, string script)
    {
        var start = new ProcessStartInfo("sh", ["-e", "-c", script]) { WorkingDirectory = directory, RedirectStandardOutput = true };
        foreach (string who in (string[])["AUTHOR", "COMMITTER"])
        {
            start.Environment[$"GIT_{who}_NAME"] = "test";
            start.Environment[$"GIT_{who}_EMAIL"] = "test@example.org";
            start.Environment[$"GIT_{who}_DATE"] = "2020-01-01T00:00:00Z";
        }

        start.Environment["GIT_CONFIG_GLOBAL"] = "/dev/null";
        using var process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, output);
        return output;
    }
}
