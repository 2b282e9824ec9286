using System.Text.Json;
using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile;

/// <summary>Reads the directives at the top of a file: the first line that is not one ends them.</summary>
/// <remarks>https://docs.docker.com/reference/dockerfile/#parser-directives</remarks>
internal sealed class DirectiveReader(SourceText source, DiagnosticBag diagnostics)
{
    private readonly HashSet<string> _seen = [];

    /// <summary>A backslash unless <c># escape=`</c>.</summary>
    public char Escape { get; private set; } = '\\';

    /// <summary>What <c># check=</c> says; null when it is not there.</summary>
    public CheckDirective? Check { get; private set; }

    /// <summary>Where what follows the directives starts.</summary>
    public int End { get; private set; }

    public void Read()
    {
        End = source.Text.StartsWith('\uFEFF') ? 1 : 0;
        int shebang = source.Text.AsSpan(End).StartsWith("#!") ? EndOfLine(End) : End;
        int position = shebang;
        while (position < source.Text.Length && Directive.TryParse(source, position, EndOfLine(position), "#") is { } directive)
        {
            // A file that is started as a program may say who reads it and what is checked, and no more.
            Follow(directive, mayEscape: shebang == End);
            position = EndOfLine(position);
        }

        // In a file that is not a Dockerfile every line would be a mistake.
        bool foreign = position == shebang && RefuseForeign(position);
        End = foreign ? source.Text.Length : position;
    }

    private void Follow(Directive directive, bool mayEscape)
    {
        if (!_seen.Add(directive.Name))
            diagnostics.Error(DockerfileCodes.BadDirective, $"the directive '{directive.Name}' appears more than once", directive.Span,
                "keep one of them");
        else if (directive.Name == "escape" && mayEscape)
            SetEscape(directive);
        else if (directive.Name == "check")
            SetCheck(directive);
        else if (directive.Name == "syntax" && !directive.Value.Contains("dockerfile", StringComparison.OrdinalIgnoreCase))
            diagnostics.Warning(DockerfileCodes.BadDirective, $"the front end '{directive.Value}' is not used", directive.Span,
                "Ingot reads the file itself, as a Dockerfile");
    }

    private void SetEscape(Directive directive)
    {
        if (directive.Value is "\\" or "`")
            Escape = directive.Value[0];
        else
            diagnostics.Error(DockerfileCodes.BadDirective, $"'{directive.Value}' cannot be the escape character", directive.Span,
                "write # escape=\\ or # escape=`");
    }

    private void SetCheck(Directive directive)
    {
        Check = CheckDirective.TryParse(directive.Value, directive.Span);
        int blank = directive.Value.IndexOf(' ', StringComparison.Ordinal);
        if (Check is not null && blank >= 0)
            diagnostics.Warning(DockerfileCodes.BadDirective, $"'{directive.Value[blank..].Trim()}' is not read", directive.Span,
                "a blank ends what is checked");
        else if (Check is null)
            diagnostics.Error(DockerfileCodes.BadDirective, $"'{directive.Value}' does not say what is checked", directive.Span,
                "write # check=skip=Name,Name;error=true, with skip=all for none");
    }

    // Files for other front ends may name them behind // or in JSON: https://docs.docker.com/build/buildkit/frontend/
    private bool RefuseForeign(int position)
    {
        var other = Directive.TryParse(source, position, EndOfLine(position), "//");
        string? name = other is { Name: "syntax" } ? other.Value : JsonSyntax();
        if (name is null)
            return false;

        diagnostics.Error(DockerfileCodes.BadDirective, $"the file is written for the front end '{name}'",
            other?.Span ?? source.LineSpan(1), "Ingot reads Dockerfiles only");
        return true;
    }

    private string? JsonSyntax()
    {
        if (!source.Text.AsSpan().TrimStart().StartsWith("{"))
            return null;

        try
        {
            using var document = JsonDocument.Parse(source.Text);
            return document.RootElement.TryGetProperty("syntax", out var syntax) && syntax.ValueKind == JsonValueKind.String
                ? syntax.GetString()
                : null;
        }
        catch (Exception e) when (e is JsonException or ArgumentException or InvalidOperationException)
        {
            // ArgumentException and InvalidOperationException: half of a surrogate pair.
            return null;
        }
    }

    private int EndOfLine(int position)
    {
        int end = source.Text.IndexOf('\n', position);
        return end < 0 ? source.Text.Length : end + 1;
    }

    private sealed record Directive(string Name, string Value, SourceSpan Span)
    {
        public static Directive? TryParse(SourceText source, int start, int end, string comment)
        {
            string whole = source.Text[start..end];
            string line = whole.Trim();
            int equals = line.IndexOf('=');
            if (!line.StartsWith(comment, StringComparison.Ordinal) || equals < 0)
                return null;

            string name = line[comment.Length..equals].Trim().ToLowerInvariant();
            string value = line[(equals + 1)..].Trim();
            int blank = whole.Length - whole.TrimStart().Length;
            return name is "syntax" or "escape" or "check" && value.Length > 0
                ? new(name, value, source.Span(start + blank, line.Length))
                : null;
        }
    }
}
