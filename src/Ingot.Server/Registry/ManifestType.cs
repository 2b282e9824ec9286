using System.Text.Json;

namespace Ingot.Server.Registry;

/// <summary>Reads the <c>mediaType</c> a document gives itself.</summary>
internal static class ManifestType
{
    /// <summary>The type at the top level; null when there is none, or when the bytes are not a JSON object.</summary>
    public static string? Read(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return null;

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                bool isType = reader.ValueTextEquals("mediaType"u8);
                reader.Read();
                if (isType)
                    return reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
                reader.Skip();
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Not JSON, or text that is not UTF-8: whoever reads the document as a manifest says what is wrong with it.
        }

        return null;
    }
}
