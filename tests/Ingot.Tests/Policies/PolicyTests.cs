using System.Text.Json;
using Ingot.Diagnostics;
using Ingot.Evidence;
using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;
using Ingot.Policies;
using Ingot.Templates.Project;

namespace Ingot.Tests.Policies;

public sealed class PolicyTests
{
    private static readonly DateTimeOffset s_now = new(2026, 1, 31, 12, 0, 0, TimeSpan.Zero);
    private static readonly Digest s_image = Digest.Of("an image"u8);
    private static readonly SigningKey s_key = SigningKey.Create();
    private static readonly string[] s_builtIn = ["built-by-us", "claims-hold", "no-secrets", "sbom-present", "tests-passed"];

    private const string Provenance = "{\"runDetails\":{\"builder\":{\"id\":\"" + BuiltInGates.Builder + "\"}}}";
    private const string OtherProvenance = """{"runDetails":{"builder":{"id":"https://example.com/other"}}}""";
    private const string TestsPassed = """{"result":"PASSED","passedTests":["file: /web: exists"],"failedTests":[]}""";
    private const string TestsFailed = """{"result":"FAILED","passedTests":["a"],"failedTests":["file: /web: mode"]}""";

    [Fact]
    public void TheGatesAreThoseTheProjectFileMayName() => Assert.Equal(s_builtIn, BuiltInGates.Names);

    [Theory]
    [InlineData("built-by-us")]
    [InlineData("tests-passed")]
    [InlineData("no-secrets")]
    [InlineData("sbom-present")]
    [InlineData("claims-hold")]
    [InlineData("no-such-gate")]
    public void WithoutEvidenceNoGatePasses(string gate)
    {
        var decision = Policy.Decide(Candidate([gate]));
        Assert.False(decision.Admitted);
        var objection = Assert.Single(decision.Objections);
        Assert.Equal(gate, objection.Gate);
        Assert.Equal(Verdict.Unknown, objection.Verdict);
        Assert.NotNull(objection.Cure);
    }

    [Theory]
    [InlineData("built-by-us", EvidenceKind.Provenance, PredicateType.Provenance, Provenance, Verdict.Pass)]
    [InlineData("built-by-us", EvidenceKind.Provenance, PredicateType.Provenance, OtherProvenance, Verdict.Fail)]
    [InlineData("built-by-us", EvidenceKind.Provenance, PredicateType.Provenance, "{}", Verdict.Fail)]
    [InlineData("built-by-us", EvidenceKind.Signature, PredicateType.Signature, "{}", Verdict.Unknown)]
    [InlineData("tests-passed", EvidenceKind.TestResult, PredicateType.TestResult, TestsPassed, Verdict.Pass)]
    [InlineData("tests-passed", EvidenceKind.TestResult, PredicateType.TestResult, TestsFailed, Verdict.Fail)]
    [InlineData("tests-passed", EvidenceKind.TestResult, PredicateType.TestResult, """{"result":"PASSED","passedTests":[]}""", Verdict.Unknown)]
    [InlineData("tests-passed", EvidenceKind.TestResult, PredicateType.TestResult, """{"result":1}""", Verdict.Fail)]
    [InlineData("sbom-present", EvidenceKind.Sbom, PredicateType.CycloneDx, """{"components":[{}]}""", Verdict.Pass)]
    public void AGateJudgesByItsOwnKindOfEvidence(string gate, EvidenceKind kind, string predicateType, string predicate, Verdict expected)
    {
        var decision = Policy.Decide(Candidate([gate]) with { Evidence = Evidence((kind, predicateType, predicate)) });
        var result = decision.Gates.Single(g => g.Gate == gate);
        Assert.Equal(expected, result.Verdict);
        Assert.Equal(expected == Verdict.Pass, decision.Admitted);
        Assert.Equal(expected == Verdict.Pass, result.Cure is null);
    }

    [Fact]
    public void OneFailedTestResultIsNotOutvotedByAPassedOne()
    {
        var evidence = Evidence((EvidenceKind.TestResult, PredicateType.TestResult, TestsPassed), (EvidenceKind.TestResult, PredicateType.TestResult, TestsFailed));
        Assert.False(Policy.Decide(Candidate(["tests-passed"]) with { Evidence = evidence }).Admitted);
    }

