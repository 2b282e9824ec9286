using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Ingot.Tools;

/// <summary>What a running HAProxy says of itself.</summary>
/// <param name="Pid">Its process id.</param>
/// <param name="StartedAt">When it began, in seconds since 1970.</param>
/// <param name="Description">The line of its configuration.</param>
public sealed record HaproxyInfo(int Pid, long StartedAt, string Description);

/// <summary>A server as HAProxy reports it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Address"><c>address:port</c>.</param>
/// <param name="Weight">Its weight, 0 to 256.</param>
/// <param name="IsMaintenance">Whether it is out of use.</param>
/// <param name="IsDraining">Whether it takes no new requests.</param>
/// <param name="IsUp">Whether requests would be sent to it.</param>
/// <param name="CheckStatus">How its last check ended, such as <c>L7OK</c>; <c>INI</c> or empty before the first.</param>
/// <param name="Stats">Every statistic, by the name HAProxy gives it.</param>
public sealed record HaproxyServerStatus(
    string Name, string Address, int Weight, bool IsMaintenance, bool IsDraining, bool IsUp, string CheckStatus,
    IReadOnlyDictionary<string, string> Stats)
{
    /// <summary>A statistic that is a number; 0 when HAProxy leaves it out.</summary>
    public long Number(string name) => HaproxyRuntime.Number(Stats, name);
}

/// <summary>Everything read of HAProxy at one time.</summary>
/// <param name="Info">What it says of itself.</param>
/// <param name="Servers">The servers of the one group.</param>
/// <param name="Frontend">The statistics of the side users connect to.</param>
public sealed record HaproxyStatus(
    HaproxyInfo Info, IReadOnlyList<HaproxyServerStatus> Servers, IReadOnlyDictionary<string, string> Frontend);

/// <summary>HAProxy's command socket (<see href="https://docs.haproxy.org/2.6/management.html#9.3">management guide, unix socket
/// commands</see>). One connection a command. Each ends within a time of its own, whatever HAProxy does.</summary>
public sealed class HaproxyRuntime(string socketPath, TimeProvider time)
{
    private const int AdminMaintenance = 0x01;
    private const int AdminDrain = 0x08;
    private const int OperationStopped = 0;

    private static readonly TimeSpan s_readTime = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_commandTime = TimeSpan.FromSeconds(2);

