namespace Ingot.Corpus;

/// <summary>What BuildKit made of a case, as it is kept beside it.</summary>
public static class CaseRecord
{
    private const string Fails = "fails";

    /// <summary>The record of a result, or of a failure when it has no lines;
    /// <paramref name="builder"/> says which BuildKit it was.</summary>
    public static string Write(CaseResult result, string builder) =>
        $"# {builder}\n{string.Concat((result.Lines ?? [Fails]).Select(l => l + "\n"))}";

    /// <summary>Reads the record; the lines are null when the build fails.</summary>
    public static IReadOnlyList<string>? Read(CorpusCase corpusCase)
    {
        string[] lines = [.. File.ReadAllLines(corpusCase.RecordPath).Where(l => !l.StartsWith('#'))];
        return lines is [Fails] ? null : lines;
    }

    /// <summary>The differences, a line each: what only BuildKit has begins with a minus, what only Ingot has with a plus. Lines that the
    /// case excuses are left out.</summary>
    public static IReadOnlyList<string> Compare(CorpusCase corpusCase, IReadOnlyList<string>? expected, CaseResult result)
    {
        if (result.Crash is { } crash)
            return [$"+ crashes: {crash}"];
        if (corpusCase.Refused is not null || corpusCase.Accepted is not null)
            return Equals(corpusCase.Refused is null, result.Lines is null)
                ? [$"it is said to be {(corpusCase.Refused is null ? "accepted" : "refused")} on purpose, and is not: {result.Failure}"]
                : [];
        if (expected is null || result.Lines is null)
            return Equals(expected is null, result.Lines is null) ? [] : [expected is null ? "- fails" : $"+ fails: {result.Failure}"];

        var missing = expected.Except(result.Lines).Where(l => !IsExcused(corpusCase, l)).Select(l => "- " + l);
        var surplus = result.Lines.Except(expected).Where(l => !IsExcused(corpusCase, l)).Select(l => "+ " + l);
        List<string> differences = [.. missing, .. surplus];
        // Order means something for the environment and the history only, and all of a line there.
        return differences.Count > 0 || Ordered(corpusCase, expected).SequenceEqual(Ordered(corpusCase, result.Lines))
            ? differences
            : ["the same lines in another order, or another number of times"];
    }

    private static IEnumerable<string> Ordered(CorpusCase corpusCase, IReadOnlyList<string> lines) =>
        lines.Where(l => !IsExcused(corpusCase, l));

    private static bool IsExcused(CorpusCase corpusCase, string line) =>
        corpusCase.Excused.Any(e => line.StartsWith(e, StringComparison.Ordinal));
}
