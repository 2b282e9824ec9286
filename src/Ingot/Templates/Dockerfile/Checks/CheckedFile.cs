using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile.Checks;

/// <summary>A Dockerfile as checks look at it.</summary>
internal sealed class CheckedFile
{
    private readonly List<(SourceSpan Span, CheckDirective Directive)> _local = [];
    private readonly HashSet<int> _shipped = [];

    public CheckedFile(DockerfileSyntax syntax, CheckContext context)
    {
        Syntax = syntax;
        Context = context;
        Globals = new(syntax, context.Arguments);
        foreach (var instruction in Everything)
        {
            if (CommentsAbove(instruction)
                .Select(comment => Directive(comment.Text, comment.Span))
                .LastOrDefault(directive => directive is not null)
                is { } directive)
                _local.Add((instruction.Span, directive));
        }

        for (int? stage = syntax.Stages.Count - 1; stage >= 0; stage = BaseOf(stage.Value))
            _shipped.Add(stage.Value);
    }

    public DockerfileSyntax Syntax { get; }

    public CheckContext Context { get; }

    /// <summary>The variables outside of stages.</summary>
    public GlobalScope Globals { get; }

    /// <summary>Every instruction, FROM and the ARGs above the first included.</summary>
    public IEnumerable<Instruction> Everything =>
        Syntax.GlobalArguments.Concat<Instruction>(Syntax.Stages.SelectMany(stage => stage.Instructions.Prepend(stage.From)));

    /// <summary>Everything that says what is checked.</summary>
    public IEnumerable<CheckDirective> Directives => (Syntax.Check is { } top ? [top] : Array.Empty<CheckDirective>())
        .Concat(_local.Select(local => local.Directive))
        .DistinctBy(directive => directive.Span.Start);

    /// <summary>The instructions of the stages whose files are in the image that the file makes by default.</summary>
    public IEnumerable<Instruction> Shipped =>
        Syntax.Stages.Where((_, index) => _shipped.Contains(index)).SelectMany(stage => stage.Instructions);

    /// <summary>The instructions of every stage.</summary>
    public IEnumerable<Instruction> Instructions => Syntax.Stages.SelectMany(stage => stage.Instructions);

    /// <summary>Whether a check is to say what it found at a place.</summary>
    public bool IsAsked(Check check, SourceSpan span)
    {
        var said = _local
            .Where(local => local.Span.Start <= span.Start && span.Start < local.Span.Start + Math.Max(1, local.Span.Length))
            .Select(local => local.Directive);
        if (Syntax.Check is { } top)
            said = said.Prepend(top);

        bool Names(IEnumerable<string> names) => names.Any(name => name == "all" || name == check.Id);
        return check.IsExperimental ? said.Any(directive => Names(directive.Experimental)) : !said.Any(directive => Names(directive.Skip));
    }

    /// <summary>The stage that a stage starts with; null when it starts with an image.</summary>
    public int? BaseOf(int stage) => Globals.Expand(Syntax.Stages[stage].From.Image) is { } name ? FindStage(name, stage) : null;

    /// <summary>The stage above another that a name means; null when it means none.</summary>
    public int? FindStage(string name, int before)
    {
        for (int i = before - 1; i >= 0; i--)
        {
            if (string.Equals(Syntax.Stages[i].Name, name, StringComparison.OrdinalIgnoreCase))
                return i;
        }

        return null;
    }

    /// <summary>The keyword as it is written.</summary>
    public string Keyword(Instruction instruction)
    {
        string text = instruction.Span.Text;
        int end = text.AsSpan().IndexOfAny(" \t\r\n\v\f" + Syntax.Escape);
        return end < 0 ? text : text[..end];
    }

    /// <summary>Where the keyword stands.</summary>
    public SourceSpan KeywordSpan(Instruction instruction) => instruction.Span with { Length = Keyword(instruction).Length };

