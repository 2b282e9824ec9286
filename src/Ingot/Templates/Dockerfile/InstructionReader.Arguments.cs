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
            diagnostics.Error(DockerfileCodes.BadStageName, $"'{piece.Text}' cannot name a stage", raw.Line.Span(piece),
                "a letter, then letters, digits, '-', '_' or '.'");
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
            else
                arguments.Add((name.Text, equals < 0 ? null : Expandable(raw, word.Slice(equals + 1))));
            if (name.Text.Length > 0 && !VariableName().IsMatch(name.Text))
                diagnostics.Warning(DockerfileCodes.BadValue, $"no variable can be named '{name.Text}'", raw.Line.Span(name),
                    "a letter or '_', then letters, digits or '_'");
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
                diagnostics.Error(DockerfileCodes.BadValue, $"'{word.Text}' has no '='", raw.Line.Span(word),
                    "write name=value, and quotes around a value with spaces");
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

        diagnostics.Error(DockerfileCodes.MissingArguments, $"{raw.Row.Keyword} '{name.Text}' has no value", raw.Line.Span(name),
            $"write {name.Text}=value");
        return null;
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
        if (ReadWhole(raw, "a user") is not { } user)
            return null;

        CheckLiteral(user, Owner(), "is not a user", "name, name:group, or their numbers");
        return new(raw.Span, raw.Text, user);
    }

    private StopsignalInstruction? ReadStopsignal(RawInstruction raw)
    {
        if (ReadWhole(raw, "a signal") is not { } signal)
            return null;

        if (Literal(signal) is { } text && !DockerfileValues.IsSignal(text))
            diagnostics.Error(DockerfileCodes.BadValue, $"'{text}' is not a signal", signal.Span, DockerfileValues.SignalForm);
        return new(raw.Span, raw.Text, signal);
    }

    private VolumeInstruction? ReadVolume(RawInstruction raw)
    {
        var list = DockerfileWords.Json(raw.Arguments.Text, out bool notStrings);
        if (notStrings)
        {
            diagnostics.Error(DockerfileCodes.BadExecForm, "a list of volumes holds only strings", raw.Line.Span(raw.Arguments),
                "put every path in double quotes");
            return null;
        }

        List<Word> paths = list is null
            ? [.. DockerfileWords.Blank(raw.Arguments).Select(raw.Line.Word)]
            : [.. list.Select(path => new Word(path.Trim(), raw.Line.Span(raw.Arguments)))];
        if (paths.Count == 0)
            return Missing<VolumeInstruction>(raw, "a path");

        foreach (var path in paths.Where(Checked))
        {
            if (Literal(path) is "")
                diagnostics.Error(DockerfileCodes.BadValue, "a volume has no path", path.Span);
        }

        return new(raw.Span, raw.Text, paths);
    }

    private Word? ReadWhole(RawInstruction raw, string what) =>
        raw.Arguments.Text.Length == 0 ? Missing<Word>(raw, what) : Expandable(raw, raw.Arguments);

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

    [GeneratedRegex(@"^(\[[0-9A-Fa-f:]+\])?[A-Za-z0-9:][A-Za-z0-9._:/@+-]*$")]
    private static partial Regex ImageName();

    [GeneratedRegex("^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+){0,2}$")]
    private static partial Regex PlatformName();

    [GeneratedRegex("^[a-z][a-z0-9_.-]*$")]
    private static partial Regex StageName();

    [GeneratedRegex("^[A-Za-z_][A-Za-z0-9_]*$")]
    private static partial Regex VariableName();

    [GeneratedRegex(@"^(:[^\s:]+|[^\s:-][^\s:]*(:[^\s:]*)?)$")]
    private static partial Regex Owner();
}
