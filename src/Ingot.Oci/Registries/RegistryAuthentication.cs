using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Ingot.Oci.Registries;

/// <summary>Answers a registry's challenges, with Basic or with a Bearer token from where the registry says
/// (<see href="https://distribution.github.io/distribution/spec/auth/token/">token authentication</see>),
/// and remembers the answer for each repository.</summary>
internal sealed partial class RegistryAuthentication(
    HttpClient http, Uri registry, RegistryCredentials? credentials, Func<TimeSpan> patience)
{
    private const int MaxTokenBytes = 1 << 20;

    private readonly ConcurrentDictionary<string, AuthenticationHeaderValue> _known = new();

    /// <summary>Adds what is known to help, and only for the registry's own host.</summary>
    public void Apply(HttpRequestMessage request, string repository)
    {
        if (request.RequestUri is { } uri && uri.Authority == registry.Authority && uri.Scheme == registry.Scheme
            && _known.TryGetValue(repository, out var known))
            request.Headers.Authorization = known;
    }

    /// <summary>Takes up the challenge of a 401; false when it cannot be answered.</summary>
    public async Task<bool> AnswerAsync(HttpResponseMessage response, string repository, CancellationToken cancellationToken)
    {
        var before = response.RequestMessage?.Headers.Authorization;
        foreach (var challenge in response.Headers.WwwAuthenticate)
        {
            if (await AnswerAsync(challenge, repository, cancellationToken).ConfigureAwait(false) is { } answer && !answer.Equals(before))
            {
                _known[repository] = answer;
                return true;
            }
        }

        return false;
    }

    private async Task<AuthenticationHeaderValue?> AnswerAsync(
        AuthenticationHeaderValue challenge, string repository, CancellationToken cancellationToken) =>
        challenge.Scheme.ToUpperInvariant() switch
        {
            "BASIC" when credentials is { IdentityToken: null } => Basic(credentials),
            "BEARER" => await FetchTokenAsync(Parameters(challenge), repository, cancellationToken).ConfigureAwait(false),
            _ => null,
        };

    private async Task<AuthenticationHeaderValue> FetchTokenAsync(
        Dictionary<string, string> challenge, string repository, CancellationToken cancellationToken)
    {
        using var request = TokenRequest(challenge, repository);
        using var response = await AskAsync(request, repository, cancellationToken).ConfigureAwait(false);
        if (!response.IsSuccessStatusCode)
            throw Failed(repository, (int)response.StatusCode, $"'{request.RequestUri!.GetLeftPart(UriPartial.Path)}' gave no token: "
                + $"{(int)response.StatusCode}; log in again with 'docker login {registry.Authority}'");

        byte[] body = await response.Content.ReadLimitedAsync(MaxTokenBytes, repository, patience(),
            cancellationToken).ConfigureAwait(false);
        try
        {
            var token = JsonSerializer.Deserialize(body, CredentialJson.Default.TokenResponse);
            string? value = token?.Token ?? token?.AccessToken;
            return string.IsNullOrEmpty(value)
                ? throw Failed(repository, 200, "the token server's answer has no token")
                : new AuthenticationHeaderValue("Bearer", value);
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw Failed(repository, 200, $"the token server's answer is not a token: {IngotException.ReasonOf(e)}");
        }
    }

    private async Task<HttpResponseMessage> AskAsync(HttpRequestMessage request, string repository, CancellationToken cancellationToken)
    {
        using var clock = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        clock.CancelAfter(patience());
        try
        {
            return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, clock.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw Unreachable(request, repository,
                $"no answer for {(e.InnerException is TimeoutException ? http.Timeout : patience()).TotalSeconds:0.##} seconds", e);
        }
        catch (HttpRequestException e)
        {
            throw Unreachable(request, repository, IngotException.ReasonOf(e), e);
        }
    }

    private static RegistryException Unreachable(HttpRequestMessage request, string repository, string how, Exception e) =>
        new(0, code: null, repository, $"could not get a token from '{request.RequestUri!.GetLeftPart(UriPartial.Path)}': {how}", e);

    private HttpRequestMessage TokenRequest(Dictionary<string, string> challenge, string repository)
    {
        // Over plain http only to where we already speak plain http: what follows may carry a password.
        if (!Uri.TryCreate(challenge.GetValueOrDefault("realm"), UriKind.Absolute, out var realm)
            || (realm.Scheme != Uri.UriSchemeHttps && realm.Scheme != registry.Scheme))
            throw Failed(repository, 401,
                $"the registry names '{challenge.GetValueOrDefault("realm")}' to get tokens from, which is not an https address");

        var fields = new List<KeyValuePair<string, string>>();
        if (challenge.TryGetValue("service", out string? service))
            fields.Add(new("service", service));
        if (challenge.TryGetValue("scope", out string? scope))
            fields.Add(new("scope", scope));

        if (credentials?.IdentityToken is { } identity)
        {
            fields.AddRange([new("grant_type", "refresh_token"), new("client_id", "ingot"), new("refresh_token", identity)]);
            return new HttpRequestMessage(HttpMethod.Post, realm) { Content = new FormUrlEncodedContent(fields) };
        }

        string query = string.Join('&', fields.Select(field => $"{field.Key}={Uri.EscapeDataString(field.Value)}"));
        var request = new HttpRequestMessage(HttpMethod.Get,
            new UriBuilder(realm) { Query = realm.Query.Length > 1 ? $"{realm.Query}&{query}" : query }.Uri);
        request.Headers.Authorization = credentials is null ? null : Basic(credentials);
        return request;
    }

    private static RegistryException Failed(string repository, int status, string message) =>
        new(status, "UNAUTHORIZED", repository, message);

    private static AuthenticationHeaderValue Basic(RegistryCredentials credentials) =>
        new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{credentials.UserName}:{credentials.Password}")));

    private static Dictionary<string, string> Parameters(AuthenticationHeaderValue challenge)
    {
        var parameters = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (Match match in ParameterPattern().Matches(challenge.Parameter ?? ""))
            parameters[match.Groups[1].Value] = match.Groups[2].Value;
        return parameters;
    }

    [GeneratedRegex("([a-zA-Z_]+)=\"([^\"]*)\"")]
    private static partial Regex ParameterPattern();
}

internal static class HttpContentLimits
{
    /// <summary>Reads a body whole; a longer one than allowed throws, and one that takes longer.</summary>
    public static async Task<byte[]> ReadLimitedAsync(
        this HttpContent content, int maxBytes, string repository, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var clock = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        clock.CancelAfter(patience);
        try
        {
            return await ReadAsync(content, maxBytes, repository, clock.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new RegistryException(0, code: null, repository,
                $"the registry's answer about '{repository}' did not come whole in {patience.TotalSeconds:0.##} seconds", e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new RegistryException(0, code: null, repository,
                $"the registry's answer about '{repository}' broke off: {IngotException.ReasonOf(e)}", e);
        }
    }

    private static async Task<byte[]> ReadAsync(HttpContent content, int maxBytes, string repository, CancellationToken cancellationToken)
    {
        var stream = await content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            using var bytes = new MemoryStream();
            byte[] buffer = new byte[16 << 10];
            int read;
            while ((read = await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
            {
                if (bytes.Length + read > maxBytes)
                    throw new RegistryException(200, code: null, repository,
                        $"the registry's answer about '{repository}' has more than {maxBytes} bytes");
                bytes.Write(buffer, 0, read);
            }

            return bytes.ToArray();
        }
    }
}
