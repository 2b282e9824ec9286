using System.Globalization;

namespace Ingot.Templates.Dockerfile;

/// <summary>Durations as Docker writes them: <c>1h30m</c>, <c>1.5s</c>, <c>500ms</c>.</summary>
internal static class GoDuration
{
    // Longest first where one begins another.
    private static readonly (string Unit, double Seconds)[] s_units =
        [("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("μs", 1e-6), ("ms", 1e-3), ("h", 3600), ("m", 60), ("s", 1)];

    /// <summary>Null when <paramref name="text"/> is not a duration, is negative, or is longer than a century.</summary>
    public static TimeSpan? TryParse(string text)
    {
        if (text == "0")
            return TimeSpan.Zero;
        if (text.Length == 0)
            return null;

        double seconds = 0;
        for (int position = 0; position < text.Length;)
        {
            int end = position;
            while (end < text.Length && (char.IsAsciiDigit(text[end]) || text[end] == '.'))
                end++;
            if (!double.TryParse(text.AsSpan(position, end - position), NumberStyles.AllowDecimalPoint,
                CultureInfo.InvariantCulture, out double number))
                return null;

            var (unit, length) = Array.Find(s_units, u => text.AsSpan(end).StartsWith(u.Unit, StringComparison.Ordinal));
            if (unit is null)
                return null;

            seconds += number * length;
            position = end + unit.Length;
        }

        // What is shorter than a tick is still not nothing.
        return seconds < 3_155_760_000 ? TimeSpan.FromTicks((long)Math.Ceiling(seconds * TimeSpan.TicksPerSecond)) : null;
    }
}
