using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Builds;
using Ingot.Builds.Running;
using Ingot.Diagnostics;
using Ingot.Evidence.Provenance;
using Ingot.Oci.Content;
using Ingot.Plans;
using Ingot.Policies;
using Ingot.Templates.Project;

namespace Ingot.Projects.Recipes;

/// <summary>Says in SLSA's words how an image was built, and reads back what it takes to build it again. Nothing in it is of the host:
/// directories are those of the repository.</summary>
public static class BuildProvenance
{
    private const string BuildType = ProjectBuild.BuildType;
    private const string Outside = "(outside of the repository)";
    private const string GitScheme = "git+";
    private const string CommitAlgorithm = ProjectBuild.CommitAlgorithm;
    private const string KindKey = ProjectBuild.KindKey, BootstrapKey = "bootstrap", ArchitectureKey = "architecture",
        VersionKey = "version";
    private const string Template = "template", Source = ProjectBuild.SourceKind, Base = "base", Package = "package";

    /// <summary>The provenance of an image that was built on this host; <paramref name="version"/> is that of Ingot for records that do not
    /// say it.</summary>
    public static SlsaProvenance Of(BuildRecipe recipe, string version) => new()
    {
        BuildDefinition = new BuildDefinition
        {
            BuildType = BuildType,
            ExternalParameters = JsonSerializer.SerializeToElement(AskedOf(recipe), BuildProvenanceJson.Default.AskedParameters),
            InternalParameters = JsonSerializer.SerializeToElement(ChosenOf(recipe), BuildProvenanceJson.Default.ChosenParameters),
            ResolvedDependencies = [.. DependenciesOf(recipe)],
        },
        RunDetails = new RunDetails
        {
            Builder = new ProvenanceBuilder
            {
                Id = BuiltInGates.Builder,
                Version = new(StringComparer.Ordinal) { ["ingot"] = recipe.Ingot ?? version },
            },
            Metadata = new RunMetadata { StartedOn = recipe.Started, FinishedOn = recipe.Finished },
        },
    };

    /// <summary>What it takes to build <paramref name="image"/> again; throws with what is lacking.</summary>
    public static BuildRecipe Read(SlsaProvenance provenance, string image)
    {
        var definition = provenance.BuildDefinition;
        if (definition.BuildType != BuildType)
        {
            throw Lacking(image,
                $"it says '{provenance.RunDetails.Builder.Id}' built it as '{definition.BuildType}', which is not a build by Ingot");
        }

        try
        {
            var asked = definition.ExternalParameters.Deserialize(BuildProvenanceJson.Default.AskedParameters);
            var chosen = definition.InternalParameters?.Deserialize(BuildProvenanceJson.Default.ChosenParameters);
            if (asked is null || chosen is null)
                throw Lacking(image, "it has no parameters");
            Check(image, asked, chosen, definition);
            return RecipeOf(asked, chosen, provenance);
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw Lacking(image, $"its parameters are not those of this version of Ingot: {IngotException.ReasonOf(e)}");
        }
    }

    private static AskedParameters AskedOf(BuildRecipe recipe) => new()
    {
        Project = recipe.Project,
        Image = recipe.Image,
        Version = recipe.Version,
        Directory = recipe.Prefix is { Length: > 0 } prefix ? prefix.TrimEnd('/') : ".",
        Dockerfile = recipe.Dockerfile,
        Context = recipe.Context is null || IsInside(recipe, recipe.Context) ? recipe.Context : Outside,
        Target = recipe.Target,
        Platform = recipe.Platform,
        Arguments = Pairs(recipe.Arguments),
        Labels = Pairs(recipe.Labels),
        Contexts = recipe.Contexts.Count == 0
            ? null
            : new(recipe.Contexts.ToDictionary(c => c.Key, c => ContextOf(recipe, c.Value)), StringComparer.Ordinal),
        RulesOff = NotEmpty(recipe.RulesOff),
        Secrets = NotEmpty(recipe.Secrets),
        SshAgents = NotEmpty(recipe.SshAgents),
        Allow = NotEmpty(recipe.Allow),
        Network = recipe.Network,
        Hosts = NotEmpty(recipe.Hosts),
        SharedMemory = recipe.SharedMemory,
        Limits = NotEmpty(recipe.Limits),
        Annotations = Pairs(recipe.Annotations),
        ExemptSecrets = NotEmpty(recipe.ExemptSecrets),
    };

