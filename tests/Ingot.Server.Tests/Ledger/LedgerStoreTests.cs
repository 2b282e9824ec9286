using System.Security.Cryptography;
using Ingot.Oci.Content;
using Ingot.Server.Ledger;
using Ingot.Server.Storage;
using Ingot.Transparency;
using static Ingot.Server.Ledger.LedgerEvent;
using static Ingot.Server.Tests.Ledger.SampleEvents;

namespace Ingot.Server.Tests.Ledger;

public sealed class LedgerStoreTests : IAsyncLifetime
{
    private static readonly Digest s_digest = DigestOf("an image");
    private readonly TestHome _test = new();
    private LedgerStore _ledger = null!;

    public async ValueTask InitializeAsync() => _ledger = await LedgerStore.OpenAsync(_test.Home, TimeProvider.System);

    public async ValueTask DisposeAsync()
    {
        await _ledger.DisposeAsync();
        _test.Dispose();
    }

    [Fact]
    public async Task AnEntryIsFoundInTheTablesAsSoonAsItIsAcknowledged()
    {
        await PublishAsync("shop/web", s_digest);
        var entry = await _ledger.AppendAsync("alice", new TagBound("shop/web", "1.0", s_digest));

        Assert.Equal(1, entry.Seq);
        Assert.Equal("alice", entry.Actor);
        var tag = _ledger.Read(view => view.Tag("shop/web", "1.0"))!;
        Assert.Equal((s_digest, 1L), (tag.Digest, tag.Entry));
        Assert.Equal(entry.Time, tag.Time);
    }

    [Fact]
    public async Task EverythingOfALifeIsInTheTables()
    {
        await _ledger.AppendAsync("tester", [.. Life(1)]);
        var image = DigestOf("image 1");
        _ledger.Read(view =>
        {
            var rollout = view.Rollout("r001")!;
            Assert.Equal(("shop", "web", "production", "shop/web1", "1.1", 1L),
                (rollout.Project, rollout.Service, rollout.Stage, rollout.Repository, rollout.Version, rollout.Generation));
            Assert.Equal(("Shifting", "done", "all served"), (rollout.State, rollout.Outcome, rollout.OutcomeReason));
            Assert.Equal("""{"step":1,"share":0.05}""", rollout.StateDetail!.Value.GetRawText());
            Assert.Equal(1000, rollout.Receipt!.Value.GetProperty("requests").GetInt32());
            Assert.Null(rollout.PausedBy);
            Assert.Equal("done", view.Move("r001", "start-1")!.Outcome);
            Assert.Single(view.Moves("r001"));
            Assert.True(view.Generations("shop", "web", "production").Single().IsRetired);
            Assert.Empty(view.LiveServices());
            Assert.Equal(2, view.NextGeneration("shop", "web", "production"));
            Assert.Equal(1, view.NextGeneration("shop", "web", "staging"));

            var promotion = view.Promotion("shop", "web", "staging", image)!;
            Assert.False(promotion.Admitted);
            Assert.Equal([DigestOf("evidence 1")], promotion.Gates[0].Evidence);
            Assert.Single(view.Promotions("shop", stage: "staging"));
            Assert.Empty(view.Promotions("shop", stage: "production"));
            Assert.Equal([("alice", true), ("bob", false)],
                view.Approvals("shop", "web", "production", image).Select(approval => (approval.Who, approval.IsApproved)));
            Assert.Equal("CVE-2026-1", view.Revocation("shop", "web", image)!.Reason);
            Assert.Null(view.Quarantine("shop", "web", "production", image));
            Assert.Equal("failed too", view.Quarantine("shop", "web", "staging", image)!.Reason);
            Assert.Single(view.Quarantined("shop", "web", "staging"));

            Assert.Equal(["1.1"], view.Tags("shop/web1").Select(tag => tag.Tag));
            Assert.Equal(["1.1"], view.TagsOf("shop/web1", image).Select(tag => tag.Tag));
            Assert.Equal(2, view.Manifests("shop/web1").Count);
            Assert.Equal("https://slsa.dev/provenance/v1", view.Referrers("shop/web1", image).Single().PredicateType);
            Assert.NotNull(view.Manifest("shop/web1", image));
            Assert.True(view.IsBlobDeleted("shop/web1", DigestOf("blob 1")));
            Assert.False(view.IsBlobDeleted("shop/web1", DigestOf("other 1")));
            Assert.Equal([("k1", "retired"), ("t1", "trusted")], view.Keys().Select(key => (key.KeyId, key.Status)));
            Assert.Contains("# 1 ä", view.Project("shop")!.Text, StringComparison.Ordinal);
            return true;
        });
    }

