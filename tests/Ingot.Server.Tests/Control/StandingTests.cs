using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;
using Ingot.Server.Api;
using Ingot.Server.Control;
using Ingot.Server.Ledger;

namespace Ingot.Server.Tests.Control;

public sealed class StandingTests
{
    [Fact]
    public void EveryDoorAsksForWhatPeopleTookBack()
    {
        foreach (var door in Enum.GetValues<Door>())
        {
            Assert.Contains(ObjectionKind.Revoked, Standing.Asked(door));
            Assert.Contains(ObjectionKind.Rejected, Standing.Asked(door));
        }
    }

    [Fact]
    public async Task WhatRestsOnAKeyFallsInEveryStageThatRestsOnIt()
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ApplyAsync(test: "gates: [tests-passed]");
        var digest = await control.PublishAsync("image");
        string key = await control.TrustAsync("mallory");
        await control.DecideAsync("test", digest,
            new GateRecord("tests-passed", "pass", "3 checks", [Digest.Of([1])], [new GateSigner(key, PredicateType.TestResult)]));
        await control.DecideAsync(ControlFixture.Stage, digest, new GateRecord("admitted-to-test", "pass", "since then", [], []),
            new GateRecord("tests-passed", "pass", "-", [], []));
        Assert.Null(Ask(control, digest));

        var reply = await control.KeyDesk.RetireAsync(new KeyRetirementRequest("mallory", "it was stolen"), "root", default);

        Assert.Equal(ObjectionKind.Lapsed, Ask(control, digest)!.Kind);
        Assert.Equal([$"shop/web@{digest} in test", $"shop/web@{digest} in production"], reply.Fallen);
        var explained = await control.Promotions.ExplainAsync("shop", "web", ControlFixture.Stage, digest, default);
        Assert.Equal("refused", explained.Decision);
        Assert.Contains("no longer counts", explained.Fallen, StringComparison.Ordinal);
        Assert.Contains("it was stolen", explained.Fallen, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatStandsWithoutTheKeyIsAdmittedAgainAtOnce()
    {
        await using var control = await ControlFixture.StartAsync(production: "gates: []");
        var digest = await control.AdmittedAsync("image", key: "mallory");
        var reply = await control.KeyDesk.RetireAsync(new KeyRetirementRequest("mallory", "it was stolen"), "root", default);
        Assert.Empty(reply.Fallen);
        Assert.Null(Ask(control, digest));
    }

    [Fact]
    public async Task ARoleThatIsTakenAwayIsAWordThatIsTakenAway()
    {
        await using var control = await ControlFixture.StartAsync();
        using var key = SigningKey.Create();
        await control.Keys.TrustAsync("ci", key.PublicKey.ToPem(), ["tester"], "root");
        var digest = await control.PublishAsync("image");
        await control.DecideAsync(ControlFixture.Stage, digest,
            new GateRecord("tests-passed", "pass", "3 checks", [Digest.Of([1])], [new GateSigner(key.Id, PredicateType.TestResult)]));
        Assert.Null(Ask(control, digest));

        await control.Keys.TrustAsync("ci", key.PublicKey.ToPem(), ["scanner"], "root");

        Assert.Equal(ObjectionKind.Lapsed, Ask(control, digest)!.Kind);
    }

    [Fact]
    public async Task WhatRestsOnOtherKeysStands()
    {
        await using var control = await ControlFixture.StartAsync();
        var digest = await control.AdmittedAsync("image", key: "good");
        await control.TrustAsync("mallory");
        var reply = await control.KeyDesk.RetireAsync(new KeyRetirementRequest("mallory", "it was stolen"), "root", default);
        Assert.Empty(reply.Fallen);
        Assert.Null(Ask(control, digest));
    }

    [Fact]
    public async Task AnAdmissionThatDoesNotSayWhoseWordItWasFallsWithAnyKey()
    {
        await using var control = await ControlFixture.StartAsync();
        await control.TrustAsync("mallory");
        var (before, after) = (await control.PublishAsync("before"), await control.PublishAsync("after"));
        await control.DecideAsync(ControlFixture.Stage, before, new GateRecord("tests-passed", "pass", "3 checks", [Digest.Of([1])]));
        Assert.Null(Ask(control, before));

        await control.Keys.RetireAsync("mallory", "it was stolen", "root");
        await control.DecideAsync(ControlFixture.Stage, after, new GateRecord("tests-passed", "pass", "3 checks", [Digest.Of([1])]));

        Assert.Equal(ObjectionKind.Lapsed, Ask(control, before)!.Kind);
        Assert.Null(Ask(control, after));
    }

    [Fact]
    public async Task StagesThatRestOnEachOtherAreNoEndlessQuestion()
    {
        await using var control = await ControlFixture.StartAsync();
        var digest = await control.PublishAsync("image");
        await control.DecideAsync(ControlFixture.Stage, digest, new GateRecord("admitted-to-test", "pass", "-", [], []));
        await control.DecideAsync("test", digest, new GateRecord("admitted-to-production", "pass", "-", [], []));
        Assert.Null(Ask(control, digest));
    }

    [Fact]
    public async Task AWordInAnotherProjectIsNoneHere()
    {
        await using var control = await ControlFixture.StartAsync();
        var digest = await control.AdmittedAsync("image");
        await control.AppendAsync(new LedgerEvent.Revoked("other", "web", digest, "a hole"));
        await control.AppendAsync(new LedgerEvent.Rejected("other", "web", digest, ControlFixture.Stage, "bob", "no"));
        await control.AppendAsync(new LedgerEvent.Quarantined("shop", "api", ControlFixture.Stage, digest, "failed"));
        await control.AppendAsync(new LedgerEvent.Quarantined("shop", "web", "staging", digest, "failed"));
        Assert.Null(Ask(control, digest));
    }

    [Fact]
    public async Task TheObjectionsSurviveTheLedgersReplay()
    {
        await using var control = await ControlFixture.StartAsync();
        var digest = await Doors.SubjectAsync(control);
        await Doors.SayAsync(control, Word.KeyRetired, digest);
        await control.AppendAsync(new LedgerEvent.Approved("shop", "web", digest, ControlFixture.Stage, "ann", "ok", OwnImage: true));
        Assert.Empty((await LedgerVerifier.VerifyAsync(control.Home)).Problems);
    }

    private static Objection? Ask(ControlFixture control, Digest digest) => control.Ledger.Read(view =>
        Standing.Objection(view, Door.Deploy, new Standpoint("shop", "web", ControlFixture.Stage, digest, "web")));
}
