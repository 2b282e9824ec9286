using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;

namespace Ingot.Oci.Layouts;

/// <summary>In which form an image lies in files.</summary>
public enum ImageForm
{
    /// <summary>An OCI image layout in a directory.</summary>
    OciLayout,

    /// <summary>An archive of an OCI image layout.</summary>
    OciArchive,

    /// <summary>What <c>docker save</c> writes.</summary>
    DockerArchive,

    /// <summary>An archive of a root filesystem.</summary>
    RootFileSystem,
}

/// <summary>An image that was brought into a store.</summary>
/// <param name="Descriptor">Its manifest or index.</param>
/// <param name="Name">The name that the source gives it; null when it gives none.</param>
public sealed record ImportedImage(Descriptor Descriptor, string? Name)
{
    /// <summary>The digest of the manifest or index.</summary>
    public Digest Digest => Descriptor.Digest;
}

/// <summary>Images in files that others wrote: a layout in a directory, an archive of one, what <c>docker save</c> wrote, or a root
/// filesystem. Everything is verified and read through before anything is stored,
/// so that a damaged or hostile source leaves nothing.</summary>
public sealed class ImageSource : IAsyncDisposable
{
    private static readonly string[] s_marks = ["index.json", "manifest.json", "repositories"];

    private readonly ImageFiles _files;

    private ImageSource(ImageFiles files, ImageForm form)
    {
        _files = files;
        Form = form;
    }

    /// <summary>Which form the source has.</summary>
    public ImageForm Form { get; }

    /// <summary>Looks at a file or directory and finds out what it is. A compressed archive is unpacked into <paramref name="temporary"/>
    /// while this is open.</summary>
    /// <exception cref="ImageException">It holds no image.</exception>
    public static async Task<ImageSource> OpenAsync(string path, string temporary, CancellationToken cancellationToken = default)
    {
        if (Directory.Exists(path))
        {
            var directory = new DirectoryFiles(Path.GetFullPath(path));
            return directory.Has("index.json")
                ? new ImageSource(directory, ImageForm.OciLayout)
                : throw new ImageException($"'{path}' is not an OCI layout: it has no 'index.json'");
        }

        if (!File.Exists(path))
            throw new ImageException($"there is no file '{path}'");

        var archive = await ArchiveFiles.OpenAsync(path, temporary, cancellationToken).ConfigureAwait(false);
        try
        {
            bool isImage = await archive.FindAsync(s_marks, cancellationToken).ConfigureAwait(false);
            bool isOci = isImage && archive.Has("index.json") && archive.Has("oci-layout");
            return new ImageSource(archive, isOci ? ImageForm.OciArchive : isImage ? ImageForm.DockerArchive : ImageForm.RootFileSystem);
        }
        catch
        {
            await archive.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Brings an image into the store. <paramref name="tag"/> chooses among several; of an index it takes the image for
    /// <paramref name="platform"/>, or all that are there when null. A root filesystem becomes an image of one layer for
    /// <paramref name="platform"/>, or the host's.</summary>
    /// <exception cref="ImageException">There is no such image, or the source is not whole or not honest.</exception>
    /// <exception cref="ContentMismatchException">Something is not what its digest says.</exception>
    /// <exception cref="LayerException">A layer is hostile.</exception>
    public async Task<ImportedImage> ImportAsync(
        IContentStore store, string? tag = null, Platform? platform = null, CancellationToken cancellationToken = default) =>
        Form switch
        {
            ImageForm.DockerArchive =>
                await new DockerArchiveReader(_files, store).ImportAsync(tag, cancellationToken).ConfigureAwait(false),
            ImageForm.RootFileSystem when tag is null => await RootFileSystemReader.ImportAsync(((ArchiveFiles)_files).Whole, _files.Name,
                store, platform ?? Platform.Host, cancellationToken).ConfigureAwait(false),
            ImageForm.RootFileSystem =>
                throw new ImageException($"'{_files.Name}' is a root filesystem, which has nothing named '{tag}'"),
            _ => await new OciLayoutReader(_files, store).ImportAsync(tag, platform, cancellationToken).ConfigureAwait(false),
        };

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _files.DisposeAsync();
}
