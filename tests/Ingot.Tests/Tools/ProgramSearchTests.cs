using Ingot.Tools;

namespace Ingot.Tests.Tools;

public sealed class ProgramSearchTests
{
    // The base library would look beside this program and in the working directory first: a project's 'git' would be git.
    [Fact]
    public async Task AProgramIsLookedForInTheDirectoriesOfTheSystemOnly()
    {
        string name = $"ingot-test-{Guid.NewGuid():N}";
        string planted = Path.Combine(Path.GetDirectoryName(Environment.ProcessPath)!, name);
        await File.WriteAllTextAsync(planted, "#!/bin/sh\necho planted\n", TestContext.Current.CancellationToken);
        File.SetUnixFileMode(planted, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        try
        {
            var thrown = await Assert.ThrowsAsync<ToolException>(() =>
                CommandRunner.RunAsync(new Command(name), TestContext.Current.CancellationToken));
            Assert.Contains("could not be started", thrown.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(planted);
        }
    }

    // A command that brings its own PATH, as a person's credential helper does, is looked for there,
    // and never where an empty or relative part would lead.
    [Theory]
    [InlineData("/bin:/usr/bin", true)]
    [InlineData(":.:bin:/nowhere", false)]
    [InlineData("", false)]
    public async Task ACommandsOwnPathCountsWhereItIsAbsolute(string path, bool isFound)
    {
        string beside = Path.GetFullPath(Environment.ProcessPath!);
        string name = isFound ? "env" : Path.GetFileName(beside);
        var command = new Command(name) { Environment = new Dictionary<string, string> { ["PATH"] = path } };
        if (isFound)
            await CommandRunner.RunAsync(command, TestContext.Current.CancellationToken);
        else
            await Assert.ThrowsAsync<ToolException>(() => CommandRunner.RunAsync(command, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task AProgramOfTheSystemIsFound() =>
        Assert.Equal("found\n", await CommandRunner.RunAsync(new Command("echo", "found"), TestContext.Current.CancellationToken));
}