    [Fact]
    public void WhatIsNotBelievedIsNamed()
    {
        var evidence = EvidenceSet.Empty(s_image) with { Unverified = [new UnverifiedEvidence(Digest.Of("x"u8), "signed by an unknown key")] };
        var result = Policy.Decide(Candidate(["sbom-present"]) with { Evidence = evidence }).Objections.Single();
        Assert.Contains("signed by an unknown key", result.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void ARevokedImageIsRefusedWhateverElseSpeaksForIt()
    {
        var decision = Policy.Decide(Candidate([]) with { Revoked = "leaks memory (ann)" });
        Assert.Equal("not-revoked", Assert.Single(decision.Objections).Gate);
    }

    [Fact]
    public void TheStageBeforeCannotBeSkipped()
    {
        var candidate = Candidate([]) with { Before = Stage("staging") };
        Assert.Equal("admitted-to-staging", Assert.Single(Policy.Decide(candidate).Objections).Gate);
        Assert.True(Policy.Decide(candidate with { AdmittedBefore = s_now }).Admitted);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(599, false)]
    [InlineData(600, true)]
    public void ASoakEndsWhenItsTimeIsOver(int seconds, bool admitted)
    {
        var candidate = Candidate([]) with { Before = Stage("staging"), Stage = Stage("production") with { Soak = TimeSpan.FromMinutes(10) }, AdmittedBefore = s_now.AddSeconds(-seconds) };
        Assert.Equal(admitted, Policy.Decide(candidate).Admitted);
    }

    [Fact]
    public void ApprovalsCountPeopleNotWords()
    {
        var stage = Stage("production") with { Approvals = new ApprovalsDefinition(2, []) };
        Approval ann = new("ann", true, "ok", s_now);
        Assert.False(Policy.Decide(Candidate([]) with { Stage = stage, Approvals = [ann, ann with { Time = s_now.AddSeconds(1) }] }).Admitted);
        Assert.True(Policy.Decide(Candidate([]) with { Stage = stage, Approvals = [ann, ann with { Who = "ben" }] }).Admitted);
    }

    [Fact]
    public void AnApprovalOfSomebodyElseDoesNotCount()
    {
        var stage = Stage("production") with { Approvals = new ApprovalsDefinition(1, ["sre"]) };
        Assert.False(Policy.Decide(Candidate([]) with { Stage = stage, Approvals = [new Approval("ann", true, "ok", s_now)] }).Admitted);
        Assert.True(Policy.Decide(Candidate([]) with { Stage = stage, Approvals = [new Approval("sre", true, "ok", s_now)] }).Admitted);
    }

    [Fact]
    public void ARejectionHoldsUntilTheSamePersonApproves()
    {
        Approval no = new("ann", false, "the page is blank", s_now);
        Assert.False(Policy.Decide(Candidate([]) with { Approvals = [no, new Approval("ben", true, "fine", s_now)] }).Admitted);
        Assert.True(Policy.Decide(Candidate([]) with { Approvals = [no, no with { Approved = true, Time = s_now.AddMinutes(1) }] }).Admitted);
    }

    private static Candidate Candidate(IReadOnlyList<string> gates) => new()
    {
        Digest = s_image,
        Image = new DockerfileImage("web", default, "Dockerfile", ".", null, []) { Version = "1.0.0", Claims = ["non-root"] },
        Stage = Stage("test") with { Gates = gates },
        Before = null,
        AdmittedBefore = null,
        Evidence = EvidenceSet.Empty(s_image),
        Approvals = [],
        Revoked = null,
        Now = s_now,
    };

    private static StageDefinition Stage(string name) => new(name, default(SourceSpan));

    private static EvidenceSet Evidence(params (EvidenceKind Kind, string PredicateType, string Predicate)[] items) => new(s_image, [.. items.Select(Record)], []);

    private static EvidenceRecord Record((EvidenceKind Kind, string PredicateType, string Predicate) item)
    {
        using var predicate = JsonDocument.Parse(item.Predicate);
        var statement = Statement.About(s_image, "shop/web", item.PredicateType, predicate.RootElement.Clone());
        return new EvidenceRecord(item.Kind, Digest.Of(statement.ToBytes()), new TrustedKey(s_key.PublicKey, "us"), statement, StatementSigner.Sign(statement, s_key));
    }
}
