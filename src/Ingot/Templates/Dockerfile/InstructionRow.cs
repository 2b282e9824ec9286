namespace Ingot.Templates.Dockerfile;

/// <summary>What a flag is given.</summary>
internal enum FlagKind
{
    /// <summary>A text, once.</summary>
    Text,

    /// <summary>Nothing, <c>true</c> or <c>false</c>, once.</summary>
    Switch,

    /// <summary>A text, as often as wanted.</summary>
    List,
}

/// <summary>A flag of an instruction.</summary>
internal sealed record FlagRow(string Name, FlagKind Kind)
{
    /// <summary>From the short form of the table below: <c>name</c>, <c>name?</c> for a switch, <c>name*</c> for a list.</summary>
    public static FlagRow Of(string text) => text[^1] switch
    {
        '?' => new(text[..^1], FlagKind.Switch),
        '*' => new(text[..^1], FlagKind.List),
        _ => new(text, FlagKind.Text),
    };
}

/// <summary>An instruction: a row, not a class.</summary>
internal sealed record InstructionRow
{
    // https://docs.docker.com/reference/dockerfile/
    public static readonly InstructionRow[] All =
    [
        new("ADD", "checksum", "chmod", "chown", "exclude*", "keep-git-dir?", "link?", "unpack?") { TakesHeredocs = true },
        new("ARG"),
        new("CMD"),
        new("COPY", "chmod", "chown", "exclude*", "from", "link?", "parents?") { TakesHeredocs = true },
        new("ENTRYPOINT"),
        new("ENV"),
        new("EXPOSE"),
        new("FROM", "platform"),
        new("HEALTHCHECK", "interval", "timeout", "start-period", "start-interval", "retries"),
        new("LABEL"),
        new("MAINTAINER"),
        new("ONBUILD") { TakesHeredocs = true },
        new("RUN", "mount*", "network", "security") { TakesHeredocs = true, LabsFlags = ["device"] },
        new("SHELL"),
        new("STOPSIGNAL"),
        new("USER"),
        new("VOLUME"),
        new("WORKDIR"),
    ];

    private InstructionRow(string keyword, params string[] flags)
    {
        Keyword = keyword;
        Flags = [.. flags.Select(FlagRow.Of)];
    }

    /// <summary>In upper case.</summary>
    public string Keyword { get; }

    /// <summary>The flags it takes.</summary>
    public IReadOnlyList<FlagRow> Flags { get; }

    /// <summary>Flags that only the labs channel of Docker's front end has.</summary>
    public string[] LabsFlags { get; init; } = [];

    /// <summary>Whether here-documents can follow.</summary>
    public bool TakesHeredocs { get; init; }

    public FlagRow? Flag(string name) => Flags.FirstOrDefault(flag => flag.Name == name);

    public static InstructionRow? Find(string keyword) =>
        Array.Find(All, row => row.Keyword.Equals(keyword, StringComparison.OrdinalIgnoreCase));
}
