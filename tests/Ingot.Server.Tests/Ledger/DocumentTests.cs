using System.Text;
using System.Text.Json;
using Ingot.Oci.Content;
using Ingot.Releases;
using Ingot.Server.Ledger;
using Ingot.Templates.Project;
using static Ingot.Server.Ledger.LedgerEvent;
using static Ingot.Server.Tests.Ledger.SampleEvents;

namespace Ingot.Server.Tests.Ledger;

public sealed class DocumentTests : IAsyncLifetime
{
    private static readonly ServiceKey s_key = new("shop", "web", "production");
    private static readonly DateTimeOffset s_now = DateTimeOffset.UnixEpoch.AddYears(60);

    private readonly TestHome _test = new();
    private LedgerStore _ledger = null!;

    public async ValueTask InitializeAsync() => _ledger = await LedgerStore.OpenAsync(_test.Home, TimeProvider.System);

    public async ValueTask DisposeAsync()
    {
        await _ledger.DisposeAsync();
        _test.Dispose();
    }

    [Fact]
    public async Task AConfigurationOf250KilobytesGoesThroughAWholeRollout()
    {
        var state = State(replicas: 200, configuration: 250_000);
        await BeginAsync(state);
        var read = _ledger.Read(view => view.State(view.Rollout("r1")!, _ledger.Working)).State;

        Assert.Equal(state.Spec.Next.Config, read.Spec.Next.Config);
        Assert.Equal(200, read.Spec.Next.Replicas);
        Assert.All(await EntriesAsync(), entry => Assert.True(entry.ToBytes().Length < 8192, entry.Event.Kind));
        Assert.Empty((await LedgerVerifier.VerifyAsync(_test.Home)).Problems);
    }

    [Fact]
    public void ARecordIsAsLargeForTwoHundredInstancesAsForOne()
    {
        int one = ReleasesJson.WriteRecord(State(1, 10), 0).Length;
        int many = ReleasesJson.WriteRecord(State(200, 250_000), 0).Length;

        Assert.InRange(many, one - 64, one + 64);
        Assert.InRange(one, 1, 4096);
    }

    /// <summary>Records are for ever, and states have members that came later.</summary>
    [Fact]
    public void AMemberThatARecordLacksIsAsInANewRollout()
    {
        var state = Releases.Rollout.Begin(State(1, 1).Spec, s_now) with { History = [] };
        string spec = ReleasesJson.Write(state.Spec);
        string whole = ReleasesJson.WriteWorking(state);
        string[] required = ["started_at", "decided_at", "phase_since", "deadline"];
        foreach (string path in Members(System.Text.Json.Nodes.JsonNode.Parse(whole)!.AsObject()).Except(required))
        {
            var record = System.Text.Json.Nodes.JsonNode.Parse(whole)!.AsObject();
            var parts = path.Split('/');
            (parts.Length == 1 ? record : record[parts[0]]!.AsObject()).Remove(parts[^1]);
            Assert.Equal(ReleasesJson.Write(state), ReleasesJson.Write(ReleasesJson.ReadRecord(record.ToJsonString(), spec)));
        }

        foreach (string member in required)
        {
            var record = System.Text.Json.Nodes.JsonNode.Parse(whole)!.AsObject();
            record.Remove(member);
            Assert.Throws<FormatException>(() => ReleasesJson.ReadRecord(record.ToJsonString(), spec));
        }
    }

    private static IEnumerable<string> Members(System.Text.Json.Nodes.JsonObject state) =>
        state.Select(member => member.Key).Concat(state["judgement"]!.AsObject().Select(member => $"judgement/{member.Key}"));

    [Fact]
    public async Task WhatWasCountedIsReadBackWithItsEntryAndOnlyThen()
    {
        var state = State(replicas: 3, configuration: 10);
        var entry = await BeginAsync(state);
        var counted = state with { Judgement = state.Judgement with { UserRequests = 4711, Epoch = "e2" }, Waiting = "for more" };
        Assert.True(_ledger.Working.Write("r1", entry.Mark, ReleasesJson.WriteWorking(counted)));

        Assert.Equal(ReleasesJson.Write(counted), ReleasesJson.Write(Read().State));
        Assert.Equal(entry.Mark, Read().Mark);

        await RecordAsync(counted, Read().ChangesRecorded);
        Assert.Equal(4711, Read().State.Judgement.UserRequests);
        Assert.Equal("", Read().State.Judgement.Epoch);
        Assert.Empty(Read().State.Instances);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("{\"phase\":\"Nowhere\"}")]
    [InlineData("[1]")]
    [InlineData("{\"judgement\":null}")]
    [InlineData("{\"history\":[null]}")]
    [InlineData("{\"phase\":\"Soaking\",\"phase\":\"Done\"}")]
    public async Task AWorkingStateThatWasCutShortIsAsGoodAsNone(string json)
    {
        var entry = await BeginAsync(State(3, 10));
        _ledger.Working.Write("r1", entry.Mark, json);

        Assert.Equal(RolloutPhase.Shifting, Read().State.Phase);
    }