    private static ChosenParameters ChosenOf(BuildRecipe recipe) => new()
    {
        Epochs = new(recipe.Epochs.ToDictionary(), StringComparer.Ordinal),
        Codec = recipe.Codec,
        Arguments = Pairs(recipe.Given),
        Rules = NotEmpty(recipe.Rules),
        RulesOff = NotEmpty(recipe.AllRulesOff),
        IsDirty = recipe.IsDirty ? true : null,
    };

    private static IEnumerable<ResourceDescriptor> DependenciesOf(BuildRecipe recipe)
    {
        yield return OfKind(Template, ResourceDescriptor.Of(Template, recipe.Template));
        if (recipe.ProjectFile is { } file)
            yield return OfKind(ProjectBuild.FileKind, ResourceDescriptor.Of(ProjectDefinition.FileName, file));
        if (recipe.Commit is { } commit)
            yield return OfKind(Source, OfCommit(Source, AddressOf(recipe.Remote), commit));
        foreach (var (name, digest) in recipe.Bases.OrderBy(b => b.Key, StringComparer.Ordinal))
            yield return OfKind(Base, ResourceDescriptor.Of(name, digest));
        foreach (var material in recipe.Materials)
            yield return OfKind("material", Fetched(material));
        foreach (var (image, packages) in recipe.Bootstraps.OrderBy(b => b.Key, StringComparer.Ordinal))
        {
            foreach (var package in packages)
                yield return OfKind(Package, ResourceDescriptor.Of(package.Name, package.Digest), (BootstrapKey, image),
                    (ArchitectureKey, package.Architecture), (VersionKey, package.Version));
        }
    }

    private static ResourceDescriptor OfKind(
        string kind, ResourceDescriptor descriptor, params ReadOnlySpan<(string Key, string Value)> notes)
    {
        var annotations = new SortedDictionary<string, string>(StringComparer.Ordinal) { [KindKey] = kind };
        foreach (var (key, value) in notes)
            annotations[key] = value;
        return descriptor with { Annotations = annotations };
    }

    // A file is known by its digest, a repository by its commit.
    private static ResourceDescriptor Fetched(Material material) => Digest.TryParse(material.Identity, out var digest)
        ? ResourceDescriptor.Of(material.Address, digest, material.Address)
        : OfCommit(material.Address, GitScheme + material.Address, material.Identity);

    private static ResourceDescriptor OfCommit(string name, string? address, string commit) =>
        new() { Name = name, Uri = address, Digest = new(StringComparer.Ordinal) { [CommitAlgorithm] = commit } };

    private static void Check(string image, AskedParameters asked, ChosenParameters chosen, BuildDefinition definition)
    {
        if (chosen.IsDirty == true)
            throw Lacking(image, "the build was made from a modified tree, which nobody can repeat");
        if (!definition.ResolvedDependencies.Any(d => Is(d, Source)))
            throw Lacking(image, "the build was made from a directory in no repository, which nobody can repeat");
        if (asked.Dockerfile == PlanSettings.StandardInputName)
            throw Lacking(image, "its Dockerfile came from standard input, and is not available anywhere");
        if (asked.Context == Outside)
            throw Lacking(image, "its context lay outside of the repository");
        if (asked.Contexts?.FirstOrDefault(c => c.Value == Outside) is { Key: { } name })
            throw Lacking(image, $"the context '{name}' was a directory outside of the repository");
    }

