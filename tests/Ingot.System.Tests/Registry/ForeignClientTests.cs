using System.Text.Json;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Server.Ledger;
using Ingot.Tools;

namespace Ingot.SystemTests.Registry;

/// <summary>Clients of others against the registry: skopeo, and Docker when a daemon answers.</summary>
public sealed class ForeignClientTests : IAsyncLifetime
{
    private readonly string _work = Directory.CreateTempSubdirectory("ingot-registry-").FullName;
    private RegistryProcess _registry = null!;

    public async ValueTask InitializeAsync() => _registry = await RegistryProcess.StartAsync(Path.Combine(_work, "home"));

    public async ValueTask DisposeAsync()
    {
        await _registry.DisposeAsync();
        Directory.Delete(_work, recursive: true);
    }

    [Fact]
    public async Task SkopeoCopiesALayoutInAndOutByteForByte()
    {
        SkipUnlessSkopeo();
        var image = await MakeLayoutAsync("source", "hello");
        await SkopeoAsync("copy", "--preserve-digests", "--dest-tls-verify=false", $"oci:{_work}/source:hello",
            $"docker://{_registry.Host}/shop/hello:1.0");
        Assert.Equal(image, _registry.Ledger.Read(view => view.Tag("shop/hello", "1.0"))!.Digest);

        await SkopeoAsync("copy", "--preserve-digests", "--src-tls-verify=false", $"docker://{_registry.Host}/shop/hello:1.0",
            $"oci:{_work}/target:hello");
        Assert.NotNull(await new DirectoryStore($"{_work}/target").ReadAsync(image));
        await SkopeoAsync("copy", "--src-tls-verify=false", $"docker://{_registry.Host}/shop/hello@{image}", $"dir:{_work}/dir");

        var inspected =
            JsonDocument.Parse(await SkopeoAsync("inspect", "--tls-verify=false", $"docker://{_registry.Host}/shop/hello:1.0")).RootElement;
        Assert.Equal(image.ToString(), inspected.GetProperty("Digest").GetString());
        var listed =
            JsonDocument.Parse(await SkopeoAsync("list-tags", "--tls-verify=false", $"docker://{_registry.Host}/shop/hello")).RootElement;
        Assert.Equal("1.0", Assert.Single(listed.GetProperty("Tags").EnumerateArray()).GetString());
    }

    [Fact]
    public async Task SkopeoCopiesBetweenRepositoriesWithoutSendingBlobsAgain()
    {
        SkipUnlessSkopeo();
        await MakeLayoutAsync("source", "hello");
        await SkopeoAsync("copy", "--dest-tls-verify=false", $"oci:{_work}/source:hello", $"docker://{_registry.Host}/shop/hello:1.0");
        await SkopeoAsync("copy", "--src-tls-verify=false", "--dest-tls-verify=false", $"docker://{_registry.Host}/shop/hello:1.0",
            $"docker://{_registry.Host}/other/hello:1.0");

        Assert.Equal(
            _registry.Ledger.Read(view => view.Tag("shop/hello", "1.0"))!.Digest,
            _registry.Ledger.Read(view => view.Tag("other/hello", "1.0"))!.Digest);
    }

