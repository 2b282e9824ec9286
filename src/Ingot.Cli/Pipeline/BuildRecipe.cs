using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Builds;
using Ingot.Cli.Commands;
using Ingot.Oci.Content;
using Ingot.Plans;
using Ingot.Templates.Project;

namespace Ingot.Cli.Pipeline;

/// <summary>What it takes to build an image again, beside its sources: kept on the host for every image that was built there.</summary>
internal sealed record BuildRecipe
{
    [JsonPropertyName("project")]
    public required string Project { get; init; }

    [JsonPropertyName("image")]
    public required string Image { get; init; }

    /// <summary>For an image that belongs to no project: the Dockerfile, from the directory it was built in.</summary>
    [JsonPropertyName("dockerfile")]
    public string? Dockerfile { get; init; }

    [JsonPropertyName("context")]
    public string? Context { get; init; }

    [JsonPropertyName("target")]
    public string? Target { get; init; }

    [JsonPropertyName("arguments")]
    public IReadOnlyList<KeyValuePair<string, string>> Arguments { get; init; } = [];

    [JsonPropertyName("labels")]
    public IReadOnlyList<KeyValuePair<string, string>> Labels { get; init; } = [];

    [JsonPropertyName("contexts")]
    public IReadOnlyDictionary<string, string> Contexts { get; init; } = new Dictionary<string, string>();

    [JsonPropertyName("platform")]
    public required string Platform { get; init; }

    /// <summary>The epochs of the images of the project that were built, in seconds since 1970, by name: one may start from another.</summary>
    [JsonPropertyName("epochs")]
    public required IReadOnlyDictionary<string, long> Epochs { get; init; }

    /// <summary>Names of rules that the command line switched off.</summary>
    [JsonPropertyName("rules_off")]
    public IReadOnlyList<string> RulesOff { get; init; } = [];

    /// <summary>The packages that bootstraps of the project installed, by image.</summary>
    [JsonPropertyName("bootstraps")]
    public required IReadOnlyDictionary<string, IReadOnlyList<InstalledPackage>> Bootstraps { get; init; }

    [JsonPropertyName("codec")]
    public required string Codec { get; init; }

    [JsonPropertyName("template")]
    public required Digest Template { get; init; }

    [JsonPropertyName("commit")]
    public string? Commit { get; init; }

    /// <summary>Whether files differed from the commit.</summary>
    [JsonPropertyName("dirty")]
    public bool IsDirty { get; init; }

    /// <summary>Where the project was: absolute.</summary>
    [JsonPropertyName("directory")]
    public required string Directory { get; init; }

    /// <summary>Images that it starts from, by the names its template has for them.</summary>
    [JsonPropertyName("bases")]
    public IReadOnlyDictionary<string, Digest> Bases { get; init; } = new Dictionary<string, Digest>();

    /// <summary>The recipe of an image that was just built.</summary>
    public static BuildRecipe Of(ProjectDefinition project, Plan plan, BuiltImage built, BuildOptions options, string directory)
    {
        var definition = project.Images.First(i => i.Name == built.Name);
        var single = project.Source.Name == ProjectDefinition.FileName ? null : definition as DockerfileImage;
        return new BuildRecipe
        {
            Project = project.Name,
            Image = built.Name,
            Dockerfile = single?.Dockerfile,
            Context = single?.Context,
            Target = (definition as DockerfileImage)?.Target,
            Arguments = options.Arguments,
            Labels = options.Labels,
            Contexts = options.Contexts,
            Platform = options.Platform.ToString(),
            Epochs = ImageEpochs.Of(plan),
            RulesOff = options.RulesOff,
            Bootstraps = built.Record.Bootstraps.ToDictionary(b => b.Image, b => b.Packages),
            Codec = built.Record.Codec,
            Template = built.Record.Template,
            Commit = built.Record.Source?.Commit,
            IsDirty = built.Record.Source?.IsDirty == true,
            Directory = Path.GetFullPath(directory),
            Bases = built.Record.Bases.ToDictionary(b => b.Name, b => b.Digest),
        };
    }

    /// <summary>The recipe of an image; null when it was not built here.</summary>
    public static async Task<BuildRecipe?> FindAsync(Home home, Digest image, CancellationToken cancellationToken)
    {
        string path = PathOf(home, image);
        if (!File.Exists(path))
            return null;

        try
        {
            return JsonSerializer.Deserialize(await File.ReadAllBytesAsync(path, cancellationToken), BuildRecipeJson.Default.BuildRecipe);
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            return null;
        }
    }

    /// <summary>Keeps the recipe of an image; the first that made it stays.</summary>
    public void Save(Home home, Digest image)
    {
        string path = PathOf(home, image);
        if (File.Exists(path))
            return;

        System.IO.Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        AtomicFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(this, BuildRecipeJson.Default.BuildRecipe));
    }

    private static string PathOf(Home home, Digest image) => Path.Combine(home.Recipes, image.Hex + ".json");
}

[JsonSerializable(typeof(BuildRecipe))]
internal sealed partial class BuildRecipeJson : JsonSerializerContext;
