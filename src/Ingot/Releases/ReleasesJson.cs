using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Ingot.Releases;

/// <summary>Reads and writes what a controller must not lose: members in snake case, in declared order.</summary>
public static class ReleasesJson
{
    private const string Spec = "spec";

    private const string Counts = "judgement";

    private static readonly JsonDocumentOptions s_strict = new() { AllowDuplicateProperties = false };

    private static readonly SortedDictionary<string, InstanceMemory> s_none = new(StringComparer.Ordinal);

    // What a state must say is not among them.
    private static readonly Lazy<string> s_defaults = new(() =>
    {
        var state = new RolloutState { Spec = null!, StartedAt = default, DecidedAt = default, PhaseSince = default, Deadline = default };
        var defaults = JsonSerializer.SerializeToNode(state, ReleasesJsonContext.Default.RolloutState)!.AsObject();
        foreach (string required in (string[])["started_at", "decided_at", "phase_since", "deadline"])
            defaults.Remove(required);
        return defaults.ToJsonString();
    });

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

    /// <summary>What a ledger records of a state: what is known of the rollout, without what was asked for, which its request says, and
    /// without what is remembered of each instance and counted at each server. Its size does not grow with the service.</summary>
    /// <param name="state">The state.</param>
    /// <param name="changesRecorded">How many of its changes of phase earlier records hold: those are left out.</param>
    public static string WriteRecord(RolloutState state, int changesRecorded)
    {
        var record = Node(WithoutInstances(state));
        record["history"] = JsonSerializer.SerializeToNode([.. state.History.Skip(changesRecorded)],
            ReleasesJsonContext.Default.IReadOnlyListPhaseChange);
        return record.ToJsonString();
    }

    /// <summary>All of a state but what was asked for: what is kept beside the ledger while a rollout goes on.</summary>
    public static string WriteWorking(RolloutState state) => Node(state).ToJsonString();

    /// <summary>Puts what was asked for into what <see cref="WriteRecord"/> wrote, or throws <see cref="FormatException"/>.
    /// What earlier versions wrote is whole and stays as it is.</summary>
    public static RolloutState ReadRecord(string record, string spec) => ReadState(record, spec, mayBeWhole: true);

    /// <summary>Puts what was asked for into what <see cref="WriteWorking"/> wrote, or throws <see cref="FormatException"/>. It is no
    /// record: what was asked for is never taken from it.</summary>
    public static RolloutState ReadWorking(string working, string spec) => ReadState(working, spec, mayBeWhole: false);

    /// <summary>The JSON of what is remembered of instances.</summary>
    public static string WriteMemory(IReadOnlyDictionary<string, InstanceMemory> memory) =>
        JsonSerializer.Serialize(memory, ReleasesJsonContext.Default.IReadOnlyDictionaryStringInstanceMemory);

    /// <summary>Reads what is remembered of instances; nothing when it cannot be read, as it may be lost at any time.</summary>
    public static IReadOnlyDictionary<string, InstanceMemory> ReadMemory(string json)
    {
        try
        {
            var memory = Read(json, ReleasesJsonContext.Default.IReadOnlyDictionaryStringInstanceMemory, "what is remembered of instances");
            return memory.Values.Any(instance => instance is null) ? s_none : memory;
        }
        catch (FormatException)
        {
            return s_none;
        }
    }

    /// <summary>Reads a rollout's state, or throws <see cref="FormatException"/>.</summary>
    public static RolloutState ReadRollout(string json) => Read(json, ReleasesJsonContext.Default.RolloutState, "a rollout");

    /// <summary>Reads a steady state, or throws <see cref="FormatException"/>.</summary>
    public static SteadyState ReadSteady(string json) => Read(json, ReleasesJsonContext.Default.SteadyState, "a steady state");

    /// <summary>Reads what was asked for, or throws <see cref="FormatException"/>.</summary>
    public static RolloutSpec ReadSpec(string json) => Read(json, ReleasesJsonContext.Default.RolloutSpec, "a rollout's request");

    /// <summary>Reads a generation, or throws <see cref="FormatException"/>.</summary>
    public static Generation ReadGeneration(string json) => Read(json, ReleasesJsonContext.Default.Generation, "a generation");

    // What grows with the number of instances: it is kept beside the ledger. The judge takes what it reads next as its base then.
    private static RolloutState WithoutInstances(RolloutState state) => state with
    {
        Instances = s_none,
        Judgement = state.Judgement with
        {
            Counters = new SortedDictionary<string, ServerCounters>(),
            Held = new SortedDictionary<string, HeldErrors>(),
            Epoch = "",
            LastRequests = 0,
            LastFailures = 0,
        },
    };

    /// <summary>Members that came later than a record begin as they do in a new rollout:
    /// without this the serializer leaves them null.</summary>
    private static void Complete(JsonObject read, JsonObject defaults)
    {
        foreach (var (name, value) in defaults)
        {
            if (!read.ContainsKey(name))
                read[name] = value?.DeepClone();
            else if (name == Counts && read[name] is JsonObject counts && value is JsonObject none)
                Complete(counts, none);
        }
    }

    private static RolloutState ReadState(string json, string spec, bool mayBeWhole)
    {
        try
        {
            if (JsonNode.Parse(json, documentOptions: s_strict) is not JsonObject state)
                throw new FormatException("the document is not a rollout: it is no object");
            if (!mayBeWhole && (HasNull(state) || state.ContainsKey(Spec)))
                throw new FormatException($"the document is not what was counted of a rollout: it has a null or a '{Spec}'");
            if (!state.ContainsKey(Spec))
                state[Spec] = JsonNode.Parse(spec);
            Complete(state, JsonNode.Parse(s_defaults.Value)!.AsObject());
            return state.Deserialize(ReleasesJsonContext.Default.RolloutState) ?? throw new FormatException("null is not a rollout");
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or InvalidOperationException or ArgumentException)
        {
            throw new FormatException($"the document is not a rollout: {IngotException.ReasonOf(e)}", e);
        }
    }

    // What is absent is left out when it is written.
    private static bool HasNull(JsonNode? node) => node switch
    {
        null => true,
        JsonObject members => members.Any(member => HasNull(member.Value)),
        JsonArray elements => elements.Any(HasNull),
        _ => false,
    };

    private static JsonObject Node(RolloutState state)
    {
        var node = JsonSerializer.SerializeToNode(state, ReleasesJsonContext.Default.RolloutState)!.AsObject();
        node.Remove(Spec);
        return node;
    }

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
            throw new FormatException($"the document is not {what}: {IngotException.ReasonOf(e)}", e);
        }
    }
}

/// <summary>The shapes of release documents, for those that put them into larger ones.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(RolloutState))]
[JsonSerializable(typeof(IReadOnlyList<PhaseChange>))]
[JsonSerializable(typeof(IReadOnlyDictionary<string, InstanceMemory>))]
[JsonSerializable(typeof(RolloutReceipt))]
[JsonSerializable(typeof(SteadyState))]
[JsonSerializable(typeof(Observation))]
[JsonSerializable(typeof(Move))]
public sealed partial class ReleasesJsonContext : JsonSerializerContext;
