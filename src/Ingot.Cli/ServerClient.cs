using System.Net.Http.Json;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Ingot.Server.Api;
using Ingot.Tools;

namespace Ingot.Cli;

/// <summary>The server did not do what it was asked; the code says whose problem that is.</summary>
internal sealed class ServerException(string code, string message, Exception? inner = null) : IngotException(message, inner)
{
    /// <summary><c>refused</c>, <c>invalid</c>, <c>not_found</c>, or <c>unreachable</c>.</summary>
    public string Code => code;
}

/// <summary>Asks a server's API.</summary>
/// <remarks>The token goes to the address the client was made for and to no other, through no proxy, and never after a redirect.</remarks>
internal sealed class ServerClient : IDisposable
{
    private const int MostBytes = 512 << 20;
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(5);

    private readonly ServerConnection _connection;
    private readonly string? _token;
    private readonly HttpClient _http;

    public ServerClient(ServerConnection connection, string? token, TimeSpan? patience = null)
    {
        _connection = connection;
        _token = token;
        _http = NewHttp();
        _http.Timeout = patience ?? s_patience;
        _http.MaxResponseContentBufferSize = MostBytes;
        _http.BaseAddress = connection.Address;
    }

    public Uri Server => _connection.Address;

    /// <summary>Whether a server is known to answer there.</summary>
    public bool Runs { get; init; }

    /// <summary>A client of the same server for other protocols than the API's, with the same token. It has no timeout: whoever speaks the
    /// protocol knows what is too long.</summary>
    public HttpClient NewHttp() => new(new TokenHandler(_connection, _token)) { Timeout = Timeout.InfiniteTimeSpan };

    public Task<TReply> GetAsync<TReply>(string path, JsonTypeInfo<TReply> reply, CancellationToken cancellationToken) =>
        SendAsync(new HttpRequestMessage(HttpMethod.Get, path), reply, cancellationToken);

    public Task<TReply> SendAsync<TBody, TReply>(
        HttpMethod method, string path, TBody body, JsonTypeInfo<TBody> bodyType, JsonTypeInfo<TReply> reply,
        CancellationToken cancellationToken) =>
        SendAsync(new HttpRequestMessage(method, path) { Content = JsonContent.Create(body, bodyType) }, reply, cancellationToken);

    /// <summary>A reply of plain text.</summary>
    public Task<string> GetTextAsync(string path, CancellationToken cancellationToken) => ReachAsync(async () =>
    {
        using var response = await SendAsync(new HttpRequestMessage(HttpMethod.Get, path), cancellationToken);
        return await response.Content.ReadAsStringAsync(cancellationToken);
    }, cancellationToken);

    /// <summary>A reply of one value a line, as they come and for as long as they come.</summary>
    public async IAsyncEnumerable<T> LinesAsync<T>(
        string path, JsonTypeInfo<T> type, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var http = NewHttp();
        http.BaseAddress = _connection.Address;
        using var response = await ReachAsync(async () =>
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            if (answer.IsSuccessStatusCode)
                return answer;
            using (answer)
                throw await ErrorAsync(request, answer, cancellationToken);
        }, cancellationToken);
        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        using var reader = new StreamReader(body);
        while (await ReachAsync(() => reader.ReadLineAsync(cancellationToken).AsTask(), cancellationToken) is { } line)
            yield return JsonSerializer.Deserialize(line, type)
                ?? throw new ServerException("unreachable", $"'{Server}' answered '{path}' with an empty line");
    }

    /// <summary>Whether a server answers, and which; null when none does.</summary>
    public async Task<HealthReply?> TryHealthAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            timeout.CancelAfter(TimeSpan.FromSeconds(2));
            return await _http.GetFromJsonAsync("api/v1/health", ApiJson.Default.HealthReply, timeout.Token);
        }
        catch (HttpRequestException e) when (e.InnerException is ToolException stranger)
        {
            throw stranger;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException or JsonException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return null;
        }
    }

    public void Dispose() => _http.Dispose();

    private Task<TReply> SendAsync<TReply>(HttpRequestMessage request, JsonTypeInfo<TReply> type, CancellationToken cancellationToken) =>
        ReachAsync(async () =>
        {
            using var response = await SendAsync(request, cancellationToken);
            return await response.Content.ReadFromJsonAsync(type, cancellationToken)
                ?? throw new ServerException("unreachable", $"'{Server}' answered '{request.RequestUri}' with nothing");
        }, cancellationToken);

    /// <summary>A server that goes away does so in many ways: before, during and after the answer.</summary>
    private async Task<T> ReachAsync<T>(Func<Task<T>> ask, CancellationToken cancellationToken)
    {
        try
        {
            return await ask();
        }
        catch (HttpRequestException e) when (e.InnerException is ToolException stranger)
        {
            throw stranger;
        }
        catch (JsonException e)
        {
            throw new ServerException("unreachable",
                $"'{Server}' gave an answer that no Ingot server gives, or one of a version that this program does not understand", e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ServerException("unreachable", $"'{Server}' did not answer within {_http.Timeout.TotalSeconds:0.##} s; "
                + "see what it does with 'ingot status', or in its log", e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException)
        {
            throw new ServerException("unreachable",
                $"no server answers at '{Server}': {IngotException.ReasonOf(e)}; start one with 'ingot serve'", e);
        }
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using (request)
        {
            var response = await _http.SendAsync(request, cancellationToken);
            if (response.IsSuccessStatusCode)
                return response;

            using (response)
                throw await ErrorAsync(request, response, cancellationToken);
        }
    }

    private static async Task<ServerException> ErrorAsync(
        HttpRequestMessage request, HttpResponseMessage response, CancellationToken cancellationToken)
    {
        string text = await response.Content.ReadAsStringAsync(cancellationToken);
        try
        {
            if (JsonSerializer.Deserialize(text, ApiJson.Default.ErrorReply) is { Code: not null } error)
                return new ServerException(error.Code, error.Message);
        }
        catch (JsonException)
        {
            // Not ours: a proxy's page, or another program on the port. Its status says more than its text.
        }

        string cure = response.StatusCode == System.Net.HttpStatusCode.Unauthorized ? "; give one of its tokens in INGOT_TOKEN" : "";
        return new ServerException("unreachable",
            $"'{request.Method} {request.RequestUri}' was answered with {(int)response.StatusCode}{cure}");
    }
}
