using System.Globalization;

namespace Ingot.Builds;

/// <summary>Who a name is in a root filesystem.</summary>
/// <param name="UserId">The user's number.</param>
/// <param name="GroupId">The group's number.</param>
/// <param name="OtherGroups">The other groups that the user is in.</param>
/// <param name="Home">The user's home directory.</param>
internal sealed record Account(uint UserId, uint GroupId, IReadOnlyList<uint> OtherGroups, string Home);

/// <summary>The accounts of a root filesystem: its <c>/etc/passwd</c> and <c>/etc/group</c>, never the host's.</summary>
/// <param name="passwd">The text of <c>/etc/passwd</c>; empty when there is none.</param>
/// <param name="group">The text of <c>/etc/group</c>; empty when there is none.</param>
internal sealed class Accounts(string passwd, string group)
{
    private readonly List<string[]> _users = Lines(passwd, fields: 6);
    private readonly List<string[]> _groups = Lines(group, fields: 3);

    /// <summary>Finds <c>user[:group]</c>, each a name or a number; null with the name that is not there. A number needs no account; its group is then 0, as with Docker.</summary>
    public Account? Find(string text, out string? unknown)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        string name = colon < 0 ? text : text[..colon];
        string groupName = colon < 0 ? "" : text[(colon + 1)..];
        unknown = null;

        var user = name.Length == 0 ? _users.Find(u => u[2] == "0") : _users.Find(u => u[0] == name) ?? _users.Find(u => u[2] == name);
        if (user is null && name.Length > 0 && Number(name) is null)
        {
            unknown = $"user '{name}'";
            return null;
        }

        uint userId = user is not null ? Number(user[2]) ?? 0 : Number(name) ?? 0;
        uint groupId = user is not null ? Number(user[3]) ?? 0 : 0;
        if (groupName.Length == 0)
            return new Account(userId, groupId, user is null ? [] : GroupsOf(user[0], groupId), user?[5] ?? "/");

        if ((_groups.Find(g => g[0] == groupName) is { } found ? Number(found[2]) : Number(groupName)) is not { } chosen)
        {
            unknown = $"group '{groupName}'";
            return null;
        }

        // A group that is named takes the place of all others.
        return new Account(userId, chosen, [], user?[5] ?? "/");
    }

    /// <summary>Nobody.</summary>
    public static Accounts None { get; } = new("", "");

    /// <summary>Who <c>user[:group]</c> of <c>--chown</c> or <c>WORKDIR</c> is; null with the name that is not there. Otherwise than for <see cref="Find"/>, a user that is a number
    /// is in the group of that number, whatever accounts there are, and no user is root (<see href="https://docs.docker.com/reference/dockerfile/#copy---chown">COPY --chown</see>).</summary>
    public (uint UserId, uint GroupId)? FindOwner(string text, out string? unknown)
    {
        var parts = text.Split(':', 2);
        unknown = null;
        if (OwnerOf(parts[0]) is not { } owner)
        {
            unknown = $"user '{parts[0]}'";
            return null;
        }

        if (parts.Length == 1)
            return owner;
        if ((parts[1].Length == 0 ? 0 : Number(parts[1]) ?? (_groups.Find(g => g[0] == parts[1]) is { } found ? Number(found[2]) : null)) is { } group)
            return (owner.UserId, group);

        unknown = $"group '{parts[1]}'";
        return null;
    }

    private (uint UserId, uint GroupId)? OwnerOf(string user)
    {
        if (user.Length == 0)
            return (0, 0);
        if (Number(user) is { } number)
            return (number, number);
        return _users.Find(u => u[0] == user) is { } found ? (Number(found[2]) ?? 0, Number(found[3]) ?? 0) : null;
    }

    /// <summary>The names of the users and groups, for suggestions.</summary>
    public IEnumerable<string> Names => _users.Concat(_groups).Select(fields => fields[0]);

    private List<uint> GroupsOf(string user, uint primary) =>
    [
        .. _groups.Where(g => g.Length > 3 && g[3].Split(',').Contains(user)).Select(g => Number(g[2])).OfType<uint>().Where(g => g != primary).Distinct(),
    ];

    private static List<string[]> Lines(string text, int fields) =>
        [.. text.Split('\n').Select(line => line.TrimEnd('\r').Split(':')).Where(parts => parts.Length >= fields && parts[0].Length > 0)];

    // The largest number stands for "no one" in system calls.
    private static uint? Number(string text) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) && number < uint.MaxValue ? number : null;
}
