using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Text;

namespace Ingot.Evidence.Tests;

/// <summary>What came back of a request, or why nothing did.</summary>
internal sealed record HttpAnswer(int Status, string Headers, string Body, string? Problem = null);

/// <summary>Asks a service from inside of its sandbox's network: the image needs no client of its own.</summary>
internal static class SandboxHttp
{
    private const int MaxBodyBytes = 16 << 20;

    public static async Task<HttpAnswer> AskAsync(
        NetworkNamespace network, GossRequest request, TimeProvider time, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(request.Timeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        using var handler = Handler(network, request);
        using var client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan, MaxResponseContentBufferSize = MaxBodyBytes };
        try
        {
            using var message = Message(request);
            using var response = await client.SendAsync(message, HttpCompletionOption.ResponseContentRead, both.Token);
            var body = await response.Content.ReadAsByteArrayAsync(both.Token);
            return new HttpAnswer((int)response.StatusCode, HeaderLines(response), Encoding.UTF8.GetString(body));
        }
        catch (HttpRequestException e)
        {
            return Failed(request, IngotException.ReasonOf(e));
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return Failed(request, $"no answer within {request.Timeout.TotalMilliseconds} ms");
        }
    }

    private static HttpAnswer Failed(GossRequest request, string why) => new(0, "", "", $"'{request.Method} {request.Url}' failed: {why}");

    private static SocketsHttpHandler Handler(NetworkNamespace network, GossRequest request) => new()
    {
        AllowAutoRedirect = !request.NoFollowRedirects,
        MaxAutomaticRedirections = 10,
        UseCookies = false,
        UseProxy = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectCallback = async (context, cancellationToken) => await ConnectAsync(network, context.DnsEndPoint, cancellationToken),
#pragma warning disable CA5359 // the file says 'allow-insecure': the certificate of the image under test is not what is judged.
        SslOptions = request.AllowInsecure
            ? new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = (_, _, _, _) => true }
            : new SslClientAuthenticationOptions(),
#pragma warning restore CA5359
    };

    private static async Task<Stream> ConnectAsync(NetworkNamespace network, DnsEndPoint endPoint, CancellationToken cancellationToken)
    {
        var addresses = Addresses(endPoint.Host);
        for (int i = 0; ; i++)
        {
            try
            {
                return await network.ConnectAsync(new IPEndPoint(addresses[i], endPoint.Port), cancellationToken);
            }
            catch (System.Net.Sockets.SocketException) when (i + 1 < addresses.Length)
            {
                // The next address of the same name.
            }
        }
    }

    private static IPAddress[] Addresses(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) ? [IPAddress.Loopback, IPAddress.IPv6Loopback]
        : IPAddress.TryParse(host, out var address) ? [address]
        : throw new IOException($"'{host}' has no address: the sandbox's network has 'localhost' and nothing else");

    private static HttpRequestMessage Message(GossRequest request)
    {
        var message = new HttpRequestMessage(new HttpMethod(request.Method), request.Url) { Version = HttpVersion.Version11 };
        if (request.Body is not null)
            message.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(request.Body));

        message.Headers.TryAddWithoutValidation("User-Agent", "ingot");
        foreach (var (name, value) in request.Headers)
            AddHeader(message, name, value);
        if (request.Credentials is { } credentials)
            message.Headers.Authorization = new AuthenticationHeaderValue("Basic",
                Convert.ToBase64String(Encoding.UTF8.GetBytes(credentials)));
        return message;
    }

    private static void AddHeader(HttpRequestMessage message, string name, string value)
    {
        if (name.Equals("Host", StringComparison.OrdinalIgnoreCase))
        {
            message.Headers.Host = value;
            return;
        }

        if (name.Equals("User-Agent", StringComparison.OrdinalIgnoreCase))
            message.Headers.Remove(name);
        if (!message.Headers.TryAddWithoutValidation(name, value))
            (message.Content ??= new ByteArrayContent([])).Headers.TryAddWithoutValidation(name, value);
    }

    // One line a value, sorted, names spelled as Go spells them: goss files are written against that.
    private static string HeaderLines(HttpResponseMessage response) => string.Join('\n', response.Headers.NonValidated
        .Concat(response.Content.Headers.NonValidated)
        .SelectMany(header => header.Value.Select(value => $"{Canonical(header.Key)}: {value}"))
        .Order(StringComparer.Ordinal));

    private static string Canonical(string name) =>
        string.Join('-',
            name.Split('-').Select(word => word.Length == 0 ? word : char.ToUpperInvariant(word[0]) + word[1..].ToLowerInvariant()));
}
