using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;
using Ingot.Server.Api;
using Ingot.Server.Control;
using Ingot.Server.Ledger;

namespace Ingot.Server.Tests.Control;

/// <summary>What is said between the question and the entry counts.</summary>
public sealed class InterleavingTests
{
    public static TheoryData<Word> Words => [.. Enum.GetValues<Word>().Where(word => word != Word.Nothing)];

    [Theory]
    [MemberData(nameof(Words))]
    public async Task WhatIsSaidWhileTheTargetIsAskedStopsTheDeployment(Word word)
    {
        await using var control = await ControlFixture.StartAsync();
        var digest = await control.AdmittedAsync("packed anew", zstd: true, key: "mallory");
        control.Target.OnDescribe = () => Doors.SayAsync(control, word, digest);

        var reply = await control.DeployAsync(digest);

        Assert.Equal("refused", reply.Outcome);
        Assert.Empty(control.Ledger.Read(view => view.Rollouts("shop", "web", ControlFixture.Stage)));
        Assert.Empty(control.Target.Carried);
    }

    [Fact]
    public async Task AReleaseIsRefusedWhenWhatCameLateCannotBeReadInPeace()
    {
        await using var control = await ControlFixture.StartAsync();
        var digest = await control.AdmittedAsync("admitted");
        await AttachAsync(control, digest, "late");
        Flood(control, i => control.AppendAsync(new LedgerEvent.Approved("shop", "web", digest, "test", $"mallory {i}", "why not", null)));
        var reply = await control.DeployAsync(digest);
        Assert.Equal("refused", reply.Outcome);
        Assert.Contains("kept changing", reply.Reason, StringComparison.Ordinal);
        Assert.Empty(control.Target.Carried);
    }

    [Fact]
    public async Task AKeyIsRetiredAlthoughWhatRestsOnItCannotBeReadInPeace()
    {
        await using var control = await ControlFixture.StartAsync();
        var digest = await control.AdmittedAsync("admitted", key: "mallory");
        Flood(control, i => control.AppendAsync(new LedgerEvent.Approved("shop", "web", digest, "test", $"mallory {i}", "why not", null)));
        var reply = await control.KeyDesk.RetireAsync(new KeyRetirementRequest("mallory", "lost"), "root", default);
        Assert.Single(reply.Fallen);
    }

    [Fact]
    public async Task TagsAndWhatIsAttachedElsewhereKeepNoDecisionFromBeingMade()
    {
        await using var control = await ControlFixture.StartAsync(production: "gates: []");
        var digest = await control.PublishAsync("candidate");
        await control.DecideAsync("test", digest, new GateRecord("not-revoked", "pass", "nobody revoked it", [], []));
        Flood(control, async i =>
        {
            await control.AppendAsync(new LedgerEvent.TagBound("shop/web", $"x{i}", digest), "mallory");
            await AttachAsync(control, digest, $"{i}", "mallory/web");
        });
        Assert.Equal("admitted", (await control.PromoteAsync(digest)).Decision);
    }

    private static async Task AttachAsync(ControlFixture control, Digest subject, string text, string repository = "shop/web")
    {
        var attached = await control.Content.PutAsync(MediaType.Manifest, System.Text.Encoding.UTF8.GetBytes(text));
        await control.AppendAsync(
            new LedgerEvent.EvidenceAttached(repository, subject, attached.Digest, MediaType.Manifest, attached.Size, null, null),
            "mallory");
    }

    /// <summary>Something happens whenever a decision is about to be recorded.</summary>
    private static void Flood(ControlFixture control, Func<int, Task> happens)
    {
        int count = 0;
        control.Time.Once(AgainAsync);

        async Task AgainAsync()
        {
            await happens(count++);
            control.Time.Once(AgainAsync);
        }
    }

    [Fact]
    public async Task AnOverrideDoesNotLiftWhatIsSaidMeanwhile()
    {
        await using var control = await ControlFixture.StartAsync();
        var digest = await control.AdmittedAsync("packed anew", zstd: true);
        await Doors.SayAsync(control, Word.Quarantined, digest);
        control.Target.OnDescribe = () => Doors.SayAsync(control, Word.Revoked, digest);

        Assert.Equal("refused", (await control.DeployAsync(digest, allTheSame: true)).Outcome);
        Assert.NotNull(control.Ledger.Read(view => view.Quarantine("shop", "web", ControlFixture.Stage, digest)));
    }

