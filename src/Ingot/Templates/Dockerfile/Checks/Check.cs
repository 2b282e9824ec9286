using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile.Checks;

/// <summary>A build check: something that is allowed in a Dockerfile and mostly a mistake.</summary>
/// <param name="Id">The stable id; where Docker has a check of equal meaning, its name.</param>
/// <param name="Severity">How much a finding matters; <c># check=error=true</c> makes errors of those that Docker has too:
/// what builds there builds here.</param>
/// <param name="Summary">What is wrong, one sentence.</param>
/// <param name="IsExperimental">Whether it is done only when <c># check=experimental=</c> names it.</param>
public sealed record Check(string Id, Severity Severity, string Summary, bool IsExperimental = false)
{
    /// <summary>Whether Docker has no such check.</summary>
    public bool IsOurs { get; init; }

    /// <summary>The page that explains it, relative to the repository.</summary>
    public string Page => $"docs/checks/{Id}.md";
}

/// <summary>What checks may know beside the file. Nothing is read: the same file and context always have the same findings.</summary>
public sealed record CheckContext
{
    /// <summary>Knows nothing.</summary>
    public static CheckContext None { get; } = new();

    /// <summary>What is left out of the context; null when that is not known.</summary>
    public IgnoreFile? Ignored { get; init; }

    /// <summary>Values that will be given to arguments.</summary>
    public IReadOnlyDictionary<string, string> Arguments { get; init; } = new Dictionary<string, string>();

    /// <summary>Names that FROM and <c>--from</c> may use and that are no images of a registry: images of the project,
    /// named contexts.</summary>
    public IReadOnlyCollection<string> KnownImages { get; init; } = [];
}

/// <summary>Something that a check found.</summary>
internal readonly record struct Finding(SourceSpan Span, string Summary, string? Detail = null);

/// <summary>A check and how it is done.</summary>
internal sealed record CheckRule(Check Check, Func<CheckedFile, IEnumerable<Finding>> Find);
