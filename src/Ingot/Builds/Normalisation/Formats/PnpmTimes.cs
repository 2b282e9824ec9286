using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Ingot.Oci.Layers;

namespace Ingot.Builds.Normalisation.Formats;

/// <summary>When pnpm last looked at its store and tidied up, in the small files it keeps about that. A number may be followed by blanks,
/// so that the file keeps its size.</summary>
internal static partial class PnpmTimes
{
    private const int MaxBytes = 4 << 20;

    /// <summary>What to change so that no such time is of the step.</summary>
    public static IReadOnlyList<ContentPatch> Find(LayerContent content, StepTimes times)
    {
        if (content.Length > MaxBytes)
            return [];

        string text = Encoding.Latin1.GetString(content.ReadAll());
        return [.. Milliseconds(text, times), .. Dates(text, times)];
    }

    private static IEnumerable<ContentPatch> Milliseconds(string text, StepTimes times) =>
        from match in Number().Matches(text)
        let number = match.Groups[1]
        where times.IsOfStepOrItsCaches(long.Parse(number.ValueSpan, CultureInfo.InvariantCulture) / 1000)
        select new ContentPatch(number.Index,
            Encoding.ASCII.GetBytes((times.Epoch * 1000L).ToString(CultureInfo.InvariantCulture).PadRight(number.Length)));

    private static IEnumerable<ContentPatch> Dates(string text, StepTimes times) =>
        from match in Date().Matches(text)
        let date = match.Groups[1]
        where DateTimeOffset.TryParseExact(date.Value, "r", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            && times.IsOfStepOrItsCaches(time.ToUnixTimeSeconds())
        select new ContentPatch(date.Index,
            Encoding.ASCII.GetBytes(DateTimeOffset.FromUnixTimeSeconds(times.Epoch).ToString("r", CultureInfo.InvariantCulture)));

    [GeneratedRegex("\"(?:checkedAt|lastValidatedTimestamp)\": ?([0-9]{13})(?=[ ,}\\r\\n])")]
    private static partial Regex Number();

    [GeneratedRegex("^ *\"?prunedAt\"?: \"?([A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT)\"?,?\\r?$",
        RegexOptions.Multiline)]
    private static partial Regex Date();
}
