using Ingot.Oci.Content;
using Ingot.Releases;
using Ingot.Server.Api;
using Ingot.Server.Control;
using Ingot.Server.Ledger;

namespace Ingot.Server.Tests.Control;

/// <summary>What may have been said against a digest.</summary>
public enum Word
{
    Nothing,
    NotAdmitted,
    Rejected,
    RejectedBefore,
    Revoked,
    RevokedAsAnother,
    Quarantined,
    KeyRetired,
    AsksMore,
}

/// <summary>Every door, with every word against the digest that wants through it. The rows are the specification.</summary>
public static class Doors
{
    private static readonly Word[] s_all = Enum.GetValues<Word>();

    private static readonly Dictionary<string, Word[]> s_open = new()
    {
        ["promote"] = [Word.Nothing, Word.Quarantined],
        ["deploy"] = [Word.Nothing],
        ["deploy --override"] = [Word.Nothing, Word.Quarantined],
        ["rollback"] = [Word.Nothing, Word.AsksMore],
        ["turn back"] = [Word.Nothing, Word.NotAdmitted, Word.RejectedBefore, Word.Quarantined, Word.KeyRetired, Word.AsksMore],
        ["under way"] = [Word.Nothing, Word.AsksMore],
        ["under way, restarted"] = [Word.Nothing, Word.AsksMore],
        ["resume"] = [Word.Nothing, Word.AsksMore],
        ["stand by"] = [Word.Nothing, Word.NotAdmitted, Word.RejectedBefore, Word.Quarantined, Word.KeyRetired, Word.AsksMore],
        ["serve, untold"] = [Word.Nothing, Word.Quarantined, Word.AsksMore],
    };

    public static TheoryData<Word, bool> At(string door, params Word[] words)
    {
        var rows = new TheoryData<Word, bool>();
        foreach (var word in words.Length == 0 ? s_all : words)
            rows.Add(word, s_open[door].Contains(word));
        return rows;
    }

    internal static Task SayAsync(ControlFixture control, Word word, Digest digest) => word switch
    {
        Word.NotAdmitted => control.DecideAsync(ControlFixture.Stage, digest, new GateRecord("tests-passed", "fail", "failed: 1", [], [])),
        Word.Rejected =>
            control.AppendAsync(new LedgerEvent.Rejected("shop", "web", digest, ControlFixture.Stage, "bob", "not on a Friday")),
        Word.RejectedBefore => control.AppendAsync(new LedgerEvent.Rejected("shop", "web", digest, "test", "bob", "never tested")),
        Word.Revoked => control.AppendAsync(new LedgerEvent.Revoked("shop", "web", digest, "a hole")),
        Word.RevokedAsAnother => control.AppendAsync(new LedgerEvent.Revoked("shop", "api", digest, "a hole")),
        Word.Quarantined => control.AppendAsync(new LedgerEvent.Quarantined("shop", "web", ControlFixture.Stage, digest, "it failed")),
        Word.KeyRetired => control.Keys.RetireAsync("mallory", "it was stolen", "root"),
        Word.AsksMore => control.ApplyAsync("{ canary: [10%], observe: 10m, keep: 3 }", "gates: [tests-passed, sbom-present]"),
        _ => Task.CompletedTask,
    };

    /// <summary>The digest that is spoken of: admitted on the word of a key of its own.</summary>
    internal static Task<Digest> SubjectAsync(ControlFixture control, string content = "subject") =>
        control.AdmittedAsync(content, key: "mallory");
}

public sealed class RequestDoorTests
{
    public static TheoryData<Word, bool> Promote => Doors.At("promote");

    public static TheoryData<Word, bool> Deploy => Doors.At("deploy");

    public static TheoryData<Word, bool> Override => Doors.At("deploy --override");

