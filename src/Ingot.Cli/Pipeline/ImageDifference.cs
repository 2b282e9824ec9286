using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ingot.Cli.Output;
using Ingot.Evidence;
using Ingot.Evidence.Packages;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Tar;

namespace Ingot.Cli.Pipeline;

/// <summary>What <c>ingot diff</c> says: two images side by side, without unpacking them.</summary>
internal sealed class ImageDifference(IContentStore store, string work)
{
    private static readonly string[] s_databases =
    [
        "etc/passwd", "etc/group", "etc/os-release", "usr/lib/os-release", DpkgDatabase.StatusPath,
        "lib/apk/db/installed", "usr/lib/apk/db/installed", "var/lib/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite",
        "var/lib/pacman/local/ALPM_DB_VERSION",
    ];

    public async Task<DiffReport> CompareAsync(
        (string Name, Image Image) a, (string Name, Image Image) b, CancellationToken cancellationToken)
    {
        var before = await ReadAsync(a.Image, cancellationToken);
        var after = await ReadAsync(b.Image, cancellationToken);
        var files = TreeComparison.Compare(before.Tree, after.Tree).ToList();
        var changed = files.Where(f => f is { Before: not null, After: not null }).ToList();
        var settings = Settings(a.Image.Config, b.Image.Config);
        var (left, right) = (Side(a, before), Side(b, after));
        return new DiffReport(
            left,
            right,
            files.Count == 0 && settings.Count == 0,
            right.Size - left.Size,
            Packages(before.Packages, after.Packages),
            new FileChanges(
                [.. files.Where(f => f.Before is null).Select(f => Row(f.Path, f.After!))],
                [.. files.Where(f => f.After is null).Select(f => Row(f.Path, f.Before!))],
                [.. changed.Select(f => new ChangedFile(f.Path, f.IsContent, Row(f.Path, f.Before!), Row(f.Path, f.After!)))]),
            [.. files.Where(f => TreeComparison.IsSetId(f.After) && !TreeComparison.IsSetId(f.Before)).Select(f => f.Path)],
            [.. files
                .Where(f => f.IsCapability)
                .Select(f => new CapabilityChange(f.Path, TreeComparison.Capabilities(f.Before), TreeComparison.Capabilities(f.After)))],
            Accounts(before.Files, after.Files, "etc/passwd",
                line => line is [var name, _, var uid, var gid, ..] ? $"{name} ({uid}:{gid})" : null),
            Accounts(before.Files, after.Files, "etc/group", line => line is [var name, _, var gid, ..] ? $"{name} ({gid})" : null),
            settings);
    }

    private static DiffSide Side((string Name, Image Image) image, Known known) =>
        new(image.Name, image.Image.Digest, image.Image.Manifest.Layers.Sum(l => l.Size), image.Image.Manifest.Layers.Count,
            known.Tree.Walk().Count());

    private async Task<Known> ReadAsync(Image image, CancellationToken cancellationToken)
    {
        var tree = await MergedTree.ReadAsync(store, image, cancellationToken);
        var files = await FileSystemArchive.ReadFilesAsync(store, image, tree,
            path => s_databases.Contains(path) || path.StartsWith(DpkgDatabase.StatusDirectory + "/", StringComparison.Ordinal),
            cancellationToken);
        return new Known(tree, files, ReadPackages(files));
    }

