using Ingot.Builds;
using Ingot.Builds.Running;
using Ingot.Tools;

namespace Ingot.Tests.Builds.Running;

public sealed class SourceRevisionsTests
{
    [Theory]
    [InlineData("", null)]
    [InlineData("https://host/team/shop.git", "https://host/team/shop.git")]
    [InlineData("https://user:token@host/team/shop.git", "https://host/team/shop.git")]
    [InlineData("https://token@host:8443/shop", "https://host:8443/shop")]
    [InlineData("git@host:team/shop.git", "git@host:team/shop.git")]
    [InlineData("/srv/git/shop", "/srv/git/shop")]
    public void AnAddressHasNoSecrets(string remote, string? expected) => Assert.Equal(expected, SourceRevisions.WithoutSecrets(remote));

    [Fact]
    public async Task ADirectoryInNoWorkingTreeHasNoRevision() =>
        Assert.Null(await SourceRevisions.FindAsync("/proc", Assert.Fail, CancellationToken.None));

    [Theory]
    [InlineData("as it was", "true", false)]
    [InlineData("touched", "touch app/data", false)]
    [InlineData("changed", "echo changed > app/data", true)]
    [InlineData("the same size at the same time", "touch -r app/data x; echo committeD > app/data; touch -r x app/data; rm x", true)]
    [InlineData("staged", "echo changed > app/data; git add .", true)]
    [InlineData("deleted", "rm app/data", true)]
    [InlineData("new", "touch app/new", true)]
    [InlineData("a program now", "chmod 755 app/data", true)]
    [InlineData("a program now, where that is not kept", "git config core.fileMode false; chmod 755 app/data", false)]
    [InlineData("new, and ignored", "echo new > .gitignore; git add .; git commit -qm second; touch app/new", false)]
    [InlineData("new, and ignored here", "echo new >> .git/info/exclude; touch app/new", false)]
    [InlineData("elsewhere", "echo changed > other", false)]
    [InlineData("lines of another host", "git config core.autocrlf true; rm app/data; git checkout -q app/data; touch app/data", false)]
    [InlineData("lines of another host, as they are", "printf 'committed\\r\\n' > app/data", true)]
    [InlineData("attributes of here",
        "echo '* text eol=crlf' > .git/info/attributes; rm app/data; git checkout -q app/data; touch app/data", false)]
    [InlineData("packed", "git gc -q; git pack-refs --all", false)]
    [InlineData("detached", "git checkout -q --detach", false)]
    [InlineData("a split index", "git update-index --split-index; git add .", false)]
    [InlineData("an index of version 4", "git update-index --index-version 4", false)]
    [InlineData(
        "a fetched name",
        "git update-ref refs/remotes/origin/main HEAD; git config branch.main.merge refs/heads/main; git config branch.main.remote origin",
        false)]
    public async Task AStateIsWhatGitSays(string what, string script, bool isDirty)
    {
        using var git = new GitDirectory();
        git.MakeRepository("repository");
        git.Shell("repository", script);
        git.Shell("repository", "git config remote.origin.url https://me:secret@host/shop.git");
        Assert.Equal((what, isDirty), (what, git.Shell("repository/app", "git status --porcelain .").Length > 0));
        Assert.Equal(new SourceRevision(git.Head("repository"), isDirty, "https://host/shop.git") { Prefix = "app/" },
            await FindAsync(git.At("repository", "app")));
    }

    [Theory]
    [InlineData("--object-format=sha256", "true")]
    [InlineData("", "git worktree add -q ../tree; cd ../tree")]
    [InlineData("", "git clone -q --depth=1 file://$PWD ../tree")]
    [InlineData(
        "", "git init -q ../outer; git -C ../outer submodule --quiet add file://$PWD ../tree 2>/dev/null || git clone -q . ../tree")]
    public async Task EveryFormOfAWorkingTreeIsRead(string options, string script)
    {
        using var git = new GitDirectory();
        git.MakeRepository("repository", options);
        git.Shell("repository", script);
        string tree = Directory.Exists(git.At("tree")) ? "tree" : "repository";
        var found = await FindAsync(git.At(tree, "app"));
        Assert.Equal((git.Head("repository"), false, "app/"), (found!.Commit, found.IsDirty, found.Prefix));
        await File.WriteAllTextAsync(git.At(tree, "app", "data"), "changed", TestContext.Current.CancellationToken);
        Assert.True((await FindAsync(git.At(tree, "app")))!.IsDirty);
    }

    [Fact]
    public async Task WhatChangedInASubmoduleCounts()
    {
        using var git = new GitDirectory();
        string inner = git.MakeRepository("inner");
        git.MakeRepository("repository");
        git.Shell("repository", $"git submodule --quiet add file://{inner} sub; git commit -qm second");
        Assert.False((await FindAsync(git.At("repository")))!.IsDirty);
        await File.WriteAllTextAsync(git.At("repository", "sub", "other"), "changed", TestContext.Current.CancellationToken);
        Assert.True((await FindAsync(git.At("repository")))!.IsDirty);
        git.Shell("repository/sub", "git checkout -q . && git commit -q --allow-empty -m more");
        Assert.True((await FindAsync(git.At("repository")))!.IsDirty);
    }

    [Fact]
    public async Task ARepositoryBeforeItsFirstCommitHasNoRevision()
    {
        using var git = new GitDirectory();
        Directory.CreateDirectory(git.At("empty"));
        git.Shell("empty", "git init -q .");
        Assert.Null(await FindAsync(git.At("empty")));
    }

    [Fact]
    public async Task TheDirectoryMayBeReachedByALink()
    {
        using var git = new GitDirectory();
        git.MakeRepository("repository");
        File.CreateSymbolicLink(git.At("link"), git.At("repository", "app"));
        Assert.Equal("app/", (await FindAsync(git.At("link")))!.Prefix);
    }

    [Fact]
    public void NothingOfAViewIsLeft()
    {
        using var git = new GitDirectory();
        string path;
        using (var view = new GitView(GitRepository.Find(git.MakeRepository("repository"))!))
            path = view.Path;
        Assert.False(Directory.Exists(path));
        Assert.True(File.Exists(git.At("repository", ".git", "objects", "info", "..", "..", "HEAD")));
    }

    private static Task<SourceRevision?> FindAsync(string directory) =>
        SourceRevisions.FindAsync(directory, Assert.Fail, TestContext.Current.CancellationToken);
}