    [Theory]
    [MemberData(nameof(Promote))]
    public async Task AnAdmissionStandsOnlyWhileNothingSpeaksAgainstIt(Word word, bool open)
    {
        await using var control = await ControlFixture.StartAsync();
        var digest = await Doors.SubjectAsync(control);
        await Doors.SayAsync(control, word, digest);

        Assert.Equal(open ? "admitted" : "refused", (await control.PromoteAsync(digest)).Decision);
        var explained = await control.Promotions.ExplainAsync("shop", "web", ControlFixture.Stage, digest, default);
        Assert.Equal(open ? "admitted" : "refused", explained.Decision);
    }

    [Theory]
    [MemberData(nameof(Deploy))]
    public Task ADeploymentAsksForEveryWord(Word word, bool open) => DeployAsync(word, open, allTheSame: false);

    [Theory]
    [MemberData(nameof(Override))]
    public Task AnOverrideLiftsAQuarantineAndNothingElse(Word word, bool open) => DeployAsync(word, open, allTheSame: true);

    private static async Task DeployAsync(Word word, bool open, bool allTheSame)
    {
        await using var control = await ControlFixture.StartAsync();
        var digest = await Doors.SubjectAsync(control);
        await Doors.SayAsync(control, word, digest);

        var reply = await control.DeployAsync(digest, allTheSame);

        Assert.True((open ? "started" : "refused") == reply.Outcome, reply.Reason);
        Assert.Equal(open ? 1 : 0, control.Ledger.Read(view => view.Rollouts("shop", "web", ControlFixture.Stage).Count));
        if (allTheSame && word == Word.Quarantined)
            Assert.Null(control.Ledger.Read(view => view.Quarantine("shop", "web", ControlFixture.Stage, digest)));
    }
}

public sealed class RollbackDoorTests
{
    public static TheoryData<Word, bool> Rollback => Doors.At("rollback");

    [Theory]
    [MemberData(nameof(Rollback))]
    public async Task AWarmGenerationIsGoneBackToOnlyWhenNothingSpeaksAgainstIt(Word word, bool open)
    {
        await using var control = await ControlFixture.StartAsync();
        var digest = await Doors.SubjectAsync(control);
        int before = await control.ServeAsync(digest);
        var newer = await control.AdmittedAsync("newer");
        await control.ServeAsync(newer);
        var other = await control.AdmittedAsync("other");
        await Doors.SayAsync(control, word, digest);

        var reply = await control.RollBackAsync();

        Assert.True((open ? "started" : "refused") == reply.Outcome, reply.Reason);
        if (open)
        {
            await ControlFixture.UntilAsync(
                () => control.Loop.Rollout is null && control.Loop.Steady?.Serving.Number == before, "it went back");
            return;
        }

        Assert.Contains($"'ingot deploy web --stage production --image web@{other}'", reply.Reason, StringComparison.Ordinal);
        Assert.Equal(newer, control.Loop.Steady!.Serving.Digest);
        Assert.DoesNotContain(control.Ledger.Read(view => view.Quarantined("shop", "web", ControlFixture.Stage)), q => q.Digest == newer);
    }

    [Fact]
    public async Task TheNewestGenerationThatMayRunIsTheOneThatIsGoneBackTo()
    {
        await using var control = await ControlFixture.StartAsync();
        int good = await control.ServeAsync(await control.AdmittedAsync("good"));
        var revoked = await Doors.SubjectAsync(control);
        await control.ServeAsync(revoked);
        await control.ServeAsync(await control.AdmittedAsync("newest"));
        await Doors.SayAsync(control, Word.Revoked, revoked);

        Assert.Equal(good, (await control.RollBackAsync()).Generation);
        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null && control.Loop.Steady?.Serving.Number == good, "it went back");
        Assert.Empty(control.Loop.Steady!.Warm);
    }

    [Fact]
    public async Task AnotherConfigurationIsGoneBackToAndOnlyWhatWasLeftIsQuarantined()
    {
        await using var control = await ControlFixture.StartAsync();
        var digest = await control.AdmittedAsync("one");
        int first = await control.ServeAsync(digest);
        await control.ConfigureAsync("{ LEVEL: debug }");
        Assert.Equal("started", (await control.DeployAsync(digest)).Outcome);
        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null && control.Loop.Steady?.Serving.Number == first + 1,
            "the other configuration serves");

        Assert.Equal("started", (await control.RollBackAsync()).Outcome);
        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null && control.Loop.Steady?.Serving.Number == first, "it went back");
        var quarantine = Assert.Single(control.Ledger.Read(view => view.Quarantined("shop", "web", ControlFixture.Stage)));
        Assert.Equal((digest, false), (quarantine.Digest, quarantine.Settings == control.Loop.Steady!.Serving.SettingsDigest));
        Assert.Equal("refused", (await control.DeployAsync(digest)).Outcome);
        await control.ConfigureAsync("{}");
        Assert.Equal("unchanged", (await control.DeployAsync(digest)).Outcome);
    }
}

