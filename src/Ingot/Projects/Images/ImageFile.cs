using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layouts;
using Ingot.Oci.Linux;
using Ingot.Plans;

namespace Ingot.Projects.Images;

/// <summary>An image in a file or directory, as people write it: <c>oci-layout://DIR[:TAG]</c>, <c>oci-archive:FILE[:TAG]</c>,
/// <c>docker-archive:FILE[:NAME]</c>.</summary>
/// <param name="Text">The path, and after a colon the name in it.</param>
public sealed record ImageFile(string Text)
{
    private static readonly string[] s_schemes = ["oci-layout://", "oci:", "oci-archive:", "docker-archive:"];

    /// <summary>The file that a text names; null when it begins with none of the words for one.</summary>
    public static ImageFile? TryParse(string text) =>
        Array.Find(s_schemes, scheme => text.StartsWith(scheme, StringComparison.Ordinal)) is { } scheme
            ? new ImageFile(text[scheme.Length..])
            : null;

    /// <summary>As <see cref="TryParse"/>; without such a word the whole text is the path.</summary>
    public static ImageFile Parse(string text) => TryParse(text) ?? new ImageFile(text);

    /// <summary>Brings an image into the store that a project names, from a file of the project; verified, and refused when it is hostile.
    /// A root filesystem is no image here.</summary>
    public async Task<Digest> ImportOfProjectAsync(
        DirectoryStore store, string directory, string work, Platform? platform, CancellationToken cancellationToken)
    {
        using var project = new RootedDirectory(directory);
        var (path, tag) = Split(directory, candidate => IsIn(project, candidate));
        using var file = project.Find(path, out _) ?? throw new ImageLookupException("no-file", $"there is no file or directory '{Text}'");
        if (file.Status.Type is not (Kernel.S_IFREG or Kernel.S_IFDIR))
            throw new ImageLookupException("no-image", $"'{Text}' is a pipe, a socket or a device", "name a layout or an archive");
        try
        {
            return await ImportAsync(file.HandlePath, tag, store, work, platform, cancellationToken);
        }
        catch (ImageException e)
        {
            throw new ImageLookupException("image-unusable",
                $"'{Text}' cannot be used: {e.Message.Replace(file.HandlePath, path, StringComparison.Ordinal)}", inner: e);
        }
    }

    /// <summary>Brings an image into the store that a person typed, which may be anywhere.</summary>
    public async Task<Digest> ImportAsync(
        DirectoryStore store, string directory, string work, Platform? platform, CancellationToken cancellationToken)
    {
        var (path, tag) = Split(directory, candidate => Path.Exists(Path.GetFullPath(candidate, directory)));
        return await ImportAsync(Path.GetFullPath(path, directory), tag, store, work, platform, cancellationToken);
    }

    /// <summary>Brings the image into the store and says in which form it was.</summary>
    public async Task<(ImageForm Form, ImportedImage Image)> OpenAndImportAsync(
        DirectoryStore store, string directory, string work, Platform? platform, CancellationToken cancellationToken)
    {
        var (path, tag) = Split(directory, candidate => Path.Exists(Path.GetFullPath(candidate, directory)));
        await using var source = await ImageSource.OpenAsync(Path.GetFullPath(path, directory), work, cancellationToken);
        return (source.Form, await source.ImportAsync(store, tag, platform, cancellationToken));
    }

    private async Task<Digest> ImportAsync(
        string path, string? tag, DirectoryStore store, string work, Platform? platform, CancellationToken cancellationToken)
    {
        await using var source = await ImageSource.OpenAsync(path, work, cancellationToken);
        return source.Form == ImageForm.RootFileSystem
            ? throw new ImageLookupException("no-image", $"'{Text}' is not an image but an archive of files",
                "make an image of it with 'ingot import'")
            : (await source.ImportAsync(store, tag, platform, cancellationToken)).Digest;
    }

    private bool IsIn(RootedDirectory project, string path)
    {
        using var file = project.Find(path, out var answer);
        return answer == PathAnswer.Outside
            ? throw new ImageLookupException("outside-project",
                $"'{Text}' leads out of the project's directory, and only files in it are read",
                "name it on the command line: --context NAME=oci-layout://DIR, and FROM NAME")
            : file is not null;
    }

    // The file may have a colon in its name: it is looked for first.
    private (string Path, string? Tag) Split(string directory, Func<string, bool> exists)
    {
        if (exists(Text))
            return (Text, null);

        int slash = Text.LastIndexOf('/') + 1;
        for (int colon = Text.IndexOf(':', StringComparison.Ordinal); colon > 0; colon = Text.IndexOf(':', colon + 1))
        {
            if (exists(Text[..colon]))
                return (Text[..colon], Text[(colon + 1)..]);
        }

        string? cure = slash > 0 ? null : $"relative paths begin at '{directory}'";
        throw new ImageLookupException("no-file", $"there is no file or directory '{Text}'", cure);
    }
}
