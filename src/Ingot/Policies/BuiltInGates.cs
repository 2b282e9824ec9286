using Ingot.Evidence;
using Ingot.Evidence.Claims;
using Ingot.Evidence.Provenance;
using Ingot.Evidence.Sbom;
using Ingot.Evidence.Secrets;
using Ingot.Evidence.Tests;
using Ingot.Oci.Content;

namespace Ingot.Policies;

/// <summary>The gates that come with Ingot: a table of names and the questions they ask of the evidence.</summary>
/// <remarks>
/// Each takes only statements that are bound to this project and image, in their types, and that answer the questions the project asks now.
/// Of several answers to one question the last counts. What does not answer is no pass: it is <em>unknown</em>,
/// with the reason and the cure.
/// </remarks>
public static class BuiltInGates
{
    /// <summary>The builder that provenance must name for an image to count as built by us.</summary>
    public const string Builder = "https://ingot.dev/builder/v1";

    private const string AskAgain = "run 'ingot up': it asks again";

    private static readonly Dictionary<string, Func<string, Candidate, GateResult>> s_gates = new(StringComparer.Ordinal)
    {
        ["built-by-us"] = BuiltByUs,
        ["tests-passed"] = TestsPassed,
        ["no-secrets"] = NoSecrets,
        ["sbom-present"] = SbomPresent,
        ["claims-hold"] = ClaimsHold,
    };

    /// <summary>The names, in alphabetical order.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. s_gates.Keys.Order(StringComparer.Ordinal)];

    /// <summary>Asks the gate of that name. A gate nobody knows does not pass.</summary>
    public static GateResult Ask(string name, Candidate candidate) => s_gates.TryGetValue(name, out var gate)
        ? gate(name, candidate)
        : GateResult.Unknown(name, "there is no such gate", $"use one of {string.Join(", ", Names)}");

    /// <summary>The versions of the project's image that provenance names for the candidate: built by us, of this project and image, from
    /// what the project was applied with.</summary>
    public static IReadOnlyList<string> Versions(Candidate candidate) =>
        [.. BuildsOf(candidate).Where(b => b.Objection is null).Select(b => b.Version).OfType<string>().Distinct(StringComparer.Ordinal)];

    private static GateResult BuiltByUs(string gate, Candidate c)
    {
        var builds = BuildsOf(c);
        var answers = ProvenanceOf(c);
        if (answers.All.Count == 0)
            return Missing(gate, c, "provenance", answers, "build and publish it with 'ingot up'");
        if (builds.FirstOrDefault(b => b.Objection is null) is { } good)
            return GateResult.Pass(
                gate,
                $"provenance signed by {good.Record.Signer.Name}"
                    + (good.Commit is null ? "" : $", from commit {good.Commit[..Math.Min(12, good.Commit.Length)]}"),
                good.Record.Manifest);

        return builds.Count == 0
            ? GateResult.Fail(gate, $"its provenance names the builder '{answers.All[0].Said.RunDetails.Builder.Id}', not '{Builder}'",
                "build it with Ingot", Manifests(answers.All))
            : GateResult.Unknown(gate, builds[0].Objection!, "run 'ingot up' in a checkout of the project",
                [.. builds.Select(b => b.Record.Manifest)]);
    }

    private static Answers<SlsaProvenance> ProvenanceOf(Candidate c) =>
        Answers.Of(c, EvidenceKind.Provenance, SlsaProvenance.FromPredicate, _ => null);

    private static List<Build> BuildsOf(Candidate c) =>
        [.. ProvenanceOf(c).All.OrderByDescending(a => a.Time).Where(a => a.Said.RunDetails.Builder.Id == Builder)
            .Select(a => BuildOf(c, a))];

    private static Build BuildOf(Candidate c, Answer<SlsaProvenance> answer)
    {
        try
        {
            var build = ProjectBuild.Of(answer.Said);
            return new Build(answer.Record, build.Version, build.Source?.Commit, ObjectionTo(c, build));
        }
        catch (FormatException e)
        {
            return new Build(answer.Record, null, null, $"its provenance cannot be read: {e.Message}");
        }
    }

    private static string? ObjectionTo(Candidate c, ProjectBuild build)
    {
        if (build.Project != c.Project || build.Image != c.Image.Name)
            return $"its provenance is for '{build.Project}/{build.Image}', not for '{c.Project}/{c.Image.Name}'";
        if (build.Source is null)
            return "its provenance does not name the project's file";
        if (c.Sources.Contains(build.Source))
            return null;

        string from = build.Source.Commit is null ? "" : $", commit '{build.Source.Commit}' of '{build.Source.Repository ?? "no address"}'";
        return $"it was built from the project file '{build.Source.File.Short}'{from}: the project was never applied with these";
    }

