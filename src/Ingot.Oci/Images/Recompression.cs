using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;

namespace Ingot.Oci.Images;

/// <summary>An image with its layers compressed another way: the same configuration and diff ids, another manifest.</summary>
public static class Recompression
{
    /// <summary>Makes it in the store; the same image and compression give the same manifest. Docker's media types become OCI's,
    /// which know every compression.</summary>
    public static async Task<Descriptor> ConvertAsync(
        IContentStore store, Image image, LayerCompression compression, CancellationToken cancellationToken = default)
    {
        if (image.Manifest.Layers.All(layer => layer.MediaType == compression.MediaType) && image.Manifest.MediaType == MediaType.Manifest)
            return image.Descriptor;

        var layers = new List<Descriptor>();
        foreach (var (layer, diffId) in image.Manifest.Layers.Zip(image.Config.RootFs.DiffIds))
            layers.Add(await LayerConversion.ConvertAsync(store, layer, diffId, compression, cancellationToken).ConfigureAwait(false));
        var manifest = image.Manifest with
        {
            MediaType = MediaType.Manifest,
            Config = image.Manifest.Config with { MediaType = MediaType.Config },
            Layers = layers,
        };
        return await store.PutAsync(MediaType.Manifest, ImageJson.Write(manifest), cancellationToken).ConfigureAwait(false);
    }
}
