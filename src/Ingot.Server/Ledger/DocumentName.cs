using System.Text.Json;
using Ingot.Oci.Content;

namespace Ingot.Server.Ledger;

/// <summary>Names a document that lies beside the log: what an entry says that may be longer than an entry.</summary>
/// <param name="Document">The digest of its bytes.</param>
/// <param name="Size">How many there are.</param>
public sealed record DocumentName(Digest Document, long Size)
{
    /// <summary>The largest document in bytes.</summary>
    public const int MaxBytes = 4 << 20;

    /// <summary>Reads <c>{"document":"sha256:…","size":n}</c>; null when the element is something else.</summary>
    public static DocumentName? Of(JsonElement element) =>
        element.ValueKind == JsonValueKind.Object && element.GetPropertyCount() == 2
        && element.TryGetProperty("document", out var digest)
        && digest.ValueKind == JsonValueKind.String
        && Digest.TryParse(digest.GetString(), out var document)
        && element.TryGetProperty("size", out var size) && size.TryGetInt64(out long bytes)
            ? new DocumentName(document, bytes)
            : null;

    /// <summary>The name as it stands in an entry.</summary>
    public JsonElement ToElement() => JsonSerializer.SerializeToElement(this, LedgerJson.Entries.DocumentName);
}
