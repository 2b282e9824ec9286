using System.Collections.Concurrent;
using Ingot.Builds;
using Ingot.Plans;

namespace Ingot.Projects.Building;

/// <summary>Is told of a build: passes it on to its log and to whoever watches, and remembers what the build is asked about
/// afterwards.</summary>
internal sealed class BuildObserver : IBuildProgress, IDisposable
{
    private static readonly TimeSpan s_pace = TimeSpan.FromMilliseconds(200);

    private readonly IBuildWatch _watch;
    private readonly BuildLog? _log;
    private readonly ConcurrentQueue<ExplainedStep> _explained = new();
    private readonly Timer? _flush;

    public BuildObserver(IBuildWatch watch, BuildLog? log)
    {
        _watch = watch;
        _log = log;
        // Others read the log while the build runs.
        _flush = log is null ? null : new Timer(_ => log.Flush(), null, s_pace, s_pace);
    }

    /// <summary>Whether any step ran.</summary>
    public bool DidWork { get; private set; }

    /// <summary>Why results could not be shared; null when they were, or need not be.</summary>
    public SharedCacheException? ExportFailure { get; private set; }

    /// <summary>What was explained so far, in the order of the plan.</summary>
    public IReadOnlyList<ExplainedStep> ExplainedOf(Plan plan)
    {
        var stages = plan.Stages.Select(s => s.Name).ToList();
        return [.. _explained.OrderBy(e => stages.IndexOf(e.Step.Stage)).ThenBy(e => e.Step.Number)];
    }

    public void Report(BuildEvent progress)
    {
        _log?.Report(progress);
        switch (progress)
        {
            case BuildEvent.StepStarted:
                DidWork = true;
                break;
            case BuildEvent.CacheExported { Failure: { } failure }:
                ExportFailure ??= failure;
                break;
            case BuildEvent.StepExplained explained:
                _explained.Enqueue(new ExplainedStep(explained.Step, explained.Explanation));
                break;
        }

        _watch.Report(progress);
    }

    public void Dispose()
    {
        _flush?.Dispose();
        _watch.Dispose();
    }
}
