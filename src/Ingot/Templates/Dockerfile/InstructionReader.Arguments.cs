using System.Globalization;
using System.Text.RegularExpressions;
using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile;

internal sealed partial class InstructionReader
{
    private FromInstruction? ReadFrom(RawInstruction raw)
    {
        var words = DockerfileWords.Blank(raw.Arguments);
        if (words.Count == 0)
            return Missing<FromInstruction>(raw, "an image");

        if (words.Count == 2 && words[1].Text.Equals("as", StringComparison.OrdinalIgnoreCase))
            return Missing<FromInstruction>(raw, "a name after AS");

        bool named = words.Count == 3 && words[1].Text.Equals("as", StringComparison.OrdinalIgnoreCase);
        if (words.Count != 1 && !named)
        {
            diagnostics.Error(DockerfileCodes.TooManyArguments, "FROM takes an image, or an image AS name", raw.Line.Span(words[1]));
            return null;
        }

        var image = Expandable(raw, words[0]);
        CheckLiteral(image, ImageName(), "is not the name of an image", "such as debian:bookworm-slim");
        var platform = raw.Flag("platform");
        if (platform is not null && Checked(platform))
            CheckLiteral(platform, PlatformName(), "is not a platform", "such as linux/amd64");
        return new(raw.Span, raw.Text, image, platform, named ? ReadStageName(raw, words[2]) : null)
        {
            NameSpan = named ? raw.Line.Span(words[2]) : null,
        };
    }

    private string? ReadStageName(RawInstruction raw, Piece piece)
    {
        string name = piece.Text.ToLowerInvariant();
        if (!StageName().IsMatch(name))
            diagnostics.Error(DockerfileCodes.BadStageName, $"'{piece.Text}' cannot name a stage", raw.Line.Span(piece), "a letter, then letters, digits, '-', '_' or '.'");
        else if (name is "scratch" or "context")
            diagnostics.Error(DockerfileCodes.BadStageName, $"'{piece.Text}' cannot name a stage: the word is reserved", raw.Line.Span(piece));
        return name;
    }

    private ArgInstruction? ReadArg(RawInstruction raw)
    {
        var words = DockerfileWords.Quoted(raw.Arguments, Escape);
        if (words.Count == 0)
            return Missing<ArgInstruction>(raw, "a name");

        List<(string, Word?)> arguments = [];
        foreach (var word in words)
        {
            int equals = word.Text.IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? word : word.Slice(0, equals);
            if (name.Text.Length == 0)
                diagnostics.Error(DockerfileCodes.BadValue, $"'{word.Text}' has no name before the '='", raw.Line.Span(word));
            else if (!VariableName().IsMatch(name.Text))
                diagnostics.Error(DockerfileCodes.BadValue, $"'{name.Text}' cannot name an argument", raw.Line.Span(name), "a letter or '_', then letters, digits or '_'");
            else
                arguments.Add((name.Text, equals < 0 ? null : Expandable(raw, word.Slice(equals + 1))));
        }

        return new(raw.Span, raw.Text, arguments);
    }

    private List<(Word Name, Word Value)>? ReadPairs(RawInstruction raw)
    {
        var words = DockerfileWords.Quoted(raw.Arguments, Escape);
        if (words.Count == 0)
            return Missing<List<(Word, Word)>>(raw, "name=value");

        // A blank before the first = means the old form: a name, and the rest of the line.
        return words[0].Text.Contains('=', StringComparison.Ordinal) ? ReadNewPairs(raw, words) : ReadOldPair(raw);
    }

    private List<(Word Name, Word Value)> ReadNewPairs(RawInstruction raw, List<Piece> words)
    {
        List<(Word, Word)> pairs = [];
        foreach (var word in words)
        {
            int equals = word.Text.IndexOf('=', StringComparison.Ordinal);
            if (equals < 0)
                diagnostics.Error(DockerfileCodes.BadValue, $"'{word.Text}' has no '='", raw.Line.Span(word), "write name=value, and quotes around a value with spaces");
            else if (equals == 0)
                diagnostics.Error(DockerfileCodes.BadValue, $"'{word.Text}' has no name before the '='", raw.Line.Span(word));
            else
                pairs.Add((Expandable(raw, word.Slice(0, equals)), Expandable(raw, word.Slice(equals + 1))));
        }

        return pairs;
    }

