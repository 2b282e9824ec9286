using Ingot.Oci.Content;
using Ingot.Oci.Layouts;
using Ingot.Plans;

namespace Ingot.Cli.Pipeline;

/// <summary>An image in a file or directory, as people write it: <c>oci-layout://DIR[:TAG]</c>, <c>oci-archive:FILE[:TAG]</c>, <c>docker-archive:FILE[:NAME]</c>.</summary>
/// <param name="Text">The path, and after a colon the name in it.</param>
internal sealed record ImageFile(string Text)
{
    private static readonly string[] s_schemes = ["oci-layout://", "oci:", "oci-archive:", "docker-archive:"];

    /// <summary>The file that a text names; null when it begins with none of the words for one.</summary>
    public static ImageFile? TryParse(string text) =>
        Array.Find(s_schemes, scheme => text.StartsWith(scheme, StringComparison.Ordinal)) is { } scheme ? new ImageFile(text[scheme.Length..]) : null;

    /// <summary>As <see cref="TryParse"/>; without such a word the whole text is the path.</summary>
    public static ImageFile Parse(string text) => TryParse(text) ?? new ImageFile(text);

    /// <summary>Brings the image into the store, once; verified, and refused when it is hostile. A root filesystem is no image here.</summary>
    public async Task<Digest> ImportAsync(DirectoryStore store, string directory, string work, Platform? platform, CancellationToken cancellationToken)
    {
        var (path, tag) = Split(directory);
        await using var source = await ImageSource.OpenAsync(path, work, cancellationToken);
        return source.Form == ImageForm.RootFileSystem
            ? throw new ImageLookupException("no-image", $"'{Text}' is no image but an archive of files", "make an image of it with 'ingot import'")
            : (await source.ImportAsync(store, tag, platform, cancellationToken)).Digest;
    }

    /// <summary>Brings the image into the store and says in which form it was.</summary>
    public async Task<(ImageForm Form, ImportedImage Image)> OpenAndImportAsync(DirectoryStore store, string directory, string work, Platform? platform, CancellationToken cancellationToken)
    {
        var (path, tag) = Split(directory);
        await using var source = await ImageSource.OpenAsync(path, work, cancellationToken);
        return (source.Form, await source.ImportAsync(store, tag, platform, cancellationToken));
    }

    // The file may have a colon in its name: it is looked for first.
    private (string Path, string? Tag) Split(string directory)
    {
        string whole = Path.GetFullPath(Text, directory);
        if (Path.Exists(whole))
            return (whole, null);

        int slash = Text.LastIndexOf('/') + 1;
        for (int colon = Text.IndexOf(':', StringComparison.Ordinal); colon > 0; colon = Text.IndexOf(':', colon + 1))
        {
            string path = Path.GetFullPath(Text[..colon], directory);
            if (Path.Exists(path))
                return (path, Text[(colon + 1)..]);
        }

        throw new ImageLookupException("no-file", $"there is no file or directory '{Text}'", slash > 0 ? null : $"relative paths begin at '{directory}'");
    }
}
