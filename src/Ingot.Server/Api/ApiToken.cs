using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Ingot.Server.Api;

/// <summary>The token that shows a caller may change things, and the name such a caller gives for the ledger.</summary>
internal static class ApiToken
{
    /// <summary>The header in which a caller with the token says who is asking.</summary>
    public const string UserHeader = "X-Ingot-User";

    private const string Scheme = "Bearer ";

    public static bool IsShown(HttpContext http, string token)
    {
        string given = http.Request.Headers.Authorization.ToString();
        return given.StartsWith(Scheme, StringComparison.Ordinal)
            && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given[Scheme.Length..]), Encoding.UTF8.GetBytes(token));
    }

    /// <summary>Who is behind a request: a name is only believed from those who hold the token.</summary>
    public static string UserOf(HttpContext http, string token) =>
        IsShown(http, token) && http.Request.Headers[UserHeader].ToString() is { Length: > 0 and <= 100 } user ? user : "anonymous";
}
