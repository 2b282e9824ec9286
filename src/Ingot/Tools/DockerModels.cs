using System.Net;
using System.Text.Json.Serialization;

namespace Ingot.Tools;

/// <summary>What a container is created from, in the Engine's own words
/// (<see href="https://docs.docker.com/engine/api/v1.41/#operation/ContainerCreate">create a container</see>). Durations are seconds or
/// nanoseconds as the Engine has them.</summary>
public sealed record DockerContainerSpec
{
    /// <summary>The image: <c>repository@digest</c>.</summary>
    public required string Image { get; init; }

    /// <summary>The arguments; null for the image's own.</summary>
    public IReadOnlyList<string>? Cmd { get; init; }

    /// <summary>The environment, <c>NAME=value</c>, beside the image's.</summary>
    public IReadOnlyList<string> Env { get; init; } = [];

    /// <summary>Labels.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new SortedDictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Seconds between the signal to stop and the kill.</summary>
    public int StopTimeout { get; init; } = 10;

    /// <summary>What the host gives and denies.</summary>
    public DockerHostConfig HostConfig { get; init; } = new();
}

/// <summary>What the host gives a container and what it denies.</summary>
public sealed record DockerHostConfig
{
    /// <summary>The network, by name or id.</summary>
    public string NetworkMode { get; init; } = "bridge";

    /// <summary>Whether nothing can be written to the root.</summary>
    public bool ReadonlyRootfs { get; init; }

    /// <summary>Capabilities taken away.</summary>
    public IReadOnlyList<string> CapDrop { get; init; } = [];

    /// <summary><c>no-new-privileges:true</c>, <c>seccomp=</c> and the JSON text of a profile.</summary>
    public IReadOnlyList<string> SecurityOpt { get; init; } = [];

    /// <summary>Memory-backed directories and their mount options.</summary>
    public IReadOnlyDictionary<string, string> Tmpfs { get; init; } = new SortedDictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Memory in bytes.</summary>
    public long Memory { get; init; }

    /// <summary>Memory and swap in bytes; equal to <see cref="Memory"/> for no swap.</summary>
    public long MemorySwap { get; init; }

    /// <summary>Processors, in billionths.</summary>
    public long NanoCpus { get; init; }

    /// <summary>Processes and threads.</summary>
    public long PidsLimit { get; init; }

    /// <summary>Whose System V and POSIX IPC it sees.</summary>
    public string IpcMode { get; init; } = "private";

    /// <summary>Whether it has almost every right of the host.</summary>
    public bool Privileged { get; init; }

    /// <summary>When the Engine starts it again.</summary>
    public DockerRestartPolicy RestartPolicy { get; init; } = new("no", 0);

    /// <summary>Where its output goes.</summary>
    public DockerLogConfig LogConfig { get; init; } =
        new("local", new SortedDictionary<string, string>(StringComparer.Ordinal) { ["max-size"] = "10m", ["max-file"] = "3" });
}

/// <summary>When the Engine starts a container again.</summary>
/// <param name="Name"><c>no</c>, <c>on-failure</c>, <c>always</c>, <c>unless-stopped</c>.</param>
/// <param name="MaximumRetryCount">How often, for <c>on-failure</c>.</param>
public sealed record DockerRestartPolicy(string Name, int MaximumRetryCount);

/// <summary>Where a container's output goes.</summary>
/// <param name="Type">The driver.</param>
/// <param name="Config">The driver's settings.</param>
public sealed record DockerLogConfig(string Type, IReadOnlyDictionary<string, string> Config);

/// <summary>A container as the Engine reports it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">Its name, with the Engine's leading slash.</param>
/// <param name="RestartCount">How often the Engine has started it again.</param>
/// <param name="State">What it does.</param>
/// <param name="Config">What it was created from.</param>
/// <param name="NetworkSettings">Where it can be reached.</param>
/// <param name="Image">The id of the image it runs, whatever it was asked for by.</param>
/// <param name="HostConfig">What the host gives it; null when the Engine does not say.</param>
public sealed record DockerContainer(
    string Id,
    string Name,
    int RestartCount,
    DockerContainerState State,
    DockerContainerConfig Config,
    DockerNetworkSettings NetworkSettings,
    string Image = "",
    DockerRights? HostConfig = null);

