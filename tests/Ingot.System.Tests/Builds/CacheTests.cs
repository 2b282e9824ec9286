using System.Text.Json;
using Ingot.SystemTests.Evidence;
using Ingot.SystemTests.Images;
using Ingot.SystemTests.Shop;
using Ingot.Testing;

namespace Ingot.SystemTests.Builds;

/// <summary>The cache of builds, as people use it: explained, pruned, shared.</summary>
public sealed class CacheTests : IDisposable
{
    private const string Dockerfile = """
        FROM scratch AS tools
        COPY root/ /
        RUN --mount=type=cache,id=log,target=/cache echo built >> /cache/log && mkdir /made && wc -l < /cache/log > /made/count
        FROM scratch
        COPY root/ /
        COPY --from=tools /bin/notes /notes
        COPY app/ /app/
        RUN cat /app/main > /result
        """;

    private readonly TemporaryDirectory _directory = new();
    private readonly IngotProgram _ingot;
    private readonly IngotProgram _fresh;

    public CacheTests()
    {
        _ingot = new IngotProgram(_directory.At("home"), server: null);
        _fresh = new IngotProgram(_directory.At("fresh"), server: null);
    }

    public void Dispose()
    {
        // Snapshots have modes of their own.
        using var remove = System.Diagnostics.Process.Start("rm",
            ["-rf", _directory.At("home"), _directory.At("fresh"), _directory.At("project")]);
        remove.WaitForExit();
        _directory.Dispose();
    }

    [Fact]
    public async Task ABuildIsExplainedStepByStep()
    {
        await ProjectAsync();
        await _ingot.ExpectAsync(0, Build());
        await WriteAsync("app/main", "changed");
        await WriteAsync("app/new", "new");
        File.Delete(_directory.At("project/app/old"));

        var steps = (await JsonAsync(_ingot, "--explain")).GetProperty("steps").EnumerateArray().ToList();
        Assert.Equal([true, true, true, true, false, false], steps.Select(s => s.GetProperty("cached").GetBoolean()));
        Assert.Equal(5, steps.Count(s => s.GetProperty("made").ValueKind != JsonValueKind.Null));
        var files = steps[4].GetProperty("changes").EnumerateArray().ToDictionary(c => c.GetProperty("name").GetString()!);
        Assert.Equal(["app/main", "app/new", "app/old"], files.Keys.Order(StringComparer.Ordinal));
        Assert.StartsWith("sha256:", files["app/main"].GetProperty("before").GetString(), StringComparison.Ordinal);
        Assert.NotEqual(files["app/main"].GetProperty("before").GetString(), files["app/main"].GetProperty("after").GetString());
        Assert.Equal("below", steps[5].GetProperty("changes")[0].GetProperty("input").GetString());

        string text = (await _ingot.ExpectAsync(0, [.. Build(), "--explain"])).Output;
        Assert.Equal(6, text.Split("    in the cache").Length - 1);
    }