public sealed class TurnBackDoorTests
{
    public static TheoryData<Word, bool> TurnBack => Doors.At("turn back");

    [Theory]
    [MemberData(nameof(TurnBack))]
    public async Task ARolloutTurnsBackOnlyToWhatNobodyTookBack(Word word, bool open)
    {
        await using var control = await ControlFixture.StartAsync();
        var digest = await Doors.SubjectAsync(control);
        int before = await control.ServeAsync(digest);
        var next = await control.AdmittedAsync("next");
        string rollout = await control.CanaryAsync(next);
        await Doors.SayAsync(control, word, digest);

        var reply = await control.RollBackAsync();

        Assert.True((open ? "started" : "refused") == reply.Outcome, reply.Reason);
        if (open)
            await ControlFixture.UntilAsync(
                () => control.Loop.Rollout is null && control.Loop.Steady?.Serving.Number == before, "it turned back");
        else
            Assert.Equal((10, rollout), (control.Loop.Rollout!.State.Share, control.Loop.Rollout.Id));
        Assert.Equal(open, control.Ledger.Read(view => view.Quarantine("shop", "web", ControlFixture.Stage, next)) is not null);
    }
}

public sealed class RolloutDoorTests
{
    public static TheoryData<Word, bool> UnderWay => Doors.At("under way");

    public static TheoryData<Word, bool> Resume => Doors.At("resume", Word.Nothing, Word.RevokedAsAnother, Word.Rejected, Word.Quarantined);

    [Theory]
    [MemberData(nameof(UnderWay))]
    public async Task AWordInTheMiddleOfARolloutTurnsItBack(Word word, bool open)
    {
        await using var control = await ControlFixture.StartAsync();
        int before = await control.ServeAsync(await control.AdmittedAsync("before"));
        var digest = await Doors.SubjectAsync(control);
        string rollout = await control.CanaryAsync(digest);

        await Doors.SayAsync(control, word, digest);

        await RolloutChecks.CheckAsync(control, rollout, before, open);
    }

    [Theory]
    [MemberData(nameof(Resume))]
    public async Task APausedRolloutIsNotResumedIntoWhatWasWithdrawn(Word word, bool open)
    {
        await using var control = await ControlFixture.StartAsync();
        await control.ServeAsync(await control.AdmittedAsync("before"));
        var digest = await Doors.SubjectAsync(control);
        string rollout = await control.CanaryAsync(digest);
        await PauseAsync(control, paused: true);
        await Doors.SayAsync(control, word, digest);

        var resumed = await Record.ExceptionAsync(() => PauseAsync(control, paused: false));

        Assert.True(open ? resumed is null : resumed is null or ApiException { Code: "refused" }, resumed?.Message);
        Assert.Equal(open, control.Ledger.Read(view =>
            view.Entries(0, int.MaxValue, new LedgerFilter { Rollout = rollout, Kind = "rollout-resumed" }).Count > 0));
    }

