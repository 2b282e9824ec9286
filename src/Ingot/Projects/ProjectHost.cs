using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Projects;

/// <summary>What everything that works on projects is given: where it works, whom it tells, what images can be made from, and what only its
/// surroundings know.</summary>
public sealed record ProjectHost
{
    /// <summary>Where it works.</summary>
    public required ProjectPlaces Places { get; init; }

    /// <summary>What only the surroundings know.</summary>
    public required IProjectSurroundings Surroundings { get; init; }

    /// <summary>The version of Ingot, as recipes and evidence name it.</summary>
    public required string Version { get; init; }

    /// <summary>Who is told.</summary>
    public IProjectProgress Progress { get; init; } = NoProjectProgress.Instance;

    /// <summary>What images can be made from.</summary>
    public FrontEnds FrontEnds { get; init; } = FrontEnds.Standard;

    /// <summary>Reads a template from standard input, when one is said to come from there.</summary>
    public Func<CancellationToken, Task<string>> ReadStandardInput { get; init; } = _ => Task.FromResult("");

    internal DirectoryStore Store => new(Places.Content);

    internal void Say(string area, string text) => Progress.Report(new ProjectEvent.Note(area, text));

    internal void Warn(string area, string text) => Progress.Report(new ProjectEvent.Note(area, text) { IsWarning = true });
}
