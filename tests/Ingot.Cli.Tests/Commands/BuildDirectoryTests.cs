using System.Net;
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
    [InlineData("this build has no stage 'fils'", "build", "app", "--no-cache-filter", "fils")]
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
            (await RunAsync("build", "app", "--annotation", "index:a=b")).Error.Replace("an annotation for the index", "--annotation",
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

    [Theory]
    [InlineData("--iidfile", "")]
    [InlineData("--metadata-file", "")]
    [InlineData("-o", "type=oci,dest=")]
    public async Task WhatLiesBesideAFileIsNotWritten(string option, string before)
    {
        Write("mine", "mine");
        string file = _directory.At("result");
        File.CreateSymbolicLink($"{file}.{Environment.ProcessId}.partial", _directory.At("mine"));
        Assert.Equal(0, (await RunAsync("build", "app", option, before + file)).ExitCode);
        Assert.Equal("mine", File.ReadAllText(_directory.At("mine")));
        Assert.True(new FileInfo(file).Length > 0);
        Assert.Single(Directory.GetFiles(_directory.Root, "*.partial"));
    }

    [Theory]
    [InlineData("--iidfile", "")]
    [InlineData("-o", "type=tar,dest=")]
    public async Task APipeIsWrittenAndStays(string option, string before)
    {
        await LinuxTree.RunAsync(_directory.Root, "mkfifo", "pipe");
        string pipe = _directory.At("pipe");
        var reader = Task.Run(() => File.ReadAllBytes(pipe), TestContext.Current.CancellationToken);
        Assert.Equal(0, (await RunAsync("build", "app", option, before + pipe)).ExitCode);
        Assert.NotEmpty(await reader);
        await LinuxTree.RunAsync(_directory.Root, "test", "-p", "pipe");
    }

    [Theory]
    [InlineData("--iidfile", "", "id")]
    [InlineData("--metadata-file", "", "metadata")]
    [InlineData("-o", "type=local,dest=", "")]
    [InlineData("-o", "type=local,dest=", "new/directory")]
    [InlineData("-o", "type=tar,dest=", "file.tar")]
    public async Task ALinkOfTheContextLeadsNothingOutOfIt(string option, string before, string name)
    {
        _directory.Make("elsewhere");
        Directory.CreateSymbolicLink(_directory.At("app", "out"), _directory.At("elsewhere"));
        var run = await RunAsync("build", "app", option, before + Path.Combine(_directory.At("app", "out"), name));
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("through a link", run.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_directory.At("elsewhere")));
    }

    [Fact]
    public async Task TwoImagesOfOnePlatformMakeNoIndex()
    {
        Write("app/Dockerfile", "FROM --platform=linux/amd64 scratch\nCOPY file /file\n");
        var run = await RunAsync("build", "app", "-t", "tests/twice", "--platform", "linux/amd64,linux/arm64");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("asked for on linux/amd64 and linux/arm64, and 2 of its images are for linux/amd64", run.Error,
            StringComparison.Ordinal);
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
        await GitAsync(
            "git init -q -b main && git remote add origin https://user:word@example.org/x.git && git add . && git commit -qm first");
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

    [Fact]
    public async Task ALabelThatTheBaseAsksForGivesWayToThatOfTheProject()
    {
        const string version = "org.opencontainers.image.version";
        Write("base/Dockerfile", $"FROM scratch\nCOPY file /file\nONBUILD LABEL {version}=base\n");
        Write("base/file", "one");
        await DigestAsync("build", "./base", "-t", "tests/onbuild");
        Write("ingot.yaml", "ingot: 1\nproject: triggered\nstandard-labels: [version]\nimages:\n"
            + "  web: { dockerfile: Dockerfile, version: 1.2.3 }\n");
        Write("Dockerfile", "FROM tests/onbuild\n");
        Assert.Equal("version=1.2.3", await StandardAsync(await DigestAsync("build")));
        Write("Dockerfile", $"FROM tests/onbuild\nLABEL {version}=mine\n");
        Assert.Equal("version=mine", await StandardAsync(await DigestAsync("build")));
        Write("Dockerfile", $"FROM tests/onbuild AS one\nONBUILD LABEL {version}=mine\nFROM one\n");
        Assert.Equal("version=mine", await StandardAsync(await DigestAsync("build")));
    }

    [Fact]
    public async Task AnImageOfARepositoryIsOfItsCommit()
    {
        Write("theirs/Dockerfile", "FROM scratch\nCOPY file /file\n");
        Write("theirs/file", "one");
        await GitAsync("cd theirs && git init -q -b main && git add . && git commit -qm theirs && git update-server-info");
        await GitAsync("git init -q -b main && git add app && git commit -qm mine");
        string commit = (await LinuxTree.RunAsync(_directory.At("theirs"), "git", "rev-parse", "HEAD")).Trim();
        await using var server = new FileServer(_directory.At("theirs"));

        string recipe = RecipeOf(await DigestAsync("build", server.Root + "/.git#main"));

        Assert.Contains($"\"commit\":\"{commit}\"", recipe, StringComparison.Ordinal);
        Assert.Contains($"\"remote\":\"{server.Root}/.git\"", recipe, StringComparison.Ordinal);
        Assert.Contains("\"dockerfile\":\"Dockerfile\",\"context\":\".\"", recipe, StringComparison.Ordinal);
    }

    private async Task GitAsync(string script) =>
        await LinuxTree.RunAsync(_directory.Root, "sh", "-ec",
            "git config --global --get user.name >/dev/null || export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@example.org "
                + "GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@example.org; " + script);

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

    /// <summary>Serves the files of a directory.</summary>
    private sealed class FileServer : IAsyncDisposable
    {
        private readonly HttpListener _listener = new();
        private readonly Task _serving;

        public FileServer(string directory)
        {
            Root = $"http://127.0.0.1:{FreePort()}";
            _listener.Prefixes.Add(Root + "/");
            _listener.Start();
            _serving = ServeAsync(directory);
        }

        public string Root { get; }

        public async ValueTask DisposeAsync()
        {
            _listener.Stop();
            await _serving;
            _listener.Close();
        }

        private async Task ServeAsync(string directory)
        {
            while (_listener.IsListening)
            {
                try
                {
                    var context = await _listener.GetContextAsync();
                    string path = directory + context.Request.Url!.AbsolutePath;
                    context.Response.StatusCode = File.Exists(path) ? 200 : 404;
                    context.Response.Close(File.Exists(path) ? File.ReadAllBytes(path) : [], willBlock: true);
                }
                catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or InvalidOperationException)
                {
                    return;
                }
            }
        }

        private static int FreePort()
        {
            using var socket = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
            socket.Start();
            return ((IPEndPoint)socket.LocalEndpoint).Port;
        }
    }
}
