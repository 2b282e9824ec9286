using System.Text.Json;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Testing;

namespace Ingot.Cli.Tests.Commands;

/// <summary>Builds of files alone, which need no program.</summary>
public sealed class BuildDirectoryTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public BuildDirectoryTests()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, "needs root");
        Write("app/Dockerfile", "FROM scratch AS files\nCOPY file /file\nFROM files\nLABEL of=app\n");
        Write("app/file", "one");
    }

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task ADirectoryWithADockerfileIsEnough()
    {
        var run = await RunAsync("build", "app");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.Contains("app is sha256:", run.Output, StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync("build", _directory.At("app") + "/")).ExitCode);
        Assert.Equal(0, (await ProgramRun.Of("-C", _directory.At("app"), "build")).ExitCode);
        Assert.Equal(0, (await ProgramRun.Of("-C", _directory.At("app"), "build", ".", "--target", "files")).ExitCode);
    }

    [Theory]
    [InlineData("there is neither ingot.yaml nor a Dockerfile", "build", "empty")]
    [InlineData("there is no ingot.yaml", "build", "nothing")]
    [InlineData("'./nothing' is neither a directory nor a git repository", "build", "./nothing")]
    [InlineData("'web' would be an image of the project", "build", "./app", "web")]
    [InlineData("are two directories", "build", "app", "empty")]
    [InlineData("are two contexts", "build", "app", "--context", "empty")]
    [InlineData("there is no file", "build", "app", "-f", "Dockerfile")]
    [InlineData("no stage of this build is called 'fils'", "build", "app", "--no-cache-filter", "fils")]
    public async Task WhatIsNotThereIsSaid(string said, params string[] arguments)
    {
        _directory.Make("empty");
        var run = await RunAsync(arguments);
        Assert.Equal(2, run.ExitCode);
        Assert.Contains(said, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ANameOfTheProjectComesBeforeADirectory()
    {
        Write("ingot.yaml", "ingot: 1\nproject: p\nimages:\n  app: { dockerfile: other }\n");
        Write("other", "FROM scratch\nLABEL of=project\n");
        Assert.Equal("project", await LabelAsync(await DigestAsync("build", "app"), "of"));
        Assert.Equal("app", await LabelAsync(await DigestAsync("build", "./app"), "of"));
    }

    [Fact]
    public async Task NamesAndFilesAreWhatWasAskedFor()
    {
        string id = _directory.At("id"), metadata = _directory.At("metadata.json");
        string digest = await DigestAsync("build", "app", "-t", "tests/named:1", "-t", "tests/other", "--iidfile", id, "--metadata-file",
            metadata, "--annotation", "a=b", "--annotation", "manifest:c=d");
        Assert.Equal(digest, File.ReadAllText(id));
        var document = JsonDocument.Parse(File.ReadAllText(metadata)).RootElement;
        Assert.Equal(digest, document.GetProperty("containerimage.digest").GetString());
        Assert.Equal("tests/named:1,tests/other:latest", document.GetProperty("image.name").GetString());
        Assert.Equal(Platform.Host.ToString(), document.GetProperty("ingot.platform").GetString());
        string manifest = (await ProgramRun.Of("inspect", "tests/other", "--output", "json")).Output;
        Assert.Contains(digest, manifest, StringComparison.Ordinal);
        Assert.Contains("\"annotations\":{\"a\":\"b\",\"c\":\"d\"}", manifest.Replace(" ", "", StringComparison.Ordinal),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnotherDirectoryOfTheNameIsSaid()
    {
        Write("app/file", _directory.Root);
        string first = await DigestAsync("build", "app");
        Write("more/app/Dockerfile", "FROM scratch\nLABEL of=more\n");
        var run = await RunAsync("build", "more/app");
        Assert.Contains($"'app/app:latest' was the image of '{_directory.At("app")}' until now, which is still in the store as {first}",
            run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("was the image of", (await RunAsync("build", "more/app", "--no-cache")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SeveralPlatformsMakeAnIndex()
    {
        string id = _directory.At("id");
        var run = await RunAsync("build", "app", "-t", "tests/index", "--platform", "linux/amd64,linux/arm64", "--iidfile", id,
            "--annotation", "index:a=b", "--output", "type=local,dest=" + _directory.At("out"));
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        var index = ImageJson.ReadIndex(await File.ReadAllBytesAsync(BlobOf(File.ReadAllText(id)), TestContext.Current.CancellationToken));
        Assert.Equal(["linux/amd64", "linux/arm64"], index.Manifests.Select(m => m.Platform!.ToString()).Order(StringComparer.Ordinal));
        Assert.Equal("b", index.Annotations!["a"]);
        Assert.Equal("one", File.ReadAllText(_directory.At("out", "linux_arm64", "file")));
        Assert.Contains("--annotation",
            (await RunAsync("build", "app", "--annotation", "index:a=b")).Error.Replace("an annotation of the index", "--annotation",
                StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tar")]
    [InlineData("oci")]
    [InlineData("docker")]
    public async Task AnArchiveIsWritten(string type)
    {
        string file = _directory.At("image." + type);
        Assert.Equal(0, (await RunAsync("build", "app", "-o", $"type={type},dest={file}")).ExitCode);
        Assert.True(new FileInfo(file).Length > 1024);
        Assert.Equal(0, (await RunAsync("build", "app", "-o", $"type={type},dest={file}")).ExitCode);
        Assert.Equal(2, (await RunAsync("build", "app", "-o", $"type={type},dest={_directory.Root}")).ExitCode);
    }

    [Fact]
    public async Task QuietSaysNameAndDigestAlone()
    {
        var run = await RunAsync("build", "app", "--progress", "quiet");
        Assert.Matches("^app sha256:[0-9a-f]{64}\n$", run.Output);
        Assert.Equal("", run.Error);
    }

    [Fact]
    public async Task ASecretThatIsAnOrdinaryWordIsExemptWhereThatIsSaid()
    {
        Write("app/file", "user=postgres\n");
        string secret = "id=db,src=" + _directory.At("secret");
        Write("secret", "postgres");
        var refused = await RunAsync("build", "app", "--secret", secret);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("'db'", refused.Error, StringComparison.Ordinal);

        string digest = await DigestAsync("build", "app", "--secret", secret + ",exempt");
        Assert.Contains("\"exempt_secrets\":[\"db\"]", RecipeOf(digest), StringComparison.Ordinal);

        // Another one is looked for all the same, also where an image came from the cache.
        Assert.Equal(1, (await RunAsync("build", "app", "--no-cache", "--secret", secret + ",exempt", "--secret",
            "id=other,src=" + _directory.At("secret"))).ExitCode);
    }

    [Fact]
    public async Task AProjectCanExemptASecret()
    {
        Write("secret", "postgres");
        Write("ingot.yaml", "ingot: 1\nproject: exempting\nexempt-secrets: [db]\nimages:\n  db: { dockerfile: Dockerfile }\n");
        Write("Dockerfile", "FROM scratch\nENV USER=postgres\n");
        string digest = await DigestAsync("build", "--secret", "id=db,src=secret");
        Assert.Contains("\"exempt_secrets\":[\"db\"]", RecipeOf(digest), StringComparison.Ordinal);
        Assert.Equal(1, (await RunAsync("build", "--secret", "id=dbx,src=secret")).ExitCode);
        Write("ingot.yaml", "ingot: 1\nproject: exempting\nexempt-secrets: db\nimages:\n  db: { dockerfile: Dockerfile }\n");
        Assert.Contains("ingot.yaml:3:17", (await RunAsync("build")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task LabelsThatAProjectAsksForChangeTheConfigurationAlone()
    {
        Write("ingot.yaml", "ingot: 1\nproject: labelled\nimages:\n  web: { dockerfile: Dockerfile, version: 1.2.3 }\n");
        Write("Dockerfile", "FROM scratch\nCOPY app /\nLABEL org.opencontainers.image.source=mine\n");
        await GitAsync("git init -q -b main && git remote add origin https://user:word@example.org/x.git && git add . && git commit -qm first");
        string plain = await DigestAsync("build");
        await GitAsync("git commit -q --allow-empty -m second");
        Assert.Equal(plain, await DigestAsync("build"));

        Write("ingot.yaml", File.ReadAllText(_directory.At("ingot.yaml")) + "standard-labels: [version, revision, source, created]\n");
        string dirty = await DigestAsync("build");
        Assert.Equal("created=1980-01-01T00:00:00Z source=mine version=1.2.3", await StandardAsync(dirty));
        await GitAsync("git add . && git commit -qm third");
        string clean = await DigestAsync("build");
        Assert.Matches("^created=1980-01-01T00:00:00Z revision=[0-9a-f]{40} source=mine version=1.2.3$", await StandardAsync(clean));
        Assert.Equal(await LayersAsync(plain), await LayersAsync(clean));
        Assert.Equal(3, new[] { plain, dirty, clean }.Distinct().Count());

        Write("Dockerfile", "FROM scratch\nCOPY app /\n");
        await GitAsync("git add . && git commit -qm fourth");
        Assert.Contains("source=https://example.org/x.git ", await StandardAsync(await DigestAsync("build")), StringComparison.Ordinal);
        Assert.Contains("source=theirs ",
            await StandardAsync(await DigestAsync("build", "--label", "org.opencontainers.image.source=theirs")), StringComparison.Ordinal);
        Write("ingot.yaml", "ingot: 1\nproject: labelled\nstandard-labels: [versoin]\nimages:\n  web: { dockerfile: Dockerfile }\n");
        Assert.Contains("did you mean 'version'?", (await RunAsync("build")).Error, StringComparison.Ordinal);
    }

    private async Task GitAsync(string script) =>
        await LinuxTree.RunAsync(_directory.Root, "sh", "-ec",
            "git config --global --get user.name >/dev/null || export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@example.org GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@example.org; " + script);

    private static async Task<string> StandardAsync(string digest)
    {
        const string prefix = "org.opencontainers.image.";
        var labels = (await ConfigAsync(digest)).Config.Labels!;
        return string.Join(' ',
            labels.Where(l => l.Key.StartsWith(prefix, StringComparison.Ordinal)).Select(l => $"{l.Key[prefix.Length..]}={l.Value}"));
    }

    private static async Task<string> LayersAsync(string digest) => string.Join(' ', (await ConfigAsync(digest)).RootFs.DiffIds);

    private static string RecipeOf(string digest) =>
        File.ReadAllText(Path.Combine(Environment.GetEnvironmentVariable("INGOT_HOME")!, "recipes", digest["sha256:".Length..] + ".json"));

    private async Task<string> DigestAsync(params string[] arguments)
    {
        var run = await RunAsync([.. arguments, "--output", "json"]);
        Assert.True(run.ExitCode == 0, run.Output + run.Error);
        return JsonDocument.Parse(run.Output).RootElement.GetProperty("images")[0].GetProperty("digest").GetString()!;
    }

    private static async Task<string> LabelAsync(string digest, string name) => (await ConfigAsync(digest)).Config.Labels![name];

    private static async Task<ImageConfig> ConfigAsync(string digest)
    {
        var manifest = ImageJson.ReadManifest(await File.ReadAllBytesAsync(BlobOf(digest)));
        return ImageJson.ReadConfig(await File.ReadAllBytesAsync(BlobOf(manifest.Config.Digest.ToString())));
    }

    private static string BlobOf(string digest) =>
        Path.Combine(Environment.GetEnvironmentVariable("INGOT_HOME")!, "content", "blobs", "sha256", digest["sha256:".Length..]);

    private Task<ProgramRun> RunAsync(params string[] arguments) => ProgramRun.Of(["-C", _directory.Root, .. arguments]);

    private void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_directory.At(path))!);
        File.WriteAllText(_directory.At(path), text);
    }
}
