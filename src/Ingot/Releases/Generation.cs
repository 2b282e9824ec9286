using System.Globalization;
using System.Text;
using System.Text.Json.Serialization;
using Ingot.Oci.Content;
using Ingot.Templates.Project;

namespace Ingot.Releases;

/// <summary>One numbered set of instances of one digest and one configuration.
/// It keeps its identity for life and is never re-labelled.</summary>
public sealed record Generation
{
    /// <summary>The number, from 1, counted for each service and stage.</summary>
    public required int Number { get; init; }

    /// <summary>Where the target pulls the image from: registry and repository, without tag or digest.</summary>
    public required string Repository { get; init; }

    /// <summary>The image, by the digest of its manifest.</summary>
    public required Digest Digest { get; init; }

    /// <summary>The version the image was published under, for people.</summary>
    public required string Version { get; init; }

    /// <summary>How many instances.</summary>
    public required int Replicas { get; init; }

    /// <summary>The port the instances listen on.</summary>
    public required int Port { get; init; }

    /// <summary>How an instance shows that it is well.</summary>
    public HealthDefinition Health { get; init; } = new();

    /// <summary>Environment of the instances.</summary>
    public IReadOnlyDictionary<string, string> Config { get; init; } = new SortedDictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Writable paths and their tmpfs sizes in bytes; all else is read-only.</summary>
    public IReadOnlyDictionary<string, long> Writable { get; init; } = new SortedDictionary<string, long>(StringComparer.Ordinal);

    /// <summary>What one instance may use.</summary>
    public LimitsDefinition Limits { get; init; } = new();

    /// <summary>The digest of everything that makes an instance what it is, beside its number and index.
    /// Two generations with the same one would run alike.</summary>
    [JsonIgnore]
    public Digest SpecDigest => Digest.Of(Encoding.UTF8.GetBytes($"digest {Digest}\n{Surroundings()}"));

    /// <summary>The digest of everything but the image that decides whether an instance is well: its configuration, its limits, its port
    /// and how it is checked.</summary>
    [JsonIgnore]
    public Digest SettingsDigest => Digest.Of(Encoding.UTF8.GetBytes($"{Surroundings()}path {Health.Path.Length} {Health.Path}\n"
        + $"checks {Health.Interval.Ticks} {Health.Timeout.Ticks} {Health.Healthy} {Health.Unhealthy} {Health.Deadline.Ticks}\n"));

    /// <summary>Whether another generation runs the same image with the same settings:
    /// what is wrong with one is wrong with the other.</summary>
    public bool IsLike(Generation other) => Digest == other.Digest && SettingsDigest == other.SettingsDigest;

    // One fact a line, sorted where order means nothing: equal settings have equal bytes.
    // A fact that comes later has a line only where it is not the default.
    private string Surroundings()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"port {Port}\nmemory {Limits.Memory}\ncpus {Limits.Cpus:R}\npids {Limits.Pids}\n");
        foreach (var (name, value) in Config.OrderBy(pair => pair.Key, StringComparer.Ordinal))
            text.Append(CultureInfo.InvariantCulture, $"env {name.Length} {name} {value.Length} {value}\n");
        foreach (var (path, size) in Writable.OrderBy(pair => pair.Key, StringComparer.Ordinal))
            text.Append(CultureInfo.InvariantCulture, $"writable {path.Length} {path} {size}\n");
        return text.ToString();
    }
}

/// <summary>What a target must know of a service to observe it and to carry out its moves.</summary>
/// <param name="Key">The service and stage.</param>
/// <param name="Proxy">How its proxy is set up.</param>
/// <param name="Generations">Every generation a move may name.</param>
public sealed record ServiceSetup(ServiceKey Key, ProxySettings Proxy, IReadOnlyList<Generation> Generations)
{
    /// <summary>The generation with a number; null when the setup does not hold it.</summary>
    public Generation? Find(int number) => Generations.FirstOrDefault(generation => generation.Number == number);
}

/// <summary>What cannot be changed in a running proxy: another value takes another process, which takes the sockets over.</summary>
/// <param name="Listen">Where users reach the service.</param>
/// <param name="CheckTimeout">For one health check.</param>
public sealed record ProxySettings(ListenAddress Listen, TimeSpan CheckTimeout)
{
    /// <summary>Where users reached the service before, kept open beside <see cref="Listen"/> until the generation that moved is in place;
    /// null for nowhere.</summary>
    public ListenAddress? Former { get; init; }

    /// <summary>How long an instance, or a user, may be silent while a request is under way;
    /// null for what the target takes by default.</summary>
    public TimeSpan? RequestTimeout { get; init; }
}
