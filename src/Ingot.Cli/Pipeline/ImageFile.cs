using Ingot.Oci.Content;
using Ingot.Oci.Layouts;
using Ingot.Plans;

namespace Ingot.Cli.Pipeline;

/// <summary>An image in a file or directory, as people write it: <c>oci-layout://DIR[:TAG]</c>, <c>oci-archive:FILE[:TAG]</c>, <c>docker-archive:FILE[:NAME]</c>.</summary>
internal sealed record ImageFile(string Scheme, string Text)
{
    private static readonly string[] s_schemes = ["oci-layout://", "oci:", "oci-archive:", "docker-archive:"];

    /// <summary>The file that a text names; null when it does not name one.</summary>
    public static ImageFile? TryParse(string text) =>
        Array.Find(s_schemes, scheme => text.StartsWith(scheme, StringComparison.Ordinal)) is { } scheme ? new ImageFile(scheme, text[scheme.Length..]) : null;

    /// <summary>Brings the image into the store, once; verified, and refused when it is hostile.</summary>
    public async Task<Digest> ImportAsync(DirectoryStore store, string directory, Platform? platform, CancellationToken cancellationToken)
    {
        var (path, tag) = Split(directory);
        var source = await ImageSource.OpenAsync(path, store.Root, cancellationToken);
        await using (source)
            return (await source.ImportAsync(store, tag, platform, cancellationToken)).Digest;
    }

    // The file may have a colon in its name: it is looked for first.
    private (string Path, string? Tag) Split(string directory)
    {
        string whole = Path.GetFullPath(Text, directory);
        int colon = Text.IndexOf(':', StringComparison.Ordinal);
        if (Path.Exists(whole) || colon <= 0)
            return Path.Exists(whole) ? (whole, null) : throw new ImageLookupException("no-file", $"there is no file '{Text}'");

        string path = Path.GetFullPath(Text[..colon], directory);
        return Path.Exists(path) ? (path, Text[(colon + 1)..]) : throw new ImageLookupException("no-file", $"there is no file '{Text[..colon]}'");
    }
}
