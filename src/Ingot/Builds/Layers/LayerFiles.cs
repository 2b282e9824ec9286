using Ingot.Builds.Files;
using Ingot.Oci.Layers;
using Ingot.Tools;

namespace Ingot.Builds.Layers;

/// <summary>Reads files of one layer, in whatever form it is there.</summary>
internal abstract class LayerFiles : IDisposable
{
    private LayerFiles()
    {
    }

    /// <summary>Opens a snapshot.</summary>
    public static LayerFiles Open(Snapshot snapshot) => snapshot switch
    {
        Snapshot.Unpacked unpacked => new OfDirectory(unpacked.Directory),
        Snapshot.Packed packed => new OfArchive(packed),
        _ => throw new InvalidOperationException($"no way to read '{snapshot}'"),
    };

    /// <summary>A stream over a regular file of the layer, owned by the caller.</summary>
    public abstract Stream OpenRead(string path);

    public abstract void Dispose();

    private sealed class OfDirectory(string directory) : LayerFiles
    {
        private readonly HostFiles _files = new(directory);

        public override Stream OpenRead(string path) => _files.OpenRead(path);

        public override void Dispose() => _files.Dispose();
    }

    private sealed class OfArchive(Snapshot.Packed packed) : LayerFiles
    {
        private readonly ArchiveReader _archive = packed.Archive.Open();

        public override Stream OpenRead(string path) => packed.Index.Find(path) is { } file
            ? new ArchiveStream(_archive, file.Offset, file.Size, ownsReader: false)
            : throw new FileNotFoundException($"'{path}' is not in the layer");

        public override void Dispose() => _archive.Dispose();
    }
}

/// <summary>Makes ready to mount snapshots over one another.</summary>
/// <param name="Names">What stands for them in the directory, in their order: links to directories, and mount points.</param>
/// <param name="Images">What must be mounted before.</param>
internal sealed record SnapshotStack(IReadOnlyList<string> Names, IReadOnlyList<ImageMount> Images)
{
    private const int PointMode = 0b111_101_101;

    /// <summary>Puts names for snapshots into a directory. They are short: the kernel takes at most a page of options, and a name of a
    /// snapshot has 64 digits.</summary>
    /// <remarks>Of a layer that is there several times only the uppermost is mounted: the kernel takes no directory twice, and what a layer
    /// says of a name, the same layer further down cannot say otherwise.</remarks>
    public static SnapshotStack In(string directory, string prefix, IReadOnlyList<Snapshot> snapshots)
    {
        var names = new List<string>();
        var images = new List<ImageMount>();
        foreach (var snapshot in snapshots.DistinctBy(PlaceOf))
        {
            string name = $"{prefix}{names.Count}";
            names.Add(name);
            if (snapshot is Snapshot.Packed packed)
            {
                HostFiles.MakeDirectory(Path.Combine(directory, name), PointMode);
                images.Add(new ImageMount(packed.Image, packed.Archive.Files, Path.Combine(directory, name)));
            }
            else
            {
                File.CreateSymbolicLink(Path.Combine(directory, name), ((Snapshot.Unpacked)snapshot).Directory);
            }
        }

        return new SnapshotStack(names, images);
    }

    private static string PlaceOf(Snapshot snapshot) => snapshot switch
    {
        Snapshot.Unpacked unpacked => unpacked.Directory,
        Snapshot.Packed packed => packed.Image,
        _ => throw new InvalidOperationException($"'{snapshot}' lies nowhere"),
    };
}
