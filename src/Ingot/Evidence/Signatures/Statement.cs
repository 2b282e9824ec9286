using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Ingot.Oci.Content;

namespace Ingot.Evidence.Signatures;

/// <summary>Something said about images, to be signed
/// (<see href="https://github.com/in-toto/attestation/blob/v1.1.0/spec/v1/statement.md">in-toto statement</see>).</summary>
public sealed record Statement
{
    /// <summary>The type of the statements Ingot writes.</summary>
    public const string Type = "https://in-toto.io/Statement/v1";

    // cosign 2 still writes its attestations under the older name; the members are the same.
    private const string OldType = "https://in-toto.io/Statement/v0.1";

    // JavaScript's escapes would only make names such as 'libstdc++6' unreadable; a payload is never put in HTML.
    private static readonly JsonWriterOptions s_writing = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonDocumentOptions s_reading = new() { AllowDuplicateProperties = false, MaxDepth = 64 };

    /// <summary>What it is about, at least one.</summary>
    public required IReadOnlyList<StatementSubject> Subjects { get; init; }

    /// <summary>What kind of thing is said, a URI.</summary>
    public required string PredicateType { get; init; }

    /// <summary>What is said: a JSON object.</summary>
    public required JsonElement Predicate { get; init; }

    /// <summary>A statement about one image.</summary>
    public static Statement About(Digest subject, string name, string predicateType, JsonElement predicate) =>
        new() { Subjects = [new StatementSubject(name, subject)], PredicateType = predicateType, Predicate = predicate };

    /// <summary>A statement about one image, bound to the project and image it was made for.</summary>
    public static Statement About(Digest subject, StatementBinding binding, string predicateType, JsonElement predicate) =>
        new()
        {
            Subjects = [new StatementSubject(binding.Name, subject) { Annotations = binding.Annotations }],
            PredicateType = predicateType,
            Predicate = predicate,
        };

    /// <summary>The statement that is an image signature in cosign 3: a subject, and nothing more to say.</summary>
    public static Statement Signature(Digest subject, string name, SortedDictionary<string, string>? annotations = null) =>
        new()
        {
            Subjects = [new StatementSubject(name, subject) { Annotations = annotations }],
            PredicateType = Signatures.PredicateType.Signature,
            Predicate = JsonElement.Parse("{}"u8),
        };

    /// <summary>The bytes to sign: equal statements have equal bytes.</summary>
    public byte[] ToBytes()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, s_writing))
        {
            json.WriteStartObject();
            json.WriteString("_type"u8, Type);
            json.WriteStartArray("subject"u8);
            foreach (var subject in Subjects)
                subject.Write(json);
            json.WriteEndArray();
            json.WriteString("predicateType"u8, PredicateType);
            json.WritePropertyName("predicate"u8);
            Predicate.WriteTo(json);
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Reads a statement, or throws <see cref="FormatException"/>. Subjects without a SHA-256 digest are left out;
    /// at least one must be left.</summary>
    public static Statement Parse(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, s_reading);
            return Read(document.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new FormatException($"the payload is not JSON: {IngotException.ReasonOf(e)}", e);
        }
    }

    private static Statement Read(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
            throw new FormatException("the payload is not a statement: expected an object");

        string type = Text(root, "_type"u8) ?? throw new FormatException("the statement has no '_type'");
        if (type is not (Type or OldType))
            throw new FormatException($"'{type}' is not a statement type: expected '{Type}'");

        return new Statement
        {
            Subjects = ReadSubjects(root),
            PredicateType = Text(root, "predicateType"u8) ?? throw new FormatException("the statement has no 'predicateType'"),
            Predicate = ReadPredicate(root),
        };
    }

    private static List<StatementSubject> ReadSubjects(JsonElement root)
    {
        if (!root.TryGetProperty("subject"u8, out var list) || list.ValueKind != JsonValueKind.Array)
            throw new FormatException("the statement has no 'subject' list");

        List<StatementSubject> subjects = [];
        foreach (var item in list.EnumerateArray())
        {
            if (StatementSubject.Read(item) is { } subject)
                subjects.Add(subject);
        }

        return subjects.Count > 0 ? subjects : throw new FormatException("the statement has no subject with a SHA-256 digest");
    }

    private static JsonElement ReadPredicate(JsonElement root)
    {
        if (!root.TryGetProperty("predicate"u8, out var predicate) || predicate.ValueKind == JsonValueKind.Null)
            return JsonElement.Parse("{}"u8);

        return predicate.ValueKind == JsonValueKind.Object
            ? predicate.Clone()
            : throw new FormatException("the statement's 'predicate' is not an object");
    }

    internal static string? Text(JsonElement parent, ReadOnlySpan<byte> name) =>
        parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}

/// <summary>One thing a statement is about.</summary>
/// <param name="Name">What people call it; no proof of anything.</param>
/// <param name="Digest">What it is.</param>
public sealed record StatementSubject(string Name, Digest Digest)
{
    /// <summary>Notes of the signer, sorted by key.</summary>
    public SortedDictionary<string, string>? Annotations { get; init; }

    internal void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("name"u8, Name);
        json.WriteStartObject("digest"u8);
        json.WriteString("sha256"u8, Digest.Hex);
        json.WriteEndObject();
        if (Annotations is { Count: > 0 })
        {
            json.WriteStartObject("annotations"u8);
            foreach (var (key, value) in Annotations)
                json.WriteString(key, value);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    // A subject whose digest is of another algorithm is none that we could compare: left out, never matched.
    internal static StatementSubject? Read(JsonElement item)
    {
        if (item.ValueKind != JsonValueKind.Object
            || !item.TryGetProperty("digest"u8, out var digests)
            || digests.ValueKind != JsonValueKind.Object
            || Statement.Text(digests, "sha256"u8) is not { } hex
            || !Digest.TryParse("sha256:" + hex, out var digest))
        {
            return null;
        }

        return new StatementSubject(Statement.Text(item, "name"u8) ?? "", digest) { Annotations = ReadAnnotations(item) };
    }

    private static SortedDictionary<string, string>? ReadAnnotations(JsonElement item)
    {
        if (!item.TryGetProperty("annotations"u8, out var list) || list.ValueKind != JsonValueKind.Object)
            return null;

        var annotations = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var note in list.EnumerateObject())
            annotations[note.Name] = note.Value.ValueKind == JsonValueKind.String ? note.Value.GetString()! : note.Value.GetRawText();
        return annotations;
    }
}
