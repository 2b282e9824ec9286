using System.Globalization;
using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile;

internal sealed partial class InstructionReader
{
    private CommandLine? ReadCommand(RawInstruction raw) => ReadCommand(raw, raw.Arguments, raw.Row.Keyword);

    private CommandLine? ReadCommand(RawInstruction raw, Piece text, string keyword)
    {
        if (text.Text.Length == 0)
            return Missing<CommandLine>(raw, "a command");

        if (DockerfileWords.Json(text.Text, out bool notStrings) is { } arguments)
        {
            if (arguments.Count > 0 || keyword is "CMD" or "ENTRYPOINT")
                return new(null, arguments);

            diagnostics.Error(DockerfileCodes.MissingArguments, $"{keyword} needs a command: the list is empty", raw.Line.Span(text));
            return null;
        }

        if (!notStrings)
        {
            if (LooksLikeExecForm(text.Text))
                diagnostics.Warning(DockerfileCodes.NotExecForm, $"the list is not JSON, so {keyword} gives it to a shell",
                    raw.Line.Span(text), "put every argument in double quotes, with commas between them");
            return new(text.Text, null);
        }

        diagnostics.Error(DockerfileCodes.BadExecForm, "an exec form holds only strings", raw.Line.Span(text),
            "put every argument in double quotes");
        return null;
    }

    private RunInstruction? ReadRun(RawInstruction raw)
    {
        var run = ReadRunCommand(raw);
        List<MountSyntax> mounts =
            [.. raw.All("mount").Select(flag => new MountReader(diagnostics, raw.Line, flag.Written, Escape).Read())];
        CheckChoice(raw.All("network").FirstOrDefault()?.Value, "network", "default", "none", "host");
        CheckChoice(raw.All("security").FirstOrDefault()?.Value, "security", "sandbox", "insecure");
        return run is null ? null : run with { Mounts = mounts, Network = raw.Flag("network"), Security = raw.Flag("security") };
    }

    private void CheckChoice(Word? value, string flag, params string[] choices)
    {
        if (value is not null && !choices.Contains(value.Text))
            diagnostics.Error(DockerfileCodes.BadValue, $"'{value.Text}' is not a value for --{flag}", value.Span,
                Suggestion.For(value.Text, choices) ?? $"one of {string.Join(", ", choices)}");
    }

    private RunInstruction? ReadRunCommand(RawInstruction raw)
    {
        if (ReadCommand(raw) is not { } command)
            return null;

        List<Heredoc> documents = [.. raw.Heredocs.Select(h => h.Document)];
        if (documents.Count == 0)
            return new(raw.Span, raw.Text, command, documents);

        // RUN <<EOF: the content is the command. Anything more is a command line whose shell reads the here-documents.
        if (HeredocWord.TryParse(raw.Arguments.Text) is null)
        {
            string script = raw.Arguments.Text + string.Concat(raw.Heredocs.Select(h => $"\n{h.Raw}{h.Document.Name}"));
            return new(raw.Span, raw.Text, new(script, null), documents);
        }

        var only = documents[0];
        bool isProgram = only.Content.StartsWith("#!", StringComparison.Ordinal);
        if (isProgram)
            CheckFileName(raw, only);
        return new(raw.Span, raw.Text, new(only.Content, null), documents) { Script = isProgram ? only : null };
    }

    private ShellInstruction? ReadShell(RawInstruction raw)
    {
        var shell = DockerfileWords.Json(raw.Arguments.Text, out bool notStrings);
        if (shell is { Count: > 0 })
            return new(raw.Span, raw.Text, shell);
        if (raw.Arguments.Text.Length == 0 || shell is not null)
            return Missing<ShellInstruction>(raw, "a program");

        string summary = notStrings ? "the list of SHELL holds only strings" : "SHELL needs a list";
        diagnostics.Error(DockerfileCodes.BadExecForm, summary, raw.Line.Span(raw.Arguments), "write SHELL [\"/bin/bash\", \"-c\"]");
        return null;
    }

