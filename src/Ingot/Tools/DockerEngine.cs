using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Ingot.Tools;

/// <summary>The Docker Engine, over its unix socket. It speaks the newest API that both sides know, from 1.41 on.</summary>
/// <remarks>Every call ends within <see cref="DockerPatience"/>. What fails, times out or breaks off is a
/// <see cref="ToolException"/>.</remarks>
public sealed class DockerEngine : IDisposable
{
    /// <summary>Where the Engine listens by default.</summary>
    public const string DefaultSocket = "/var/run/docker.sock";

    // What changes a container. Health checks run as "exec" does, three events each time, and change nothing;
    // https://docs.docker.com/reference/cli/docker/system/events/#containers.
    private static readonly string[] s_changes =
        ["create", "destroy", "die", "health_status", "kill", "oom", "pause", "rename", "restart", "start", "stop", "unpause", "update"];

    private readonly DockerPatience _patience;
    private readonly DockerConnection _connection;

    /// <summary>A client for the Engine that listens on <paramref name="socket"/>. Nothing is sent yet.</summary>
    public DockerEngine(string socket = DefaultSocket, DockerPatience? patience = null)
    {
        _patience = patience ?? new DockerPatience();
        _connection = new DockerConnection(socket, _patience.Answer);
    }

    /// <summary>Whether an Engine answers.</summary>
    public Task<bool> AnswersAsync(CancellationToken cancellationToken = default) => _connection.AnswersAsync(cancellationToken);

    /// <summary>What the Engine is.</summary>
    public Task<DockerVersion> VersionAsync(CancellationToken cancellationToken = default) =>
        ReadAsync("version", DockerJsonContext.Default.DockerVersion, cancellationToken);

    /// <summary>How the Engine is set up.</summary>
    public Task<DockerInfo> InfoAsync(CancellationToken cancellationToken = default) =>
        ReadAsync("info", DockerJsonContext.Default.DockerInfo, cancellationToken);

    /// <summary>Pulls an image by its digest. The Engine reports failures inside a stream it has already called a success: they throw as
    /// any other.</summary>
    /// <param name="repository">Registry and repository.</param>
    /// <param name="digest">The digest of the manifest, <c>sha256:…</c>.</param>
    /// <param name="credentials">User and password for the registry; null for none.</param>
    /// <param name="cancellationToken">Ends the request; the Engine may go on with the pull.</param>
    /// <remarks>It may take as long as it gets on: what the Engine said before is no progress.</remarks>
    public async Task PullAsync(string repository, string digest, NetworkCredential? credentials = null,
        CancellationToken cancellationToken = default)
    {
        string attempted = $"pulling '{repository}@{digest}'";
        var call = new DockerCall(HttpMethod.Post, $"images/create?fromImage={Escape(repository)}&tag={Escape(digest)}", attempted)
        {
            RegistryAuthentication = credentials is null ? null : Encode(credentials),
        };
        var said = new HashSet<int>();
        var clock = Stopwatch.StartNew();
        TimeSpan Left() => _patience.Silence - clock.Elapsed is { Ticks: > 0 } left ? left : TimeSpan.Zero;
        try
        {
            await foreach (byte[] line in _connection.LinesAsync(call, Left, cancellationToken))
            {
                ThrowIfFailed(attempted, line);
                if (said.Add(HashOf(line)))
                    clock.Restart();
            }
        }
        catch (ToolException e) when (e.InnerException is OperationCanceledException)
        {
            throw new ToolException("dockerd",
                string.Create(CultureInfo.InvariantCulture,
                $"{attempted} failed: there was no progress for {_patience.Silence.TotalSeconds:0.##} s"), e);
        }
    }

    /// <summary>An image of the Engine's store, by id or by <c>repository@digest</c>; null when it has none.</summary>
    public Task<DockerImage?> FindImageAsync(string reference, CancellationToken cancellationToken = default) =>
        FindAsync($"images/{reference}/json", DockerJsonContext.Default.DockerImage, cancellationToken);

    /// <summary>Creates a container and returns its id; null when the name is taken, which makes the name an idempotency key.</summary>
    /// <exception cref="DockerUnusableException">Its image or its network is gone.</exception>
    public async Task<string?> TryCreateAsync(string name, DockerContainerSpec spec, CancellationToken cancellationToken = default)
    {
        var call = new DockerCall(HttpMethod.Post, $"containers/create?name={Escape(name)}",
            $"creating the container '{name}' from '{spec.Image}'")
        {
            Body = JsonSerializer.SerializeToUtf8Bytes(spec, DockerJsonContext.Default.DockerContainerSpec),
        };
        var reply = await _connection.SendAsync(call, _patience.Work, cancellationToken);
        if (reply.Status == HttpStatusCode.NotFound)
            throw new DockerUnusableException(reply.Failure().Message);
        return reply.Status == HttpStatusCode.Conflict ? null : reply.Required().Read(DockerJsonContext.Default.DockerCreated).Id;
    }

