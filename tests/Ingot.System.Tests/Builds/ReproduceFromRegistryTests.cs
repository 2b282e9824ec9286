using System.Text.Json;
using System.Text.Json.Nodes;
using Ingot.SystemTests.Registry;
using Ingot.SystemTests.Shop;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.SystemTests.Builds;

/// <summary>An image is built again by somebody who has only its name in a registry, and trusts the key of who built it.</summary>
public sealed class ReproduceFromRegistryTests : IAsyncLifetime
{
    private readonly TemporaryDirectory _directory = new();
    private readonly IngotProgram _builder;
    private readonly IngotProgram _other;
    private readonly BusyboxProject _project;
    private RegistryProcess _registry = null!;
    private System.Diagnostics.Process? _daemon;

    public ReproduceFromRegistryTests()
    {
        _builder = new IngotProgram(_directory.At("builder"), server: null);
        _other = new IngotProgram(_directory.At("other"), server: null);
        _project = new BusyboxProject(_directory.At("checkout/services/app"));
        Directory.CreateDirectory(_directory.At("nowhere"));
    }

    private string Reference => $"{_registry.Host}/again/app";

    public async ValueTask InitializeAsync() => _registry = await RegistryProcess.StartAsync(_directory.At("registry"));

    public async ValueTask DisposeAsync()
    {
        await _registry.DisposeAsync();
        _daemon?.Kill(entireProcessTree: true);
        _daemon?.Dispose();
        // Snapshots have modes of their own.
        using var remove = System.Diagnostics.Process.Start("rm",
            ["-rf", _directory.At("builder"), _directory.At("other"), _directory.At("checkout")]);
        await remove.WaitForExitAsync();
        _directory.Dispose();
    }

