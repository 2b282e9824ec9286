using System.Globalization;

namespace Ingot.Evidence;

/// <summary>A line of <c>/etc/passwd</c>.</summary>
public sealed record UserAccount(string Name, long UserId, long GroupId, string Home, string Shell);

/// <summary>A line of <c>/etc/group</c>.</summary>
public sealed record GroupAccount(string Name, long GroupId, IReadOnlyList<string> Members);

/// <summary>The numbers a container's process runs under.</summary>
/// <param name="UserId">The user.</param>
/// <param name="GroupId">The group.</param>
/// <param name="FurtherGroupIds">Other groups, ascending.</param>
/// <param name="Home">The home directory; <c>/</c> when the user has no line.</param>
public sealed record ProcessIdentity(long UserId, long GroupId, IReadOnlyList<long> FurtherGroupIds, string Home);

/// <summary>The users and groups of a root filesystem, from <c>/etc/passwd</c> and <c>/etc/group</c> alone.</summary>
/// <param name="Users">The users, in the file's order. Of two with one name or number the first counts, as in the C library.</param>
/// <param name="Groups">The groups, in the file's order.</param>
public sealed record Accounts(IReadOnlyList<UserAccount> Users, IReadOnlyList<GroupAccount> Groups)
{
    /// <summary>Reads both files; a missing one has no lines, a line that is none is left out.</summary>
    public static Accounts Read(ImageRoot root) => new(
        [.. root.ReadLines("etc/passwd").Select(ReadUser).OfType<UserAccount>()],
        [.. root.ReadLines("etc/group").Select(ReadGroup).OfType<GroupAccount>()]);

    /// <summary>The user of a name; null when there is none.</summary>
    public UserAccount? User(string name) => Users.FirstOrDefault(u => u.Name == name);

    /// <summary>The group of a name; null when there is none.</summary>
    public GroupAccount? Group(string name) => Groups.FirstOrDefault(g => g.Name == name);

    /// <summary>The name of a user's number; null when no line has it.</summary>
    public string? NameOfUser(long id) => Users.FirstOrDefault(u => u.UserId == id)?.Name;

    /// <summary>The name of a group's number; null when no line has it.</summary>
    public string? NameOfGroup(long id) => Groups.FirstOrDefault(g => g.GroupId == id)?.Name;

    /// <summary>Whom an image's <c>User</c> means: <c>name</c>, <c>number</c>, or either with <c>:group</c>; empty is root. Null when a name has no line.</summary>
    public ProcessIdentity? Resolve(string? specification)
    {
        var parts = (specification ?? "").Split(':', 2);
        string user = parts[0].Length == 0 ? "0" : parts[0];
        var account = User(user);
        long userId = account?.UserId ?? 0;
        if (account is null)
        {
            if (!TryNumber(user, out userId))
                return null;

            account = Users.FirstOrDefault(u => u.UserId == userId);
        }

        long groupId = account?.GroupId ?? 0;
        if (parts.Length == 2 && parts[1].Length > 0 && !TryGroup(parts[1], out groupId))
            return null;

        // A group that is named stands alone: the runtime adds the others only when the user's own group is taken.
        IReadOnlyList<long> further = parts.Length == 2 || account is null ? [] : FurtherGroups(account);
        return new ProcessIdentity(userId, groupId, further, account?.Home is { Length: > 0 } home ? home : "/");
    }

    private long[] FurtherGroups(UserAccount account) =>
        [.. Groups.Where(g => g.GroupId != account.GroupId && g.Members.Contains(account.Name)).Select(g => g.GroupId).Distinct().Order()];

    private bool TryGroup(string text, out long id)
    {
        if (Group(text) is not { } group)
            return TryNumber(text, out id);

        id = group.GroupId;
        return true;
    }

    private static UserAccount? ReadUser(string line)
    {
        var fields = line.Split(':');
        return fields.Length >= 7 && fields[0].Length > 0 && TryNumber(fields[2], out long user) && TryNumber(fields[3], out long group)
            ? new UserAccount(fields[0], user, group, fields[5], fields[6])
            : null;
    }

    private static GroupAccount? ReadGroup(string line)
    {
        var fields = line.Split(':');
        return fields.Length >= 4 && fields[0].Length > 0 && TryNumber(fields[2], out long group)
            ? new GroupAccount(fields[0], group, fields[3].Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            : null;
    }

    private static bool TryNumber(string text, out long id)
    {
        bool good = uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint number);
        id = number;
        return good;
    }
}