    [Theory]
    [InlineData("judgement", "null")]
    [InlineData("instances", "{\"g7-0\":null}")]
    [InlineData("spec", "{}")]
    public async Task AWorkingStateWithAMemberThatNoneHasIsAsGoodAsNone(string member, string json)
    {
        var state = State(3, 10);
        var entry = await BeginAsync(state);
        var working = System.Text.Json.Nodes.JsonNode
            .Parse(ReleasesJson.WriteWorking(state with { Phase = RolloutPhase.Soaking }))!
            .AsObject();
        working[member] = System.Text.Json.Nodes.JsonNode.Parse(json);
        _ledger.Working.Write("r1", entry.Mark, working.ToJsonString());

        Assert.Equal(RolloutPhase.Shifting, Read().State.Phase);
    }

    /// <summary>What is released is what was asked for on the record.</summary>
    [Fact]
    public async Task AWorkingStateDoesNotSayWhatIsReleased()
    {
        var state = State(3, 10);
        var entry = await BeginAsync(state);
        var forged = state with { Spec = state.Spec with { Next = state.Spec.Next with { Number = 666 } } };
        _ledger.Working.Write("r1", entry.Mark, ReleasesJson.Write(forged));

        Assert.Equal(7, Read().State.Spec.Next.Number);
    }