    [Fact]
    public async Task AnImageOfARegistryIsBuiltAgainByAnotherHomeFromTheCommitThatItsProvenanceNames()
    {
        await CommittedAsync("ARG WORD\nRUN echo \"$WORD $SOURCE_DATE_EPOCH\" > /word && cat /bin/notes > /notes");
        string digest = await PushAsync(build: ["--build-arg", "WORD=a b=c", "--label", "made=here", "--epoch", "1234567890",
            "--no-rule", "pip-cache"]);
        await ForgetBuilderAsync();
        // The branch went on since.
        await File.WriteAllTextAsync(_project.At("root/bin/notes"), "changed since\n");
        await _project.CommitAsync("second");

        var again = await ReproduceAsync(0, $"{Reference}@{digest}");
        var report = JsonDocument.Parse(again.Output).RootElement;
        Assert.True(report.GetProperty("reproduced").GetBoolean(), again.ToString());
        Assert.Equal("builder", report.GetProperty("signer").GetString());
        Assert.Contains("services", (await _project.GitAsync("rev-parse", "--show-prefix")).Trim(), StringComparison.Ordinal);
        Assert.Contains("/checkout", report.GetProperty("sources").GetString()!, StringComparison.Ordinal);
        // By its tag, now that it is here; the checkout at hand has the commit.
        var near = await _other.ExpectAsync(0, "-C", _project.Directory, "-o", "json", "reproduce", $"{Reference}:1");
        Assert.DoesNotContain(" of ", JsonDocument.Parse(near.Output).RootElement.GetProperty("sources").GetString()!,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task ProvenanceThatNamesAnotherCommitIsFoundOutWithLayerAndFile()
    {
        await CommittedAsync("RUN true");
        await BuildAsync();
        await File.WriteAllTextAsync(_project.At("root/bin/notes"), "tampered with\n");
        await _project.CommitAsync("second");
        Lie("commit", (await _project.GitAsync("rev-parse", "HEAD")).Trim());
        string digest = await PushAsync();
        await ForgetBuilderAsync();

        var again = await ReproduceAsync(1, $"{Reference}@{digest}");
        var difference = Assert.Single(JsonDocument.Parse(again.Output).RootElement.GetProperty("differences").EnumerateArray());
        Assert.Equal("bin/notes", difference.GetProperty("path").GetString());
        Assert.StartsWith("sha256:", difference.GetProperty("layer").GetString(), StringComparison.Ordinal);
        Assert.StartsWith("COPY root/ /", difference.GetProperty("instruction").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ProvenanceOfAnUnknownKeyIsRefusedAndMissingProvenanceSaid()
    {
        await CommittedAsync("RUN true");
        string digest = await PushAsync();
        var refused = await _other.ExpectAsync(1, "-C", _directory.At("nowhere"), "reproduce", $"{Reference}@{digest}");
        Assert.Contains("is not trusted", refused.Error + refused.Output, StringComparison.Ordinal);
        Assert.Contains("keys trust", refused.Error + refused.Output, StringComparison.Ordinal);

        await _builder.ExpectAsync(0, "-C", _project.Directory, "push", "again/app", $"{_registry.Host}/bare/app:1", "--no-evidence");
        var third = new IngotProgram(_directory.At("other/third"), server: null);
        var missing = await third.ExpectAsync(2, "-C", _directory.At("nowhere"), "reproduce", $"{_registry.Host}/bare/app@{digest}");
        Assert.Contains("nothing says how", missing.Error + missing.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatProvenanceLacksIsSaid()
    {
        await CommittedAsync("RUN --mount=type=secret,id=token cat /run/secrets/token > /dev/null && echo done > /done");
        await File.WriteAllTextAsync(_directory.At("token"), "a-secret-of-this-test");
        string digest = await PushAsync(build: ["--secret", $"id=token,src={_directory.At("token")}"]);
        await File.WriteAllTextAsync(_project.At("root/bin/notes"), "not committed\n");
        string dirty = await PushAsync(tag: "2", build: ["--secret", $"id=token,src={_directory.At("token")}"]);
        await ForgetBuilderAsync();

        var lacking = await ReproduceAsync(2, $"{Reference}@{digest}");
        Assert.Contains("--secret id=token,src=FILE", lacking.Error + lacking.Output, StringComparison.Ordinal);
        await ReproduceAsync(0, $"{Reference}@{digest}", "--secret", $"id=token,src={_directory.At("token")}");
        var modified = await ReproduceAsync(2, $"{Reference}@{dirty}");
        Assert.Contains("made from a modified tree, which nobody can repeat", modified.Error + modified.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABuildThatWasCommittedSinceIsOfTheCommitWhenItIsSaidAgain()
    {
        await CommittedAsync("RUN true");
        await File.WriteAllTextAsync(_project.At("root/bin/notes"), "not committed yet\n");
        // Files that changed just now are looked at again in any case.
        await Task.Delay(1500, TestContext.Current.CancellationToken);
        string first = await BuildHereAsync();
        Assert.Equal(first, await BuildHereAsync());
        await _project.CommitAsync("second");
        Assert.Equal(first, await BuildHereAsync());
        string recipe = await File.ReadAllTextAsync(Directory.EnumerateFiles(_directory.At("builder/recipes")).Single(),
            TestContext.Current.CancellationToken);
        Assert.Contains((await _project.GitAsync("rev-parse", "HEAD")).Trim(), recipe, StringComparison.Ordinal);
        Assert.Contains("\"dirty\":false", recipe, StringComparison.Ordinal);
    }

    // The same words as before, in the directory itself; the image's line without what was cached.
    private async Task<string> BuildHereAsync()
    {
        var built = await CommandRunner.TryRunAsync(
            new Command(IngotProgram.Path, "build", "app")
            {
                Directory = _project.Directory,
                Environment = new Dictionary<string, string> { ["INGOT_HOME"] = _directory.At("builder"), ["NO_COLOR"] = "1" },
            },
            onLine: null,
            TestContext.Current.CancellationToken);
        Assert.Equal(0, built.ExitCode);
        return (built.Output + built.Tail).Split('\n').First(l => l.Contains("app is sha256:", StringComparison.Ordinal)).Split('(')[0];
    }

    private async Task CommittedAsync(string instruction)
    {
        await _project.WriteAsync(instruction);
        await _project.GitAsync("init", "-q", _directory.At("checkout"));
        await _project.GitAsync("config", "remote.origin.url", ServeRepository());
        await _project.CommitAsync("first");
    }

    // A directory of this host would not be fetched from: a repository may name any.
    private string ServeRepository()
    {
        int port;
        using (var free = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0))
        {
            free.Start();
            port = ((System.Net.IPEndPoint)free.LocalEndpoint).Port;
        }

        _daemon = System.Diagnostics.Process.Start(
            "git", ["daemon", "--listen=127.0.0.1", $"--port={port}", "--export-all", "--reuseaddr", "--base-path=" + _directory.Root,
                _directory.At("checkout")]);
        return $"git://127.0.0.1:{port}/checkout";
    }

    private async Task<string> BuildAsync(params string[] options)
    {
        var built = await _builder.ExpectAsync(0, ["-C", _project.Directory, "-o", "json", "build", "app", .. options]);
        return JsonDocument.Parse(built.Output).RootElement.GetProperty("images")[0].GetProperty("digest").GetString()!;
    }

    private async Task<string> PushAsync(string tag = "1", params string[] build)
    {
        string digest = Directory.Exists(_directory.At("builder/recipes")) && build.Length == 0 ? "" : await BuildAsync(build);
        var pushed = await _builder.ExpectAsync(0, "-C", _project.Directory, "-o", "json", "push", "again/app", $"{Reference}:{tag}");
        Assert.Contains("sign ", pushed.Error, StringComparison.Ordinal);
        string sent = JsonDocument.Parse(pushed.Output).RootElement.GetProperty("digest").GetString()!;
        Assert.True(digest.Length == 0 || digest == sent);
        return sent;
    }

    // Only the registry is left, and the public key.
    private async Task ForgetBuilderAsync()
    {
        var key = await _builder.ExpectAsync(0, "keys", "export", "--public");
        await File.WriteAllTextAsync(_directory.At("builder.pub"), key.Output);
        await _other.ExpectAsync(0, "keys", "trust", "builder", _directory.At("builder.pub"), "--role", "builder");
        using var remove = System.Diagnostics.Process.Start("rm", ["-rf", _directory.At("builder")]);
        await remove.WaitForExitAsync();
    }

    private Task<Ended> ReproduceAsync(int exitCode, string image, params string[] options) =>
        _other.ExpectAsync(exitCode, ["-C", _directory.At("nowhere"), "-o", "json", "reproduce", image, .. options]);

    private void Lie(string name, string value)
    {
        string recipe = Directory.EnumerateFiles(_directory.At("builder/recipes")).Single();
        var document = JsonNode.Parse(File.ReadAllBytes(recipe))!;
        document[name] = value;
        File.WriteAllText(recipe, document.ToJsonString());
    }
}
