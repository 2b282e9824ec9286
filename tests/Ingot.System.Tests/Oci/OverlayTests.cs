using FsCheck;
using FsCheck.Fluent;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Tar;
using Ingot.Testing;

namespace Ingot.SystemTests.Oci;

/// <summary>Layers against the overlay file system of the kernel.</summary>
public sealed class OverlayTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private int _run;

    public void Dispose() => _directory.Dispose();

    // Two layers stacked by the kernel show what applying them one after the other leaves.
    [Fact]
    public void StackedLayersShowWhatAppliedLayersAre()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        var layer = Gen.Choose(0, int.MaxValue).Select(seed => MakeLayer(new Random(seed)));
        Prop.ForAll(Arb.From(layer.Zip(layer)), async layers =>
        {
            string root = _directory.Make($"{_run++}"), applied = _directory.Make(root, "applied"), lower = _directory.Make(root, "lower"),
                upper = _directory.Make(root, "upper"), merged = _directory.Make(root, "merged");
            var overlay = new ExtractOptions { Whiteouts = WhiteoutForm.Overlay };
            await ExtractAsync(layers.Item1, applied, new ExtractOptions());
            await ExtractAsync(layers.Item2, applied, new ExtractOptions());
            await ExtractAsync(layers.Item1, lower, overlay);
            await ExtractAsync(layers.Item2, upper, overlay with { LowerDirectories = [lower] });
            await LinuxTree.RunAsync(root, "mount", "-t", "overlay", "overlay", "-o", $"lowerdir={upper}:{lower}", merged);
            try
            {
                Assert.Equal(await LinuxTree.ListAsync(applied), await LinuxTree.ListAsync(merged));
            }
            finally
            {
                await LinuxTree.RunAsync(root, "umount", merged);
            }
        }).Holds(60);
    }

    // What programs did to a mounted root file system, taken from the upper directory and applied elsewhere, is what they saw.
    [Fact]
    public void AnUpperDirectoryHoldsWhatWasDone()
    {
        Assert.SkipUnless(LinuxTree.IsRoot, LinuxTree.NeedsRoot);
        Prop.ForAll(Arb.From(Gen.Choose(0, int.MaxValue)), async seed =>
        {
            var random = new Random(seed);
            string root = _directory.Make($"{_run++}"), lower = _directory.Make(root, "lower"), upper = _directory.Make(root, "upper"),
                work = _directory.Make(root, "work"), merged = _directory.Make(root, "merged"), applied = _directory.Make(root, "applied");
            var below = MakeLayer(random);
            await ExtractAsync(below, lower, new ExtractOptions());
            await ExtractAsync(below, applied, new ExtractOptions());
            await LinuxTree.RunAsync(root, "mount", "-t", "overlay", "overlay", "-o",
                $"lowerdir={lower},upperdir={upper},workdir={work},redirect_dir=off,metacopy=off", merged);
            string seen;
            try
            {
                // Some steps make no sense where they are; one that waits for the other end of a pipe is cut off.
                foreach (string step in Enumerable.Range(0, 12).Select(_ => Step(random)))
                    await LinuxTree.MakeAsync(merged, $"timeout -k 1 5 sh -c '{step}' 2>/dev/null || true");
                // Whole seconds, as layers have them.
                await LinuxTree.MakeAsync(merged, "find . -exec touch -h -d @1000 {} +");
                seen = await LinuxTree.ListAsync(merged);
            }
            finally
            {
                await LinuxTree.RunAsync(root, "umount", merged);
            }

            var store = new MemoryStore();
            await using var writer = await LayerWriter.BeginAsync(store, LayerCompression.Zstandard);
            await DirectoryLayer.WriteAsync(writer, upper, new DirectoryLayerOptions { Form = DirectoryForm.OverlayUpper });
            var layer = await writer.FinishAsync();
            await LayerExtractor.ExtractAsync(store, layer.Blob!, layer.DiffId, applied, new ExtractOptions());
            Assert.Equal(seen, await LinuxTree.ListAsync(applied));
        }).Holds(25);
    }

    private static async Task ExtractAsync(byte[] tar, string directory, ExtractOptions options) =>
        await LayerExtractor.ExtractAsync(new MemoryStream(tar), directory, options);

    private static string Step(Random random)
    {
        string Path() => string.Join('/', Enumerable.Range(0, random.Next(1, 4)).Select(_ => "abc"[random.Next(3)]));
        string a = Path(), b = Path();
        return random.Next(10) switch
        {
            0 => $"rm -rf {a}",
            1 => $"rm -rf {a} && mkdir -p {a}",
            2 => $"mkdir -p {a} && echo new > {a}/f",
            3 => $"test -p {a} || echo more >> {a}",
            4 => $"chmod 4711 {a}",
            5 => $"mv {a} {b}",
            6 => $"ln {a} {b}",
            7 => $"rm -rf {a} && ln -s ../{b} {a}",
            8 => $"cp -a --remove-destination {a} {b}",
            _ => $"chown 5:6 {a}",
        };
    }

    // A layer that is consistent in itself: nothing lies below what is no directory.
    private static byte[] MakeLayer(Random random)
    {
        var entries = new Dictionary<string, TarEntryType>();
        var output = new MemoryStream();
        var writer = new TarWriter(output, leaveOpen: true);
        void Add(TarEntry entry, byte[] content) => writer.WriteAsync(
            entry with { Size = content.Length, ModifiedTime = DateTimeOffset.FromUnixTimeSeconds(random.Next(900)) }, content)
            .GetAwaiter()
            .GetResult();
        for (int i = random.Next(12); i > 0; i--)
        {
            string directory = string.Join('/', Enumerable.Range(0, random.Next(0, 3)).Select(_ => "abc"[random.Next(3)]));
            string name = "abc"[random.Next(3)].ToString(), path = TarPath.Join(directory, name);
            if (!Ancestors(path).All(parent => entries.GetValueOrDefault(parent, TarEntryType.Directory) == TarEntryType.Directory)
                || entries.ContainsKey(path))
                continue;

            foreach (string parent in Ancestors(path))
                entries.TryAdd(parent, TarEntryType.Directory);
            int kind = random.Next(7);
            if (kind is 5 or 6)
            {
                string whiteout = kind == 5 || directory.Length == 0 ? Whiteout.For(path) : TarPath.Join(directory, Whiteout.Opaque);
                if (entries.TryAdd(whiteout, TarEntryType.File))
                    Add(new TarEntry { Path = whiteout, Type = TarEntryType.File }, []);
                continue;
            }

            entries[path] = kind switch
            {
                0 or 1 => TarEntryType.File,
                2 => TarEntryType.SymbolicLink,
                3 => TarEntryType.Fifo,
                _ => TarEntryType.Directory,
            };
            byte[] content = entries[path] == TarEntryType.File ? [.. Enumerable.Repeat((byte)'x', random.Next(5))] : [];
            Add(
                new TarEntry
                {
                    Path = path,
                    Type = entries[path],
                    Mode = 0b111_101_101,
                    UserId = random.Next(3),
                    LinkTarget = entries[path] == TarEntryType.SymbolicLink ? "../b" : null,
                },
                content);
        }

        writer.CompleteAsync().GetAwaiter().GetResult();
        return output.ToArray();
    }

    private static IEnumerable<string> Ancestors(string path)
    {
        for (string parent = TarPath.Parent(path); parent.Length > 0; parent = TarPath.Parent(parent))
            yield return parent;
    }
}
