using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Projects;
using Ingot.Projects.Images;
using Ingot.Testing;

namespace Ingot.Tests.Projects.Images;

public sealed class ImageLockTests : IDisposable
{
    private static readonly Digest s_one = Digest.Of([1]);
    private static readonly Digest s_two = Digest.Of([2]);

    private readonly TemporaryDirectory _directory = new();
    private readonly TemporaryDirectory _home = new();

    private ProjectPlaces Places => new SampleHost(_home.Root).Host.Places;

    public void Dispose()
    {
        _directory.Dispose();
        _home.Dispose();
    }

    [Fact]
    public async Task NamesAreSortedOneALineAndReadAgain()
    {
        var images = ImageLock.Load(_directory.Root);
        images.Set("debian:12", s_one);
        images.Set("127.0.0.1:5000/app:1", s_two);
        await images.SaveAsync(Places, default);
        Assert.Equal(
            $"""
            # Which digest each tag named, and which packages each bootstrap installed, when it was first used here. Made by ingot; keep it with the sources.
            # 'ingot build --update' asks the registries and mirrors anew.
            ingot-lock: 1
            images:
              "127.0.0.1:5000/app:1": {s_two}
              "debian:12": {s_one}

            """,
            await File.ReadAllTextAsync(_directory.At(ImageLock.FileName)));
        var read = ImageLock.Load(_directory.Root);
        Assert.True(read.TryFind("debian:12", out var digest) && digest == s_one);
        Assert.False(read.TryFind("debian", out _));
        Assert.Equal([ImageLock.FileName], Directory.EnumerateFileSystemEntries(_directory.Root).Select(Path.GetFileName));
    }

    [Fact]
    public async Task WhatAnotherBuildAddedMeanwhileStays()
    {
        var (mine, other) = (ImageLock.Load(_directory.Root), ImageLock.Load(_directory.Root));
        mine.Set("a:1", s_one);
        other.Set("b:1", s_two);
        await Task.WhenAll(mine.SaveAsync(Places, default), other.SaveAsync(Places, default));
        var read = ImageLock.Load(_directory.Root);
        Assert.True(read.TryFind("a:1", out _) && read.TryFind("b:1", out _));
    }

    [Fact]
    public async Task WithoutAChangeNothingIsWritten()
    {
        var images = ImageLock.Load(_directory.Root);
        await images.SaveAsync(Places, default);
        Assert.False(File.Exists(_directory.At(ImageLock.FileName)));
        images.Set("a:1", s_one);
        await images.SaveAsync(Places, default);
        File.SetLastWriteTimeUtc(_directory.At(ImageLock.FileName), DateTime.UnixEpoch);
        var again = ImageLock.Load(_directory.Root);
        again.Set("a:1", s_one);
        await again.SaveAsync(Places, default);
        Assert.Equal(DateTime.UnixEpoch, File.GetLastWriteTimeUtc(_directory.At(ImageLock.FileName)));
    }

    [Fact]
    public async Task ALinkThatIsThereIsReplacedAndNotWrittenThrough()
    {
        _directory.Make("project", "inner");
        await File.WriteAllTextAsync(_directory.At("outside"), "mine\n");
        var images = ImageLock.Load(_directory.At("project"));
        images.Set("a:1", s_one);
        File.CreateSymbolicLink(_directory.At("project", ImageLock.FileName), "../outside");
        var thrown = await Assert.ThrowsAsync<InvalidInputException>(() => images.SaveAsync(Places, default));
        Assert.Contains("leads out of", thrown.Message, StringComparison.Ordinal);
        File.Delete(_directory.At("project", ImageLock.FileName));
        await File.WriteAllTextAsync(_directory.At("project", "inner", "lock"), "ingot-lock: 1\nimages: {}\n");
        File.CreateSymbolicLink(_directory.At("project", ImageLock.FileName), "inner/lock");
        await images.SaveAsync(Places, default);
        Assert.Null(new FileInfo(_directory.At("project", ImageLock.FileName)).LinkTarget);
        Assert.Equal("mine\n", await File.ReadAllTextAsync(_directory.At("outside")));
        Assert.Equal("ingot-lock: 1\nimages: {}\n", await File.ReadAllTextAsync(_directory.At("project", "inner", "lock")));
    }

    [Fact]
    public void AMoveIsToldWithBothDigests()
    {
        var images = ImageLock.Load(_directory.Root);
        images.Set("a:1", s_one);
        images.Set("a:1", s_two);
        Assert.Equal([new LockChange("a:1", s_one, s_two)], images.Changes);
    }

