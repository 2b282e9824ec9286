using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile;

/// <summary>A parsed Dockerfile: what stands there, with positions; nothing is substituted yet.</summary>
/// <param name="GlobalArguments">ARG instructions before the first FROM.</param>
/// <param name="Stages">The stages, in order; at least one when the file parsed without errors.</param>
/// <param name="Source">The file.</param>
public sealed record DockerfileSyntax(IReadOnlyList<ArgInstruction> GlobalArguments, IReadOnlyList<StageSyntax> Stages, SourceText Source)
{
    /// <summary>The escape character of the file, which expanding its words needs: a backslash,
    /// or a backtick after <c># escape=`</c>.</summary>
    public char Escape { get; init; } = '\\';

    /// <summary>What <c># check=</c> says of the build checks; null when it does not stand there.</summary>
    public CheckDirective? Check { get; init; }

    /// <summary>Empty lines inside continued ones, where each starts.</summary>
    public IReadOnlyList<SourceSpan> EmptyContinuations { get; init; } = [];
}

/// <summary><c># check=skip=A,B;error=true</c>.</summary>
/// <param name="Skip">Names of the checks that are left out; <c>all</c> for every one.</param>
/// <param name="Error">Whether a finding fails the build.</param>
/// <param name="Span">Where it stands.</param>
public sealed record CheckDirective(IReadOnlyList<string> Skip, bool Error, SourceSpan Span)
{
    /// <summary>Names of experimental checks that are done too; <c>all</c> for every one.</summary>
    public IReadOnlyList<string> Experimental { get; init; } = [];

    /// <summary>Reads what stands behind <c>check=</c>, up to a blank; null when it is no such text.</summary>
    public static CheckDirective? TryParse(string value, SourceSpan span)
    {
        CheckDirective check = new([], false, span);
        foreach (string option in value.Split(' ', 2)[0].Split(';', StringSplitOptions.RemoveEmptyEntries))
        {
            int equals = option.IndexOf('=', StringComparison.Ordinal);
            string text = option[(equals + 1)..];
            string[] names = text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            switch (equals < 0 ? "" : option[..equals].Trim())
            {
                case "skip":
                    check = check with { Skip = names };
                    break;
                case "experimental":
                    check = check with { Experimental = names };
                    break;
                case "error" when DockerfileValues.TryParseSwitch(text.Trim()) is { } error:
                    check = check with { Error = error };
                    break;
                default:
                    return null;
            }
        }

        return check;
    }
}

/// <summary>A FROM and the instructions below it.</summary>
public sealed record StageSyntax(FromInstruction From, IReadOnlyList<Instruction> Instructions)
{
    /// <summary>The stage's name in lower case; null when it has none.</summary>
    public string? Name => From.StageName;
}

/// <summary>One instruction. Texts that may hold variables are kept raw as <see cref="Word"/>.</summary>
/// <param name="Span">The whole instruction.</param>
/// <param name="Text">The instruction as one line, with its keyword in upper case, for history and progress.</param>
public abstract record Instruction(SourceSpan Span, string Text);

/// <summary>A word of an instruction, unexpanded, where it stands.</summary>
public sealed record Word(string Text, SourceSpan Span)
{
    /// <inheritdoc/>
    public override string ToString() => Text;
}

/// <summary><c>FROM [--platform=P] image [AS name]</c>.</summary>
public sealed record FromInstruction(SourceSpan Span, string Text, Word Image, Word? Platform, string? StageName) : Instruction(Span, Text)
{
    /// <summary>Where the stage's name stands; null when it has none.</summary>
    public SourceSpan? NameSpan { get; init; }
}

/// <summary><c>ARG name[=default] …</c>.</summary>
public sealed record ArgInstruction(
    SourceSpan Span, string Text, IReadOnlyList<(string Name, Word? Default)> Arguments) : Instruction(Span, Text);

/// <summary><c>ENV name=value …</c>.</summary>
public sealed record EnvInstruction(
    SourceSpan Span, string Text, IReadOnlyList<(Word Name, Word Value)> Variables) : Instruction(Span, Text);