    [Fact]
    public async Task SkopeoIsToldWhyATagDoesNotMove()
    {
        SkipUnlessSkopeo();
        await MakeLayoutAsync("source", "hello");
        await MakeLayoutAsync("other", "something else");
        await SkopeoAsync("copy", "--dest-tls-verify=false", $"oci:{_work}/source:hello", $"docker://{_registry.Host}/shop/hello:1.0");
        await SkopeoAsync("copy", "--dest-tls-verify=false", $"oci:{_work}/source:hello", $"docker://{_registry.Host}/shop/hello:1.0");
        var refused = await CommandRunner.TryRunAsync(
            new Command("skopeo", "copy", "--dest-tls-verify=false", $"oci:{_work}/other:hello",
                $"docker://{_registry.Host}/shop/hello:1.0"),
            onLine: null);

        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains("tags there never move", refused.Tail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SkopeoDeletesWhereThatIsAllowed()
    {
        SkipUnlessSkopeo();
        await MakeLayoutAsync("source", "hello");
        await SkopeoAsync("copy", "--dest-tls-verify=false", $"oci:{_work}/source:hello", $"docker://{_registry.Host}/scratch/hello:1.0");
        await SkopeoAsync("delete", "--tls-verify=false", $"docker://{_registry.Host}/scratch/hello:1.0");

        Assert.Null(_registry.Ledger.Read(view => view.Tag("scratch/hello", "1.0")));
        Assert.Empty((await LedgerVerifier.VerifyAsync(_registry.Home)).Problems);
    }

    [Fact]
    public async Task DockerPushesAndPulls()
    {
        var info = File.Exists("/var/run/docker.sock")
            ? await CommandRunner.TryRunAsync(new Command("docker", "info"), onLine: null)
            : null;
        Assert.SkipUnless(info is { ExitCode: 0 }, "no Docker daemon answers at /var/run/docker.sock");

        string archive = await MakeTarAsync("root.tar", $"pushed by docker from {_registry.Host}");
        string name = $"{_registry.Host}/shop/docker:1.0";
        await CommandRunner.RunAsync(new Command("docker", "import", archive, name));
        try
        {
            await CommandRunner.RunAsync(new Command("docker", "push", name));
            var pushed = _registry.Ledger.Read(view => view.Tag("shop/docker", "1.0"))!.Digest;
            Assert.Equal(MediaType.DockerManifest, _registry.Ledger.Read(view => view.Manifest("shop/docker", pushed))!.MediaType);

            await CommandRunner.RunAsync(new Command("docker", "rmi", name));
            string pulled = await CommandRunner.RunAsync(new Command("docker", "pull", name));
            Assert.Contains(pushed.ToString(), pulled, StringComparison.Ordinal);
            await CommandRunner.RunAsync(new Command("docker", "push", name));
        }
        finally
        {
            await CommandRunner.TryRunAsync(new Command("docker", "rmi", name), onLine: null);
        }
    }

    private static void SkipUnlessSkopeo() => Assert.SkipUnless(File.Exists("/usr/bin/skopeo"), "needs skopeo: apt-get install skopeo");

    private static Task<string> SkopeoAsync(params string[] arguments) => CommandRunner.RunAsync(new Command("skopeo", arguments));

    private async Task<string> MakeTarAsync(string name, string text, params string[] options)
    {
        string root = Directory.CreateDirectory(Path.Combine(_work, "root-" + name)).FullName;
        await File.WriteAllTextAsync(Path.Combine(root, "hello.txt"), text);
        string archive = Path.Combine(_work, name);
        await CommandRunner.RunAsync(new Command("tar", [.. options, "-C", root, "-cf", archive, "."]));
        return archive;
    }

    /// <summary>An OCI layout with an image of one layer under the reference name <c>hello</c>.</summary>
    private async Task<Digest> MakeLayoutAsync(string name, string text)
    {
        var store = new DirectoryStore(Path.Combine(_work, name));
        var diffId = Digest.Of(await File.ReadAllBytesAsync(await MakeTarAsync(name + ".tar", text)));
        var layer = await store.PutAsync(MediaType.Layer, await File.ReadAllBytesAsync(Path.Combine(_work, name + ".tar")));
        var config = await store.PutAsync(MediaType.Config,
            ImageJson.Write(new ImageConfig { Architecture = "amd64", Os = "linux", RootFs = new RootFileSystem { DiffIds = [diffId] } }));
        var manifest = await store.PutAsync(MediaType.Manifest, ImageJson.Write(new Manifest { Config = config, Layers = [layer] }));
        var named = manifest with { Annotations = new() { ["org.opencontainers.image.ref.name"] = "hello" } };
        await File.WriteAllBytesAsync(Path.Combine(_work, name, "index.json"), ImageJson.Write(new ImageIndex { Manifests = [named] }));
        return manifest.Digest;
    }
}
