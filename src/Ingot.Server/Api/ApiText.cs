using System.Text.Json;
using Ingot.Diagnostics;

namespace Ingot.Server.Api;

/// <summary>Names and reasons that callers give: the ledger keeps them for ever, and everybody's terminal shows them.</summary>
internal static class ApiText
{
    // A file as it stands, which has lines.
    private const string File = "yaml";

    // PEM, which has lines and nothing else that cannot be seen.
    private const string Key = "public_key";

    // Signed notes, which have lines too.
    private const string Notes = "against";

    private const int MaxShown = 100;

    // An entry has room for several of these, whatever their characters are.
    private const int MaxText = 2000;

    /// <summary>Refuses a request in which a text, however deep, is not one line of characters that can be seen,
    /// or longer than the ledger keeps.</summary>
    public static void RequirePlain(JsonElement request)
    {
        foreach (var property in request.EnumerateObject())
        {
            if (property.Name == Key && property.Value.GetString() is { } pem)
                Plain(Key, pem.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\n', ' '));
            else if (property.Name is not (File or Notes))
                RequirePlain(property.Name, property.Value);
        }
    }

    /// <summary>A text of a request, if it is plain.</summary>
    public static string Plain(string name, string text) => PlainText.IsPlain(text)
        ? text
        : throw new ApiException("invalid", $"'{name}' is '{PlainText.Visible(Short(text))}', which has invisible characters: "
            + "write one line without control characters");

    /// <summary>That something is not there, with what may have been meant and what there is.</summary>
    public static string NoSuch(string sentence, string word, string kind, IEnumerable<string> known)
    {
        string rest = Suggestion.Among(Short(word), kind, [.. known]);
        return $"{sentence}; {rest}";
    }

    /// <summary>As much of what a caller sent as an answer repeats.</summary>
    public static string Short(string text, int max = MaxShown) => text.Length <= max ? text : text[..max] + "…";

    private static void RequirePlain(string name, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.String:
                Plain(name, value.GetString()!);
                if (value.GetString()!.Length > MaxText)
                    throw new ApiException("invalid", $"'{name}' has {value.GetString()!.Length} characters: the ledger keeps it forever, "
                        + $"and accepts at most {MaxText} of them; shorten it, and keep the rest elsewhere");
                break;
            case JsonValueKind.Object:
                foreach (var property in value.EnumerateObject())
                    RequirePlain(property.Name, property.Value);
                break;
            case JsonValueKind.Array:
                foreach (var item in value.EnumerateArray())
                {
                    if (item.ValueKind == JsonValueKind.Null)
                        throw new ApiException("invalid", $"'{name}' has a null in its list");
                    RequirePlain(name, item);
                }

                break;
        }
    }
}
