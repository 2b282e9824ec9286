using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Builds;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Layers.Compression;
using Ingot.Plans;
using Ingot.Templates.Project;

namespace Ingot.Projects.Recipes;

/// <summary>What it takes to build an image again, beside its sources: kept on the host for every image that was built there.</summary>
public sealed record BuildRecipe
{
    private const string NoNetwork = "none";

    /// <summary>The project's name.</summary>
    [JsonPropertyName("project")]
    public required string Project { get; init; }

    /// <summary>The image's name in the project.</summary>
    [JsonPropertyName("image")]
    public required string Image { get; init; }

    /// <summary>For an image that belongs to no project: the Dockerfile, from the directory it was built in.</summary>
    [JsonPropertyName("dockerfile")]
    public string? Dockerfile { get; init; }

    /// <summary>For an image that belongs to no project: its context, from the same directory.</summary>
    [JsonPropertyName("context")]
    public string? Context { get; init; }

    /// <summary>The stage of the template that is the image; null for the last.</summary>
    [JsonPropertyName("target")]
    public string? Target { get; init; }

    /// <summary>Build arguments that were given beside the project.</summary>
    [JsonPropertyName("arguments")]
    public IReadOnlyList<KeyValuePair<string, string>> Arguments { get; init; } = [];

    /// <summary>Labels that were given beside the template.</summary>
    [JsonPropertyName("labels")]
    public IReadOnlyList<KeyValuePair<string, string>> Labels { get; init; } = [];

    /// <summary>Contexts that were given, by name.</summary>
    [JsonPropertyName("contexts")]
    public IReadOnlyDictionary<string, string> Contexts { get; init; } = new Dictionary<string, string>();

    /// <summary>What the image was built for.</summary>
    [JsonPropertyName("platform")]
    public required string Platform { get; init; }

    /// <summary>The epochs of the images of the project that were built, in seconds since 1970, by name: one may start from
    /// another.</summary>
    [JsonPropertyName("epochs")]
    public required IReadOnlyDictionary<string, long> Epochs { get; init; }

    /// <summary>Names of rules that the command line switched off.</summary>
    [JsonPropertyName("rules_off")]
    public IReadOnlyList<string> RulesOff { get; init; } = [];

    /// <summary>The packages that bootstraps of the project installed, by image.</summary>
    [JsonPropertyName("bootstraps")]
    public required IReadOnlyDictionary<string, IReadOnlyList<InstalledPackage>> Bootstraps { get; init; }

    /// <summary>What compressed the layers.</summary>
    [JsonPropertyName("codec")]
    public required string Codec { get; init; }

    /// <summary>The digest of the template.</summary>
    [JsonPropertyName("template")]
    public required Digest Template { get; init; }

    /// <summary>The digest of the project's file; null for an image that belongs to no project, and in records of earlier
    /// versions.</summary>
    [JsonPropertyName("project_file")]
    public Digest? ProjectFile { get; init; }

    /// <summary>The commit of the sources; null when they were in no repository.</summary>
    [JsonPropertyName("commit")]
    public string? Commit { get; init; }

    /// <summary>Whether files differed from the commit.</summary>
    [JsonPropertyName("dirty")]
    public bool IsDirty { get; init; }

    /// <summary>Where the commit can be had, without user and password; null when that is not known.</summary>
    [JsonPropertyName("remote")]
    public string? Remote { get; init; }

    /// <summary>Where the project is in its working tree: with a slash at the end, or empty for the top; null in records of earlier
    /// versions.</summary>
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

    /// <summary>When the build started.</summary>
    [JsonPropertyName("started")]
    public DateTimeOffset? Started { get; init; }

    /// <summary>When the image was in the store.</summary>
    [JsonPropertyName("finished")]
    public DateTimeOffset? Finished { get; init; }

    /// <summary>The version of Ingot that built it; null in records of earlier versions, which have no place for what stands
    /// above.</summary>
    [JsonPropertyName("ingot")]
    public string? Ingot { get; init; }

    /// <summary>The recipe of an image that was just built.</summary>
    public static BuildRecipe Of(ProjectHost host, ProjectDefinition project, Plan plan, BuiltImage built, BuildOptions options)
    {
        var definition = project.Images.First(i => i.Name == built.Name);
        var record = host.FrontEnds.Of(definition).Record;
        // A repository is somewhere else each time that it is fetched.
        var template = options.Repository is { } repository ? record.Moved(p => Within(repository, p, plan.Directory)) : record;
        return new BuildRecipe
        {
            Project = project.Name,
            Image = built.Name,
            Dockerfile = project.IsOfFile ? null : template.File,
            Context = project.IsOfFile ? null : template.Context,
            Target = template.Target,
            Arguments = options.Plan.Arguments,
            Labels = options.Plan.Labels,
            Contexts = options.Plan.Contexts,
            Platform = options.Plan.Platform.ToString(),
            Epochs = EpochsOf(plan),
            RulesOff = options.RulesOff,
            Bootstraps = built.Record.Bootstraps.ToDictionary(b => b.Image, b => b.Packages),
            Codec = built.Record.Codec,
            Template = built.Record.Template,
            ProjectFile = project.IsOfFile ? Digest.Of(Encoding.UTF8.GetBytes(project.Source.Text)) : null,
            Commit = built.Record.Source?.Commit,
            IsDirty = built.Record.Source?.IsDirty == true,
            Remote = built.Record.Source?.Remote,
            Prefix = built.Record.Source?.Prefix,
            Directory = plan.Directory,
            Bases = BasesOf(plan, built),
            Secrets = Used<StepMount.Secret>(plan, built, options.Access.Secrets.Keys, m => m.Id),
            SshAgents = Used<StepMount.Ssh>(plan, built, options.Access.SshAgents.Keys, m => m.Id),
            Allow = [.. Steps(plan, built).OfType<RunStep>().SelectMany(Rights).Distinct().Order(StringComparer.Ordinal)],
            Network = options.Plan.Run.Network switch { StepNetwork.None => NoNetwork, StepNetwork.Host => "host", _ => null },
            Hosts = options.Plan.Run.Hosts,
            SharedMemory = options.Plan.Run.SharedMemory,
            Limits = [.. options.Plan.Run.Limits.Select(l => l.ToString())],
            Annotations = options.Annotations,
            ExemptSecrets =
            [
                .. options.Access.ExemptSecrets.Union(project.ExemptSecrets).Intersect(options.Access.Secrets.Keys)
                    .Order(StringComparer.Ordinal),
            ],
            Version = definition.Version,
            Given = built.Record.Arguments,
            Rules = built.Record.Rules,
            AllRulesOff = built.Record.RulesOff,
            Materials = built.Record.Materials,
            Started = built.Record.Started,
            Finished = built.Record.Finished,
            Ingot = host.Version,
        };
    }

