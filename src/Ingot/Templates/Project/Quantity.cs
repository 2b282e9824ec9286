using System.Globalization;
using System.Text.RegularExpressions;

namespace Ingot.Templates.Project;

/// <summary>Amounts as people write them: a number and a unit.</summary>
public static partial class Quantity
{
    private static readonly (string Unit, double Seconds)[] s_durations = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400)];

    private static readonly (string Unit, long Bytes)[] s_sizes =
        [("", 1), ("Ki", 1L << 10), ("Mi", 1L << 20), ("Gi", 1L << 30), ("k", 1000), ("M", 1000_000), ("G", 1000_000_000)];

    /// <summary>A duration such as <c>500ms</c>, <c>30s</c>, <c>12h</c> or <c>30d</c>, ten years at most; null for anything else.</summary>
    public static TimeSpan? Duration(string text)
    {
        if (Split(text) is not var (number, unit) || Array.Find(s_durations, row => row.Unit == unit) is not { Unit: not null } row)
            return null;

        double seconds = (double)number * row.Seconds;
        return seconds <= TimeSpan.FromDays(3650).TotalSeconds ? TimeSpan.FromSeconds(seconds) : null;
    }

    /// <summary>A number of bytes such as <c>64Mi</c>, <c>1Gi</c> or <c>500M</c>; null for anything else.</summary>
    public static long? Size(string text)
    {
        if (Split(text) is not var (number, unit) || Array.Find(s_sizes, row => row.Unit == unit) is not { Unit: not null } row)
            return null;

        double bytes = (double)number * row.Bytes;
        return bytes <= 1L << 50 ? (long)bytes : null;
    }

    internal static (decimal Number, string Unit)? Split(string text)
    {
        var match = NumberAndUnit().Match(text);
        return match.Success
            && decimal.TryParse(match.Groups[1].Value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number)
            ? (number, match.Groups[2].Value)
            : null;
    }

    [GeneratedRegex(@"^((?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,6})?)([A-Za-z%]{0,2})\z")]
    private static partial Regex NumberAndUnit();
}
