using System.Text.Json;
using Ingot.Oci.Content;

namespace Ingot.Oci.Layouts;

/// <summary>What of a store is reached from some manifests: what they consist of, and what says something about them.</summary>
public static class LayoutReach
{
    /// <summary>The blobs that are reached from <paramref name="roots"/>, these included, whether they are there or not. Looks at each
    /// small document of the store.</summary>
    public static async Task<IReadOnlySet<Digest>> OfAsync(
        DirectoryStore store, IEnumerable<Digest> roots, CancellationToken cancellationToken = default)
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
            if (stream.Length > ContentStoreExtensions.MaxDocumentBytes
                || await stream.ReadAsync(first, cancellationToken).ConfigureAwait(false) == 0
                || first[0] != '{')
                return null;
            byte[] bytes = new byte[stream.Length];
            stream.Position = 0;
            await stream.ReadExactlyAsync(bytes, cancellationToken).ConfigureAwait(false);
            return Read(bytes);
        }
    }

    // Whatever might be read as a reference is one, by any reader: what is kept in vain is no loss.
    private static Links? Read(byte[] bytes)
    {
        var parts = new List<Digest>();
        Digest? subject = null;
        try
        {
            var reader = new Utf8JsonReader(bytes,
                new JsonReaderOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip });
            string? member = null;
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.PropertyName)
                    continue;
                if (reader.CurrentDepth == 1)
                    member = reader.GetString();
                if (reader.CurrentDepth == 1 || !IsDigest(ref reader) || !reader.Read() || reader.TokenType != JsonTokenType.String)
                    continue;
                if (!Digest.TryParse(reader.GetString(), out var digest))
                    continue;
                if (member == "subject")
                    subject = digest;
                else
                    parts.Add(digest);
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // No JSON, or text that is not UTF-8: what was read before that counts.
        }

        return parts.Count == 0 && subject is null ? null : new Links(parts, subject);
    }

    private static bool IsDigest(ref Utf8JsonReader reader) =>
        string.Equals(reader.GetString(), "digest", StringComparison.OrdinalIgnoreCase);

    private sealed record Links(IReadOnlyList<Digest> Parts, Digest? Subject);
}
