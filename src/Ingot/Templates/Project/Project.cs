using Ingot.Diagnostics;

namespace Ingot.Templates.Project;

/// <summary>What an <c>ingot.yaml</c> says, checked. Order is the file's.</summary>
/// <param name="Name">The project's name: lower-case letters, digits and dashes.</param>
/// <param name="Images">The images, by name.</param>
/// <param name="Services">The services, by name.</param>
/// <param name="Stages">The promotion path, in order.</param>
/// <param name="Source">The file, for messages and for its digest.</param>
public sealed record ProjectDefinition(
    string Name,
    IReadOnlyList<ImageDefinition> Images,
    IReadOnlyList<ServiceDefinition> Services,
    IReadOnlyList<StageDefinition> Stages,
    SourceText Source)
{
    /// <summary>The file's name in a project's directory.</summary>
    public const string FileName = "ingot.yaml";

    /// <summary>The names a project's file may have; a directory has one of them.</summary>
    public static IReadOnlyList<string> FileNames { get; } = [FileName, "ingot.yml"];

    /// <summary>Whether it was read from a project's file; a Dockerfile that is built on its own has none.</summary>
    public bool IsOfFile => FileNames.Contains(Path.GetFileName(Source.Name));

    /// <summary>Where the times in images come from that say nothing themselves; null for the fixed default.</summary>
    public EpochDefinition? Epoch { get; init; }

    /// <summary>How the layers of images are compressed that say nothing themselves; null for the default.</summary>
    public CompressionDefinition? Compression { get; init; }

    /// <summary>Labels of the image specification that every image gets by itself: the ends of their names, some of
    /// <see cref="ProjectKeys.StandardLabels"/>.</summary>
    public IReadOnlyList<string> StandardLabels { get; init; } = [];

    /// <summary>Ids of build secrets whose values are ordinary words: they are not looked for in what builds make.</summary>
    public IReadOnlyList<string> ExemptSecrets { get; init; } = [];

    /// <summary>How the layers of an image are compressed: what it says itself, else what the project says; null for the default.</summary>
    public CompressionDefinition? CompressionOf(ImageDefinition image) => image.Compression ?? Compression;
}

/// <summary>An image of the project. What it is made from, a kind of its own says: one for each <see cref="ImageTemplate"/>.</summary>
public abstract record ImageDefinition(string Name, SourceSpan Span)
{
    /// <summary>The tag it is published under, a semantic version; null for an image that is only built from.</summary>
    public string? Version { get; init; }

    /// <summary>The goss files, relative to the project's directory.</summary>
    public IReadOnlyList<string> Tests { get; init; } = [];

    /// <summary>Where each of <see cref="Tests"/> is named.</summary>
    public IReadOnlyList<SourceSpan> TestSpans { get; init; } = [];

    /// <summary>Where the times in it come from; null for what the project says.</summary>
    public EpochDefinition? Epoch { get; init; }

    /// <summary>How its layers are compressed; null for what the project says.</summary>
    public CompressionDefinition? Compression { get; init; }

    /// <summary>How many processors its commands see; null for the host's.</summary>
    public int? Processors { get; init; }

    /// <summary>Names of normalisation rules that are not applied.</summary>
    public IReadOnlyList<string> RulesOff { get; init; } = [];

    /// <summary>Whether files of contexts keep the modes they have on the host: the rule about them is off.</summary>
    public bool KeepsModes => RulesOff.Contains(ProjectKeys.ModesRule);

    /// <summary>What is claimed of its bytes, such as <c>non-root</c>.</summary>
    public IReadOnlyList<string> Claims { get; init; } = [];
}

/// <summary>Where the times in an image come from.</summary>
/// <param name="Span">Where it is said.</param>
/// <param name="Time">The time, whole seconds; null for that of the newest commit which touched the image's own files.</param>
public sealed record EpochDefinition(SourceSpan Span, DateTimeOffset? Time)
{
    /// <summary>How the commit is asked for.</summary>
    public const string Commit = "commit";

    /// <summary>How an epoch is written, for people.</summary>
    public const string Form = "'commit', a time such as 2026-01-31T12:00:00Z, or seconds since 1970";

