using System.Text;
using Ingot.Builds;
using Ingot.Builds.Remote;
using Ingot.Oci.Content;
using Ingot.Oci.Linux;
using Ingot.Plans;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.Tests.Builds.Remote;

/// <summary>What no second try cures is tried once, and said with the disk and what is missing.</summary>
public sealed class FullDiskTests : IDisposable
{
    private const int DiskBytes = 1 << 20;
    private const int Step = 16 << 10;
    private const int FileBytes = 3 << 20;

    private readonly TemporaryDirectory _directory = new();
    private readonly HttpClient _http = Downloads.NewClient();

    public void Dispose()
    {
        _http.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task AFileThatHasNoRoomIsNotEvenFetched()
    {
        using var disk = await SmallDisk.MakeAsync(_directory, DiskBytes);
        await using var server = new WebServer((_, _, stream) =>
            WriteAsync(stream, $"HTTP/1.1 200 OK\r\nContent-Length: {FileBytes}\r\nConnection: close\r\n\r\n", FileBytes));
        var e = await Assert.ThrowsAsync<DiskException>(() => FetchAsync(disk, server));
        Assert.Contains("has no room: the disk at '", e.Message, StringComparison.Ordinal);
        Assert.Contains(" bytes are missing", e.Message, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task AFileOfUnknownLengthThatFillsTheDiskIsFetchedOnce()
    {
        using var disk = await SmallDisk.MakeAsync(_directory, DiskBytes);
        await using var server =
            new WebServer((_, _, stream) => WriteAsync(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", FileBytes));
        var e = await Assert.ThrowsAsync<DiskException>(() => FetchAsync(disk, server));
        Assert.Equal(Kernel.ENOSPC, e.HResult);
        Assert.Contains("is full: ", e.Message, StringComparison.Ordinal);
        Assert.Single(server.Requests);
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(disk.Path, "store/tmp")));
    }

    [Fact]
    public async Task ABodyWithoutEndLeavesARestOfTheDisk()
    {
        using var disk = await SmallDisk.MakeAsync(_directory, 8 * DiskBytes);
        await using var server =
            new WebServer((_, _, stream) => WriteAsync(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + Chunks(1000), 0));
        long reserve = 8 * DiskBytes / 20;
        var e = await Assert.ThrowsAsync<DiskException>(() =>
            FetchAsync(disk, server, new DownloadSettings { Step = Step, Reserve = 1 << 30 }));
        Assert.Contains("has no room", e.Message, StringComparison.Ordinal);
        Assert.Single(server.Requests);
        // What is written between two looks at the disk comes off it.
        long left = new DriveInfo(disk.Path).AvailableFreeSpace;
        Assert.True(left >= reserve - (2 * Step), $"{left} bytes are left, and {reserve} should be");
    }

    [Fact]
    public async Task ABodyThatTricklesIsGivenUp()
    {
        // A byte now and then is never silence.
        await using var server = new WebServer(async (_, _, stream) =>
        {
            await WriteAsync(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0);
            while (true)
            {
                await WriteAsync(stream, "1\r\nx\r\n", 0);
                await Task.Delay(20);
            }
        });
        var settings = new DownloadSettings { Attempts = 1, Patience = TimeSpan.FromMilliseconds(300) };
        var downloads = new Downloads(_http, new Oci.Content.MemoryStore(), _directory.Root, TimeProvider.System, NoSecrets, settings);
        var e = await Assert.ThrowsAsync<DownloadException>(() => downloads.FetchAsync(Source(server), CancellationToken.None));
        Assert.Contains("in 1 attempts: only ", e.Message, StringComparison.Ordinal);
    }

    // A repository has no length beforehand, and git is asked in several ways for one that could not be had: not when the disk is full.
    [Theory]
    [InlineData(1 << 30)]
    [InlineData(0)]
    public async Task ARepositoryThatHasNoRoomIsFetchedOnce(long reserve)
    {
        Assert.SkipUnless(File.Exists("/usr/bin/git"), "needs git");
        using var disk = await SmallDisk.MakeAsync(_directory, 4 * DiskBytes);
        string repository = _directory.Make("repository");
        await LinuxTree.RunAsync(repository, "sh", "-ec", "git init -q -b main && head -c 16000000 /dev/urandom > large && git add . "
            + "&& git -c user.name=t -c user.email=t@example.org commit -qm large");
        var source = new TreeSource.Git("file://" + repository, "main", "", KeepGitDirectory: false, Commit: null);
        string directory = Path.Combine(disk.Path, "tree");
        Directory.CreateDirectory(directory);
        var trees = new GitTrees(new GitAccess { AllowLocalUnsafe = true, Reserve = reserve });
        var e = await Assert.ThrowsAsync<DiskException>(() => trees.MaterialiseAsync(source, directory, CancellationToken.None));
        Assert.Contains($"the disk at '{disk.Path}' is full", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("fatal: write error: No space left on device", Kernel.ENOSPC)]
    [InlineData("error: Disk quota exceeded", Kernel.EDQUOT)]
    [InlineData("remote: fatal: write error: No space left on device", null)]
    [InlineData("fatal: repository not found", null)]
    public async Task WhatAProgramSaysOfTheDiskIsSaid(string line, int? error)
    {
        var command = new Command("sh", "-c", $"echo '{line}' >&2; exit 1");
        Task<CommandResult> Run() => FillingCommand.RunAsync(command, _directory.Root, reserve: 0, "'x'", CancellationToken.None);
        if (error is null)
            Assert.Equal(1, (await Run()).ExitCode);
        else
            Assert.Equal(error, (await Assert.ThrowsAsync<DiskException>(Run)).HResult);
    }

    [Fact]
    public async Task AProgramThatFillsTheDiskIsEnded()
    {
        using var disk = await SmallDisk.MakeAsync(_directory, 64 * DiskBytes);
        string file = Path.Combine(disk.Path, "f");
        var command = new Command("sh", "-c", $"while :; do head -c 200000 /dev/zero >> {file}; sleep 0.05; done");
        await Assert.ThrowsAsync<DiskException>(() =>
            FillingCommand.RunAsync(command, disk.Path, reserve: 1L << 30, "'x'", CancellationToken.None));
        long length = new FileInfo(file).Length;
        await Task.Delay(200);
        Assert.Equal(length, new FileInfo(file).Length);
        Assert.True(length < 64 * DiskBytes);
    }

    [Fact]
    public async Task WhateverIsWrittenToAFullDiskIsSaidWithIt()
    {
        using var disk = await SmallDisk.MakeAsync(_directory, DiskBytes);
        string file = Path.Combine(disk.Path, "large");
        using (var large = new UncachedFile(file))
        {
            var e = Assert.Throws<DiskException>(() =>
            {
                for (int i = 0; i < 10; i++)
                    large.Write(new byte[DiskBytes / 4]);
            });
            Assert.Contains($"could not write '{file}'", e.Message, StringComparison.Ordinal);
        }

        Assert.Equal(Kernel.ENOSPC,
            Assert.Throws<DiskException>(() => AtomicFile.Write(Path.Combine(disk.Path, "small"), new byte[100_000])).HResult);
        Assert.Equal(["large"], Directory.EnumerateFiles(disk.Path).Select(Path.GetFileName));
    }

    [Theory]
    [InlineData(Kernel.ENOSPC, "is full")]
    [InlineData(Kernel.EDQUOT, "quota")]
    [InlineData(Kernel.EROFS, "read-only")]
    [InlineData(Kernel.EACCES, "does not let")]
    [InlineData(Kernel.EINTR, null)]
    [InlineData(5, null)]
    public void OnlyWhatNoTryCuresIsADisks(int error, string? expected)
    {
        var disk = DiskException.Of(_directory.At("f"), 10, new IOException("x", error));
        Assert.Equal(expected is null, disk is null);
        Assert.Contains(expected ?? "", disk?.Message ?? "", StringComparison.Ordinal);
    }

    private static IReadOnlyDictionary<string, ReadOnlyMemory<byte>> NoSecrets { get; } = new Dictionary<string, ReadOnlyMemory<byte>>();

    private Task<DownloadedFile> FetchAsync(SmallDisk disk, WebServer server, DownloadSettings? settings = null)
    {
        var store = new DirectoryStore(Path.Combine(disk.Path, "store"));
        settings = (settings ?? new DownloadSettings()) with { Pause = TimeSpan.FromMilliseconds(1) };
        return new Downloads(_http, store, disk.Path, TimeProvider.System, NoSecrets, settings).FetchAsync(Source(server),
            CancellationToken.None);
    }

    private static TreeSource.Download Source(WebServer server) => new(new Uri(server.Root + "/a"), Checksum: null, "a");

    private static string Chunks(int count) => string.Concat(Enumerable.Repeat($"4000\r\n{new string('x', 0x4000)}\r\n", count));

    private static async Task WriteAsync(Stream stream, string head, int zeros)
    {
        await stream.WriteAsync(Encoding.Latin1.GetBytes(head));
        await stream.WriteAsync(new byte[zeros]);
    }
}
