using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Ingot.Oci.Content;
using static Ingot.Server.Ledger.LedgerEvent;

namespace Ingot.Server.Ledger;

/// <summary>Keeps entries small whatever they are about: what can grow with a service, a project or its evidence goes beside the log,
/// and the entry names it.</summary>
/// <remarks>What is short stays where it is, as everything did in earlier versions:
/// an entry says itself which of the two it does.</remarks>
internal static class Documents
{
    /// <summary>What is longer is a document of its own.</summary>
    public const int MaxInline = 2048;

    private const int MaxKey = 240;
    private const int MaxText = 2000;

    /// <summary>The event as its entry says it, and the documents that it names.</summary>
    public static (LedgerEvent Event, IReadOnlyList<byte[]> Documents) Split(LedgerEvent value)
    {
        var documents = new List<byte[]>();
        return (Split(Cut(value), documents), documents);
    }

    /// <summary>The event with what it names in its place: what <see cref="Split(LedgerEvent)"/> was given.</summary>
    public static LedgerEvent Whole(LedgerEvent value, Func<DocumentName, byte[]> read) => value switch
    {
        ProjectApplied { TextDocument: { } name } e =>
            Whole(e with { Text = Encoding.UTF8.GetString(read(name)), TextDocument = null }, read),
        ProjectApplied { ImagesDocument: { } name } e =>
            e with { Images = Parse(read(name), LedgerJson.Entries.IReadOnlyListAppliedImage), ImagesDocument = null },
        PromotionDecided { GatesDocument: { } name } e =>
            e with { Gates = Parse(read(name), LedgerJson.Entries.IReadOnlyListGateRecord), GatesDocument = null },
        ReleaseRequested e => e with { Spec = Whole(e.Spec, read) },
        RolloutIntent e => e with { Detail = Whole(e.Detail, read) },
        RolloutStateChanged e => e with { Detail = Whole(e.Detail, read) },
        RolloutMeasured e => e with { Detail = Whole(e.Detail, read) },
        RolloutFinished e => e with { Receipt = Whole(e.Receipt, read) },
        RepairIntended e => e with { Detail = Whole(e.Detail, read) },
        _ => value,
    };

    /// <summary>What an element of an entry says, wherever that lies.</summary>
    public static JsonElement Whole(JsonElement element, Func<DocumentName, byte[]> read) =>
        DocumentName.Of(element) is { } name ? Parse(read(name), LedgerJson.Entries.JsonElement) : element;

    /// <summary>The documents that an event names.</summary>
    public static IEnumerable<DocumentName> NamedBy(LedgerEvent value)
    {
        IEnumerable<DocumentName?> names = value switch
        {
            ProjectApplied e => [e.TextDocument, e.ImagesDocument],
            PromotionDecided e => [e.GatesDocument],
            ReleaseRequested e => [DocumentName.Of(e.Spec)],
            RolloutIntent e => [DocumentName.Of(e.Detail)],
            RolloutStateChanged e => [DocumentName.Of(e.Detail)],
            RolloutMeasured e => [DocumentName.Of(e.Detail)],
            RolloutFinished e => [DocumentName.Of(e.Receipt)],
            RepairIntended e => [DocumentName.Of(e.Detail)],
            _ => [],
        };
        return names.OfType<DocumentName>();
    }

    /// <summary>A move's key as it is recorded: one that lists servers ends in its hash, so that it still names one move.</summary>
    public static string Key(string key) =>
        key.Length <= MaxKey ? key : $"{Head(key, MaxKey / 2)}… {Digest.Of(Encoding.UTF8.GetBytes(key)).Hex[..32]}";

    private static LedgerEvent Split(LedgerEvent value, List<byte[]> documents) => value switch
    {
        ProjectApplied e => SplitProject(e, documents),
        PromotionDecided e
            when Take(JsonSerializer.SerializeToUtf8Bytes(e.Gates, LedgerJson.Entries.IReadOnlyListGateRecord), documents) is { } name =>
            e with { Gates = [], GatesDocument = name },
        ReleaseRequested e => e with { Spec = Split(e.Spec, documents) },
        RolloutIntent e => e with { Detail = Split(e.Detail, documents) },
        RolloutStateChanged e => e with { Detail = Split(e.Detail, documents) },
        RolloutMeasured e => e with { Detail = Split(e.Detail, documents) },
        RolloutFinished e => e with { Receipt = Split(e.Receipt, documents) },
        RepairIntended e => e with { Detail = Split(e.Detail, documents) },
        _ => value,
    };

    private static ProjectApplied SplitProject(ProjectApplied value, List<byte[]> documents)
    {
        if (Take(Encoding.UTF8.GetBytes(value.Text), documents) is { } text)
            value = value with { Text = "", TextDocument = text };
        return value.Images is { } images
            && Take(JsonSerializer.SerializeToUtf8Bytes(images, LedgerJson.Entries.IReadOnlyListAppliedImage), documents) is { } name
            ? value with { Images = null, ImagesDocument = name }
            : value;
    }

    private static JsonElement Split(JsonElement element, List<byte[]> documents) =>
        Take(JsonSerializer.SerializeToUtf8Bytes(element, LedgerJson.Entries.JsonElement), documents)?.ToElement() ?? element;

    private static DocumentName? Take(byte[] bytes, List<byte[]> documents)
    {
        if (bytes.Length <= MaxInline)
            return null;
        if (bytes.Length > DocumentName.MaxBytes)
            throw new LedgerException($"a document of {bytes.Length} bytes was not recorded: a document may have {DocumentName.MaxBytes}; "
                + "make what it describes smaller");

        documents.Add(bytes);
        return new DocumentName(Digest.Of(bytes), bytes.Length);
    }

    /// <summary>What machines say may be of any length; people's words were measured at the door.</summary>
    private static LedgerEvent Cut(LedgerEvent value) => value switch
    {
        RolloutIntent e => e with { Key = Key(e.Key) },
        RolloutAcknowledged e => e with { Key = Key(e.Key), Outcome = Text(e.Outcome) },
        RepairIntended e => e with { Key = Key(e.Key) },
        RepairAcknowledged e => e with { Key = Key(e.Key), Outcome = Text(e.Outcome) },
        RolloutStateChanged e => e with { Reason = Text(e.Reason) },
        RolloutPaused e => e with { Reason = Text(e.Reason) },
        RolloutFinished e => e with { Reason = Text(e.Reason) },
        Quarantined e => e with { Reason = Text(e.Reason) },
        GenerationRetired e => e with { Reason = Text(e.Reason) },
        ServiceStopping e => e with { Reason = Text(e.Reason) },
        ServiceStopped e => e with { Reason = Text(e.Reason) },
        _ => value,
    };

    private static string Text(string text) =>
        text.Length <= MaxText ? text : $"{Head(text, MaxText - 60)}… ({text.Length} characters in all)";

    // A pair of surrogates is one character.
    private static string Head(string text, int length) => text[..(char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)];

    private static T Parse<T>(byte[] json, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(json, type) ?? throw new FormatException("a document of the ledger is null");
        }
        catch (JsonException e)
        {
            throw new FormatException($"a document of the ledger does not parse: {IngotException.ReasonOf(e)}", e);
        }
    }
}
