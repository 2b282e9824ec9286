namespace Ingot.Diagnostics;

/// <summary>How much a diagnostic matters.</summary>
public enum Severity
{
    /// <summary>The input is wrong: nothing is made of it.</summary>
    Error,

    /// <summary>The input is used; someone should look.</summary>
    Warning,
}

/// <summary>Something to say about a person's file.</summary>
/// <param name="Severity">How much it matters.</param>
/// <param name="Code">A stable id such as <c>dockerfile-unknown-instruction</c>.</param>
/// <param name="Summary">One lower-case sentence: what is wrong, with the value in quotes.</param>
/// <param name="Detail">What could be done: a suggestion or the expected form; null when there is none.</param>
/// <param name="Span">Where; null when the whole file is meant.</param>
/// <param name="Path">The path in the document, such as <c>services/web/rollout/canary[1]</c>; null in files that have none.</param>
public sealed record Diagnostic(
    Severity Severity, string Code, string Summary, string? Detail = null, SourceSpan? Span = null, string? Path = null)
{
    /// <summary>One line: position, severity, summary, detail.</summary>
    public override string ToString()
    {
        string where = Span is { } span ? $"{span}: " : "";
        string path = Path is null ? "" : $"{Path}: ";
        string detail = Detail is null ? "" : $" ({Detail})";
        return $"{where}{(Severity == Severity.Error ? "error" : "warning")}: {path}{Summary}{detail}";
    }
}