    private sealed record Build(EvidenceRecord Record, string? Version, string? Commit, string? Objection);

    private static GateResult TestsPassed(string gate, Candidate c)
    {
        // Whoever applies the project chooses which tests count; what failed since the last pass failed, whichever they were.
        if (FailedSince(c) is { Count: > 0 } failed)
            return Failed(gate, failed);
        if (c.Image.Tests.Count == 0)
            return GateResult.Unknown(gate, "the project has no tests for it",
                $"name its goss files under images/{c.Image.Name}/tests and run 'ingot up'");
        if (c.Questions.Tests is null)
            return GateResult.Unknown(gate, "the project was applied without the digests of its test files", AskAgain);

        var answers = Answers.Of(c, EvidenceKind.TestResult, TestResultPredicate.FromPredicate, t => ObjectionTo(c.Questions, t));
        if (Nothing(gate, c, "test result", answers) is { } nothing)
            return nothing;

        bool passed = answers.Latest.All(a => HasPassed(a.Said));
        return passed
            ? GateResult.Pass(gate, $"{answers.Latest[0].Said.PassedTests.Count} checks passed", answers.Manifests)
            : GateResult.Unknown(gate, "its test results contain no test",
                $"write checks into the goss files of images/{c.Image.Name}/tests", answers.Manifests);
    }

    /// <summary>The failures of the image in any test, as signed at or after the last pass of the tests that are asked now,
    /// or else of any.</summary>
    private static List<Answer<TestResultPredicate>> FailedSince(Candidate c)
    {
        var all = Answers.Of(c, EvidenceKind.TestResult, TestResultPredicate.FromPredicate, _ => null).All;
        var passed = all.Where(a => HasPassed(a.Said)).ToList();
        var asked = c.Questions.Tests is null ? [] : passed.Where(a => ObjectionTo(c.Questions, a.Said) is null).ToList();
        var last = (asked.Count > 0 ? asked : passed).Select(a => a.Time).DefaultIfEmpty(DateTimeOffset.MinValue).Max();
        return [.. Answers<TestResultPredicate>.LatestOf([.. all.Where(a => HasFailed(a.Said) && a.Time >= last)])];
    }

    private static bool HasFailed(TestResultPredicate result) =>
        result.Result == TestResultPredicate.FailedWord || result.FailedTests.Count > 0;

    private static bool HasPassed(TestResultPredicate result) =>
        result.Result == TestResultPredicate.PassedWord && result.PassedTests.Count > 0 && !HasFailed(result);

    private static GateResult Failed(string gate, IReadOnlyList<Answer<TestResultPredicate>> failed) => GateResult.Fail(
        gate, $"failed: {string.Join(", ", failed.SelectMany(a => a.Said.FailedTests).Distinct().Take(5))}",
        "fix the image or the test and publish a new version", Manifests(failed));

    private static string? ObjectionTo(ImageQuestions questions, TestResultPredicate result)
    {
        var ran = result.Configuration.Select(f => (f.Name, f.Digest?.GetValueOrDefault("sha256"))).ToHashSet();
        var asked = questions.Tests!.Select(t => ((string?)t.Name, (string?)t.Digest.Hex)).ToList();
        if (asked.Any(t => !ran.Contains(t)))
            return "one is for other test files than "
                + $"{string.Join(", ", questions.Tests!.Select(t => $"'{t.Name}' as applied ({t.Digest.Short})"))}";
        if (ran.Count > asked.Distinct().Count())
            return "one is for more test files than the project has";
        return result.Sandbox == questions.Sandbox
            ? null
            : "one is for a test that might write elsewhere, or use more or less, than the services that run the image";
    }

    private static GateResult NoSecrets(string gate, Candidate c)
    {
        var answers = Answers.Of(c, EvidenceKind.SecretScan, SecretScanPredicate.FromPredicate,
            s => IsBy(s.Scanner, c.Questions.SecretRules) ? null : "one used other rules than this version of Ingot has");
        if (Nothing(gate, c, "secret scan", answers) is { } nothing)
            return nothing;

        var found = answers.Latest.Where(a => a.Said.Findings.Count > 0 || a.Said.Result != "PASSED" || a.Said.IsCut).ToList();
        if (found.Count > 0)
        {
            const string Cure = "take the secret out, give it to the build with a mount or to the instance at start, "
                + "replace it where it was used, and build a new version";
            return GateResult.Fail(
                gate,
                $"{found.Sum(a => a.Said.Findings.Count)} findings: see 'ingot scan {c.Image.Name}:{c.Image.Version}'",
                Cure,
                Manifests(found));
        }

        return answers.Latest.All(a => a.Said.Layers.Count > 0 && c.Layers.All(a.Said.Layers.Contains))
            ? GateResult.Pass(gate, "no secret in any layer, in the history or in the environment", answers.Manifests)
            : GateResult.Unknown(gate, "its secret scan did not look at every layer", AskAgain, answers.Manifests);
    }