    /// <summary>Starts a container. One that runs already stays as it is.</summary>
    /// <exception cref="DockerUnusableException">It can never be started: it is being removed, is gone, or its network is.</exception>
    public async Task StartAsync(string id, CancellationToken cancellationToken = default)
    {
        var call = new DockerCall(HttpMethod.Post, $"containers/{Escape(id)}/start", $"starting the container '{id}'");
        var reply = await _connection.SendAsync(call, _patience.Work, cancellationToken);
        // 400: several networks have the name of its own, and the Engine looks for it by name.
        bool isAmbiguous = reply.Status == HttpStatusCode.BadRequest
            && reply.Failure().Message.Contains("is ambiguous", StringComparison.Ordinal);
        // 500: an Engine that was killed while it started the container has left its task with containerd, and knows nothing of it.
        bool isLeftOver = reply.Status == HttpStatusCode.InternalServerError
            && reply.Failure().Message.Contains(": already exists", StringComparison.Ordinal);
        if (isAmbiguous || isLeftOver || reply.Status is HttpStatusCode.NotFound or HttpStatusCode.Conflict)
            throw new DockerUnusableException(reply.Failure().Message);
        // 304: it was so already.
        if (reply.Status != HttpStatusCode.NotModified)
            reply.Required();
    }

    /// <summary>Asks a container to end, by the signal its image names, and kills it after <paramref name="seconds"/>. One that has ended,
    /// or is gone, stays so.</summary>
    public Task StopAsync(string id, int seconds, CancellationToken cancellationToken = default) => DoAsync(
        new DockerCall(HttpMethod.Post, string.Create(CultureInfo.InvariantCulture, $"containers/{Escape(id)}/stop?t={seconds}"),
            $"stopping the container '{id}'"),
        TimeSpan.FromSeconds(seconds) + _patience.Answer,
        cancellationToken,
        HttpStatusCode.NotFound);

    /// <summary>Sends a signal to a container. One that has ended, or is gone, gets none.</summary>
    public Task KillAsync(string id, string signal, CancellationToken cancellationToken = default) => DoAsync(
        new DockerCall(HttpMethod.Post, $"containers/{Escape(id)}/kill?signal={Escape(signal)}",
            $"sending {signal} to the container '{id}'"),
        _patience.Answer,
        cancellationToken,
        HttpStatusCode.NotFound,
        HttpStatusCode.Conflict);

    /// <summary>Removes a container and its anonymous volumes. One that is gone, or is being removed, is no error.</summary>
    public Task RemoveAsync(string id, bool force, CancellationToken cancellationToken = default) => DoAsync(
        new DockerCall(HttpMethod.Delete, $"containers/{Escape(id)}?v=1&force={(force ? 1 : 0)}", $"removing the container '{id}'"),
        _patience.Work,
        cancellationToken,
        HttpStatusCode.NotFound,
        HttpStatusCode.Conflict);

    /// <summary>A container by id or name; null when there is none.</summary>
    public Task<DockerContainer?> FindContainerAsync(string id, CancellationToken cancellationToken = default) =>
        FindAsync($"containers/{Escape(id)}/json", DockerJsonContext.Default.DockerContainer, cancellationToken);

    /// <summary>Every container, running or not, that has all of <paramref name="labels"/>, each <c>key</c> or <c>key=value</c>.</summary>
    public async Task<IReadOnlyList<DockerContainerSummary>> ListAsync(IReadOnlyList<string> labels,
        CancellationToken cancellationToken = default) =>
        (await ListAsync(labels, known: null, cancellationToken)).Containers;

    /// <summary>The same; <paramref name="known"/> itself when the Engine says it again word for word.</summary>
    public async Task<DockerList> ListAsync(IReadOnlyList<string> labels, DockerList? known, CancellationToken cancellationToken = default)
    {
        var reply = await AskAsync($"containers/json?all=1&filters={Filter(("label", labels))}", cancellationToken);
        reply.Required();
        return known is not null && known.Bytes.AsSpan().SequenceEqual(reply.Body)
            ? known
            : new DockerList(reply.Read(DockerJsonContext.Default.IReadOnlyListDockerContainerSummary), reply.Body);
    }