    [Fact]
    public async Task AWorkingFileThatIsNotAllThatWasWrittenIsAsGoodAsNone()
    {
        var state = State(3, 10);
        var entry = await BeginAsync(state);
        _ledger.Working.Write("r1", entry.Mark, ReleasesJson.WriteWorking(state with { Waiting = "for 1000 requests" }));
        Assert.Equal("for 1000 requests", Read().State.Waiting);
        string file = Assert.Single(Directory.GetFiles(_test.Home.Working));
        await File.WriteAllTextAsync(file, (await File.ReadAllTextAsync(file)).Replace("for 1000", "for 9000", StringComparison.Ordinal));

        Assert.NotEqual("for 9000 requests", Read().State.Waiting);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"web-1\":{\"unhealthy")]
    [InlineData("{\"web-1\":null}")]
    [InlineData("null")]
    [InlineData("[]")]
    public void AMemoryOfInstancesThatCannotBeReadIsNone(string json) => Assert.Empty(ReleasesJson.ReadMemory(json));

    [Fact]
    public async Task ADocumentThatIsNotWhatItsNameSaysIsSaidAndNotParsed()
    {
        await BeginAsync(State(3, 250_000));
        using (var db = Ingot.Server.Storage.SqliteDatabase.OpenWriter(_test.Home.Database))
            db.ExecuteScript("UPDATE document_bytes SET bytes = CAST(replace(CAST(bytes AS TEXT), 'ccc', 'ddd') AS BLOB)");

        var e = Assert.Throws<LedgerException>(Read);
        Assert.Contains("ingot log verify", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheHistoryIsThatOfTheEntriesWithoutTheWorkingState()
    {
        var state = State(3, 10);
        await BeginAsync(state);
        var later = state with
        {
            Phase = RolloutPhase.Soaking,
            History = [.. state.History, new PhaseChange(s_now, RolloutPhase.Soaking, 100, "it takes all")],
        };
        await RecordAsync(later, Read().ChangesRecorded);
        _ledger.Working.Remove("r1");

        Assert.Equal(later.History, Read().State.History);
        Assert.Equal(later.History.Count, Read().ChangesRecorded);
        Assert.Equal(RolloutPhase.Soaking, Read().State.Phase);
        Assert.Equal(later.Judgement.Evidence.LogE, Read().State.Judgement.Evidence.LogE);
    }

    [Fact]
    public async Task WholeStatesOfEarlierVersionsAreRead()
    {
        var state = State(3, 10);
        await _ledger.AppendAsync("x", Requested(state));
        await _ledger.AppendAsync("x", new RolloutStateChanged("r1", "Shifting", "", Json(ReleasesJson.Write(state))));
        Assert.Equal(ReleasesJson.Write(state), ReleasesJson.Write(Read().State));

        var measured = state with { Waiting = "for traffic" };
        await _ledger.AppendAsync("x", new RolloutMeasured("r1", Json(ReleasesJson.Write(measured))));
        Assert.Equal("for traffic", Read().State.Waiting);

        await RecordAsync(measured with { History = [.. state.History, new PhaseChange(s_now, RolloutPhase.Done, 100, "")] },
            Read().ChangesRecorded);
        Assert.Equal(state.History.Count + 1, Read().State.History.Count);
    }

    [Fact]
    public async Task ARolloutThatWasOnlyRequestedBegins()
    {
        var state = State(3, 250_000);
        await _ledger.AppendAsync("x", Requested(state));

        Assert.Equal(RolloutPhase.Planned, Read().State.Phase);
        Assert.Equal(state.Spec.Next.Config, Read().State.Spec.Next.Config);
    }

    [Fact]
    public async Task EqualDocumentsAreStoredOnce()
    {
        for (int i = 0; i < 5; i++)
            await _ledger.AppendAsync("x", new ProjectApplied("shop", DigestOf($"{i}"), new string('x', 100_000)));

        Assert.Equal(new string('x', 100_000), _ledger.Read(view => view.Project("shop"))!.Text);
        var names = (await EntriesAsync()).Select(entry => ((ProjectApplied)entry.Event).TextDocument!).ToList();
        Assert.Single(names.Distinct());
        Assert.Equal(100_000, _ledger.Read(view => view.Document(names[0].Document))!.Length);
    }

    [Fact]
    public async Task ADocumentBeyondItsBoundIsRefusedAndNothingOfItIsKept()
    {
        var e = await Assert.ThrowsAsync<LedgerException>(() => _ledger.AppendAsync("x",
            [new ServerStarted("1"), new ProjectApplied("shop", DigestOf("x"), new string('x', DocumentName.MaxBytes + 1))]));

        Assert.Contains("a document may have", e.Message, StringComparison.Ordinal);
        Assert.Equal(0, _ledger.Size);
        await _ledger.AppendAsync("x", new ProjectApplied("shop", DigestOf("x"), new string('x', DocumentName.MaxBytes)));
        Assert.Empty((await LedgerVerifier.VerifyAsync(_test.Home)).Problems);
    }

    [Fact]
    public async Task AnAppendThatFailsLaterLeavesNoDocument()
    {
        var project = new ProjectApplied("shop", DigestOf("x"), new string('x', 10_000));
        await Assert.ThrowsAsync<LedgerException>(() => _ledger.AppendAsync("x", [project, new RolloutResumed("nothing", "x", "y")]));

        Assert.Null(_ledger.Read(view => view.Document(Digest.Of(Encoding.UTF8.GetBytes(project.Text)))));
        Assert.Empty((await LedgerVerifier.VerifyAsync(_test.Home)).Problems);
    }

    /// <summary>Every kind with everything at its largest: names as long as the doors let them be,
    /// lists and elements of a million bytes.</summary>
    [Fact]
    public async Task EveryKindOfEntryHasRoomForItsLargest()
    {
        var state = State(500, 250_000);
        string key = string.Join(' ', Enumerable.Range(0, 500).Select(i => $"g7-{i}=10.0.0.{i}:8080*100"));
        string machine = string.Concat(Enumerable.Repeat("\U0001f600\"", 400_000));
        string person = string.Concat(Enumerable.Repeat("\U0001f600", 1000));
        var element = Json($$"""{"text":"{{new string('x', 1_000_000)}}"}""");
        var gates = Enumerable.Range(0, 200)
            .Select(i =>
                new GateRecord($"gate-{i}", "fail", new string('r', 2000), [.. Enumerable.Range(0, 50).Select(n => DigestOf($"{n}"))]))
            .ToList();
        var images = Enumerable.Range(0, 100).Select(i => new AppliedImage($"image{i}",
            [.. Enumerable.Range(0, 50).Select(n => new AppliedFile($"tests/{n}.yaml", DigestOf($"{n}")))])).ToList();
        LedgerEvent[] largest =
        [
            new ProjectApplied("shop", DigestOf("x"), new string('y', 1 << 20), images),
            new PromotionDecided("shop", "web", "shop/web", DigestOf("i"), "production", false, gates),
            Requested(state),
            new RolloutIntent("r1", key, "SetWeights", element),
            new RolloutAcknowledged("r1", key, machine),
            new RolloutStateChanged("r1", "Shifting", machine, element),
            new RolloutPaused("r1", "alice", person),
            new RolloutResumed("r1", "alice", person),
            new RolloutFinished("r1", "RolledBack", machine, element),
            new GenerationRetired("shop", "web", "production", 7, machine),
            new RepairIntended("shop", "web", "production", key, "EnsureProxy", element),
            new RepairAcknowledged("shop", "web", "production", key, machine),
            new Quarantined("shop", "web", "production", DigestOf("i"), machine),
            new QuarantineLifted("shop", "web", "production", DigestOf("i"), person),
            new Approved("shop", "web", DigestOf("i"), "production", "alice", person),
            new Rejected("shop", "web", DigestOf("i"), "production", "alice", person),
            new Revoked("shop", "web", DigestOf("i"), person),
            new ServiceStopped("shop", "web", "production", machine),
        ];
        foreach (var value in largest)
        {
            var entry = await _ledger.AppendAsync("x", value);
            Assert.True(entry.ToBytes().Length <= 32_768, $"'{value.Kind}' has {entry.ToBytes().Length} bytes");
        }

        Assert.True(_ledger.Read(view => view.Promotion("shop", "web", "production", DigestOf("i"))!.Gates.Count == 200));
        Assert.Equal(element.GetRawText(), _ledger.Read(view => view.Whole(view.Move("r1", key)!.Detail).GetRawText()));
        Assert.Equal(100, _ledger.Read(view => ((ProjectApplied)view.Whole(view.Entry(0)!.Event)).Images!.Count));
        Assert.Empty((await LedgerVerifier.VerifyAsync(_test.Home)).Problems);
    }

    [Fact]
    public async Task TwoLongKeysThatBeginAlikeAreTwoMoves()
    {
        await _ledger.AppendAsync("x", Requested(State(1, 1)));
        string[] keys = [new string('k', 5000) + "1", new string('k', 5000) + "2"];
        foreach (string key in keys)
            await _ledger.AppendAsync("x", new RolloutIntent("r1", key, "SetWeights", Json("{}")));
        await _ledger.AppendAsync("x", new RolloutAcknowledged("r1", keys[0], "done"));

        Assert.Equal("done", _ledger.Read(view => view.Move("r1", keys[0]))!.Outcome);
        Assert.Null(_ledger.Read(view => view.Move("r1", keys[1]))!.Outcome);
    }

    private RecordedState Read() => _ledger.Read(view => view.State(view.Rollout("r1")!, _ledger.Working));

    private async Task<List<LedgerEntry>> EntriesAsync()
    {
        var entries = new List<LedgerEntry>();
        await foreach (var entry in _ledger.ReadAsync(0))
            entries.Add(entry);
        return entries;
    }

    private async Task<LedgerEntry> BeginAsync(RolloutState state)
    {
        await _ledger.AppendAsync("x", Requested(state));
        return await RecordAsync(state, 0);
    }

    private Task<LedgerEntry> RecordAsync(RolloutState state, int changesRecorded) =>
        _ledger.AppendAsync("ingot",
            new RolloutStateChanged("r1", state.Phase.ToString(), "", Json(ReleasesJson.WriteRecord(state, changesRecorded))));

    private static ReleaseRequested Requested(RolloutState state) => new(
        "shop", "web", "production", "shop/web", state.Spec.Next.Digest, "release", Json(ReleasesJson.Write(state.Spec)), "r1", 7, "1.0.0");

    private static RolloutState State(int replicas, int configuration)
    {
        var next = Generation(7, replicas, configuration);
        var spec = new RolloutSpec
        {
            Key = s_key,
            Proxy = new ProxySettings(new ListenAddress("0.0.0.0", 8080), TimeSpan.FromSeconds(1)),
            Next = next,
            Previous = Generation(6, replicas, configuration),
            Warm = [Generation(5, replicas, configuration)],
            By = "alice",
            Reason = "release",
        };
        return Rollout(spec, replicas);
    }

    private static RolloutState Rollout(RolloutSpec spec, int replicas) => Releases.Rollout.Begin(spec, s_now) with
    {
        Phase = RolloutPhase.Shifting,
        Goals = [new GenerationGoal(6, replicas, 90, Presence.Running), new GenerationGoal(7, replicas, 10, Presence.Running)],
        Instances = Enumerable.Range(0, replicas).ToDictionary(i => $"g7-{i}", _ => new InstanceMemory(s_now, 1, 1, s_now, 1)),
        Judgement = new Judgement
        {
            Epoch = "e1",
            UserRequests = 1000,
            Evidence = OddsMixture.Empty.Observe(new Arm(100, 3), new Arm(900, 4)),
            Held = Enumerable.Range(0, replicas).ToDictionary(i => $"g7-{i}", _ => new HeldErrors(3, s_now)),
            Counters = Enumerable.Range(0, replicas).ToDictionary(i => $"g7-{i}", _ => new ServerCounters(1000, 1, 2, 3, 4)),
        },
    };

    private static Generation Generation(int number, int replicas, int configuration) => new()
    {
        Number = number,
        Repository = "127.0.0.1:7070/shop/web",
        Digest = DigestOf($"image {number}"),
        Version = $"1.{number}",
        Replicas = replicas,
        Port = 80,
        Config = new SortedDictionary<string, string>(StringComparer.Ordinal) { ["TEXT"] = new string('c', configuration) },
    };
}
