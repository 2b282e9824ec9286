using Ingot.Builds.Remote;
using Ingot.Builds.Running;
using Ingot.Diagnostics;
using Ingot.Tools;

namespace Ingot.Tests.Builds.Remote;

/// <summary>Repositories that name programs in every way there is: everything Ingot asks of a repository is asked of each,
/// and no program may have run.</summary>
public sealed class HostileRepositoryTests : IDisposable
{
    // @ is the program, which leaves a file behind.
    private static readonly Dictionary<string, string> s_configurations = new()
    {
        ["filter clean"] = "[filter \"x\"]\nclean = @ clean\nrequired",
        ["filter smudge"] = "[filter \"x\"]\nsmudge = @ smudge\nclean = cat",
        ["filter process"] = "[filter \"x\"]\nprocess = @ process\nrequired",
        ["fsmonitor"] = "[core]\nfsmonitor = @ fsmonitor",
        ["fsmonitor of version 1"] = "[core]\nfsmonitor = @ fsmonitor\nfsmonitorHookVersion = 1",
        ["hooksPath"] = "[core]\nhooksPath = #/hooks",
        ["textconv"] = "[diff \"x\"]\ntextconv = @ textconv\ncachetextconv = true",
        ["diff command"] = "[diff \"x\"]\ncommand = @ diff",
        ["external diff"] = "[diff]\nexternal = @ diff",
        ["diff order file"] = "[diff]\norderFile = /dev/zero",
        ["merge driver"] = "[merge \"x\"]\ndriver = @ merge",
        ["ssh"] = "[core]\nsshCommand = @ ssh\ngitProxy = @ proxy\naskPass = @",
        ["editor"] = "[core]\neditor = @ editor\n[sequence]\neditor = @ editor",
        ["pager"] = "[core]\npager = @ pager\n[pager]\nlog = @ pager\nstatus = @ pager\n[interactive]\ndiffFilter = @ filter",
        ["credential helper"] = "[credential]\nhelper = !@ credential\n[credential \"https://host\"]\nhelper = @ credential",
        ["gpg"] =
            "[gpg]\nprogram = @\n[gpg \"ssh\"]\nprogram = @\ndefaultKeyCommand = @\n[log]\nshowSignature = true\n[commit]\ngpgSign = true",
        ["alias"] = "[alias]\nstatus = !@ a\nlog = !@ a\ncat-file = !@ a\nls-files = !@ a\nfetch = !@ a\ncheckout = !@ a\n"
            + "upload-pack = !@ a\nrev-parse = !@ a",
        ["trailer"] = "[trailer \"x\"]\ncommand = @ trailer\ncmd = @ trailer\nifexists = add",
        ["include"] = "[include]\npath = #/included",
        ["includeIf"] = "[includeIf \"gitdir:/\"]\npath = #/included\n[includeIf \"onbranch:main\"]\npath = #/included",
        ["worktree configuration"] = "[extensions]\nworktreeConfig = true",
        ["packObjectsHook"] = "[uploadpack]\npackObjectsHook = @ pack\n[receive]\nprocReceiveRefs = refs",
        ["alternate references"] = "[core]\nalternateRefsCommand = @ refs",
        ["upload-pack of the remote"] =
            "[remote \"origin\"]\nurl = #/repository\nuploadpack = @ upload\nreceivepack = @ receive\nvcs = x\nproxy = @",
        ["promisor"] =
            "[extensions]\npartialClone = origin\n[remote \"origin\"]\nurl = ext::@ ext\npromisor = true\npartialclonefilter = blob:none",
        ["promisor over ssh"] =
            "[core]\nsshCommand = @ ssh\n[extensions]\npartialClone = origin\n[remote \"origin\"]\nurl = ssh://host/x\npromisor = true",
        ["guesses and tools"] = "[mergetool \"x\"]\ncmd = @ tool\n[difftool \"x\"]\ncmd = @ tool\n[merge]\ntool = x\n[browser \"x\"]\n"
            + "cmd = @ b\n[help]\nautocorrect = immediate",
        ["maintenance"] = "[gc]\nauto = 1\nrecentObjectsHook = @ gc\n[maintenance]\nauto = true",
        ["url rewriting"] =
            "[url \"ext::@ ext \"]\ninsteadOf = /\ninsteadOf = file://\n[protocol]\nallow = always\n[protocol \"ext\"]\nallow = always",
        ["submodules"] = "[submodule]\nrecurse = true\n[submodule \"sub\"]\nurl = ext::@ ext\nupdate = !@ update\nactive = true\n"
            + "ignore = none\n[fetch]\nrecurseSubmodules = true",
    };