    private static BuildRecipe RecipeOf(AskedParameters asked, ChosenParameters chosen, SlsaProvenance provenance)
    {
        var dependencies = provenance.BuildDefinition.ResolvedDependencies;
        var source = dependencies.First(d => Is(d, Source));
        return new BuildRecipe
        {
            Project = asked.Project,
            Image = asked.Image,
            Version = asked.Version,
            Dockerfile = Within(asked, asked.Dockerfile),
            Context = Within(asked, asked.Context),
            Target = asked.Target,
            Arguments = Pairs(asked.Arguments),
            Labels = Pairs(asked.Labels),
            Contexts = (asked.Contexts ?? []).ToDictionary(c => c.Key, c => IsAddress(c.Value) ? c.Value : Within(asked, c.Value)!),
            Platform = asked.Platform,
            Epochs = chosen.Epochs,
            RulesOff = asked.RulesOff ?? [],
            Bootstraps = dependencies.Where(d => Is(d, Package)).GroupBy(d => Note(d, BootstrapKey))
                .ToDictionary(g => g.Key, g => (IReadOnlyList<InstalledPackage>)[.. g.Select(PackageOf)]),
            Codec = chosen.Codec,
            Template = DigestOf(dependencies.First(d => Is(d, Template))),
            ProjectFile = dependencies.FirstOrDefault(d => Is(d, ProjectBuild.FileKind)) is { } file ? DigestOf(file) : null,
            Commit = source.Digest?.GetValueOrDefault(CommitAlgorithm) is { } commit && IsCommit(commit)
                ? commit
                : throw new FormatException("its source is not a commit"),
            Remote = source.Uri?.StartsWith(GitScheme, StringComparison.Ordinal) == true ? source.Uri[GitScheme.Length..] : null,
            Prefix = Within(asked, ".") == "." && asked.Directory != "." ? asked.Directory + "/" : "",
            Bases = dependencies.Where(d => Is(d, Base)).DistinctBy(d => d.Name).ToDictionary(d => d.Name ?? "", DigestOf),
            Secrets = asked.Secrets ?? [],
            SshAgents = asked.SshAgents ?? [],
            Allow = asked.Allow ?? [],
            Network = asked.Network is null or "none" or "host" ? asked.Network
                : throw new FormatException($"'{asked.Network}' is not a network"),
            Hosts = (asked.Hosts ?? []).All(IsOneLine) ? asked.Hosts ?? [] : throw new FormatException("a line of /etc/hosts is several"),
            SharedMemory = asked.SharedMemory is null or > 0 ? asked.SharedMemory
                : throw new FormatException("the shared memory has no size"),
            Limits = (asked.Limits ?? []).All(l => StepLimit.TryParse(l) is not null) ? asked.Limits ?? []
                : throw new FormatException("a limit of processes is none"),
            Annotations = Pairs(asked.Annotations),
            ExemptSecrets = asked.ExemptSecrets ?? [],
            Ingot = provenance.RunDetails.Builder.Version?.GetValueOrDefault("ingot"),
        };
    }

    private static bool IsOneLine(string text) => !text.AsSpan().ContainsAny('\n', '\r', '\0');

    private static InstalledPackage PackageOf(ResourceDescriptor descriptor) =>
        new(descriptor.Name ?? throw new FormatException("a package has no name"), Note(descriptor, ArchitectureKey),
            Note(descriptor, VersionKey), DigestOf(descriptor));

    private static bool Is(ResourceDescriptor descriptor, string kind) => descriptor.Annotations?.GetValueOrDefault(KindKey) == kind;

    private static string Note(ResourceDescriptor descriptor, string key) =>
        descriptor.Annotations?.GetValueOrDefault(key) ?? throw new FormatException($"'{descriptor.Name}' has no '{key}'");

    private static Digest DigestOf(ResourceDescriptor descriptor) =>
        Digest.TryParse("sha256:" + descriptor.Digest?.GetValueOrDefault("sha256"), out var digest)
            ? digest
            : throw new FormatException($"'{descriptor.Name}' has no digest");

    // Signed or not, a path must not lead out of the checkout.
    private static string? Within(AskedParameters asked, string? path)
    {
        if (path is null)
            return null;

        int depth = 0;
        foreach (string part in $"{asked.Directory}/{path}".Split('/'))
        {
            depth += part == ".." ? -1 : part is "." or "" ? 0 : 1;
            if (depth < 0)
                throw new FormatException($"'{path}' leads out of the repository");
        }

        return !Path.IsPathRooted(asked.Directory) && !Path.IsPathRooted(path)
            ? path
            : throw new FormatException($"'{path}' in '{asked.Directory}' is not a path in a repository");
    }

    private static bool IsAddress(string context) =>
        GitReference.TryParse(context) is not null || context.Contains("://", StringComparison.Ordinal);

    private static bool IsCommit(string text) => text.Length is 40 or 64 && text.All(char.IsAsciiHexDigitLower);

    private static string ContextOf(BuildRecipe recipe, string value)
    {
        if (IsAddress(value))
            return value;
        return IsInside(recipe, value) ? Path.GetRelativePath(recipe.Directory!, Path.GetFullPath(value, recipe.Directory!)) : Outside;
    }