    /// <summary>How the image is built again: from the same bases, with the same packages, time and codec, and no result of the
    /// cache.</summary>
    /// <param name="access">What steps may use now; values are in no record.</param>
    public BuildOptions Again(StepAccess access) => new()
    {
        Targets = [Image],
        Plan = new PlanOptions
        {
            Arguments = Arguments,
            Labels = Labels,
            Contexts = Contexts,
            Platform = BuiltFor,
            Run = Run(),
        },
        Platforms = [BuiltFor],
        Access = access with { ExemptSecrets = [.. ExemptSecrets, .. access.ExemptSecrets] },
        Caches = new CacheOptions { NoCache = true },
        Pins = new BuildPins { Bases = Bases, Bootstraps = Bootstraps, Epochs = Epochs, Source = Source },
        RulesOff = RulesOff,
        Annotations = Annotations,
        Compression = LayerCompression.Find(Codec.Split(' ')[0])
            ?? throw new InvalidInputException("codec", $"the image was compressed with '{Codec}', which is not known here"),
        Names = false,
    };

    private Platform BuiltFor => global::Ingot.Oci.Content.Platform.TryParse(Platform) ?? global::Ingot.Oci.Content.Platform.Host;

    private SourceRevision? Source => Commit is { } commit ? new SourceRevision(commit, IsDirty, Remote) { Prefix = Prefix ?? "" } : null;

    private RunSettings Run() => new()
    {
        Network = Network switch { null => StepNetwork.Default, NoNetwork => StepNetwork.None, _ => StepNetwork.Host },
        Hosts = Hosts,
        SharedMemory = SharedMemory,
        Limits = [.. Limits.Select(StepLimit.TryParse).OfType<StepLimit>()],
    };

    private static string Within(string repository, string path, string directory) =>
        path == PlanSettings.StandardInputName ? path : Path.GetRelativePath(repository, Path.GetFullPath(path, directory));

    private static Dictionary<string, long> EpochsOf(Plan plan) => plan.Stages
        .Where(s => s.Epoch is not null)
        .GroupBy(s => s.Image)
        .ToDictionary(g => g.Key, g => g.First().Epoch!.Value.ToUnixTimeSeconds());

    // Also those of images of the project that it starts from.
    private static Dictionary<string, Digest> BasesOf(Plan plan, BuiltImage built)
    {
        var bases = built.Record.Bases.DistinctBy(b => b.Name).ToDictionary(b => b.Name, b => b.Digest);
        foreach (var image in StagesOf(plan, built).SelectMany(Trees).OfType<TreeSource.Image>())
            bases.TryAdd(image.Reference, image.Manifest);
        return bases;
    }

    private static IEnumerable<TreeSource> Trees(PlannedStage stage) =>
    [
        stage.Base,
        .. stage.Steps.OfType<CopyStep>().Select(s => s.From),
        .. stage.Steps.OfType<RunStep>().SelectMany(s => s.Mounts).OfType<StepMount.Bind>().Select(m => m.From),
    ];

    private static IReadOnlyList<string> Used<T>(Plan plan, BuiltImage built, IEnumerable<string> given, Func<T, string> id)
        where T : StepMount =>
        [.. Steps(plan, built).OfType<RunStep>().SelectMany(s => s.Mounts).OfType<T>()
            .Select(id).Intersect(given).Order(StringComparer.Ordinal)];

    private static IEnumerable<string> Rights(RunStep step)
    {
        if (step.Insecure)
            yield return StepAccess.InsecureEntitlement;
        if (step.Network == StepNetwork.Host)
            yield return StepAccess.HostNetworkEntitlement;
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
    public static async Task<BuildRecipe?> FindAsync(ProjectPlaces places, Digest image, CancellationToken cancellationToken)
    {
        string path = PathOf(places, image);
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
    public async Task SaveAsync(ProjectPlaces places, Digest image, CancellationToken cancellationToken)
    {
        string path = PathOf(places, image);
        if (File.Exists(path)
            && (!IsOfCommit || await FindAsync(places, image, cancellationToken) is { IsOfCommit: true, Ingot: not null }))
            return;

        System.IO.Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        AtomicFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(this, BuildRecipeJson.Default.BuildRecipe));
    }

    private bool IsOfCommit => Commit is not null && !IsDirty;

    /// <summary>Where the recipe of an image is kept.</summary>
    public static string PathOf(ProjectPlaces places, Digest image) => Path.Combine(places.Recipes, image.Hex + ".json");
}

[JsonSerializable(typeof(BuildRecipe))]
internal sealed partial class BuildRecipeJson : JsonSerializerContext;
