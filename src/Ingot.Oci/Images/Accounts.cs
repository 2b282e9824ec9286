using System.Globalization;
using Ingot.Oci.Tar;

namespace Ingot.Oci.Images;

/// <summary>A line of <c>/etc/passwd</c>, as the runtimes take it.</summary>
public sealed record UserAccount(string Name, long UserId, long GroupId, string Home, string Shell);

/// <summary>A line of <c>/etc/group</c>, as the runtimes take it.</summary>
public sealed record GroupAccount(string Name, long GroupId, IReadOnlyList<string> Members);

/// <summary>The numbers a container's process runs under.</summary>
/// <param name="UserId">The user.</param>
/// <param name="GroupId">The group.</param>
/// <param name="FurtherGroupIds">Other groups, ascending.</param>
/// <param name="Home">The home directory; <c>/</c> when the user has no line.</param>
public sealed record ProcessIdentity(uint UserId, uint GroupId, IReadOnlyList<uint> FurtherGroupIds, string Home);

/// <summary>The users and groups of a root filesystem, from its <c>/etc/passwd</c> and <c>/etc/group</c> alone, never the host's.</summary>
/// <remarks>Read as Docker, BuildKit and containerd read them, which forgive more than the C library: spaces around a line are dropped, a
/// line may end after any field, and what is no number counts as 0, so that the lines <c>web</c> and <c>web:x:abc</c> both make <c>web</c>
/// root. A specification that is a number is always the number, also when a line has it as a name.</remarks>
public sealed class Accounts
{
    // The runtimes' scanner gives up at a longer line of the user file; of the group file it takes any.
    private const int MaxUserLineBytes = 64 << 10;

    private readonly bool _isUnreadable;

    private Accounts(IReadOnlyList<UserAccount> users, IReadOnlyList<GroupAccount> groups, bool isUnreadable)
    {
        Users = users;
        Groups = groups;
        _isUnreadable = isUnreadable;
    }

    /// <summary>Nobody: what an image without account files has.</summary>
    public static Accounts None { get; } = new([], [], isUnreadable: false);

    /// <summary>The users, in the file's order. Of two with one name or number the first counts.</summary>
    public IReadOnlyList<UserAccount> Users { get; }

    /// <summary>The groups, in the file's order.</summary>
    public IReadOnlyList<GroupAccount> Groups { get; }

    /// <summary>The names of the users and groups, for suggestions.</summary>
    public IEnumerable<string> Names => Users.Select(u => u.Name).Concat(Groups.Select(g => g.Name)).Where(n => n.Length > 0);

    /// <summary>Reads both files; empty stands for a file that is not there.</summary>
    public static Accounts Parse(ReadOnlySpan<byte> passwd, ReadOnlySpan<byte> group) => new(
        [.. Lines(passwd).Select(ReadUser)],
        [.. Lines(group).Where(line => line[0] != '#').Select(ReadGroup)],
        HasLongLine(passwd));

    /// <summary>The user of a name; null when there is none.</summary>
    public UserAccount? User(string name) => Users.FirstOrDefault(u => u.Name == name);

    /// <summary>The group of a name; null when there is none.</summary>
    public GroupAccount? Group(string name) => Groups.FirstOrDefault(g => g.Name == name);

    /// <summary>The name of a user's number; null when no line has it.</summary>
    public string? NameOfUser(long id) => Users.FirstOrDefault(u => u.UserId == id)?.Name;

    /// <summary>The name of a group's number; null when no line has it.</summary>
    public string? NameOfGroup(long id) => Groups.FirstOrDefault(g => g.GroupId == id)?.Name;

    /// <summary>Whom an image's <c>User</c> means: <c>name</c>, <c>number</c>, or either with <c>:group</c>; empty is root. Null, with what
    /// is not there, when no container starts.</summary>
    public ProcessIdentity? Resolve(string? specification, out string? unknown)
    {
        string text = specification ?? "";
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        string user = colon < 0 ? text : text[..colon];
        string group = colon < 0 ? "" : text[(colon + 1)..];
        unknown = $"user '{user}'";
        var account = FindUser(user);
        if (_isUnreadable || (account is null && IdOf(user) is null))
            return null;

        uint groupId = Narrow(account?.GroupId ?? 0);
        if (group.Length > 0)
        {
            unknown = $"group '{group}'";
            if (FindGroup(group) is not { } chosen)
                return null;
            groupId = chosen;
        }

        unknown = null;
        // A group that is named stands alone: the runtime adds the others only when the user's own group is taken.
        IReadOnlyList<uint> further = group.Length > 0 || account is null ? [] : FurtherGroups(account, groupId);
        return new ProcessIdentity(Narrow(account?.UserId ?? IdOf(user)!.Value), groupId, further,
            account?.Home is { Length: > 0 } home ? home : "/");
    }