    /// <summary>Reads what a person wrote; false when it is no epoch.</summary>
    public static bool TryParse(string text, SourceSpan span, out EpochDefinition? epoch)
    {
        epoch = text == Commit ? new(span, null) : ProjectValues.Time(text) is { } time ? new(span, time) : null;
        return epoch is not null;
    }
}

/// <summary>How layers are compressed.</summary>
/// <param name="Span">Where it is said.</param>
/// <param name="Name">The codec's name, one of <see cref="ProjectKeys.Compressions"/>.</param>
public sealed record CompressionDefinition(SourceSpan Span, string Name);

/// <summary>An image bootstrapped from Debian packages.</summary>
/// <param name="Name">The image's name.</param>
/// <param name="Span">Where it is defined.</param>
/// <param name="Suite">The release, such as <c>bookworm</c>.</param>
/// <param name="Packages">Packages beside the minimal set, in the file's order.</param>
/// <param name="Mirror">Where packages come from; null for the bootstrapper's own default.</param>
public sealed record DebianImage(
    string Name, SourceSpan Span, string Suite, IReadOnlyList<string> Packages, string? Mirror) : ImageDefinition(Name, Span)
{
    /// <summary>Whether packages keep their manuals, documents and translations.</summary>
    public bool KeepsDocumentation { get; init; }
}

/// <summary>An image built from a Dockerfile.</summary>
/// <param name="Name">The image's name.</param>
/// <param name="Span">Where it is defined.</param>
/// <param name="Dockerfile">The Dockerfile, relative to the project's directory.</param>
/// <param name="Context">The build context, relative to the project's directory.</param>
/// <param name="Target">The stage to build; null for the last.</param>
/// <param name="Arguments">Build arguments, in the file's order.</param>
public sealed record DockerfileImage(
    string Name, SourceSpan Span, string Dockerfile, string Context, string? Target, IReadOnlyList<KeyValuePair<string, string>> Arguments)
    : ImageDefinition(Name, Span)
{
    /// <summary>The directory that the Dockerfile must be in, absolute, where a person named one outside of the project;
    /// null for the project's.</summary>
    public string? DockerfileRoot { get; init; }

    /// <summary>The directory that the context must be in, absolute, where a person named one outside of the project;
    /// null for the project's.</summary>
    public string? ContextRoot { get; init; }
}

/// <summary>What users reach: an image run as instances behind a listener.</summary>
public sealed record ServiceDefinition(string Name, SourceSpan Span)
{
    /// <summary>The image's name in the project.</summary>
    public required string Image { get; init; }

    /// <summary>The port the instances listen on.</summary>
    public required int Port { get; init; }

    /// <summary>Where each stage that has a target listens, <c>address:port</c>; an address that was left out is 127.0.0.1.</summary>
    public required IReadOnlyDictionary<string, ListenAddress> Listen { get; init; }

    /// <summary>Instances for each stage; a stage that is not named has one.</summary>
    public required IReadOnlyDictionary<string, int> Replicas { get; init; }

    /// <summary>How an instance shows that it is well.</summary>
    public required HealthDefinition Health { get; init; }

    /// <summary>How long an instance, or a user, may be silent while a request is under way; null for five minutes.</summary>
    public TimeSpan? RequestTimeout { get; init; }

    /// <summary>Environment of the instances in every stage, part of the generation.</summary>
    public IReadOnlyDictionary<string, string> Config { get; init; } = new SortedDictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Variables that have a value for each stage, by their names; a stage that is not named has none.</summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> StageConfig { get; init; } =
        new SortedDictionary<string, IReadOnlyDictionary<string, string>>(StringComparer.Ordinal);

    /// <summary>Environment of the instances in a stage.</summary>
    public IReadOnlyDictionary<string, string> ConfigOf(string stage)
    {
        SortedDictionary<string, string> config = new(Config.ToDictionary(), StringComparer.Ordinal);
        foreach (var (name, values) in StageConfig)
        {
            if (values.TryGetValue(stage, out string? value))
                config[name] = value;
        }

        return config;
    }

