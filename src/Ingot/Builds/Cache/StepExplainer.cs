using Ingot.Plans;

namespace Ingot.Builds.Cache;

/// <summary>Says why results were in the cache or not, against the nearest earlier run of a step.</summary>
/// <param name="cache">The records.</param>
/// <param name="copied">What copies selected.</param>
internal sealed class StepExplainer(StepCache cache, CopiedFiles copied)
{
    private const int MaxShown = 120;

    // Read once, when it is first needed: what this build adds is no earlier run.
    private readonly Lazy<IReadOnlyList<StepRecord>> _records = new(() => [.. cache.Records()]);

    /// <summary>A result that was in the cache.</summary>
    public static StepExplanation Hit(StepRecord? record) =>
        new() { IsHit = true, Made = record?.Origin?.Made, Source = record?.Origin?.Source };

    /// <summary>The earlier run to compare a step with, before it runs; null when there is none.</summary>
    /// <param name="key">The step's key.</param>
    /// <param name="origin">Where it stands.</param>
    /// <param name="others">The instructions of the other steps of the plan:
    /// what was made for one of them is no earlier run of this one.</param>
    public StepRecord? Nearest(StepKey key, StepOrigin origin, IReadOnlySet<string> others)
    {
        var last = cache.LastAt(origin.Place);
        if (last?.Origin?.Text == origin.Text)
            return last;

        string project = ProjectOf(origin);
        var near = _records.Value
            .Where(r => IsCandidate(r, key, project, origin.Text, others))
            .MaxBy(r => (Score(r, key, origin), r.Origin!.Made));
        return near ?? (last?.Origin is { } there && others.Contains(there.Text) ? null : last);
    }

    /// <summary>Why a step was made.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="origin">Where it stands.</param>
    /// <param name="before">What <see cref="Nearest"/> found.</param>
    /// <param name="result">What it made; null when it failed.</param>
    public StepExplanation Miss(StepKey key, StepOrigin origin, StepRecord? before, StepResult? result)
    {
        if (before is null)
            return new StepExplanation { IsHit = false, Remark = "no earlier run of it is known" };

        var earlier = before.StepKey;
        var explanation = new StepExplanation { IsHit = false, Made = before.Origin?.Made, Against = Against(before, origin) };
        if (earlier.Digest == key.Digest)
            return explanation with { Remark = "nothing that it reads has changed: its result is gone from the cache" };
        if (earlier.Parts[0].Name != key.Parts[0].Name)
            return explanation with { Remark = $"a step of another kind was here: '{earlier.Parts[0].Name}'" };

        var changes = key.ChangesFrom(earlier).SelectMany(c => Changes(c, before, origin, result, key, earlier))
            .OrderBy(c => c.Input == "file").ToList();
        return explanation with
        {
            Changes = [.. changes.Take(StepExplanation.MaxChanges)],
            MoreChanges = Math.Max(0, changes.Count - StepExplanation.MaxChanges),
            Remark = changes.Count == 0 ? "the order of what it reads has changed" : null,
        };
    }

    /// <summary>Why a step is made again although one was made at its place before, in sentences before it is; empty the first time. That
    /// a step before it came to another result is no reason: that step has said why.</summary>
    public IReadOnlyList<string> Reasons(StepKey key, StepOrigin origin)
    {
        if (cache.LastAt(origin.Place) is not { } last)
            return [];

        var why = Miss(key, origin, last, result: null);
        return [.. why.Remark is null ? Array.Empty<string>() : [why.Remark],
            .. why.Changes.Where(c => c.Input != "below").Select(Sentence),
            .. why.MoreChanges > 0 ? [$"{why.MoreChanges} more"] : Array.Empty<string>()];
    }

    private static string Sentence(InputChange change)
    {
        string what = change.Name is null ? change.Input : $"{change.Input} {change.Name}";
        return (change.Before, change.After) switch
        {
            (null, { } after) => $"{what} is new: '{Shown(after)}'",
            ({ } before, null) => $"{what} is gone: '{Shown(before)}'",
            ({ } before, { } after) => $"{what} was '{Shown(before)}' and is '{Shown(after)}'",
            _ => what,
        };
    }

