using Ingot.Testing;

namespace Ingot.SystemTests.Builds;

/// <summary>What commands run with, given on the command line.</summary>
public sealed class RunSettingsTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("RUN cat /etc/hosts", "10.0.0.7\tmirror.internal", "--add-host", "mirror.internal:10.0.0.7")]
    [InlineData("RUN cat /etc/hosts", "2001:db8::1\tmirror", "--add-host", "mirror=[2001:db8::1]")]
    [InlineData("RUN cat /proc/mounts", "/dev/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=128k", "--shm-size", "128k")]
    [InlineData("RUN cat /proc/self/limits", "Max open files            77                   99", "--ulimit", "nofile=77:99")]
    [InlineData("RUN cat /proc/self/limits", "Max core file size        0                    0", "--ulimit", "nofile=77:99")]
    [InlineData("RUN cat /proc/self/limits", "Max core file size        1024                 1024", "--ulimit", "core=1024")]
    [InlineData("RUN cat /proc/net/route; echo end of $(cat /proc/net/dev | wc -l) lines", "end of 3 lines", "--network", "none")]
    public async Task ACommandHasWhatWasGiven(string run, string expected, params string[] options)
    {
        var project = new BusyboxProject(_directory.Make("project"));
        await project.WriteAsync(run);
        File.CreateSymbolicLink(project.At("root/bin/wc"), "busybox");
        var (exitCode, output) = await RunAsync([.. options, "--progress", "plain"]);
        Assert.True(exitCode == 0, output);
        Assert.Contains(expected, output, StringComparison.Ordinal);

        // Other values, other results.
        Assert.Contains("2 of 2 steps from the cache", (await RunAsync(options)).Output, StringComparison.Ordinal);
        Assert.Contains("1 of 2 steps from the cache", (await RunAsync([])).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheNetworkOfTheHostMustBeAllowedAndAnInstructionsOwnCounts()
    {
        var project = new BusyboxProject(_directory.Make("project"));
        await project.WriteAsync("RUN --network=none cat /proc/net/dev");
        Assert.Equal(0, (await RunAsync(["--network", "host"])).ExitCode);
        File.WriteAllText(project.At("Dockerfile"), File.ReadAllText(project.At("Dockerfile")) + "RUN echo x\n");
        var (exitCode, output) = await RunAsync(["--network", "host"]);
        Assert.Equal(2, exitCode);
        Assert.Contains("--allow network.host", output, StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync(["--network", "host", "--allow", "network.host"])).ExitCode);
    }

    [Fact]
    public async Task AStageIsMadeAnewAndTheOthersAreNot()
    {
        var project = new BusyboxProject(_directory.Make("project"));
        await project.WriteAsync("RUN echo first > /first");
        string text = File.ReadAllText(project.At("Dockerfile")).Replace("FROM scratch", "FROM scratch AS one", StringComparison.Ordinal);
        File.WriteAllText(project.At("Dockerfile"), text + "FROM one AS last\nRUN echo second > /second\n");
        string first = (await RunAsync([])).Output;
        Assert.Contains("(0 of 3 steps from the cache)", first, StringComparison.Ordinal);
        string again = (await RunAsync(["--no-cache-filter", "LAST"])).Output;
        Assert.Contains("(2 of 3 steps from the cache)", again, StringComparison.Ordinal);
        Assert.Contains("(1 of 3 steps from the cache)", (await RunAsync(["--no-cache-filter", "app/one"])).Output,
            StringComparison.Ordinal);
        Assert.Equal(first.Split("sha256:")[^1][..64], again.Split("sha256:")[^1][..64]);
    }

    [Fact]
    public async Task OutputIsKeptWithoutSecretsAndWithoutControlCharacters()
    {
        var project = new BusyboxProject(_directory.Make("project"));
        await project.WriteAsync("RUN --mount=type=secret,id=word echo -e \"begin \\033[2J\\a $(cat /run/secrets/word) end\"");
        File.WriteAllText(_directory.At("secret"), "correct-horse-battery");
        var (exitCode, output) = await RunAsync(["--progress", "plain", "--secret", "id=word,src=" + _directory.At("secret")]);
        string log = (await ProgramAsync("logs", "build", "app")).Output;
        Assert.Equal(1, exitCode);
        foreach (string text in (string[])[output, log])
        {
            Assert.Contains("begin \\x07 *** end", text, StringComparison.Ordinal);
            Assert.DoesNotContain("correct-horse", text, StringComparison.Ordinal);
            Assert.DoesNotContain('\u001b', text);
        }
    }

    private Task<(int ExitCode, string Output)> RunAsync(string[] options) => ProgramAsync(["build", .. options]);

    private async Task<(int ExitCode, string Output)> ProgramAsync(params string[] arguments)
    {
        var start = new System.Diagnostics.ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "Ingot.Cli"),
            ["-C", _directory.At("project"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["INGOT_HOME"] = _directory.At("home");
        using var process = System.Diagnostics.Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output + await error);
    }
}
