using System.Text.Json;
using Ingot.Diagnostics;

namespace Ingot.Server.Api;

/// <summary>Names and reasons that callers give: the ledger keeps them for ever, and everybody's terminal shows them.</summary>
internal static class ApiText
{
    // A file as it stands, which has lines.
    private const string File = "yaml";

    /// <summary>Refuses a request in which a text is not one line of characters that can be seen.</summary>
    public static void RequirePlain(JsonElement request)
    {
        foreach (var property in request.EnumerateObject())
        {
            if (property.Value.ValueKind == JsonValueKind.String && property.Name != File && property.Value.GetString() is { } text)
                Plain(property.Name, text);
        }
    }

    /// <summary>A text of a request, if it is plain.</summary>
    public static string Plain(string name, string text) => PlainText.IsPlain(text)
        ? text
        : throw new ApiException("invalid", $"'{name}' is '{PlainText.Visible(text)}', which has characters that cannot be seen: write one line without control characters");
}
