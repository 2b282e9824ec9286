namespace Ingot.Server.Access;

/// <summary>What a principal may do. Roles are sets: a token may have several, and every role may read.</summary>
[Flags]
public enum Role
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Reads: status, decisions, the ledger, images.</summary>
    Viewer = 1,

    /// <summary>Pushes images and evidence, applies projects whose rules stay, asks for promotions.</summary>
    Publisher = 2,

    /// <summary>Approves and rejects.</summary>
    Approver = 4,

    /// <summary>Promotes, deploys, rolls back, pauses, stops, revokes.</summary>
    Releaser = 8,

    /// <summary>Everything, and tokens, keys and a project's rules besides.</summary>
    Administrator = 16,
}

/// <summary>The names of roles, as people write them.</summary>
public static class Roles
{
    /// <summary>Every role, in the order of the help.</summary>
    public static IReadOnlyList<Role> All { get; } = [Role.Viewer, Role.Publisher, Role.Approver, Role.Releaser, Role.Administrator];

    /// <summary>The names of a set of roles.</summary>
    public static IReadOnlyList<string> Names(Role roles) => [.. All.Where(role => roles.HasFlag(role)).Select(Name)];

    /// <summary>The set that names stand for; null when one of them names no role.</summary>
    public static Role? Parse(IEnumerable<string> names)
    {
        var roles = Role.None;
        foreach (string name in names)
        {
            var role = All.FirstOrDefault(r => Name(r) == name);
            if (role == Role.None)
                return null;
            roles |= role;
        }

        return roles;
    }

    private static string Name(Role role) => role.ToString().ToLowerInvariant();
}