    [Fact]
    public async Task PackagesOfBootstrapsAreLockedALineEach()
    {
        var locks = ImageLock.Load(_directory.Root);
        var bootstrap = new LockedBootstrap("bookworm tzdata",
            [new("adduser", "all", "3.134", s_one), new("libc6", "amd64", "1:2.36-9+deb12u1~x", s_two)]);
        Assert.Null(locks.Set("base", "amd64", bootstrap, out bool isNew));
        Assert.True(isNew);
        await locks.SaveAsync(Places, default);
        Assert.EndsWith(
            $"""
            images:
            bootstraps:
              "base amd64":
                request: "bookworm tzdata"
                packages:
                  "adduser:all": 3.134 {s_one}
                  "libc6:amd64": 1:2.36-9+deb12u1~x {s_two}

            """,
            await File.ReadAllTextAsync(_directory.At(ImageLock.FileName)));
        var read = ImageLock.Load(_directory.Root);
        Assert.Equal(bootstrap.Packages, read.FindBootstrap("base", "amd64")!.Packages);
        Assert.Equal("bookworm tzdata", read.FindBootstrap("base", "amd64")!.Request);
        Assert.Null(read.FindBootstrap("base", "arm64"));
        read.Set("base", "amd64", bootstrap, out isNew);
        Assert.False(isNew);
    }

    [Fact]
    public async Task AnotherBuildsBootstrapStaysToo()
    {
        var (mine, other) = (ImageLock.Load(_directory.Root), ImageLock.Load(_directory.Root));
        mine.Set("a", "amd64", new LockedBootstrap("bookworm", []), out _);
        other.Set("b", "amd64", new LockedBootstrap("trixie", []), out _);
        other.Set("c:1", s_one);
        await Task.WhenAll(mine.SaveAsync(Places, default), other.SaveAsync(Places, default));
        var read = ImageLock.Load(_directory.Root);
        Assert.Equal(("bookworm", "trixie"), (read.FindBootstrap("a", "amd64")!.Request, read.FindBootstrap("b", "amd64")!.Request));
        Assert.True(read.TryFind("c:1", out _));
    }

    [Theory]
    [InlineData("  \"base amd64\":\n    packages:\n      \"a:all\": 1 sha256:12\n", "is not understood")]
    [InlineData("  \"base amd64\":\n    packages:\n      \"a:all\": 1 2 ONE\n", "is not understood")]
    [InlineData("  \"base amd64\":\n    packages:\n      \"a\": 1 ONE\n", "is not understood")]
    [InlineData("  \"base amd64\":\n    packages:\n      \"a\nPackage: b:all\": 1 ONE\n", "is not understood")]
    [InlineData("  \"base amd64\":\n      \"a:all\": 1 ONE\n      \"a:all\": 2 ONE\n", "'a:all' is locked to two files")]
    [InlineData("  \"base amd64\":\n    packages:\n  \"base amd64\":\n", "locked to two lists")]
    [InlineData("      \"a:all\": 1 ONE\n", "is not understood")]
    [InlineData("  \"base amd64\": ONE\n", "is not understood")]
    [InlineData("    request: bookworm\n", "is not understood")]
    public void ADamagedBootstrapIsSaidToBeAtItsLine(string text, string problem) =>
        AFileThatIsDamagedIsSaidToBeAtItsLine("ingot-lock: 1\nimages:\nbootstraps:\n" + text, problem);

    [Theory]
    [InlineData("", "has no 'ingot-lock: 1'")]
    [InlineData("images:\n", "has no 'ingot-lock: 1'")]
    [InlineData("ingot-lock: 2\nimages:\n", "a version that this ingot does not know")]
    [InlineData("ingot-lock: 1\nimages:\n  \"a:1\": sha256:12\n", "is not understood")]
    [InlineData("ingot-lock: 1\nimages:\n  \"a:1\": md5:ONE\n", "is not understood")]
    [InlineData("ingot-lock: 1\nimages:\n\"a:1\": ONE\n", "is not understood")]
    [InlineData("ingot-lock: 1\nimages:\n<<<<<<< HEAD\n", "is not understood")]
    [InlineData("ingot-lock: 1\nimages:\n  \"a:1\": ONE\n  \"a:1\": TWO\n", "locked to two digests")]
    [InlineData("ingot-lock: 1\nimages: [x]\n", "is not understood")]
    [InlineData("\0\u0001\n", "is not understood")]
    public void AFileThatIsDamagedIsSaidToBeAtItsLine(string text, string problem)
    {
        File.WriteAllText(_directory.At(ImageLock.FileName),
            text.Replace("ONE", s_one.ToString(), StringComparison.Ordinal).Replace("TWO", s_two.ToString(), StringComparison.Ordinal));
        var e = Assert.Throws<InvalidInputException>(() => ImageLock.Load(_directory.Root));
        Assert.Contains(problem, e.Message, StringComparison.Ordinal);
        Assert.Contains("ingot.lock:", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ingot-lock: 1\n")]
    [InlineData("ingot-lock: 1\nimages: {}\n")]
    [InlineData("# a remark\n\ningot-lock: 1\r\nimages:\r\n  a:1: ONE\r\n")]
    public void WhatAPersonMayHaveDoneToItIsRead(string text)
    {
        var diagnostics = new DiagnosticBag();
        LockText.Parse(new SourceText("ingot.lock", text.Replace("ONE", s_one.ToString(), StringComparison.Ordinal)), diagnostics);
        Assert.Empty(diagnostics);
    }
}