    // The builds that start with the image read the text again; what is wrong with it is said here, where it can be mended.
    private OnbuildInstruction? ReadOnbuild(RawInstruction raw)
    {
        if (raw.Arguments.Text.Length == 0)
            return Missing<OnbuildInstruction>(raw, "an instruction");

        var (keyword, arguments) = Split(raw.Arguments);
        if (InstructionRow.Find(keyword.Text) is not { } row)
        {
            Unknown(raw.Line, keyword, static (_, _) => { });
            return null;
        }

        if (row.Keyword is "FROM" or "MAINTAINER" or "ONBUILD")
        {
            diagnostics.Error(DockerfileCodes.BadTrigger, $"{row.Keyword} cannot be a trigger", raw.Line.Span(keyword),
                "ONBUILD takes the instructions of a stage");
            SkipHeredocs(raw.Line);
            return null;
        }

        int start = lines.Position;
        if (ReadArguments(row, raw.Line, keyword, arguments) is not { } instruction)
            return null;

        string documents = lines.Position > start ? "\n" + source.Text[start..lines.Position].TrimEnd('\r', '\n') : "";
        var span = raw.Span with { Length = Math.Max(raw.Span.Length, instruction.Span.Start + instruction.Span.Length - raw.Span.Start) };
        return new(span, $"ONBUILD {instruction.Text}", raw.Arguments.Text + documents);
    }

    private HealthcheckInstruction? ReadHealthcheck(RawInstruction raw)
    {
        var words = DockerfileWords.Blank(raw.Arguments);
        if (words.Count == 0)
            return Missing<HealthcheckInstruction>(raw, "CMD command, or NONE");

        var type = words[0];
        bool none = type.Text.Equals("NONE", StringComparison.OrdinalIgnoreCase);
        if (none && words.Count > 1)
            diagnostics.Error(DockerfileCodes.TooManyArguments, "HEALTHCHECK NONE takes no arguments", raw.Line.Span(words[1]));
        else if (none && raw.Flags.Count > 0)
            diagnostics.Warning(DockerfileCodes.BadFlag, $"HEALTHCHECK NONE does not use --{raw.Flags[0].Row.Name}",
                raw.Line.Span(raw.Flags[0].Written.Raw));
        if (none)
            return new(raw.Span, raw.Text, null);

        return new(raw.Span, raw.Text, ReadHealthCommand(raw, type))
        {
            Interval = ReadDuration(raw.Flag("interval")),
            Timeout = ReadDuration(raw.Flag("timeout")),
            StartPeriod = ReadDuration(raw.Flag("start-period")),
            StartInterval = ReadDuration(raw.Flag("start-interval")),
            Retries = ReadRetries(raw.Flag("retries")),
        };
    }

    private CommandLine? ReadHealthCommand(RawInstruction raw, Piece type)
    {
        if (type.Text.Equals("CMD", StringComparison.OrdinalIgnoreCase))
            return ReadCommand(raw, raw.Arguments.Slice(type.Text.Length).Trim(), "HEALTHCHECK CMD");

        diagnostics.Error(DockerfileCodes.BadValue, $"'{type.Text}' is not a kind of health check", raw.Line.Span(type),
            "write HEALTHCHECK CMD command, or HEALTHCHECK NONE");
        return null;
    }

    // Zero means "as if it were not given", as Docker has it.
    private TimeSpan? ReadDuration(Word? value)
    {
        if (value is null)
            return null;
        if (GoDuration.TryParse(value.Text) is not { } duration)
            diagnostics.Error(DockerfileCodes.BadValue, $"'{value.Text}' is not a duration", value.Span, "such as 30s, 1m30s or 500ms");
        else if (duration != TimeSpan.Zero && duration < TimeSpan.FromMilliseconds(1))
            diagnostics.Error(DockerfileCodes.BadValue, $"'{value.Text}' is less than 1ms", value.Span);
        else
            return duration == TimeSpan.Zero ? null : duration;
        return null;
    }

    private int? ReadRetries(Word? value)
    {
        if (value is null)
            return null;
        if (int.TryParse(value.Text, NumberStyles.None, CultureInfo.InvariantCulture, out int retries))
            return retries == 0 ? null : retries;

        diagnostics.Error(DockerfileCodes.BadValue, $"'{value.Text}' is not a number of retries", value.Span, "a whole number, 1 or more");
        return null;
    }

    // A bracket and a blank is the shell's test command, unless there are commas.
    private static bool LooksLikeExecForm(string text)
    {
        if (text.Length < 3 || text[0] != '[' || text[^1] != ']')
            return false;

        bool quoteFollows = text.AsSpan(1).TrimStart() is ['"' or '\'', ..];
        return quoteFollows && (!char.IsWhiteSpace(text[1]) || text.Contains(',', StringComparison.Ordinal));
    }
}