    /// <summary>What changes containers with all of <paramref name="labels"/>, until the Engine ends.</summary>
    /// <param name="labels">The labels.</param>
    /// <param name="sinceUnixSeconds">From when on; the Engine remembers a little.</param>
    /// <param name="onOpen">Told once the Engine answers: what happens from then on will be brought.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async IAsyncEnumerable<DockerEvent> WatchAsync(
        IReadOnlyList<string> labels, long sinceUnixSeconds, Action onOpen,
            [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        string path = string.Create(CultureInfo.InvariantCulture,
            $"events?since={sinceUnixSeconds}&filters={Filter(("label", labels), ("type", ["container"]), ("event", s_changes))}");
        int waits = 0;
        // The answer itself must come; after that nothing may happen for days.
        TimeSpan Left()
        {
            if (waits++ == 1)
                onOpen();
            return waits == 1 ? _patience.Answer : Timeout.InfiniteTimeSpan;
        }

        await foreach (byte[] line in _connection.LinesAsync(new DockerCall(HttpMethod.Get, path, "watching containers"), Left,
            cancellationToken))
        {
            if (Read(line) is { } happened)
                yield return happened;
        }
    }

    /// <summary>The last lines a container wrote, both streams in the order they came; empty when it is gone.</summary>
    public async Task<string> LogsAsync(string id, int lines, CancellationToken cancellationToken = default)
    {
        string path = string.Create(CultureInfo.InvariantCulture, $"containers/{Escape(id)}/logs?stdout=1&stderr=1&tail={lines}");
        var reply = await _connection.SendAsync(new DockerCall(HttpMethod.Get, path, $"reading the log of the container '{id}'"),
            _patience.Work, cancellationToken);
        return reply.Status == HttpStatusCode.NotFound ? "" : Unframe(reply.Required().Body);
    }

    /// <summary>The lines a container wrote, both streams in the order they came; none when it is gone.</summary>
    /// <param name="id">The container.</param>
    /// <param name="query">Which of them.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async IAsyncEnumerable<DockerLogLine> ReadLogAsync(
        string id, DockerLogQuery query, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        string tail = query.Tail?.ToString(CultureInfo.InvariantCulture) ?? "all";
        string since = query.Since is { } from
            ? string.Create(CultureInfo.InvariantCulture, $"&since={from.ToUnixTimeMilliseconds() / 1000.0:F3}")
            : "";
        string path = $"containers/{Escape(id)}/logs?stdout=1&stderr=1&timestamps=1&tail={tail}{since}{(query.Follow ? "&follow=1" : "")}";
        var call = new DockerCall(HttpMethod.Get, path, $"reading the log of the container '{id}'");
        bool isOpen = false;
        TimeSpan Left() => query.Follow && isOpen ? Timeout.InfiniteTimeSpan : _patience.Work;
        var lines = new DockerLogLines();
        await foreach (var frame in _connection.FramesAsync(call, Left, cancellationToken))
        {
            isOpen = true;
            foreach (var line in lines.Add(frame.IsError, frame.Bytes))
                yield return line;
        }

