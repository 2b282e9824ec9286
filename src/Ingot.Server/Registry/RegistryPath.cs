using System.Text.RegularExpressions;
using Ingot.Oci.Content;

namespace Ingot.Server.Registry;

/// <summary>What a path below <c>/v2/</c> names. Repository names hold slashes, so paths are read from their end.</summary>
internal abstract partial record RegistryPath
{
    private const int MaxNameLength = 255;

    private RegistryPath()
    {
    }

    /// <summary>The registry itself.</summary>
    public sealed record Root : RegistryPath;

    /// <summary>The list of repositories.</summary>
    public sealed record Catalog : RegistryPath;

    /// <summary>A blob.</summary>
    public sealed record Blob(string Repository, string Digest) : RegistryPath;

    /// <summary>Where uploads begin.</summary>
    public sealed record Uploads(string Repository) : RegistryPath;

    /// <summary>An upload under way.</summary>
    public sealed record Upload(string Repository, string Id) : RegistryPath;

    /// <summary>A manifest by tag or digest.</summary>
    public sealed record Manifest(string Repository, string Reference) : RegistryPath;

    /// <summary>The tags of a repository.</summary>
    public sealed record Tags(string Repository) : RegistryPath;

    /// <summary>What says something about a manifest.</summary>
    public sealed record Referrers(string Repository, string Digest) : RegistryPath;

    /// <summary>Reads what follows <c>/v2/</c>; null when it names nothing the specification knows.</summary>
    public static RegistryPath? Parse(string path)
    {
        if (path.Length == 0)
            return new Root();
        if (path == "_catalog")
            return new Catalog();
        if (TrySplit(path, "/tags/list", out string name, out string rest) && rest.Length == 0)
            return new Tags(name);
        if (TrySplit(path, "/blobs/uploads", out name, out rest) && !rest.TrimStart('/').Contains('/'))
            return rest.Trim('/').Length == 0 ? new Uploads(name) : new Upload(name, rest.TrimStart('/'));
        if (TryLast(path, "/blobs/", out name, out rest))
            return new Blob(name, rest);
        if (TryLast(path, "/manifests/", out name, out rest))
            return new Manifest(name, rest);

        return TryLast(path, "/referrers/", out name, out rest) ? new Referrers(name, rest) : null;
    }

    /// <summary>Whether a repository may have this name.</summary>
    public static bool IsRepository(string name) => name.Length <= MaxNameLength && RepositoryName().IsMatch(name);

    /// <summary>Whether this is a tag.</summary>
    public static bool IsTag(string text) => TagName().IsMatch(text);

    /// <summary>Reads a digest of a request, or refuses it.</summary>
    public static Digest ParseDigest(string text) => Digest.TryParse(text, out var digest)
        ? digest
        : throw new RegistryRefusal(400, ErrorCode.DigestInvalid,
            $"'{text}' is not a digest: expected sha256: and 64 lower-case hex digits, or sha512: and 128");

    private static bool TrySplit(string path, string middle, out string name, out string rest)
    {
        int at = path.LastIndexOf(middle, StringComparison.Ordinal);
        (name, rest) = at > 0 ? (path[..at], path[(at + middle.Length)..]) : ("", "");
        return at > 0 && (rest.Length == 0 || rest[0] == '/');
    }

    private static bool TryLast(string path, string middle, out string name, out string last)
    {
        int at = path.LastIndexOf(middle, StringComparison.Ordinal);
        (name, last) = at > 0 ? (path[..at], path[(at + middle.Length)..]) : ("", "");
        return at > 0 && last.Length > 0 && !last.Contains('/');
    }

    // \z and not $, which would allow a newline after the end.
    [GeneratedRegex(@"\A[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*\z", RegexOptions.CultureInvariant)]
    private static partial Regex RepositoryName();

    [GeneratedRegex(@"\A[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\z", RegexOptions.CultureInvariant)]
    private static partial Regex TagName();
}
