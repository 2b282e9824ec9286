using Ingot.Server.Storage;
using Ingot.Tools;

namespace Ingot.Server.Tests.Storage;

public sealed class HomeDirectoryTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-owner-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void AHomeIsItsOwnersOnly()
    {
        string home = Path.Combine(_directory, "home");
        Assert.Null(HomeDirectory.Prepare(home));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(home));
    }

    [Fact]
    public void AWiderHomeIsTightenedAndThatIsSaid()
    {
        string home = Directory.CreateDirectory(Path.Combine(_directory, "home")).FullName;
        File.WriteAllText(Path.Combine(home, "ledger.db"), "");
        File.WriteAllText(Path.Combine(home, "ledger.db-wal"), "");
        File.SetUnixFileMode(home, (UnixFileMode)0b111_101_101);
        Assert.Contains(home, HomeDirectory.Prepare(home), StringComparison.Ordinal);
        Assert.Equal((UnixFileMode)0b111_000_000, File.GetUnixFileMode(home));
        Assert.All(Directory.EnumerateFiles(home), file => Assert.Equal((UnixFileMode)0b110_000_000, File.GetUnixFileMode(file)));
        Assert.Null(HomeDirectory.Prepare(home));
    }

    [Theory]
    [InlineData(0b111_111_000)]
    [InlineData(0b111_000_010)]
    [InlineData(0b1_111_111_111)]
    public void AHomeThatOthersCouldWriteIsRefusedWithTheCure(int mode)
    {
        string home = Directory.CreateDirectory(Path.Combine(_directory, "home")).FullName;
        File.SetUnixFileMode(home, (UnixFileMode)mode);
        var failure = Assert.Throws<HomeException>(() => HomeDirectory.Prepare(home));
        Assert.Contains($"chmod 700 {home}", failure.Message, StringComparison.Ordinal);
        Assert.Equal((UnixFileMode)mode, File.GetUnixFileMode(home));
        Assert.Throws<HomeException>(() => HomeDirectory.Check(home));

        File.SetUnixFileMode(home, (UnixFileMode)0b111_000_000);
        Assert.Null(HomeDirectory.Prepare(home));
    }

    [Theory]
    [InlineData("server")]
    [InlineData("server/token")]
    [InlineData("server/tokens")]
    [InlineData("keys")]
    [InlineData("uploads")]
    [InlineData("content")]
    [InlineData("ledger.db")]
    public async Task WhatMattersInAHomeIsTheOwnersAndNoLink(string name)
    {
        string home = Path.Combine(_directory, "home");
        string path = Path.Combine(home, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.CreateSymbolicLink(path, Path.Combine(_directory, "elsewhere"));
        var failure = Assert.Throws<HomeException>(() => HomeDirectory.Prepare(home));
        Assert.Contains($"'{path}' is a symbolic link", failure.Message, StringComparison.Ordinal);

        File.Delete(path);
        Directory.CreateDirectory(path);
        HomeDirectory.Prepare(home);
        if (UnixPeer.OwnUserId != 0)
            return;

        using (var give = System.Diagnostics.Process.Start("chown", ["65534", path]))
            await give.WaitForExitAsync();
        failure = Assert.Throws<HomeException>(() => HomeDirectory.Prepare(home));
        Assert.Contains($"'{path}' belongs to the user 65534", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnotherUsersHomeIsRefused()
    {
        var failure = Assert.Throws<HomeException>(() => HomeDirectory.Check(_directory, UnixPeer.OwnUserId + 1));
        Assert.Contains("belongs to the user", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AHomeBelowWhatOthersWriteIsRefused()
    {
        string shared = Directory.CreateDirectory(Path.Combine(_directory, "shared")).FullName;
        File.SetUnixFileMode(shared, (UnixFileMode)0b111_111_111);
        Assert.Throws<HomeException>(() => HomeDirectory.Check(Path.Combine(shared, "home")));
        Directory.CreateDirectory(Path.Combine(shared, "home"));
        Assert.Throws<HomeException>(() => HomeDirectory.Prepare(Path.Combine(shared, "home")));

        File.SetUnixFileMode(shared, (UnixFileMode)0b1_111_111_111);
        HomeDirectory.Check(Path.Combine(shared, "home"));
    }

    [Fact]
    public void ALinkThatOthersCanMoveIsRefused()
    {
        string shared = Directory.CreateDirectory(Path.Combine(_directory, "shared")).FullName;
        string home = Directory.CreateDirectory(Path.Combine(_directory, "home")).FullName;
        File.CreateSymbolicLink(Path.Combine(shared, "link"), home);
        HomeDirectory.Check(Path.Combine(shared, "link"));
        HomeDirectory.Check(Path.Combine(shared, "link", "below"));
        File.SetUnixFileMode(shared, (UnixFileMode)0b111_111_111);
        Assert.Throws<HomeException>(() => HomeDirectory.Check(Path.Combine(shared, "link")));
        File.CreateSymbolicLink(Path.Combine(_directory, "indirect"), Path.Combine(shared, "link", "deeper"));
        Assert.Throws<HomeException>(() => HomeDirectory.Check(Path.Combine(_directory, "indirect")));
    }

    [Fact]
    public void ALinkOfAnotherUserIsRefused()
    {
        Assert.SkipUnless(UnixPeer.OwnUserId == 0, "giving a file away needs root");
        string home = Directory.CreateDirectory(Path.Combine(_directory, "home")).FullName;
        string link = Path.Combine(_directory, "link");
        File.CreateSymbolicLink(link, home);
        using (var give = System.Diagnostics.Process.Start("chown", ["-h", "65534", link]))
            give.WaitForExit();
        Assert.Throws<HomeException>(() => HomeDirectory.Check(link));
    }

    [Fact]
    public void ALoopAndAFileAreNoHome()
    {
        File.CreateSymbolicLink(Path.Combine(_directory, "a"), Path.Combine(_directory, "b"));
        File.CreateSymbolicLink(Path.Combine(_directory, "b"), Path.Combine(_directory, "a"));
        Assert.Throws<HomeException>(() => HomeDirectory.Check(Path.Combine(_directory, "a")));
        File.WriteAllText(Path.Combine(_directory, "file"), "");
        Assert.Throws<HomeException>(() => HomeDirectory.Check(Path.Combine(_directory, "file")));
    }

    [Fact]
    public void WhatIsNotThereYetIsFine() => HomeDirectory.Check(Path.Combine(_directory, "later", "home"));
}
