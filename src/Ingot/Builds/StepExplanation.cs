namespace Ingot.Builds;

/// <summary>Something that a step reads, and that is not what it was.</summary>
/// <param name="Input">What kind of thing: <c>file</c>, <c>base</c>, <c>below</c> (the layers of the steps before it), <c>argument</c>,
/// <c>variable</c>, <c>rule</c>, <c>epoch</c>, <c>mount</c>, and the other parts of a key.</param>
/// <param name="Name">Which one, such as a file's path; null when there is only one of its kind.</param>
/// <param name="Before">What it was: of a file its digest and what else matters of it; null when it is new.</param>
/// <param name="After">What it is; null when it is gone.</param>
public sealed record InputChange(string Input, string? Name, string? Before, string? After);

/// <summary>Why the result of a step was in the cache, or was not.</summary>
public sealed record StepExplanation
{
    /// <summary>Whether the result was in the cache.</summary>
    public required bool IsHit { get; init; }

    /// <summary>When the result was made: the cached one, else that of the earlier run it is compared with; null when there is none,
    /// or that is not known.</summary>
    public DateTimeOffset? Made { get; init; }

    /// <summary>Where a cached result comes from when this host did not make it; null otherwise.</summary>
    public string? Source { get; init; }

    /// <summary>The earlier run that it is compared with, for people; null when there is none.</summary>
    public string? Against { get; init; }

    /// <summary>What is different from that run, at most <see cref="MaxChanges"/>.</summary>
    public IReadOnlyList<InputChange> Changes { get; init; } = [];

    /// <summary>How many more differences there are.</summary>
    public int MoreChanges { get; init; }

    /// <summary>What else there is to say, such as that the cache was not to be used; null for nothing.</summary>
    public string? Remark { get; init; }

    /// <summary>How many differences are named.</summary>
    public const int MaxChanges = 10;
}
