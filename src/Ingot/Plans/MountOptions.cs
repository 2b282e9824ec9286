using Ingot.Diagnostics;
using Ingot.Templates.Dockerfile;

namespace Ingot.Plans;

/// <summary>The options of one <c>RUN --mount</c>, expanded
/// (<see href="https://docs.docker.com/reference/dockerfile/#run---mount">reference</see>).</summary>
internal sealed class MountOptions
{
    private readonly MountSyntax _syntax;
    private readonly DiagnosticBag _diagnostics;
    private readonly string _workingDirectory;
    private readonly Dictionary<string, (string? Text, Word? Word)> _values = [];

    public MountOptions(MountSyntax syntax, Func<Word, string> expand, DiagnosticBag diagnostics, string workingDirectory)
    {
        _syntax = syntax;
        _diagnostics = diagnostics;
        _workingDirectory = workingDirectory;
        // Of two of one key the later counts.
        foreach (var (key, value) in syntax.Options)
            _values[MountSyntax.Canonical(key)] = (value is null ? null : expand(value), value);
    }

    /// <summary>The tree that is named, before anything else is known of it; null for the context, or for nothing.</summary>
    public Word? From =>
        _values.TryGetValue("from", out var from) && from.Text is { Length: > 0 } text ? new Word(text, from.Word!.Span) : null;

    private string Type => Text("type")?.ToLowerInvariant() ?? "bind";

    /// <summary>The mount; null when an error was said.</summary>
    public StepMount? ToMount(TreeSource? from, TreeSource context)
    {
        switch (Type)
        {
            case "bind":
                return Target() is { } bound
                    ? new StepMount.Bind(bound, _syntax.Span, from ?? context, Source(), !IsReadOnly(byDefault: true))
                    : null;
            case "cache":
                return Target() is { } cached ? Cache(cached, from) : null;
            case "tmpfs":
                return Target() is { } memory ? new StepMount.Tmpfs(memory, _syntax.Span, Size()) : null;
            case "secret":
                return Secret();
            case "ssh":
                return new StepMount.Ssh(Text("target") ?? "", _syntax.Span, Text("id") ?? "default", Flag("required"))
                {
                    Mode = Mode(0b110_000_000),
                    UserId = Number("uid"),
                    GroupId = Number("gid"),
                };
            default:
                return Fail("type", $"'{Type}' is not a type of mount", "bind, cache, tmpfs, secret or ssh");
        }
    }

    private string? Text(string key) => _values.TryGetValue(key, out var value) && value.Text is { Length: > 0 } text ? text : null;

    private StepMount.Cache Cache(string target, TreeSource? from) => new(target, _syntax.Span, Text("id") ?? target, Sharing())
    {
        From = from,
        Source = Source(),
        IsReadOnly = IsReadOnly(byDefault: false),
        Mode = Mode(0b111_101_101),
        UserId = Number("uid"),
        GroupId = Number("gid"),
    };

    // The id may be left out: then it is the target's last part.
    private StepMount.Secret? Secret()
    {
        string? target = Text("target");
        string? id = Text("source") ?? Text("id") ?? (target is null ? null : Base(target));
        if (id is null)
            return Fail("id", "a secret needs an id", "write --mount=type=secret,id=NAME") as StepMount.Secret;

        bool isVariable = _values.ContainsKey("env");
        string place = target ?? (isVariable ? "" : "/run/secrets/" + Base(id));
        return new StepMount.Secret(place.Length == 0 ? "" : ImagePath.Resolve(_workingDirectory, place), _syntax.Span, id,
            isVariable ? Text("env") ?? id : null, Flag("required"))
        {
            Mode = Mode(0b100_000_000),
            UserId = Number("uid"),
            GroupId = Number("gid"),
        };
    }

    private static string Base(string path) => path[(path.TrimEnd('/').LastIndexOf('/') + 1)..].TrimEnd('/');

    private string? Target()
    {
        string? target = Text("target");
        string path = target is null ? "/" : ImagePath.Resolve(_workingDirectory, target);
        if (path != "/")
            return path;

        Fail("target", target is null ? $"the {Type} mount has no target" : $"nothing can be mounted on '{target}'",
            "write target=/a/directory");
        return null;
    }

    private string Source() => ImagePath.ToLayer(Text("source") ?? "");

    private bool IsReadOnly(bool byDefault)
    {
        bool readOnly = byDefault;
        foreach (var (key, _) in _syntax.Options)
        {
            if (MountSyntax.Canonical(key) == "readonly")
                readOnly = Flag("readonly");
            else if (MountSyntax.Canonical(key) == "readwrite")
                readOnly = !Flag("readwrite");
        }

        return readOnly;
    }

    private CacheSharing Sharing()
    {
        switch (Text("sharing")?.ToLowerInvariant())
        {
            case null or "shared":
                return CacheSharing.Shared;
            case "private":
                return CacheSharing.Private;
            case "locked":
                return CacheSharing.Locked;
            default:
                Fail("sharing", $"'{Text("sharing")}' is not a way of sharing", "shared, private or locked");
                return CacheSharing.Shared;
        }
    }

    private bool Flag(string key)
    {
        if (!_values.TryGetValue(key, out var value))
            return false;

        if (value.Text is null)
            return true;
        if (DockerfileValues.TryParseSwitch(value.Text) is { } flag)
            return flag;

        Fail(key, $"'{value.Text}' is neither true nor false");
        return false;
    }

    private int Mode(int byDefault)
    {
        if (Text("mode") is not { } text)
            return byDefault;
        if (DockerfileValues.TryParseMode(text) is { } mode and <= 0xFFF)
            return (int)mode;

        Fail("mode", $"'{text}' is not a mode", "octal digits, such as 0400");
        return byDefault;
    }

    private uint Number(string key)
    {
        if (Text(key) is not { } text)
            return 0;
        if (DockerfileValues.TryParseId(text) is { } number)
            return number;

        Fail(key, $"'{text}' is not a number of a user or group");
        return 0;
    }

    private long? Size()
    {
        if (Text("size") is not { } text)
            return null;

        if (DockerfileValues.TryParseSize(text) is { } bytes)
            return bytes;

        Fail("size", $"'{text}' is not a size", "such as 64m or 1g");
        return null;
    }

    private StepMount? Fail(string key, string summary, string? cure = null)
    {
        _diagnostics.Error("plan-mount", summary,
            _values.TryGetValue(key, out var value) && value.Word is { } word ? word.Span : _syntax.Span, cure);
        return null;
    }
}
