using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Ingot.Tools;

/// <summary>How long the Engine may take. Whatever it does, stops, hangs, sends a byte now and then or without end, a call is over after
/// that.</summary>
public sealed record DockerPatience
{
    /// <summary>For a question, from connecting to the last byte of the answer.</summary>
    public TimeSpan Answer { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>For work: creating, starting and removing.</summary>
    public TimeSpan Work { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Between two pieces of progress of a pull, which may take as long as it gets on.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromMinutes(3);
}

/// <summary>One thing to ask the Engine.</summary>
/// <param name="Method">The method.</param>
/// <param name="Path">The path below the API's version.</param>
/// <param name="Attempted">What it is for, as a message begins.</param>
internal sealed record DockerCall(HttpMethod Method, string Path, string Attempted)
{
    /// <summary>A body of JSON; null for none.</summary>
    public byte[]? Body { get; init; }

    /// <summary>What the Engine shows to a registry; null for nothing.</summary>
    public string? RegistryAuthentication { get; init; }
}

/// <summary>What the Engine answered, whole.</summary>
internal sealed record DockerReply(DockerCall Call, HttpStatusCode Status, byte[] Body)
{
    public bool IsSuccess => (int)Status is >= 200 and < 300;

    /// <summary>The answer, or an error that says what was attempted and what the Engine said.</summary>
    public DockerReply Required() => IsSuccess ? this : throw Failure();

    public ToolException Failure() => new("dockerd", $"{Call.Attempted} failed: {Message} ({(int)Status})");

    /// <summary>What the Engine said.</summary>
    public string Message
    {
        get
        {
            try
            {
                return JsonSerializer.Deserialize(Body, DockerJsonContext.Default.DockerMessage)?.Message ?? Text;
            }
            catch (JsonException)
            {
                return Text.Trim();
            }
        }
    }

    private string Text => System.Text.Encoding.UTF8.GetString(Body);

    public T Read<T>(JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(Body, type) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new ToolException("dockerd",
                $"the Docker Engine's answer to '/{Call.Path}' could not be read: {IngotException.ReasonOf(e)}", e);
        }
    }
}

/// <summary>A piece of what a container wrote.</summary>
internal sealed record DockerFrame(bool IsError, byte[] Bytes);

/// <summary>The way to the Engine. Every call is bounded in time and size, and fails with <see cref="ToolException"/> and in no other way,
/// unless the caller ends it.</summary>
internal sealed class DockerConnection : IDisposable
{
    private const int OldestMinor = 41;
    private const int NewestMinor = 47;
    private const int MostBytes = 32 << 20;
    private const int LongestLine = 1 << 20;

    private readonly string _socket;
    private readonly TimeSpan _answer;
    private readonly HttpClient _http;
    private string? _prefix;

    public DockerConnection(string socket, TimeSpan answer)
    {
        _socket = socket;
        _answer = answer;
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = ConnectAsync,
            UseProxy = false,
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
        };
        // Each call has its own.
        _http = new HttpClient(handler) { BaseAddress = new Uri("http://docker/"), Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>Asks, and reads the answer whole.</summary>
    public async Task<DockerReply> SendAsync(DockerCall call, TimeSpan time, CancellationToken cancellationToken)
    {
        string prefix = await PrefixAsync(cancellationToken);
        return await SendAsync(call, prefix, time, cancellationToken);
    }

    /// <summary>The lines of an answer, as they come.</summary>
    /// <param name="call">What to ask.</param>
    /// <param name="left">How long the next line may take, asked for each.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async IAsyncEnumerable<byte[]> LinesAsync(DockerCall call, Func<TimeSpan> left,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string prefix = await PrefixAsync(cancellationToken);
        using var request = Request(call, prefix);
        using var response = await WithinAsync(call, left(), token => OpenAsync(call, request, token),
            cancellationToken);
        var body = PipeReader.Create(await response.Content.ReadAsStreamAsync(cancellationToken));
        while (await WithinAsync(call, left(), token => ReadLineAsync(call, body, token),
            cancellationToken) is { } line)
            yield return line;
        await body.CompleteAsync();
    }