    /// <summary>The text of a word that no variable can change; null when one can.</summary>
    public string? Literal(Word word)
    {
        if (word.Text.Contains('$', StringComparison.Ordinal))
            return null;

        ShellLexer lexer = new(word.Text, static _ => null, Syntax.Escape);
        string text = lexer.Process();
        return lexer.Problem is null ? text : null;
    }

    /// <summary>The comments right above an instruction, without blank lines between, from the top.</summary>
    public IReadOnlyList<(string Text, SourceSpan Span)> DescriptionAbove(Instruction instruction) => Above(instruction, skipBlank: false);

    private List<(string Text, SourceSpan Span)> CommentsAbove(Instruction instruction) => Above(instruction, skipBlank: true);

    private List<(string Text, SourceSpan Span)> Above(Instruction instruction, bool skipBlank)
    {
        List<(string, SourceSpan)> comments = [];
        var source = Syntax.Source;
        for (int line = instruction.Span.Line - 1; line >= 1; line--)
        {
            string text = source.Line(line).Trim();
            if (text.StartsWith('#'))
                comments.Add((text[1..].Trim(), source.LineSpan(line)));
            else if (text.Length > 0 || !skipBlank)
                break;
        }

        comments.Reverse();
        return comments;
    }

    private static CheckDirective? Directive(string comment, SourceSpan span)
    {
        int equals = comment.IndexOf('=', StringComparison.Ordinal);
        return equals > 0 && comment[..equals].Trim().Equals("check", StringComparison.OrdinalIgnoreCase)
            ? CheckDirective.TryParse(comment[(equals + 1)..].Trim(), span)
            : null;
    }
}

/// <summary>The arguments above the first FROM, with their defaults or the values that were given.</summary>
internal sealed class GlobalScope
{
    // https://docs.docker.com/reference/dockerfile/#automatic-platform-args-in-the-global-scope
    private static readonly HashSet<string> s_automatic = new(
        ["BUILDPLATFORM", "BUILDOS", "BUILDOSVERSION", "BUILDARCH", "BUILDVARIANT", "TARGETPLATFORM", "TARGETOS", "TARGETOSVERSION",
            "TARGETARCH", "TARGETVARIANT", "TARGETSTAGE"],
        StringComparer.Ordinal);

    private readonly Dictionary<string, string?> _values = new(StringComparer.Ordinal);
    private readonly char _escape;

    public GlobalScope(DockerfileSyntax syntax, IReadOnlyDictionary<string, string> given)
    {
        _escape = syntax.Escape;
        foreach (var (name, initial) in syntax.GlobalArguments.SelectMany(argument => argument.Arguments))
            _values[name] = given.GetValueOrDefault(name) ?? (initial is null ? null : Expand(initial));
    }

    public IEnumerable<string> Names => _values.Keys;

    public bool Declares(string name) => _values.ContainsKey(name) || s_automatic.Contains(name);

    /// <summary>The value of an argument, and something for what the platform decides; null when it has none.</summary>
    public string? Find(string name) => _values.GetValueOrDefault(name) ?? (s_automatic.Contains(name) ? "x" : null);

    /// <summary>A word with the values of the arguments; null when one of those it needs has none, or the platform decides it.</summary>
    public string? Expand(Word word)
    {
        bool known = true;
        string? Known(string name)
        {
            known &= !s_automatic.Contains(name);
            return _values.GetValueOrDefault(name);
        }

        ShellLexer lexer = new(word.Text, Known, _escape) { Missing = _ => known = false };
        string text = lexer.Process();
        return known && lexer.Problem is null ? text : null;
    }

    /// <summary>The variables of a word that are used as if they were set, and are not declared.</summary>
    public IReadOnlyList<string> Undeclared(Word word)
    {
        List<string> missing = [];
        ShellLexer lexer = new(word.Text, name => Declares(name) ? "x" : null, _escape) { OnlyChecks = true, Missing = missing.Add };
        lexer.Process();
        return missing;
    }
}
