using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Ingot.Evidence;

/// <summary>Reads predicates into their types, strictly: a member that is missing,
/// is there twice or is of another type makes all of it unreadable.</summary>
internal static class PredicateReader
{
    /// <summary>Reads a predicate, or throws <see cref="FormatException"/>.</summary>
    public static T Read<T>(JsonElement predicate, JsonTypeInfo<T> type, string what)
        where T : class
    {
        try
        {
            return predicate.Deserialize(type) ?? throw new FormatException($"the predicate is not {what}: it is null");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or NotSupportedException or ArgumentException)
        {
            throw new FormatException($"the predicate is not {what}: {IngotException.ReasonOf(e)}", e);
        }
    }

    /// <summary>Refuses a list with nothing in one of its places, which the types cannot.</summary>
    public static void RefuseNull<T>(IEnumerable<T?>? list, string what)
    {
        if (list?.Any(item => item is null) == true)
            throw new FormatException($"the predicate is not {what}: a list of it holds null");
    }

    /// <summary>Refuses a word that is none of <paramref name="words"/>.</summary>
    public static void RefuseOther(string word, string what, params ReadOnlySpan<string> words)
    {
        if (!words.Contains(word))
            throw new FormatException($"the predicate is not {what}: '{Shown(word)}' is none of {string.Join(", ", words.ToArray())}");
    }

    // It stands in reasons, which people read and the ledger keeps.
    private static string Shown(string word) => word.Length <= 64 ? word : word[..64] + "…";
}
