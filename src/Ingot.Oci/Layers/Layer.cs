using Ingot.Oci.Content;

namespace Ingot.Oci.Layers;

/// <summary>A layer that was written.</summary>
/// <param name="DiffId">The digest of the uncompressed archive: the layer's identity.</param>
/// <param name="TarSize">The bytes of the uncompressed archive.</param>
/// <param name="Index">What is in it.</param>
/// <param name="Blob">The compressed archive in the store; null when the layer was only hashed.</param>
public sealed record Layer(Digest DiffId, long TarSize, LayerIndex Index, Descriptor? Blob)
{
    /// <summary>How it was written; null when that does not help to write another.</summary>
    public LayerTrace? Trace { get; init; }
}
