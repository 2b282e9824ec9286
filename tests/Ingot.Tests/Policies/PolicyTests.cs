using Ingot.Diagnostics;
using Ingot.Evidence;
using Ingot.Oci.Content;
using Ingot.Policies;
using Ingot.Templates.Project;
using Ingot.Testing;

namespace Ingot.Tests.Policies;

public sealed class PolicyTests
{
    private static readonly DateTimeOffset s_now = SampleEvidence.Now;
    private static readonly string[] s_builtIn = ["built-by-us", "claims-hold", "no-secrets", "sbom-present", "tests-passed"];

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
        Assert.Equal(GateVerdict.Unknown, objection.Verdict);
        Assert.NotNull(objection.Cure);
    }

    [Fact]
    public void WhatIsNotBelievedIsNamed()
    {
        var evidence = EvidenceSet.Empty(SampleEvidence.Subject) with
        {
            Unverified = [new UnverifiedEvidence(Digest.Of("x"u8), "signed by an unknown key")],
        };
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
        var candidate = Candidate([]) with
        {
            Before = Stage("staging"),
            Stage = Stage("production") with { Soak = TimeSpan.FromMinutes(10) },
            AdmittedBefore = s_now.AddSeconds(-seconds),
        };
        Assert.Equal(admitted, Policy.Decide(candidate).Admitted);
    }

    [Fact]
    public void ApprovalsCountPeopleNotWords()
    {
        var stage = Stage("production") with { Approvals = new ApprovalsDefinition(2, []) };
        Approval ann = new("ann", true, "ok", s_now);
        Assert.False(
            Policy.Decide(Candidate([]) with { Stage = stage, Approvals = [ann, ann with { Time = s_now.AddSeconds(1) }] }).Admitted);
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
        Assert.True(
            Policy.Decide(Candidate([]) with { Approvals = [no, no with { Approved = true, Time = s_now.AddMinutes(1) }] }).Admitted);
    }

    private static Candidate Candidate(IReadOnlyList<string> gates) => SampleEvidence.Candidate(gates);

    private static StageDefinition Stage(string name) => new(name, default(SourceSpan));
}
