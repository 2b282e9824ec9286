using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;

namespace Ingot.Evidence;

/// <summary>An image whose layers were verified and unpacked once, so that every check reads the same bytes.
/// Disposing it removes them.</summary>
public sealed class ImageUnderTest : IAsyncDisposable
{
    private readonly ScratchDirectory _scratch;

    private ImageUnderTest(IContentStore store, Image image, ScratchDirectory scratch, ImageRoot root)
    {
        Store = store;
        Image = image;
        _scratch = scratch;
        Root = root;
    }

    /// <summary>Where the image's blobs are.</summary>
    public IContentStore Store { get; }

    /// <summary>The image: manifest and configuration.</summary>
    public Image Image { get; }

    /// <summary>The root filesystem that its layers make. It is not to be changed.</summary>
    public ImageRoot Root { get; }

    /// <summary>Unpacks the image of a manifest below <paramref name="scratchDirectory"/>, in a directory of its own.</summary>
    public static async Task<ImageUnderTest> UnpackAsync(
        IContentStore store, Digest manifest, string scratchDirectory, CancellationToken cancellationToken = default)
    {
        var image = await Image.LoadAsync(store, manifest, platform: null, cancellationToken);
        var scratch = await ScratchDirectory.CreateAsync(scratchDirectory, "image", cancellationToken);
        try
        {
            string root = Path.Combine(scratch.Path, "root");
            // Nothing here ever opens a device, and nobody else can reach the directory: an image with devices can be judged too.
            await ImageRootFileSystem.UnpackAsync(store, image.Manifest, root,
                new ExtractOptions { AllowDevices = true }, cancellationToken);
            return new ImageUnderTest(store, image, scratch, new ImageRoot(root));
        }
        catch
        {
            await scratch.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Root.Dispose();
        await _scratch.DisposeAsync();
    }
}