    [Fact]
    public async Task APausedRolloutSaysByWhomAndUntilWhen()
    {
        await _ledger.AppendAsync("tester", [.. Life(1).TakeWhile(value => value is not RolloutResumed)]);
        var rollout = _ledger.Read(view => view.Rollout("r001"))!;

        Assert.Equal(("alice", "lunch", DateTimeOffset.UnixEpoch.AddDays(1)), (rollout.PausedBy, rollout.PauseReason, rollout.PausedUntil));
    }

    [Fact]
    public async Task DecidingAndAppendingAreOneStep()
    {
        await PublishAsync("shop/web", s_digest);
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => _ledger.AppendAsync($"{i}", view =>
            view.Tag("shop/web", "1.0") is null ? [new TagBound("shop/web", "1.0", s_digest)] : [])));

        Assert.Single(answers, entries => entries.Count == 1);
        Assert.Equal(2, _ledger.Size);
    }

    [Fact]
    public async Task WhatADecisionThrowsReachesItsCallerAndNobodyElse()
    {
        var others = Enumerable.Range(0, 20).Select(i => PublishAsync("shop/web", DigestOf($"{i}"))).ToList();
        var failing = _ledger.AppendAsync("x", _ => throw new InvalidDataException("no"));
        others.AddRange(Enumerable.Range(20, 20).Select(i => PublishAsync("shop/web", DigestOf($"{i}"))));

        Assert.Equal("no", (await Assert.ThrowsAsync<InvalidDataException>(() => failing)).Message);
        await Task.WhenAll(others);
        Assert.Equal(40, _ledger.Size);
        await ExpectVerifiesAsync();
    }

    [Fact]
    public async Task OfSeveralEventsAllAreAppendedOrNone()
    {
        await PublishAsync("shop/web", s_digest);
        await Assert.ThrowsAsync<LedgerException>(() =>
            _ledger.AppendAsync("x", [new TagBound("shop/web", "1.0", s_digest), new RolloutResumed("nothing", "x", "y")]));

        Assert.Equal(1, _ledger.Size);
        Assert.Null(_ledger.Read(view => view.Tag("shop/web", "1.0")));
        await PublishAsync("shop/web", DigestOf("another"));
        await ExpectVerifiesAsync();
    }

    public static TheoryData<LedgerEvent> AboutNothing =>
    [
        new TagBound("shop/web", "1.0", s_digest),
        new RolloutIntent("nothing", "k", "start", Json("{}")),
        new RolloutAcknowledged("nothing", "k", "done"),
        new RolloutStateChanged("nothing", "Done", "", Json("{}")),
        new RolloutPaused("nothing", "x", "y"),
        new RolloutFinished("nothing", "done", "", Json("{}")),
        new GenerationRetired("shop", "web", "production", 1, ""),
        new KeyRetired("nothing", ""),
    ];

    [Theory]
    [MemberData(nameof(AboutNothing))]
    public async Task AnEntryAboutWhatTheLedgerDoesNotKnowIsRefused(LedgerEvent value)
    {
        await Assert.ThrowsAsync<LedgerException>(() => _ledger.AppendAsync("x", value));
        Assert.Equal(0, _ledger.Size);
    }

    [Fact]
    public async Task AnEntryTooLargeIsRefusedWithTheCure()
    {
        var e = await Assert.ThrowsAsync<LedgerException>(() => _ledger.AppendAsync("x", new ServerStarted(new string('x', 70_000))));
        Assert.Contains("keep what is large as a blob", e.Message, StringComparison.Ordinal);
        await _ledger.AppendAsync("x", new ServerStarted(new string('x', 65_000)));
        await ExpectVerifiesAsync();
    }

    [Fact]
    public async Task ACancelledAppendIsNotMade()
    {
        using var source = new CancellationTokenSource();
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _ledger.AppendAsync("x", new ServerStarted("1"), source.Token));

        Assert.Equal(0, _ledger.Size);
    }

    [Fact]
    public async Task ManyWhoAppendAtOnceEachGetTheirOwnPlace()
    {
        var entries = await Task.WhenAll(Enumerable.Range(0, 64).Select(async appender =>
        {
            var own = new List<long>();
            for (int i = 0; i < 10; i++)
                own.Add((await PublishAsync("shop/web", DigestOf($"{appender} {i}"))).Seq);
            return own;
        }));

        Assert.All(entries, own => Assert.Equal(own.Order(), own));
        Assert.Equal(Enumerable.Range(0, 640).Select(i => (long)i), entries.SelectMany(own => own).Order());
        await ExpectVerifiesAsync();
    }

    [Fact]
    public async Task ALedgerOpenedAgainGoesOn()
    {
        await _ledger.AppendAsync("x", [.. Lives(12)]);
        string? before = _ledger.Checkpoint();
        await ReopenAsync();
        Assert.Equal(before, _ledger.Checkpoint());
        await _ledger.AppendAsync("x", [.. Life(13)]);

        await ExpectVerifiesAsync(Checkpoint.ParseSigned(before!, _ledger.Verifier));
    }

    [Fact]
    public async Task ALedgerIsOpenInOneProcessOnly()
    {
        var e = await Assert.ThrowsAsync<LedgerException>(() => LedgerStore.OpenAsync(_test.Home, TimeProvider.System));
        Assert.Contains("open in another process", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task NothingIsAppendedToAClosedLedger()
    {
        await _ledger.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => _ledger.AppendAsync("x", new ServerStarted("1")));
        await _ledger.DisposeAsync();
    }

    [Fact]
    public async Task WhatWasQueuedBeforeClosingIsAppended()
    {
        var queued = Enumerable.Range(0, 30).Select(i => PublishAsync("shop/web", DigestOf($"{i}"))).ToList();
        await _ledger.DisposeAsync();

        Assert.Equal(30, (await Task.WhenAll(queued)).Length);
    }

    [Fact]
    public void TheKeyIsForItsOwnerOnly()
    {
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_test.Home.LogKey));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_test.Home.Keys));
    }

    [Fact]
    public async Task AKeyThatOthersMayReadIsRefusedWithTheCure()
    {
        await _ledger.DisposeAsync();
        File.SetUnixFileMode(_test.Home.LogKey, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        await ExpectCannotOpenAsync("chmod 600");
    }

    [Fact]
    public async Task ALedgerWhoseKeyIsLostIsNotContinuedWithANewOne()
    {
        await PublishAsync("shop/web", s_digest);
        await _ledger.DisposeAsync();
        File.Delete(_test.Home.LogKey);
        await ExpectCannotOpenAsync("restore it from a backup");
    }

    [Fact]
    public async Task AnotherKeyThanTheLedgersIsRefused()
    {
        await _ledger.DisposeAsync();
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        await File.WriteAllTextAsync(_test.Home.LogKey, other.ExportPkcs8PrivateKeyPem());
        await ExpectCannotOpenAsync("not halves of one key");
        await File.WriteAllTextAsync(_test.Home.LogKey, "no key at all");
        await ExpectCannotOpenAsync("could not be read");
    }

    [Theory]
    [InlineData("PRAGMA user_version = 99", "use the version of Ingot that wrote it")]
    [InlineData("DELETE FROM edge", "run 'ingot log verify'")]
    public async Task ALedgerThatIsNotAsItWasWrittenIsNotContinued(string sql, string cure)
    {
        await PublishAsync("shop/web", s_digest);
        await _ledger.DisposeAsync();
        using (var db = SqliteDatabase.OpenWriter(_test.Home.Database))
            db.Execute(sql);
        await ExpectCannotOpenAsync(cure);
    }

    [Fact]
    public async Task AFileThatIsNoDatabaseIsNotOpened()
    {
        await _ledger.DisposeAsync();
        await File.WriteAllTextAsync(_test.Home.Database, new string('x', 5000));
        File.Delete(_test.Home.Database + "-wal");
        await ExpectCannotOpenAsync("could not be opened");
    }

    [Fact]
    public async Task EntriesAreFoundByWhatTheyAreAbout()
    {
        await _ledger.AppendAsync("x", [.. Lives(3)]);
        string[] Kinds(LedgerFilter filter) =>
            _ledger.Read(view => view.Entries(0, 1000, filter)).Select(entry => entry.Event.Kind).ToArray();

        Assert.Equal(7, Kinds(new() { Rollout = "r002" }).Length);
        Assert.Equal(["release-requested"], Kinds(new() { Rollout = "r002", Repository = "shop/web2" }));
        Assert.Equal(3, Kinds(new() { Kind = "approved" }).Length);
        Assert.Equal(["approved"], Kinds(new() { Kind = "approved", Digest = DigestOf("image 2") }));
        Assert.Contains("evidence-attached", Kinds(new() { Digest = DigestOf("image 2") }));
        Assert.Contains("rollout-finished", Kinds(new() { Digest = DigestOf("image 2") }));
        Assert.Contains("rollout-finished", Kinds(new() { Service = "shop/web" }));
        Assert.Contains("promotion-decided", Kinds(new() { Project = "shop" }));
        Assert.Empty(Kinds(new() { Project = "other" }));
    }

    [Fact]
    public async Task EntriesAreReadInPagesBothWays()
    {
        await _ledger.AppendAsync("x", [.. Lives(20)]);
        var all = new List<long>();
        await foreach (var entry in _ledger.ReadAsync(7))
            all.Add(entry.Seq);
        Assert.Equal(Enumerable.Range(7, (int)_ledger.Size - 7).Select(i => (long)i), all);

        var latest = _ledger.Read(view => view.Latest(3));
        Assert.Equal([_ledger.Size - 1, _ledger.Size - 2, _ledger.Size - 3], latest.Select(entry => entry.Seq));
        latest = _ledger.Read(view => view.Latest(1, before: latest[^1].Seq, new LedgerFilter { Kind = "approved" }));
        Assert.True(latest.Single().Seq < _ledger.Size - 3);
    }

    [Fact]
    public async Task WhoWaitsForMoreIsWoken()
    {
        var waiting = _ledger.WaitBeyondAsync(0);
        Assert.False(waiting.IsCompleted);
        await PublishAsync("shop/web", s_digest);
        await waiting.WaitAsync(TimeSpan.FromSeconds(10));
        await _ledger.WaitBeyondAsync(0);

        using var source = new CancellationTokenSource();
        var cancelled = _ledger.WaitBeyondAsync(1, source.Token);
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
    }

    [Fact]
    public async Task EveryEntryCanBeProvedAndEverySizeContinuesTheOnesBefore()
    {
        await _ledger.AppendAsync("x", [.. Lives(18)]);
        long size = _ledger.Size;
        Assert.InRange(size, 2 * Tile.FullWidth, 3 * Tile.FullWidth);
        foreach (long seq in (long[])[0, 1, 127, 128, 255, 256, 257, 400, size - 1])
        {
            var proof = LogProof.Parse(_ledger.Prove(seq)!.ToString());
            Assert.Equal(size, proof.Verify(_ledger.Read(view => view.EntryBytes(seq))!, _ledger.Verifier).Size);
            Assert.Throws<FormatException>(() => proof.Verify("another entry"u8, _ledger.Verifier));

            var older = new Checkpoint(_ledger.Origin, seq + 1, _ledger.Read(view => view.RootAt(seq + 1))!.Value);
            var newer = Checkpoint.ParseSigned(_ledger.Checkpoint()!, _ledger.Verifier);
            Assert.True(MerkleTree.VerifyConsistency(older.Size, older.Root, newer.Size, newer.Root,
                _ledger.ProveConsistency(older.Size, newer.Size)!));
        }

        Assert.Null(_ledger.Prove(size));
        Assert.Null(_ledger.Prove(-1));
        Assert.Null(_ledger.ProveConsistency(3, size + 1));
        Assert.Null(_ledger.ProveConsistency(5, 3));
        Assert.Null(_ledger.Checkpoint(size + 1));
        Assert.Null(_ledger.Read(view => view.RootAt(size + 1)));
        Assert.Null(_ledger.Read(view => view.RootAt(-1)));
    }

    [Fact]
    public async Task TheRootFollowsFromTheTilesAlone()
    {
        await _ledger.AppendAsync("x", [.. Lives(18)]);
        var checkpoint = Checkpoint.ParseSigned(_ledger.Checkpoint()!, _ledger.Verifier);
        var tree = CompactTree.Empty;
        var tileRoots = new List<MerkleHash>();
        for (long start = 0; start < checkpoint.Size; start += Tile.FullWidth)
        {
            int width = (int)Math.Min(Tile.FullWidth, checkpoint.Size - start);
            var hashes = _ledger.Tile(new Tile(0, start / Tile.FullWidth, width))!;
            var entries = Tile.ReadEntries(_ledger.Tile(new Tile(Tile.Entries, start / Tile.FullWidth, width))!);
            Assert.Equal(Tile.Write([.. entries.Select(entry => MerkleTree.HashLeaf(entry))]), hashes);
            foreach (var entry in entries)
                tree = tree.Append(MerkleTree.HashLeaf(entry), (level, _, hash) => tileRoots.AddRange(level == Tile.Height ? [hash] : []));
        }

        Assert.Equal(checkpoint.Root, tree.Root);
        Assert.Equal(Tile.Write(tileRoots), _ledger.Tile(new Tile(1, 0, 2)));
    }

    [Theory]
    [InlineData(0, 0, 31)]
    [InlineData(0, 1, 1)]
    [InlineData(0, -1, 1)]
    [InlineData(0, 0, 0)]
    [InlineData(0, 0, 257)]
    [InlineData(1, 0, 1)]
    [InlineData(63, 0, 1)]
    [InlineData(Tile.Entries, 0, 31)]
    public async Task ATileTheLogHasNotGrownOverIsNotThere(int level, long index, int width)
    {
        await _ledger.AppendAsync("x", [.. Life(1)]);
        Assert.Equal(30, _ledger.Size);
        Assert.Null(_ledger.Tile(new Tile(level, index, width)));
    }

    [Fact]
    public void AnEmptyLedgerHasNoCheckpoint() => Assert.Null(_ledger.Checkpoint());

    private Task<LedgerEntry> PublishAsync(string repository, Digest digest) =>
        _ledger.AppendAsync("ci", new ImagePublished(repository, digest, MediaType.Manifest, 7));

    private async Task ReopenAsync()
    {
        await _ledger.DisposeAsync();
        _ledger = await LedgerStore.OpenAsync(_test.Home, TimeProvider.System);
    }

    private async Task ExpectVerifiesAsync(Checkpoint? known = null) =>
        Assert.Empty((await LedgerVerifier.VerifyAsync(_test.Home, known is null ? [] : [known])).Problems);

    private async Task ExpectCannotOpenAsync(string cure)
    {
        var e = await Assert.ThrowsAsync<LedgerException>(() => LedgerStore.OpenAsync(_test.Home, TimeProvider.System));
        Assert.Contains(cure, e.Message, StringComparison.Ordinal);
        // What failed to open does not hold the lock.
        await Assert.ThrowsAsync<LedgerException>(() => LedgerStore.OpenAsync(_test.Home, TimeProvider.System));
    }
}
