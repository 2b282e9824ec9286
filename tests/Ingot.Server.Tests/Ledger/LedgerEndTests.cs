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
        var e = await Assert.ThrowsAsync<LedgerException>(() => LedgerStore.AcceptLossAsync(_test.Home, TimeProvider.System, "alice", "why not"));
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
        Assert.Contains((await LedgerVerifier.VerifyAsync(_test.Home)).Problems, problem => problem.Problem.Contains("earlier version", StringComparison.Ordinal));

        await AppendAsync(1);
        var report = await LedgerVerifier.VerifyAsync(_test.Home);
        Assert.Empty(report.Problems);
        Assert.Equal(before.Size + 1, report.Size);
        Assert.False(File.Exists(_test.Home.Database + ".upgrade"));
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

    /// <summary>What the first schema lacks is taken away: documents, and the entry of a rollout's state.</summary>
    private void MakeFirstSchema()
    {
        using var db = SqliteDatabase.OpenWriter(_test.Home.Database);
        db.ExecuteScript("DROP TABLE document_bytes; DROP TABLE documents; ALTER TABLE rollouts DROP COLUMN state_entry; PRAGMA user_version = 1");
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
        foreach (string file in Directory.GetFiles(_test.Home.Root, "ledger.db*").Where(file => !file.EndsWith(".killed", StringComparison.Ordinal) && !file.EndsWith(".backup", StringComparison.Ordinal)))
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
