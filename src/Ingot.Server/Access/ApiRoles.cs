using System.Collections.Frozen;

namespace Ingot.Server.Access;

/// <summary>Who may call what. An endpoint that has no row here is closed to everybody.</summary>
internal static class ApiRoles
{
    private const Role Anyone = Role.Viewer | Role.Publisher | Role.Approver | Role.Releaser;

    /// <summary>The roles of which a caller needs one, by method and route. <see cref="Role.None"/> needs no token at all.</summary>
    public static FrozenDictionary<string, Role> Rows { get; } = new Dictionary<string, Role>(StringComparer.Ordinal)
    {
        ["GET /api/v1/health"] = Role.None,
        ["GET /api/v1/principal"] = Anyone,
        ["GET /api/v1/tokens"] = Role.Administrator,
        ["POST /api/v1/tokens"] = Role.Administrator,
        ["POST /api/v1/tokens/{name}/revocation"] = Role.Administrator,
        ["PUT /api/v1/projects/{name}"] = Role.Publisher | Role.Releaser,
        ["GET /api/v1/resolve"] = Anyone,
        ["POST /api/v1/promotions"] = Role.Publisher | Role.Releaser,
        ["GET /api/v1/explain"] = Anyone,
        ["POST /api/v1/approvals"] = Role.Approver,
        ["POST /api/v1/revocations"] = Role.Approver | Role.Releaser,
        ["GET /api/v1/keys"] = Anyone,
        ["POST /api/v1/keys"] = Role.Administrator,
        ["POST /api/v1/keys/retirements"] = Role.Administrator,
        ["POST /api/v1/tags/deletions"] = Role.Administrator,
        ["GET /api/v1/status"] = Anyone,
        // What programs write is nobody's to see who may not run them: it is not cleaned of secrets.
        ["GET /api/v1/logs"] = Role.Releaser,
        ["POST /api/v1/releases"] = Role.Releaser,
        ["POST /api/v1/releases/preview"] = Anyone,
        ["POST /api/v1/rollbacks"] = Role.Releaser,
        ["POST /api/v1/pauses"] = Role.Releaser,
        ["POST /api/v1/stops"] = Role.Releaser,
        ["GET /api/v1/target"] = Anyone,
        ["GET /api/v1/rollouts/{id}"] = Anyone,
        ["GET /api/v1/log"] = Anyone,
        ["GET /api/v1/log/verify"] = Anyone,
        ["POST /api/v1/log/verify"] = Anyone,
        ["GET /api/v1/log/checkpoint"] = Anyone,
        ["GET /api/v1/log/documents/{digest}"] = Anyone,
        ["GET /api/v1/log/tile/{**rest}"] = Anyone,
        ["GET /api/v1/log/proof/{entry:long}"] = Anyone,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>The row of an endpoint; null when there is none.</summary>
    public static Role? Find(string method, string? route) =>
        Rows.TryGetValue($"{method} /{route?.TrimStart('/')}", out var role) ? role : null;
}