    [Theory]
    [InlineData(Word.Revoked)]
    [InlineData(Word.RevokedAsAnother)]
    [InlineData(Word.Rejected)]
    [InlineData(Word.RejectedBefore)]
    [InlineData(Word.AsksMore)]
    public async Task WhatIsSaidWhileAPromotionIsDecidedDecidesIt(Word word)
    {
        await using var control = await ControlFixture.StartAsync(production: "gates: []");
        var digest = await control.PublishAsync("candidate");
        await control.DecideAsync("test", digest, new GateRecord("not-revoked", "pass", "nobody revoked it", [], []));
        control.Time.Once(() => Doors.SayAsync(control, word, digest));

        Assert.Equal("refused", (await control.PromoteAsync(digest)).Decision);
        Assert.False(control.Ledger.Read(view => view.Promotion("shop", "web", ControlFixture.Stage, digest))?.Admitted);
    }

    [Fact]
    public async Task AKeyThatIsRetiredWhileAPromotionIsDecidedTakesTheAdmissionBeforeWithIt()
    {
        await using var control = await ControlFixture.StartAsync(production: "gates: []");
        var digest = await control.PublishAsync("candidate");
        string key = await control.TrustAsync("mallory");
        await control.DecideAsync("test", digest,
            new GateRecord("tests-passed", "pass", "3 checks passed", [Digest.Of([1])], [new GateSigner(key, PredicateType.TestResult)]));
        control.Time.Once(() => Doors.SayAsync(control, Word.KeyRetired, digest));

        Assert.Equal("refused", (await control.PromoteAsync(digest)).Decision);
        Assert.False(control.Ledger.Read(view => view.Promotion("shop", "web", ControlFixture.Stage, digest))!.Admitted);
    }

    [Fact]
    public async Task TwoPeopleAtOnceAreBothHeard()
    {
        await using var control = await ControlFixture.StartAsync(production: "gates: [], approvals: { count: 2, from: [ann, bob] }");
        var digest = await control.PublishAsync("candidate");
        await control.DecideAsync("test", digest, new GateRecord("not-revoked", "pass", "nobody revoked it", [], []));

        await Task.WhenAll(control.SayAsync(digest, "ann"), control.SayAsync(digest, "bob"));

        Assert.Equal("admitted", (await control.PromoteAsync(digest)).Decision);
    }

    [Fact]
    public async Task AQueuedRolloutOfADigestThatWasQuarantinedMeanwhileDoesNotTakeTraffic()
    {
        await using var control = await ControlFixture.StartAsync();
        int before = await control.ServeAsync(await control.AdmittedAsync("before"));
        var digest = await Doors.SubjectAsync(control);
        await control.CanaryAsync(digest);
        var next = await control.AdmittedAsync("next");
        var queued = await control.DeployAsync(next);
        await Doors.SayAsync(control, Word.Quarantined, next);

        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null, "both ended");
        Assert.Equal("RolledBack", control.Ledger.Read(view => view.Rollout(queued.Rollout!))!.Outcome);
        Assert.Equal(before, control.Loop.Steady!.Serving.Number);
    }

    [Fact]
    public async Task AFirstDeploymentThatIsRevokedUnderWayServesNobody()
    {
        await using var control = await ControlFixture.StartAsync("{ observe: 10m }");
        var digest = await Doors.SubjectAsync(control);
        var reply = await control.DeployAsync(digest);
        await ControlFixture.UntilAsync(() => control.Loop.Rollout?.State.Phase == Ingot.Releases.RolloutPhase.Soaking,
            "it takes all traffic");

        await Doors.SayAsync(control, Word.Revoked, digest);

        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null, "it ended");
        Assert.Equal("RolledBack", control.Ledger.Read(view => view.Rollout(reply.Rollout!))!.Outcome);
        Assert.Equal((0, 0), (control.Target.RunningOf(1), control.Target.WeightOf(1)));
    }

    [Fact]
    public async Task NoMoveIsMadeAfterTheWordThatForbidsIt()
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("before"));
        var digest = await Doors.SubjectAsync(control);
        await control.ApplyAsync("{ canary: [1%, 2%, 3%, 4%, 5%], observe: 10ms, keep: 3 }");
        await control.DeployAsync(digest);
        var word = (await control.Ledger.AppendAsync("ann", new LedgerEvent.Revoked("shop", "web", digest, "a hole"))).Seq;
        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null, "it turned back");

        var moves = control.Ledger.Read(view => view.Entries(word + 1, 1000, new LedgerFilter { Kind = "rollout-intent" }))
            .Select(e => (LedgerEvent.RolloutIntent)e.Event)
            .ToList();
        Assert.DoesNotContain(moves, move => move.Move == "CreateInstance");
        Assert.DoesNotContain(moves, move => move.Move == "SetShares" && move.Key.Contains(" g2-0", StringComparison.Ordinal));
    }
}

