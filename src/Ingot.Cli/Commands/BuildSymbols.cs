using System.CommandLine;
using System.Globalization;
using Ingot.Cli.Pipeline;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Layers.Compression;
using Ingot.Plans;
using Ingot.Projects;
using Ingot.Templates.Project;

namespace Ingot.Cli.Commands;

/// <summary>The options that <c>up</c> and <c>build</c> share.</summary>
internal sealed class BuildSymbols
{
    private readonly Option<bool> _noCache = new("--no-cache") { Description = "Run every step again" };
    private readonly Option<string> _epoch = new("--epoch", "--source-date-epoch")
    {
        Description = "The time of the sources: seconds since 1970, a time such as 2026-01-31T12:00:00Z, or 'commit' for the newest commit "
            + "that changed the image's Dockerfile or context; $SOURCE_DATE_EPOCH when left out, else what ingot.yaml "
            + "says, else 1980-01-01",
        HelpName = "TIME",
    };
    private readonly Option<string[]> _noRule = new("--no-rule")
    {
        Description = "A normalisation rule not to apply, whatever ingot.yaml says; docs/reproducibility.md lists them",
        HelpName = "NAME",
    };
    private readonly Option<string[]> _arguments = new("--build-arg")
    {
        Description = "A build argument for every image, overriding ingot.yaml; a name alone takes the value of that variable",
        HelpName = "NAME=VALUE",
    };
    private readonly Option<string[]> _labels = new("--label")
    {
        Description = "A label for every image, overriding its template",
        HelpName = "NAME=VALUE",
    };
    private readonly Option<string[]> _contexts = new("--context", "--build-context")
    {
        Description =
            "What FROM, --from and --mount find under a name: a directory, a git repository, docker-image://NAME or oci-layout://DIR",
        HelpName = "NAME=SOURCE",
    };
    private readonly Option<string[]> _platform = new("--platform")
    {
        Description = "The platform the images run on; this host's when left out. With several, also separated by commas, "
            + "'build' makes an index with an image for each",
        HelpName = "OS/ARCH[/VARIANT]",
    };
    private readonly Option<string[]> _annotations = new("--annotation")
    {
        Description = "An annotation for the manifest of every image; 'index:' before the name for the index of several platforms",
        HelpName = "[index:]NAME=VALUE",
    };
    private readonly Option<string[]> _fresh = new("--no-cache-filter")
    {
        Description = "Run every step of a stage again, and use the cache for the others",
        HelpName = "STAGE",
    };
    private readonly Option<string> _compression = new("--compression")
    {
        Description =
            "How layers are compressed, overriding ingot.yaml: zstd, the default; gzip, which Docker before 23 needs; or none",
        HelpName = "CODEC",
    };
    private readonly Option<string> _progress = new("--progress")
    {
        Description = "How the build is shown: plain, everything that steps write, each line with its step; tty, "
            + "the last lines below each step that runs; quiet, only digests; auto, tty on a terminal, "
            + "and elsewhere a line for each step that ends",
        HelpName = "MODE",
    };
    private readonly StepAccessSymbols _access = new();
    private readonly RunSymbols _run = new();

