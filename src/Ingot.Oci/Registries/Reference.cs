using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;
using Ingot.Oci.Content;

namespace Ingot.Oci.Registries;

/// <summary>The name of something in a registry: <c>[REGISTRY/]REPOSITORY[:TAG][@DIGEST]</c>
/// (<see href="https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests">distribution
/// specification</see>).</summary>
/// <remarks>The first component is a registry when it has a dot or a port, or is <c>localhost</c>. Docker's defaults are not applied:
/// <c>alpine</c> stays <c>alpine</c>.</remarks>
public sealed partial record Reference
{
    private const int MaxNameLength = 255;

    private Reference(string? registry, string repository, string? tag, Digest? digest)
    {
        Registry = registry;
        Repository = repository;
        Tag = tag;
        Digest = digest;
    }

    /// <summary>The host of the registry with its port, if any; null when the reference names none.</summary>
    public string? Registry { get; }

    /// <summary>The repository.</summary>
    public string Repository { get; }

    /// <summary>The tag; null when there is none.</summary>
    public string? Tag { get; }

    /// <summary>The digest; null when there is none.</summary>
    public Digest? Digest { get; }

    /// <summary>The repository with its registry, if any.</summary>
    public string Name => Registry is null ? Repository : $"{Registry}/{Repository}";

    /// <summary>This reference with that tag and no digest; null for none.</summary>
    public Reference WithTag(string? tag) => tag is null || IsTag(tag)
        ? new Reference(Registry, Repository, tag, digest: null)
        : throw new FormatException(
            $"'{tag}' is not a tag: expected up to 128 letters, digits, '_', '.' and '-', not beginning with '.' or '-'");

    /// <summary>This reference with that digest, its tag kept as a remark.</summary>
    public Reference WithDigest(Digest digest) => new(Registry, Repository, Tag, digest);

    /// <summary>This reference as Docker's users mean it: without a registry Docker Hub's, there <c>library/</c> before a single name, and
    /// the tag <c>latest</c> when there is neither tag nor digest.</summary>
    public Reference WithDockerDefaults()
    {
        string? tag = Tag ?? (Digest is null ? "latest" : null);
        bool isHub = Registry is null or "docker.io" or "index.docker.io";
        bool isSingle = !Repository.Contains('/', StringComparison.Ordinal);
        return isHub
            ? new Reference("docker.io", isSingle ? "library/" + Repository : Repository, tag, Digest)
            : new Reference(Registry, Repository, tag, Digest);
    }

    /// <summary>Whether the text may be a repository's name.</summary>
    public static bool IsRepository(string text) => text.Length <= MaxNameLength && RepositoryPattern().IsMatch(text);

    /// <summary>Whether the text may be a tag.</summary>
    public static bool IsTag(string text) => TagPattern().IsMatch(text);

    /// <summary>Reads a reference; false when the text is not one.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out Reference? reference)
    {
        reference = null;
        string name = text;
        Digest? digest = null;
        string? tag = null;
        if (name.IndexOf('@', StringComparison.Ordinal) is >= 0 and var at)
        {
            if (!Content.Digest.TryParse(name.AsSpan(at + 1), out var parsed))
                return false;
            digest = parsed;
            name = name[..at];
        }

        if (name.LastIndexOf(':') is var colon && colon > name.LastIndexOf('/'))
        {
            tag = name[(colon + 1)..];
            name = name[..colon];
            if (!IsTag(tag))
                return false;
        }

        var (registry, repository) = SplitName(name);
        if (name.Length > MaxNameLength || !IsRepository(repository) || (registry is not null && !RegistryPattern().IsMatch(registry)))
            return false;

        reference = new Reference(registry, repository, tag, digest);
        return true;
    }

    /// <summary>Reads a reference, or throws a <see cref="FormatException"/> that says what one looks like.</summary>
    public static Reference Parse(string text) => TryParse(text, out var reference)
        ? reference
        : throw new FormatException($"'{text}' is not a reference to an image: expected [REGISTRY/]REPOSITORY[:TAG][@sha256:DIGEST] in "
            + "lower case, such as 'registry.example/team/app:1.2'");

    /// <inheritdoc/>
    public override string ToString() => Name + (Tag is null ? "" : ":" + Tag) + (Digest is { } digest ? "@" + digest : "");

    private static (string? Registry, string Repository) SplitName(string name)
    {
        int slash = name.IndexOf('/', StringComparison.Ordinal);
        string first = slash < 0 ? "" : name[..slash];
        bool isRegistry = first.AsSpan().ContainsAny('.', ':') || first == "localhost";
        return isRegistry ? (first, name[(slash + 1)..]) : (null, name);
    }

    [GeneratedRegex(@"\A[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*\z")]
    private static partial Regex RepositoryPattern();

    [GeneratedRegex(@"\A[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\z")]
    private static partial Regex TagPattern();

    [GeneratedRegex(
        @"\A([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?\z")]
    private static partial Regex RegistryPattern();
}