/// <summary><c>LABEL name=value …</c>.</summary>
public sealed record LabelInstruction(
    SourceSpan Span, string Text, IReadOnlyList<(Word Name, Word Value)> Labels) : Instruction(Span, Text);

/// <summary>A command line: a shell's text or a list of arguments.</summary>
/// <param name="Shell">The text for the shell; null in exec form.</param>
/// <param name="Exec">The arguments; null in shell form.</param>
public sealed record CommandLine(string? Shell, IReadOnlyList<string>? Exec);

/// <summary>A here-document: <c>&lt;&lt;NAME … NAME</c>.</summary>
/// <param name="Name">The delimiter.</param>
/// <param name="Expand">Whether variables in it are expanded (the delimiter is not quoted).</param>
/// <param name="Content">The lines between, with tabs stripped for <c>&lt;&lt;-</c>.</param>
/// <param name="Span">Where the content stands.</param>
public sealed record Heredoc(string Name, bool Expand, string Content, SourceSpan Span);

/// <summary><c>RUN command</c>. With here-documents in shell form, <see cref="CommandLine.Shell"/> is the script to run, here-documents
/// included as the shell reads them.</summary>
public sealed record RunInstruction(
    SourceSpan Span, string Text, CommandLine Command, IReadOnlyList<Heredoc> Heredocs) : Instruction(Span, Text)
{
    /// <summary>
    /// A here-document that is a program of its own (<c>RUN &lt;&lt;EOF</c> and a first line <c>#!…</c>): it is put in a file named
    /// <see cref="Heredoc.Name"/> and executed, not given to the shell. Null for everything else.
    /// </summary>
    public Heredoc? Script { get; init; }

    /// <summary>What is mounted while it runs, in order.</summary>
    public IReadOnlyList<MountSyntax> Mounts { get; init; } = [];

    /// <summary><c>--network</c>: <c>default</c>, <c>none</c> or <c>host</c>; null when not given.</summary>
    public Word? Network { get; init; }

    /// <summary><c>--security</c>: <c>sandbox</c> or <c>insecure</c>; null when not given.</summary>
    public Word? Security { get; init; }
}

/// <summary><c>--mount=key=value,…</c> of RUN: known keys only, in lower case, values unexpanded.</summary>
/// <param name="Span">The whole flag.</param>
/// <param name="Options">The pairs, in order; the value is null for a key without one. When a key stands twice, the last counts.</param>
public sealed record MountSyntax(SourceSpan Span, IReadOnlyList<(string Key, Word? Value)> Options)
{
    /// <summary>Where the value of the last of these keys stands, in any of its spellings (<c>target</c>, <c>dst</c>, <c>destination</c>);
    /// null when none has a value.</summary>
    public Word? Find(string key) => Options.LastOrDefault(option => Canonical(option.Key) == key && option.Value is not null).Value;

    /// <summary>The spelling that stands for a key: <c>target</c> for <c>dst</c>.</summary>
    public static string Canonical(string key) => MountReader.Canonical(key);
}

/// <summary>An instruction that puts files into the image: COPY or ADD.</summary>
public abstract record TransferInstruction(
    SourceSpan Span, string Text, IReadOnlyList<Word> Sources, Word Destination, Word? Chown, Word? Chmod, IReadOnlyList<Heredoc> Heredocs)
    : Instruction(Span, Text)
{
    /// <summary>Whether the layer is made without looking at what is below (<c>--link</c>).</summary>
    public bool Link { get; init; }

    /// <summary>Patterns of what is not taken (<c>--exclude</c>), in order.</summary>
    public IReadOnlyList<Word> Exclude { get; init; } = [];
}

/// <summary><c>COPY [--from=S] [--chown=U:G] [--chmod=M] [--link] [--parents] [--exclude=P]… source … destination</c>.</summary>
public sealed record CopyInstruction(
    SourceSpan Span, string Text, IReadOnlyList<Word> Sources, Word Destination, Word? From, Word? Chown, Word? Chmod,
    IReadOnlyList<Heredoc> Heredocs)
    : TransferInstruction(Span, Text, Sources, Destination, Chown, Chmod, Heredocs)
{
    /// <summary>Whether the directories above each source are kept below the destination.</summary>
    public bool Parents { get; init; }
}

