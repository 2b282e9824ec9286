using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ingot.Server.Registry;

/// <summary>The answer is no: a status, one of the specification's codes, and a sentence.</summary>
internal sealed class RegistryRefusal(int status, string code, string message) : Exception(message)
{
    public int Status => status;

    public string Code => code;

    /// <summary>Headers that go with the answer.</summary>
    public Dictionary<string, string> Headers { get; } = [];
}

/// <summary>The codes of <see href="https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes">the
/// specification</see>.</summary>
internal static class ErrorCode
{
    public const string BlobUnknown = "BLOB_UNKNOWN";
    public const string BlobUploadInvalid = "BLOB_UPLOAD_INVALID";
    public const string BlobUploadUnknown = "BLOB_UPLOAD_UNKNOWN";
    public const string DigestInvalid = "DIGEST_INVALID";
    public const string ManifestBlobUnknown = "MANIFEST_BLOB_UNKNOWN";
    public const string ManifestInvalid = "MANIFEST_INVALID";
    public const string ManifestUnknown = "MANIFEST_UNKNOWN";
    public const string NameInvalid = "NAME_INVALID";
    public const string NameUnknown = "NAME_UNKNOWN";
    public const string SizeInvalid = "SIZE_INVALID";
    public const string Denied = "DENIED";
    public const string Unsupported = "UNSUPPORTED";
    public const string TooManyRequests = "TOOMANYREQUESTS";
}

internal sealed record ErrorBody([property: JsonPropertyName("errors")] IReadOnlyList<ErrorItem> Errors);

internal sealed record ErrorItem([property: JsonPropertyName("code")] string Code, [property: JsonPropertyName("message")] string Message);

internal sealed record TagList(
    [property: JsonPropertyName("name")] string Name, [property: JsonPropertyName("tags")] IReadOnlyList<string> Tags);

internal sealed record Catalog([property: JsonPropertyName("repositories")] IReadOnlyList<string> Repositories);

[JsonSerializable(typeof(ErrorBody))]
[JsonSerializable(typeof(TagList))]
[JsonSerializable(typeof(Catalog))]
[JsonSerializable(typeof(SortedDictionary<string, string>))]
[JsonSerializable(typeof(string[]))]
internal sealed partial class RegistryJson : JsonSerializerContext
{
    /// <summary>People read the messages: a quotation mark stays one.</summary>
    public static RegistryJson Readable { get; } = new(new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
