using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Cli.Commands;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Projects.Building;

namespace Ingot.Cli.Pipeline;

/// <summary>What a build came to, in BuildKit's words.</summary>
internal sealed record BuildMetadata
{
    [JsonPropertyName("containerimage.digest")]
    public required Digest Digest { get; init; }

    /// <summary>Null for an index.</summary>
    [JsonPropertyName("containerimage.config.digest")]
    public Digest? ConfigDigest { get; init; }

    [JsonPropertyName("containerimage.descriptor")]
    public required Descriptor Descriptor { get; init; }

    /// <summary>Its names, with commas between.</summary>
    [JsonPropertyName("image.name")]
    public required string Name { get; init; }

    /// <summary>With commas between.</summary>
    [JsonPropertyName("ingot.platform")]
    public required string Platform { get; init; }
}

/// <summary>Writes the files that a build is asked for.</summary>
internal static class BuildFiles
{
    private static readonly BuildMetadataJson s_json = new(new JsonSerializerOptions
    {
        WriteIndented = true,
        IndentSize = 2,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });

    /// <summary>Writes them, each whole or not at all.</summary>
    public static void Write(BuildOutputs wanted, IReadOnlyList<ProjectImage> results)
    {
        if (wanted.IdFile is { } file)
            Write(file, System.Text.Encoding.ASCII.GetBytes(results[0].Descriptor.Digest.ToString()), "--iidfile");
        // Of several images one document each, by name: what 'docker buildx bake' writes.
        if (wanted.MetadataFile is { } metadata)
            Write(metadata, Json(results), "--metadata-file");
    }

    private static byte[] Json(IReadOnlyList<ProjectImage> results) => results is [var one]
        ? JsonSerializer.SerializeToUtf8Bytes(Of(one), s_json.BuildMetadata)
        : JsonSerializer.SerializeToUtf8Bytes(results.ToDictionary(r => r.Name, Of), s_json.DictionaryStringBuildMetadata);

    private static BuildMetadata Of(ProjectImage result)
    {
        var platforms = result.Parts.Select(ProjectImage.PlatformOf).ToList();
        return new BuildMetadata
        {
            Digest = result.Descriptor.Digest,
            ConfigDigest = result.Parts is [var image] ? image.Manifest.Config.Digest : null,
            Descriptor = result.Descriptor with { Platform = platforms is [var platform] ? platform : null },
            Name = string.Join(',', result.Names),
            Platform = string.Join(',', platforms),
        };
    }

    private static void Write(string path, byte[] bytes, string option)
    {
        try
        {
            using var file = OutputFile.Open(path);
            file.Stream.Write(bytes);
            file.Finish();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidInputException("output", $"'{option} {path}' cannot be written: {e.Message}",
                "name a file in a directory that exists");
        }
    }
}

[JsonSerializable(typeof(BuildMetadata))]
[JsonSerializable(typeof(Dictionary<string, BuildMetadata>))]
internal sealed partial class BuildMetadataJson : JsonSerializerContext;
