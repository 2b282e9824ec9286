using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.RegularExpressions;
using Ingot.Builds;
using Ingot.Cli.Output;

namespace Ingot.Cli.Pipeline;

/// <summary>Shows a build while it runs: a line for each step that ends, and on a terminal what is going on now.</summary>
internal sealed partial class BuildDisplay : IBuildProgress, IDisposable
{
    private static readonly TimeSpan s_pace = TimeSpan.FromMilliseconds(200);

    private readonly Terminal _terminal;
    private readonly ConcurrentDictionary<StepLabel, (Stopwatch Clock, string Line)> _running = new();
    private readonly ConcurrentQueue<(StepLabel Step, StepExplanation Explanation)> _explained = new();
    private readonly Timer _timer;

    public BuildDisplay(Terminal terminal)
    {
        _terminal = terminal;
        _timer = new Timer(_ => Refresh(), null, s_pace, s_pace);
    }

    /// <summary>Whether any step ran.</summary>
    public bool DidWork { get; private set; }

    /// <summary>Why results could not be shared; null when they were, or need not be.</summary>
    public SharedCacheException? ExportFailure { get; private set; }

    /// <summary>What was explained, in no order.</summary>
    public IReadOnlyCollection<(StepLabel Step, StepExplanation Explanation)> Explained => _explained;

    public void Report(BuildEvent progress)
    {
        switch (progress)
        {
            case BuildEvent.StepStarted started:
                DidWork = true;
                _running[started.Step] = (Stopwatch.StartNew(), "");
                // That a step before it changed is only a consequence: that step has said why.
                var reasons = started.Reasons.Where(r => !r.StartsWith("parent ", StringComparison.Ordinal)).Select(r => LongDigest().Replace(r, "$1")).ToList();
                if (reasons.Count > 0)
                    _terminal.Progress(_terminal.Faint($"build    {Label(started.Step)}: {string.Join(", ", reasons)}"));
                break;
            case BuildEvent.Warning warning:
                _terminal.Progress($"build    {_terminal.Bad("warning")}: {warning.Text}");
                break;
            case BuildEvent.CacheNote note:
                _terminal.Progress($"cache    {(note.IsWarning ? _terminal.Bad("warning") + ": " : "")}{note.Text}");
                break;
            case BuildEvent.CacheExported { Failure: { } failure }:
                ExportFailure ??= failure;
                break;
            case BuildEvent.CacheExported exported:
                _terminal.Progress($"cache    {exported.Records} results are shared in '{exported.Name}', {exported.Moved} blobs were new ({Bytes(exported.Bytes)})");
                break;
            case BuildEvent.StepExplained explained:
                _explained.Enqueue((explained.Step, explained.Explanation));
                break;
            case BuildEvent.StepOutput output when _running.TryGetValue(output.Step, out var running):
                _running[output.Step] = running with { Line = output.Line };
                break;
            case BuildEvent.StepNote note:
                _terminal.Progress(_terminal.Faint($"build    {Place(note.Step)}: {note.Text}"));
                break;
            case BuildEvent.StepFinished finished:
                _running.TryRemove(finished.Step, out _);
                _terminal.Progress($"build    {Label(finished.Step)} ({finished.Elapsed.TotalSeconds:0.0} s, {Bytes(finished.Bytes)})");
                break;
            case BuildEvent.StepFailed failed:
                _running.TryRemove(failed.Step, out _);
                _terminal.Progress($"build    {Label(failed.Step)} {_terminal.Bad("failed")} ({failed.Elapsed.TotalSeconds:0.0} s)");
                break;
        }
    }

    public void Dispose()
    {
        _timer.Dispose();
        _terminal.Status(null);
    }

    /// <summary>Bytes as people read them.</summary>
    public static string Bytes(long bytes) => bytes switch
    {
        >= 1 << 30 => $"{bytes / (double)(1 << 30):0.0} GiB",
        >= 1 << 20 => $"{bytes / (double)(1 << 20):0.0} MiB",
        >= 1 << 10 => $"{bytes / (double)(1 << 10):0.0} KiB",
        _ => $"{bytes} B",
    };

    [GeneratedRegex("sha256:([0-9a-f]{12})[0-9a-f]{52}")]
    private static partial Regex LongDigest();

    private static string Place(StepLabel step) => $"[{step.Stage} {step.Number}/{step.Count}]";

    private static string Label(StepLabel step)
    {
        string text = step.ToString();
        int line = text.IndexOf('\n', StringComparison.Ordinal);
        if (line >= 0)
            text = text[..line] + " …";
        return text.Length > 110 ? text[..109] + "…" : text;
    }

    private void Refresh()
    {
        var running = _running.ToArray();
        if (running.Length == 0)
            return;

        var (step, (clock, line)) = running.MaxBy(r => r.Value.Clock.Elapsed);
        string more = running.Length > 1 ? $" (+{running.Length - 1})" : "";
        _terminal.Status($"building {Label(step)}{more} {clock.Elapsed.TotalSeconds:0} s {line}");
    }
}
