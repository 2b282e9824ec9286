using System.Globalization;

namespace Ingot.Policies;

/// <summary>Evidence in, decision out. Nothing here reads a clock, a file or a network.</summary>
public static class Policy
{
    /// <summary>Asks every gate of the candidate's stage, and the gates that no stage can leave out: not revoked, admitted to the stage
    /// before, soaked, approved.</summary>
    public static Decision Decide(Candidate candidate)
    {
        List<GateResult> results = [NotRevoked(candidate)];
        if (candidate.Before is not null)
            results.Add(AdmittedBefore(candidate, candidate.Before.Name));
        results.AddRange(candidate.Stage.Gates.Select(name => BuiltInGates.Ask(name, candidate)));
        if (candidate.Stage.Soak > TimeSpan.Zero)
            results.Add(Soaked(candidate));
        if (candidate.Stage.Approvals is not null || candidate.Approvals.Count > 0)
            results.Add(Approved(candidate));
        return new Decision(candidate.Digest, candidate.Stage.Name, results);
    }

    private static GateResult NotRevoked(Candidate c) => c.Revoked is null
        ? GateResult.Pass("not-revoked", "nobody revoked it")
        : GateResult.Fail("not-revoked", $"it was revoked: {c.Revoked}", "build a new version");

    private static GateResult AdmittedBefore(Candidate c, string before) => c.AdmittedBefore is { } since
        ? GateResult.Pass($"admitted-to-{before}", $"since {Time(since)}")
        : GateResult.Unknown($"admitted-to-{before}", $"it is not admitted to {before}",
            $"promote it there first: ingot promote {c.Image.Name}:{c.Image.Version} --stage {before}");

    private static GateResult Soaked(Candidate c)
    {
        if (c.AdmittedBefore is not { } since)
            return GateResult.Unknown(
                "soak",
                $"it needs {Duration(c.Stage.Soak)} in {c.Before?.Name ?? "the stage before"} and has not been there yet",
                "promote it there first");

        var left = since + c.Stage.Soak - c.Now;
        return left <= TimeSpan.Zero
            ? GateResult.Pass("soak", $"in {c.Before!.Name} for {Duration(c.Now - since)}, {Duration(c.Stage.Soak)} required")
            : GateResult.Fail("soak", $"in {c.Before!.Name} for {Duration(c.Now - since)} of {Duration(c.Stage.Soak)}",
                $"ask again in {Duration(left)}");
    }

    private static GateResult Approved(Candidate c)
    {
        int needed = c.Stage.Approvals?.Count ?? 0;
        var from = c.Stage.Approvals?.From ?? [];
        var last = c.Approvals.GroupBy(a => a.Who, StringComparer.Ordinal).Select(words => words.MaxBy(a => a.Time)!).ToList();
        if (last.FirstOrDefault(a => !a.Approved) is { } rejection)
            return GateResult.Fail("approvals", $"{rejection.Who} rejected it: {rejection.Why}",
                $"settle it with {rejection.Who}, or build a new version");

        var counted = last.Where(a => from.Count == 0 || from.Contains(a.Who, StringComparer.Ordinal)).ToList();
        string who = string.Join(", ", counted.Select(a => $"{a.Who} ({a.Why})"));
        if (counted.Count >= needed)
            return GateResult.Pass("approvals", needed == 0 ? "none needed" : $"{counted.Count} of {needed}: {who}");

        string whom = from.Count == 0 ? "anyone" : string.Join(", ", from);
        return GateResult.Unknown("approvals", $"{counted.Count} of {needed} approvals from {whom}{(counted.Count == 0 ? "" : ": " + who)}",
            $"ingot approve {c.Image.Name}:{c.Image.Version} --stage {c.Stage.Name} --why \"…\"");
    }

    private static string Time(DateTimeOffset time) =>
        time.ToUniversalTime().ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static string Duration(TimeSpan time) => time switch
    {
        { TotalDays: >= 1 } => $"{(int)time.TotalDays}d {time.Hours}h",
        { TotalHours: >= 1 } => $"{(int)time.TotalHours}h {time.Minutes}m",
        { TotalMinutes: >= 1 } => $"{(int)time.TotalMinutes}m {time.Seconds}s",
        _ => $"{Math.Ceiling(time.TotalSeconds):0}s",
    };
}
