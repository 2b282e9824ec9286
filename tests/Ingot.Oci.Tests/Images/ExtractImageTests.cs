using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Tar;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Images;

/// <summary>The files of an image in a directory of a person's.</summary>
public sealed class ExtractImageTests : IDisposable
{
    private const int Plain = 0b110_100_100;

    private readonly TemporaryDirectory _directory = new();
    private readonly Dictionary<string, string> _contents = [];
    private readonly DirectoryStore _store;
    private readonly string _target;

    public ExtractImageTests()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, "needs root");
        _store = new DirectoryStore(_directory.Make("store"));
        _target = _directory.Make("target");
        File.WriteAllText(Path.Combine(_directory.Make("outside"), "kept"), "mine");
    }

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task FilesAreWrittenOverWhatIsThereAndNothingElseIsTouched()
    {
        File.WriteAllText(Path.Combine(_target, "other"), "stays");
        Directory.CreateDirectory(Path.Combine(_target, "etc"));
        File.WriteAllText(Path.Combine(_target, "etc", "a"), "old");
        File.SetUnixFileMode(_target, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        await ExtractAsync(new TarEntry { Path = "", Type = TarEntryType.Directory, Mode = 0b111_111_111 }, FileOf("etc/a", "new"),
            FileOf("etc/b", "two"));

        Assert.Equal("new", Read("etc/a"));
        Assert.Equal("two", Read("etc/b"));
        Assert.Equal("stays", Read("other"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_target));
    }

    [Theory]
    [InlineData("../outside")]
    [InlineData("OUTSIDE")]
    public async Task LinksThatWereInTheDirectoryAreNotFollowed(string link)
    {
        File.CreateSymbolicLink(Path.Combine(_target, "lib"), link.Replace("OUTSIDE", _directory.At("outside"), StringComparison.Ordinal));
        File.CreateSymbolicLink(Path.Combine(_target, "kept"), Path.Combine(_directory.At("outside"), "kept"));

        await ExtractAsync(FileOf("lib/kept", "theirs"), FileOf("kept", "theirs"));

        Assert.Equal("mine", File.ReadAllText(_directory.At("outside", "kept")));
        Assert.Equal(["kept"], Directory.EnumerateFileSystemEntries(_directory.At("outside")).Select(Path.GetFileName));
        Assert.Equal("theirs", Read("lib/kept"));
        Assert.Equal("theirs", Read("kept"));
    }

    [Fact]
    public async Task LinksOfTheImageAreMadeAndNotFollowed()
    {
        var link = new TarEntry { Path = "etc", Type = TarEntryType.SymbolicLink, LinkTarget = _directory.At("outside") };
        await ExtractAsync(link, FileOf("file", "x"));
        Assert.Equal(_directory.At("outside"), new FileInfo(Path.Combine(_target, "etc")).LinkTarget);

        // The next image has a directory there.
        await ExtractAsync(FileOf("etc/kept", "theirs"));
        Assert.Equal("mine", File.ReadAllText(_directory.At("outside", "kept")));
        Assert.Equal("theirs", Read("etc/kept"));
    }

    [Theory]
    [InlineData("l>OUTSIDE l/kept")]
    [InlineData("d/a d")]
    public async Task ALayerAtOddsIsRefusedAndNothingOutsideIsTouched(string kind)
    {
        TarEntry[] entries = kind.StartsWith('l')
            ? [new TarEntry { Path = "l", Type = TarEntryType.SymbolicLink, LinkTarget = _directory.At("outside") },
                FileOf("l/kept", "theirs")]
            : [FileOf("d/a", "x"), FileOf("d", "y")];
        await Assert.ThrowsAnyAsync<LayerException>(() => ExtractAsync(entries));
        Assert.Equal("mine", File.ReadAllText(_directory.At("outside", "kept")));
    }

    [Fact]
    public async Task NothingGivesOthersTheRightsOfTheCaller()
    {
        await ExtractAsync(
            FileOf("su", "x") with
            {
                Mode = 0b110_111_101_101,
                UserId = 12345,
                GroupId = 12345,
                ExtendedAttributes = new(StringComparer.Ordinal) { ["security.capability"] = new byte[20] }
            },
            new TarEntry { Path = "again", Type = TarEntryType.HardLink, LinkTarget = "su", Mode = 0b110_111_101_101 });

        foreach (string path in (string[])["su", "again"])
            Assert.Equal(UnixFileMode.None,
                File.GetUnixFileMode(Path.Combine(_target, path)) & (UnixFileMode.SetUser | UnixFileMode.SetGroup));
    }

    [Fact]
    public async Task ADeviceIsRefused()
    {
        var e = await Assert.ThrowsAsync<LayerException>(() => ExtractAsync(new TarEntry
        {
            Path = "dev/sda",
            Type = TarEntryType.BlockDevice,
            DeviceMajor = 8,
            Mode = Plain
        }));
        Assert.Contains("'dev/sda' is a device", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABlobThatIsNotWholeIsSaid()
    {
        var image = await ImageAsync([FileOf("a", new string('x', 100_000))]);
        File.WriteAllBytes(_store.PathOf(image.Manifest.Layers[0].Digest), new byte[10]);
        await Assert.ThrowsAnyAsync<Exception>(() => FileSystemArchive.ExtractAsync(_store, image, _target,
            TestContext.Current.CancellationToken));
    }

    private TarEntry FileOf(string path, string content)
    {
        _contents[path] = content;
        return new() { Path = path, Type = TarEntryType.File, Mode = Plain, Size = content.Length };
    }

    private string Read(string path) => File.ReadAllText(Path.Combine(_target, path));

    private async Task ExtractAsync(params TarEntry[] entries) =>
        await FileSystemArchive.ExtractAsync(_store, await ImageAsync(entries), _target, TestContext.Current.CancellationToken);

    private async Task<Image> ImageAsync(TarEntry[] entries)
    {
        await using var writer = await LayerWriter.BeginAsync(_store, LayerCompression.None);
        foreach (var entry in entries)
            await writer.WriteAsync(entry,
                System.Text.Encoding.UTF8.GetBytes(entry.Type == TarEntryType.File ? _contents[entry.Path] : ""));
        var layer = await writer.FinishAsync();
        var config = new ImageConfig
        {
            Architecture = Platform.Host.Architecture,
            Os = Platform.Host.Os,
            RootFs = new RootFileSystem { DiffIds = [layer.DiffId] }
        };
        var manifest = new Manifest { Config = await _store.PutAsync(MediaType.Config, ImageJson.Write(config)), Layers = [layer.Blob!] };
        return await Image.LoadAsync(_store, (await _store.PutAsync(MediaType.Manifest, ImageJson.Write(manifest))).Digest);
    }
}
