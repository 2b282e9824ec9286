using System.Text;
using Ingot.Tools;

namespace Ingot.Builds.Remote;

/// <summary>What may be used to reach git repositories.</summary>
public sealed record GitAccess
{
    private const string HeaderSecret = "GIT_AUTH_HEADER";
    private const string TokenSecret = "GIT_AUTH_TOKEN";
    private const string DefaultAgent = "default";

    private static readonly string[] s_protocols = ["https", "http", "ssh", "git"];
    private static readonly string[] s_proxies =
        ["http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"];

    /// <summary>Secrets: <c>GIT_AUTH_TOKEN</c> and <c>GIT_AUTH_HEADER</c> are for repositories behind HTTP, also for one host as
    /// <c>GIT_AUTH_TOKEN.host</c>.</summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Secrets { get; init; } = new Dictionary<string, ReadOnlyMemory<byte>>();

    /// <summary>Sockets of SSH agents by id; <c>default</c> is used.</summary>
    public IReadOnlyDictionary<string, string> SshAgents { get; init; } = new Dictionary<string, string>();

    /// <summary>Whether repositories may be directories of the host, also those of submodules.</summary>
    public bool AllowLocalUnsafe { get; init; }

    /// <summary>What a repository, whose size nobody says beforehand, leaves free on the disk.</summary>
    internal long Reserve { get; init; } = new DownloadSettings().Reserve;

    /// <summary>The access that a build has.</summary>
    public static GitAccess Of(BuildSettings settings) => new()
    {
        Secrets = settings.Access.Secrets,
        SshAgents = settings.Access.SshAgents,
        AllowLocalUnsafe = settings.AllowLocalRepositoriesUnsafe,
    };

    /// <summary>How a repository is reached.</summary>
    internal GitConnection ConnectionTo(string repository)
    {
        var address = Uri.TryCreate(repository, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" ? uri : null;
        return new GitConnection
        {
            Protocols = AllowLocalUnsafe ? [.. s_protocols, "file"] : s_protocols,
            SshAgent = SshAgents.GetValueOrDefault(DefaultAgent),
            AuthorizedAddress = address?.GetLeftPart(UriPartial.Scheme)
                + address?.GetComponents(UriComponents.HostAndPort, UriFormat.UriEscaped) + "/",
            Authorization = address is null ? null : AuthorizationFor(address),
            Proxies = s_proxies.Select(name => (name, Value: Environment.GetEnvironmentVariable(name)))
                .Where(p => p.Value is { Length: > 0 }).ToDictionary(p => p.name, p => p.Value!),
        };
    }

    private string? AuthorizationFor(Uri address)
    {
        if (Secret(HeaderSecret, address.Host) is { } header)
            return header;
        if (Secret(TokenSecret, address.Host) is { } token)
            return Basic("x-access-token:" + token);
        return address.UserInfo.Length == 0 ? null : Basic(Uri.UnescapeDataString(address.UserInfo));
    }

    private string? Secret(string name, string host) =>
        Secrets.TryGetValue($"{name}.{host}", out var value) || Secrets.TryGetValue(name, out value)
            ? Encoding.UTF8.GetString(value.Span).Trim()
            : null;

    private static string Basic(string user) => "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes(user));
}
