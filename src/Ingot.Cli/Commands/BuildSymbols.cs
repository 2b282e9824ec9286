using System.CommandLine;
using System.Globalization;
using Ingot.Cli.Pipeline;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Layers.Compression;
using Ingot.Plans;
using Ingot.Templates.Project;

namespace Ingot.Cli.Commands;

/// <summary>How images are to be built.</summary>
internal sealed record BuildOptions
{
    public bool NoCache { get; init; }

    /// <summary>The epoch of every image; null for what the project says.</summary>
    public EpochDefinition? Epoch { get; init; }

    /// <summary>Epochs of images by name, in seconds since 1970: they win over everything.</summary>
    public IReadOnlyDictionary<string, long> PinnedEpochs { get; init; } = new Dictionary<string, long>();

    /// <summary>What bootstraps install, by image: neither <c>ingot.lock</c> nor the mirror is asked which.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<InstalledPackage>> PinnedBootstraps { get; init; } = new Dictionary<string, IReadOnlyList<InstalledPackage>>();

    /// <summary>Names of normalisation rules that are switched off for every image.</summary>
    public IReadOnlyList<string> RulesOff { get; init; } = [];

    /// <summary>Shared caches whose results are used.</summary>
    public IReadOnlyList<CacheLocation> CacheFrom { get; init; } = [];

    /// <summary>Where results are shared.</summary>
    public IReadOnlyList<CacheLocation> CacheTo { get; init; } = [];

    /// <summary>Whether it is said of each step why it was in the cache or not.</summary>
    public bool Explain { get; init; }

    public IReadOnlyList<KeyValuePair<string, string>> Arguments { get; init; } = [];

    public IReadOnlyList<KeyValuePair<string, string>> Labels { get; init; } = [];

    public IReadOnlyDictionary<string, string> Contexts { get; init; } = new Dictionary<string, string>();

    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Secrets { get; init; } = new Dictionary<string, ReadOnlyMemory<byte>>();

    /// <summary>Ids of secrets whose values are ordinary words.</summary>
    public IReadOnlyList<string> ExemptSecrets { get; init; } = [];

    /// <summary>The commit that the sources are of; null to look where they are.</summary>
    public Builds.SourceRevision? PinnedSource { get; init; }

    /// <summary>Where a repository was fetched to that is built; null for a directory of a person's.</summary>
    public string? Repository { get; init; }

    public IReadOnlyDictionary<string, string> SshAgents { get; init; } = new Dictionary<string, string>();

    public Platform Platform { get; init; } = Platform.Host;

    /// <summary>What the images are built for, <see cref="Platform"/> the first.</summary>
    public IReadOnlyList<Platform> Platforms { get; init; } = [Platform.Host];

    /// <summary>What commands of steps run with.</summary>
    public RunSettings Run { get; init; } = new();

    /// <summary>Stages that are made anew.</summary>
    public IReadOnlyList<string> FreshStages { get; init; } = [];

    /// <summary>Annotations of every manifest.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Annotations { get; init; } = [];

    /// <summary>Annotations of every index.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> IndexAnnotations { get; init; } = [];

    /// <summary>Names for the image, each with a tag.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Whether what is built is a part of something that gets the names.</summary>
    public bool IsPart { get; init; }

    /// <summary>Where results of steps are kept; null for this host's cache.</summary>
    public string? Cache { get; init; }

    /// <summary>How the layers of every image are compressed; null for what the project says.</summary>
    public LayerCompression? Compression { get; init; }

    /// <summary>Digests of base images by the names templates have for them: nothing else is looked up for these.</summary>
    public IReadOnlyDictionary<string, Digest> Pinned { get; init; } = new Dictionary<string, Digest>();

    /// <summary>Whether images get their names in the local store, and recipes are kept.</summary>
    public bool Names { get; init; } = true;

    /// <summary>How the build is shown while it runs.</summary>
    public BuildProgressMode Progress { get; init; }

    public bool AllowInsecure { get; init; }

    public bool AllowHostNetwork { get; init; }

    public BaseImageOptions Bases { get; init; } = new();

    /// <summary>The project with what is said here of all its images.</summary>
    public ProjectDefinition Over(ProjectDefinition project) => project with
    {
        Images =
        [
            .. project.Images.Select(i => i with
            {
                RulesOff = [.. i.RulesOff.Union(RulesOff)],
                Compression = Compression is null ? i.Compression : new CompressionDefinition(CommandLine, Compression.Name),
            }),
        ],
    };

    /// <summary>Where something stands that was said on the command line.</summary>
    public static SourceSpan CommandLine { get; } = new SourceText("the command line", "").Span(0, 0);
}

