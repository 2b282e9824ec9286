using System.Text.Json.Serialization;

namespace Ingot.Evidence.Tests;

/// <summary>What an image may do while it is tested: part of the question a test result answers.</summary>
public sealed record SandboxTerms
{
    /// <summary>The directories it may write to, sorted by path.</summary>
    [JsonPropertyName("writable")]
    public required IReadOnlyList<WritableDirectory> Writable { get; init; }

    /// <summary>Variables beside the image's own, in the caller's order.</summary>
    [JsonPropertyName("environment")]
    public required IReadOnlyList<string> Environment { get; init; }

    /// <summary>The most memory it may use, in bytes.</summary>
    [JsonPropertyName("memory")]
    public required long Memory { get; init; }

    /// <summary>The most processes and threads it may have.</summary>
    [JsonPropertyName("processes")]
    public required int Processes { get; init; }

    /// <summary>How long it has to open its ports and to answer, in milliseconds.</summary>
    [JsonPropertyName("patience")]
    public required long Patience { get; init; }

    /// <summary>Whether both allow the same.</summary>
    public bool Equals(SandboxTerms? other) =>
        other is not null && Memory == other.Memory && Processes == other.Processes && Patience == other.Patience
        && Writable.SequenceEqual(other.Writable) && Environment.SequenceEqual(other.Environment, StringComparer.Ordinal);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Writable.Count, Environment.Count, Memory, Processes, Patience);
}

/// <summary>A directory in memory that an image may write to.</summary>
/// <param name="Path">Where.</param>
/// <param name="Bytes">Its size.</param>
public sealed record WritableDirectory(
    [property: JsonPropertyName("path"), JsonRequired] string Path, [property: JsonPropertyName("bytes"), JsonRequired] long Bytes);
