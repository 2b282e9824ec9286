using System.Runtime.CompilerServices;
using System.Text;
using Ingot.Oci.Content;

namespace Ingot.Oci.Images;

/// <summary>Manifests that say something about another: signatures, SBOMs, provenance
/// (<see href="https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers">referrers</see>).</summary>
public static class Referrers
{
    private const int MaxManifestBytes = 4 << 20;

    /// <summary>Every manifest in the store whose subject is <paramref name="subject"/>, as a registry would list it. Looks at each small
    /// document of the store.</summary>
    public static async IAsyncEnumerable<Descriptor> ListAsync(
        IContentStore store, Digest subject, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        byte[] name = Encoding.ASCII.GetBytes(subject.Hex);
        await foreach (var digest in store.ListAsync(cancellationToken).ConfigureAwait(false))
        {
            byte[]? bytes = await ReadDocumentAsync(store, digest, cancellationToken).ConfigureAwait(false);
            if (bytes is not null && bytes.AsSpan().IndexOf(name) >= 0 && Describe(bytes, subject) is { } descriptor)
                yield return descriptor;
        }
    }

    /// <summary>The descriptor by which a registry lists a manifest or index under its subject; null when its subject is another,
    /// or it is neither.</summary>
    public static Descriptor? Describe(ReadOnlySpan<byte> bytes, Digest subject)
    {
        if (TryRead(bytes, ImageJson.ReadManifest) is { } manifest)
        {
            return manifest.Subject?.Digest != subject ? null : Descriptor.Of(manifest.MediaType, bytes) with
            {
                ArtifactType = manifest.ArtifactType ?? manifest.Config.MediaType,
                Annotations = manifest.Annotations,
            };
        }

        return TryRead(bytes, ImageJson.ReadIndex) is { } index && index.Subject?.Digest == subject
            ? Descriptor.Of(index.MediaType, bytes) with { ArtifactType = index.ArtifactType, Annotations = index.Annotations }
            : null;
    }

    private static async ValueTask<byte[]?> ReadDocumentAsync(IContentStore store, Digest digest, CancellationToken cancellationToken)
    {
        var stream = await store.OpenAsync(digest, cancellationToken).ConfigureAwait(false);
        if (stream is null)
            return null;

        await using (stream.ConfigureAwait(false))
        {
            byte[] first = new byte[1];
            if (stream.Length > MaxManifestBytes
                || await stream.ReadAsync(first, cancellationToken).ConfigureAwait(false) == 0
                || first[0] != '{')
                return null;
        }

        return await store.ReadAsync(digest, cancellationToken).ConfigureAwait(false);
    }

    private static T? TryRead<T>(ReadOnlySpan<byte> bytes, Func<ReadOnlySpan<byte>, T> read)
        where T : class
    {
        try
        {
            return read(bytes);
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