    private static bool IsInside(BuildRecipe recipe, string path)
    {
        if (recipe.Directory is null || recipe.Prefix is null)
            return false;

        int depth = recipe.Prefix.Count(c => c == '/');
        string top = Path.GetFullPath(string.Concat(Enumerable.Repeat("../", depth)), recipe.Directory);
        string full = Path.GetFullPath(path, recipe.Directory);
        return full == top || full.StartsWith(top.TrimEnd('/') + "/", StringComparison.Ordinal);
    }

    // https://git-scm.com/docs/git-clone#_git_urls: a path, or host:path, is no address that a document can hold.
    private static string? AddressOf(string? remote)
    {
        if (remote is null || remote.Contains("://", StringComparison.Ordinal))
            return remote is null ? null : GitScheme + remote;
        if (remote.StartsWith('/'))
            return GitScheme + "file://" + remote;

        int colon = remote.IndexOf(':', StringComparison.Ordinal);
        return colon > 0 && !remote.AsSpan(0, colon).Contains('/')
            ? $"{GitScheme}ssh://{remote[..colon]}/{remote[(colon + 1)..].TrimStart('/')}"
            : null;
    }

    private static InvalidInputException Lacking(string image, string why) =>
        new("provenance-lacks", $"'{image}' cannot be built again from its provenance: {why}",
            "build it from a clean checkout of a commit, and push it again");

    private static IReadOnlyList<string>? Pairs(IReadOnlyList<KeyValuePair<string, string>> pairs) =>
        NotEmpty([.. pairs.Select(p => $"{p.Key}={p.Value}")]);

    private static IReadOnlyList<KeyValuePair<string, string>> Pairs(IReadOnlyList<string>? pairs) =>
        [.. (pairs ?? []).Select(Pair)];

    private static KeyValuePair<string, string> Pair(string text) => text.Split('=', 2) is [var name, var value]
        ? KeyValuePair.Create(name, value)
        : throw new FormatException($"'{text}' has no value");

    private static IReadOnlyList<string>? NotEmpty(IReadOnlyList<string> list) => list.Count == 0 ? null : list;
}

/// <summary>What a person asked for.</summary>
internal sealed record AskedParameters
{
    public required string Project { get; init; }

    public required string Image { get; init; }

    public string? Version { get; init; }

    /// <summary>The project's directory in the repository; a dot for its top.</summary>
    public required string Directory { get; init; }

    public string? Dockerfile { get; init; }

    public string? Context { get; init; }

    public string? Target { get; init; }

    public required string Platform { get; init; }

    /// <summary>Of the command line, as <c>NAME=VALUE</c>.</summary>
    public IReadOnlyList<string>? Arguments { get; init; }

    public IReadOnlyList<string>? Labels { get; init; }

    public SortedDictionary<string, string>? Contexts { get; init; }

    public IReadOnlyList<string>? RulesOff { get; init; }

    /// <summary>Ids of secrets that steps mount; never a value.</summary>
    public IReadOnlyList<string>? Secrets { get; init; }

    [JsonPropertyName("ssh")]
    public IReadOnlyList<string>? SshAgents { get; init; }

    public IReadOnlyList<string>? Allow { get; init; }

    public string? Network { get; init; }

    public IReadOnlyList<string>? Hosts { get; init; }

    public long? SharedMemory { get; init; }

    public IReadOnlyList<string>? Limits { get; init; }

    public IReadOnlyList<string>? Annotations { get; init; }

    /// <summary>Ids of those secrets that were not looked for in what the build made: their values are ordinary words.</summary>
    public IReadOnlyList<string>? ExemptSecrets { get; init; }
}

/// <summary>What the builder chose, or read from the project.</summary>
internal sealed record ChosenParameters
{
    /// <summary>Seconds since 1970, by image of the project.</summary>
    public required SortedDictionary<string, long> Epochs { get; init; }

    public required string Codec { get; init; }

    /// <summary>All that the image got, those of the project included.</summary>
    public IReadOnlyList<string>? Arguments { get; init; }

    /// <summary>The rules that changed something.</summary>
    public IReadOnlyList<string>? Rules { get; init; }

    public IReadOnlyList<string>? RulesOff { get; init; }

    [JsonPropertyName("dirty")]
    public bool? IsDirty { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(AskedParameters))]
[JsonSerializable(typeof(ChosenParameters))]
internal sealed partial class BuildProvenanceJson : JsonSerializerContext;
