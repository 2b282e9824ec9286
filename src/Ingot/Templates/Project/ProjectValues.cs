using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace Ingot.Templates.Project;

/// <summary>The small languages inside values: durations, sizes, percentages, names, addresses, paths.
/// Each answers null for what it is not.</summary>
internal static partial class ProjectValues
{
    public static bool IsName(string text) => text.Length <= 63 && Name().IsMatch(text);

    // https://semver.org/#is-there-a-suggested-regular-expression-regex-to-check-a-semver-string, without build metadata.
    public static bool IsVersion(string text) => text.Length <= 128 && Version().IsMatch(text);

    public static bool IsEnvironmentName(string text) => EnvironmentName().IsMatch(text);

    public static bool IsSuite(string text) => Suite().IsMatch(text);

    public static bool IsPackage(string text) => Package().IsMatch(text);

    /// <summary>A time as <see href="https://www.rfc-editor.org/rfc/rfc3339#section-5.6">RFC 3339</see> writes it, or seconds since 1970;
    /// whole seconds, before the year 10000.</summary>
    public static DateTimeOffset? Time(string text)
    {
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long seconds))
            return seconds < 253402300800 ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null;

        bool isTime = Timestamp().IsMatch(text) & DateTimeOffset.TryParse(text.ToUpperInvariant(), CultureInfo.InvariantCulture,
            DateTimeStyles.None, out var time);
        return isTime && time.Ticks % TimeSpan.TicksPerSecond == 0 && time >= DateTimeOffset.UnixEpoch ? time.ToUniversalTime() : null;
    }

    /// <summary>From 0 to 100.</summary>
    public static decimal? Percentage(string text) =>
        Quantity.Split(text) is ( <= 100, "%") found ? found.Number : null;

    public static decimal? Number(string text) => Quantity.Split(text) is (_, "") found ? found.Number : null;

    public static int? WholeNumber(string text)
    {
        bool padded = text.Length > 1 && text[0] == '0';
        return !padded && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;
    }

    public static ListenAddress? Address(string text)
    {
        int colon = text.LastIndexOf(':');
        string host = colon < 0 ? "127.0.0.1" : text[..colon];
        if (WholeNumber(text[(colon + 1)..]) is not { } port || port is < 1 or > 65535)
            return null;

        bool bracketed = host.StartsWith('[') && host.EndsWith(']');
        if (!IPAddress.TryParse(bracketed ? host[1..^1] : host, out var address))
            return null;

        // 1 and 0x7f.1 are addresses to the system's parser, and surprises to people.
        bool isWritten = address.AddressFamily == AddressFamily.InterNetwork ? !bracketed && address.ToString() == host : bracketed;
        return isWritten ? new(host, port) : null;
    }

    /// <summary>A path below the project's directory in its shortest form; null when it leads out of it.</summary>
    public static string? RelativePath(string text)
    {
        if (text.Length == 0 || text.StartsWith('/') || text.Any(char.IsControl))
            return null;

        List<string> parts = [];
        foreach (string part in text.Split('/'))
        {
            if (part is "" or ".")
                continue;
            if (part != "..")
                parts.Add(part);
            else if (parts.Count == 0)
                return null;
            else
                parts.RemoveAt(parts.Count - 1);
        }

        return parts.Count == 0 ? "." : string.Join('/', parts);
    }

    /// <summary>An absolute path inside an instance, in its shortest form already, and not the root.</summary>
    public static bool IsInstancePath(string text) =>
        text.StartsWith('/') && text.Length > 1 && !text.Any(char.IsControl) && !text.Contains(',', StringComparison.Ordinal)
        && !text[1..].Split('/').Any(part => part is "" or "." or "..") && text[1..].Split('/')[0] is not ("proc" or "sys" or "dev");

    public static bool IsUrlPath(string text) => UrlPath().IsMatch(text);


    [GeneratedRegex(@"^[a-z0-9]([a-z0-9-]*[a-z0-9])?\z")]
    private static partial Regex Name();

    [GeneratedRegex(@"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0"
        + @"|[1-9][0-9]*)(-(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?\z")]
    private static partial Regex Version();

    [GeneratedRegex(@"^[A-Za-z_][A-Za-z0-9_.-]*\z")]
    private static partial Regex EnvironmentName();

    [GeneratedRegex(@"^[a-z][a-z0-9.-]*\z")]
    private static partial Regex Suite();

    // https://www.debian.org/doc/debian-policy/ch-controlfields.html#source, and =version as apt takes it.
    [GeneratedRegex(@"^[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?(=[A-Za-z0-9.+:~-]+)?\z")]
    private static partial Regex Package();

    [GeneratedRegex(@"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}([Zz]|[+-][0-9]{2}:[0-9]{2})\z")]
    private static partial Regex Timestamp();

    [GeneratedRegex(@"^/[!-~]*\z")]
    private static partial Regex UrlPath();
}