    // A file of the template is a value too.
    private static string Shown(string value)
    {
        int end = value.IndexOf('\n', StringComparison.Ordinal);
        return end < 0 && value.Length <= MaxShown ? value : value[..Math.Min(MaxShown, end < 0 ? MaxShown : end)] + "…";
    }

    private static string ProjectOf(StepOrigin origin) => origin.Place.Split('\n')[0];

    private static bool IsCandidate(StepRecord record, StepKey key, string project, string text, IReadOnlySet<string> others) =>
        record.Origin is { } origin && ProjectOf(origin) == project && record.Key[0] == key.Parts[0].Name && (origin.Text == text
            || !others.Contains(origin.Text))
        && (origin.Text == text || SharedShare(record, key) > 0.5);

    // The same instruction wherever it stood; then what shares most.
    private static double Score(StepRecord record, StepKey key, StepOrigin origin) =>
        (record.Origin!.Text == origin.Text ? 4 : 0) + (record.Origin.Place == origin.Place ? 2 : 0) + SharedShare(record, key);

    private static double SharedShare(StepRecord record, StepKey key)
    {
        var parts = record.Key.Chunk(2).Select(p => new KeyPart(p[0], p[1])).ToHashSet();
        return key.Parts.Count(parts.Contains) / (double)Math.Max(key.Parts.Count, parts.Count);
    }

    private static string Against(StepRecord before, StepOrigin origin)
    {
        if (before.Origin is not { } earlier || earlier.Place == origin.Place)
            return before.Origin is null || before.Origin.Text == origin.Text ? "its last run" : $"what was here: {before.Origin.Text}";

        var lines = earlier.Place.Split('\n');
        return $"its run as step {lines[2]} of '{lines[1]}'{(earlier.Text == origin.Text ? "" : $": {earlier.Text}")}";
    }

    private IEnumerable<InputChange> Changes(
        KeyChange change, StepRecord before, StepOrigin origin, StepResult? result, StepKey key, StepKey earlier)
    {
        switch (change.Name)
        {
            case "parent":
                return [before.Origin is { } was && was.Base != origin.Base
                    ? new InputChange("base", null, was.Base, origin.Base)
                    : new InputChange("below", null, change.Before, change.After)];
            case "content":
                return FilesOf(before.Result, result, hasOtherEpoch: key.ChangesFrom(earlier).Any(c => c.Name == "epoch"))
                    ?? [new InputChange("content", null, change.Before, change.After)];
            case "variable" or "rule":
                char end = change.Name == "rule" ? '@' : '=';
                return [new InputChange(change.Name, NameIn(change.After ?? change.Before!, end), ValueIn(change.Before, end),
                    ValueIn(change.After, end))];
            default:
                return [new InputChange(change.Name, null, change.Before, change.After)];
        }
    }

    // Null when the files are not known of both. Of files that are only dated anew the epoch says all.
    private List<InputChange>? FilesOf(StepResult before, StepResult? after, bool hasOtherEpoch)
    {
        if (before.Copied is not { } one || after?.Copied is not { } other || copied.Find(one) is not { } old
            || copied.Find(other) is not { } now)
            return null;

        var changes = CopiedFiles.Compare(old, now)
            .Where(c => !hasOtherEpoch || c.Before is null || c.After is null || WithoutTime(c.Before) != WithoutTime(c.After))
            .ToList();
        return changes.Count == 0 && !hasOtherEpoch ? null : changes;
    }

    private static string WithoutTime(string text) =>
        string.Join(", ", text.Split(", ").Where(word => !word.StartsWith("time ", StringComparison.Ordinal)));

    private static string NameIn(string text, char end) =>
        text.IndexOf(end, StringComparison.Ordinal) is >= 0 and var at ? text[..at] : text;

    private static string? ValueIn(string? text, char end) =>
        text is null ? null : text.IndexOf(end, StringComparison.Ordinal) is >= 0 and var at ? text[(at + 1)..] : text;
}
