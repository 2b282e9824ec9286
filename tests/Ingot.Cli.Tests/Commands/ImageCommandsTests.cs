using System.Text.Json;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Layouts;
using Ingot.Oci.Registries;
using Ingot.Testing;

namespace Ingot.Cli.Tests.Commands;

/// <summary>The commands for images at the border, with a registry that asks for a password. The home is shared:
/// names are this test's own.</summary>
[Collection("docker configuration")]
public sealed class ImageCommandsTests : IAsyncDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly TestRegistry _registry = new();
    private readonly string _name = "t" + Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(6));

    public ImageCommandsTests() => Environment.SetEnvironmentVariable("DOCKER_CONFIG", _directory.Make("docker"));

    public async ValueTask DisposeAsync()
    {
        await _registry.DisposeAsync();
        _directory.Dispose();
    }

    [Fact]
    public async Task AnImageGoesOutAndComesInInEachForm()
    {
        var image = await ImportAsync($"{_name}:1", ("etc/passwd", "root:x:0:0::/:"), ("bin/a", "a"));
        foreach (string format in (string[])["oci", "oci-archive", "docker-archive", "rootfs"])
        {
            string file = _directory.At("out." + format);
            var exported = await JsonAsync("export", $"{_name}:1", file, "--format", format);
            Assert.Equal((image, format), (exported.GetProperty("digest").GetString(), exported.GetProperty("format").GetString()));
            var imported = await JsonAsync("import", file, "--name", $"{_name}:{format}");
            Assert.Equal(format, imported.GetProperty("form").GetString());
            var compared = await JsonAsync("diff", $"{_name}:1", $"{_name}:{format}");
            Assert.Equal((0, 0, 0), (Count(compared, "added"), Count(compared, "removed"), Count(compared, "changed")));
        }

        Assert.Empty(Directory.EnumerateFileSystemEntries(_directory.Root, "*partial*"));
    }

    [Fact]
    public async Task ADiffSaysWhatChanged()
    {
        string status = "Package: NAME\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.VER\n\n";
        string Database(params (string Name, string Version)[] packages) => string.Concat(packages
            .Select(p => status.Replace("NAME", p.Name, StringComparison.Ordinal).Replace("VER", p.Version, StringComparison.Ordinal)));
        await ImportAsync($"{_name}:a", ("etc/passwd", "root:x:0:0::/:\n"),
            ("var/lib/dpkg/status", Database(("bash", "1"), ("gone", "1"))), ("old", "x"));
        await ImportAsync($"{_name}:b", ("etc/passwd", "root:x:0:0::/:\nann:x:5:6::/:\n"),
            ("var/lib/dpkg/status", Database(("bash", "2"), ("new", "1"))), ("new", "x"));
        var run = await ProgramRun.Of("diff", $"{_name}:a", $"{_name}:b");
        Assert.Equal(0, run.ExitCode);
        foreach (string line in new[] { "package  + new 1.1", "package  - gone 1.1", "package  ~ bash 1.1 -> 1.2",
            "file     + /new (file, 0644, 0:0, 1 B)", "file     - /old", "file     ~ /etc/passwd: content", "user     + ann (5:6)" })
            Assert.Contains(line, run.Output, StringComparison.Ordinal);
        Assert.Contains("equal    the same files and configuration", (await ProgramRun.Of("diff", $"{_name}:a", $"{_name}:a")).Output,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnImageOfTheProjectHereComesBeforeThatOfADirectoryOfItsName()
    {
        await ImportAsync($"{_name}/{_name}:latest", ("a", "a directory's"));
        Assert.Equal($"{_name}/{_name}:latest", (await JsonAsync("-C", _directory.Root, "inspect", _name)).GetProperty("name").GetString());
        await ImportAsync($"p{_name}/{_name}:1.0.0", ("a", "a project's"));
        string image = $"{_name}: {{ dockerfile: Dockerfile, version: 1.0.0 }}";
        File.WriteAllText(_directory.At("ingot.yaml"), $"ingot: 1\nproject: p{_name}\nimages:\n  {image}\n");
        Assert.Equal($"p{_name}/{_name}:1.0.0", (await JsonAsync("-C", _directory.Root, "inspect", _name)).GetProperty("name").GetString());
        Assert.Equal($"{_name}/{_name}:latest", (await JsonAsync("inspect", $"{_name}/{_name}")).GetProperty("name").GetString());
    }

    [Fact]
    public async Task HistoryAndInspectSpeakOfTheLayer()
    {
        string image = await ImportAsync($"{_name}:1", ("a", "1"));
        var history = await JsonAsync("history", $"{_name}:1");
        var step = Assert.Single(history.GetProperty("steps").EnumerateArray());
        Assert.Equal("ingot import", step.GetProperty("instruction").GetString());
        var inspected = await JsonAsync("inspect", image);
        Assert.Equal(inspected.GetProperty("config").GetProperty("rootfs").GetProperty("diff_ids")[0].GetString(),
            step.GetProperty("diff_id").GetString());
        Assert.Contains("ingot import", (await ProgramRun.Of("history", _name + ":1")).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("file")]
    [InlineData("helper")]
    [InlineData("store")]
    public async Task PushPullAndCopyFindTheirPasswords(string where)
    {
        _registry.Requires = TestRegistry.Access.Basic;
        await LogInAsync(where);
        string image = await ImportAsync($"{_name}:1", ("a", "1"));
        var pushed = await JsonAsync("push", $"{_name}:1", $"{_registry.Name}/team/app:1");
        Assert.Equal((image, 3), (pushed.GetProperty("digest").GetString(), pushed.GetProperty("moved").GetInt32()));
        var copied = await JsonAsync("copy", $"{_registry.Name}/team/app:1", $"{_registry.Name}/other/app");
        Assert.Equal($"{_registry.Name}/other/app:1", copied.GetProperty("reference").GetString());
        Assert.Equal(0, copied.GetProperty("bytes").GetInt64());
        Assert.NotNull(_registry.Manifest("other/app", "1"));
        var pulled = await JsonAsync("pull", $"{_registry.Name}/other/app:1", "--name", $"{_name}:pulled");
        Assert.Equal((image, $"{_name}:pulled"), (pulled.GetProperty("digest").GetString(), pulled.GetProperty("name").GetString()));
        Assert.Equal(image, (await JsonAsync("inspect", $"{_registry.Name}/team/app:1")).GetProperty("digest").GetString());
    }

    [Fact]
    public async Task AHelperThatFailsIsToldWithWhatItSaid()
    {
        await LogInAsync("helper", "echo the vault is sealed; exit 1");
        var run = await ProgramRun.Of("inspect", $"{_registry.Name}/team/app:1");
        Assert.Equal(3, run.ExitCode);
        Assert.Contains("the vault is sealed", run.Error, StringComparison.Ordinal);
        await LogInAsync("helper", "echo not json with secret");
        run = await ProgramRun.Of("inspect", $"{_registry.Name}/team/app:1");
        Assert.Contains("is not understood", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", run.Error, StringComparison.Ordinal);
        await LogInAsync("helper", "echo credentials not found in native keychain; exit 1");
        Assert.Contains("has no image", (await ProgramRun.Of("inspect", $"{_registry.Name}/team/app:1")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task EvidenceGoesAlongUnlessItIsToStay()
    {
        var store = new MemoryStore();
        var image = await SampleImage.MakeAsync(store, LayerCompression.Gzip, [("a", _name)]);
        var note = await SampleImage.ReferrerAsync(store, image.Descriptor, "application/note", "good");
        await ImageTransfer.PushAsync(store, _registry.Client(), "from/app", image.Digest, "1", referrers: true);
        await JsonAsync("copy", $"{_registry.Name}/from/app:1", $"{_registry.Name}/with/app:1");
        await JsonAsync("copy", $"{_registry.Name}/from/app:1", $"{_registry.Name}/without/app:1", "--no-evidence");
        Assert.NotNull(_registry.Manifest("with/app", note.Digest.ToString()));
        Assert.Null(_registry.Manifest("without/app", note.Digest.ToString()));
        await JsonAsync("pull", $"{_registry.Name}/with/app:1", "--name", $"{_name}:1");
        await JsonAsync("push", $"{_name}:1", $"{_registry.Name}/again/app:1");
        Assert.NotNull(_registry.Manifest("again/app", note.Digest.ToString()));
    }

    [Fact]
    public async Task APlatformIsTakenOfAnIndexOrAllOfThem()
    {
        var store = new MemoryStore();
        var (one, two) = (await SampleImage.MakeAsync(store, LayerCompression.Gzip, [("a", _name)]),
            await SampleImage.MakeAsync(store, LayerCompression.Gzip, [("b", _name)]));
        var index = await store.PutAsync(MediaType.Index, ImageJson.Write(new ImageIndex
        {
            Manifests = [one.Descriptor with { Platform = Platform.Host },
                two.Descriptor with { Platform = new Platform { Os = "linux", Architecture = "s390x" } }],
        }));
        await ImageTransfer.PushAsync(store, _registry.Client(), "from/app", index.Digest, "1");
        async Task<string?> CopyAsync(string target, params string[] more) =>
            (await JsonAsync(["copy", $"{_registry.Name}/from/app:1", $"{_registry.Name}/{target}:1", .. more]))
                .GetProperty("digest")
                .GetString();
        Assert.Equal($"{one.Digest}", await CopyAsync("host"));
        Assert.Equal($"{two.Digest}", await CopyAsync("mainframe", "--platform", "linux/s390x"));
        Assert.Equal($"{index.Digest}", await CopyAsync("all", "--all-platforms"));
        Assert.NotNull(_registry.Manifest("all", two.Digest.ToString()));
        var run = await ProgramRun.Of("copy", $"{_registry.Name}/from/app:1", $"{_registry.Name}/x:1", "--platform", "linux/riscv64");
        Assert.Equal(3, run.ExitCode);
        Assert.Contains("s390x", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task CompressionChangesTheDigestAndKeepsTheDiffIds()
    {
        string image = await ImportAsync($"{_name}:1", ("a", new string('x', 10_000)));
        var zstd = await JsonAsync("push", $"{_name}:1", $"{_registry.Name}/zstd:1", "--compression", "zstd");
        Assert.NotEqual(image, zstd.GetProperty("digest").GetString());
        Assert.Equal(zstd.GetProperty("digest").GetString(),
            (await JsonAsync("push", $"{_name}:1", $"{_registry.Name}/zstd:2", "--compression", "zstd")).GetProperty("digest").GetString());
        Assert.Contains("tar+zstd", System.Text.Encoding.UTF8.GetString(_registry.Manifest("zstd", "1")!), StringComparison.Ordinal);
        await JsonAsync("pull", $"{_registry.Name}/zstd:1", "--name", $"{_name}:zstd");
        Assert.True((await JsonAsync("diff", $"{_name}:1", $"{_name}:zstd")).GetProperty("equal").GetBoolean());
    }

    [Theory]
    [InlineData(2, "is not a reference", "push", "IMAGE", "Not/A/Ref")]
    [InlineData(
        2, "has a digest", "push", "IMAGE", "127.0.0.1:9/a@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    [InlineData(2, "has no image 'nothing-of-the-kind'", "push", "nothing-of-the-kind", "127.0.0.1:9/a:1")]
    [InlineData(2, "contradict", "push", "IMAGE", "127.0.0.1:9/a:1", "--platform", "linux/amd64", "--all-platforms")]
    [InlineData(2, "is not a value of '--compression'", "push", "IMAGE", "127.0.0.1:9/a:1", "--compression", "lzma")]
    [InlineData(3, "127.0.0.1:9", "push", "IMAGE", "127.0.0.1:9/a:1")]
    [InlineData(3, "127.0.0.1:9", "pull", "127.0.0.1:9/a:1")]
    [InlineData(2, "is not a name", "pull", "127.0.0.1:9/a:1", "--name", "A B")]
    [InlineData(2, "is not a platform", "pull", "127.0.0.1:9/a:1", "--platform", "a/b/c/d")]
    [InlineData(2, "has no image", "history", "nothing-of-the-kind")]
    [InlineData(2, "has no image", "diff", "IMAGE", "nothing-of-the-kind")]
    [InlineData(2, "there is no file", "import", "DIR/nowhere.tar")]
    [InlineData(2, "is not a name", "import", "DIR/nowhere.tar", "--name", "UPPER")]
    [InlineData(2, "has no 'index.json'", "import", "DIR")]
    [InlineData(2, "--format", "export", "IMAGE", "DIR/x")]
    [InlineData(2, "is a directory", "export", "IMAGE", "DIR", "--format", "rootfs")]
    [InlineData(2, "is not an OCI layout", "export", "IMAGE", "DIR", "--format", "oci")]
    [InlineData(2, "oci-archive", "export", "IMAGE", "-", "--format", "oci")]
    public async Task WhatCannotBeDoneIsSaidWithItsCode(int exitCode, string said, params string[] arguments)
    {
        await ImportAsync($"{_name}:1", ("a", "1"));
        var run = await ProgramRun.Of([.. arguments.Select(a =>
            a.Replace("IMAGE", $"{_name}:1", StringComparison.Ordinal).Replace("DIR", _directory.Root, StringComparison.Ordinal))]);
        Assert.Equal(exitCode, run.ExitCode);
        Assert.Contains(said, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AStoreIsVerified()
    {
        await ImportAsync($"{_name}:1", ("a", "1"));
        var run = await ProgramRun.Of("images", "--verify");
        Assert.Equal((0, true), (run.ExitCode, run.Output.Contains("all as they should be", StringComparison.Ordinal)));
        Assert.True((await JsonAsync("images", "--verify")).GetProperty("sound").GetBoolean());
    }

    [Fact]
    public async Task WhatNothingNamesIsGivenBack()
    {
        await ImportAsync($"{_name}:1", ("a", "1"));
        var store = new DirectoryStore(Path.Combine(Environment.GetEnvironmentVariable("INGOT_HOME")!, "content"));
        var stray = await store.PutAsync("text/plain", System.Text.Encoding.UTF8.GetBytes(_name));
        Assert.Equal(0, (await ProgramRun.Of("prune", "--registry")).ExitCode);
        Assert.True(File.Exists(store.PathOf(stray.Digest)));
        File.SetLastWriteTimeUtc(store.PathOf(stray.Digest), DateTime.UtcNow.AddHours(-2));
        Assert.Contains("would be removed", (await ProgramRun.Of("prune", "--registry", "--dry-run")).Output, StringComparison.Ordinal);
        Assert.True(File.Exists(store.PathOf(stray.Digest)));
        Assert.True((await JsonAsync("prune", "--registry")).GetProperty("items").GetInt32() >= 1);
        Assert.False(File.Exists(store.PathOf(stray.Digest)));
        Assert.Equal(0, (await ProgramRun.Of("inspect", $"{_name}:1")).ExitCode);
    }

    private static int Count(JsonElement diff, string kind) => diff.GetProperty("files").GetProperty(kind).GetArrayLength();

    private static async Task<JsonElement> JsonAsync(params string[] arguments)
    {
        var run = await ProgramRun.Of([.. arguments, "--output", "json"]);
        Assert.True(run.ExitCode == 0, run.Output + run.Error);
        return JsonDocument.Parse(run.Output).RootElement;
    }

    private async Task<string> ImportAsync(string name, params (string Path, string Content)[] files)
    {
        string archive = _directory.At("import.tar");
        await using (var output = File.Create(archive))
        {
            await using var tar = new Oci.Tar.TarWriter(output, leaveOpen: true);
            foreach (var (path, content) in files)
                await tar.WriteAsync(
                    new Oci.Tar.TarEntry { Path = path, Type = Oci.Tar.TarEntryType.File, Mode = 0b110_100_100, Size = content.Length },
                    System.Text.Encoding.ASCII.GetBytes(content));
            await tar.CompleteAsync();
        }

        return (await JsonAsync("import", archive, "--name", name)).GetProperty("digest").GetString()!;
    }

    private async Task LogInAsync(string where, string? script = null)
    {
        string bin = _directory.Make("bin");
        string pair = Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes($"{TestRegistry.UserName}:{TestRegistry.Password}"));
        string helper = "t" + _name;
        script ??=
            $$"""read server; [ "$1 $server" = "get {{_registry.Name}}" ] || exit 1; echo '{"ServerURL":"x","Username":"{{TestRegistry.UserName}}","Secret":"{{TestRegistry.Password}}"}'""";
        string program = Path.Combine(bin, "docker-credential-" + helper);
        await File.WriteAllTextAsync(program, $"#!/bin/sh\n{script}\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Environment.SetEnvironmentVariable("PATH", $"{bin}:{Environment.GetEnvironmentVariable("PATH")}");
        await File.WriteAllTextAsync(_directory.At("docker", "config.json"), where switch
        {
            "file" => $$"""{"auths":{"{{_registry.Name}}":{"auth":"{{pair}}"} } }""",
            "helper" => $$"""{"credHelpers":{"{{_registry.Name}}":"{{helper}}"} }""",
            _ => $$"""{"auths":{"{{_registry.Name}}":{} },"credsStore":"{{helper}}"}""",
        });
    }
}