    /// <summary>The frames in which an answer brings the output of a container, as they come;
    /// none when there is no such container.</summary>
    /// <param name="call">What to ask.</param>
    /// <param name="left">How long the next frame may take, asked for each.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async IAsyncEnumerable<DockerFrame> FramesAsync(DockerCall call, Func<TimeSpan> left,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string prefix = await PrefixAsync(cancellationToken);
        using var request = Request(call, prefix);
        using var response = await WithinAsync(call, left(), token => OpenAsync(call, request, token, HttpStatusCode.NotFound),
            cancellationToken);
        if (response.StatusCode == HttpStatusCode.NotFound)
            yield break;
        var body = PipeReader.Create(await response.Content.ReadAsStreamAsync(cancellationToken));
        while (await WithinAsync(call, left(), token => ReadFrameAsync(call, body, token),
            cancellationToken) is { } frame)
            yield return frame;
        await body.CompleteAsync();
    }

    /// <summary>Whether an Engine answers.</summary>
    public async Task<bool> AnswersAsync(CancellationToken cancellationToken)
    {
        try
        {
            return (await PingAsync(cancellationToken)).Status == HttpStatusCode.OK;
        }
        catch (ToolException)
        {
            return false;
        }
    }

    public void Dispose() => _http.Dispose();

    /// <summary>The newest API both sides speak; throws when there is none.</summary>
    /// <param name="newest">The newest the Engine speaks.</param>
    /// <param name="oldest">The oldest it speaks, where it says so.</param>
    internal static string Negotiate(string? newest, string? oldest = null)
    {
        int last = Minor(newest) ?? throw new ToolException("dockerd", $"the Docker Engine names no known API version: '{newest}'");
        if (last < OldestMinor)
            throw new ToolException("dockerd",
                $"the Docker Engine speaks API {newest}; Ingot needs 1.{OldestMinor} or later: install Docker Engine 20.10 or later");
        if (Minor(oldest) > NewestMinor)
            throw new ToolException("dockerd",
                $"the Docker Engine speaks API {oldest} to {newest}, and Ingot 1.{OldestMinor} to 1.{NewestMinor}: "
                    + "set \"min-api-version\": "
                + $"\"1.{NewestMinor}\" in /etc/docker/daemon.json, or use a newer Ingot");
        return string.Create(CultureInfo.InvariantCulture, $"v1.{Math.Min(last, NewestMinor)}");
    }