    /// <summary>What HAProxy says of itself; null when nothing listens on the socket.</summary>
    public async Task<HaproxyInfo?> TryInfoAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            return ReadInfo(await SendAsync("show info", s_readTime, cancellationToken));
        }
        catch (ToolException e) when (IsNobody(e))
        {
            return null;
        }
    }

    /// <summary>Everything there is to know, read on one connection.</summary>
    public async Task<HaproxyStatus> StatusAsync(CancellationToken cancellationToken = default)
    {
        string reply = await SendAsync($"show info;show servers state {HaproxyConfig.Backend};show stat", s_readTime, cancellationToken);
        return ReadStatus(reply);
    }

    /// <summary>Everything there is to know; null when nothing listens on the socket.
    /// One that listens and does not answer throws.</summary>
    public async Task<HaproxyStatus?> TryStatusAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            return await StatusAsync(cancellationToken);
        }
        catch (ToolException e) when (IsNobody(e))
        {
            return null;
        }
    }

    /// <summary>Makes a server known: in maintenance, unchecked, at weight 0. False when there is one of that name.</summary>
    public async Task<bool> TryAddAsync(string name, string address, HaproxyCheck check, CancellationToken cancellationToken = default)
    {
        string command = $"add server {Server(name)} {address} weight 0 {check.Keywords}";
        string reply = await SendAsync(command, cancellationToken);
        return reply switch
        {
            _ when reply.StartsWith("New server registered", StringComparison.Ordinal) => true,
            _ when reply.StartsWith("Already exists a server", StringComparison.Ordinal) => false,
            _ => throw Refused(command, reply),
        };
    }

    /// <summary>Checks a server and lets it take requests by its weight.</summary>
    public async Task EnableAsync(string name, CancellationToken cancellationToken = default)
    {
        await DoAsync($"enable health {Server(name)}", cancellationToken);
        await DoAsync($"set server {Server(name)} state ready", cancellationToken);
    }

    /// <summary>Sets a server's weight, 0 to 256, at once.</summary>
    public Task SetWeightAsync(string name, int weight, CancellationToken cancellationToken = default) =>
        DoAsync(string.Create(CultureInfo.InvariantCulture, $"set server {Server(name)} weight {weight}"), cancellationToken);

    /// <summary>Lets a server take no new requests; it is still checked.</summary>
    public Task DrainAsync(string name, CancellationToken cancellationToken = default) =>
        DoAsync($"set server {Server(name)} state drain", cancellationToken);

    /// <summary>Takes a server out of use. False when there is none of that name.</summary>
    public async Task<bool> TryMaintainAsync(string name, CancellationToken cancellationToken = default)
    {
        string command = $"set server {Server(name)} state maint";
        string reply = await SendAsync(command, cancellationToken);
        return reply.Length == 0 || (IsUnknown(reply) ? false : throw Refused(command, reply));
    }

    /// <summary>Cuts every request in flight at a server.</summary>
    public Task CutSessionsAsync(string name, CancellationToken cancellationToken = default) =>
        DoAsync($"shutdown sessions server {Server(name)}", cancellationToken);

    /// <summary>Removes a server that is in maintenance. False while it still has connections; one that is gone is removed.</summary>
    public async Task<bool> TryDeleteAsync(string name, CancellationToken cancellationToken = default)
    {
        string command = $"del server {Server(name)}";
        string reply = await SendAsync(command, cancellationToken);
        if (reply.StartsWith("Server deleted", StringComparison.Ordinal) || IsUnknown(reply))
            return true;
        return reply.Contains("connections", StringComparison.Ordinal) ? false : throw Refused(command, reply);
    }

    /// <summary>Sets the value of a key in a map HAProxy has read from a file.</summary>
    public async Task SetMapAsync(string map, string key, string value, CancellationToken cancellationToken = default)
    {
        // Adding a key that is there would keep both.
        string reply = await SendAsync($"set map {map} {key} {value}", cancellationToken);
        if (reply.Length > 0)
            await DoAsync($"add map {map} {key} {value}", cancellationToken);
    }

    /// <summary>Removes a key from a map; one that is gone is no error.</summary>
    public async Task RemoveFromMapAsync(string map, string key, CancellationToken cancellationToken = default)
    {
        string command = $"del map {map} {key}";
        string reply = await SendAsync(command, cancellationToken);
        if (reply.Length > 0 && !reply.Contains("not found", StringComparison.OrdinalIgnoreCase))
            throw Refused(command, reply);
    }

    internal static long Number(IReadOnlyDictionary<string, string> stats, string name) =>
        stats.TryGetValue(name, out string? text) && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? number
            : 0;

    internal static HaproxyStatus ReadStatus(string reply)
    {
        var stats = ReadStats(reply);
        var states = ReadStates(reply);
        var servers = states.Select(state => (
            State: state, Stats: stats.FirstOrDefault(row => row["pxname"] == HaproxyConfig.Backend && row["svname"] == state["srv_name"])))
            .Where(pair => pair.Stats is not null)
            .Select(pair => ServerStatus(pair.State, pair.Stats!));
        var frontend = stats.FirstOrDefault(row => row["svname"] == "FRONTEND") ?? throw Unreadable("it names no FRONTEND", reply);
        return new HaproxyStatus(ReadInfo(reply), [.. servers], frontend);
    }

    internal static HaproxyInfo ReadInfo(string reply)
    {
        string Value(string name) =>
            reply.Split('\n').FirstOrDefault(line => line.StartsWith(name + ": ", StringComparison.Ordinal)) is { } line
                ? line[(name.Length + 2)..].Trim()
                : "";

        return int.TryParse(Value("Pid"), NumberStyles.None, CultureInfo.InvariantCulture, out int pid)
            ? new HaproxyInfo(
                pid,
                long.TryParse(Value("Start_time_sec"), NumberStyles.None, CultureInfo.InvariantCulture, out long started) ? started : 0,
                Value("description"))
            : throw Unreadable("it names no Pid", reply);
    }

    private static HaproxyServerStatus ServerStatus(Dictionary<string, string> state, Dictionary<string, string> stats)
    {
        long admin = Number(state, "srv_admin_state");
        // "* " stands before the last result while another check is under way.
        string check = stats.GetValueOrDefault("check_status", "").TrimStart('*', ' ');
        return new HaproxyServerStatus(
            state["srv_name"],
            stats.GetValueOrDefault("addr", ""),
            (int)Number(state, "srv_uweight"),
            (admin & AdminMaintenance) != 0,
            (admin & AdminDrain) != 0,
            Number(state, "srv_op_state") != OperationStopped,
            check,
            stats);
    }

    // By the names of the header: columns come and go between versions.
    private static List<Dictionary<string, string>> ReadStats(string reply) =>
        ReadTable(reply, header => header.StartsWith("# pxname,", StringComparison.Ordinal), SplitCsv);

    private static List<Dictionary<string, string>> ReadStates(string reply) =>
        ReadTable(reply, header => header.StartsWith("# be_id ", StringComparison.Ordinal), line => line.Split(' '));

    private static List<Dictionary<string, string>> ReadTable(
        string reply, Func<string, bool> isHeader, Func<string, IReadOnlyList<string>> split)
    {
        var rows = new List<Dictionary<string, string>>();
        var lines = reply.Split('\n').SkipWhile(line => !isHeader(line)).ToArray();
        if (lines.Length == 0)
            throw Unreadable("a table is missing", reply);

        var names = split(lines[0][2..]);
        foreach (string line in lines.Skip(1).TakeWhile(line => line.Length > 0))
        {
            var values = split(line);
            var row = new Dictionary<string, string>(StringComparer.Ordinal);
            for (int i = 0; i < Math.Min(names.Count, values.Count); i++)
                row[names[i]] = values[i];
            rows.Add(row);
        }

        return rows;
    }

    private static List<string> SplitCsv(string line)
    {
        var values = new List<string>();
        var value = new StringBuilder();
        bool quoted = false;
        foreach (char c in line)
        {
            if (c == '"')
                quoted = !quoted;
            else if (c == ',' && !quoted)
            {
                values.Add(value.ToString());
                value.Clear();
            }
            else
                value.Append(c);
        }

        values.Add(value.ToString());
        return values;
    }

    private async Task DoAsync(string command, CancellationToken cancellationToken)
    {
        string reply = await SendAsync(command, cancellationToken);
        if (reply.Length > 0)
            throw Refused(command, reply);
    }

    private Task<string> SendAsync(string command, CancellationToken cancellationToken) =>
        SendAsync(command, s_commandTime, cancellationToken);

    private async Task<string> SendAsync(string command, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
        try
        {
            return await SendOnceAsync(command, either.Token);
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            throw new ToolException("haproxy", $"'{command}' could not be sent to HAProxy at '{socketPath}': {IngotException.ReasonOf(e)}",
                e is IOException { InnerException: SocketException inner } ? inner : e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ToolException("haproxy", $"HAProxy at '{socketPath}' did not answer '{command}' within {limit.TotalSeconds:0} s", e);
        }
    }

    private async Task<string> SendOnceAsync(string command, CancellationToken cancellationToken)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancellationToken);
        UnixPeer.Of(socket).MustBeTrusted("haproxy", socketPath);
        using var stream = new NetworkStream(socket);
        await stream.WriteAsync(Encoding.ASCII.GetBytes(command + "\n"), cancellationToken);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        string reply = await reader.ReadToEndAsync(cancellationToken);
        return reply.TrimEnd('\n', '\r');
    }

    // A queue that is full, or no answer in time, says nothing of whether it runs.
    private static bool IsNobody(ToolException e) =>
        e.InnerException is SocketException
        {
            SocketErrorCode: SocketError.ConnectionRefused or SocketError.ConnectionReset or SocketError.AddressNotAvailable,
        };

    private static bool IsUnknown(string reply) => reply.StartsWith("No such server", StringComparison.Ordinal);

    private static string Server(string name) => $"{HaproxyConfig.Backend}/{name}";

    private static ToolException Refused(string command, string reply) => new("haproxy", $"HAProxy refused '{command}': {reply}");

    private static ToolException Unreadable(string why, string reply) =>
        new("haproxy", $"HAProxy's answer could not be read: {why}; it begins with '{reply[..Math.Min(reply.Length, 80)]}'");
}