    private List<(Word Name, Word Value)>? ReadOldPair(RawInstruction raw)
    {
        var name = DockerfileWords.Blank(raw.Arguments)[0];
        var value = raw.Arguments.Slice(name.Text.Length).Trim();
        if (value.Text.Length > 0)
            return [(Expandable(raw, name), Expandable(raw, value))];

        diagnostics.Error(DockerfileCodes.MissingArguments, $"{raw.Row.Keyword} '{name.Text}' has no value", raw.Line.Span(name), $"write {name.Text}=value");
        return null;
    }

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
            if (BrokenExecForm().IsMatch(text.Text))
                diagnostics.Warning(DockerfileCodes.NotExecForm, $"the list is not JSON, so {keyword} gives it to a shell", raw.Line.Span(text), "put every argument in double quotes, with commas between them");
            return new(text.Text, null);
        }

        diagnostics.Error(DockerfileCodes.BadExecForm, "an exec form holds only strings", raw.Line.Span(text), "put every argument in double quotes");
        return null;
    }

    private RunInstruction? ReadRun(RawInstruction raw)
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

    private CopyInstruction? ReadCopy(RawInstruction raw)
    {
        if (ReadCopyWords(raw) is not { } words)
            return null;

        var destination = words[^1];
        words.RemoveAt(words.Count - 1);
        if (HeredocWord.TryParse(destination.Text) is not null)
        {
            diagnostics.Error(DockerfileCodes.BadHeredoc, "the destination of COPY cannot be a here-document", destination.Span);
            return null;
        }

        List<Word> sources = [.. words.Where(w => HeredocWord.TryParse(w.Text) is null)];
        List<Heredoc> documents = [.. raw.Heredocs.Select(h => h.Document)];
        bool readable = true;
        foreach (var word in sources.Append(destination))
            readable &= VariableExpander.Check(word, diagnostics, Escape, "a path with blanks needs the list form: COPY [\"a b\", \"c\"]");
        foreach (var document in documents)
            CheckContent(raw, document);
        if (readable)
            CheckDestination(destination, sources.Count + documents.Count);
        CheckCopyFlags(raw);
        return new(raw.Span, raw.Text, sources, destination, raw.Flag("from"), raw.Flag("chown"), raw.Flag("chmod"), documents);
    }

    private List<Word>? ReadCopyWords(RawInstruction raw)
    {
        List<Word> words;
        if (DockerfileWords.Json(raw.Arguments.Text, out bool notStrings) is { } strings)
            words = [.. strings.Select(s => new Word(s, raw.Line.Span(raw.Arguments)))];
        else
            words = [.. DockerfileWords.Blank(raw.Arguments).Select(raw.Line.Word)];

        if (notStrings)
            diagnostics.Error(DockerfileCodes.BadExecForm, "a list of sources and a destination holds only strings", raw.Line.Span(raw.Arguments), "put every path in double quotes");
        else if (words.Count == 0)
            return Missing<List<Word>>(raw, "a source and a destination");
        else if (words.Count == 1)
            diagnostics.Error(DockerfileCodes.MissingArguments, $"COPY '{words[0].Text}' has no destination", words[0].Span, "write COPY source destination");
        return notStrings || words.Count == 1 ? null : words;
    }

    private void CheckDestination(Word destination, int sources)
    {
        if (sources > 1 && Literal(destination) is { } path && !path.EndsWith('/') && path is not ("." or ".."))
            diagnostics.Error(DockerfileCodes.BadValue, $"several sources need a directory: '{path}' does not end with '/'", destination.Span, $"write {path}/");
    }

    private void CheckContent(RawInstruction raw, Heredoc document)
    {
        CheckFileName(raw, document);
        if (document.Expand)
            VariableExpander.ExpandContent(document, static _ => "set", diagnostics);
    }

    private void CheckFileName(RawInstruction raw, Heredoc document)
    {
        if (document.Name.Contains('/', StringComparison.Ordinal) || document.Name is "." or "..")
            diagnostics.Error(DockerfileCodes.BadHeredoc, $"the here-document '{document.Name}' becomes a file: its name cannot be a path", raw.Keyword);
    }

    private void CheckCopyFlags(RawInstruction raw)
    {
        if (raw.Flag("from") is { } from)
            CheckFrom(from);
        if (raw.Flag("chown") is { } chown && Checked(chown))
            CheckLiteral(chown, Owner(), "is not an owner", "user, user:group, or their numbers");
        if (raw.Flag("chmod") is { } chmod && Checked(chmod))
            CheckMode(chmod);
    }

    private void CheckFrom(Word from)
    {
        if (from.Text.Contains('$', StringComparison.Ordinal))
            diagnostics.Error(DockerfileCodes.BadValue, "variables have no meaning in --from", from.Span, "write FROM $image AS name above, and --from=name");
        else if (!ImageName().IsMatch(from.Text))
            diagnostics.Error(DockerfileCodes.BadValue, $"'{from.Text}' is neither a stage nor an image", from.Span, "the name or the number of a stage above, or an image with its tag");
    }

    private void CheckMode(Word chmod)
    {
        if (Literal(chmod) is not { } mode || OctalMode().IsMatch(mode))
            return;

        if (SymbolicMode().IsMatch(mode))
            diagnostics.Error(DockerfileCodes.NotSupportedYet, $"the symbolic mode '{mode}' is not supported yet", chmod.Span, "write it in octal, such as 0755");
        else
            diagnostics.Error(DockerfileCodes.BadValue, $"'{mode}' is not a mode", chmod.Span, "three or four octal digits, such as 0755");
    }

    private ExposeInstruction? ReadExpose(RawInstruction raw)
    {
        List<Word> ports = [.. DockerfileWords.Blank(raw.Arguments).Select(piece => Expandable(raw, piece))];
        if (ports.Count == 0)
            return Missing<ExposeInstruction>(raw, "a port");

        foreach (var port in ports)
        {
            if (Literal(port) is { } text && ExposedPorts.TryParse(text) is null)
                diagnostics.Error(DockerfileCodes.BadValue, $"'{text}' is not a port", port.Span, ExposedPorts.Form);
        }

        return new(raw.Span, raw.Text, ports);
    }

    private UserInstruction? ReadUser(RawInstruction raw)
    {
        if (ReadWhole(raw) is not { } user)
            return null;

        CheckLiteral(user, Owner(), "is not a user", "name, name:group, or their numbers");
        return new(raw.Span, raw.Text, user);
    }

    private Word? ReadWhole(RawInstruction raw) =>
        raw.Arguments.Text.Length == 0 ? Missing<Word>(raw, raw.Row.Keyword == "USER" ? "a user" : "a path") : Expandable(raw, raw.Arguments);

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
            diagnostics.Error(DockerfileCodes.BadFlag, "HEALTHCHECK NONE takes no flags", raw.Flags.Values.First().Span);
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

        diagnostics.Error(DockerfileCodes.BadValue, $"'{type.Text}' is not a kind of health check", raw.Line.Span(type), "write HEALTHCHECK CMD command, or HEALTHCHECK NONE");
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

    private T? Missing<T>(RawInstruction raw, string what)
        where T : class
    {
        diagnostics.Error(DockerfileCodes.MissingArguments, $"{raw.Row.Keyword} needs {what}", raw.Keyword);
        return null;
    }

    private Word Expandable(RawInstruction raw, Piece piece)
    {
        var word = raw.Line.Word(piece);
        Checked(word);
        return word;
    }

    private bool Checked(Word word) => VariableExpander.Check(word, diagnostics, Escape);

    // What a word says when no variable can change it.
    private string? Literal(Word word)
    {
        if (word.Text.Contains('$', StringComparison.Ordinal))
            return null;

        ShellLexer lexer = new(word.Text, static _ => null, Escape);
        string text = lexer.Process();
        return lexer.Problem is null ? text : null;
    }

    private void CheckLiteral(Word word, Regex form, string isNot, string cure)
    {
        if (Literal(word) is { } text && !form.IsMatch(text))
            diagnostics.Error(DockerfileCodes.BadValue, $"'{text}' {isNot}", word.Span, cure);
    }

    // A bracket and a blank is the shell's test command, unless there are commas.
    [GeneratedRegex("^\\[([\"']|\\s*[\"'].*,).*\\]$")]
    private static partial Regex BrokenExecForm();

    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$")]
    private static partial Regex ImageName();

    [GeneratedRegex("^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+){0,2}$")]
    private static partial Regex PlatformName();

    [GeneratedRegex("^[a-z][a-z0-9_.-]*$")]
    private static partial Regex StageName();

    [GeneratedRegex("^[A-Za-z_][A-Za-z0-9_]*$")]
    private static partial Regex VariableName();

    [GeneratedRegex(@"^[A-Za-z0-9_][A-Za-z0-9_.-]*\$?(:[A-Za-z0-9_][A-Za-z0-9_.-]*\$?)?$")]
    private static partial Regex Owner();

    [GeneratedRegex("^0?[0-7]{3,4}$")]
    private static partial Regex OctalMode();

    [GeneratedRegex("^[ugoa]*([-+=][rwxXstugo]*)+(,[ugoa]*([-+=][rwxXstugo]*)+)*$")]
    private static partial Regex SymbolicMode();
}
