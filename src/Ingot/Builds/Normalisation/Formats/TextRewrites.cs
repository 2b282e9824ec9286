using System.Globalization;

namespace Ingot.Builds.Normalisation.Formats;

/// <summary>Texts of which lines change.</summary>
internal static class TextRewrites
{
    private const int SecondsADay = 86400;

    /// <summary>A shadow file in which no password was changed after the epoch
    /// (<see href="https://man7.org/linux/man-pages/man5/shadow.5.html">shadow</see>).</summary>
    public static string CapShadowDays(string text, long epoch)
    {
        long day = epoch / SecondsADay;
        return string.Join('\n', text.Split('\n').Select(line =>
        {
            var fields = line.Split(':');
            if (fields.Length > 2
                && long.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out long changed)
                && changed > day)
                fields[2] = day.ToString(CultureInfo.InvariantCulture);
            return string.Join(':', fields);
        }));
    }

    /// <summary>Stanzas of a package manager's state file, each between empty lines, in the order of their text: which came first is the
    /// order in which they were installed.</summary>
    public static string SortStanzas(string text, long epoch)
    {
        var stanzas = text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(s => s.Trim('\n')).Where(s => s.Length > 0).ToList();
        bool isStanzas = stanzas.TrueForAll(s => s.StartsWith("Package: ", StringComparison.Ordinal));
        return isStanzas && stanzas.Count > 0 ? string.Join("\n\n", stanzas.Order(StringComparer.Ordinal)) + "\n\n" : text;
    }
}
