using System.Buffers;
using System.Globalization;
using System.Text;

namespace Ingot.Tools;

/// <summary>How HAProxy checks a server.</summary>
/// <param name="Path">Asked for with GET; 2xx and 3xx are well.</param>
/// <param name="Interval">Between two checks.</param>
/// <param name="Rise">Successes that bring a server back.</param>
/// <param name="Fall">Failures that take it out.</param>
public sealed record HaproxyCheck(string Path, TimeSpan Interval, int Rise, int Fall)
{
    private static readonly SearchValues<char> s_pathCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-._~!$&()*+,=:@%?");

    internal string Keywords => string.Create(CultureInfo.InvariantCulture, $"check inter {(long)Interval.TotalMilliseconds}ms rise {Rise} fall {Fall}");

    /// <summary>The path, if it can be said to HAProxy as it is; otherwise it throws.</summary>
    // It goes into a map file and onto HAProxy's command socket, where blanks, quotes and semicolons end a word.
    public string SafePath => Path.StartsWith('/') && !Path.AsSpan().ContainsAnyExcept(s_pathCharacters)
        ? Path
        : throw new ToolException("haproxy", $"'{Path}' cannot be the path of a health check: it must begin with '/' and hold only characters that need no quoting");
}

/// <summary>A server HAProxy begins with.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Address"><c>address:port</c>.</param>
/// <param name="Weight">0 to 256.</param>
/// <param name="Check">How it is checked.</param>
public sealed record HaproxyServer(string Name, string Address, int Weight, HaproxyCheck Check);

/// <summary>One HAProxy process in front of one group of servers. Saying it starts nothing.</summary>
public sealed record HaproxyConfig
{
    private static readonly SearchValues<char> s_meaning = SearchValues.Create(" \"'\\#$,()%{}");
    private static readonly SearchValues<char> s_meaningInText = SearchValues.Create("\"'\\#$");

    /// <summary>The name of the one group of servers.</summary>
    public const string Backend = "be";

    /// <summary>The directory of the configuration, the check paths and the process id.</summary>
    public required string Directory { get; init; }

    /// <summary>The command socket; the kernel allows it 107 bytes.</summary>
    public required string SocketPath { get; init; }

    /// <summary>Where users connect, <c>address:port</c>.</summary>
    public required string Bind { get; init; }

    /// <summary>For one health check.</summary>
    public required TimeSpan CheckTimeout { get; init; }

    /// <summary>A line of the caller's own that the running process gives back.</summary>
    public string Description { get; init; } = "";

    /// <summary>The user the process goes on as once it has bound its sockets; null to stay what it was started as.</summary>
    public string? User { get; init; }

    /// <summary>The servers it begins with.</summary>
    public IReadOnlyList<HaproxyServer> Servers { get; init; } = [];

    /// <summary>The configuration's file.</summary>
    public string ConfigPath => Path.Combine(Directory, "haproxy.cfg");

    /// <summary>The file of check paths by server name.</summary>
    public string ChecksPath => Path.Combine(Directory, "checks.map");

    /// <summary>The file of the process id.</summary>
    public string PidPath => Path.Combine(Directory, "haproxy.pid");

    /// <summary>The check paths: one server a line.</summary>
    public string RenderChecks() => string.Concat(Servers.Select(server => $"{server.Name} {server.Check.SafePath}\n"));

    /// <summary>The configuration's text (<see href="https://docs.haproxy.org/2.6/configuration.html">HAProxy 2.6</see>).</summary>
    /// <remarks>
    /// What cannot be repeated is never tried twice: only idempotent methods are, and then elsewhere. The path of a health check is looked up
    /// by server name, in a map that can be changed at run time, so that two generations with different paths need no restart between them.
    /// Idle connections of users stay open when another process takes over, until their next answer: closing them would race with a request.
    /// </remarks>
    public string Render()
    {
        CheckWords();
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"""
            global
              description {Description}
              stats socket {SocketPath} mode 600 level admin expose-fd listeners
              pidfile {PidPath}
              maxconn 4000
              hard-stop-after 10m
            {(User is null ? "" : $"  user {User}\n")}
            defaults
              mode http
              timeout connect 2s
              timeout client 30s
              timeout server 30s
              timeout queue 5s
              timeout http-request 10s
              timeout http-keep-alive 10s
              timeout tunnel 1h
              timeout check {(long)CheckTimeout.TotalMilliseconds}ms
              option redispatch 1
              option forwardfor
              retries 3
              retry-on conn-failure empty-response response-timeout 503

            frontend fe
              bind {Bind}
              option idle-close-on-response
              default_backend {Backend}

            backend {Backend}
              balance roundrobin
              http-request disable-l7-retry unless {"{"} method GET HEAD OPTIONS PUT DELETE TRACE {"}"}
              option httpchk
              http-check send meth GET uri-lf "%[srv_name,map({ChecksPath},/)]" ver HTTP/1.1 hdr Host localhost hdr User-Agent ingot hdr Connection close
              http-check expect status 200-399

            """);
        foreach (var server in Servers)
            text.Append(CultureInfo.InvariantCulture, $"  server {server.Name} {server.Address} weight {server.Weight} {server.Check.Keywords}\n");
        return text.ToString();
    }

    // A word of the file ends at a blank; quotes, '#', '$' and '\' mean something in one; the path of the map stands in an expression in quotes.
    private void CheckWords()
    {
        string[] words = [SocketPath, PidPath, ChecksPath, Bind, User ?? "", .. Servers.SelectMany(server => new[] { server.Name, server.Address })];
        if (words.FirstOrDefault(word => word.AsSpan().ContainsAny(s_meaning) || word.Any(char.IsControl)) is { } word)
            throw new ToolException("haproxy", $"'{word}' cannot be said in a configuration of HAProxy: set INGOT_HOME to a directory whose path needs no quoting");
        if (Description.AsSpan().ContainsAny(s_meaningInText) || Description.Any(char.IsControl))
            throw new ToolException("haproxy", $"'{Description}' cannot be the description in a configuration of HAProxy");
    }
}
