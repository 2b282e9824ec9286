using Ingot.Oci.Content;
using Ingot.Oci.Images;

namespace Ingot.Oci.Layouts;

/// <summary>What of a store is reached from some manifests: what they consist of, and what says something about them.</summary>
public static class LayoutReach
{
    private const int MaxDocumentBytes = 4 << 20;

    /// <summary>The blobs that are reached from <paramref name="roots"/>, these included, whether they are there or not. Looks at each small document of the store.</summary>
    public static async Task<IReadOnlySet<Digest>> OfAsync(DirectoryStore store, IEnumerable<Digest> roots, CancellationToken cancellationToken = default)
    {
        var links = await ReadAsync(store, cancellationToken).ConfigureAwait(false);
        var about = links.Where(l => l.Value.Subject is not null).ToLookup(l => l.Value.Subject!.Value, l => l.Key);
        var reached = new HashSet<Digest>();
        var next = new Stack<Digest>(roots);
        while (next.TryPop(out var digest))
        {
            if (!reached.Add(digest))
                continue;
            foreach (var other in (links.GetValueOrDefault(digest)?.Parts ?? []).Concat(about[digest]))
                next.Push(other);
        }

        return reached;
    }

    private static async Task<Dictionary<Digest, Links>> ReadAsync(DirectoryStore store, CancellationToken cancellationToken)
    {
        var links = new Dictionary<Digest, Links>();
        await foreach (var digest in store.ListAsync(cancellationToken).ConfigureAwait(false))
        {
            if (await ReadAsync(store, digest, cancellationToken).ConfigureAwait(false) is { } found)
                links[digest] = found;
        }

        return links;
    }

    private static async Task<Links?> ReadAsync(DirectoryStore store, Digest digest, CancellationToken cancellationToken)
    {
        var stream = await store.OpenAsync(digest, cancellationToken).ConfigureAwait(false);
        if (stream is null)
            return null;

        await using (stream.ConfigureAwait(false))
        {
            byte[] first = new byte[1];
            if (stream.Length > MaxDocumentBytes || await stream.ReadAsync(first, cancellationToken).ConfigureAwait(false) == 0 || first[0] != '{')
                return null;
            byte[] bytes = new byte[stream.Length];
            stream.Position = 0;
            await stream.ReadExactlyAsync(bytes, cancellationToken).ConfigureAwait(false);
            return Read(bytes);
        }
    }

    // A document may be read as both: then both count.
    private static Links? Read(byte[] bytes)
    {
        var parts = new List<Digest>();
        Digest? subject = null;
        try
        {
            var manifest = ImageJson.ReadManifest(bytes);
            parts.AddRange(manifest.Layers.Append(manifest.Config).Select(d => d.Digest));
            subject = manifest.Subject?.Digest;
        }
        catch (FormatException)
        {
        }

        try
        {
            var index = ImageJson.ReadIndex(bytes);
            parts.AddRange(index.Manifests.Select(d => d.Digest));
            subject ??= index.Subject?.Digest;
        }
        catch (FormatException)
        {
        }

        return parts.Count == 0 && subject is null ? null : new Links(parts, subject);
    }

    private sealed record Links(IReadOnlyList<Digest> Parts, Digest? Subject);
}
