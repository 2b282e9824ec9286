using System.Globalization;
using System.IO.Pipes;
using Ingot.Tools;

namespace Ingot.Tests.Tools;

public sealed class ChildProcessTests : IDisposable
{
    // Those above belong to the C library.
    private const ulong OrdinarySignals = 0x7FFFFFFF;

    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-children-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private string Log => Path.Combine(_directory, "log");

    [Theory]
    [InlineData("true", 0)]
    [InlineData("false", 1)]
    public void TheExitCodeIsThePrograms(string program, int exitCode) =>
        Assert.Equal(exitCode, ChildProcess.Start(new Command(program), Log).Wait());

    [Fact]
    public void BothStreamsAreAppendedToTheLogAndWordsAreWords()
    {
        File.WriteAllText(Log, "before\n");
        string canary = Path.Combine(_directory, "canary");

        Assert.Equal(0, ChildProcess.Start(new Command("printf", "%s\\n", $"$(touch {canary}); `touch {canary}`"), Log).Wait());
        Assert.NotEqual(0, ChildProcess.Start(new Command("ls", "/ingot-no-such-file"), Log).Wait());

        string[] lines = File.ReadAllLines(Log);
        Assert.Equal(["before", $"$(touch {canary}); `touch {canary}`"], lines[..2]);
        Assert.Contains("/ingot-no-such-file", lines[2], StringComparison.Ordinal);
        Assert.False(File.Exists(canary));
    }

    [Fact]
    public void ANewLogIsItsOwnersAlone()
    {
        ChildProcess.Start(new Command("true"), Log).Wait();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Log));
    }

    [Fact]
    public void ALogThatIsALinkIsNotWrittenTo()
    {
        string other = Path.Combine(_directory, "other");
        File.WriteAllText(other, "");
        File.CreateSymbolicLink(Log, other);
        Assert.Throws<ToolException>(() => ChildProcess.Start(new Command("echo", "x"), Log));
        Assert.Equal("", File.ReadAllText(other));
    }

    [Fact]
    public void WhatIsKilledSaysSo()
    {
        var child = ChildProcess.Start(new Command("sleep", "60"), Log);
        child.Kill();
        Assert.Equal(128 + 9, child.Wait());
        // Its number may be somebody else's by now.
        child.Kill();
        Assert.Equal(128 + 9, child.Wait());
    }

    [Fact]
    public void ItHasASessionOfItsOwnWhenAskedAndNothingOfThisProcessOpen()
    {
        using var secret = File.OpenHandle(Path.Combine(_directory, "secret"), FileMode.CreateNew, FileAccess.ReadWrite);
        var child = ChildProcess.Start(new Command("sleep", "60"), Log, newSession: true);
        try
        {
            string stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{child.Id}/stat"));
            Assert.Equal(child.Id.ToString(CultureInfo.InvariantCulture), stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[3]);
            var open = new DirectoryInfo(string.Create(CultureInfo.InvariantCulture, $"/proc/{child.Id}/fd"))
                .GetFileSystemInfos()
                .ToDictionary(f => f.Name, f => f.LinkTarget);
            Assert.Equal(("/dev/null", Log, Log), (open["0"], open["1"], open["2"]));
            Assert.DoesNotContain(Path.Combine(_directory, "secret"), open.Values);
            Assert.Equal("/", new FileInfo(string.Create(CultureInfo.InvariantCulture, $"/proc/{child.Id}/cwd")).LinkTarget);
            // Pipes that closed ends it as any other program, which this process asked not to be.
            string ignored = File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{child.Id}/status"))
                .First(l => l.StartsWith("SigIgn:", StringComparison.Ordinal));
            Assert.Equal(0UL,
                OrdinarySignals & ulong.Parse(ignored.AsSpan(7).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        }
        finally
        {
            child.Kill();
            child.Wait();
        }
    }

    [Fact]
    public void WhatIsGivenIsItsThirdDescriptorAndEndsWithIt()
    {
        using var pipe = new AnonymousPipeServerStream(PipeDirection.In);
        var child = ChildProcess.Start(new Command("dd", "status=none", "if=/etc/hostname", "of=/proc/self/fd/3"), Log,
            given: pipe.ClientSafePipeHandle);
        pipe.DisposeLocalCopyOfClientHandle();
        using var reader = new StreamReader(pipe);
        Assert.Equal(File.ReadAllText("/etc/hostname"), reader.ReadToEnd());
        Assert.Equal(0, child.Wait());
    }

    [Fact]
    public void EverythingThatIsGivenHasItsNumberInOrder()
    {
        var pipes = Enumerable.Range(0, 5).Select(_ => new AnonymousPipeServerStream(PipeDirection.In)).ToArray();
        var child = ChildProcess.Start(
            new Command("sh", "-c", "for i in 3 4 5 6 7; do eval \"echo $i >&$i\"; done"), Log,
            given: [.. pipes.Select(pipe => pipe.ClientSafePipeHandle)]);
        foreach (var pipe in pipes)
            pipe.DisposeLocalCopyOfClientHandle();

        Assert.Equal(0, child.Wait());
        Assert.Equal(["3\n", "4\n", "5\n", "6\n", "7\n"], pipes.Select(pipe => new StreamReader(pipe).ReadToEnd()));
    }

    [Theory]
    [InlineData("ingot-no-such-program")]
    [InlineData("./true")]
    [InlineData("/ingot-no-such-program")]
    [InlineData("/etc/hostname")]
    public void WhatCannotBeStartedIsSaid(string program) =>
        Assert.Contains("could not be started", Assert.Throws<ToolException>(() => ChildProcess.Start(new Command(program), Log)).Message,
            StringComparison.Ordinal);

    [Fact]
    public void ADirectoryThatIsMissingIsSaid() =>
        Assert.Throws<ToolException>(() => ChildProcess.Start(new Command("true") { Directory = "/ingot-no-such-directory" }, Log));
}
