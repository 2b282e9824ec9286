using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.Tests.Tools;

/// <summary>What starts a program: no shell, no directory of anybody's, no inherited words.</summary>
public sealed class CommandRunnerTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-commands-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task WordsOfAShellAreWords()
    {
        string canary = Path.Combine(_directory, "canary");
        string[] words = [$"$(touch {canary})", $"`touch {canary}`", $"; touch {canary}", $"| touch {canary}", $"\ntouch {canary}\n",
            $"> {canary}", "*", "~", "a b", "", "'", "\"", "\\", "&", "-n"];

        string output = await CommandRunner.RunAsync(new Command("printf", ["%s\\0", .. words]));

        Assert.Equal(words, output.TrimEnd('\n').TrimEnd('\0').Split('\0'));
        Assert.False(File.Exists(canary));
    }

    [Theory]
    [InlineData("ingot-trial")]
    [InlineData("./ingot-trial")]
    [InlineData("sub/../ingot-trial")]
    public async Task AProgramOfTheCurrentDirectoryIsNotRun(string program)
    {
        Executable("ingot-trial");
        string before = Environment.CurrentDirectory;
        Environment.CurrentDirectory = _directory;
        try
        {
            var e = await Assert.ThrowsAsync<ToolException>(() => CommandRunner.RunAsync(new Command(program)));
            Assert.Contains($"'{program}' could not be started", e.Message, StringComparison.Ordinal);
        }
        finally
        {
            Environment.CurrentDirectory = before;
        }
    }

    [Fact]
    public async Task AProgramBesideThisOneIsNotRun()
    {
        string path = Path.Combine(Path.GetDirectoryName(Environment.ProcessPath)!, "ingot-trial-beside");
        try
        {
            Executable(path);
            await Assert.ThrowsAsync<ToolException>(() => CommandRunner.RunAsync(new Command("ingot-trial-beside")));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public async Task ARelativePlaceOnThePathIsNotLookedIn()
    {
        Executable("ingot-trial");
        string before = Environment.CurrentDirectory;
        Environment.CurrentDirectory = _directory;
        try
        {
            var command = new Command("ingot-trial") { Environment = new Dictionary<string, string> { ["PATH"] = ".::sub:" } };
            await Assert.ThrowsAsync<ToolException>(() => CommandRunner.RunAsync(command));
        }
        finally
        {
            Environment.CurrentDirectory = before;
        }
    }

    [Fact]
    public async Task ACommandOfNoDirectoryRunsInNobodys() => Assert.Equal("/\n", await CommandRunner.RunAsync(new Command("pwd")));

    [Theory]
    [InlineData("echo", "a\0b")]
    [InlineData("ec\0ho", "a")]
    public async Task AWordThatANulWouldCutIsRefused(string program, string argument) =>
        await Assert.ThrowsAsync<ToolException>(() => CommandRunner.RunAsync(new Command(program, argument)));

    [Fact]
    public async Task AProgramThatIsMissingComesWithTheCure()
    {
        var e = await Assert.ThrowsAsync<ToolException>(() => CommandRunner.RunAsync(new Command("ingot-no-such-program")));
        Assert.EndsWith("install it, or run 'ingot doctor'", e.Message, StringComparison.Ordinal);
    }

    private void Executable(string name)
    {
        string path = Path.Combine(_directory, name);
        File.WriteAllText(path, "#!/bin/sh\necho ran\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }
}
