namespace Ingot.Architecture.Tests.Scripts;

/// <summary>What the script that installs packages asks of apt-get, and what it says where it cannot.</summary>
public sealed class PrerequisitesTests : IDisposable
{
    private const string Heading = "package\tneeds\twhere\treason\n";

    private readonly Script _script = new();

    public PrerequisitesTests() => _script.Copy("scripts/prerequisites");

    public void Dispose() => _script.Dispose();

    [Fact]
    public void NothingMissingIsSilent()
    {
        _script.WriteProgram("bin/rover", "");
        _script.Write("table",
            Heading + $"mars-rover\trover\t-\tdigs\nkeyring\t{_script.Directory}/table\t-\tverifies\nlibc6\tlibc.so.6\t-\truns\n");

        Assert.Equal(new ScriptResult(0, "", ""), _script.Run("scripts/prerequisites", _script.PathOf("table")));
    }

    [Fact]
    public void AllTablesAreInstalledInOneGoWithTheirReasons()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root: apt-get is only called by root");
        _script.WriteProgram("bin/apt-get", """echo "$DEBIAN_FRONTEND $*" >> "$HERE/calls" """);
        _script.Write("first", Heading + "mars-rover\trover\t-\tdigs\nmissing-key\t/not/there\t-\tverifies\n");
        _script.Write("second", Heading + "probe\tlibprobe.so.3\t-\tmeasures\n");

        var result = _script.Run("scripts/prerequisites", _script.PathOf("first"), _script.PathOf("second"));

        Assert.Equal(
            new ScriptResult(0, "", "installing mars-rover: digs\ninstalling missing-key: verifies\ninstalling probe: measures\n"), result);
        string[] calls = _script.Read("calls").Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, calls.Length);
        Assert.EndsWith(" update", calls[0], StringComparison.Ordinal);
        Assert.EndsWith(" install --no-install-recommends --yes mars-rover missing-key probe", calls[1], StringComparison.Ordinal);
        Assert.All(calls, call => Assert.StartsWith("noninteractive ", call, StringComparison.Ordinal));
    }

    [Fact]
    public void AListThatCannotBeRenewedDoesNotStopTheInstallation()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root: apt-get is only called by root");
        _script.WriteProgram("bin/apt-get", """[[ "$*" != *update* ]]""");
        _script.Write("table", Heading + "mars-rover\trover\t-\tdigs\n");

        Assert.Equal(0, _script.Run("scripts/prerequisites", _script.PathOf("table")).ExitCode);
    }

    [Fact]
    public void AFailedInstallationShowsWhatAptGetSaid()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root: apt-get is only called by root");
        _script.WriteProgram("bin/apt-get", """echo "E: Unable to locate package mars-rover"; exit 100""");
        _script.Write("table", Heading + "mars-rover\trover\t-\tdigs\n");

        var result = _script.Run("scripts/prerequisites", _script.PathOf("table"));

        Assert.Equal(3, result.ExitCode);
        Assert.Contains("E: Unable to locate package mars-rover", result.Error, StringComparison.Ordinal);
        Assert.EndsWith("error: packages could not be installed; see why with 'apt-get install --no-install-recommends mars-rover'\n",
            result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void AnotherSystemIsToldWhatIsMissing()
    {
        _script.Write("table", Heading + "mars-rover\trover\t-\tdigs\n");

        var result = _script.Run("scripts/prerequisites", _script.PathOf("table"));

        Assert.Equal(3, result.ExitCode);
        Assert.StartsWith("missing mars-rover: digs\nerror: ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutRootTheCommandIsShown()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess && File.Exists("/usr/bin/setpriv"),
            "needs root and setpriv, to become another user");
        _script.Run("/bin/chmod", "755", _script.Directory);
        _script.WriteProgram("bin/apt-get", """touch "$HERE/calls" """);
        _script.Write("table", Heading + "mars-rover\trover\t-\tdigs\n");

        var result = _script.Run("/usr/bin/setpriv", "--reuid=65534", "--clear-groups", _script.PathOf("scripts/prerequisites"),
            _script.PathOf("table"));

        Assert.Equal(
            new ScriptResult(3, "", "missing mars-rover: digs\nerror: packages are missing; "
                + "install them with 'sudo apt-get install --no-install-recommends mars-rover'\n"),
            result);
        Assert.False(File.Exists(_script.PathOf("calls")));
    }

    [Fact]
    public void WhatIsNeededOnlySomewhereIsNotAskedForElsewhere()
    {
        _script.Write("table", Heading + "mars-rover\trover\t/not/there\tdigs\n");

        Assert.Equal(0, _script.Run("scripts/prerequisites", _script.PathOf("table")).ExitCode);
    }

    [Fact]
    public void ATableThatIsNotThereIsAnError() =>
        Assert.Equal(3, _script.Run("scripts/prerequisites", _script.PathOf("nothing")).ExitCode);
}