    private static GateResult SbomPresent(string gate, Candidate c)
    {
        var answers = Answers.Of(c, EvidenceKind.Sbom, SbomPredicate.FromPredicate, s => ObjectionTo(c, s));
        if (Nothing(gate, c, "SBOM", answers) is { } nothing)
            return nothing;

        if (answers.Latest.SelectMany(a => a.Said.Lacks).FirstOrDefault() is { } lack)
            return GateResult.Unknown(gate, $"its SBOM is not complete: {lack}",
                "build the image so that its package database can be read, or ask for no SBOM of it", answers.Manifests);

        var sbom = answers.Latest[0].Said;
        return GateResult.Pass(gate,
            sbom.Databases.Count == 0 ? "it has no package database, and so no packages" : $"{sbom.Packages} packages", answers.Manifests);
    }

    private static string? ObjectionTo(Candidate c, SbomPredicate sbom) =>
        sbom.Name != $"{c.Project}/{c.Image.Name}"
            || sbom.Version != c.Digest.ToString() ? $"one is about '{sbom.Name}', version '{sbom.Version}'"
        : sbom.Sources != c.Questions.PackageSources ? "one searched other places than this version of Ingot does"
        : null;

    private static GateResult ClaimsHold(string gate, Candidate c)
    {
        if (c.Questions.Claims.Count == 0)
            return GateResult.Pass(gate, "nothing is claimed");

        var answers = Answers.Of(c, EvidenceKind.Claims, ClaimsPredicate.FromPredicate,
            p => IsBy(p.Checker, c.Questions.ClaimRules) ? null : "one used other rules than this version of Ingot has");
        if (Nothing(gate, c, "claims", answers) is { } nothing)
            return nothing;

        // Each claim is a question of its own: a later report that was not asked for it says nothing of it.
        var last = c.Questions.Claims.Select(claim => (Claim: claim, Answers: LastOn(claim, answers.All))).ToList();
        var manifests = last.SelectMany(l => Manifests(l.Answers)).Distinct().ToList();
        var broken = last
            .Where(l => l.Answers.Any(a => a.Said.Claims.Any(r => r.Claim == l.Claim && !r.Holds)))
            .Select(l => l.Claim)
            .ToList();
        if (broken.Count > 0)
            return GateResult.Fail(gate, $"not true: {string.Join(", ", broken)}: see 'ingot scan {c.Image.Name}:{c.Image.Version}'",
                "fix the image or drop the claim, and build a new version", manifests);

        var open = last.Where(l => l.Answers.Count == 0).Select(l => l.Claim).ToList();
        return open.Count > 0
            ? GateResult.Unknown(gate, $"not checked: {string.Join(", ", open)}", AskAgain, manifests)
            : GateResult.Pass(gate, string.Join(", ", c.Questions.Claims), manifests);
    }

    private static IReadOnlyList<Answer<ClaimsPredicate>> LastOn(string claim, IReadOnlyList<Answer<ClaimsPredicate>> answers) =>
        Answers<ClaimsPredicate>.LatestOf([.. answers.Where(a => a.Said.Claims.Any(r => r.Claim == claim))]);

    private static bool IsBy(ResourceDescriptor who, Digest rules) => who.Digest?.GetValueOrDefault("sha256") == rules.Hex;

    private static GateResult? Nothing<T>(string gate, Candidate c, string what, Answers<T> answers)
        where T : class =>
        answers.All.Count == 0 ? Missing(gate, c, what, answers, AskAgain)
        : answers.Blocked is { } why ? GateResult.Unknown(gate, $"the last {what} does not count: {why}", AskAgain, answers.Manifests)
        : null;

    private static GateResult Missing<T>(string gate, Candidate c, string what, Answers<T> answers, string cure)
        where T : class
    {
        var distrusted = c.Evidence.Unverified.Select(u => $"not trusted: {u.Reason}").Distinct().Take(3);
        var reasons = answers.Others.Distinct().Take(3).Concat(distrusted).ToList();
        return GateResult.Unknown(
            gate,
            $"it has no {what} signed by a trusted key for '{c.Project}/{c.Image.Name}'{string.Concat(reasons.Select(r => "; " + r))}",
            cure);
    }

    private static IReadOnlyList<Digest> Manifests<T>(IEnumerable<Answer<T>> answers) => [.. answers.Select(a => a.Record.Manifest)];
}
