using Ingot.Server.Access;

namespace Ingot.Server.Api;

/// <summary>Makes tokens and takes them back.</summary>
internal sealed class TokenDesk(TokenStore tokens, TimeProvider time)
{
    public TokenListReply List() => new([.. tokens.List().Select(Status)]);

    public async Task<TokenReply> CreateAsync(TokenRequest request, string by, CancellationToken cancellationToken)
    {
        var roles = RolesOf(request);
        if (!Principal.IsName(request.Name) || request.Name == tokens.Own.Name)
            throw new ApiException("invalid", $"'{ApiText.Short(request.Name)}' is not a name for a token: use lower-case letters, digits, "
                + "'-', '_' and '.', beginning with a letter");
        if (request.Expires <= time.GetUtcNow())
            throw new ApiException("invalid", $"the token of '{request.Name}' would end before it begins");

        string secret = await tokens.CreateAsync(by, request.Name, roles, request.Expires, cancellationToken)
            ?? throw new ApiException("refused",
                $"the name '{request.Name}' was given to a token before, and a name is for one person forever: choose another");
        return new TokenReply(request.Name, Roles.Names(roles), request.Expires, secret);
    }

    public async Task<TokenListReply> RevokeAsync(string name, string why, string by, CancellationToken cancellationToken) =>
        await tokens.RevokeAsync(by, name, why, cancellationToken)
            ? List()
            : throw new ApiException("not_found", $"there is no valid token '{ApiText.Short(name)}': see 'ingot tokens list'");

    private static Role RolesOf(TokenRequest request)
    {
        if (request.Roles is not { Count: > 0 })
            return Role.Viewer;
        return Roles.Parse(request.Roles)
            ?? throw new ApiException("invalid", $"'{ApiText.Short(string.Join(", ", request.Roles))}' are not all roles: "
                + $"the roles are {string.Join(", ", Roles.All.SelectMany(r => Roles.Names(r)))}");
    }

    private TokenStatus Status(TokenFacts token) => new(
        token.Name, Roles.Names(token.Roles), token.Created, token.CreatedBy, token.Expires,
        token.IsRevoked ? "revoked" : token.Expires <= time.GetUtcNow() ? "expired" : "valid");
}