    /// <summary>Who <c>user[:group]</c> of <c>--chown</c> or <c>WORKDIR</c> is; null with the name that is not there. Otherwise than for
    /// <see cref="Resolve"/>, a user that is a number is in the group of that number, whatever accounts there are, and no user is root
    /// (<see href="https://docs.docker.com/reference/dockerfile/#copy---chown">COPY --chown</see>).</summary>
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
        if ((parts[1].Length == 0 ? 0 : Owner(parts[1]) ?? (Group(parts[1]) is { } found ? Narrow(found.GroupId) : null)) is { } group)
            return (owner.UserId, group);

        unknown = $"group '{parts[1]}'";
        return null;
    }

    private (uint UserId, uint GroupId)? OwnerOf(string user)
    {
        if (user.Length == 0)
            return (0, 0);
        if (Owner(user) is { } number)
            return (number, number);
        return User(user) is { } found ? (Narrow(found.UserId), Narrow(found.GroupId)) : null;
    }

    private UserAccount? FindUser(string user)
    {
        if (user.Length == 0)
            return Users.FirstOrDefault(u => u.UserId == 0);
        return Number(user) is { } number ? Users.FirstOrDefault(u => u.UserId == number) : User(user);
    }

    private uint? FindGroup(string group)
    {
        var found = Number(group) is { } number ? Groups.FirstOrDefault(g => g.GroupId == number) : Group(group);
        return found is not null ? Narrow(found.GroupId) : IdOf(group);
    }

    // A line whose name is empty brings no groups, though a member of an empty name may stand in one.
    private uint[] FurtherGroups(UserAccount account, uint groupId) => account.Name.Length == 0
        ? []
        : [.. Groups.Where(g => g.Members.Contains(account.Name))
            .Select(g => Narrow(g.GroupId)).Where(g => g != groupId).Distinct().Order()];

    // An id without a line must be one that every system knows.
    private static uint? IdOf(string text) =>
        text.Length == 0 ? 0 : Number(text) is { } number and >= 0 and <= int.MaxValue ? (uint)number : null;

    // The largest number stands for "no one" in system calls.
    private static uint? Owner(string text) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) && number < uint.MaxValue ? number : null;

    // What the runtimes do with the number of a line: 4294967296 is root.
    private static uint Narrow(long id) => unchecked((uint)id);

    // Decimal digits, with a sign at most; one that is too large is a name.
    private static long? Number(string text) =>
        Digits(text) is { Length: > 0 } && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
            ? number
            : null;

    // What is no number is 0; what is too large is the largest.
    private static long FieldNumber(string text) =>
        Number(text) ?? (Digits(text).IsEmpty ? 0 : text[0] == '-' ? long.MinValue : long.MaxValue);

    // Empty when anything else is there.
    private static ReadOnlySpan<char> Digits(string text)
    {
        var digits = text.AsSpan(text.Length > 0 && text[0] is '+' or '-' ? 1 : 0);
        return digits.ContainsAnyExceptInRange('0', '9') ? [] : digits;
    }

    private static UserAccount ReadUser(string line)
    {
        var fields = line.Split(':');
        return new UserAccount(fields[0], FieldNumber(Field(fields, 2)), FieldNumber(Field(fields, 3)), Field(fields, 5), Field(fields, 6));
    }

    private static GroupAccount ReadGroup(string line)
    {
        var fields = line.Split(':');
        string members = Field(fields, 3);
        return new GroupAccount(fields[0], FieldNumber(Field(fields, 2)), members.Length == 0 ? [] : members.Split(','));
    }

    private static string Field(string[] fields, int index) => index < fields.Length ? fields[index] : "";

    private static IEnumerable<string> Lines(ReadOnlySpan<byte> file) =>
        TarPath.Decode(file).Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0);

    private static bool HasLongLine(ReadOnlySpan<byte> file)
    {
        while (file.Length >= MaxUserLineBytes)
        {
            int end = file.IndexOf((byte)'\n');
            if (end < 0 || end >= MaxUserLineBytes)
                return true;
            file = file[(end + 1)..];
        }

        return false;
    }
}
