using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ingot.Evidence.Provenance;

[JsonSourceGenerationOptions(RespectNullableAnnotations = true, AllowDuplicateProperties = false,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SlsaProvenance))]
internal sealed partial class ProvenanceJson : JsonSerializerContext;

/// <summary>RFC 3339 in UTC with <c>Z</c> and whole seconds, as the specification's examples have it.</summary>
internal sealed class UtcSecondsConverter : JsonConverter<DateTimeOffset?>
{
    public override DateTimeOffset? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.Null ? null : reader.GetDateTimeOffset();

    public override void Write(Utf8JsonWriter writer, DateTimeOffset? value, JsonSerializerOptions options)
    {
        if (value is { } time)
            writer.WriteStringValue(Text(time));
        else
            writer.WriteNullValue();
    }

    internal static string Text(DateTimeOffset time) =>
        time.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
