using System.Globalization;

namespace Ingot.Templates.Dockerfile;

/// <summary>A word of EXPOSE: <c>port</c>, <c>first-last</c>, each with or without <c>/tcp</c>, <c>/udp</c> or <c>/sctp</c>.</summary>
public static class ExposedPorts
{
    /// <summary>What a word must look like, for messages.</summary>
    public const string Form = "such as 8080, 53/udp or 7000-7005";

    /// <summary>The ports of a word as an image's configuration names them, <c>8080/tcp</c>; null when it is not such a word.</summary>
    public static IReadOnlyList<string>? TryParse(string word)
    {
        int slash = word.IndexOf('/', StringComparison.Ordinal);
        string protocol = slash < 0 ? "tcp" : word[(slash + 1)..].ToLowerInvariant();
        if (protocol is not ("tcp" or "udp" or "sctp"))
            return null;

        string[] ends = (slash < 0 ? word : word[..slash]).Split('-');
        if (ends.Length > 2 || Port(ends[0]) is not { } first || Port(ends[^1]) is not { } last || last < first)
            return null;

        return [.. Enumerable.Range(first, last - first + 1).Select(port => string.Create(CultureInfo.InvariantCulture, $"{port}/{protocol}"))];
    }

    private static int? Port(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port is >= 1 and <= 65535 ? port : null;
}
