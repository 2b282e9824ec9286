using System.Globalization;
using System.Text;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Erofs;
using Ingot.Oci.Tar;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.SystemTests.Oci;

/// <summary>Images of layers, mounted by the kernel, against the same layers unpacked.</summary>
public sealed class ErofsTests : IDisposable
{
    private const int DirectoryMode = 0b111_101_101;
    private const string Layers = "index=off,metacopy=off,redirect_dir=off";

    private readonly TemporaryDirectory _directory = new();
    private int _layers;

    /// <summary>Why these tests cannot run here; null when they can.</summary>
    private static string? Missing { get; } =
        !LinuxTree.IsRoot ? LinuxTree.NeedsRoot
        : !System.IO.File.ReadAllText("/proc/filesystems").Contains("\terofs\n",
            StringComparison.Ordinal) ? "needs a kernel with EROFS (modprobe erofs)"
        : null;

    public void Dispose()
    {
        foreach (string mount in Mounts.Below(_directory.Root))
            Mounts.Detach(mount);
        _directory.Dispose();
    }

    [Fact]
    public async Task AMountedLayerIsTheUnpackedOne()
    {
        SkipIfMissing();
        for (int seed = 0; seed < 20; seed++)
        {
            var (tar, index) = RandomLayer.Make(new Random(seed));
            string mounted = Mount(tar, index), unpacked = await UnpackAsync(tar);
            Assert.Equal(await DescribeAsync(unpacked), await DescribeAsync(mounted));
            Mounts.Detach(mounted);
        }
    }

    [Fact]
    public async Task MountedLayersStackAsUnpackedOnes()
    {
        SkipIfMissing();
        for (int seed = 0; seed < 12; seed++)
        {
            var random = new Random(seed);
            var (below, belowIndex) = RandomLayer.Make(random);
            var (above, aboveIndex) = RandomLayer.Make(random);
            string lower = Mount(below, belowIndex), upper = Mount(above, aboveIndex, lower);
            string unpackedLower = await UnpackAsync(below), unpackedUpper = await UnpackAsync(above, unpackedLower);
            string mounted = await StackAsync($"lowerdir={upper}:{lower}"),
                unpacked = await StackAsync($"lowerdir={unpackedUpper}:{unpackedLower}");
            Assert.Equal(await DescribeAsync(unpacked), await DescribeAsync(mounted));
            foreach (string mount in (string[])[mounted, unpacked, upper, lower])
                Mounts.Detach(mount);
        }
    }

    // What a build step does, over both: the difference it leaves is the same layer.
    [Fact]
    public async Task AStepOverMountedLayersLeavesTheSameDifference()
    {
        SkipIfMissing();
        byte[] tar = await TarAsync(
            Directory("d"), File("d/changed", 700), File("d/deleted", 10), File("d/moded", 5000), File("d/linked", 1),
            Directory("d/replaced"), File("d/replaced/x", 3),
            File("d/renamed", 100_000), Link("d/link", "changed"), Directory("gone"), File("gone/x", 1), HardLink("d/other", "d/linked"));
        var index = await LayerReader.IndexAsync(new MemoryStream(tar));
        var differences = new List<string>();
        foreach (string lower in (string[])[Mount(tar, index), await UnpackAsync(tar)])
        {
            string root = _directory.Make($"step{_layers++}"), upper = _directory.Make(root, "upper"), work = _directory.Make(root, "work");
            string merged = await StackAsync($"lowerdir={lower},upperdir={upper},workdir={work}");
            await LinuxTree.MakeAsync(merged, """
                echo more >> d/link
                rm d/deleted
                chmod 4711 d/moded
                ln d/linked d/again
                rm -r d/replaced gone && mkdir d/replaced && echo new > d/replaced/y
                mv d/renamed d/name
                chown -h 5:6 d/link
                find . -exec touch -h -d @1000 {} +
                """);
            await using var writer = LayerWriter.HashOnly();
            await DirectoryLayer.WriteAsync(writer, upper, new DirectoryLayerOptions { Form = DirectoryForm.OverlayUpper });
            var layer = await writer.FinishAsync();
            differences.Add(
                $"{layer.DiffId} {string.Join(' ', layer.Index.Files.Select(file => file.Path).Concat(layer.Index.Whiteouts))}");
        }

        Assert.Equal(differences[1], differences[0]);
    }

