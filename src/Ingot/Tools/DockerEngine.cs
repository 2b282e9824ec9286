using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Ingot.Tools;

/// <summary>The Docker Engine, over its unix socket. It speaks the newest API that both sides know, from 1.41 on.</summary>
public sealed class DockerEngine : IDisposable
{
    /// <summary>Where the Engine listens by default.</summary>
    public const string DefaultSocket = "/var/run/docker.sock";

    private const int OldestMinor = 41;
    private const int NewestMinor = 47;

    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_pullTimeout = TimeSpan.FromMinutes(10);

    private readonly string _socket;
    private readonly HttpClient _http;
    private string? _prefix;

    /// <summary>A client for the Engine that listens on <paramref name="socket"/>. Nothing is sent yet.</summary>
    public DockerEngine(string socket = DefaultSocket)
    {
        _socket = socket;
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = ConnectAsync,
            UseProxy = false,
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
        };
        // Each request has its own.
        _http = new HttpClient(handler) { BaseAddress = new Uri("http://docker/"), Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>Whether an Engine answers.</summary>
    public async Task<bool> AnswersAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            using var response = await _http.GetAsync(new Uri("_ping", UriKind.Relative), cancellationToken).ConfigureAwait(false);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    /// <summary>What the Engine is.</summary>
    public Task<DockerVersion> VersionAsync(CancellationToken cancellationToken = default) =>
        ReadAsync(HttpMethod.Get, "version", DockerJsonContext.Default.DockerVersion, cancellationToken);

    /// <summary>Pulls an image by its digest. The Engine reports failures inside a stream it has already called a success: they throw as any other.</summary>
    /// <param name="repository">Registry and repository.</param>
    /// <param name="digest">The digest of the manifest, <c>sha256:…</c>.</param>
    /// <param name="credentials">User and password for the registry; null for none.</param>
    /// <param name="cancellationToken">Ends the request; the Engine may go on with the pull.</param>
    public async Task PullAsync(string repository, string digest, NetworkCredential? credentials = null, CancellationToken cancellationToken = default)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(s_pullTimeout);
        string attempted = $"pulling '{repository}@{digest}'";
        try
        {
            await PullAsync(repository, digest, credentials, attempted, timeout.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ToolException("dockerd", $"{attempted} took longer than {s_pullTimeout.TotalMinutes:0} minutes", e);
        }
    }

    private async Task PullAsync(string repository, string digest, NetworkCredential? credentials, string attempted, CancellationToken cancellationToken)
    {
        using var request = await RequestAsync(HttpMethod.Post, $"images/create?fromImage={Escape(repository)}&tag={Escape(digest)}", cancellationToken).ConfigureAwait(false);
        if (credentials is not null)
            request.Headers.Add("X-Registry-Auth", Encode(credentials));

        using var response = await SendAsync(request, attempted, s_pullTimeout, cancellationToken).ConfigureAwait(false);
        await ThrowUnlessAsync(response, attempted, cancellationToken).ConfigureAwait(false);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false));
        while (await reader.ReadLineAsync(cancellationToken).ConfigureAwait(false) is { } line)
        {
            var progress = line.Length == 0 ? null : JsonSerializer.Deserialize(line, DockerJsonContext.Default.DockerPullProgress);
            if ((progress?.Detail?.Message ?? progress?.Error) is { } error)
                throw new ToolException("dockerd", $"{attempted} failed: {error}");
        }
    }

    /// <summary>An image of the Engine's store, by id or by <c>repository@digest</c>; null when it has none.</summary>
    public Task<DockerImage?> FindImageAsync(string reference, CancellationToken cancellationToken = default) =>
        FindAsync($"images/{reference}/json", DockerJsonContext.Default.DockerImage, cancellationToken);

    /// <summary>Creates a container and returns its id; null when the name is taken, which makes the name an idempotency key.</summary>
    public async Task<string?> TryCreateAsync(string name, DockerContainerSpec spec, CancellationToken cancellationToken = default)
    {
        string attempted = $"creating the container '{name}' from '{spec.Image}'";
        using var request = await RequestAsync(HttpMethod.Post, $"containers/create?name={Escape(name)}", cancellationToken).ConfigureAwait(false);
        request.Content = Body(spec, DockerJsonContext.Default.DockerContainerSpec);
        using var response = await SendAsync(request, attempted, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.Conflict)
            return null;
        await ThrowUnlessAsync(response, attempted, cancellationToken).ConfigureAwait(false);
        var created = await DeserializeAsync(response, DockerJsonContext.Default.DockerCreated, cancellationToken).ConfigureAwait(false);
        return created.Id;
    }

    /// <summary>Starts a container. One that runs already stays as it is.</summary>
    public Task StartAsync(string id, CancellationToken cancellationToken = default) =>
        DoAsync(HttpMethod.Post, $"containers/{Escape(id)}/start", $"starting the container '{id}'", cancellationToken);

    /// <summary>Asks a container to end, and kills it after <paramref name="seconds"/>. One that has ended, or is gone, stays so.</summary>
    public Task StopAsync(string id, int seconds, CancellationToken cancellationToken = default) =>
        DoAsync(HttpMethod.Post, string.Create(CultureInfo.InvariantCulture, $"containers/{Escape(id)}/stop?t={seconds}"), $"stopping the container '{id}'", cancellationToken, HttpStatusCode.NotFound);

    /// <summary>Sends a signal to a container.</summary>
    public Task KillAsync(string id, string signal, CancellationToken cancellationToken = default) =>
        DoAsync(HttpMethod.Post, $"containers/{Escape(id)}/kill?signal={Escape(signal)}", $"sending {signal} to the container '{id}'", cancellationToken);

    /// <summary>Removes a container and its anonymous volumes. One that is gone, or is being removed, is no error.</summary>
    public Task RemoveAsync(string id, bool force, CancellationToken cancellationToken = default) =>
        DoAsync(HttpMethod.Delete, $"containers/{Escape(id)}?v=1&force={(force ? 1 : 0)}", $"removing the container '{id}'", cancellationToken, HttpStatusCode.NotFound, HttpStatusCode.Conflict);

    /// <summary>A container by id or name; null when there is none.</summary>
    public Task<DockerContainer?> FindContainerAsync(string id, CancellationToken cancellationToken = default) =>
        FindAsync($"containers/{Escape(id)}/json", DockerJsonContext.Default.DockerContainer, cancellationToken);

    /// <summary>Every container, running or not, that has all of <paramref name="labels"/>, each <c>key</c> or <c>key=value</c>.</summary>
    public Task<IReadOnlyList<DockerContainerSummary>> ListAsync(IReadOnlyList<string> labels, CancellationToken cancellationToken = default) =>
        ReadAsync(HttpMethod.Get, $"containers/json?all=1&filters={Filter("label", labels)}", DockerJsonContext.Default.IReadOnlyListDockerContainerSummary, cancellationToken);

    /// <summary>The last lines a container wrote, both streams in the order they came; empty when it is gone.</summary>
    public async Task<string> LogsAsync(string id, int lines, CancellationToken cancellationToken = default)
    {
        string attempted = $"reading the log of the container '{id}'";
        using var request = await RequestAsync(HttpMethod.Get, string.Create(CultureInfo.InvariantCulture, $"containers/{Escape(id)}/logs?stdout=1&stderr=1&tail={lines}"), cancellationToken).ConfigureAwait(false);
        using var response = await SendAsync(request, attempted, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return "";
        await ThrowUnlessAsync(response, attempted, cancellationToken).ConfigureAwait(false);
        return Unframe(await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false));
    }

    /// <summary>The networks whose name is <paramref name="name"/>: the Engine allows several.</summary>
    public async Task<IReadOnlyList<DockerNetwork>> FindNetworksAsync(string name, CancellationToken cancellationToken = default)
    {
        // The filter matches parts of names.
        var networks = await ReadAsync(HttpMethod.Get, $"networks?filters={Filter("name", [name])}", DockerJsonContext.Default.IReadOnlyListDockerNetwork, cancellationToken).ConfigureAwait(false);
        return [.. networks.Where(network => network.Name == name)];
    }

    /// <summary>Creates a bridge network unless there is one of that name.</summary>
    public async Task EnsureNetworkAsync(string name, IReadOnlyDictionary<string, string> labels, CancellationToken cancellationToken = default)
    {
        var existing = await FindNetworksAsync(name, cancellationToken).ConfigureAwait(false);
        if (existing.Count > 0)
            return;

        string attempted = $"creating the network '{name}'";
        using var request = await RequestAsync(HttpMethod.Post, "networks/create", cancellationToken).ConfigureAwait(false);
        request.Content = Body(new DockerNetworkSpec(name, "bridge", CheckDuplicate: true, labels), DockerJsonContext.Default.DockerNetworkSpec);
        using var response = await SendAsync(request, attempted, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode != HttpStatusCode.Conflict)
            await ThrowUnlessAsync(response, attempted, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Removes a network. One that is gone is no error; one in use throws.</summary>
    public Task RemoveNetworkAsync(string name, CancellationToken cancellationToken = default) =>
        DoAsync(HttpMethod.Delete, $"networks/{Escape(name)}", $"removing the network '{name}'", cancellationToken, HttpStatusCode.NotFound);

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    /// <summary>Output of a container without a terminal comes in frames: one byte for the stream, three of zero, four of length, big-endian.</summary>
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

    /// <summary>The newest API both sides speak; throws when the Engine's is older than 1.41.</summary>
    internal static string Negotiate(string? offered)
    {
        var parts = (offered ?? "").Split('.');
        if (parts.Length != 2 || parts[0] != "1" || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int minor))
            throw new ToolException("dockerd", $"the Docker Engine names no API version that is known: '{offered}'");
        return minor >= OldestMinor
            ? string.Create(CultureInfo.InvariantCulture, $"v1.{Math.Min(minor, NewestMinor)}")
            : throw new ToolException("dockerd", $"the Docker Engine speaks API {offered}; Ingot needs 1.{OldestMinor} or later: install Docker Engine 20.10 or later");
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(_socket), cancellationToken).ConfigureAwait(false);
            UnixPeer.Of(socket).MustBeTrusted("dockerd", _socket);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task<HttpRequestMessage> RequestAsync(HttpMethod method, string path, CancellationToken cancellationToken)
    {
        if (_prefix is null)
        {
            using var ping = new HttpRequestMessage(HttpMethod.Get, "_ping");
            using var response = await SendAsync(ping, "asking for its API version", cancellationToken).ConfigureAwait(false);
            await ThrowUnlessAsync(response, "asking for its API version", cancellationToken).ConfigureAwait(false);
            _prefix = Negotiate(response.Headers.TryGetValues("Api-Version", out var versions) ? versions.First() : null);
        }

        return new HttpRequestMessage(method, $"{_prefix}/{path}");
    }

    private Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, string attempted, CancellationToken cancellationToken) =>
        SendAsync(request, attempted, s_timeout, cancellationToken);

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, string attempted, TimeSpan time, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(time);
        try
        {
            return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, timeout.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ToolException("dockerd", $"{attempted} failed: the Docker Engine at '{_socket}' did not answer within {time.TotalSeconds:0} s", e);
        }
        catch (HttpRequestException e)
        {
            throw new ToolException("dockerd", $"{attempted} failed: the Docker Engine at '{_socket}' did not answer: {e.InnerException?.Message ?? e.Message}; start it, or run 'ingot doctor'", e);
        }
    }

    private async Task DoAsync(HttpMethod method, string path, string attempted, CancellationToken cancellationToken, params HttpStatusCode[] harmless)
    {
        using var request = await RequestAsync(method, path, cancellationToken).ConfigureAwait(false);
        using var response = await SendAsync(request, attempted, cancellationToken).ConfigureAwait(false);
        // 304: it was so already.
        if (response.StatusCode != HttpStatusCode.NotModified && !harmless.Contains(response.StatusCode))
            await ThrowUnlessAsync(response, attempted, cancellationToken).ConfigureAwait(false);
    }

    private async Task<T> ReadAsync<T>(HttpMethod method, string path, JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class
    {
        using var request = await RequestAsync(method, path, cancellationToken).ConfigureAwait(false);
        using var response = await SendAsync(request, $"asking for '{path}'", cancellationToken).ConfigureAwait(false);
        await ThrowUnlessAsync(response, $"asking for '{path}'", cancellationToken).ConfigureAwait(false);
        return await DeserializeAsync(response, type, cancellationToken).ConfigureAwait(false);
    }

    private async Task<T?> FindAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class
    {
        using var request = await RequestAsync(HttpMethod.Get, path, cancellationToken).ConfigureAwait(false);
        using var response = await SendAsync(request, $"asking for '{path}'", cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return null;
        await ThrowUnlessAsync(response, $"asking for '{path}'", cancellationToken).ConfigureAwait(false);
        return await DeserializeAsync(response, type, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<T> DeserializeAsync<T>(HttpResponseMessage response, JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            using var body = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
            return await JsonSerializer.DeserializeAsync(body, type, cancellationToken).ConfigureAwait(false)
                ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new ToolException("dockerd", $"the Docker Engine's answer to '{response.RequestMessage?.RequestUri?.PathAndQuery}' could not be read: {e.Message}", e);
        }
    }

    private static async Task ThrowUnlessAsync(HttpResponseMessage response, string attempted, CancellationToken cancellationToken)
    {
        if (response.IsSuccessStatusCode)
            return;

        string body = await response.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false);
        throw new ToolException("dockerd", $"{attempted} failed: {MessageOf(body)} ({(int)response.StatusCode})");
    }

    private static string MessageOf(string body)
    {
        try
        {
            return JsonSerializer.Deserialize(body, DockerJsonContext.Default.DockerMessage)?.Message ?? body;
        }
        catch (JsonException)
        {
            return body.Trim();
        }
    }

    private static ByteArrayContent Body<T>(T value, JsonTypeInfo<T> type)
    {
        var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(value, type));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return content;
    }

    private static string Filter(string name, IReadOnlyList<string> values) =>
        Escape(JsonSerializer.Serialize(new Dictionary<string, IReadOnlyList<string>> { [name] = values }, DockerJsonContext.Default.DictionaryStringIReadOnlyListString));

    // base64url of the JSON, as the Engine reads this header.
    private static string Encode(NetworkCredential credentials) => Convert.ToBase64String(
        JsonSerializer.SerializeToUtf8Bytes(new DockerCredentials(credentials.UserName, credentials.Password), DockerJsonContext.Default.DockerCredentials))
        .Replace('+', '-').Replace('/', '_');

    private static string Escape(string text) => Uri.EscapeDataString(text);
}
