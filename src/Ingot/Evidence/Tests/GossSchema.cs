namespace Ingot.Evidence.Tests;

/// <summary>What kind of value an attribute holds: it decides what a plain list, and a number in quotes, mean.</summary>
internal enum GossAttributeKind
{
    /// <summary>A truth value, a number, a text or a list: the plain matchers.</summary>
    Value,

    /// <summary>A number; one in quotes is a number too, as older files have it.</summary>
    Number,

    /// <summary>A text that is read: a list is a list of patterns for its lines.</summary>
    Reader,
}

/// <summary>A check of a resource: the attribute's name and kind.</summary>
internal sealed record GossAttribute(string Name, GossAttributeKind Kind, bool IsRequired = false);

/// <summary>A resource of the language: what stands for its key, what is checked, what else it may say,
/// and what goss has that is not read yet.</summary>
internal sealed record GossResourceSchema(
    GossResourceType Type,
    string Key,
    string NameAttribute,
    IReadOnlyList<GossAttribute> Attributes,
    IReadOnlyList<string> Settings,
    IReadOnlyList<string> NotYet)
{
    private static readonly string[] s_common = ["title", "meta", "skip"];
    private static readonly string[] s_retries = ["retry_count", "retry_delay"];

    /// <summary>The resources that are evaluated.</summary>
    public static IReadOnlyList<GossResourceSchema> All { get; } =
    [
        new(GossResourceType.File, "file", "path",
            [
                new("exists", GossAttributeKind.Value, IsRequired: true), new("mode", GossAttributeKind.Value), new("owner",
                    GossAttributeKind.Value),
                new("uid", GossAttributeKind.Number), new("group", GossAttributeKind.Value), new("gid", GossAttributeKind.Number),
                new("linked-to", GossAttributeKind.Value), new("filetype", GossAttributeKind.Value), new("contents",
                    GossAttributeKind.Reader),
                new("contains", GossAttributeKind.Reader), new("size", GossAttributeKind.Value), new("md5", GossAttributeKind.Value),
                new("sha256", GossAttributeKind.Value), new("sha512", GossAttributeKind.Value),
            ],
            s_common, []),
        new(GossResourceType.Package, "package", "name",
            [new("installed", GossAttributeKind.Value, IsRequired: true), new("versions", GossAttributeKind.Value)],
            [.. s_common, .. s_retries], []),
        new(GossResourceType.User, "user", "username",
            [
                new("exists", GossAttributeKind.Value, IsRequired: true), new("uid", GossAttributeKind.Number), new("gid",
                    GossAttributeKind.Number),
                new("home", GossAttributeKind.Value), new("groups", GossAttributeKind.Value), new("shell", GossAttributeKind.Value),
            ],
            s_common, []),
        new(GossResourceType.Group, "group", "groupname",
            [new("exists", GossAttributeKind.Value, IsRequired: true), new("gid", GossAttributeKind.Number)],
            s_common, []),
        new(GossResourceType.Command, "command", "exec",
            [
                new("exit-status", GossAttributeKind.Number, IsRequired: true), new("stdout", GossAttributeKind.Reader), new("stderr",
                    GossAttributeKind.Reader),
            ],
            [.. s_common, .. s_retries, "timeout"], []),
        new(GossResourceType.Process, "process", "comm",
            [new("running", GossAttributeKind.Value, IsRequired: true)],
            s_common, []),
        new(GossResourceType.Port, "port", "port",
            [new("listening", GossAttributeKind.Value, IsRequired: true), new("ip", GossAttributeKind.Value)],
            s_common, []),
        new(GossResourceType.Http, "http", "url",
            [new("status", GossAttributeKind.Value, IsRequired: true), new("headers", GossAttributeKind.Reader),
                new("body", GossAttributeKind.Reader)],
            [
                .. s_common, "method", "timeout", "no-follow-redirects", "allow-insecure", "request-headers", "request-body",
                "username", "password",
            ],
            ["ca-file", "cert-file", "key-file", "proxy"]),
    ];

    /// <summary>What goss has and Ingot does not evaluate yet.</summary>
    public static IReadOnlyList<string> NotYetEvaluated { get; } =
        ["service", "dns", "addr", "interface", "kernel-param", "mount", "matching", "gossfile", "registry"];

    /// <summary>Every word that may stand in the resource.</summary>
    public IEnumerable<string> Words => Attributes.Select(a => a.Name).Concat(Settings).Append(NameAttribute);
}
