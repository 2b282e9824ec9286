using Ingot.Tools;

namespace Ingot.Tests.Tools;

public sealed class GitFetchTests
{
    [Fact]
    public void ASecretIsNotShownToWhomAnAnswerSendsIt()
    {
        var secret = new GitFetch(
            new GitConnection { Protocols = ["https"], Authorization = "Basic c2VjcmV0", AuthorizedAddress = "https://host/" });
        var open = new GitFetch(new GitConnection { Protocols = ["https"] });
        Assert.All(Commands(secret), command => Assert.Contains("http.followRedirects=false", command.Arguments));
        Assert.All(Commands(open), command => Assert.DoesNotContain("http.followRedirects=false", command.Arguments));
    }

    private static Command[] Commands(GitFetch git) =>
        [git.List("https://host/r.git", "HEAD"), git.Fetch("/x", "https://host/r.git", "HEAD"), git.FetchAll("/x", "https://host/r.git"),
            git.Submodules("/x")];
}
