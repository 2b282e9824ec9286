using System.Net;
using System.Text;
using System.Text.Json;
using Ingot.Server.Api;
using Microsoft.AspNetCore.Connections.Features;

namespace Ingot.Server.Access;

/// <summary>Stands in front of everything: finds out who is asking, and lets through what that one may do.</summary>
internal sealed class Gatekeeper(TokenStore tokens, ServerOptions options)
{
    /// <summary>The token with which anybody reads, where anonymous reading is allowed:
    /// clients of registries ask for one before they try.</summary>
    private const string AnonymousToken = "anonymous";

    private const string Registry = "/v2";

    /// <summary>Whether a request came through the home's socket.</summary>
    public static bool IsLocal(HttpContext http) =>
        http.Features.Get<IConnectionItemsFeature>()?.Items.ContainsKey(LocalConnection) == true;

    /// <summary>Marks a connection that came through the home's socket.</summary>
    public static object LocalConnection { get; } = new();

    /// <summary>Who is asking; null for nobody known.</summary>
    public static Principal? PrincipalOf(HttpContext http) => http.Items[typeof(Principal)] as Principal;

    public async Task HandleAsync(HttpContext http, RequestDelegate next)
    {
        bool registry = http.Request.Path.StartsWithSegments(Registry, StringComparison.Ordinal);
        if ((Misdirected(http) ?? Authenticate(http) ?? (registry ? RefuseRegistry(http) : RefuseApi(http))) is { } refusal)
            await WriteAsync(http, refusal, registry);
        else if (registry && http.Request.Path == TokenPath)
            await WriteTokenAsync(http);
        else
            await next(http);
    }

    private static PathString TokenPath { get; } = new("/v2/token");

    // A page in a browser reaches a loopback address under a name of its own (DNS rebinding), and sends an Origin with all it writes.
    private Refusal? Misdirected(HttpContext http)
    {
        if (IsLocal(http))
            return null;
        if (!IsRead(http) && http.Request.Headers.Origin.Count > 0)
            return new Refusal(StatusCodes.Status403Forbidden, "forbidden", "a web page in a browser may not write here");
        if (http.Connection.LocalIpAddress is { } address
            && IPAddress.IsLoopback(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address)
            && !IsHostOfOurs(http.Request.Host.Host))
            return new Refusal(StatusCodes.Status421MisdirectedRequest, "forbidden", "this server is not called "
                + $"'{http.Request.Host.Host}'; if a proxy uses that name, start it with '--host {http.Request.Host.Host}'");
        return null;
    }

    private bool IsHostOfOurs(string host) =>
        IPAddress.TryParse(host.Trim('[', ']'), out _)
        || host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || options.Hosts.Contains(host, StringComparer.OrdinalIgnoreCase);

    private Refusal? Authenticate(HttpContext http)
    {
        string given = http.Request.Headers.Authorization.ToString();
        if (given.Length == 0)
            return null;

        var (user, token) = ReadCredentials(given);
        if (token is AnonymousToken && options.AnonymousRead)
            return null;
        if (token is null || tokens.Find(user, token) is not { } principal)
            return new Refusal(StatusCodes.Status401Unauthorized, "unauthorized",
                "that token is unknown, belongs to another user, or is no longer valid");

        http.Items[typeof(Principal)] = principal;
        http.User = principal.ToClaims();
        return null;
    }

    private static (string? User, string? Token) ReadCredentials(string header)
    {
        int space = header.IndexOf(' ', StringComparison.Ordinal);
        string scheme = space < 0 ? header : header[..space];
        string value = space < 0 ? "" : header[(space + 1)..].Trim();
        if (scheme.Equals("Bearer", StringComparison.OrdinalIgnoreCase))
            return (null, value);
        if (!scheme.Equals("Basic", StringComparison.OrdinalIgnoreCase))
            return (null, null);

        var bytes = new byte[value.Length];
        if (!Convert.TryFromBase64String(value, bytes, out int length))
            return (null, null);
        string pair = Encoding.UTF8.GetString(bytes, 0, length);
        int colon = pair.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? (null, null) : (pair[..colon], pair[(colon + 1)..]);
    }

    private static Refusal? RefuseApi(HttpContext http)
    {
        if (http.GetEndpoint() is not RouteEndpoint endpoint)
            return null;

        var needed = ApiRoles.Find(http.Request.Method, endpoint.RoutePattern.RawText);
        if (needed == Role.None)
            return null;
        if (PrincipalOf(http) is not { } principal)
            return new Refusal(StatusCodes.Status401Unauthorized, "unauthorized",
                "this call needs a token: INGOT_TOKEN; 'ingot tokens create' makes one");
        return needed is { } roles && principal.Has(roles)
            ? null
            : new Refusal(StatusCodes.Status403Forbidden, "forbidden", $"'{principal.Name}' has {Held(principal)}; "
                + $"this needs {string.Join(" or ", Roles.Names((needed ?? Role.None) | Role.Administrator))}");
    }

