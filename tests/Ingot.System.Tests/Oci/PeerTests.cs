using System.Net.Sockets;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Layouts;
using Ingot.Oci.Registries;
using Ingot.Testing;

namespace Ingot.SystemTests.Oci;

/// <summary>Images against the programs that run and copy them.</summary>
public sealed class PeerTests : IDisposable
{
    private const string DockerSocket = "/var/run/docker.sock";

    private static readonly (string Path, string Content)[][] s_layers =
    [
        [("etc/old", "old"), ("etc/gone", "x"), ("opt/a", "a"), ("opt/b", "b"), ($"{new string('d', 90)}/{new string('n', 120)}", "long")],
        [("etc/old", "new"), ("etc/.wh.gone", ""), ("opt/.wh..wh..opq", ""), ("opt/c", "c"), ("größe", "text")],
    ];

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("none")]
    [InlineData("gzip")]
    [InlineData("zstd")]
    public async Task SkopeoCopiesOurLayoutUnchanged(string compression)
    {
        Assert.SkipUnless(File.Exists("/usr/bin/skopeo"), "skopeo is not installed");
        var layout = new OciLayout(_directory.At("layout"));
        var image = await SampleImage.MakeAsync(layout.Store, LayerCompression.Find(compression)!, s_layers);
        await layout.SetAsync("app", image.Descriptor);
        await SkopeoAsync("copy", "--preserve-digests", $"oci:{_directory.At("layout")}:app", $"oci:{_directory.At("copy")}:app");
        var copy = new OciLayout(_directory.At("copy"));
        Assert.Equal(image.Digest, (await copy.FindAsync("app"))!.Digest);
        Assert.Equal(image.Config.RootFs.DiffIds, (await Image.LoadAsync(copy.Store, image.Digest)).Config.RootFs.DiffIds);
    }

    [Fact]
    public async Task SkopeoAndWeShareARegistry()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/skopeo"), "skopeo is not installed");
        await using var registry = new TestRegistry();
        var layout = new OciLayout(_directory.At("layout"));
        var image = await SampleImage.MakeAsync(layout.Store, LayerCompression.Gzip, s_layers);
        await layout.SetAsync("app", image.Descriptor);
        await ImageTransfer.PushAsync(layout.Store, registry.Client(), "ours", image.Digest, "1.0");
        await SkopeoAsync("copy", "--src-tls-verify=false", "--preserve-digests", $"docker://{registry.Name}/ours:1.0",
            $"oci:{_directory.At("copy")}:app");
        Assert.Equal(image.Digest, (await new OciLayout(_directory.At("copy")).FindAsync("app"))!.Digest);
    }

    [Fact]
    public async Task DockerPullsAndUnpacksWhatWePush()
    {
        Assert.SkipUnless(await HasDockerAsync(), "no Docker Engine answers");
        await using var registry = new TestRegistry();
        var store = new MemoryStore();
        var image = await SampleImage.MakeAsync(store, LayerCompression.Gzip, s_layers);
        await ImageTransfer.PushAsync(store, registry.Client(), "ingot-test/app", image.Digest, "1.0");
        string name = $"{registry.Name}/ingot-test/app@{image.Digest}";
        await DockerAsync("pull", "-q", name);
        string container = (await DockerAsync("create", name, "/none")).Trim();
        try
        {
            await LinuxTree.MakeAsync(_directory.Root, $"mkdir exported && docker export {container} | tar -x -C exported");
            string root = _directory.At("exported");
            Assert.Equal("new", await File.ReadAllTextAsync(Path.Combine(root, "etc", "old")));
            Assert.Equal("long", await File.ReadAllTextAsync(Path.Combine(root, new string('d', 90), new string('n', 120))));
            Assert.Equal("text", await File.ReadAllTextAsync(Path.Combine(root, "größe")));
            Assert.False(File.Exists(Path.Combine(root, "etc", "gone")));
            Assert.Equal(["c"], Directory.EnumerateFiles(Path.Combine(root, "opt")).Select(Path.GetFileName));
        }
        finally
        {
            await DockerAsync("rm", "-f", container);
            await DockerAsync("rmi", "-f", name);
        }
    }

    private Task<string> SkopeoAsync(params string[] arguments) =>
        LinuxTree.RunAsync(_directory.Root, "skopeo", ["--insecure-policy", .. arguments]);

    private Task<string> DockerAsync(params string[] arguments) => LinuxTree.RunAsync(_directory.Root, "docker", arguments);

    private static async Task<bool> HasDockerAsync()
    {
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(DockerSocket));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