    // The inventory reads a root filesystem: it is given one of the databases alone.
    private PackageInventory ReadPackages(IReadOnlyDictionary<string, byte[]> files)
    {
        Directory.CreateDirectory(work);
        string root = Directory.CreateTempSubdirectory("ingot-diff-").FullName;
        try
        {
            foreach (var (path, bytes) in files)
            {
                // A package may have any name, also one that is no file name here.
                string target = Path.GetFullPath(path, root);
                if (!target.StartsWith(root + "/", StringComparison.Ordinal))
                    continue;
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.WriteAllBytes(target, bytes);
            }

            using var image = new ImageRoot(root);
            return PackageInventory.Read(image);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    private static PackageChanges Packages(PackageInventory before, PackageInventory after)
    {
        static SortedDictionary<string, string> Versions(PackageInventory inventory)
        {
            var versions = new SortedDictionary<string, string>(StringComparer.Ordinal);
            foreach (var group in inventory.Packages.GroupBy(p => p.Name))
            {
                foreach (var package in group)
                    versions[group.Count() == 1 ? package.Name : $"{package.Name}:{package.Architecture}"] = package.Version;
            }

            return versions;
        }

        var (old, now) = (Versions(before), Versions(after));
        return new PackageChanges(
            [.. now.Where(p => !old.ContainsKey(p.Key)).Select(p => new PackageVersion(p.Key, p.Value))],
            [.. old.Where(p => !now.ContainsKey(p.Key)).Select(p => new PackageVersion(p.Key, p.Value))],
            [.. now
                .Where(p => old.TryGetValue(p.Key, out var version) && version != p.Value)
                .Select(p => new PackageUpgrade(p.Key, old[p.Key], p.Value))],
            [.. before.Unreadable.Union(after.Unreadable)]);
    }

    private static AccountChanges Accounts(
        IReadOnlyDictionary<string, byte[]> before, IReadOnlyDictionary<string, byte[]> after, string path, Func<string[], string?> read)
    {
        HashSet<string> Read(IReadOnlyDictionary<string, byte[]> files) =>
            files.TryGetValue(path, out var bytes)
                ? [.. Encoding.UTF8.GetString(bytes).Split('\n').Select(line => read(line.Split(':'))).OfType<string>()]
                : [];

        var (old, now) = (Read(before), Read(after));
        return new AccountChanges([.. now.Except(old).Order(StringComparer.Ordinal)], [.. old.Except(now).Order(StringComparer.Ordinal)]);
    }

    // Every leaf of the configuration but what follows from the layers: times, diff ids, history.
    private static List<SettingChange> Settings(ImageConfig before, ImageConfig after)
    {
        var (old, now) = (Leaves(before), Leaves(after));
        return
        [
            .. old.Keys.Union(now.Keys).Order(StringComparer.Ordinal)
                .Where(key => old.GetValueOrDefault(key) != now.GetValueOrDefault(key))
                .Select(key => new SettingChange(key, old.GetValueOrDefault(key), now.GetValueOrDefault(key))),
        ];
    }

    private static SortedDictionary<string, string> Leaves(ImageConfig config)
    {
        var leaves = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var document = JsonNode.Parse(ImageJson.Write(config with
        {
            Created = null,
            History = [],
            RootFs = new RootFileSystem { DiffIds = [] },
            Config = config.Config with { Env = null, Labels = null },
        }))!.AsObject();
        document.Remove("rootfs");
        document.Remove("history");
        foreach (var (name, value) in document["config"] as JsonObject ?? [])
            leaves[name] = value?.ToJsonString() ?? "null";
        foreach (var (name, value) in document.Where(m => m.Key != "config"))
            leaves[name] = value?.ToJsonString() ?? "null";
        foreach (string variable in config.Config.Env ?? [])
            leaves[$"Env {variable.Split('=')[0]}"] = variable[(variable.IndexOf('=', StringComparison.Ordinal) + 1)..];
        foreach (var (name, value) in config.Config.Labels ?? [])
            leaves[$"Label {name}"] = value;
        return leaves;
    }

    private static FileRow Row(string path, MergedFile file)
    {
        string type = file.Record.Type switch
        {
            TarEntryType.Directory => "directory",
            TarEntryType.SymbolicLink => "link",
            TarEntryType.Fifo => "pipe",
            TarEntryType.CharacterDevice or TarEntryType.BlockDevice => "device",
            _ => "file",
        };
        return new FileRow(path, type, Convert.ToString(file.Record.Mode, 8).PadLeft(4, '0'), file.Record.UserId,
            file.Record.GroupId, file.Record.Size);
    }

    private sealed record Known(MergedTree Tree, IReadOnlyDictionary<string, byte[]> Files, PackageInventory Packages);
}
