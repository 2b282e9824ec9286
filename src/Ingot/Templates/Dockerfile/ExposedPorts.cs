using System.Globalization;
using System.Net;

namespace Ingot.Templates.Dockerfile;

/// <summary>
/// A word of EXPOSE: <c>port</c>, <c>first-last</c>, each with or without <c>/tcp</c>, <c>/udp</c> or <c>/sctp</c>. A host's address and
/// port in front, as in <c>127.0.0.1:8080:80</c>, belong to those who start containers; they are read and dropped.
/// </summary>
public static class ExposedPorts
{
    /// <summary>What a word must look like, for messages.</summary>
    public const string Form = "such as 8080, 53/udp or 7000-7005";

    /// <summary>The ports of a word as an image's configuration names them, <c>8080/tcp</c>; null when it is not such a word.</summary>
    public static IReadOnlyList<string>? TryParse(string word)
    {
        int slash = word.IndexOf('/', StringComparison.Ordinal);
        string protocol = slash < 0 || slash == word.Length - 1 ? "tcp" : word[(slash + 1)..].ToLowerInvariant();
        string[] parts = (slash < 0 ? word : word[..slash]).Split(':');
        if (protocol is not ("tcp" or "udp" or "sctp") || Range(parts[^1]) is not { } ports || !IsHost(parts, ports))
            return null;

        return [.. Enumerable.Range(ports.First, ports.Last - ports.First + 1)
            .Select(port => string.Create(CultureInfo.InvariantCulture, $"{port}/{protocol}"))];
    }

    // [address:][ports]: in front; as many ports of the host as of the container, unless the container has one.
    private static bool IsHost(string[] parts, (int First, int Last) ports)
    {
        if (parts.Length == 1)
            return true;

        string address = string.Join(':', parts[..^2]);
        if (address.Length > 0 && !IPAddress.TryParse(address is ['[', .. var inner, ']'] ? inner : address, out _))
            return false;
        if (parts[^2].Length == 0)
            return true;

        return Range(parts[^2]) is { } host && (ports.First == ports.Last || host.Last - host.First == ports.Last - ports.First);
    }

    private static (int First, int Last)? Range(string text)
    {
        string[] ends = text.Split('-');
        return ends.Length <= 2 && Port(ends[0]) is { } first && Port(ends[^1]) is { } last && first <= last ? (first, last) : null;
    }

    private static int? Port(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port is >= 0 and <= 65535 ? port : null;
}
