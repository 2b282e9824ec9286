using System.Collections;

namespace Ingot.Diagnostics;

/// <summary>Collects diagnostics while a parser keeps going.</summary>
public sealed class DiagnosticBag : IReadOnlyCollection<Diagnostic>
{
    private readonly List<Diagnostic> _items = [];

    /// <summary>Whether anything in it is an error.</summary>
    public bool HasErrors => ErrorCount > 0;

    /// <summary>How many of them are errors.</summary>
    public int ErrorCount { get; private set; }

    /// <inheritdoc/>
    public int Count => _items.Count;

    /// <summary>Adds one.</summary>
    public void Add(Diagnostic diagnostic)
    {
        _items.Add(diagnostic);
        ErrorCount += diagnostic.Severity == Severity.Error ? 1 : 0;
    }

    /// <summary>Adds an error.</summary>
    public void Error(string code, string summary, SourceSpan? span = null, string? detail = null, string? path = null) =>
        Add(new Diagnostic(Severity.Error, code, summary, detail, span, path));

    /// <summary>Adds a warning.</summary>
    public void Warning(string code, string summary, SourceSpan? span = null, string? detail = null, string? path = null) =>
        Add(new Diagnostic(Severity.Warning, code, summary, detail, span, path));

    /// <summary>Throws <see cref="InvalidInputException"/> with everything collected when any of it is an error.</summary>
    public void ThrowIfErrors()
    {
        if (HasErrors)
            throw new InvalidInputException([.. _items]);
    }

    /// <summary>In order of file position.</summary>
    public IEnumerator<Diagnostic> GetEnumerator() =>
        _items.OrderBy(d => d.Span?.Source.Name, StringComparer.Ordinal).ThenBy(d => d.Span?.Start ?? 0).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>A person's files are wrong; the diagnostics say where. Ends a command with exit code 2.</summary>
public sealed class InvalidInputException : Exception
{
    /// <summary>Carries <paramref name="diagnostics"/> to the edge.</summary>
    public InvalidInputException(IReadOnlyList<Diagnostic> diagnostics)
        : base(string.Join('\n', diagnostics)) => Diagnostics = diagnostics;

    /// <summary>A problem with no file to point at: a wrong argument, a missing file.</summary>
    public InvalidInputException(string code, string summary, string? detail = null)
        : this([new Diagnostic(Severity.Error, code, summary, detail)])
    {
    }

    /// <summary>Everything that is wrong, at least one.</summary>
    public IReadOnlyList<Diagnostic> Diagnostics { get; }
}