    /// <summary>Writable paths and their tmpfs sizes in bytes; all else is read-only.</summary>
    public IReadOnlyDictionary<string, long> Writable { get; init; } = new SortedDictionary<string, long>(StringComparer.Ordinal);

    /// <summary>What an instance may use.</summary>
    public LimitsDefinition Limits { get; init; } = new();

    /// <summary>How a new generation takes over.</summary>
    public required RolloutDefinition Rollout { get; init; }
}

/// <summary>An address and port to listen on.</summary>
public readonly record struct ListenAddress(string Address, int Port)
{
    /// <summary><c>address:port</c>.</summary>
    public override string ToString() => $"{Address}:{Port}";
}

/// <summary>An HTTP health check: the answer must be 2xx or 3xx.</summary>
public sealed record HealthDefinition
{
    /// <summary>The path asked for.</summary>
    public string Path { get; init; } = "/";

    /// <summary>Between two checks.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>For one check.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Successes in a row that make an instance healthy.</summary>
    public int Healthy { get; init; } = 2;

    /// <summary>Failures in a row that make it unhealthy.</summary>
    public int Unhealthy { get; init; } = 3;

    /// <summary>How long a new generation may take to become healthy.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromSeconds(60);
}

/// <summary>What one instance may use.</summary>
public sealed record LimitsDefinition
{
    /// <summary>Memory in bytes.</summary>
    public long Memory { get; init; } = 256L << 20;

    /// <summary>Processors.</summary>
    public double Cpus { get; init; } = 1;

    /// <summary>Processes and threads.</summary>
    public int Pids { get; init; } = 128;
}

/// <summary>How a new generation takes over from the old one.</summary>
public sealed record RolloutDefinition
{
    /// <summary>Percent of traffic at each step before 100, ascending; empty for blue/green, which goes from 0 to 100 at once.</summary>
    public IReadOnlyList<int> Canary { get; init; } = [];

    /// <summary>How long each step is observed before the next; the judge may end it earlier by aborting.</summary>
    public TimeSpan Observe { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a step may wait for enough traffic to judge before the rollout is paused.</summary>
    public TimeSpan StepDeadline { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long the old generation may take to finish what is in flight.</summary>
    public TimeSpan Drain { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long connections that outlive every request, such as WebSockets,
    /// may stay at a generation that is let go before they are cut.</summary>
    public TimeSpan DrainConnections { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Harm budget: requests that may fail beyond what the share of traffic explains.</summary>
    public int FailedRequests { get; init; } = 20;

    /// <summary>The smallest failure rate a step must have been able to show before it counts as observed, 0 to 1.</summary>
    public double Detect { get; init; } = 0.01;

    /// <summary>Requests of Ingot's own, sent through the proxy while a step is observed; null for none.</summary>
    public SyntheticTraffic? Synthetic { get; init; }

    /// <summary>Old generations kept warm for instant rollback.</summary>
    public int Keep { get; init; } = 1;
}

/// <summary>Requests sent through the proxy so that a quiet service can be judged too.</summary>
/// <param name="Path">The path asked for with GET.</param>
/// <param name="Rate">Requests a second.</param>
public sealed record SyntheticTraffic(string Path, int Rate);

/// <summary>One stage of the promotion path.</summary>
public sealed record StageDefinition(string Name, SourceSpan Span)
{
    /// <summary>The gates, by name, in the file's order.</summary>
    public IReadOnlyList<string> Gates { get; init; } = [];

    /// <summary>Where instances run: <c>docker</c>; null for a stage that only promotes.</summary>
    public string? Target { get; init; }

    /// <summary>How long a digest must have stood in the stage before it, zero for not at all.</summary>
    public TimeSpan Soak { get; init; }

    /// <summary>Approvals needed; null for none.</summary>
    public ApprovalsDefinition? Approvals { get; init; }
}

/// <summary>Who must agree.</summary>
/// <param name="Count">How many different people.</param>
/// <param name="From">Their names or groups; empty for anyone.</param>
public sealed record ApprovalsDefinition(int Count, IReadOnlyList<string> From);