    private static readonly string[] s_hooks =
    [
        "applypatch-msg", "commit-msg", "fsmonitor-watchman", "p4-changelist", "p4-post-changelist", "p4-pre-submit",
        "p4-prepare-changelist", "post-applypatch", "post-checkout", "post-commit", "post-index-change",
        "post-merge", "post-receive", "post-rewrite", "post-update", "pre-applypatch", "pre-auto-gc", "pre-commit", "pre-merge-commit",
        "pre-push", "pre-rebase", "pre-receive", "prepare-commit-msg", "proc-receive",
        "push-to-checkout", "reference-transaction", "sendemail-validate", "update",
    ];

    private readonly GitDirectory _git = new();
    private readonly string _canary;

    public HostileRepositoryTests()
    {
        // Whoever is made to run it can leave the mark.
        Directory.CreateDirectory(_git.At("marks"));
        File.SetUnixFileMode(_git.At("marks"), (UnixFileMode)0b111_111_111);
        _canary = _git.At("canary");
        File.WriteAllText(_canary, $"#!/bin/sh\necho \"$0 $*\" > {_git.At("marks")}/$$\ncat\n");
        File.SetUnixFileMode(_canary, (UnixFileMode)0b111_101_101);
    }

    public static TheoryData<string, bool> Configurations =>
        new(s_configurations.Keys.SelectMany(name => new[] { (name, false), (name, true) }));

    public void Dispose() => _git.Dispose();

    [Theory]
    [MemberData(nameof(Configurations))]
    public async Task NothingThatAConfigurationNamesIsRun(string name, bool isStrangers)
    {
        Plant(s_configurations[name]);
        string head = _git.Head("repository");
        Own(isStrangers);
        await AskAllAsync(head);
    }

