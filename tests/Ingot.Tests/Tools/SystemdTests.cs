using Ingot.Tools;

namespace Ingot.Tests.Tools;

public sealed class SystemdTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("systemd-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [InlineData("/srv/ingot", "\"/srv/ingot\"")]
    [InlineData("a b\"c\\d'e", "\"a b\\\"c\\\\d'e\"")]
    [InlineData("100%h $HOME ${X}", "\"100%%h $$HOME $${X}\"")]
    [InlineData("", "\"\"")]
    public void AWordOfAUnitMeansItselfWhateverIsInIt(string word, string quoted) => Assert.Equal(quoted, Systemd.Quote(word));

    [Theory]
    [InlineData("a\nExecStartPre=/bin/evil")]
    [InlineData("a\0b")]
    [InlineData("a\u001b")]
    public void ALineCannotHoldControlCharacters(string word) => Assert.Throws<ArgumentException>(() => Systemd.Quote(word));

    [Fact]
    public void AVariableKeepsItsDollars() => Assert.Equal("\"A=$x%%\"", Systemd.QuoteVariable("A", "$x%"));

    [Fact]
    public void AHostIsManagedWhereSystemdSaysSoAndAUnitIsFoundWhereverItLies()
    {
        var systemd = new Systemd(_root);
        Assert.Equal((false, false), (systemd.IsRunning, systemd.Has("docker.service")));

        Directory.CreateDirectory(Path.Combine(_root, "run/systemd/system"));
        Directory.CreateDirectory(Path.Combine(_root, "lib/systemd/system"));
        File.WriteAllText(Path.Combine(_root, "lib/systemd/system/docker.service"), "");
        Assert.Equal((true, true, false), (systemd.IsRunning, systemd.Has("docker.service"), systemd.Has("docker")));
        Assert.Equal("systemctl start docker.service", Systemd.Start("docker.service").ToString());
        Assert.Equal("systemctl is-active --quiet docker.service", Systemd.IsActive("docker.service").ToString());
    }
}