    private static Task<OpenRollout?> PauseAsync(ControlFixture control, bool paused) =>
        control.Releases.PauseAsync(new PauseRequest("shop", "web", ControlFixture.Stage, "lunch", paused), "ann", default);
}

public sealed class RestartDoorTests
{
    public static TheoryData<Word, bool> Restarted =>
        Doors.At("under way, restarted", Word.Nothing, Word.Revoked, Word.Rejected, Word.KeyRetired);

    [Theory]
    [MemberData(nameof(Restarted))]
    public async Task AWordWhileNoControllerRunsTurnsTheRolloutBackAfterwards(Word word, bool open)
    {
        await using var control = await ControlFixture.StartAsync();
        int before = await control.ServeAsync(await control.AdmittedAsync("before"));
        var digest = await Doors.SubjectAsync(control);
        string rollout = await control.CanaryAsync(digest);

        await control.RestartAsync(() => Doors.SayAsync(control, word, digest));

        await RolloutChecks.CheckAsync(control, rollout, before, open);
    }
}

internal static class RolloutChecks
{
    public static async Task CheckAsync(ControlFixture control, string rollout, int before, bool open)
    {
        if (open)
        {
            await control.LooksAsync(4);
            Assert.Equal((rollout, 10), (control.Loop.Rollout?.Id, control.Loop.Rollout?.State.Share));
            return;
        }

        await ControlFixture.UntilAsync(() => control.Loop.Rollout is null, "the rollout ended");
        var ended = control.Ledger.Read(view => view.Rollout(rollout))!;
        Assert.Equal("RolledBack", ended.Outcome);
        Assert.Equal((before, 0), (control.Loop.Steady!.Serving.Number, control.Target.WeightOf(before + 1)));
        Assert.Equal(0, control.Target.RunningOf(before + 1));
        Assert.True(control.Target.WeightOf(before) > 0);
    }
}

public sealed class StandingDoorTests
{
    public static TheoryData<Word, bool> StandBy => Doors.At("stand by");

    public static TheoryData<Word, bool> Serve => Doors.At("serve, untold");

    [Theory]
    [MemberData(nameof(StandBy))]
    public async Task AWarmGenerationStopsWhenItWasTakenBackAndComesBackWithIt(Word word, bool open)
    {
        await using var control = await ControlFixture.StartAsync();
        var digest = await Doors.SubjectAsync(control);
        int warm = await control.ServeAsync(digest);
        await control.ServeAsync(await control.AdmittedAsync("newer"));

        await Doors.SayAsync(control, word, digest);
        if (open)
            await control.LooksAsync(5);
        else
            await ControlFixture.UntilAsync(() => control.Target.RunningOf(warm) == 0, "the warm generation stopped");
        Assert.Equal(open ? 1 : 0, control.Target.RunningOf(warm));

        if (word != Word.Rejected)
            return;
        await control.AppendAsync(new LedgerEvent.Approved("shop", "web", digest, ControlFixture.Stage, "bob", "it is Monday"));
        await ControlFixture.UntilAsync(() => control.Target.RunningOf(warm) == 1, "the warm generation runs again");
    }

    [Theory]
    [MemberData(nameof(Serve))]
    public async Task WhatServesGoesOnAndStatusSaysWhatSpeaksAgainstIt(Word word, bool untold)
    {
        await using var control = await ControlFixture.StartAsync();
        var digest = await Doors.SubjectAsync(control);
        int serving = await control.ServeAsync(digest);
        await Doors.SayAsync(control, word, digest);
        control.Target.End(serving);
        await ControlFixture.UntilAsync(() => control.Target.RunningOf(serving) == 1, "what serves is repaired");

        var status =
            Assert.Single(new StatusReader(control.Ledger, control.Controller, new ProjectBook(control.Ledger)).Status("shop").Services);
        Assert.True(untold == status.Withdrawn is null, status.Withdrawn);
        Assert.True(control.Target.WeightOf(serving) > 0);
    }
}
