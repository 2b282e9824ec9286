using System.Buffers;
using System.Globalization;
using System.Net;
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

    internal string Keywords =>
        string.Create(CultureInfo.InvariantCulture, $"check inter {HaproxyConfig.Milliseconds(Interval)} rise {Rise} fall {Fall}");

    /// <summary>The path, if it can be said to HAProxy as it is; otherwise it throws.</summary>
    // It goes into a map file and onto HAProxy's command socket, where blanks, quotes and semicolons end a word.
    public string SafePath => Path.StartsWith('/') && !Path.AsSpan().ContainsAnyExcept(s_pathCharacters)
        ? Path
        : throw new ToolException("haproxy",
            $"'{Path}' cannot be the path of a health check: it must begin with '/' and hold only characters that need no quoting");
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

    /// <summary>How often a request is tried again, at most.</summary>
    public const int Retries = 3;

    /// <summary>The directory of everything a process needs to be started again, its owner's only. It is gone after a boot,
    /// as its processes are.</summary>
    public required string Directory { get; init; }

    /// <summary>Where users connect. The sockets are given to HAProxy by number, from <see cref="ChildProcess.GivenDescriptor"/> on: it
    /// neither opens nor closes one.</summary>
    public required IReadOnlyList<IPEndPoint> Listen { get; init; }

    /// <summary>How long an instance, or a user, may be silent while a request is under way.</summary>
    public required TimeSpan RequestTimeout { get; init; }

    /// <summary>For one health check.</summary>
    public required TimeSpan CheckTimeout { get; init; }

    /// <summary>A line of the caller's own that the running process gives back.</summary>
    public string Description { get; init; } = "";

    /// <summary>The user the process goes on as once it has bound its sockets; null to stay what it was started as.</summary>
    public string? User { get; init; }

    /// <summary>The servers it begins with.</summary>
    public IReadOnlyList<HaproxyServer> Servers { get; init; } = [];

    /// <summary>The command socket; the kernel allows its path 107 bytes.</summary>
    public string SocketPath => Path.Combine(Directory, "haproxy.sock");

    /// <summary>The configuration's file.</summary>
    public string ConfigPath => Path.Combine(Directory, "haproxy.cfg");

    /// <summary>The file of a configuration that is still to be checked.</summary>
    public string NextConfigPath => Path.Combine(Directory, "haproxy.next.cfg");

    /// <summary>The file of check paths by server name.</summary>
    public string ChecksPath => Path.Combine(Directory, "checks.map");

    /// <summary>The file of what HAProxy wrote when it was last started.</summary>
    public string LogPath => Path.Combine(Directory, "haproxy.log");

    /// <summary>The check paths: one server a line.</summary>
    public string RenderChecks() => string.Concat(Servers.Select(server => $"{server.Name} {server.Check.SafePath}\n"));

    /// <summary>The configuration's text (<see href="https://docs.haproxy.org/2.6/configuration.html">HAProxy 2.6</see>).</summary>
    /// <remarks>
    /// What cannot be repeated is never sent twice: a request that was sent and got no answer is tried again, elsewhere, only when its
    /// method is idempotent. An answer is an answer, whatever its status, and one that takes long is waited for: neither is asked for
    /// again. What was upgraded, such as a WebSocket, outlives the process that it began in by an hour. The path of a health check is
    /// looked up by server name, in a map that can be changed at run time, so that two generations with different paths need no restart
    /// between them. Idle connections of users stay open when another process takes over, until their next answer:
    /// closing them would race with a request.
    /// </remarks>
    public string Render()
    {
        CheckWords();
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"""
            global
              description {Description}
              stats socket {SocketPath} mode 600 level admin
              maxconn 4000
              hard-stop-after 1h
            {(User is null ? "" : $"  user {User}\n")}
            defaults
              mode http
              timeout connect 2s
              timeout client {Milliseconds(RequestTimeout)}
              timeout server {Milliseconds(RequestTimeout)}
              timeout queue 5s
              timeout http-request 10s
              timeout http-keep-alive 10s
              timeout tunnel 1h
              timeout check {Milliseconds(CheckTimeout)}
              option redispatch 1
              option forwardfor
              retries {Retries}
              retry-on conn-failure empty-response

            frontend fe
            {string.Concat(Listen.Select((_, i) => string.Create(CultureInfo.InvariantCulture, $"  bind fd@{ChildProcess.GivenDescriptor + i}\n")))}  option idle-close-on-response
              default_backend {Backend}

            backend {Backend}
              balance roundrobin
              http-request disable-l7-retry unless {"{"} method GET HEAD OPTIONS PUT DELETE TRACE {"}"}
              option httpchk
              http-check send meth GET uri-lf "%[srv_name,map({ChecksPath},/)]" ver HTTP/1.1 hdr Host localhost hdr User-Agent ingot hdr Connection close
              http-check expect status 200-399

            """);
        foreach (var server in Servers)
            text.Append(CultureInfo.InvariantCulture,
                $"  server {server.Name} {server.Address} weight {server.Weight} {server.Check.Keywords}\n");
        return text.ToString();
    }

    /// <summary>Reads the servers that <see cref="Render"/> and <see cref="RenderChecks"/> wrote.</summary>
    public static IReadOnlyList<HaproxyServer> ReadServers(string config, string checks)
    {
        var paths = checks.Split('\n').Select(line => line.Split(' ')).Where(words => words.Length == 2)
            .ToDictionary(words => words[0], words => words[1], StringComparer.Ordinal);
        return [.. config.Split('\n').Select(line => ReadServer(line, paths)).OfType<HaproxyServer>()];
    }

    private static HaproxyServer? ReadServer(string line, Dictionary<string, string> paths)
    {
        static int Number(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : -1;

        return line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            is ["server", var name, var address, "weight", var weight, "check", "inter", var interval, "rise", var rise, "fall", var fall]
            && Number(weight) >= 0 && Number(rise) > 0 && Number(fall) > 0 && interval.EndsWith("ms", StringComparison.Ordinal)
            && Number(interval[..^2]) > 0
            ? new HaproxyServer(name, address, Number(weight), new HaproxyCheck(paths.GetValueOrDefault(name, "/"),
                TimeSpan.FromMilliseconds(Number(interval[..^2])), Number(rise), Number(fall)))
            : null;
    }

    // None at all would mean without end.
    internal static string Milliseconds(TimeSpan time) =>
        string.Create(CultureInfo.InvariantCulture, $"{Math.Max(1, (long)time.TotalMilliseconds)}ms");

    // A word of the file ends at a blank; quotes, '#', '$' and '\' mean something in one;
    // the path of the map stands in an expression in quotes.
    private void CheckWords()
    {
        string[] words = [SocketPath, ChecksPath, User ?? "", .. Servers.SelectMany(server => new[] { server.Name, server.Address })];
        if (words.FirstOrDefault(word => word.AsSpan().ContainsAny(s_meaning) || word.Any(char.IsControl)) is { } word)
            throw new ToolException("haproxy",
                $"'{word}' cannot be written in an HAProxy configuration: it holds a character that means something there");
        if (Description.AsSpan().ContainsAny(s_meaningInText) || Description.Any(char.IsControl))
            throw new ToolException("haproxy", $"'{Description}' cannot be the description in a configuration of HAProxy");
    }
}
