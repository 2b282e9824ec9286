using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Oci.Content;

namespace Ingot.Evidence.Sbom;

/// <summary>What a bill of materials says of itself: what it is about, whether it is whole, and what was looked for.</summary>
public sealed record SbomPredicate
{
    internal const string SourcesProperty = "ingot:package-sources", DatabaseProperty = "ingot:package-database",
        UnreadableProperty = "ingot:unreadable";
    internal const string NoDatabase = "none: looked for, and there is none";

    /// <summary>The image's name in it.</summary>
    public required string Name { get; init; }

    /// <summary>The image's version in it: Ingot writes the digest.</summary>
    public required string Version { get; init; }

    /// <summary>What was looked for, as <see cref="Packages.PackageInventory.Sources"/>; null when it does not say.</summary>
    public required Digest? Sources { get; init; }

    /// <summary>The package databases that were read; empty when there is none in the image.</summary>
    public required IReadOnlyList<string> Databases { get; init; }

    /// <summary>How many packages it lists.</summary>
    public required int Packages { get; init; }

    /// <summary>Why it is not whole, in its own words; empty when it is.</summary>
    public required IReadOnlyList<string> Lacks { get; init; }

    /// <summary>Reads a predicate, or throws <see cref="FormatException"/>.</summary>
    public static SbomPredicate FromPredicate(JsonElement predicate)
    {
        const string What = "a CycloneDX document";
        var document = PredicateReader.Read(predicate, SbomJson.Default.CycloneDxDocument, What);
        PredicateReader.RefuseOther(document.BomFormat, What, "CycloneDX");
        PredicateReader.RefuseNull(document.Components, What);
        PredicateReader.RefuseNull(document.Compositions, What);
        PredicateReader.RefuseNull(document.Metadata.Properties, What);
        string[] databases = [.. document.Values(DatabaseProperty)];
        return new SbomPredicate
        {
            Name = document.Metadata.Component.Name,
            Version = document.Metadata.Component.Version,
            Sources = document.Values(SourcesProperty).ToList() is [var text] && Digest.TryParse(text, out var sources) ? sources : null,
            Databases = [.. databases.Where(d => d != NoDatabase)],
            Packages = document.Components.Count(c => c.Type == "library"),
            Lacks = [.. Lacking(document, databases)],
        };
    }

    private static IEnumerable<string> Lacking(CycloneDxDocument document, string[] databases)
    {
        foreach (var reason in document.Values(UnreadableProperty))
            yield return reason;
        foreach (var part in document.Compositions.Where(c => c.Aggregate != "complete"))
            yield return $"its list is '{part.Aggregate}'";
        if (databases.Length == 0)
            yield return "it does not say which package databases were read";
        if (databases.Contains(NoDatabase) && databases.Length > 1)
            yield return "it says that there is a package database, and that there is none";
        if (databases.Any(d => d != NoDatabase) && !document.Components.Any(c => c.Type == "library"))
            yield return "it lists no package, and there is a package database";
    }
}

internal sealed record CycloneDxDocument
{
    [JsonPropertyName("bomFormat")]
    public required string BomFormat { get; init; }

    [JsonPropertyName("metadata")]
    public required CycloneDxMetadata Metadata { get; init; }

    [JsonPropertyName("components")]
    public required IReadOnlyList<CycloneDxComponent> Components { get; init; }

    [JsonPropertyName("compositions")]
    public IReadOnlyList<CycloneDxComposition> Compositions { get => field ?? []; init; }

    public IEnumerable<string> Values(string property) => Metadata.Properties.Where(p => p.Name == property).Select(p => p.Value);
}

internal sealed record CycloneDxMetadata
{
    [JsonPropertyName("component")]
    public required CycloneDxComponent Component { get; init; }

    [JsonPropertyName("properties")]
    public IReadOnlyList<CycloneDxProperty> Properties { get => field ?? []; init; }
}

internal sealed record CycloneDxComponent
{
    [JsonPropertyName("type")]
    public required string Type { get; init; }

    [JsonPropertyName("name")]
    public required string Name { get; init; }

    [JsonPropertyName("version")]
    public string Version { get => field ?? ""; init; }
}

internal sealed record CycloneDxProperty
{
    [JsonPropertyName("name")]
    public required string Name { get; init; }

    [JsonPropertyName("value")]
    public required string Value { get; init; }
}

internal sealed record CycloneDxComposition
{
    [JsonPropertyName("aggregate")]
    public required string Aggregate { get; init; }
}

[JsonSourceGenerationOptions(RespectNullableAnnotations = true, AllowDuplicateProperties = false)]
[JsonSerializable(typeof(CycloneDxDocument))]
internal sealed partial class SbomJson : JsonSerializerContext;
