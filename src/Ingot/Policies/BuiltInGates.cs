using System.Text.Json;
using Ingot.Evidence;
using Ingot.Oci.Content;

namespace Ingot.Policies;

/// <summary>The gates that come with Ingot: a table of names and the questions they ask of the evidence.</summary>
public static class BuiltInGates
{
    /// <summary>The builder that provenance must name for an image to count as built by us.</summary>
    public const string Builder = "https://ingot.dev/builder/v1";

    private static readonly Dictionary<string, Func<Candidate, GateResult>> s_gates = new(StringComparer.Ordinal)
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
        ? gate(candidate)
        : GateResult.Unknown(name, "there is no such gate", $"use one of {string.Join(", ", Names)}");

    private static GateResult BuiltByUs(Candidate c)
    {
        const string Gate = "built-by-us";
        var all = c.Evidence.OfKind(EvidenceKind.Provenance).ToList();
        if (all.Count == 0)
            return Missing(Gate, c, "provenance", "build and publish it with 'ingot up'");

        var ours = all.FirstOrDefault(p => Text(p.Predicate, "runDetails", "builder", "id") == Builder);
        return ours is null
            ? GateResult.Fail(Gate, $"its provenance names the builder '{Text(all[0].Predicate, "runDetails", "builder", "id")}', not '{Builder}'", "build it with Ingot", Digests(all))
            : GateResult.Pass(Gate, $"provenance signed by {ours.Signer.Name}", ours.Manifest);
    }

    private static GateResult TestsPassed(Candidate c)
    {
        const string Gate = "tests-passed";
        var all = c.Evidence.OfKind(EvidenceKind.TestResult).ToList();
        if (all.Count == 0)
            return Missing(Gate, c, "test result", c.Image.Tests.Count == 0 ? $"name its goss files under images/{c.Image.Name}/tests and run 'ingot up'" : "run 'ingot up'");

        var failed = all.Where(t => Text(t.Predicate, "result") != "PASSED").ToList();
        if (failed.Count > 0)
            return GateResult.Fail(Gate, $"failed: {string.Join(", ", failed.SelectMany(t => Texts(t.Predicate, "failedTests")).Take(5))}", "mend the image or the test and build a new version", Digests(failed));

        int passed = all.Sum(t => Texts(t.Predicate, "passedTests").Count());
        return passed == 0
            ? GateResult.Unknown(Gate, "its test results hold no test", $"write checks into the goss files of images/{c.Image.Name}/tests", Digests(all))
            : GateResult.Pass(Gate, $"{passed} checks passed", Digests(all));
    }

    private static GateResult NoSecrets(Candidate c)
    {
        const string Gate = "no-secrets";
        var all = c.Evidence.OfKind(EvidenceKind.SecretScan).ToList();
        if (all.Count == 0)
            return Missing(Gate, c, "secret scan", "run 'ingot up'");

        var found = all.Where(s => Count(s.Predicate, "findings") != 0 || Text(s.Predicate, "result") != "PASSED").ToList();
        return found.Count > 0
            ? GateResult.Fail(Gate, $"{found.Sum(s => Count(s.Predicate, "findings"))} findings: see 'ingot scan {c.Image.Name}:{c.Image.Version}'", "take the secret out, give it to the build with a mount or to the instance at start, replace it where it was used, and build a new version", Digests(found))
            : GateResult.Pass(Gate, "no secret in any layer, in the history or in the environment", Digests(all));
    }

    private static GateResult SbomPresent(Candidate c)
    {
        const string Gate = "sbom-present";
        var all = c.Evidence.OfKind(EvidenceKind.Sbom).ToList();
        return all.Count == 0
            ? Missing(Gate, c, "SBOM", "run 'ingot up'")
            : GateResult.Pass(Gate, $"{Count(all[0].Predicate, "components")} components", Digests(all));
    }

    private static GateResult ClaimsHold(Candidate c)
    {
        const string Gate = "claims-hold";
        var all = c.Evidence.OfKind(EvidenceKind.Claims).ToList();
        if (c.Image.Claims.Count == 0)
            return GateResult.Pass(Gate, "nothing is claimed");
        if (all.Count == 0)
            return Missing(Gate, c, "claims", "run 'ingot up'");

        var verdicts = all.SelectMany(e => Items(e.Predicate, "claims").Select(claim => (Name: Text(claim, "claim"), Holds: claim.TryGetProperty("holds", out var holds) && holds.ValueKind == JsonValueKind.True))).ToList();
        var broken = verdicts.Where(v => !v.Holds).Select(v => v.Name).Distinct().ToList();
        if (broken.Count > 0)
            return GateResult.Fail(Gate, $"not true: {string.Join(", ", broken)}: see 'ingot scan {c.Image.Name}:{c.Image.Version}'", "mend the image or drop the claim, and build a new version", Digests(all));

        var unchecked_ = c.Image.Claims.Where(claim => verdicts.All(v => v.Name != claim)).ToList();
        return unchecked_.Count > 0
            ? GateResult.Unknown(Gate, $"not checked: {string.Join(", ", unchecked_)}", "run 'ingot up'", Digests(all))
            : GateResult.Pass(Gate, string.Join(", ", c.Image.Claims), Digests(all));
    }

    private static GateResult Missing(string gate, Candidate c, string what, string cure)
    {
        string distrusted = c.Evidence.Unverified.Count == 0 ? "" : $"; not believed: {string.Join("; ", c.Evidence.Unverified.Select(u => u.Reason).Distinct().Take(3))}";
        return GateResult.Unknown(gate, $"it has no {what} signed by a trusted key{distrusted}", cure);
    }

    private static IReadOnlyList<Digest> Digests(IEnumerable<EvidenceRecord> records) => [.. records.Select(r => r.Manifest)];

    private static string? Text(JsonElement element, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
        {
            if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(name, out element))
                return null;
        }

        return element.ValueKind == JsonValueKind.String ? element.GetString() : null;
    }

    private static IEnumerable<JsonElement> Items(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var items) && items.ValueKind == JsonValueKind.Array ? items.EnumerateArray() : [];

    private static IEnumerable<string> Texts(JsonElement element, string name) => Items(element, name).Where(i => i.ValueKind == JsonValueKind.String).Select(i => i.GetString()!);

    private static int Count(JsonElement element, string name) => Items(element, name).Count();
}
