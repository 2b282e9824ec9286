namespace Ingot.Oci.Layers;

/// <summary>Sees a layer while it is written, so that no second pass is needed. What it throws ends the writing,
/// and nothing gets into the store.</summary>
public interface ILayerObserver
{
    /// <summary>Takes the next bytes of the uncompressed archive, in order; they are only valid during the call. Called from another thread
    /// than the writer's, one call at a time.</summary>
    void Observe(ReadOnlySpan<byte> bytes);

    /// <summary>Is called once when the archive is complete and all of it was seen, before it is in the store.</summary>
    /// <param name="index">What is in the archive, and where.</param>
    void Complete(LayerIndex index);
}