    private Refusal? RefuseRegistry(HttpContext http)
    {
        var principal = PrincipalOf(http);
        if (principal is null)
            return IsAnonymousRead(http)
                ? null
                : new Refusal(StatusCodes.Status401Unauthorized, "UNAUTHORIZED",
                    "this needs a token, as the password for 'docker login' with the token's name as the user");
        return IsRead(http) || principal.Has(Role.Publisher)
            ? null
            : new Refusal(StatusCodes.Status403Forbidden, "DENIED",
                $"'{principal.Name}' has {Held(principal)}; writing needs publisher or administrator");
    }

    // Docker looks only at the answer to '/v2/' for how to log in: were it 200 to those without a token, it could never push. With a token
    // for anybody it reads as before.
    private bool IsAnonymousRead(HttpContext http) =>
        options.AnonymousRead && IsRead(http) && (!IsPing(http) || http.Request.Headers.Authorization.Count > 0);

    private static bool IsPing(HttpContext http) => http.Request.Path.Value?.TrimEnd('/') == Registry;

    private static string Held(Principal principal) =>
        principal.Roles == Role.None ? "no role" : "the role " + string.Join(" and ", Roles.Names(principal.Roles));

    private static bool IsRead(HttpContext http) => HttpMethods.IsGet(http.Request.Method) || HttpMethods.IsHead(http.Request.Method);

    /// <summary>The token is what was shown as a password: it serves as both, so that nothing more has to be kept,
    /// expire or be taken back.</summary>
    private static async Task WriteTokenAsync(HttpContext http)
    {
        string given = http.Request.Headers.Authorization.ToString();
        string token = given.Length == 0 ? AnonymousToken : ReadCredentials(given).Token!;
        http.Response.Headers.CacheControl = "no-store";
        await http.Response.WriteAsJsonAsync(new RegistryToken(token, token, 3600), AccessJson.Default.RegistryToken);
    }

    private async Task WriteAsync(HttpContext http, Refusal refusal, bool registry)
    {
        http.Response.StatusCode = refusal.Status;
        if (refusal.Status == StatusCodes.Status401Unauthorized && registry)
            http.Response.Headers.WWWAuthenticate = Challenge(http);
        if (registry)
            http.Response.Headers["Docker-Distribution-Api-Version"] = "registry/2.0";
        if (HttpMethods.IsHead(http.Request.Method))
            return;
        if (registry)
            await http.Response.WriteAsJsonAsync(new RegistryErrors([new RegistryError(refusal.Code.ToUpperInvariant(), refusal.Message)]),
                AccessJson.Default.RegistryErrors);
        else
            await http.Response.WriteAsJsonAsync(new ErrorReply(refusal.Code, refusal.Message), ApiJson.Default.ErrorReply);
    }

    private string Challenge(HttpContext http) => options.AnonymousRead && IsPing(http) && http.Request.Headers.Authorization.Count == 0
        ? $"Bearer realm=\"{SchemeOf(http)}://{http.Request.Host}{TokenPath}\",service=\"ingot\""
        : "Basic realm=\"ingot\"";

    // A client sends its password to the address it is told: behind a proxy that is one with TLS, whatever comes in here.
    private string SchemeOf(HttpContext http) =>
        http.Request.Headers["X-Forwarded-Proto"] == "https"
            || options.Hosts.Contains(http.Request.Host.Host, StringComparer.OrdinalIgnoreCase)
            ? "https"
            : http.Request.Scheme;

    private sealed record Refusal(int Status, string Code, string Message);
}

internal sealed record RegistryToken(string Token, string AccessToken, int ExpiresIn);

internal sealed record RegistryErrors(IReadOnlyList<RegistryError> Errors);

internal sealed record RegistryError(string Code, string Message);

[System.Text.Json.Serialization.JsonSourceGenerationOptions(
    PropertyNamingPolicy = System.Text.Json.Serialization.JsonKnownNamingPolicy.SnakeCaseLower)]
[System.Text.Json.Serialization.JsonSerializable(typeof(RegistryToken))]
[System.Text.Json.Serialization.JsonSerializable(typeof(RegistryErrors))]
internal sealed partial class AccessJson : System.Text.Json.Serialization.JsonSerializerContext;
