using System.Text;
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
    private const string NoNetwork = "none";

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

    /// <summary>The digest of the project's file; null for an image that belongs to no project, and in records of earlier versions.</summary>
    [JsonPropertyName("project_file")]
    public Digest? ProjectFile { get; init; }

    [JsonPropertyName("commit")]
    public string? Commit { get; init; }

    /// <summary>Whether files differed from the commit.</summary>
    [JsonPropertyName("dirty")]
    public bool IsDirty { get; init; }

    /// <summary>Where the commit can be had, without user and password; null when that is not known.</summary>
    [JsonPropertyName("remote")]
    public string? Remote { get; init; }

    /// <summary>Where the project is in its working tree: with a slash at the end, or empty for the top; null in records of earlier versions.</summary>
    [JsonPropertyName("prefix")]
    public string? Prefix { get; init; }

    /// <summary>Where the project was: absolute; null for a build of another host.</summary>
    [JsonPropertyName("directory")]
    public string? Directory { get; init; }

    /// <summary>Images that it starts from, by the names its template has for them.</summary>
    [JsonPropertyName("bases")]
    public IReadOnlyDictionary<string, Digest> Bases { get; init; } = new Dictionary<string, Digest>();

    /// <summary>Secrets that were given and that steps mount, by id.</summary>
    [JsonPropertyName("secrets")]
    public IReadOnlyList<string> Secrets { get; init; } = [];

    /// <summary>SSH agents that were given and that steps mount, by id.</summary>
    [JsonPropertyName("ssh")]
    public IReadOnlyList<string> SshAgents { get; init; } = [];

    /// <summary>Rights that steps used.</summary>
    [JsonPropertyName("allow")]
    public IReadOnlyList<string> Allow { get; init; } = [];

    /// <summary>The network of commands that name none; null for the usual.</summary>
    [JsonPropertyName("network")]
    public string? Network { get; init; }

    /// <summary>Further lines of <c>/etc/hosts</c> that commands had.</summary>
    [JsonPropertyName("hosts")]
    public IReadOnlyList<string> Hosts { get; init; } = [];

    /// <summary>The size of <c>/dev/shm</c> in bytes; null for the usual.</summary>
    [JsonPropertyName("shared_memory")]
    public long? SharedMemory { get; init; }

    /// <summary>Limits of processes, as <c>name=soft:hard</c>.</summary>
    [JsonPropertyName("limits")]
    public IReadOnlyList<string> Limits { get; init; } = [];

    /// <summary>Annotations of the manifest.</summary>
    [JsonPropertyName("annotations")]
    public IReadOnlyList<KeyValuePair<string, string>> Annotations { get; init; } = [];

    /// <summary>Secrets that were given and whose values were not looked for, being ordinary words.</summary>
    [JsonPropertyName("exempt_secrets")]
    public IReadOnlyList<string> ExemptSecrets { get; init; } = [];

    /// <summary>What commands ran with.</summary>
    [JsonIgnore]
    public RunSettings Run => new()
    {
        Network = Network switch { null => StepNetwork.Default, NoNetwork => StepNetwork.None, _ => StepNetwork.Host },
        Hosts = Hosts,
        SharedMemory = SharedMemory,
        Limits = [.. Limits.Select(StepLimit.TryParse).OfType<StepLimit>()],
    };

    /// <summary>The image's version in the project; null for none.</summary>
    [JsonPropertyName("version")]
    public string? Version { get; init; }

    /// <summary>The build arguments the image got, those of the project included.</summary>
    [JsonPropertyName("given")]
    public IReadOnlyList<KeyValuePair<string, string>> Given { get; init; } = [];

    /// <summary>The rules that changed something, as <c>name@version</c>.</summary>
    [JsonPropertyName("rules")]
    public IReadOnlyList<string> Rules { get; init; } = [];

    /// <summary>Names of all rules that were off, also by the project.</summary>
    [JsonPropertyName("all_rules_off")]
    public IReadOnlyList<string> AllRulesOff { get; init; } = [];

    /// <summary>What was fetched from web servers and repositories.</summary>
    [JsonPropertyName("materials")]
    public IReadOnlyList<Material> Materials { get; init; } = [];

    [JsonPropertyName("started")]
    public DateTimeOffset? Started { get; init; }

    [JsonPropertyName("finished")]
    public DateTimeOffset? Finished { get; init; }

    /// <summary>The version of Ingot that built it; null in records of earlier versions, which have no place for what stands above.</summary>
    [JsonPropertyName("ingot")]
    public string? Ingot { get; init; }

    /// <summary>The recipe of an image that was just built.</summary>
    public static BuildRecipe Of(ProjectDefinition project, Plan plan, BuiltImage built, BuildOptions options, string directory)
    {
        var definition = project.Images.First(i => i.Name == built.Name);
        var single = project.IsOfFile ? null : definition as DockerfileImage;
        return new BuildRecipe
        {
            Project = project.Name,
            Image = built.Name,
            Dockerfile = single is null ? null : InRepository(single.Dockerfile, options, directory),
            Context = single is null ? null : InRepository(single.Context, options, directory),
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
            ProjectFile = project.IsOfFile ? Digest.Of(Encoding.UTF8.GetBytes(project.Source.Text)) : null,
            Commit = built.Record.Source?.Commit,
            IsDirty = built.Record.Source?.IsDirty == true,
            Remote = built.Record.Source?.Remote,
            Prefix = built.Record.Source?.Prefix,
            Directory = Path.GetFullPath(directory),
            Bases = BasesOf(plan, built),
            Secrets = Used<StepMount.Secret>(plan, built, options.Secrets.Keys, m => m.Id),
            SshAgents = Used<StepMount.Ssh>(plan, built, options.SshAgents.Keys, m => m.Id),
            Allow = [.. Steps(plan, built).OfType<RunStep>().SelectMany(Rights).Distinct().Order(StringComparer.Ordinal)],
            Network = options.Run.Network switch { StepNetwork.None => NoNetwork, StepNetwork.Host => "host", _ => null },
            Hosts = options.Run.Hosts,
            SharedMemory = options.Run.SharedMemory,
            Limits = [.. options.Run.Limits.Select(l => l.ToString())],
            Annotations = options.Annotations,
            ExemptSecrets = [.. options.ExemptSecrets.Union(project.ExemptSecrets).Intersect(options.Secrets.Keys).Order(StringComparer.Ordinal)],
            Version = definition.Version,
            Given = built.Record.Arguments,
            Rules = built.Record.Rules,
            AllRulesOff = built.Record.RulesOff,
            Materials = built.Record.Materials,
            Started = built.Record.Started,
            Finished = built.Record.Finished,
            Ingot = Application.Version,
        };
    }

    // A repository is somewhere else each time that it is fetched.
    private static string InRepository(string path, BuildOptions options, string directory) =>
        options.Repository is { } repository && path != PlanSettings.StandardInputName
            ? Path.GetRelativePath(repository, Path.GetFullPath(path, directory))
            : path;

    // Also those of images of the project that it starts from.
    private static Dictionary<string, Digest> BasesOf(Plan plan, BuiltImage built)
    {
        var bases = built.Record.Bases.DistinctBy(b => b.Name).ToDictionary(b => b.Name, b => b.Digest);
        foreach (var image in StagesOf(plan, built).SelectMany(Trees).OfType<TreeSource.Image>())
            bases.TryAdd(image.Reference, image.Manifest);
        return bases;
    }

    private static IEnumerable<TreeSource> Trees(PlannedStage stage) =>
        [stage.Base, .. stage.Steps.OfType<CopyStep>().Select(s => s.From), .. stage.Steps.OfType<RunStep>().SelectMany(s => s.Mounts).OfType<StepMount.Bind>().Select(m => m.From)];

    private static IReadOnlyList<string> Used<T>(Plan plan, BuiltImage built, IEnumerable<string> given, Func<T, string> id)
        where T : StepMount =>
        [.. Steps(plan, built).OfType<RunStep>().SelectMany(s => s.Mounts).OfType<T>().Select(id).Intersect(given).Order(StringComparer.Ordinal)];

    private static IEnumerable<string> Rights(RunStep step)
    {
        if (step.Insecure)
            yield return StepAccessSymbols.InsecureEntitlement;
        if (step.Network == StepNetwork.Host)
            yield return StepAccessSymbols.HostNetworkEntitlement;
    }

    private static IEnumerable<Step> Steps(Plan plan, BuiltImage built) => StagesOf(plan, built).SelectMany(s => s.Steps);

    // The image's stages and those it uses.
    private static IEnumerable<PlannedStage> StagesOf(Plan plan, BuiltImage built)
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        var next = new Queue<string>([plan.Images.First(i => i.Name == built.Name).Stage]);
        while (next.TryDequeue(out var name))
        {
            if (!found.Add(name))
                continue;
            foreach (var used in plan.Stage(name).Uses)
                next.Enqueue(used);
        }

        return found.Select(plan.Stage);
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

    /// <summary>Keeps the recipe of an image; the first that made it stays, unless nobody else could repeat that one.</summary>
    public async Task SaveAsync(Home home, Digest image, CancellationToken cancellationToken)
    {
        string path = PathOf(home, image);
        if (File.Exists(path) && (!IsOfCommit || await FindAsync(home, image, cancellationToken) is { IsOfCommit: true, Ingot: not null }))
            return;

        System.IO.Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        AtomicFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(this, BuildRecipeJson.Default.BuildRecipe));
    }

    private bool IsOfCommit => Commit is not null && !IsDirty;

    /// <summary>Where the recipe of an image is kept.</summary>
    public static string PathOf(Home home, Digest image) => Path.Combine(home.Recipes, image.Hex + ".json");
}

[JsonSerializable(typeof(BuildRecipe))]
internal sealed partial class BuildRecipeJson : JsonSerializerContext;
