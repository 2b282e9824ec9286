using Ingot.Cli.Output;
using Ingot.Tools;

namespace Ingot.Cli.Tests;

public sealed class ServerUnitTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("unit-").FullName;
    private readonly StringWriter _said = new();

    private string UnitFile => Path.Combine(_root, "etc/systemd/system", ServerUnit.Name);

    public void Dispose()
    {
        Directory.Delete(_root, recursive: true);
        _said.Dispose();
    }

    [Fact]
    public void TheUnitStartsTheServerOfTheHomeAndLeavesProxiesAlone()
    {
        string text = ServerUnit.Text("/opt/in got/ingot", "/srv/100% $home", new Dictionary<string, string> { ["PATH"] = "/usr/bin" },
            ["--listen", "127.0.0.1:7070", "--mutable", "a/*"]);
        string[] lines = text.Split('\n');
        Assert.Contains("ExecStart=\"/opt/in got/ingot\" \"serve\" \"--listen\" \"127.0.0.1:7070\" \"--mutable\" \"a/*\"", lines);
        Assert.Contains("Environment=\"INGOT_HOME=/srv/100%% $home\"", lines);
        Assert.Contains("Environment=\"PATH=/usr/bin\"", lines);
        Assert.Contains("KillMode=process", lines);
        Assert.Contains("After=network-online.target docker.service", lines);
        Assert.Contains("WantedBy=multi-user.target", lines);
        // systemd gives up after five starts in ten seconds unless this stands in [Unit].
        Assert.InRange(Array.IndexOf(lines, "StartLimitIntervalSec=0"), Array.IndexOf(lines, "[Unit]"), Array.IndexOf(lines, "[Service]"));
    }

    [Fact]
    public void AHomeWithALineBreakAddsNoLine() =>
        Assert.Throws<ArgumentException>(() =>
            ServerUnit.Text("/ingot", "/srv/a\nExecStartPre=/bin/evil", new Dictionary<string, string>(), []));

    [Fact]
    public async Task WithoutSystemdTheUnitIsWrittenAndWhatToDoIsSaid()
    {
        Assert.SkipUnless(UnixPeer.OwnUserId == 0, "writing units takes root");
        bool ended = false;
        await Unit().InstallAsync(Home.At("/srv/ingot"), ["--listen", "127.0.0.1:7070"], () => Task.FromResult(ended = true), default);
        // The server that runs is not ended where nothing takes its place.
        Assert.False(ended);
        Assert.Contains("Environment=\"INGOT_HOME=/srv/ingot\"",
            await File.ReadAllTextAsync(UnitFile, TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Contains("systemd does not run here", _said.ToString(), StringComparison.Ordinal);
        Assert.Contains("systemctl enable --now ingot.service", _said.ToString(), StringComparison.Ordinal);
        Assert.False(Unit().Runs(Home.At("/srv/ingot")));

        await Unit().InstallAsync(Home.At("/srv/ingot"), ["--listen", "127.0.0.1:7071"], () => Task.CompletedTask, default);
        Assert.Contains("7071", await File.ReadAllTextAsync(UnitFile, TestContext.Current.CancellationToken), StringComparison.Ordinal);

        await Unit().UninstallAsync(Home.At("/srv/ingot"), () => Task.FromResult(false), default);
        Assert.False(File.Exists(UnitFile));
        await Unit().UninstallAsync(Home.At("/srv/ingot"), () => Task.FromResult(false), default);
        Assert.Contains("nothing to remove", _said.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("was stopped", _said.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutAUnitTheServerThatWasStartedByHandIsEnded()
    {
        Assert.SkipUnless(UnixPeer.OwnUserId == 0, "writing units takes root");
        bool ended = false;
        await Unit().UninstallAsync(Home.At("/srv/ingot"), () => Task.FromResult(ended = true), default);
        Assert.True(ended);
        Assert.Contains("the server of /srv/ingot, which was started by hand, was stopped", _said.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AUnitOfAnotherProgramIsKnown()
    {
        Assert.SkipUnless(UnixPeer.OwnUserId == 0, "writing units takes root");
        await Unit().InstallAsync(Home.At("/srv/ingot"), ["--listen", "127.0.0.1:7070"], () => Task.CompletedTask, default);
        Assert.True(Unit().Starts(Environment.ProcessPath!));
        Assert.False(Unit().Starts(Environment.ProcessPath! + "2"));
        Assert.False(Unit().Starts("/opt/ingot"));
    }

    [Fact]
    public async Task AUnitOfAnotherHomeIsLeftAlone()
    {
        Assert.SkipUnless(UnixPeer.OwnUserId == 0, "writing units takes root");
        await Unit().InstallAsync(Home.At("/srv/ingot"), [], () => Task.CompletedTask, default);
        var refused = await Assert.ThrowsAsync<RefusedException>(() =>
            Unit().InstallAsync(Home.At("/srv/other"), [], () => throw new InvalidOperationException(), default));
        Assert.Contains("belongs to another home than '/srv/other'", refused.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<RefusedException>(() =>
            Unit().UninstallAsync(Home.At("/srv/ing"), () => throw new InvalidOperationException(), default));
        Assert.True(File.Exists(UnitFile));
    }

    [Fact]
    public async Task SystemdRunsTheServerOfTheHomeTheUnitNames()
    {
        Assert.SkipUnless(UnixPeer.OwnUserId == 0, "writing units takes root");
        await Unit().InstallAsync(Home.At("/srv/ingot"), [], () => Task.CompletedTask, default);
        Directory.CreateDirectory(Path.Combine(_root, "run/systemd/system"));
        Assert.True(Unit().Runs(Home.At("/srv/ingot")));
        Assert.False(Unit().Runs(Home.At("/srv/ingot2")));
    }

    [Fact]
    public void TheLauncherIsStartedWhereTheProgramIsABuildOfIts()
    {
        string launcher = Path.Combine(_root, "ingot"), program = Path.Combine(_root, "artifacts", "ingot", "build-1", "Ingot.Cli");
        Assert.Equal(program, ServerUnit.Program(program));
        File.WriteAllText(launcher, "");
        Assert.Equal(launcher, ServerUnit.Program(program));
        Assert.Equal("/usr/lib/ingot/Ingot.Cli", ServerUnit.Program("/usr/lib/ingot/Ingot.Cli"));
    }

    private ServerUnit Unit() =>
        new(new Systemd(_root), new Terminal(_said, _said, json: false, outputIsTerminal: false, errorIsTerminal: false, noColor: true));
}