/// <summary>What tells a hardened container from another.</summary>
/// <param name="ReadonlyRootfs">Whether nothing can be written to its root.</param>
/// <param name="Privileged">Whether it has almost every right of the host.</param>
public sealed record DockerRights(bool ReadonlyRootfs, bool Privileged);

/// <summary>What a container does.</summary>
/// <param name="Status"><c>created</c>, <c>running</c>, <c>paused</c>, <c>restarting</c>, <c>removing</c>, <c>exited</c>,
/// <c>dead</c>.</param>
/// <param name="ExitCode">How it last ended.</param>
/// <param name="OomKilled">Whether the kernel ended it for want of memory.</param>
/// <param name="Error">Why it could not be started.</param>
/// <param name="StartedAt">When it was last started; the year 1 when never.</param>
/// <param name="Pid">The host's number for its first process; 0 unless it runs.</param>
public sealed record DockerContainerState(string Status, int ExitCode, [property: JsonPropertyName("OOMKilled")] bool OomKilled,
    string? Error, DateTimeOffset StartedAt, int Pid);

/// <summary>What a container was created from.</summary>
/// <param name="Image">The image as it was asked for.</param>
/// <param name="User">The user it runs as.</param>
/// <param name="Labels">Labels.</param>
public sealed record DockerContainerConfig(string Image, string? User, IReadOnlyDictionary<string, string>? Labels);

/// <summary>Where a container can be reached.</summary>
/// <param name="Networks">Its address on each network, by the network's name.</param>
public sealed record DockerNetworkSettings(IReadOnlyDictionary<string, DockerEndpoint>? Networks);

/// <summary>A container's place on a network.</summary>
/// <param name="IPAddress">Its address; empty unless it runs.</param>
public sealed record DockerEndpoint(string? IPAddress);

/// <summary>A container in a list.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Names">Its names, with the Engine's leading slash.</param>
/// <param name="Image">The image as it was asked for.</param>
/// <param name="State">What it does.</param>
/// <param name="Labels">Labels.</param>
public sealed record DockerContainerSummary(string Id, IReadOnlyList<string> Names, string Image, string State,
    IReadOnlyDictionary<string, string>? Labels);

/// <summary>A list of containers, and how the Engine said it.</summary>
/// <param name="Containers">The containers.</param>
/// <param name="Bytes">The Engine's words.</param>
public sealed record DockerList(IReadOnlyList<DockerContainerSummary> Containers, byte[] Bytes);

/// <summary>Something that happened to a container.</summary>
/// <param name="Action">What: <c>start</c>, <c>die</c>, <c>destroy</c> and others.</param>
/// <param name="Actor">To which.</param>
public sealed record DockerEvent(string? Action, DockerActor? Actor);

/// <summary>To whom something happened.</summary>
/// <param name="Id">The container's id.</param>
public sealed record DockerActor([property: JsonPropertyName("ID")] string? Id);

/// <summary>An image of the Engine's store.</summary>
/// <param name="Id">The digest of its configuration.</param>
/// <param name="RepoDigests">The references it was pulled by.</param>
/// <param name="Config">What a container of it runs as.</param>
public sealed record DockerImage(string Id, IReadOnlyList<string>? RepoDigests, DockerImageConfig? Config);

/// <summary>What a container of an image runs as.</summary>
/// <param name="User">The user; empty for root.</param>
public sealed record DockerImageConfig(string? User);

/// <summary>A network.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">Its name, which the Engine does not keep unique.</param>
/// <param name="Labels">Labels.</param>
/// <param name="Created">When it was made.</param>
public sealed record DockerNetwork(string Id, string Name, IReadOnlyDictionary<string, string>? Labels, DateTimeOffset Created = default)
{
    /// <summary>The addresses it has; null when none are said.</summary>
    [JsonPropertyName("IPAM")]
    public DockerAddresses? Addresses { get; init; }

    /// <summary>The networks that its addresses are in.</summary>
    [JsonIgnore]
    public IEnumerable<IPNetwork> Subnets =>
        (Addresses?.Config ?? []).Select(pool => IPNetwork.TryParse(pool.Subnet, out var subnet) ? subnet : (IPNetwork?)null)
            .OfType<IPNetwork>();
}

/// <summary>The addresses of a network.</summary>
/// <param name="Config">Where they are from; null or empty for what the Engine chooses.</param>
public sealed record DockerAddresses(IReadOnlyList<DockerPool>? Config);

