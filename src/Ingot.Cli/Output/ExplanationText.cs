using System.Globalization;
using System.Text.RegularExpressions;
using Ingot.Builds;

namespace Ingot.Cli.Output;

/// <summary>Why the steps of a build were in the cache or not, as lines for people: a block for each step.</summary>
internal static partial class ExplanationText
{
    private const int MaxValue = 100;

    /// <summary>The lines of one step.</summary>
    public static IEnumerable<string> Of(StepLabel step, StepExplanation explanation)
    {
        yield return $"{step}".ReplaceLineEndings(" ");
        yield return "    " + Control().Replace(Outcome(explanation), " ");
        foreach (var change in explanation.Changes)
            yield return "    " + Sentence(change);
        if (explanation.MoreChanges > 0)
            yield return string.Create(CultureInfo.InvariantCulture, $"    and {explanation.MoreChanges} more");
    }

    private static string Outcome(StepExplanation explanation)
    {
        string made = explanation.Made is { } time
            ? $" of {time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture)}"
            : "";
        string remark = explanation.Remark is { } said ? $": {said}" : "";
        if (explanation.IsHit)
            return $"in the cache{(made.Length == 0 ? "" : ", made" + made[" of".Length..])}"
                + $"{(explanation.Source is { } source ? $", from {source}" : "")}{remark}";

        return explanation.Against is { } against && explanation.Changes.Count > 0
            ? $"made{remark}; different from {against}{made}:"
            : $"made{remark}";
    }

    private static string Sentence(InputChange change)
    {
        string what = change.Input == "below" ? "the layers below it"
            : change.Name is null ? change.Input
            : $"{change.Input} {change.Name}";
        if (change.Input == "below")
            return $"{what} have changed: an earlier step had a different result";
        return (change.Before, change.After) switch
        {
            (null, { } after) => $"{what} is new: {Shown(WithoutTime(after))}",
            ({ } before, null) => $"{what} is gone: it was {Shown(WithoutTime(before))}",
            ({ } before, { } after) => Pair(what, before, after),
            _ => what,
        };
    }

    // Of two lists of words those that both have say nothing.
    private static string Pair(string what, string before, string after)
    {
        if (!what.StartsWith("file ", StringComparison.Ordinal))
            return $"{what}: {Shown(before)} -> {Shown(after)}";

        string[] old = before.Split(", "), now = after.Split(", ");
        return $"{what}: {Shown(string.Join(", ", old.Except(now)))} -> {Shown(string.Join(", ", now.Except(old)))}";
    }

    private static string WithoutTime(string text) =>
        string.Join(", ", text.Split(", ").Where(word => !word.StartsWith("time ", StringComparison.Ordinal)));

    private static string Shown(string value)
    {
        if (value.Length == 0)
            return "''";
        string text = Control().Replace(LongDigest().Replace(value, "$1"), " ");
        return text.Length <= MaxValue ? text : text[..MaxValue] + "…";
    }

    [GeneratedRegex("(sha256:[0-9a-f]{12})[0-9a-f]{52}")]
    private static partial Regex LongDigest();

    [GeneratedRegex(@"\p{C}+")]
    private static partial Regex Control();
}
