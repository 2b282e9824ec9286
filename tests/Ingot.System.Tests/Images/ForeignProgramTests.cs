using System.Text;
using System.Text.Json;
using Ingot.Builds;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Layouts;
using Ingot.Oci.Registries;
using Ingot.Oci.Tar;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.SystemTests.Images;

/// <summary>skopeo, podman, Docker and Debian's registry read what Ingot writes, and Ingot reads what they write.</summary>
public sealed class ForeignProgramTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly DirectoryStore _store;

    public ForeignProgramTests() => _store = new DirectoryStore(_directory.At("store"));

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("docker-archive", "zstd", "docker-archive", "oci-archive")]
    [InlineData("oci-archive", "gzip", "docker-archive", "oci-archive")]
    [InlineData("oci", "gzip", "docker-archive", "oci-archive")]
    [InlineData("oci-archive", "zstd", "oci-archive")]
    [InlineData("oci", "zstd", "oci-archive")]
    public async Task SkopeoReadsWhatIsExportedAndItsCopyIsImportedAgain(string format, string compression, params string[] others)
    {
        SkipUnlessSkopeo();
        var image = await MakeAsync(compression: LayerCompression.Find(compression));
        string name = format == "oci" ? $"oci:{_directory.At("out")}:ingot-test:1" : $"{format}:{_directory.At("out")}";
        await ExportAsync(image, format, _directory.At("out"));
        var inspected = JsonDocument.Parse(await SkopeoAsync("inspect", "--config", name)).RootElement;
        Assert.Equal(image.Config.RootFs.DiffIds.Select(d => d.ToString()),
            inspected.GetProperty("rootfs").GetProperty("diff_ids").EnumerateArray().Select(d => d.GetString()!));

        // It does not make Docker's formats of zstd.
        foreach (string other in others)
        {
            await SkopeoAsync("copy", name, $"{other}:{_directory.At(other)}:ingot-test:2");
            await AssertSameAsync(image, _directory.At(other));
        }
    }

    [Fact]
    public async Task PodmanLoadsWhatIsExportedAndWhatItSavesIsImportedAgain()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, "needs root");
        Assert.SkipUnless(System.IO.File.Exists("/usr/bin/podman"), "needs podman: apt-get install podman");
        var image = await MakeAsync();
        foreach (string format in (string[])["docker-archive", "oci-archive"])
        {
            await ExportAsync(image, format, _directory.At("out." + format));
            Assert.Contains("ingot-test:1", await PodmanAsync("load", "-i", _directory.At("out." + format)), StringComparison.Ordinal);
            string id = (await PodmanAsync("image", "inspect", "--format", "{{.Id}}", "localhost/ingot-test:1")).Trim();
            Assert.Equal(image.Manifest.Config.Digest.Hex, id);
            await PodmanAsync("save", "--format", format, "-o", _directory.At("saved." + format), "localhost/ingot-test:1");
            await AssertSameAsync(image, _directory.At("saved." + format));
            await PodmanAsync("rmi", "-f", id);
        }
    }

    [Fact]
    public async Task DockerLoadsWhatIsExportedAndWhatItSavesIsImportedAgain()
    {
        await SkipUnlessDockerAsync();
        var image = await MakeAsync();
        await ExportAsync(image, "docker-archive", _directory.At("out.tar"));
        try
        {
            Assert.Contains("ingot-test:1", await CommandRunner.RunAsync(new Command("docker", "load", "-i", _directory.At("out.tar"))),
                StringComparison.Ordinal);
            Assert.Equal(image.Manifest.Config.Digest.ToString(),
                (await CommandRunner.RunAsync(new Command("docker", "image", "inspect", "--format", "{{.Id}}", "ingot-test:1"))).Trim());
            await CommandRunner.RunAsync(new Command("docker", "save", "-o", _directory.At("saved.tar"), "ingot-test:1"));
            await AssertSameAsync(image, _directory.At("saved.tar"));
        }
        finally
        {
            await CommandRunner.TryRunAsync(new Command("docker", "image", "rm", "-f", "ingot-test:1"), onLine: null);
        }
    }

    [Fact]
    public async Task TarUnpacksTheExportedRootFilesystemAsTheExtractorUnpacksTheLayers()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        var image = await MakeAsync();
        await ImageRootFileSystem.UnpackAsync(_store, image.Manifest, _directory.Make("unpacked"));
        await using (var file = System.IO.File.Create(_directory.At("root.tar")))
            await FileSystemArchive.WriteAsync(_store, image, file);
        await LinuxTree.RunAsync(_directory.Make("exported"), "tar", "--xattrs", "--xattrs-include=*", "-xpf", _directory.At("root.tar"));
        Assert.Equal(await LinuxTree.ListAsync(_directory.At("unpacked"), withTimes: false),
            await LinuxTree.ListAsync(_directory.At("exported"), withTimes: false));

        await LinuxTree.RunAsync(_directory.At("exported"), "tar", "--sort=name", "-cf", _directory.At("again.tar"), ".");
        await using var source = await ImageSource.OpenAsync(_directory.At("again.tar"), _directory.At("temporary"));
        var imported = await Image.LoadAsync(_store, (await source.ImportAsync(_store)).Digest);
        Assert.Empty(TreeComparison.Compare(await MergedTree.ReadAsync(_store, image), await MergedTree.ReadAsync(_store, imported)));
    }

    [Fact]
    public async Task ImagesGoToAForeignRegistryAndComeBack()
    {
        SkipUnlessSkopeo();
        Assert.SkipUnless(ForeignRegistry.Missing is null, ForeignRegistry.Missing ?? "");
        await using var registry = await ForeignRegistry.StartAsync(_directory.At("registry"));
        var client = registry.Client();
        // skopeo does not make Docker's formats of zstd.
        var image = await MakeAsync(compression: LayerCompression.Gzip);
        var note = await SampleImage.ReferrerAsync(_store, image.Descriptor, "application/note", "said about it");
        await ImageTransfer.PushAsync(_store, client, "team/app", image.Digest, "1", referrers: true);
        await SkopeoAsync("copy", "--src-tls-verify=false", $"docker://{registry.Name}/team/app:1", $"oci:{_directory.At("copied")}:app");
        await AssertSameAsync(image, _directory.At("copied"));

        var bytes = new Counter();
        var options = new TransferOptions { Referrers = true, Bytes = bytes, MountFrom = _ => "team/app" };
        var copied = await ImageTransfer.CopyAsync(client, "team/app", "1", client, "other/app", "1", options);
        Assert.Equal(image.Digest, copied.Digest);
        // The blobs were linked; only what is said about the image, which is no layer of it, may go over the network.
        Assert.InRange(bytes.Total, 0, 1000);
        Assert.Equal([note.Digest], (await client.ListReferrersAsync("other/app", image.Digest).ToListAsync()).Select(d => d.Digest));

        await SkopeoAsync("copy", "--dest-tls-verify=false", "--format", "v2s2", $"oci:{_directory.At("copied")}:app",
            $"docker://{registry.Name}/docker/app:2");
        var pulled = await ImageTransfer.PullAsync(client, "docker/app", "2", _store);
        Assert.Equal(MediaType.DockerManifest, pulled.MediaType);
        Assert.Equal(image.Config.RootFs.DiffIds, (await Image.LoadAsync(_store, pulled.Digest)).Config.RootFs.DiffIds);
    }

    [Theory]
    [InlineData("zstd")]
    [InlineData("gzip")]
    public async Task RecompressedImagesAreReadByOthers(string compression)
    {
        SkipUnlessSkopeo();
        Assert.SkipUnless(ForeignRegistry.Missing is null, ForeignRegistry.Missing ?? "");
        await using var registry = await ForeignRegistry.StartAsync(_directory.At("registry"));
        var image = await MakeAsync();
        var made = await Recompression.ConvertAsync(_store, image, LayerCompression.Find(compression)!);
        await ImageTransfer.PushAsync(_store, registry.Client(), "team/app", made.Digest, "1");
        await SkopeoAsync("copy", "--src-tls-verify=false", $"docker://{registry.Name}/team/app:1",
            $"oci-archive:{_directory.At("out.tar")}:app:1");
        await AssertSameAsync(image, _directory.At("out.tar"));

        // Podman decompresses the layers, holds them against their diff ids and unpacks them.
        Assert.SkipUnless(LinuxTree.IsRoot && System.IO.File.Exists("/usr/bin/podman"), "needs root and podman: apt-get install podman");
        Assert.Equal(image.Manifest.Config.Digest.Hex,
            (await PodmanAsync("pull", "-q", "--tls-verify=false", $"{registry.Name}/team/app:1")).Trim());
    }

    [Fact]
    public async Task DockerPullsWhatIsPushedAsItsVersionCan()
    {
        await SkipUnlessDockerAsync();
        Assert.SkipUnless(ForeignRegistry.Missing is null, ForeignRegistry.Missing ?? "");
        await using var registry = await ForeignRegistry.StartAsync(_directory.At("registry"));
        using var engine = new DockerEngine();
        bool isNew = (await engine.VersionAsync()).PullsZstandard;
        var image = await MakeAsync(compression: isNew ? LayerCompression.Zstandard : LayerCompression.Gzip);
        await ImageTransfer.PushAsync(_store, registry.Client(), "team/app", image.Digest, "1");
        string name = $"{registry.Name}/team/app:1";
        try
        {
            Assert.Contains(image.Digest.ToString(), await CommandRunner.RunAsync(new Command("docker", "pull", name)),
                StringComparison.Ordinal);
        }
        finally
        {
            await CommandRunner.TryRunAsync(new Command("docker", "image", "rm", "-f", name), onLine: null);
        }
    }

    [Fact]
    public async Task ATransferThroughANetworkThatBreaksEndsWhole()
    {
        SkipUnlessSkopeo();
        Assert.SkipUnless(ForeignRegistry.Missing is null, ForeignRegistry.Missing ?? "");
        await using var registry = await ForeignRegistry.StartAsync(_directory.At("registry"));
        var image = await MakeAsync(bytes: 3_000_000);
        await using (var up = new CuttingProxy(registry.Uri, 400_000, 700_000, 900_000, int.MaxValue))
            await ImageTransfer.PushAsync(_store, registry.Client(up.Uri), "team/app", image.Digest, "1");
        await SkopeoAsync("copy", "--src-tls-verify=false", $"docker://{registry.Name}/team/app:1", $"dir:{_directory.At("dir")}");

        var other = new DirectoryStore(_directory.At("other"));
        await using (var down = new CuttingProxy(registry.Uri, 400_000, 700_000, 900_000, int.MaxValue))
            await ImageTransfer.PullAsync(registry.Client(down.Uri), "team/app", "1", other);
        var layout = new OciLayout(other.Root);
        await layout.SetAsync("app:1", image.Descriptor);
        Assert.Empty((await LayoutVerification.VerifyAsync(layout)).Problems);
        Assert.Empty(System.IO.Directory.EnumerateFiles(_directory.At("other", "tmp")));
    }

    private static void SkipUnlessSkopeo() =>
        Assert.SkipUnless(System.IO.File.Exists("/usr/bin/skopeo"), "needs skopeo: apt-get install skopeo");

    private static async Task SkipUnlessDockerAsync()
    {
        var info = System.IO.File.Exists("/var/run/docker.sock")
            ? await CommandRunner.TryRunAsync(new Command("docker", "info"), onLine: null)
            : null;
        Assert.SkipUnless(info is { ExitCode: 0 }, "no Docker daemon answers at /var/run/docker.sock");
    }

    private static Task<string> SkopeoAsync(params string[] arguments) => CommandRunner.RunAsync(new Command("skopeo", arguments));

    private Task<string> PodmanAsync(params string[] arguments) =>
        CommandRunner.RunAsync(new Command("podman", ["--root", _directory.At("podman"), "--runroot", _directory.At("podman-run"),
            "--tmpdir", _directory.At("podman-tmp"), "--storage-driver", "vfs", "--events-backend", "file", .. arguments]));

    private async Task ExportAsync(Image image, string format, string path)
    {
        if (format == "oci")
        {
            await ImageArchive.WriteLayoutAsync(_store, image.Descriptor, "ingot-test:1", new OciLayout(path));
            return;
        }

        await using var file = System.IO.File.Create(path);
        if (format == "oci-archive")
            await ImageArchive.WriteOciAsync(_store, image.Descriptor, "ingot-test:1", file);
        else
            await ImageArchive.WriteDockerAsync(_store, image, "ingot-test:1", file);
    }

    private async Task AssertSameAsync(Image image, string path)
    {
        var store = new DirectoryStore(_directory.At("imported-" + Path.GetFileName(path)));
        await using var source = await ImageSource.OpenAsync(path, _directory.At("temporary"));
        var imported = await Image.LoadAsync(store, (await source.ImportAsync(store)).Digest);
        Assert.Equal(image.Config.RootFs.DiffIds, imported.Config.RootFs.DiffIds);
        Assert.Equal(image.Config.Config.Env, imported.Config.Config.Env);
        Assert.Equal(image.Config.Config.Cmd, imported.Config.Config.Cmd);
        Assert.Equal(image.Config.History, imported.Config.History);
        Assert.Empty(TreeComparison.Compare(await MergedTree.ReadAsync(_store, image), await MergedTree.ReadAsync(store, imported)));
    }

    // Three layers: files, links and owners; deletions, an opaque directory and a link over layers; more bytes.
    private async Task<Image> MakeAsync(int bytes = 10_000, LayerCompression? compression = null)
    {
        var layers = new List<Layer>
        {
            await LayerAsync(
                compression,
                Directory("etc"), File("etc/passwd", "root:x:0:0::/root:/bin/sh\n"), File("etc/gone", "x"), Directory("opt"),
                File("opt/old", "x"), File("opt/older", "x"),
                (new TarEntry { Path = "run.sh", Type = TarEntryType.File, Mode = 0b100_111_101_101, UserId = 5, GroupId = 6, Size = 10 },
                    "#!/bin/sh\n"),
                Link("run2.sh", TarEntryType.HardLink, "run.sh"), Link("bin", TarEntryType.SymbolicLink, "usr/bin")),
            await LayerAsync(compression, File("etc/.wh.gone", ""), File("opt/.wh..wh..opq", ""), File("opt/new", "new"),
                Link("opt/passwd", TarEntryType.SymbolicLink, "../etc/passwd"), File("etc/é ü", "name")),
            await LayerAsync(compression, File("large",
                Encoding.ASCII.GetString([.. Enumerable.Range(0, bytes).Select(i => (byte)(32 + ((long)i * i * 2654435761 >> 7) % 90))]))),
        };
        var config = new ImageConfig
        {
            Created = "1980-01-01T00:00:00Z",
            Architecture = Platform.Host.Architecture,
            Os = "linux",
            Config = new ContainerConfig { Env = ["PATH=/bin", "A=b"], Cmd = ["/run.sh"] },
            RootFs = new RootFileSystem { DiffIds = [.. layers.Select(l => l.DiffId)] },
            History =
            [
                .. layers.Select((_, i) => new HistoryEntry { Created = "1980-01-01T00:00:00Z", CreatedBy = $"step {i}" }),
                new HistoryEntry { Created = "1980-01-01T00:00:00Z", CreatedBy = "CMD", EmptyLayer = true },
            ],
        };
        var configBlob = await _store.PutAsync(MediaType.Config, ImageJson.Write(config));
        var manifest = await _store.PutAsync(MediaType.Manifest,
            ImageJson.Write(new Manifest { Config = configBlob, Layers = [.. layers.Select(l => l.Blob!)] }));
        return await Image.LoadAsync(_store, manifest.Digest);
    }

    private async Task<Layer> LayerAsync(LayerCompression? compression, params (TarEntry Entry, string Content)[] files)
    {
        await using var writer = await LayerWriter.BeginAsync(_store, compression ?? BuildSettings.DefaultCodec);
        foreach (var (entry, content) in files)
            await writer.WriteAsync(entry, Encoding.UTF8.GetBytes(content));
        return await writer.FinishAsync();
    }

    private static (TarEntry Entry, string Content) File(string path, string content) =>
        (new TarEntry { Path = path, Type = TarEntryType.File, Mode = 0b110_100_100, Size = Encoding.UTF8.GetByteCount(content) }, content);

    private static (TarEntry Entry, string Content) Directory(string path) =>
        (new TarEntry { Path = path, Type = TarEntryType.Directory, Mode = 0b111_101_101 }, "");

    private static (TarEntry Entry, string Content) Link(string path, TarEntryType type, string target) =>
        (new TarEntry { Path = path, Type = type, LinkTarget = target, Mode = 0b111_111_111 }, "");

    private sealed class Counter : IProgress<int>
    {
        private long _total;

        public long Total => _total;

        public void Report(int value) => Interlocked.Add(ref _total, value);
    }
}