/// <summary>Addresses that a network's are from.</summary>
/// <param name="Subnet">As <c>10.213.0.0/24</c>.</param>
public sealed record DockerPool(string? Subnet);

/// <summary>What the Engine is.</summary>
/// <param name="Version">Its version.</param>
/// <param name="ApiVersion">The newest API it speaks.</param>
/// <param name="Components">What it is made of; null when it does not say.</param>
/// <param name="MinApiVersion">The oldest API it speaks; null when it does not say.</param>
public sealed record DockerVersion(
    string Version, string ApiVersion, IReadOnlyList<DockerComponent>? Components = null, string? MinApiVersion = null)
{
    private const string DockersEngine = "Engine";
    private const int FirstMinorWithZstandard = 42;

    /// <summary>Whether it is Docker's. Programs that only speak Docker's API have other components.</summary>
    public bool IsDockers => Components?.Any(c => c.Name == DockersEngine) != false;

    /// <summary>Whether it pulls layers that are compressed with zstd: Docker does since version 23.0, whose API is 1.42.</summary>
    public bool PullsZstandard =>
        !IsDockers
        || (ApiVersion.Split('.') is [var major, var minor] && int.TryParse(major, out int first) && int.TryParse(minor, out int second)
            && (first > 1 || second >= FirstMinorWithZstandard));
}

/// <summary>How an Engine is set up: <c>GET /info</c>, what of it is of use here.</summary>
/// <param name="RegistryConfig">How it speaks to registries.</param>
public sealed record DockerInfo(DockerRegistryConfig? RegistryConfig);

/// <summary>How an Engine speaks to registries.</summary>
/// <param name="InsecureRegistryCidrs">Networks whose registries may speak plain http.</param>
/// <param name="IndexConfigs">Registries by host and port.</param>
public sealed record DockerRegistryConfig(IReadOnlyList<string>? InsecureRegistryCidrs,
    IReadOnlyDictionary<string, DockerIndexConfig>? IndexConfigs)
{
    /// <summary>Networks and registries that may speak plain http.</summary>
    [JsonIgnore]
    public IReadOnlyList<string> SpokenToPlainly =>
        [.. InsecureRegistryCidrs ?? [], .. IndexConfigs?.Where(index => !index.Value.Secure).Select(index => index.Key) ?? []];
}

/// <summary>How an Engine speaks to one registry.</summary>
/// <param name="Secure">Only https, with a certificate that is trusted.</param>
public sealed record DockerIndexConfig(bool Secure);

/// <summary>A part of an Engine.</summary>
/// <param name="Name">Its name; Docker calls its own <c>Engine</c>.</param>
/// <param name="Version">Its version.</param>
public sealed record DockerComponent(string Name, string? Version);

internal sealed record DockerCreated(string Id);

internal sealed record DockerMessage(string? Message);

internal sealed record DockerNetworkSpec(
    string Name, string Driver, bool CheckDuplicate, IReadOnlyDictionary<string, string> Labels,
    [property: JsonPropertyName("IPAM")] DockerAddresses Addresses);

internal sealed record DockerPullProgress([property: JsonPropertyName("error")] string? Error,
    [property: JsonPropertyName("errorDetail")] DockerPullError? Detail);

internal sealed record DockerPullError([property: JsonPropertyName("message")] string? Message);

internal sealed record DockerCredentials([property: JsonPropertyName("username")] string Username,
    [property: JsonPropertyName("password")] string Password);

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, PropertyNameCaseInsensitive = true)]
[JsonSerializable(typeof(DockerContainerSpec))]
[JsonSerializable(typeof(DockerContainer))]
[JsonSerializable(typeof(IReadOnlyList<DockerContainerSummary>))]
[JsonSerializable(typeof(IReadOnlyList<DockerNetwork>))]
[JsonSerializable(typeof(DockerEvent))]
[JsonSerializable(typeof(DockerImage))]
[JsonSerializable(typeof(DockerVersion))]
[JsonSerializable(typeof(DockerInfo))]
[JsonSerializable(typeof(DockerCreated))]
[JsonSerializable(typeof(DockerMessage))]
[JsonSerializable(typeof(DockerNetworkSpec))]
[JsonSerializable(typeof(DockerPullProgress))]
[JsonSerializable(typeof(DockerCredentials))]
[JsonSerializable(typeof(Dictionary<string, IReadOnlyList<string>>))]
internal sealed partial class DockerJsonContext : JsonSerializerContext;