        foreach (var rest in lines.Rest())
            yield return rest;
    }

    /// <summary>The networks whose name is <paramref name="name"/>, the oldest first: the Engine allows several.</summary>
    public async Task<IReadOnlyList<DockerNetwork>> FindNetworksAsync(string name, CancellationToken cancellationToken = default)
    {
        // The filter matches parts of names.
        var networks = await ReadAsync($"networks?filters={Filter(("name", [name]))}",
            DockerJsonContext.Default.IReadOnlyListDockerNetwork, cancellationToken);
        return [.. networks.Where(network => network.Name == name).OrderBy(network => network.Created)
            .ThenBy(network => network.Id, StringComparer.Ordinal)];
    }

    /// <summary>Every network that has all of <paramref name="labels"/>.</summary>
    public Task<IReadOnlyList<DockerNetwork>> ListNetworksAsync(IReadOnlyList<string> labels,
        CancellationToken cancellationToken = default) =>
        ReadAsync($"networks?filters={Filter(("label", labels))}", DockerJsonContext.Default.IReadOnlyListDockerNetwork, cancellationToken);

    /// <summary>Creates a bridge network and returns its id; null when the Engine says that there is one of that name. It may be one of
    /// several nevertheless. <paramref name="subnet"/> is what its addresses are in; null for what the Engine chooses.</summary>
    public async Task<string?> TryCreateNetworkAsync(string name, IReadOnlyDictionary<string, string> labels, IPNetwork? subnet = null,
        CancellationToken cancellationToken = default)
    {
        var call = new DockerCall(HttpMethod.Post, "networks/create", $"creating the network '{name}'")
        {
            Body = JsonSerializer.SerializeToUtf8Bytes(
                new DockerNetworkSpec(name, "bridge", CheckDuplicate: true, labels,
                    new DockerAddresses(subnet is null ? [] : [new($"{subnet}")])),
                DockerJsonContext.Default.DockerNetworkSpec),
        };
        var reply = await _connection.SendAsync(call, _patience.Work, cancellationToken);
        return reply.Status == HttpStatusCode.Conflict ? null : reply.Required().Read(DockerJsonContext.Default.DockerCreated).Id;
    }

    /// <summary>Removes a network by its id; false when something is connected to it, and it stays. One that is gone is no error.</summary>
    public async Task<bool> TryRemoveNetworkAsync(string id, CancellationToken cancellationToken = default)
    {
        var call = new DockerCall(HttpMethod.Delete, $"networks/{Escape(id)}", $"removing the network '{id}'");
        var reply = await _connection.SendAsync(call, _patience.Work, cancellationToken);
        if (reply.Status == HttpStatusCode.Forbidden)
            return false;
        if (reply.Status != HttpStatusCode.NotFound)
            reply.Required();
        return true;
    }

    /// <inheritdoc/>
    public void Dispose() => _connection.Dispose();

    /// <summary>Output of a container without a terminal comes in frames: one byte for the stream, three of zero, four of length,
    /// big-endian.</summary>
    internal static string Unframe(ReadOnlySpan<byte> bytes)
    {
        const int Header = 8;
        var text = new StringBuilder();
        while (bytes.Length >= Header && bytes[0] <= 2 && bytes[1] == 0)
        {
            int length = (int)Math.Min(BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]), (uint)(bytes.Length - Header));
            text.Append(Encoding.UTF8.GetString(bytes.Slice(Header, length)));
            bytes = bytes[(Header + length)..];
        }

        // A container with a terminal has no frames.
        return text.Append(Encoding.UTF8.GetString(bytes)).ToString();
    }

    private static void ThrowIfFailed(string attempted, byte[] line)
    {
        var progress = line.AsSpan().Trim(" \t\r"u8).IsEmpty ? null : Parse(attempted, line);
        if ((progress?.Detail?.Message ?? progress?.Error) is { } error)
            throw new ToolException("dockerd", $"{attempted} failed: {error}");
    }

    private static DockerPullProgress? Parse(string attempted, byte[] line)
    {
        try
        {
            return JsonSerializer.Deserialize(line, DockerJsonContext.Default.DockerPullProgress);
        }
        catch (JsonException e)
        {
            throw new ToolException("dockerd",
                $"{attempted} failed: what the Docker Engine says of its progress could not be read: {IngotException.ReasonOf(e)}", e);
        }
    }

    private static DockerEvent? Read(byte[] line)
    {
        try
        {
            return JsonSerializer.Deserialize(line, DockerJsonContext.Default.DockerEvent);
        }
        catch (JsonException e)
        {
            throw new ToolException("dockerd",
                $"what the Docker Engine says of its containers could not be read: {IngotException.ReasonOf(e)}", e);
        }
    }

    private static int HashOf(byte[] line)
    {
        var hash = new HashCode();
        hash.AddBytes(line);
        return hash.ToHashCode();
    }

    private async Task DoAsync(DockerCall call, TimeSpan time, CancellationToken cancellationToken, params HttpStatusCode[] harmless)
    {
        var reply = await _connection.SendAsync(call, time, cancellationToken);
        // 304: it was so already.
        if (reply.Status != HttpStatusCode.NotModified && !harmless.Contains(reply.Status))
            reply.Required();
    }

    private Task<DockerReply> AskAsync(string path, CancellationToken cancellationToken) =>
        _connection.SendAsync(new DockerCall(HttpMethod.Get, path, $"asking for '{path}'"), _patience.Answer, cancellationToken);

    private async Task<T> ReadAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class => (await AskAsync(path, cancellationToken)).Required().Read(type);

    private async Task<T?> FindAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class
    {
        var reply = await AskAsync(path, cancellationToken);
        return reply.Status == HttpStatusCode.NotFound ? null : reply.Required().Read(type);
    }

    private static string Filter(params ReadOnlySpan<(string Name, IReadOnlyList<string> Values)> filters)
    {
        var all = new Dictionary<string, IReadOnlyList<string>>();
        foreach (var (name, values) in filters)
            all[name] = values;
        return Escape(JsonSerializer.Serialize(all, DockerJsonContext.Default.DictionaryStringIReadOnlyListString));
    }

    // base64url of the JSON, as the Engine reads this header.
    private static string Encode(NetworkCredential credentials) => Convert.ToBase64String(
        JsonSerializer.SerializeToUtf8Bytes(new DockerCredentials(credentials.UserName, credentials.Password),
            DockerJsonContext.Default.DockerCredentials))
        .Replace('+', '-').Replace('/', '_');

    private static string Escape(string text) => Uri.EscapeDataString(text);
}

/// <summary>A container that cannot be made or started as it was asked for, and never will be: it is being removed, or it, its network or
/// its image is gone.</summary>
public sealed class DockerUnusableException(string message) : IngotException(message, null);
