using System.Globalization;
using Ingot.Builds.Running;
using Ingot.Diagnostics;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.Tests.Builds.Running;

public sealed class SourceEpochsTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task TheNewestCommitThatTouchedTheFilesCounts()
    {
        await RepositoryAsync();
        await CommitAsync("web/Dockerfile", 1_000_000_000);
        await CommitAsync("web/src/main.c", 1_100_000_000);
        await CommitAsync("README", 1_200_000_000);
        Assert.Equal(1_100_000_000, await EpochAsync("web/Dockerfile", "web"));
        Assert.Equal(1_000_000_000, await EpochAsync("web/Dockerfile"));
        Assert.Equal(1_200_000_000, await EpochAsync("web/Dockerfile", "."));
        // What lies there and is in no commit has no time.
        await File.WriteAllTextAsync(_directory.At("repository/web/src/main.c"), "changed");
        Assert.Equal(1_100_000_000, await EpochAsync("web"));
    }

    [Fact]
    public async Task APathThatNoCommitTouchedIsAnError()
    {
        await RepositoryAsync();
        await CommitAsync("README", 1_000_000_000);
        await File.WriteAllTextAsync(_directory.At("repository/Dockerfile"), "FROM scratch");
        var problem = await ProblemAsync(_directory.At("repository"), "Dockerfile");
        Assert.Equal(("epoch-no-commit", "the epoch should be the time of a commit, and none changed 'Dockerfile'"),
            (problem.Code, problem.Summary));
    }

    [Fact]
    public async Task ADateBeyondWhatADateCanBeIsAnError()
    {
        await RepositoryAsync();
        await CommitAsync("Dockerfile", 1_000_000_000);
        string repository = _directory.At("repository");
        string commit = await CommandRunner.RunAsync(new Command("git", "cat-file", "commit", "HEAD") { Directory = repository });
        byte[] late = System.Text.Encoding.UTF8.GetBytes(commit.Replace("> 1000000000", "> 99999999999999", StringComparison.Ordinal));
        string made = await CommandRunner.RunAsync(
            new Command("git", "hash-object", "-t", "commit", "-w", "--stdin", "--literally") { Directory = repository, Input = late });
        await GitAsync(repository, "update-ref", "HEAD", made.Trim());
        Assert.Equal("epoch-date", (await ProblemAsync(_directory.At("repository"), "Dockerfile")).Code);
    }

    [Fact]
    public async Task ARepositoryWithoutObjectsIsAnError()
    {
        await File.WriteAllTextAsync(Directory.CreateDirectory(_directory.At("half/.git")).FullName + "/HEAD", "ref: refs/heads/x\n");
        Assert.StartsWith("epoch-", (await ProblemAsync(_directory.At("half"), ".")).Code, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ARepositoryWithoutACommitIsAnError()
    {
        await RepositoryAsync();
        Assert.Equal("epoch-no-commit", (await ProblemAsync(_directory.At("repository"), ".")).Code);
    }

    [Fact]
    public async Task NoRepositoryIsAnError()
    {
        var problem = await ProblemAsync("/proc", "Dockerfile", ".");
        Assert.Equal(("epoch-no-repository", "the epoch should be the time of a commit, and 'Dockerfile' and '.' are in no git repository"),
            (problem.Code, problem.Summary));
    }

    [Fact]
    public async Task AShallowCloneKnowsOnlyWhatItsCommitsTouched()
    {
        await RepositoryAsync();
        await CommitAsync("a/Dockerfile", 1_000_000_000);
        await CommitAsync("b/Dockerfile", 1_100_000_000);
        await CommitAsync("b/more", 1_200_000_000);
        await GitAsync(_directory.At("."), "clone", "-q", "--depth", "2", "file://" + _directory.At("repository"), "clone");
        var problem = await ProblemAsync(_directory.At("clone"), "a");
        Assert.Equal("epoch-shallow", problem.Code);
        Assert.Contains("git fetch --unshallow", problem.Detail, StringComparison.Ordinal);
        Assert.Equal(1_200_000_000,
            (await SourceEpochs.OfNewestCommitAsync(_directory.At("clone"), ["b"], null, TestContext.Current.CancellationToken))
                .ToUnixTimeSeconds());
    }

    [Fact]
    public async Task APathOutsideOfTheRepositoryIsAnErrorWithWhatGitSays()
    {
        await RepositoryAsync();
        await CommitAsync("README", 1_000_000_000);
        var problem = await ProblemAsync(_directory.At("repository"), "/etc/passwd");
        Assert.Contains("outside repository", problem.Summary, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheErrorNamesThePlaceThatAskedForIt()
    {
        var text = new SourceText("ingot.yaml", "epoch: commit");
        var thrown = await Assert.ThrowsAsync<InvalidInputException>(() =>
            SourceEpochs.OfNewestCommitAsync("/proc", ["."], text.Span(7, 6), TestContext.Current.CancellationToken));
        Assert.StartsWith("ingot.yaml:1:8: error:", thrown.Message);
    }

    private async Task<long> EpochAsync(params string[] paths) =>
        (await SourceEpochs.OfNewestCommitAsync(_directory.At("repository"), paths, null, TestContext.Current.CancellationToken))
            .ToUnixTimeSeconds();

    private static async Task<Diagnostic> ProblemAsync(string directory, params string[] paths)
    {
        var thrown = await Assert.ThrowsAsync<InvalidInputException>(() =>
            SourceEpochs.OfNewestCommitAsync(directory, paths, null, TestContext.Current.CancellationToken));
        return Assert.Single(thrown.Diagnostics);
    }

    private async Task RepositoryAsync()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/git"), "needs git: apt-get install git");
        await GitAsync(_directory.At("."), "init", "-q", "-b", "main", "repository");
    }

    private async Task CommitAsync(string file, long time)
    {
        string path = _directory.At("repository/" + file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        await File.WriteAllTextAsync(path, file);
        await GitAsync(_directory.At("repository"), "add", file);
        string date = time.ToString(CultureInfo.InvariantCulture) + " +0000";
        await CommandRunner.RunAsync(new Command("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", file)
        {
            Directory = _directory.At("repository"),
            Environment = new Dictionary<string, string> { ["GIT_COMMITTER_DATE"] = date, ["GIT_AUTHOR_DATE"] = "@1 +0000" },
        });
    }

    private static async Task GitAsync(string directory, params IReadOnlyList<string> arguments) =>
        await CommandRunner.RunAsync(new Command("git", [.. arguments]) { Directory = directory });
}
