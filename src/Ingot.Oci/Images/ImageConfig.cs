using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Oci.Content;

namespace Ingot.Oci.Images;

/// <summary>An image configuration
/// (<see href="https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md">config</see>).</summary>
public sealed record ImageConfig
{
    /// <summary>When the image was made: the source epoch, RFC 3339 in UTC. The true time stands in provenance.</summary>
    [JsonPropertyName("created")]
    public string? Created { get; init; }

    /// <summary>Who made the image.</summary>
    [JsonPropertyName("author")]
    public string? Author { get; init; }

    /// <summary>The processor, in Go's names.</summary>
    [JsonPropertyName("architecture")]
    public required string Architecture { get; init; }

    /// <summary>The system, in Go's names.</summary>
    [JsonPropertyName("os")]
    public required string Os { get; init; }

    /// <summary>The variant of the processor.</summary>
    [JsonPropertyName("variant")]
    public string? Variant { get; init; }

    /// <summary>What a container of the image runs as.</summary>
    [JsonPropertyName("config")]
    public ContainerConfig Config { get; init; } = new();

    /// <summary>The layers' diff ids, lowest first.</summary>
    [JsonPropertyName("rootfs")]
    public required RootFileSystem RootFs { get; init; }

    /// <summary>The instructions the image was made by.</summary>
    [JsonPropertyName("history")]
    public IReadOnlyList<HistoryEntry> History { get; init; } = [];
}

/// <summary>The <c>rootfs</c> of an image configuration.</summary>
public sealed record RootFileSystem
{
    /// <summary>Always <c>layers</c>.</summary>
    [JsonPropertyName("type")]
    public string Type { get; init; } = "layers";

    /// <summary>The digests of the uncompressed layers, lowest first.</summary>
    [JsonPropertyName("diff_ids")]
    public required IReadOnlyList<Digest> DiffIds { get; init; }
}

/// <summary>One instruction in an image's history.</summary>
public sealed record HistoryEntry
{
    /// <summary>The source epoch, RFC 3339 in UTC.</summary>
    [JsonPropertyName("created")]
    public string? Created { get; init; }

    /// <summary>The instruction.</summary>
    [JsonPropertyName("created_by")]
    public string? CreatedBy { get; init; }

    /// <summary>A remark.</summary>
    [JsonPropertyName("comment")]
    public string? Comment { get; init; }

    /// <summary>Whether the instruction made no layer.</summary>
    [JsonPropertyName("empty_layer")]
    public bool? EmptyLayer { get; init; }
}

/// <summary>The execution parameters of an image: what <c>config.config</c> holds.</summary>
public sealed record ContainerConfig
{
    /// <summary>The user, <c>name</c>, <c>uid</c>, or either with <c>:group</c>.</summary>
    [JsonPropertyName("User")]
    public string? User { get; init; }

    /// <summary>Ports such as <c>8080/tcp</c>.</summary>
    [JsonPropertyName("ExposedPorts")]
    public SortedDictionary<string, JsonElement>? ExposedPorts { get; init; }

    /// <summary>The environment as <c>NAME=value</c>, in the order it was set.</summary>
    [JsonPropertyName("Env")]
    public IReadOnlyList<string>? Env { get; init; }

    /// <summary>The entry point.</summary>
    [JsonPropertyName("Entrypoint")]
    public IReadOnlyList<string>? Entrypoint { get; init; }

    /// <summary>The default arguments.</summary>
    [JsonPropertyName("Cmd")]
    public IReadOnlyList<string>? Cmd { get; init; }

    /// <summary>Whether the arguments need no escaping by Docker on Windows; deprecated,
    /// and true in what Docker's builder makes of CMD.</summary>
    [JsonPropertyName("ArgsEscaped")]
    public bool? ArgsEscaped { get; init; }

    /// <summary>Docker's health check; not part of the OCI specification, read by Docker and Podman.</summary>
    [JsonPropertyName("Healthcheck")]
    public HealthCheck? Healthcheck { get; init; }

    /// <summary>Volumes.</summary>
    [JsonPropertyName("Volumes")]
    public SortedDictionary<string, JsonElement>? Volumes { get; init; }

    /// <summary>The working directory.</summary>
    [JsonPropertyName("WorkingDir")]
    public string? WorkingDir { get; init; }

    /// <summary>Labels, sorted by key.</summary>
    [JsonPropertyName("Labels")]
    public SortedDictionary<string, string>? Labels { get; init; }

    /// <summary>The signal that stops a container.</summary>
    [JsonPropertyName("StopSignal")]
    public string? StopSignal { get; init; }

    /// <summary>What is done first by the builds that start with this image; Docker's, not part of the OCI specification.</summary>
    [JsonPropertyName("OnBuild")]
    public IReadOnlyList<string>? OnBuild { get; init; }

    /// <summary>The shell of shell-form instructions, when it is not the default.</summary>
    [JsonPropertyName("Shell")]
    public IReadOnlyList<string>? Shell { get; init; }
}

/// <summary>Docker's health check. Durations are nanoseconds.</summary>
public sealed record HealthCheck
{
    /// <summary><c>NONE</c>, or <c>CMD</c> or <c>CMD-SHELL</c> and what follows.</summary>
    [JsonPropertyName("Test")]
    public required IReadOnlyList<string> Test { get; init; }

    /// <summary>Between two checks, in nanoseconds.</summary>
    [JsonPropertyName("Interval")]
    public long? Interval { get; init; }

    /// <summary>For one check, in nanoseconds.</summary>
    [JsonPropertyName("Timeout")]
    public long? Timeout { get; init; }

    /// <summary>Before failures count, in nanoseconds.</summary>
    [JsonPropertyName("StartPeriod")]
    public long? StartPeriod { get; init; }

    /// <summary>Between two checks during the start period, in nanoseconds.</summary>
    [JsonPropertyName("StartInterval")]
    public long? StartInterval { get; init; }

    /// <summary>Consecutive failures that make a container unhealthy.</summary>
    [JsonPropertyName("Retries")]
    public int? Retries { get; init; }
}
