using Ingot.Server.Ledger;
using Ingot.Server.Storage;
using Ingot.Transparency;
using static Ingot.Server.Ledger.LedgerEvent;

namespace Ingot.Server.Tests.Ledger;

/// <summary>The end of a ledger: what is gone of it is missed.</summary>
public sealed class LedgerEndTests : IDisposable
{
    private readonly TestHome _test = new();

    public void Dispose() => _test.Dispose();

    [Fact]
    public async Task ALedgerThatIsGoneIsNotBegunAnewWithTheSameKey()
    {
        await AppendAsync(3);
        DeleteDatabase();

        await ExpectLossAsync("has 0 entries, and this home remembers 3");
    }

    [Fact]
    public async Task ALedgerWithoutItsWriteAheadLogIsMissed()
    {
        await AppendAsync(2);
        await using (var ledger = await LedgerStore.OpenAsync(_test.Home, TimeProvider.System))
        {
            await ledger.AppendAsync("x", new ServerStarted("3"));
            File.Copy(_test.Home.Database, _test.Home.Database + ".killed");
        }

        // As after a kill, when somebody tidies what looks like a leftover.
        DeleteDatabase();
        File.Move(_test.Home.Database + ".killed", _test.Home.Database);

        await ExpectLossAsync("has 2 entries, and this home remembers 3");
    }

    [Fact]
    public async Task AnEarlierCopyIsMissed()
    {
        await AppendAsync(40);
        File.Copy(_test.Home.Database, _test.Home.Database + ".backup");
        await AppendAsync(1);
        DeleteDatabase();
        File.Move(_test.Home.Database + ".backup", _test.Home.Database);

        await ExpectLossAsync("has 40 entries, and this home remembers 41");
    }

    [Fact]
    public async Task AnotherLedgerOfTheSameLengthIsMissed()
    {
        await AppendAsync(40);
        byte[] head = await File.ReadAllBytesAsync(_test.Home.LogHead);
        DeleteDatabase();
        await LedgerStore.AcceptLossAsync(_test.Home, TimeProvider.System, "mallory", "rewritten");
        await AppendAsync(60);
        await File.WriteAllBytesAsync(_test.Home.LogHead, head);

        await ExpectLossAsync("is not the one that this home remembers");
    }

    [Fact]
    public async Task AKeyWithoutALedgerAndWithoutAMemoryIsThatOfALostOne()
    {
        await AppendAsync(3);
        DeleteDatabase();
        File.Delete(_test.Home.LogHead);

        await ExpectLossAsync("is empty, and its key");
    }