    [Fact]
    public async Task AFreshHostMakesNothingThatIsUnchanged()
    {
        Assert.SkipUnless(ForeignRegistry.Missing is null, ForeignRegistry.Missing ?? "");
        await ProjectAsync();
        await using var registry = await ForeignRegistry.StartAsync(_directory.At("registry"));
        string place = $"{registry.Name}/shop:cache";
        var first = await JsonAsync(_ingot, "--cache-from", place, "--cache-to", place + ",mounts=true");

        var second = await JsonAsync(_fresh, "--cache-from", place);
        Assert.Equal(Digest(first), Digest(second));
        Assert.Equal((6, 6), Steps(second));
        // Of the stage that is in no image nothing was fetched but what the records say.
        Assert.Equal(4 + 2, Directory.EnumerateFiles(_directory.At("fresh/content/blobs/sha256")).Count());
        Assert.Empty(Directory.EnumerateFileSystemEntries(_directory.At("fresh/cache/snapshots")));

        await WriteAsync("app/main", "changed");
        var third = await JsonAsync(_fresh, "--cache-from", place);
        Assert.Equal((6, 4), Steps(third));
        // Nothing new: nothing is sent.
        var again = await _ingot.ExpectAsync(0, [.. Build(), "--cache-to", place]);
        Assert.Contains("2 blobs were new", again.Output, StringComparison.Ordinal);
        again = await _ingot.ExpectAsync(0, [.. Build(), "--cache-to", place]);
        Assert.Contains("0 blobs were new", again.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ACacheThatLiesIsLeftOutAndTheImageIsRight()
    {
        await ProjectAsync();
        string shared = _directory.At("shared");
        var first = await JsonAsync(_ingot, "--cache-to", "dir:" + shared);
        foreach (var blob in Directory.EnumerateFiles(Path.Combine(shared, "blobs/sha256")))
        {
            byte[] bytes = await File.ReadAllBytesAsync(blob);
            if (bytes[0] == '{')
                continue;
            bytes[^9] ^= 1;
            await File.WriteAllBytesAsync(blob, bytes);
        }

        var ended = await _fresh.ExpectAsync(0, ["-C", _directory.At("project"), "-o", "json", "build", "app", "--cache-from",
            "dir:" + shared, "--cache-from", "dir:" + _directory.At("none")]);
        Assert.Equal(Digest(first), Digest(JsonDocument.Parse(ended.Output).RootElement));
        Assert.Contains("the build goes on without that cache", ended.Error, StringComparison.Ordinal);
        Assert.Contains("there is no cache", ended.Error, StringComparison.Ordinal);
        await _fresh.ExpectAsync(0, ["images", "--verify"]);
        // Nothing that it said stays.
        var steps = (await JsonAsync(_fresh, "--explain")).GetProperty("steps").EnumerateArray();
        Assert.All(steps,
            s => Assert.True(s.GetProperty("cached").GetBoolean() && s.GetProperty("source").ValueKind == JsonValueKind.Null));
    }

    [Fact]
    public async Task CacheMountsGoAlongWhenAsked()
    {
        await ProjectAsync();
        string shared = "dir:" + _directory.At("shared");
        await _ingot.ExpectAsync(0, [.. Build(), "--target", "tools", "--cache-to", shared + ",mounts=true"]);
        await WriteAsync("root/bin/notes", "changed");
        await _fresh.ExpectAsync(0, [.. Build(), "--target", "tools", "--cache-from", shared]);
        string log = Directory.EnumerateFiles(_directory.At("fresh/cache/mounts"), "log", SearchOption.AllDirectories).Single();
        Assert.Equal(2, (await File.ReadAllLinesAsync(log, TestContext.Current.CancellationToken)).Length);
    }

    [Fact]
    public async Task APruneTakesNothingFromARunningBuildNorFromAnImage()
    {
        await ProjectAsync("RUN sleep 1 && cat /app/main > /result");
        await _ingot.ExpectAsync(0, Build());
        await WriteAsync("app/main", "changed");
        var build = _ingot.ExpectAsync(0, Build());
        while (!build.IsCompleted)
            await _ingot.ExpectAsync(0, ["prune", "--cache", "--all"]);
        await build;
        await _ingot.ExpectAsync(0, ["images", "--verify"]);

        var said =
            JsonDocument.Parse((await _ingot.ExpectAsync(0, ["-o", "json", "prune", "--cache", "--all", "--dry-run"])).Output).RootElement;
        var done = JsonDocument.Parse((await _ingot.ExpectAsync(0, ["-o", "json", "prune", "--cache", "--all"])).Output).RootElement;
        Assert.Equal(said.GetProperty("bytes").GetInt64(), done.GetProperty("bytes").GetInt64());
        await _ingot.ExpectAsync(0, ["images", "--verify"]);
        await _ingot.ExpectAsync(2, ["prune"]);
        await _ingot.ExpectAsync(2, ["prune", "--cache", "--keep-storage", "much"]);
        var rebuilt = await JsonAsync(_ingot);
        Assert.Equal((6, 0), Steps(rebuilt));
    }

    private IReadOnlyList<string> Build() => ["-C", _directory.At("project"), "build", "app"];

    private async Task<JsonElement> JsonAsync(IngotProgram program, params string[] options) =>
        JsonDocument.Parse((await program.ExpectAsync(0,
            ["-C", _directory.At("project"), "-o", "json", "build", "app", .. options])).Output).RootElement;

    private static string Digest(JsonElement report) => report.GetProperty("images")[0].GetProperty("digest").GetString()!;

    private static (int Total, int Cached) Steps(JsonElement report)
    {
        var steps = report.GetProperty("images")[0].GetProperty("steps");
        return (steps.GetProperty("total").GetInt32(), steps.GetProperty("cached").GetInt32());
    }

    private Task WriteAsync(string name, string text) => File.WriteAllTextAsync(_directory.At("project/" + name), text + "\n");

    private async Task ProjectAsync(string? last = null)
    {
        Assert.SkipUnless(LinuxTree.IsRoot, "needs root");
        using var busybox = await BusyboxRoot.CreateAsync();
        Assert.SkipWhen(busybox is null, "needs busybox-static: apt-get install busybox-static");
        string project = _directory.At("project");
        Directory.CreateDirectory(Path.Combine(project, "root/bin"));
        Directory.CreateDirectory(Path.Combine(project, "app"));
        File.Copy(Path.Combine(busybox.Location, "bin/busybox"), Path.Combine(project, "root/bin/busybox"));
        foreach (var name in (string[])["sh", "cat", "echo", "mkdir", "wc", "sleep"])
            File.CreateSymbolicLink(Path.Combine(project, "root/bin", name), "busybox");
        foreach (var name in (string[])["root/bin/notes", "app/main", "app/old"])
            await WriteAsync(name, name);
        string text = last is null ? Dockerfile : Dockerfile[..Dockerfile.LastIndexOf("RUN", StringComparison.Ordinal)] + last;
        await WriteAsync("Dockerfile", text);
        await WriteAsync("ingot.yaml", "ingot: 1\nproject: again\nimages:\n  app: { dockerfile: Dockerfile }");
        await WriteAsync(".dockerignore", "Dockerfile\ningot.yaml\ningot.lock");
    }
}
