using Ingot.Builds.Cache;
using Ingot.Builds.Layers;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.Tests.Builds.Layers;

/// <summary>Layers over one another, in whatever order and however often one is among them,
/// show a command what unpacking them one after the other gives.</summary>
public sealed class LayerStackTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly DirectoryStore _store;

    public LayerStackTests()
    {
        _store = new DirectoryStore(_directory.Make("store"));
        Directory.CreateDirectory(Cache(packed: true));
        Directory.CreateDirectory(Cache(packed: false));
    }

    public void Dispose() => System.Diagnostics.Process.Start("rm", ["-rf", _directory.Root]).WaitForExit();

    [Theory]
    [InlineData("f a", "f a")]
    [InlineData("f a", "f b", "f a")]
    [InlineData("f a", "w a", "f a", "w a", "f a")]
    [InlineData("", "f a", "", "f b", "")]
    [InlineData("d d 700;f d/x", "w d", "d d 700;f d/x")]
    [InlineData("d d;f d/x", "o d;f d/y", "d d;f d/x")]
    [InlineData("d d;o d;f d/x", "f d/y", "d d;o d;f d/x")]
    [InlineData("d d;f d/x", "f d", "d d;f d/x")]
    [InlineData("f d", "d d;f d/x", "f d", "d d;f d/x")]
    [InlineData("d d;f d/x", "w d/x", "f d/x", "w d/x")]
    [InlineData("f e/x", "f e/y", "f e/x", "w e/y", "f e/x")]
    [InlineData("l d e;d e;f e/x", "w d", "l d e;d e;f e/x")]
    public async Task RepeatedAndUndoneLayersAreWhatUnpackingThemGives(params string[] layers) => await CheckAsync(layers);

    [Fact]
    public async Task AnySequenceOfLayersIsWhatUnpackingThemGives()
    {
        for (int seed = 0; seed < 25; seed++)
        {
            var random = new Random(seed);
            string[] pool = [.. Enumerable.Range(0, 4).Select(_ => RandomText(random))];
            await CheckAsync([.. Enumerable.Range(0, random.Next(2, 8)).Select(_ => pool[random.Next(pool.Length)])]);
        }
    }

    private static string RandomText(Random random) => string.Join(';', ((string[])["a", "b", "c"]).SelectMany(name => random.Next(8) switch
    {
        0 => [$"f {name}"],
        1 => [$"w {name}"],
        2 => [$"d {name} 7{random.Next(8)}0", .. Inner(random, name)],
        3 => [$"d {name}", $"o {name}", .. Inner(random, name).Where(line => line[0] != 'w')],
        4 => Inner(random, name),
        _ => Array.Empty<string>(),
    }));

    private static IEnumerable<string> Inner(Random random, string directory) =>
        ((string[])["x", "y", "z"]).SelectMany(name => random.Next(5) switch
        {
            0 => [$"f {directory}/{name}"],
            1 => [$"w {directory}/{name}"],
            2 => [$"d {directory}/{name}", $"f {directory}/{name}/deep"],
            _ => Array.Empty<string>(),
        });

    private async Task CheckAsync(string[] texts)
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        var chain = LayerChain.Empty;
        string expected = _directory.Make($"applied{Guid.NewGuid():N}");
        foreach (string text in texts)
        {
            var layer = await WriteAsync(text);
            chain = chain.With(new ChainLayer(layer.DiffId, layer.Blob));
            await LayerExtractor.ExtractAsync(_store, layer.Blob!, layer.DiffId, expected,
                new ExtractOptions { Whiteouts = WhiteoutForm.Apply });
        }

        string list = await LinuxTree.ListAsync(expected, withTimes: false);
        foreach (bool packed in (bool[])[true, false])
            Assert.Equal($"{string.Join(" | ", texts)}\n{list}", $"{string.Join(" | ", texts)}\n{await MountedAsync(chain, packed)}");
    }

    private async Task<string> MountedAsync(LayerChain chain, bool packed)
    {
        await using var workspace = new Workspace(_directory.At("work"));
        await LayerMounts.AreSupportedAsync(Cache(packed), () => workspace.NewDirectory("trial"), CancellationToken.None);
        string answer = Path.Combine(Cache(packed), "mountable");
        if (!packed)
            await File.WriteAllTextAsync(answer, $"{(await File.ReadAllLinesAsync(answer))[0]}\nno: unpack\n");

        var snapshots = await new LayerCache(Cache(packed), _store).SnapshotsAsync(chain, workspace, CancellationToken.None);
        string step = workspace.NewDirectory("run");
        foreach (string name in (string[])["points", "upper", "work", "root"])
            Directory.CreateDirectory(Path.Combine(step, name));
        var stack = SnapshotStack.In(step, "l", snapshots);
        IReadOnlyList<Preparation> mounts = [.. stack.Images, new OverlayMount([.. stack.Names, "points"], "upper", "work", "root")];
        return await Mounts.SecludedAsync(step, mounts,
            () => LinuxTree.ListAsync(Path.Combine(step, "root"), withTimes: false).GetAwaiter().GetResult());
    }

    private async Task<Layer> WriteAsync(string text)
    {
        await using var writer = await LayerWriter.BeginAsync(_store, LayerCompression.Find("gzip")!);
        foreach (var (entry, content) in Tree.Entries(text))
            await writer.WriteAsync(entry, content);
        return await writer.FinishAsync();
    }

    private string Cache(bool packed) => _directory.At(packed ? "packed" : "unpacked");
}