public sealed class ApprovalTests
{
    [Fact]
    public async Task TheLastWordOfAPersonCounts()
    {
        await using var control = await ControlFixture.StartAsync(production: "gates: [], approvals: { count: 1, from: [ann, bob] }");
        var digest = await CandidateAsync(control);

        await control.SayAsync(digest, "ann");
        await control.SayAsync(digest, "bob", approved: false);
        Assert.Equal("refused", (await control.PromoteAsync(digest)).Decision);
        await control.SayAsync(digest, "ann");
        Assert.Equal("refused", (await control.PromoteAsync(digest)).Decision);
        await control.SayAsync(digest, "bob");
        Assert.Equal("admitted", (await control.PromoteAsync(digest)).Decision);
    }

    [Fact]
    public async Task OneNameIsOnePersonHoweverOftenItSpeaks()
    {
        await using var control = await ControlFixture.StartAsync(production: "gates: [], approvals: { count: 2 }");
        var digest = await CandidateAsync(control);
        for (int i = 0; i < 3; i++)
            await control.SayAsync(digest, "ann");
        Assert.Equal("refused", (await control.PromoteAsync(digest)).Decision);
    }

    [Fact]
    public async Task NobodyButThoseNamedMaySpeak()
    {
        await using var control = await ControlFixture.StartAsync(production: "gates: [], approvals: { count: 1, from: [ann] }");
        var digest = await CandidateAsync(control);
        await Assert.ThrowsAsync<ApiException>(() => control.SayAsync(digest, "mallory"));
        await Assert.ThrowsAsync<ApiException>(() => control.SayAsync(digest, "mallory", approved: false));
        Assert.Empty(control.Ledger.Read(view => view.Approvals("shop", "web", ControlFixture.Stage, digest)));
    }

    [Fact]
    public async Task WhoeverRejectedMayTakeThatBackAndCountsForNothingMore()
    {
        await using var control = await ControlFixture.StartAsync(production: "gates: [], approvals: { count: 1, from: [ann, bob] }");
        var digest = await CandidateAsync(control);
        await control.SayAsync(digest, "bob", approved: false);
        await control.ApplyAsync(production: "gates: [], approvals: { count: 1, from: [ann] }");
        Assert.Equal("refused", (await control.SayAsync(digest, "ann")).Decision);

        await control.SayAsync(digest, "bob");
        Assert.Equal("admitted", (await control.PromoteAsync(digest)).Decision);
        await Assert.ThrowsAsync<ApiException>(() => control.SayAsync(digest, "bob", approved: false));
    }

    [Fact]
    public async Task AnApprovalOfOnesOwnImageIsRecordedAsThat()
    {
        await using var control = await ControlFixture.StartAsync(production: "gates: [], approvals: { count: 1 }");
        var digest = await CandidateAsync(control, publisher: "ann");

        var reply = await control.SayAsync(digest, "ann");

        Assert.Contains(reply.Gates,
            gate => gate.Gate == "approvals" && gate.Reason.Contains("published it too", StringComparison.Ordinal));
        var entry = control.Ledger.Read(view => view.Latest(1, filter: new LedgerFilter { Kind = "approved" }))[0];
        Assert.True(((LedgerEvent.Approved)entry.Event).OwnImage);
        Assert.Contains("having published it", control.Ledger.Read(view => Story.Tell(entry.Event, view)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnotherApprovalThatIsAskedForSinceIsAskedForAtTheDeployment()
    {
        await using var control = await ControlFixture.StartAsync(production: "gates: [], approvals: { count: 1 }");
        var digest = await CandidateAsync(control);
        await control.SayAsync(digest, "ann");
        Assert.Equal("admitted", (await control.PromoteAsync(digest)).Decision);
        await control.ApplyAsync(production: "gates: [], approvals: { count: 2 }");

        Assert.Contains("2 approvals", (await control.DeployAsync(digest)).Reason, StringComparison.Ordinal);
        await control.SayAsync(digest, "bob");
        Assert.Equal("started", (await control.DeployAsync(digest)).Outcome);
    }

    private static async Task<Digest> CandidateAsync(ControlFixture control, string publisher = "ci")
    {
        var digest = await control.PublishAsync("candidate", by: publisher);
        await control.DecideAsync("test", digest, new GateRecord("not-revoked", "pass", "nobody revoked it", [], []));
        return digest;
    }
}