    [Fact]
    public async Task AMemoryThatCannotBeReadIsNotTakenForNone()
    {
        await AppendAsync(3);
        await File.WriteAllTextAsync(_test.Home.LogHead, "nothing");

        await ExpectLossAsync("cannot be read");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task OneBlockOfTheMemoryIsEnough(int block)
    {
        await AppendAsync(5);
        using (var file = File.OpenWrite(_test.Home.LogHead))
        {
            file.Position = block * 4096;
            file.Write(new byte[300]);
        }

        await AppendAsync(1);
        using var key = NoteVerifier.Parse((await File.ReadAllTextAsync(_test.Home.LogPublicKey)).Trim());
        Assert.Equal(6, LedgerHead.Read(_test.Home, key)!.Size);
    }

    [Fact]
    public async Task AHomeOfAnEarlierVersionBeginsToRemember()
    {
        await AppendAsync(3);
        File.Delete(_test.Home.LogHead);
        await AppendAsync(1);
        DeleteDatabase();

        await ExpectLossAsync("remembers 4");
    }

    [Fact]
    public async Task AProgramThatWasKilledBeforeTheFirstEntryStarts()
    {
        await AppendAsync(0);
        DeleteDatabase();
        await AppendAsync(1);

        Assert.Empty((await LedgerVerifier.VerifyAsync(_test.Home)).Problems);
    }

    [Fact]
    public async Task ALossIsAcceptedOnTheRecordAndOnlyWhenThereIsOne()
    {
        await AppendAsync(3);
        var e = await Assert.ThrowsAsync<LedgerException>(() =>
            LedgerStore.AcceptLossAsync(_test.Home, TimeProvider.System, "alice", "why not"));
        Assert.Contains("nothing to accept", e.Message, StringComparison.Ordinal);

        using var key = NoteVerifier.Parse((await File.ReadAllTextAsync(_test.Home.LogPublicKey)).Trim());
        var known = LedgerHead.Read(_test.Home, key)!;
        DeleteDatabase();
        var entry = await LedgerStore.AcceptLossAsync(_test.Home, TimeProvider.System, "alice", "the disk broke");
        Assert.Equal(new LossAccepted(0, 3, known.Root.ToString(), "the disk broke"), entry.Event);

        await AppendAsync(5);
        Assert.Empty((await LedgerVerifier.VerifyAsync(_test.Home)).Problems);
        Assert.NotEmpty((await LedgerVerifier.VerifyAsync(_test.Home, [known])).Problems);
    }

    [Fact]
    public async Task ALossIsAcceptedWhenTheMemoryIsDamaged()
    {
        await AppendAsync(3);
        await File.WriteAllTextAsync(_test.Home.LogHead, "nothing");
        await LedgerStore.AcceptLossAsync(_test.Home, TimeProvider.System, "alice", "the disk broke");
        await AppendAsync(1);

        Assert.Equal(5, (await LedgerVerifier.VerifyAsync(_test.Home)).Size);
    }

    [Fact]
    public async Task EveryKnownCheckpointIsComparedAndTheOneThatDoesNotHoldIsNamed()
    {
        var known = new List<Checkpoint>();
        await using (var ledger = await LedgerStore.OpenAsync(_test.Home, TimeProvider.System))
        {
            for (int i = 0; i < 70; i++)
            {
                await ledger.AppendAsync("x", new ServerStarted($"{i}"));
                known.Add(Checkpoint.ParseSigned(ledger.Checkpoint()!, ledger.Verifier));
            }
        }

        Assert.Empty((await LedgerVerifier.VerifyAsync(_test.Home, known)).Problems);
        known[41] = known[41] with { Root = known[40].Root };
        var problem = Assert.Single((await LedgerVerifier.VerifyAsync(_test.Home, known)).Problems);
        Assert.Equal(41, problem.Entry);
        Assert.Contains("rewritten", problem.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ALedgerOfTheFirstSchemaIsBroughtUpToDate()
    {
        await using (var ledger = await LedgerStore.OpenAsync(_test.Home, TimeProvider.System))
            await ledger.AppendAsync("tester", [.. SampleEvents.Life(1), .. SampleEvents.Life(2), .. SampleEvents.Life(3)]);
        var before = await LedgerVerifier.VerifyAsync(_test.Home);
        MakeFirstSchema();
        Assert.Contains((await LedgerVerifier.VerifyAsync(_test.Home)).Problems,
            problem => problem.Problem.Contains("earlier version", StringComparison.Ordinal));

        await AppendAsync(1);
        var report = await LedgerVerifier.VerifyAsync(_test.Home);
        Assert.Empty(report.Problems);
        Assert.Equal(before.Size + 1, report.Size);
        Assert.False(File.Exists(_test.Home.Database + ".upgrade"));
    }

    [Fact]
    public async Task AQuarantineOfTheSecondSchemaIsOfTheDigestWhateverTheSettings()
    {
        var (digest, settings) = (Oci.Content.Digest.Of([1]), Oci.Content.Digest.Of([2]));
        await using (var ledger = await LedgerStore.OpenAsync(_test.Home, TimeProvider.System))
            await ledger.AppendAsync("tester", new Quarantined("shop", "web", "production", digest, "failed"));
        MakeSecondSchema();

        await using var upgraded = await LedgerStore.OpenAsync(_test.Home, TimeProvider.System);

        var quarantine = upgraded.Read(view => view.Quarantine("shop", "web", "production", digest, settings));
        Assert.Equal(("failed", null), (quarantine?.Reason, quarantine?.Settings));
        Assert.Empty((await LedgerVerifier.VerifyAsync(_test.Home)).Problems);
    }

    [Fact]
    public async Task AnUpgradeThatWasKilledBeginsAgain()
    {
        await AppendAsync(3);
        MakeFirstSchema();
        await File.WriteAllTextAsync(_test.Home.Database + ".upgrade", "half a database");
        await AppendAsync(1);

        Assert.Empty((await LedgerVerifier.VerifyAsync(_test.Home)).Problems);
    }

    /// <summary>The first schema remembered nothing: a program that only opened the home, or was killed before its first entry,
    /// has to have begun.</summary>
    [Fact]
    public async Task AHomeOfTheFirstSchemaThatWasOnlyOpenedIsOpenedAgainAndRemembered()
    {
        await AppendAsync(3);
        File.Delete(_test.Home.LogHead);
        MakeFirstSchema();
        for (int i = 0; i < 3; i++)
            await AppendAsync(0);
        DeleteDatabase();

        await ExpectLossAsync("has 0 entries, and this home remembers 3");
    }

    /// <summary>Nothing is forgotten before the loss is on the record: the acceptance is made to fail.</summary>
    [Fact]
    public async Task ALossThatCouldNotBeRecordedIsNotForgotten()
    {
        await AppendAsync(3);
        var known = Remembered();
        DeleteDatabase();
        var e = await Assert.ThrowsAsync<LedgerException>(() =>
            LedgerStore.AcceptLossAsync(_test.Home, TimeProvider.System, "alice", new string('x', LedgerEntry.MaxBytes)));
        Assert.Contains("bytes", e.Message, StringComparison.Ordinal);

        await ExpectLossAsync("this home remembers 3");
        var entry = await LedgerStore.AcceptLossAsync(_test.Home, TimeProvider.System, "alice", "the disk broke");
        Assert.Equal(new LossAccepted(0, 3, known.Root.ToString(), "the disk broke"), entry.Event);
        Assert.Equal(1, Remembered().Size);
    }

    [Fact]
    public async Task WhatTheHomeRemembersIsVerifiedToo()
    {
        await AppendAsync(40);
        File.Copy(_test.Home.Database, _test.Home.Database + ".backup");
        await AppendAsync(1);
        DeleteDatabase();
        File.Move(_test.Home.Database + ".backup", _test.Home.Database);
        Assert.Contains((await LedgerVerifier.VerifyAsync(_test.Home)).Problems,
            problem => problem.Problem.Contains("it had 41 entries and has 40", StringComparison.Ordinal));

        await File.WriteAllTextAsync(_test.Home.LogHead, "nothing");
        Assert.Contains((await LedgerVerifier.VerifyAsync(_test.Home)).Problems,
            problem => problem.Problem.Contains("cannot be read", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ALogWhoseKeyAndLedgerAreGoneIsNotBegunAnewWhileItIsRemembered()
    {
        await AppendAsync(3);
        DeleteDatabase();
        File.Delete(_test.Home.LogKey);

        var e = await Assert.ThrowsAsync<LedgerException>(() => LedgerStore.OpenAsync(_test.Home, TimeProvider.System));
        Assert.Contains("remembers 3 entries", e.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(_test.Home.LogKey));
        Assert.Equal(3, Remembered().Size);
    }

    [Fact]
    public async Task AProgramThatWasKilledBeforeItsKeyWasWholeStarts()
    {
        await AppendAsync(0);
        DeleteDatabase();
        File.Delete(_test.Home.LogKey);
        await AppendAsync(1);

        Assert.Empty((await LedgerVerifier.VerifyAsync(_test.Home)).Problems);
    }

    /// <summary>A kill in the middle of the first write leaves a database with a journal that says how to undo it.</summary>
    [Fact]
    public async Task AFirstStartThatWasKilledInTheMiddleOfAWriteIsUndone()
    {
        MakeHotJournal();
        await AppendAsync(1);

        Assert.Empty((await LedgerVerifier.VerifyAsync(_test.Home)).Problems);
    }

    [Fact]
    public async Task ALedgerThatOnlySaysThatItIsOfTheFirstSchemaKeepsItsDocuments()
    {
        await using (var ledger = await LedgerStore.OpenAsync(_test.Home, TimeProvider.System))
            await ledger.AppendAsync("x", new ProjectApplied("shop", SampleEvents.DigestOf("x"), new string('x', 100_000)));
        using (var db = SqliteDatabase.OpenWriter(_test.Home.Database))
            db.ExecuteScript("PRAGMA user_version = 1");
        await AppendAsync(1);

        Assert.Empty((await LedgerVerifier.VerifyAsync(_test.Home)).Problems);
    }

    [Fact]
    public async Task AnEdgeThatIsNotThatOfTheEntriesIsNotSigned()
    {
        await AppendAsync(7);
        using (var db = SqliteDatabase.OpenWriter(_test.Home.Database))
            db.ExecuteScript("UPDATE edge SET hashes = randomblob(length(hashes))");

        await ExpectDamageAsync();
    }

    [Theory]
    [InlineData("UPDATE entries SET leaf = x'00' WHERE seq = 6")]
    [InlineData("UPDATE entries SET leaf = 'text' WHERE seq = 6")]
    [InlineData("UPDATE entries SET leaf = 7 WHERE seq = 6")]
    [InlineData("UPDATE edge SET hashes = 7")]
    public async Task ALedgerThatIsDamagedIsNotOpenedAndNoFault(string sql)
    {
        await AppendAsync(7);
        using (var db = SqliteDatabase.OpenWriter(_test.Home.Database))
            db.ExecuteScript(sql);

        await ExpectDamageAsync();
    }

    [Fact]
    public async Task ALockThatCannotBeMadeIsNotThatOfAnotherProcess()
    {
        File.CreateSymbolicLink(_test.Home.Lock, _test.Home.Lock);
        var e = await Assert.ThrowsAsync<LedgerException>(() => LedgerStore.OpenAsync(_test.Home, TimeProvider.System));
        Assert.False(e.IsOpenElsewhere, e.Message);
        File.Delete(_test.Home.Lock);

        await using var held = await LedgerStore.OpenAsync(_test.Home, TimeProvider.System);
        e = await Assert.ThrowsAsync<LedgerException>(() => LedgerStore.OpenAsync(_test.Home, TimeProvider.System));
        Assert.True(e.IsOpenElsewhere, e.Message);
    }

    private async Task ExpectDamageAsync()
    {
        var e = await Assert.ThrowsAsync<LedgerException>(() => LedgerStore.OpenAsync(_test.Home, TimeProvider.System));
        Assert.Contains("ingot log verify", e.Message, StringComparison.Ordinal);
    }

    private Checkpoint Remembered()
    {
        using var key = NoteVerifier.Parse(File.ReadAllText(_test.Home.LogPublicKey).Trim());
        return LedgerHead.Read(_test.Home, key)!;
    }

    /// <summary>Copies a database and its journal while more of a transaction is in the file than fits into memory.</summary>
    private void MakeHotJournal()
    {
        string file = _test.Home.Database;
        using (var db = SqliteDatabase.OpenCache(file + ".made"))
        {
            db.ExecuteScript("PRAGMA journal_mode = DELETE; PRAGMA cache_size = 2; BEGIN; CREATE TABLE t (x)");
            for (int i = 0; i < 200; i++)
                db.ExecuteScript("INSERT INTO t VALUES (randomblob(3000))");
            File.Copy(file + ".made", file);
            File.Copy(file + ".made-journal", file + "-journal");
        }

        Assert.NotEqual(0, new FileInfo(file).Length);
    }

    /// <summary>What the first schema lacks is taken away: documents, and the entry of a rollout's state.</summary>
    private void MakeFirstSchema()
    {
        using var db = SqliteDatabase.OpenWriter(_test.Home.Database);
        db.ExecuteScript(
            "DROP TABLE document_bytes; DROP TABLE documents; ALTER TABLE rollouts DROP COLUMN state_entry; PRAGMA user_version = 1");
        db.Number("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    /// <summary>What the second schema lacks is taken away: the settings that a quarantine is about.</summary>
    private void MakeSecondSchema()
    {
        using var db = SqliteDatabase.OpenWriter(_test.Home.Database);
        db.ExecuteScript("""
            DROP TABLE quarantine;
            CREATE TABLE quarantine (
                project TEXT NOT NULL, service TEXT NOT NULL, stage TEXT NOT NULL, digest TEXT NOT NULL, reason TEXT NOT NULL, time TEXT NOT NULL, entry INTEGER NOT NULL,
                PRIMARY KEY (project, service, stage, digest)) WITHOUT ROWID;
            PRAGMA user_version = 2
            """);
        db.Number("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    private async Task AppendAsync(int count)
    {
        await using var ledger = await LedgerStore.OpenAsync(_test.Home, TimeProvider.System);
        for (int i = 0; i < count; i++)
            await ledger.AppendAsync("x", new ServerStarted($"{i}"));
    }

    private void DeleteDatabase()
    {
        foreach (string file in Directory.GetFiles(_test.Home.Root, "ledger.db*")
            .Where(file => !file.EndsWith(".killed", StringComparison.Ordinal) && !file.EndsWith(".backup", StringComparison.Ordinal)))
            File.Delete(file);
    }

    private async Task ExpectLossAsync(string what)
    {
        // Asked twice: what refuses must not forget by refusing.
        for (int i = 0; i < 2; i++)
        {
            var e = await Assert.ThrowsAsync<LedgerException>(() => LedgerStore.OpenAsync(_test.Home, TimeProvider.System));
            Assert.Contains(what, e.Message, StringComparison.Ordinal);
            Assert.Contains("ingot log accept-loss", e.Message, StringComparison.Ordinal);
        }
    }
}