/// <summary><c>ADD [--checksum=D] [--keep-git-dir] [--unpack] [--chown=U:G] [--chmod=M] [--link] [--exclude=P]… source … destination</c>; a
/// source is a path, a URL or a git repository.</summary>
public sealed record AddInstruction(
    SourceSpan Span, string Text, IReadOnlyList<Word> Sources, Word Destination, Word? Chown, Word? Chmod, IReadOnlyList<Heredoc> Heredocs)
    : TransferInstruction(Span, Text, Sources, Destination, Chown, Chmod, Heredocs)
{
    /// <summary>What the one remote source must have: the digest of a file, or the commit of a repository.</summary>
    public Word? Checksum { get; init; }

    /// <summary>Whether <c>.git</c> of a repository is taken along.</summary>
    public bool KeepGitDirectory { get; init; }

    /// <summary>Whether archives are unpacked; null for local ones only.</summary>
    public bool? Unpack { get; init; }
}

/// <summary><c>WORKDIR path</c>.</summary>
public sealed record WorkdirInstruction(SourceSpan Span, string Text, Word Path) : Instruction(Span, Text);

/// <summary><c>USER name[:group]</c>.</summary>
public sealed record UserInstruction(SourceSpan Span, string Text, Word User) : Instruction(Span, Text);

/// <summary><c>EXPOSE port[/protocol] …</c>.</summary>
public sealed record ExposeInstruction(SourceSpan Span, string Text, IReadOnlyList<Word> Ports) : Instruction(Span, Text);

/// <summary><c>CMD …</c>.</summary>
public sealed record CmdInstruction(SourceSpan Span, string Text, CommandLine Command) : Instruction(Span, Text);

/// <summary><c>ENTRYPOINT …</c>.</summary>
public sealed record EntrypointInstruction(SourceSpan Span, string Text, CommandLine Command) : Instruction(Span, Text);

/// <summary><c>HEALTHCHECK [options] CMD …</c> or <c>HEALTHCHECK NONE</c> (<see cref="Command"/> null).</summary>
public sealed record HealthcheckInstruction(SourceSpan Span, string Text, CommandLine? Command) : Instruction(Span, Text)
{
    /// <summary>Between two checks; null when not given.</summary>
    public TimeSpan? Interval { get; init; }

    /// <summary>For one check; null when not given.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Before failures count; null when not given.</summary>
    public TimeSpan? StartPeriod { get; init; }

    /// <summary>Between two checks during the start period; null when not given.</summary>
    public TimeSpan? StartInterval { get; init; }

    /// <summary>Consecutive failures that make a container unhealthy; null when not given.</summary>
    public int? Retries { get; init; }
}

/// <summary><c>SHELL ["program", "argument"…]</c>: what runs shell forms from here on.</summary>
public sealed record ShellInstruction(SourceSpan Span, string Text, IReadOnlyList<string> Shell) : Instruction(Span, Text);

/// <summary><c>STOPSIGNAL signal</c>.</summary>
public sealed record StopsignalInstruction(SourceSpan Span, string Text, Word Signal) : Instruction(Span, Text);

/// <summary><c>VOLUME path …</c>.</summary>
public sealed record VolumeInstruction(SourceSpan Span, string Text, IReadOnlyList<Word> Paths) : Instruction(Span, Text);

/// <summary><c>ONBUILD instruction</c>: done by the builds that start with this image.</summary>
/// <param name="Span">The whole instruction.</param>
/// <param name="Text">The instruction as one line.</param>
/// <param name="Trigger">What will be done, as images keep it; here-documents included.</param>
public sealed record OnbuildInstruction(SourceSpan Span, string Text, string Trigger) : Instruction(Span, Text);

/// <summary><c>MAINTAINER name</c>, deprecated.</summary>
public sealed record MaintainerInstruction(SourceSpan Span, string Text, Word Name) : Instruction(Span, Text);
