using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ingot.Releases;

/// <summary>Reads and writes what a controller must not lose: members in snake case, in declared order.</summary>
public static class ReleasesJson
{
    /// <summary>The JSON of a rollout's state.</summary>
    public static string Write(RolloutState state) => JsonSerializer.Serialize(state, ReleasesJsonContext.Default.RolloutState);

    /// <summary>The JSON of a steady state.</summary>
    public static string Write(SteadyState state) => JsonSerializer.Serialize(state, ReleasesJsonContext.Default.SteadyState);

    /// <summary>The JSON of a move.</summary>
    public static string Write(Move move) => JsonSerializer.Serialize(move, ReleasesJsonContext.Default.Move);

    /// <summary>The JSON of what was asked for.</summary>
    public static string Write(RolloutSpec spec) => JsonSerializer.Serialize(spec, ReleasesJsonContext.Default.RolloutSpec);

    /// <summary>The JSON of an observation.</summary>
    public static string Write(Observation observation) => JsonSerializer.Serialize(observation, ReleasesJsonContext.Default.Observation);

    /// <summary>The JSON of a generation.</summary>
    public static string Write(Generation generation) => JsonSerializer.Serialize(generation, ReleasesJsonContext.Default.Generation);

    /// <summary>Reads a rollout's state, or throws <see cref="FormatException"/>.</summary>
    public static RolloutState ReadRollout(string json) => Read(json, ReleasesJsonContext.Default.RolloutState, "a rollout");

    /// <summary>Reads a steady state, or throws <see cref="FormatException"/>.</summary>
    public static SteadyState ReadSteady(string json) => Read(json, ReleasesJsonContext.Default.SteadyState, "a steady state");

    /// <summary>Reads a move, or throws <see cref="FormatException"/>.</summary>
    public static Move ReadMove(string json) => Read(json, ReleasesJsonContext.Default.Move, "a move");

    /// <summary>Reads what was asked for, or throws <see cref="FormatException"/>.</summary>
    public static RolloutSpec ReadSpec(string json) => Read(json, ReleasesJsonContext.Default.RolloutSpec, "a rollout's request");

    /// <summary>Reads a generation, or throws <see cref="FormatException"/>.</summary>
    public static Generation ReadGeneration(string json) => Read(json, ReleasesJsonContext.Default.Generation, "a generation");

    private static T Read<T>(string json, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, string what)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(json, type) ?? throw new FormatException($"null is not {what}");
        }
        // A move without its kind is not supported rather than malformed, as the serializer sees it.
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            throw new FormatException($"the document is not {what}: {e.Message}", e);
        }
    }
}

/// <summary>The shapes of release documents, for those that put them into larger ones.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(RolloutState))]
[JsonSerializable(typeof(RolloutReceipt))]
[JsonSerializable(typeof(SteadyState))]
[JsonSerializable(typeof(Observation))]
[JsonSerializable(typeof(Move))]
public sealed partial class ReleasesJsonContext : JsonSerializerContext;
