using System.Security.Claims;

namespace Ingot.Server.Access;

/// <summary>Who is asking, as a token proved it. Every entry of the ledger that a request causes carries this name.</summary>
/// <param name="Name">The token's own name.</param>
/// <param name="Roles">What it may do.</param>
public sealed record Principal(string Name, Role Roles)
{
    /// <summary>The longest name.</summary>
    public const int MaxName = 63;

    private const string ClaimOfRoles = "ingot:roles";

    // The server speaks under the one name, nobody under the other; and the host's own user is who the home's token is.
    private static readonly string[] s_reserved = ["ingot", "anonymous", "root", "token"];

    /// <summary>Whether one of the roles asked for is held; an administrator holds all.</summary>
    public bool Has(Role any) => (Roles & (any | Role.Administrator)) != Role.None;

    /// <summary>Whether a name can be given to a token: lower case, so that no two look alike,
    /// and nothing that moves a cursor or ends a line.</summary>
    public static bool IsName(string name) =>
        name.Length is > 0 and <= MaxName && char.IsAsciiLetterLower(name[0]) && char.IsAsciiLetterOrDigit(name[^1])
        && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_' or '.') && !s_reserved.Contains(name);

    /// <summary>The name of a host's user as a principal.</summary>
    public static string NameOf(string user)
    {
        string name = new([.. user.ToLowerInvariant()
            .Take(MaxName)
            .Select(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_' or '.' ? c : '-')]);
        return name.Length > 0 && char.IsAsciiLetterLower(name[0]) ? name : "user-" + name;
    }

    /// <summary>The principal as ASP.NET knows it.</summary>
    public ClaimsPrincipal ToClaims() =>
        new(new ClaimsIdentity(
            [new Claim(ClaimTypes.Name, Name),
                new Claim(ClaimOfRoles, ((int)Roles).ToString(System.Globalization.CultureInfo.InvariantCulture))],
            "token"));
}
