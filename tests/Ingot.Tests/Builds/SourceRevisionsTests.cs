using Ingot.Builds;

namespace Ingot.Tests.Builds;

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
    public async Task ADirectoryInNoWorkingTreeHasNoRevision() => Assert.Null(await SourceRevisions.FindAsync("/proc", warning => Assert.Fail(warning), CancellationToken.None));
}