    // What the tests above would see.
    [Theory]
    [InlineData("filter clean", "git status")]
    [InlineData("filter process", "git status || true")]
    [InlineData("fsmonitor", "git status")]
    [InlineData("include", "git status")]
    [InlineData("worktree configuration", "git status")]
    [InlineData("alternate references", "git -c core.alternateRefsCommand=$PWD/../canary status; ../canary x")]
    [InlineData("gpg", "git commit -q --allow-empty -m x || true")]
    public void GitItselfRunsThem(string name, string script)
    {
        Plant(s_configurations[name]);
        _git.Shell("repository", script);
        Assert.NotEmpty(Directory.EnumerateFiles(_git.At("marks")));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task NoHookIsRun(bool isStrangers)
    {
        Plant("");
        string head = _git.Head("repository");
        Directory.CreateDirectory(_git.At("repository", ".git", "hooks"));
        foreach (string hook in s_hooks)
        {
            File.Copy(_canary, _git.At("repository", ".git", "hooks", hook), overwrite: true);
            File.SetUnixFileMode(_git.At("repository", ".git", "hooks", hook), (UnixFileMode)0b111_101_101);
        }

        Own(isStrangers);
        await AskAllAsync(head);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task NothingThatASubmoduleNamesIsRun(bool isStrangers)
    {
        _git.MakeRepository("inner");
        Plant("");
        _git.Shell("repository", $"git submodule --quiet add file://{_git.At("inner")} app/sub && git commit -qm second");
        File.AppendAllText(_git.At("repository", ".git", "modules", "app", "sub", "config"),
            $"\n{Armed(s_configurations["fsmonitor"])}\n{Armed(s_configurations["filter clean"])}\n");
        File.WriteAllText(_git.At("repository", "app", "sub", ".gitattributes"), "* filter=x\n");
        File.SetLastWriteTimeUtc(_git.At("repository", "app", "sub", "other"), DateTime.UnixEpoch);
        string head = _git.Head("repository");
        Own(isStrangers);
        await AskAllAsync(head, isDirty: true);
    }

    // As a pull request can bring it: its files are files of an ordinary commit.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ABareRepositoryInADirectoryIsNoRepository(bool isStrangers)
    {
        Plant("");
        string app = _git.At("repository", "app");
        _git.Shell("repository", "git init -q --bare bare && cp -r bare/* app && rm -rf bare");
        File.WriteAllText(Path.Combine(app, "config"),
            $"[core]\nrepositoryformatversion = 0\nbare = false\nworktree = {app}\n{Armed("fsmonitor = @ fsmonitor")}\n");
        _git.Shell("repository", "git --git-dir=.git --work-tree=. add -A . && git --git-dir=.git --work-tree=. commit -qm second");
        string head = _git.Shell("repository", "git --git-dir=.git rev-parse HEAD").Trim();
        Own(isStrangers);
        await AskAllAsync(head);
    }

    [Theory]
    [InlineData("a file that leads to a repository", "mv .git ../elsewhere; echo gitdir: ../elsewhere > .git")]
    [InlineData("a file that leads to somebody's working tree",
        "git -C ../private worktree add -q ../tree; cp ../tree/.git ../leads; rm -rf .git; cp ../leads .git")]
    [InlineData("a file that leads to somebody's submodule", "rm -rf .git; printf 'gitdir: ../private/.git' > .git")]
    [InlineData("a link to a repository", "rm -rf .git; ln -s ../private/.git .git")]
    [InlineData("a working tree elsewhere", "git config core.worktree ../../private")]
    [InlineData("objects elsewhere", "echo ../../../private/.git/objects > .git/objects/info/alternates")]
    [InlineData("a link to objects elsewhere", "rm -rf .git/objects; ln -s ../../private/.git/objects .git/objects")]
    [InlineData("a link to one object elsewhere",
        "mkdir -p .git/objects/00; ln -s /etc/shadow .git/objects/00/11111111111111111111111111111111111111")]
    [InlineData("a link to an index", "rm .git/index; ln -s ../../private/.git/index .git/index")]
    [InlineData("a pipe for an index", "rm .git/index; mkfifo .git/index")]
    [InlineData("a link for HEAD", "rm .git/HEAD; ln -s /etc/shadow .git/HEAD")]
    [InlineData("a link for a branch", "rm .git/refs/heads/main; ln -s /etc/shadow .git/refs/heads/main")]
    [InlineData("a branch that leads out", "echo ref: refs/heads/../../../../../../etc/shadow > .git/HEAD")]
    [InlineData("a branch that leads to itself", "echo ref: refs/heads/main > .git/refs/heads/main")]
    [InlineData("a pipe for a branch", "rm .git/refs/heads/main; mkfifo .git/refs/heads/main")]
    [InlineData("a link for the configuration", "rm .git/config; ln -s /etc/shadow .git/config")]
    [InlineData("a link for what is ignored", "rm -f .git/info/exclude; ln -s /etc/shadow .git/info/exclude")]
    [InlineData("a pipe for the repository's file", "rm -rf .git; mkfifo .git")]
    [InlineData("another form of references", "git config extensions.refStorage reftable; git config core.repositoryFormatVersion 1")]
    [InlineData("a form that nobody knows", "git config core.repositoryFormatVersion 7")]
    public async Task WhatLeadsElsewhereIsRefusedPlainly(string what, string script)
    {
        _git.MakeRepository("private");
        Plant("");
        _git.Shell("repository", script);
        List<string> warnings = [];
        var found = await SourceRevisions.FindAsync(_git.At("repository", "app"), warnings.Add, TestContext.Current.CancellationToken);
        Assert.True(found is null, what);
        Assert.All(warnings, warning => Assert.DoesNotContain("root:", warning, StringComparison.Ordinal));
        if (!what.Contains("repository's file", StringComparison.Ordinal))
            Assert.Contains("the repository is not read", Assert.Single(warnings), StringComparison.Ordinal);
        await Assert.ThrowsAsync<InvalidInputException>(() =>
            SourceEpochs.OfNewestCommitAsync(_git.At("repository", "app"), ["."], null, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task ARepositoryOfAThirdUserAroundADirectoryIsNotRead()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root");
        Plant("");
        Own(isStrangers: true);
        _git.Shell("repository", "chown 0:0 app app/*");
        List<string> warnings = [];
        Assert.Null(await SourceRevisions.FindAsync(_git.At("repository", "app"), warnings.Add, TestContext.Current.CancellationToken));
        Assert.Contains("is of the user 54321", Assert.Single(warnings), StringComparison.Ordinal);
    }

    // A neighbour's repository leads to objects that only root may read: it is read as the neighbour.
    [Fact]
    public async Task AStrangersRepositoryIsReadWithTheStrangersRights()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root");
        _git.MakeRepository("private");
        File.WriteAllText(_git.At("private", "other"), "a secret\n");
        _git.Shell("private", "git commit -qam secret && chmod 700 .");
        string secret = _git.Head("private");
        Plant("");
        Own(isStrangers: true);
        File.WriteAllText(_git.At("repository", ".git", "objects", "info", "alternates"), _git.At("private", ".git", "objects") + "\n");
        using var view = new GitView(GitRepository.Find(_git.At("repository"))!);
        Assert.NotEqual(0,
            (await CommandRunner.TryRunAsync(view.Has(secret), onLine: null, TestContext.Current.CancellationToken)).ExitCode);
        Directory.CreateDirectory(_git.At("out"));
        await Assert.ThrowsAsync<ToolException>(() =>
            GitTrees.MaterialiseAsync(view, secret, _git.At("out"), TestContext.Current.CancellationToken));
        Assert.False(File.Exists(_git.At("out", "other")));
    }

    private void Plant(string configuration)
    {
        _git.MakeRepository("repository");
        File.WriteAllText(_git.At("repository", ".gitattributes"), "* filter=x diff=x merge=x\n");
        _git.Shell("repository", "git add . && git commit -qm attributes");
        File.WriteAllText(_git.At("included"), Armed($"{s_configurations["filter clean"]}\n{s_configurations["fsmonitor"]}\n"));
        File.WriteAllText(_git.At("repository", ".git", "config.worktree"), File.ReadAllText(_git.At("included")));
        Directory.CreateDirectory(_git.At("hooks"));
        foreach (string hook in s_hooks)
        {
            File.Copy(_canary, _git.At("hooks", hook), overwrite: true);
            File.SetUnixFileMode(_git.At("hooks", hook), (UnixFileMode)0b111_101_101);
        }

        string before = File.ReadAllText(_git.At("repository", ".git", "config"));
        if (configuration.Contains("[extensions]", StringComparison.Ordinal))
            before = before.Replace("repositoryformatversion = 0", "repositoryformatversion = 1", StringComparison.Ordinal);
        File.WriteAllText(_git.At("repository", ".git", "config"), $"{before}\n{Armed(configuration)}\n");
        // Git has to look into the file again.
        File.SetLastWriteTimeUtc(_git.At("repository", "app", "data"), DateTime.UnixEpoch);
        foreach (string mark in Directory.EnumerateFiles(_git.At("marks")))
            File.Delete(mark);
    }

    private string Armed(string text) =>
        text.Replace("@", _canary, StringComparison.Ordinal).Replace("#", _git.At("."), StringComparison.Ordinal);

    private void Own(bool isStrangers)
    {
        Assert.SkipUnless(!isStrangers || Environment.IsPrivilegedProcess, "needs root");
        if (isStrangers)
            _git.Shell(".", $"chown -R {GitDirectory.Stranger}:{GitDirectory.Stranger} repository");
        foreach (string mark in Directory.EnumerateFiles(_git.At("marks")))
            File.Delete(mark);
    }

    // All that Ingot asks: which commit, what changed, when, and the files of the commit.
    private async Task AskAllAsync(string head, bool? isDirty = false)
    {
        var token = TestContext.Current.CancellationToken;
        string app = _git.At("repository", "app");
        var found = await SourceRevisions.FindAsync(app, Assert.Fail, token);
        Assert.Equal((head, isDirty, "app/"), (found!.Commit, found.IsDirty, found.Prefix));
        Assert.Equal(1_600_000_000, (await SourceEpochs.OfNewestCommitAsync(app, ["Dockerfile", "."], null, token)).ToUnixTimeSeconds());

        using var view = new GitView(GitRepository.Find(app)!);
        Assert.Equal(0, (await CommandRunner.TryRunAsync(view.Has(head), onLine: null, token)).ExitCode);
        Assert.NotEqual(0, (await CommandRunner.TryRunAsync(view.Has(new string('1', 40)), onLine: null, token)).ExitCode);
        Directory.CreateDirectory(_git.At("out"));
        await GitTrees.MaterialiseAsync(view, head, _git.At("out"), token);
        Assert.Equal("committed\n", await File.ReadAllTextAsync(_git.At("out", "app", "data"), token));
        Assert.False(Path.Exists(_git.At("out", ".git")));
        Assert.Empty(Directory.EnumerateFiles(_git.At("marks")).Select(File.ReadAllText));
    }
}