/// <summary>The options that <c>up</c> and <c>build</c> share.</summary>
internal sealed class BuildSymbols
{
    private readonly Option<bool> _noCache = new("--no-cache") { Description = "Run every step again" };
    private readonly Option<string> _epoch = new("--epoch", "--source-date-epoch") { Description = "The time of the sources: seconds since 1970, a time such as 2026-01-31T12:00:00Z, or 'commit' for the newest commit that changed the image's Dockerfile or context; $SOURCE_DATE_EPOCH when left out, else what ingot.yaml says, else 1980-01-01", HelpName = "TIME" };
    private readonly Option<string[]> _noRule = new("--no-rule") { Description = "A normalisation rule that is not applied, over what ingot.yaml says; docs/reproducibility.md lists them", HelpName = "NAME" };
    private readonly Option<string[]> _arguments = new("--build-arg") { Description = "A build argument for every image, over what ingot.yaml says; a name alone takes the variable's value", HelpName = "NAME=VALUE" };
    private readonly Option<string[]> _labels = new("--label") { Description = "A label for every image, over what its template says", HelpName = "NAME=VALUE" };
    private readonly Option<string[]> _contexts = new("--context", "--build-context") { Description = "What FROM, --from and --mount find under a name: a directory, a git repository, docker-image://NAME or oci-layout://DIR", HelpName = "NAME=SOURCE" };
    private readonly Option<string[]> _platform = new("--platform") { Description = "What the images run on; this host's platform when left out. With several, also after commas, 'build' makes an index of an image for each", HelpName = "OS/ARCH[/VARIANT]" };
    private readonly Option<string[]> _annotations = new("--annotation") { Description = "An annotation for the manifest of every image; 'index:' before the name for the index of several platforms", HelpName = "[index:]NAME=VALUE" };
    private readonly Option<string[]> _fresh = new("--no-cache-filter") { Description = "Run every step of a stage again, and use the cache for the others", HelpName = "STAGE" };
    private readonly Option<string> _compression = new("--compression") { Description = "How layers are compressed, over what ingot.yaml says: zstd, the default; gzip, which Docker before 23 needs; or none", HelpName = "CODEC" };
    private readonly Option<string> _progress = new("--progress") { Description = "How the build is shown: plain, everything that steps write, each line with its step; tty, the last lines below each step that runs; quiet, only digests; auto, tty on a terminal, and elsewhere a line for each step that ends", HelpName = "MODE" };
    private readonly StepAccessSymbols _access = new();
    private readonly RunSymbols _run = new();

    private readonly Option<string?> _update = new("--update") { Description = "Ask the registries anew what tags name, and the mirrors what packages there are, for every base image and bootstrap or for one, and say what moved; without it ingot.lock decides", HelpName = "NAME", Arity = ArgumentArity.ZeroOrOne };
    private readonly Option<bool> _pull = new("--pull") { Description = "As --update without a name: Docker's word for it" };
    private readonly Option<bool> _locked = new("--locked") { Description = "Fail when a base image or a bootstrap is not in ingot.lock: for continuous integration" };
    private readonly Option<string[]> _insecure = Symbols.InsecureRegistry();
    private readonly CacheSymbols _caches = new();