    private static int? Minor(string? version) =>
        version?.Split('.') is ["1", var text] && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int minor)
            ? minor
            : null;

    private static readonly DockerCall s_ping = new(HttpMethod.Get, "_ping", "asking for its API version");

    private Task<(HttpStatusCode Status, string? Version)> PingAsync(CancellationToken cancellationToken) =>
        WithinAsync(s_ping, _answer, async token =>
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, s_ping.Path);
        using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, token);
        var reply = new DockerReply(s_ping, response.StatusCode,
            await ReadAsync(s_ping, response.Content, token)).Required();
        return (reply.Status, response.Headers.TryGetValues("Api-Version", out var versions) ? versions.First() : null);
    }, cancellationToken);

    private async ValueTask<string> PrefixAsync(CancellationToken cancellationToken)
    {
        if (_prefix is { } known)
            return known;

        var (_, version) = await PingAsync(cancellationToken);
        // An Engine that is no newer than this speaks its own newest.
        string? oldest = Minor(version) > NewestMinor ? await OldestAsync(cancellationToken) : null;
        return _prefix = Negotiate(version, oldest);
    }

    // Asked without a version, which each Engine answers;
    // https://docs.docker.com/reference/api/engine/version/v1.47/#tag/System/operation/SystemVersion.
    private async Task<string?> OldestAsync(CancellationToken cancellationToken)
    {
        var call = new DockerCall(HttpMethod.Get, "version", "asking which API versions it speaks");
        var reply = await SendAsync(call, "", _answer, cancellationToken);
        return reply.Required().Read(DockerJsonContext.Default.DockerVersion).MinApiVersion;
    }

    private Task<DockerReply> SendAsync(DockerCall call, string prefix, TimeSpan time, CancellationToken cancellationToken) =>
        WithinAsync(call, time, async token =>
    {
        using var request = Request(call, prefix);
        using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, token);
        return new DockerReply(call, response.StatusCode, await ReadAsync(call, response.Content, token));
    }, cancellationToken);

    private async Task<HttpResponseMessage> OpenAsync(DockerCall call, HttpRequestMessage request, CancellationToken cancellationToken,
        HttpStatusCode? harmless = null)
    {
        var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (response.IsSuccessStatusCode || response.StatusCode == harmless)
            return response;

        using (response)
            throw new DockerReply(call, response.StatusCode,
                await ReadAsync(call, response.Content, cancellationToken)).Failure();
    }

    /// <summary>The one place where time runs out and connections break: both are said in words, with what was attempted.</summary>
    private async Task<T> WithinAsync<T>(DockerCall call, TimeSpan time, Func<CancellationToken, Task<T>> act,
        CancellationToken cancellationToken)
    {
        using var clock = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        clock.CancelAfter(time);
        try
        {
            return await act(clock.Token);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            string how = string.Create(CultureInfo.InvariantCulture,
                $"the Docker Engine at '{_socket}' did not answer within {time.TotalSeconds:0.##} s");
            throw new ToolException("dockerd", $"{call.Attempted} failed: {how}; see whether 'docker version' answers", e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException or ObjectDisposedException)
        {
            string how = $"the Docker Engine at '{_socket}' did not answer: {IngotException.ReasonOf(e)}";
            throw new ToolException("dockerd", $"{call.Attempted} failed: {how}; start it, or run 'ingot doctor'", e);
        }
    }

    private static HttpRequestMessage Request(DockerCall call, string prefix)
    {
        var request = new HttpRequestMessage(call.Method, $"{prefix}/{call.Path}");
        if (call.Body is not null)
            request.Content = new ByteArrayContent(call.Body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        if (call.RegistryAuthentication is not null)
            request.Headers.Add("X-Registry-Auth", call.RegistryAuthentication);
        return request;
    }

    private static async Task<byte[]> ReadAsync(DockerCall call, HttpContent content, CancellationToken cancellationToken)
    {
        var body = await content.ReadAsStreamAsync(cancellationToken);
        await using (body)
        {
            byte[] buffer = ArrayPool<byte>.Shared.Rent(16 << 10);
            try
            {
                int length = 0;
                while (await body.ReadAsync(buffer.AsMemory(length), cancellationToken) is > 0 and var read)
                {
                    length += read;
                    if (length > MostBytes)
                        throw new ToolException("dockerd",
                            $"{call.Attempted} failed: the Docker Engine's answer has more than {MostBytes} bytes");
                    if (length == buffer.Length)
                        buffer = Grown(buffer);
                }

                return buffer[..length];
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
    }

    private static byte[] Grown(byte[] buffer)
    {
        byte[] larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
        buffer.CopyTo(larger, 0);
        ArrayPool<byte>.Shared.Return(buffer);
        return larger;
    }

    // Null at the end. A line that never ends is over when its time is, or when it is too long.
    private static async Task<byte[]?> ReadLineAsync(DockerCall call, PipeReader body, CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await body.ReadAsync(cancellationToken);
            if (read.Buffer.PositionOf((byte)'\n') is { } end)
            {
                byte[] line = read.Buffer.Slice(0, end).ToArray();
                body.AdvanceTo(read.Buffer.GetPosition(1, end));
                return line;
            }

            if (read.IsCompleted)
            {
                byte[] rest = read.Buffer.ToArray();
                body.AdvanceTo(read.Buffer.End);
                return rest.Length > 0 ? rest : null;
            }

            if (read.Buffer.Length > LongestLine)
                throw new ToolException("dockerd",
                    $"{call.Attempted} failed: the Docker Engine sent a line of more than {LongestLine} bytes");
            body.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    // One byte for the stream, three of zero, four of length, big-endian. Null at the end, also in the middle of a frame:
    // the container is gone.
    private static async Task<DockerFrame?> ReadFrameAsync(DockerCall call, PipeReader body, CancellationToken cancellationToken)
    {
        const int Header = 8;
        int needed = Header;
        while (true)
        {
            var read = await body.ReadAtLeastAsync(needed, cancellationToken);
            if (read.Buffer.Length < needed)
                return null;

            byte[] header = read.Buffer.Slice(0, Header).ToArray();
            uint length = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(4));
            if (header[0] > 2 || header[1] != 0 || length > LongestLine)
                throw new ToolException("dockerd",
                    $"{call.Attempted} failed: the Docker Engine sent something that is not the output of a container");
            needed = Header + (int)length;
            if (read.Buffer.Length >= needed)
            {
                byte[] bytes = read.Buffer.Slice(Header, length).ToArray();
                body.AdvanceTo(read.Buffer.GetPosition(needed));
                return new DockerFrame(header[0] == 2, bytes);
            }

            body.AdvanceTo(read.Buffer.Start);
        }
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(_socket), cancellationToken);
            UnixPeer.Of(socket).MustBeTrusted("dockerd", _socket);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
