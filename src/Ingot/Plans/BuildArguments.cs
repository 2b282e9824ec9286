using Ingot.Oci.Content;

namespace Ingot.Plans;

/// <summary>Values for ARG: those given, and those there always are.</summary>
internal sealed class BuildArguments
{
    // https://docs.docker.com/reference/dockerfile/#predefined-args
    private static readonly HashSet<string> s_proxies = new(
        ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "ftp_proxy",
            "no_proxy", "all_proxy"],
        StringComparer.Ordinal);

    private readonly OrderedDictionary<string, string> _given = [];
    private readonly Dictionary<string, string> _automatic;

    public BuildArguments(IEnumerable<KeyValuePair<string, string>> given, Platform platform, string target)
    {
        foreach (var (name, value) in given)
            _given[name] = value;
        // One that is given replaces the automatic one wherever that would count, also where no ARG declares it.
        _automatic = Automatic(platform, target)
            .ToDictionary(a => a.Key, a => _given.GetValueOrDefault(a.Key, a.Value), StringComparer.Ordinal);
    }

    /// <summary>What was given and is the image's business. Where the proxy is may hold a password, and records are published.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Given => [.. _given.Where(a => !s_proxies.Contains(a.Key))];

    /// <summary>Where the proxy is: given to every command although no ARG declares it, in capital and in small letters, because programs
    /// read one or the other; no part of any result.</summary>
    public IEnumerable<string> Proxies(Scope scope) => _given.Where(a => s_proxies.Contains(a.Key))
        .SelectMany(
            a => new[] { a.Key, a.Key.ToUpperInvariant(), a.Key.ToLowerInvariant() }
                .Distinct()
                .Where(name => name == a.Key || !_given.ContainsKey(name)),
            (a, name) => (Name: name, a.Value))
        .Where(a => !scope.Declares(a.Name))
        .Select(a => $"{a.Name}={a.Value}");

    public string? FindGiven(string name) => _given.TryGetValue(name, out var value) ? value : null;

    public string? FindAutomatic(string name) => _automatic.GetValueOrDefault(name);

    public static bool IsPredefined(string name) =>
        s_proxies.Contains(name) || name is "SOURCE_DATE_EPOCH" || name.StartsWith("BUILDKIT_", StringComparison.Ordinal);

    public bool IsAutomatic(string name) => _automatic.ContainsKey(name);

    // https://docs.docker.com/reference/dockerfile/#automatic-platform-args-in-the-global-scope
    private static Dictionary<string, string> Automatic(Platform target, string stage)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal) { ["TARGETSTAGE"] = stage };
        foreach (var (prefix, platform) in new[] { ("TARGET", target), ("BUILD", Platform.Host) })
        {
            values[prefix + "PLATFORM"] = platform.ToString();
            values[prefix + "OS"] = platform.Os;
            values[prefix + "ARCH"] = platform.Architecture;
            values[prefix + "VARIANT"] = platform.Variant ?? "";
        }

        return values;
    }
}