    private readonly Option<string?> _update = new("--update")
    {
        Description = "Ask the registries again what tags name, and the mirrors what packages they have, for every base image and "
            + "bootstrap or for one, and say what changed; without it ingot.lock decides",
        HelpName = "NAME",
        Arity = ArgumentArity.ZeroOrOne,
    };
    private readonly Option<bool> _pull = new("--pull") { Description = "The same as --update without a name: Docker's word for it" };
    private readonly Option<bool> _locked = new("--locked")
    {
        Description = "Fail when a base image or a bootstrap is not in ingot.lock: for continuous integration",
    };
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
            Plan = new PlanOptions
            {
                Arguments = [.. (result.GetValue(_arguments) ?? []).Select(Argument)],
                Labels = [.. (result.GetValue(_labels) ?? []).Select(text => Pair(text, "label"))],
                Contexts = Named(result.GetValue(_contexts) ?? []),
                Platform = platforms[0],
                Run = _run.Read(result),
                FreshStages = [.. (result.GetValue(_fresh) ?? []).SelectMany(f => f.Split(','))],
            },
            Platforms = platforms,
            Access = access,
            Caches = new CacheOptions
            {
                NoCache = result.GetValue(_noCache),
                From = _caches.ReadFrom(result, directory),
                To = _caches.ReadTo(result, directory),
            },
            Epoch = ReadEpoch(result.GetValue(_epoch)),
            RulesOff = [.. (result.GetValue(_noRule) ?? []).Select(ReadRule).Distinct()],
            Annotations = [.. annotations.Where(a => !a.IsIndex).Select(a => a.Pair)],
            IndexAnnotations = [.. annotations.Where(a => a.IsIndex).Select(a => a.Pair)],
            Compression = ReadCompression(result.GetValue(_compression)),
            Bases = ReadBases(result),
        };
    }

    /// <summary>How the build is shown while it runs.</summary>
    public BuildProgressMode ReadProgress(ParseResult result) => BuildProgressModes.Parse(result.GetValue(_progress));

    private BaseImageOptions ReadBases(ParseResult result)
    {
        string? update = result.GetResult(_update) is null ? result.GetValue(_pull) ? "" : null : result.GetValue(_update) ?? "";
        bool locked = result.GetValue(_locked);
        return update is not null && locked
            ? throw new InvalidInputException("locked",
                $"'--locked' and '{(result.GetValue(_pull) ? "--pull" : "--update")}' contradict each other",
                    "updating changes ingot.lock, and '--locked' forbids that")
            : new BaseImageOptions(update, locked, result.GetValue(_insecure));
    }

    private static LayerCompression? ReadCompression(string? name) => name is null
        ? null
        : LayerCompression.Find(name) ?? throw new InvalidInputException("compression", $"'{name}' is not a way to compress layers",
            Suggestion.For(name, ProjectKeys.Compressions) ?? "zstd, gzip or none");

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
        foreach (var (name, source) in contexts
            .Where(c => c.Contains('=', StringComparison.Ordinal) && GitReference.TryParse(c) is null)
            .Select(c => Pair(c, "context")))
            named[name] = source;
        return named;
    }

    private static EpochDefinition? ReadEpoch(string? given)
    {
        if (given is not null)
            return EpochDefinition.TryParse(given, BuildOptions.CommandLine, out var epoch)
                ? epoch
                : throw new InvalidInputException("epoch", $"'{given}' is not an epoch", EpochDefinition.Form);

        string? variable = Environment.GetEnvironmentVariable("SOURCE_DATE_EPOCH");
        if (string.IsNullOrEmpty(variable))
            return null;
        return long.TryParse(variable, NumberStyles.None, CultureInfo.InvariantCulture, out _)
            && EpochDefinition.TryParse(variable, BuildOptions.CommandLine, out var fromEnvironment)
            ? fromEnvironment
            : throw new InvalidInputException("source-date-epoch", $"SOURCE_DATE_EPOCH is '{variable}'", "expected seconds since 1970");
    }

    private static string ReadRule(string name) => ProjectKeys.Rules.Contains(name)
        ? name
        : throw new InvalidInputException("rule", $"there is no rule '{name}'",
            Suggestion.For(name, ProjectKeys.Rules) ?? "docs/reproducibility.md lists them");

    private static KeyValuePair<string, string> Pair(string text, string what)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        return equals > 0 ? new(text[..equals], text[(equals + 1)..])
            : throw new InvalidInputException(what, $"'{text}' is not {(what[0] == 'a' ? "an" : "a")} {what}", "expected NAME=VALUE");
    }

    private static KeyValuePair<string, string> Argument(string text) => text.Contains('=', StringComparison.Ordinal)
        ? Pair(text, "build argument")
        : new(text, Environment.GetEnvironmentVariable(text) ?? throw new InvalidInputException("build-arg",
            $"'{text}' is not a build argument", "expected NAME=VALUE, or the NAME of a variable that is set"));
}
