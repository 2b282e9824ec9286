using Ingot.Oci.Content;
using Ingot.Oci.Images;

namespace Ingot.Oci.Layouts;

/// <summary>Images in a directory that other programs read too: blobs, and an <c>index.json</c> that gives some of them names
/// (<see href="https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md">image layout</see>).</summary>
/// <remarks>Several processes may share one: changes of the index are made one after the other, under a lock on <c>index.json.lock</c>, and
/// each replaces the file whole.</remarks>
public sealed class OciLayout
{
    /// <summary>The name of the index's file in the layout's directory.</summary>
    public const string IndexFile = "index.json";

    private const string NameAnnotation = "org.opencontainers.image.ref.name";

    private readonly string _indexPath;
    private readonly string _lockPath;

    /// <summary>Opens or makes the layout in <paramref name="directory"/>.</summary>
    public OciLayout(string directory)
    {
        Store = new DirectoryStore(directory);
        _indexPath = Path.Combine(Store.Root, IndexFile);
        _lockPath = _indexPath + ".lock";
    }

    /// <summary>The blobs.</summary>
    public DirectoryStore Store { get; }

    /// <summary>The index as it stands; empty when there is none yet.</summary>
    public async Task<ImageIndex> ReadIndexAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            return ImageJson.ReadIndex(await File.ReadAllBytesAsync(_indexPath, cancellationToken).ConfigureAwait(false));
        }
        catch (FileNotFoundException)
        {
            return new ImageIndex { Manifests = [] };
        }
        catch (FormatException e)
        {
            throw new ImageException($"'{_indexPath}': {e.Message}", e);
        }
    }

    /// <summary>What <paramref name="name"/> names; null when it names nothing.</summary>
    public async Task<Descriptor?> FindAsync(string name, CancellationToken cancellationToken = default)
    {
        var index = await ReadIndexAsync(cancellationToken).ConfigureAwait(false);
        return index.Manifests.FirstOrDefault(manifest => NameOf(manifest) == name);
    }

    /// <summary>Every name and what it names, in the order of the names.</summary>
    public async Task<SortedDictionary<string, Descriptor>> NamesAsync(CancellationToken cancellationToken = default)
    {
        var index = await ReadIndexAsync(cancellationToken).ConfigureAwait(false);
        var names = new SortedDictionary<string, Descriptor>(StringComparer.Ordinal);
        foreach (var manifest in index.Manifests)
        {
            if (NameOf(manifest) is { } name)
                names[name] = manifest;
        }

        return names;
    }

    /// <summary>Gives a manifest or index, which must be in the store, a name; takes the name from what had it.</summary>
    public async Task SetAsync(string name, Descriptor descriptor, CancellationToken cancellationToken = default)
    {
        if (name.Length == 0)
            throw new ArgumentException("a name has at least one character", nameof(name));
        if (await Store.SizeAsync(descriptor.Digest, cancellationToken).ConfigureAwait(false) is null)
            throw new ContentMismatchException($"'{descriptor.Digest}' cannot be named '{name}': it is not in the store");

        var annotations = new SortedDictionary<string, string>(descriptor.Annotations ?? [], StringComparer.Ordinal)
        {
            [NameAnnotation] = name,
        };
        var named = descriptor with { Annotations = annotations };
        await ChangeAsync(manifests => [.. manifests.Where(other => NameOf(other) != name), named],
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Takes a name away; false when it named nothing. The blobs stay.</summary>
    public Task<bool> RemoveAsync(string name, CancellationToken cancellationToken = default) =>
        ChangeAsync(manifests => [.. manifests.Where(other => NameOf(other) != name)], cancellationToken);

    private static string? NameOf(Descriptor descriptor) => descriptor.Annotations?.GetValueOrDefault(NameAnnotation);

    // Names change often and together: the whole index is small.
    private async Task<bool> ChangeAsync(
        Func<IReadOnlyList<Descriptor>, IReadOnlyList<Descriptor>> change, CancellationToken cancellationToken)
    {
        // For as long as it takes to write a small file.
        using var held = await FileLock.TakeAsync(_lockPath, shared: false, TimeProvider.System, waiting: null,
            cancellationToken).ConfigureAwait(false);
        var index = await ReadIndexAsync(cancellationToken).ConfigureAwait(false);
        var manifests = change(index.Manifests).OrderBy(NameOf, StringComparer.Ordinal).ToList();
        AtomicFile.Write(_indexPath, ImageJson.Write(index with { Manifests = manifests }), durable: true);
        return manifests.Count != index.Manifests.Count;
    }
}