    [Fact]
    public async Task SetIdProgramsOfAMountedLayerKeepTheirRights()
    {
        SkipIfMissing();
        byte[] program = await System.IO.File.ReadAllBytesAsync("/usr/bin/id");
        byte[] tar = await TarAsync((
            new TarEntry { Path = "id", Type = TarEntryType.File, Mode = 0b100_111_101_101, Size = program.Length }, program));
        string lower = Mount(tar, await LayerReader.IndexAsync(new MemoryStream(tar))), root = _directory.Make("step"),
            upper = _directory.Make(root, "upper"), work = _directory.Make(root, "work");
        string merged = await StackAsync($"lowerdir={lower},upperdir={upper},workdir={work}");
        await LinuxTree.RunAsync(_directory.Root, "chmod", "755", _directory.Root);
        Assert.Equal("0\n",
            await LinuxTree.RunAsync("/", "setpriv", "--reuid", "65534", "--clear-groups", "--", Path.Combine(merged, "id"), "-u"));
    }

    [Fact]
    public async Task ADirectoryOfManyNamesAnswersToEachOfThem()
    {
        SkipIfMissing();
        var names = Enumerable.Range(0, 30_000).Select(i => $"{i * 7919L % 30_011}{new string('n', i % 70)}")
            .Concat([new string('x', 255), "!", "-", ".x", "..y"]).Select(name => "d/" + name).ToList();
        var index = new LayerIndex(
            names.Select((name, i) =>
                new FileRecord(new TarEntry { Path = name, Type = TarEntryType.Fifo, UserId = i }, Digest: null, 0, 0)),
            []);
        string mounted = Mount([], index);
        string listed = await LinuxTree.RunAsync(mounted, "find", ".", "-type", "p", "-printf", "%P %U\n");
        Assert.Equal(names.Select((name, i) => $"{name} {i}").Order(StringComparer.Ordinal),
            listed.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal));
        Assert.False(System.IO.File.Exists(Path.Combine(mounted, "d/nothing")));
    }

    [Fact]
    public async Task AttributesLinksAndPathsMayBeAsLongAsTheKernelAllows()
    {
        SkipIfMissing();
        byte[] value = [.. Enumerable.Range(0, 65_535).Select(i => (byte)(i * 7))], small = [1, 2, 3];
        var attributes = new SortedDictionary<string, byte[]>(StringComparer.Ordinal)
        {
            ["user.a"] = small,
            ["user.large"] = value,
            ["user." + new string('n', 250)] = small,
        };
        string deep = string.Join('/', Enumerable.Repeat("d", 1500)), text = new('t', 4095);
        (TarEntry Entry, byte[] Content)[] entries = [File("attributed", 1000), Link("link", text), File(deep, 3)];
        entries[0].Entry = entries[0].Entry with { ExtendedAttributes = attributes };
        byte[] tar = await TarAsync(entries);
        string mounted = Mount(tar, await LayerReader.IndexAsync(new MemoryStream(tar)));
        string file = Path.Combine(mounted, "attributed");
        Assert.Equal(small, LinuxTree.GetAttribute(file, "user.a"));
        Assert.Equal(small, LinuxTree.GetAttribute(file, "user." + new string('n', 250)));
        Assert.Equal(value, LinuxTree.GetAttribute(file, "user.large", value.Length));
        Assert.Null(LinuxTree.GetAttribute(file, "user.b"));
        Assert.Equal(entries[0].Content, await System.IO.File.ReadAllBytesAsync(file));
        Assert.Equal(text, new FileInfo(Path.Combine(mounted, "link")).LinkTarget);
        Assert.Equal(3, new FileInfo(Path.Combine(mounted, deep)).Length);
    }

    // A hole before it: the file is 2 TiB long and holds a few blocks.
    [Fact]
    public async Task AContentMayLieFarBackInADevice()
    {
        SkipIfMissing();
        string device = _directory.At("device"), other = _directory.At("other");
        long[] offsets = [0, (4L << 30) - 512, 4L << 30, 1L << 40];
        await using (var output = System.IO.File.Create(device))
        {
            foreach (long offset in offsets)
            {
                output.Position = offset;
                await output.WriteAsync(Encoding.ASCII.GetBytes($"at {offset}"));
            }
        }

        // As archives are padded; the block of the last content is the last one of the device.
        using (var output = System.IO.File.OpenHandle(device, FileMode.Open, FileAccess.Write))
            RandomAccess.SetLength(output, offsets[^1] + 512);
        await System.IO.File.WriteAllTextAsync(other, "in the other".PadRight(512));
        var index = new LayerIndex(
            [.. offsets.Select(offset => Record($"{offset}", $"at {offset}".Length, offset)), Record("other", 12, 0),
                Record("large", (1L << 40) + 4, 0)], []);
        string image = _directory.At("image"), mounted = _directory.Make("mounted");
        await using (var output = System.IO.File.Create(image))
            ErofsImage.Write(output, index, [new ErofsDevice(new FileInfo(device).Length), new ErofsDevice(512)],
                new ErofsOptions { PlaceOf = file => new ErofsPlace(file.Path == "other" ? 2 : 1, file.Offset) });
        Mounts.Erofs(image, [device, other], mounted);
        foreach (long offset in offsets)
            Assert.Equal($"at {offset}", await System.IO.File.ReadAllTextAsync(Path.Combine(mounted, $"{offset}")));
        Assert.Equal("in the other", await System.IO.File.ReadAllTextAsync(Path.Combine(mounted, "other")));
        await using var large = System.IO.File.OpenRead(Path.Combine(mounted, "large"));
        large.Position = 1L << 40;
        byte[] end = new byte[10];
        Assert.Equal("at 1", Encoding.ASCII.GetString(end, 0, await large.ReadAtLeastAsync(end, 10, throwOnEndOfStream: false)));
    }

    [Fact]
    public void WhatIsNoImageIsNotMounted()
    {
        SkipIfMissing();
        string tar = _directory.At("tar"), image = _directory.At("image"), target = _directory.Make("mounted");
        System.IO.File.WriteAllBytes(tar, new byte[1024]);
        System.IO.File.WriteAllBytes(image, new byte[4096]);
        Assert.Throws<ToolException>(() => Mounts.Erofs(image, [tar], target));
        using (var output = System.IO.File.Create(image))
            ErofsImage.Write(output, new LayerIndex([], []), [new ErofsDevice(1024)]);
        Assert.Throws<ToolException>(() => Mounts.Erofs(image, [tar, tar], target));
        Assert.Throws<ToolException>(() => Mounts.Erofs(image, [_directory.At("nothing")], target));
        Assert.Throws<ToolException>(() => Mounts.Erofs(image, [tar + ",device=" + tar], target));
        Mounts.Erofs(image, [tar], target);
        Assert.Equal([target], Mounts.Below(_directory.Root));
        Mounts.Detach(target);
        Assert.Throws<ToolException>(() => Mounts.Detach(target));

        // One byte of the superblock is another: its checksum tells.
        byte[] bytes = System.IO.File.ReadAllBytes(image);
        bytes[1024 + 60] ^= 1;
        System.IO.File.WriteAllBytes(image, bytes);
        Assert.Throws<ToolException>(() => Mounts.Erofs(image, [tar], target));
    }

    private static void SkipIfMissing() => Assert.SkipUnless(Missing is null, Missing ?? "");

    private static FileRecord Record(string path, long size, long offset) =>
        new(new TarEntry { Path = path, Type = TarEntryType.File, Size = size, Mode = DirectoryMode }, Digest: null, size, offset);

    private static (TarEntry Entry, byte[] Content) File(string path, int size)
    {
        byte[] content = new byte[size];
        new Random(size).NextBytes(content);
        return (new TarEntry { Path = path, Type = TarEntryType.File, Mode = DirectoryMode, Size = size }, content);
    }

    private static (TarEntry Entry, byte[] Content) Directory(string path) =>
        (new TarEntry { Path = path, Type = TarEntryType.Directory, Mode = DirectoryMode }, []);

    private static (TarEntry Entry, byte[] Content) Link(string path, string text) =>
        (new TarEntry { Path = path, Type = TarEntryType.SymbolicLink, LinkTarget = text }, []);

    private static (TarEntry Entry, byte[] Content) HardLink(string path, string target) =>
        (new TarEntry { Path = path, Type = TarEntryType.HardLink, LinkTarget = target }, []);

    private static async Task<byte[]> TarAsync(params (TarEntry Entry, byte[] Content)[] entries)
    {
        var output = new MemoryStream();
        var writer = new TarWriter(output, leaveOpen: true);
        foreach (var (entry, content) in entries)
            await writer.WriteAsync(entry, content);
        await writer.CompleteAsync();
        return output.ToArray();
    }

    private string Mount(byte[] tar, LayerIndex index, params string[] lower)
    {
        string root = _directory.Make($"mounted{_layers++}"), archive = Path.Combine(root, "tar"), image = Path.Combine(root, "image"),
            target = _directory.Make(root, "root");
        System.IO.File.WriteAllBytes(archive, tar);
        using (var output = System.IO.File.Create(image))
            ErofsImage.Write(output, index, [new ErofsDevice(tar.Length)], new ErofsOptions { LowerDirectories = lower });
        Mounts.Erofs(image, [archive], target);
        return target;
    }

    private async Task<string> UnpackAsync(byte[] tar, params string[] lower)
    {
        string target = _directory.Make($"unpacked{_layers++}");
        await LayerExtractor.ExtractAsync(new MemoryStream(tar), target,
            new ExtractOptions { Whiteouts = WhiteoutForm.Overlay, LowerDirectories = lower });
        return target;
    }

    private async Task<string> StackAsync(string options)
    {
        string target = _directory.Make($"stack{_layers++}");
        // An overlay wants two layers, or one to write into.
        string bottom = options.Contains("upperdir", StringComparison.Ordinal) ? "" : ":" + _directory.Make("bottom");
        await LinuxTree.RunAsync(_directory.Root, "mount", "-t", "overlay", "overlay", "-o", $"{options}{bottom},{Layers}", target);
        return target;
    }

    // Everything that can be seen: the list that all tests of layers compare, times to the nanosecond, contents, attributes.
    private static async Task<string> DescribeAsync(string root)
    {
        const string Details = "find . -mindepth 1 -not -type c -printf '%T@ ' -print0 | tr '\\0' '\\n' | sort; find . "
            + "-type f -print0 | sort -z | xargs -0r sha256sum --";
        string list = await LinuxTree.ListAsync(root), details = await LinuxTree.RunAsync(root, "env", "LC_ALL=C", "sh", "-euc", Details);
        var attributes = new StringBuilder();
        string paths = await LinuxTree.RunAsync(root, "find", root, "-regex", "[ -~]*", "-print0");
        foreach (string path in paths.Split('\0').Order(StringComparer.Ordinal))
        {
            if (LinuxTree.GetAttribute(path, "user.a") is { } value)
                attributes.Append(CultureInfo.InvariantCulture, $"{path[root.Length..]} {Convert.ToHexString(value)}\n");
        }

        return $"{list}\n{details}\n{attributes}";
    }
}
