using System.Security.Cryptography;
using System.Text;
using Ingot.Evidence.Packages;
using Ingot.Oci.Images;

namespace Ingot.Evidence.Tests;

/// <summary>What was found out about one property: a value, or why there is none.</summary>
internal readonly record struct Fact(GossValue? Value, string? Problem)
{
    public static Fact Of(bool value) => new(new GossValue.Truth(value), null);

    public static Fact Of(long value) => new(new GossValue.Number(value), null);

    public static Fact Of(string value) => new(new GossValue.Text(value), null);

    public static Fact Of(IEnumerable<string> values) => new(GossValue.Items.Of(values), null);

    public static Fact Unknown(string problem) => new(null, problem);
}

/// <summary>Facts that the root filesystem alone holds: files, packages, users, groups.</summary>
internal sealed class OfflineFacts(ImageRoot root)
{
    private readonly Lazy<Accounts> _accounts = new(() => root.ReadAccounts());
    private readonly Lazy<PackageInventory> _packages = new(() => PackageInventory.Read(root));

    public Fact Find(GossResource resource, string property) => resource.Type switch
    {
        GossResourceType.File => File(resource.Name, property),
        GossResourceType.Package => Package(resource.Name, property),
        GossResourceType.User => User(resource.Name, property),
        GossResourceType.Group => Group(resource.Name, property),
        _ => Fact.Unknown($"'{resource.Type}' needs a sandbox"),
    };

    private Fact File(string name, string property)
    {
        if (Expand(name) is not { } path)
            return Fact.Unknown($"'{name}' names a user that /etc/passwd does not have");

        var status = root.Status(path);
        if (property == "exists")
            return Fact.Of(status is not null);
        if (status is not { } file)
            return Fact.Unknown($"'{path}' does not exist");

        return property switch
        {
            "mode" => Fact.Of(Convert.ToString(file.Mode, 8).PadLeft(4, '0')),
            "size" => Fact.Of(file.Size),
            "uid" => Fact.Of(file.UserId),
            "gid" => Fact.Of(file.GroupId),
            "owner" => Name(_accounts.Value.NameOfUser(file.UserId), "user", file.UserId, "passwd"),
            "group" => Name(_accounts.Value.NameOfGroup(file.GroupId), "group", file.GroupId, "group"),
            "filetype" => Fact.Of(TypeName(file.Type)),
            "linked-to" => root.ReadLink(path) is { } target ? Fact.Of(target) : Fact.Unknown($"'{path}' is no symbolic link"),
            "contents" or "contains" => root.ReadFile(path) is { } bytes ? Fact.Of(Encoding.UTF8.GetString(bytes)) : NotAFile(path),
            _ => Hash(path, property),
        };
    }

    // '~/x' is root's home, where a check would run; '~name/x' another user's.
    private string? Expand(string path)
    {
        if (!path.StartsWith('~'))
            return path;

        int slash = path.IndexOf('/', StringComparison.Ordinal);
        string user = slash < 0 ? path[1..] : path[1..slash];
        string? home = _accounts.Value.User(user.Length == 0 ? "root" : user)?.Home;
        return home is null ? null : home + (slash < 0 ? "" : path[slash..]);
    }

    private Fact Hash(string path, string property)
    {
        using var content = root.OpenFile(path);
        if (content is null)
            return NotAFile(path);

        return property switch
        {
            "sha256" => Fact.Of(Convert.ToHexStringLower(SHA256.HashData(content))),
            "sha512" => Fact.Of(Convert.ToHexStringLower(SHA512.HashData(content))),
#pragma warning disable RS0030, CA5351 // goss files compare MD5 sums; nothing is protected by them.
            _ => Fact.Of(Convert.ToHexStringLower(MD5.HashData(content))),
#pragma warning restore RS0030, CA5351
        };
    }

    private static Fact NotAFile(string path) => Fact.Unknown($"'{path}' is no regular file");

    private static Fact Name(string? name, string what, long id, string file) => name is not null
        ? Fact.Of(name)
        : Fact.Unknown($"the {what} {id} has no name in /etc/{file}");

    private static string TypeName(RootFileType type) => type switch
    {
        RootFileType.Directory => "directory",
        RootFileType.SymbolicLink => "symlink",
        RootFileType.CharacterDevice => "character-device",
        RootFileType.BlockDevice => "block-device",
        RootFileType.Fifo => "pipe",
        RootFileType.Socket => "socket",
        _ => "file",
    };

    // 'name', or 'name:architecture' as dpkg takes it.
    private Fact Package(string name, string property)
    {
        int colon = name.IndexOf(':', StringComparison.Ordinal);
        var found = _packages.Value.Named(colon < 0 ? name : name[..colon])
            .Where(p => colon < 0 || p.Architecture == name[(colon + 1)..]).ToList();
        if (found.Count == 0 && _packages.Value.Unreadable is [var problem, ..])
            return Fact.Unknown(problem);

        return property switch
        {
            "installed" => Fact.Of(found.Count > 0),
            _ when found.Count == 0 => Fact.Unknown($"'{name}' is not installed"),
            _ => Fact.Of(found.Select(p => p.Version)),
        };
    }

    private Fact User(string name, string property)
    {
        var user = _accounts.Value.User(name);
        if (property == "exists")
            return Fact.Of(user is not null);
        if (user is null)
            return Fact.Unknown($"there is no user '{name}'");

        return property switch
        {
            "uid" => Fact.Of(user.UserId),
            "gid" => Fact.Of(user.GroupId),
            "home" => Fact.Of(user.Home),
            "shell" => Fact.Of(user.Shell),
            _ => Fact.Of(_accounts.Value.Groups
                .Where(g => g.GroupId == user.GroupId || g.Members.Contains(name)).Select(g => g.Name).Order(StringComparer.Ordinal)),
        };
    }

    private Fact Group(string name, string property)
    {
        var group = _accounts.Value.Group(name);
        if (property == "exists")
            return Fact.Of(group is not null);

        return group is null ? Fact.Unknown($"there is no group '{name}'") : Fact.Of(group.GroupId);
    }
}