    /// <summary>Named contexts, and for <c>build -f</c> the directory that is the context.</summary>
    public Option<string[]> Contexts => _contexts;

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_noCache, _fresh, _epoch, _noRule, _arguments, _labels, _annotations, _contexts, _access.Secrets,
            _access.Ssh, _platform, _compression, _access.Allow, _update, _pull, _locked, _insecure, _progress])
            command.Add(option);
        _run.AddTo(command);
        _caches.AddTo(command);
    }

    public BuildOptions Read(ParseResult result, string directory)
    {
        var access = _access.Read(result, directory);
        var named = (result.GetValue(_platform) ?? []).SelectMany(p => p.Split(',')).Select(Symbols.ParsePlatform);
        IReadOnlyList<Platform> platforms = [.. named.DefaultIfEmpty(Platform.Host).Distinct()];
        var annotations = (result.GetValue(_annotations) ?? []).Select(ReadAnnotation).ToList();
        return new BuildOptions
        {
            NoCache = result.GetValue(_noCache),
            Epoch = ReadEpoch(result.GetValue(_epoch)),
            RulesOff = [.. (result.GetValue(_noRule) ?? []).Select(ReadRule).Distinct()],
            CacheFrom = _caches.ReadFrom(result, directory),
            CacheTo = _caches.ReadTo(result, directory),
            Arguments = [.. (result.GetValue(_arguments) ?? []).Select(Argument)],
            Labels = [.. (result.GetValue(_labels) ?? []).Select(text => Pair(text, "label"))],
            Contexts = Named(result.GetValue(_contexts) ?? []),
            Secrets = access.Secrets,
            ExemptSecrets = access.ExemptSecrets,
            SshAgents = access.SshAgents,
            Platform = platforms[0],
            Platforms = platforms,
            Run = _run.Read(result),
            FreshStages = [.. (result.GetValue(_fresh) ?? []).SelectMany(f => f.Split(','))],
            Annotations = [.. annotations.Where(a => !a.IsIndex).Select(a => a.Pair)],
            IndexAnnotations = [.. annotations.Where(a => a.IsIndex).Select(a => a.Pair)],
            Compression = ReadCompression(result.GetValue(_compression)),
            Progress = BuildProgressModes.Parse(result.GetValue(_progress)),
            AllowInsecure = access.AllowInsecure,
            AllowHostNetwork = access.AllowHostNetwork,
            Bases = ReadBases(result),
        };
    }

    private BaseImageOptions ReadBases(ParseResult result)
    {
        string? update = result.GetResult(_update) is null ? result.GetValue(_pull) ? "" : null : result.GetValue(_update) ?? "";
        bool locked = result.GetValue(_locked);
        return update is not null && locked
            ? throw new InvalidInputException("locked",
                $"'--locked' and '{(result.GetValue(_pull) ? "--pull" : "--update")}' contradict each other",
                    "what is asked for anew changes ingot.lock, and '--locked' forbids that")
            : new BaseImageOptions(update, locked, result.GetValue(_insecure));
    }

    private static LayerCompression? ReadCompression(string? name) => name is null
        ? null
        : LayerCompression.Find(name) ?? throw new InvalidInputException("compression", $"'{name}' is no way to compress layers", Suggestion.For(name, ProjectKeys.Compressions) ?? "zstd, gzip or none");

    // https://docs.docker.com/reference/cli/docker/buildx/build/#annotation: of the kinds there, those that are written here.
    private static (bool IsIndex, KeyValuePair<string, string> Pair) ReadAnnotation(string text)
    {
        bool isIndex = text.StartsWith("index:", StringComparison.Ordinal);
        string kind = isIndex ? "index:" : text.StartsWith("manifest:", StringComparison.Ordinal) ? "manifest:" : "";
        return (isIndex, Pair(text[kind.Length..], "annotation"));
    }

    private static Dictionary<string, string> Named(IEnumerable<string> contexts)
    {
        var named = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, source) in contexts.Where(c => c.Contains('=', StringComparison.Ordinal) && GitReference.TryParse(c) is null).Select(c => Pair(c, "context")))
            named[name] = source;
        return named;
    }

    private static EpochDefinition? ReadEpoch(string? given)
    {
        if (given is not null)
            return EpochDefinition.TryParse(given, BuildOptions.CommandLine, out var epoch) ? epoch : throw new InvalidInputException("epoch", $"'{given}' is not an epoch", EpochDefinition.Form);

        string? variable = Environment.GetEnvironmentVariable("SOURCE_DATE_EPOCH");
        if (string.IsNullOrEmpty(variable))
            return null;
        return long.TryParse(variable, NumberStyles.None, CultureInfo.InvariantCulture, out _) && EpochDefinition.TryParse(variable, BuildOptions.CommandLine, out var fromEnvironment)
            ? fromEnvironment
            : throw new InvalidInputException("source-date-epoch", $"SOURCE_DATE_EPOCH is '{variable}'", "expected seconds since 1970");
    }

    private static string ReadRule(string name) => ProjectKeys.Rules.Contains(name)
        ? name
        : throw new InvalidInputException("rule", $"there is no rule '{name}'", Suggestion.For(name, ProjectKeys.Rules) ?? "docs/reproducibility.md lists them");

    private static KeyValuePair<string, string> Pair(string text, string what)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        return equals > 0 ? new(text[..equals], text[(equals + 1)..])
            : throw new InvalidInputException(what, $"'{text}' is not {(what[0] == 'a' ? "an" : "a")} {what}", "expected NAME=VALUE");
    }

    private static KeyValuePair<string, string> Argument(string text) => text.Contains('=', StringComparison.Ordinal)
        ? Pair(text, "build argument")
        : new(text, Environment.GetEnvironmentVariable(text) ?? throw new InvalidInputException("build-arg", $"'{text}' is not a build argument", "expected NAME=VALUE, or the NAME of a variable that is set"));
}
