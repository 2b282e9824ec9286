using Ingot.Oci.Content;
using Ingot.Oci.Layers;

namespace Ingot.Oci.Images;

/// <summary>What a container of an image sees: its layers, one over the other.</summary>
public static class ImageRootFileSystem
{
    /// <summary>Unpacks every layer of an image into <paramref name="directory"/>, which is made if need be and should be empty. Verifies
    /// each blob, and each layer against its diff id in the configuration. Needs root.</summary>
    public static async Task UnpackAsync(
        IContentStore store, Manifest manifest, string directory, ExtractOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        byte[] bytes = await store.ReadRequiredAsync(manifest.Config.Digest, cancellationToken).ConfigureAwait(false);
        var diffIds = ImageJson.ReadConfig(bytes).RootFs.DiffIds;
        if (diffIds.Count != manifest.Layers.Count)
            throw new ImageException($"the image has {manifest.Layers.Count} layers, and its configuration '{manifest.Config.Digest}' "
                + $"lists {diffIds.Count}");

        Directory.CreateDirectory(directory);
        var apply = (options ?? new ExtractOptions()) with { Whiteouts = WhiteoutForm.Apply };
        foreach (var (layer, diffId) in manifest.Layers.Zip(diffIds))
            await LayerExtractor.ExtractAsync(store, layer, diffId, directory, apply, cancellationToken).ConfigureAwait(false);
    }
}
