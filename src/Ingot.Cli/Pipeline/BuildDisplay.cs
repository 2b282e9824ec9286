using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.RegularExpressions;
using Ingot.Builds;
using Ingot.Cli.Output;
using Ingot.Projects;

namespace Ingot.Cli.Pipeline;

/// <summary>Shows a build while it runs: a line for each step that ends, what steps write when that is asked for, and on a terminal what is
/// going on now.</summary>
internal sealed partial class BuildDisplay : IBuildWatch
{
    private const int MaxLinesOfStep = 6;

    private static readonly TimeSpan s_pace = TimeSpan.FromMilliseconds(200);

    private readonly Terminal _terminal;
    private readonly BuildProgressMode _mode;
    private readonly string? _log;
    private readonly ConcurrentDictionary<StepLabel, RunningStep> _running = new();
    private readonly Timer _timer;

    /// <summary>Shows a build whose log will have a name; null for none.</summary>
    public BuildDisplay(Terminal terminal, BuildProgressMode mode, string? log = null)
    {
        _terminal = terminal;
        _mode = mode == BuildProgressMode.Auto && terminal.IsLive ? BuildProgressMode.Tty : mode;
        _log = log;
        _timer = new Timer(_ => Refresh(), null, s_pace, s_pace);
    }

    /// <summary>After how long a step is said to run still, where that cannot be shown in passing.</summary>
    internal TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(5);

    public void Report(BuildEvent progress)
    {
        switch (progress)
        {
            case BuildEvent.StepCached cached when _mode == BuildProgressMode.Plain:
                Say($"build    {Label(cached.Step)} (from the cache)");
                break;
            case BuildEvent.StepStarted started:
                Start(started);
                break;
            case BuildEvent.Warning warning:
                Say($"build    {_terminal.Bad("warning")}: {warning.Text}");
                break;
            case BuildEvent.CacheNote note:
                Say($"cache    {(note.IsWarning ? _terminal.Bad("warning") + ": " : "")}{note.Text}");
                break;
            case BuildEvent.CacheExported { Failure: null } exported:
                Say($"cache    {exported.Records} results are shared in '{exported.Name}', "
                    + $"{exported.Moved} blobs were new ({Bytes(exported.Bytes)})");
                break;
            case BuildEvent.StepOutput output:
                Take(output);
                break;
            case BuildEvent.StepNote note:
                Say(_terminal.Faint($"build    {Place(note.Step)}: {note.Text}"));
                break;
            case BuildEvent.StepFinished finished:
                _running.TryRemove(finished.Step, out _);
                Say($"build    {Label(finished.Step)} ({finished.Elapsed.TotalSeconds:0.0} s, {Bytes(finished.Bytes)})");
                break;
            case BuildEvent.StepFailed failed:
                Fail(failed);
                break;
        }
    }

    public void Dispose()
    {
        _timer.Dispose();
        _terminal.Status(null);
    }

    private void Start(BuildEvent.StepStarted started)
    {
        _running[started.Step] = new RunningStep(Patience);
        var reasons = started.Reasons.Select(r => LongDigest().Replace(r, "$1")).ToList();
        if (reasons.Count > 0)
            Say(_terminal.Faint($"build    {Label(started.Step)}: {string.Join(", ", reasons)}"));
        else if (_mode == BuildProgressMode.Plain)
            Say($"build    {Label(started.Step)}");
    }

    private void Take(BuildEvent.StepOutput output)
    {
        if (_mode == BuildProgressMode.Plain)
            SayOutput(output.Step, output.Line);
        else if (_running.TryGetValue(output.Step, out var running))
            running.Add(output.Line, keep: _mode == BuildProgressMode.Tty);
    }

    // On a terminal what it wrote was there and went: now all of it is wanted.
    private void Fail(BuildEvent.StepFailed failed)
    {
        if (_running.TryRemove(failed.Step, out var running) && running.Lines(int.MaxValue) is { Count: > 0 } lines)
        {
            Say($"build    {Label(failed.Step)} "
                + $"wrote{(running.IsCut ? $" more than is shown here; all of it: ingot logs build {_log}" : ":")}");
            foreach (string line in lines)
                SayOutput(failed.Step, line);
        }

        Say($"build    {Label(failed.Step)} {_terminal.Bad("failed")} ({failed.Elapsed.TotalSeconds:0.0} s)");
    }

    private void SayOutput(StepLabel step, string line)
    {
        foreach (string shown in OutputText.Lines(line))
            Say($"build    {Place(step)} {shown}");
    }

    private void Say(string text)
    {
        if (_mode != BuildProgressMode.Quiet)
            _terminal.Progress(text);
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
        try
        {
            RefreshNow();
        }
        catch (IOException)
        {
            // What the build itself says next meets the same, and is answered where a command's failures are.
        }
    }

    private void RefreshNow()
    {
        if (_mode == BuildProgressMode.Auto)
            SayWhatTakesLong();
        var running = _running.OrderByDescending(r => r.Value.Clock.Elapsed).ToList();
        if (running.Count == 0 || _mode != BuildProgressMode.Tty)
            return;

        int each = Math.Clamp((Terminal.Rows / running.Count) - 1, 0, MaxLinesOfStep);
        _terminal.Show([.. running.SelectMany(r => Shown(r.Key, r.Value, each))]);
    }

    // Where nothing can be shown in passing: a line after some seconds, and later ones ever more rarely.
    private void SayWhatTakesLong()
    {
        foreach (var (step, running) in _running)
        {
            if (running.IsDue())
                Say(_terminal.Faint(
                    $"build    {Label(step)}: still running after {running.Clock.Elapsed.TotalSeconds:0} s{running.Remark()}"));
        }
    }

    private static IEnumerable<string> Shown(StepLabel step, RunningStep running, int lines) =>
    [
        $"building {Label(step)} {running.Clock.Elapsed.TotalSeconds:0} s",
        .. running.Lines(lines).Select(line => $"         {OutputText.Last(line)}"),
    ];

    /// <summary>A step that runs, with the end of what it wrote.</summary>
    private sealed class RunningStep(TimeSpan patience)
    {
        private const int MaxCharacters = 4 << 20;

        private readonly Queue<string> _lines = new();
        private int _characters;
        private string? _last;
        private TimeSpan _due = patience;

        public Stopwatch Clock { get; } = Stopwatch.StartNew();

        /// <summary>Whether it wrote more than is remembered.</summary>
        public bool IsCut { get; private set; }

        public void Add(string line, bool keep)
        {
            lock (_lines)
            {
                _last = line;
                if (!keep)
                    return;
                _lines.Enqueue(line);
                _characters += line.Length + 1;
                while (_characters > MaxCharacters)
                {
                    _characters -= _lines.Dequeue().Length + 1;
                    IsCut = true;
                }
            }
        }

        /// <summary>Whether it is time to say that it still runs.</summary>
        public bool IsDue()
        {
            lock (_lines)
            {
                if (Clock.Elapsed < _due)
                    return false;
                _due *= 2;
                return true;
            }
        }

        /// <summary>What it wrote last, to be put after something else.</summary>
        public string Remark()
        {
            lock (_lines)
                return _last is null ? "" : $"; {OutputText.Last(_last)}";
        }

        /// <summary>The last lines.</summary>
        public IReadOnlyList<string> Lines(int count)
        {
            lock (_lines)
                return [.. _lines.TakeLast(count)];
        }
    }
}
