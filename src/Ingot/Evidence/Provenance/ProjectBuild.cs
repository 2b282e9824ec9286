using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Oci.Content;

namespace Ingot.Evidence.Provenance;

/// <summary>Where an image of a project came from: what is recorded when the project is applied, and what provenance names.</summary>
/// <param name="File">The digest of the project's file.</param>
/// <param name="Repository">The address of its repository; null when it has none that others could use.</param>
/// <param name="Commit">The commit that was checked out; null outside of a repository.</param>
public sealed record ProjectSource(Digest File, string? Repository, string? Commit);

/// <summary>What provenance of Ingot's own builds says of the project: for which of its images it speaks,
/// and from what it was built.</summary>
/// <param name="Project">The project.</param>
/// <param name="Image">The image's name in it.</param>
/// <param name="Version">The version it was built as; null for none.</param>
/// <param name="Source">What it was built from; null when the project's file is not named.</param>
public sealed record ProjectBuild(string Project, string Image, string? Version, ProjectSource? Source)
{
    /// <summary>The type of these builds.</summary>
    public const string BuildType = "https://ingot.dev/buildtypes/project/v1";

    /// <summary>The note of a dependency that says what it is.</summary>
    public const string KindKey = "kind";

    /// <summary>The dependency that is the project's file.</summary>
    public const string FileKind = "project";

    /// <summary>The dependency that is the commit.</summary>
    public const string SourceKind = "source";

    /// <summary>The algorithm under which a commit stands among digests.</summary>
    public const string CommitAlgorithm = "gitCommit";

    /// <summary>Reads it, or throws <see cref="FormatException"/>.</summary>
    public static ProjectBuild Of(SlsaProvenance provenance)
    {
        var definition = provenance.BuildDefinition;
        if (definition.BuildType != BuildType)
            throw new FormatException("the build type is none of Ingot's");

        var asked = PredicateReader.Read(definition.ExternalParameters, ProjectBuildJson.Default.AskedProject,
            "provenance of a project's image");
        var source = One(definition, SourceKind);
        return new ProjectBuild(asked.Project, asked.Image, asked.Version,
            One(definition, FileKind) is not { } file ? null : new ProjectSource(
                Digest.TryParse("sha256:" + file.Digest?.GetValueOrDefault("sha256"), out var digest)
                    ? digest
                    : throw new FormatException("the project's file has no digest"),
                source?.Uri,
                source is null
                    ? null
                    : source.Digest?.GetValueOrDefault(CommitAlgorithm) ?? throw new FormatException("the source has no commit")));
    }

    private static ResourceDescriptor? One(BuildDefinition definition, string kind)
    {
        var found = definition.ResolvedDependencies.Where(d => d.Annotations?.GetValueOrDefault(KindKey) == kind).ToList();
        return found.Count <= 1
            ? found.FirstOrDefault()
            : throw new FormatException($"the provenance names {found.Count} dependencies of the kind '{kind}'");
    }
}

internal sealed record AskedProject
{
    [JsonPropertyName("project")]
    public required string Project { get; init; }

    [JsonPropertyName("image")]
    public required string Image { get; init; }

    [JsonPropertyName("version")]
    public string? Version { get; init; }
}

[JsonSourceGenerationOptions(RespectNullableAnnotations = true, AllowDuplicateProperties = false)]
[JsonSerializable(typeof(AskedProject))]
internal sealed partial class ProjectBuildJson : JsonSerializerContext;
