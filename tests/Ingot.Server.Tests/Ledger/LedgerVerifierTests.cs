using System.Globalization;
using System.Text;
using Ingot.Server.Ledger;
using Ingot.Server.Storage;
using Ingot.Transparency;

namespace Ingot.Server.Tests.Ledger;

public sealed class LedgerVerifierTests : IDisposable
{
    private readonly TestHome _test = new();

    public void Dispose() => _test.Dispose();

    [Fact]
    public async Task ALedgerOfEveryKindOfEntryVerifies()
    {
        await FillAsync(20);
        var report = await LedgerVerifier.VerifyAsync(_test.Home);

        Assert.Empty(report.Problems);
        Assert.Equal(SampleEvents.Lives(20).Count(), report.Size);
    }

    [Fact]
    public async Task ALedgerInUseVerifies()
    {
        await using var ledger = await LedgerStore.OpenAsync(_test.Home, TimeProvider.System);
        await ledger.AppendAsync("tester", [.. SampleEvents.Life(1)]);
        var report = await LedgerVerifier.VerifyAsync(_test.Home, [Checkpoint.ParseSigned(ledger.Checkpoint()!, ledger.Verifier)]);

        Assert.True(report.Ok, string.Join('\n', report.Problems));
    }

    [Fact]
    public async Task AnEmptyLedgerVerifies()
    {
        await FillAsync(0);
        var report = await LedgerVerifier.VerifyAsync(_test.Home);

        Assert.True(report.Ok);
        Assert.Equal(0, report.Size);
    }

    /// <summary>The whole claim, sampled: INGOT_FLIPS=100000 tries (nearly) all of them.</summary>
    [Fact]
    public async Task EveryChangedByteOfARowIsSeen()
    {
        await FillAsync(8);
        var file = await File.ReadAllBytesAsync(_test.Home.Database);
        int[] live = [.. LiveRanges(file).SelectMany(range => Enumerable.Range(range.Start.Value, range.End.Value - range.Start.Value))];
        int wanted = int.Parse(Environment.GetEnvironmentVariable("INGOT_FLIPS") ?? "150", CultureInfo.InvariantCulture);
        var unseen = new List<string>();
        var random = new Random(7);
        for (int i = 0; i < Math.Min(wanted, live.Length); i++)
        {
            // Spread evenly, never the same cell layout twice: the step is a fraction.
            int at = live[(int)((long)i * live.Length / Math.Min(wanted, live.Length))];
            byte mask = (byte)random.Next(1, 256);
            if ((await VerifyFlippedAsync(file, at, mask)).Ok)
                unseen.Add($"byte {at} (page {(at / 4096) + 1}, 0x{at % 4096:x}) with mask 0x{mask:x2}");
        }

        Assert.Empty(unseen);
    }

    [Fact]
    public async Task AChangedByteOfAnEntryOrItsLeafOrItsCheckpointNamesTheEntry()
    {
        await FillAsync(8);
        var file = await File.ReadAllBytesAsync(_test.Home.Database);
        var live = LiveRanges(file);
        var random = new Random(11);
        foreach (var (seq, row) in EntryBytes().Where(_ => random.Next(6) == 0))
        {
            // Where a page was split, a copy that is no row any more may lie before the row.
            int at = live.Select(range => IndexOf(file, range, row)).FirstOrDefault(found => found >= 0, -1);
            // An entry of more than a quarter page continues on another: its start is not its whole.
            Assert.True(at >= 0 || row.Length > 900, $"the bytes of entry {seq} are not in the file");
            if (at < 0)
                continue;

            var report = await VerifyFlippedAsync(file, at + random.Next(row.Length), (byte)random.Next(1, 256));
            Assert.Contains(report.Problems, problem => problem.Entry == seq);
        }
    }

    [Fact]
    public async Task AnEntryRewrittenWithItsLeafIsNamedByTheSignedCheckpoint()
    {
        await FillAsync(4);
        var forged = LedgerEntry.Parse(Entry(40)) with { Actor = "mallory" };
        Change("UPDATE entries SET json = ?1, leaf = ?2 WHERE seq = 40", forged.ToBytes(), MerkleTree.HashLeaf(forged.ToBytes()).ToArray());
        var report = await LedgerVerifier.VerifyAsync(_test.Home);

        var problem = Assert.Single(report.Problems);
        Assert.Equal(32, problem.Entry);
        Assert.Contains("signed checkpoint of size 64", problem.Problem, StringComparison.Ordinal);
        Assert.Contains("one of the entries 32 to 63", problem.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ATagMovedInTheTablesNamesTheEntryThatBoundIt()
    {
        await FillAsync(4);
        Change("UPDATE tags SET digest = (SELECT digest FROM manifests WHERE repository = 'shop/web2' AND digest <> tags.digest) "
            + "WHERE tag = '1.2'");
        var report = await LedgerVerifier.VerifyAsync(_test.Home);

        var problem = Assert.Single(report.Problems);
        Assert.Equal(SampleEvents.Life(1).Count() + 6, problem.Entry);
        Assert.Contains("table 'tags'", problem.Problem, StringComparison.Ordinal);
        Assert.Contains("'digest'", problem.Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("DELETE FROM entries WHERE seq = 40", 40L)]
    [InlineData("DELETE FROM checkpoints WHERE size = 64", 63L)]
    [InlineData("DELETE FROM checkpoints WHERE size = (SELECT max(size) FROM checkpoints)", 129L)]
    [InlineData("DELETE FROM entries WHERE seq = (SELECT max(seq) FROM entries)", 129L)]
    [InlineData("UPDATE entries SET seq = 5000 WHERE seq = 126", 126L)]
    [InlineData("UPDATE entries SET leaf = CAST(leaf AS TEXT) WHERE seq = 3", 3L)]
    [InlineData("UPDATE checkpoints SET note = (SELECT note FROM checkpoints WHERE size = 32) WHERE size = 64", 63L)]
    [InlineData("DELETE FROM approvals WHERE who = 'bob' AND digest IN (SELECT digest FROM rollouts WHERE rollout = 'r002')", 47L)]
    [InlineData("UPDATE rollouts SET state = 'Done' WHERE rollout = 'r001'", 24L)]
    [InlineData("UPDATE quarantine SET reason = CAST(reason AS BLOB) WHERE entry = 28", 28L)]
    [InlineData(
        "INSERT INTO approvals SELECT project, image, stage, digest, 'carol', verdict, reason, time, entry FROM approvals WHERE entry = 16",
        16L)]
    [InlineData("DELETE FROM subjects WHERE entry = 9 AND type = 'repository'", 9L)]
    [InlineData("INSERT INTO nodes VALUES (1, 0, zeroblob(32))", null)]
    [InlineData("UPDATE edge SET size = size - 1", null)]
    [InlineData("UPDATE document_bytes SET bytes = CAST(bytes AS TEXT)", 128L)]
    [InlineData("UPDATE document_bytes SET bytes = zeroblob(length(bytes))", 128L)]
    [InlineData("UPDATE document_bytes SET bytes = substr(bytes, 2)", 128L)]
    [InlineData("DELETE FROM document_bytes", 128L)]
    [InlineData("INSERT INTO document_bytes VALUES ('sha256:1', x'00')", null)]
    [InlineData("UPDATE documents SET size = size + 1", 128L)]
    [InlineData("DELETE FROM documents", 128L)]
    [InlineData("INSERT INTO subjects VALUES ('kind', 'tag-bound', 5000)", 5000L)]
    [InlineData("INSERT INTO subjects VALUES ('kind', 'tag-bound', -1)", -1L)]
    [InlineData("INSERT INTO checkpoints VALUES (0, 'x')", null)]
    [InlineData("INSERT INTO checkpoints VALUES (-5, 'x')", null)]
    [InlineData("INSERT INTO checkpoints VALUES (33.5, 'x')", null)]
    [InlineData("DROP TABLE approvals", null)]
    [InlineData("CREATE TABLE notes (x)", null)]
    [InlineData("CREATE TRIGGER t AFTER INSERT ON tags BEGIN DELETE FROM approvals; END", null)]
    [InlineData("PRAGMA user_version = 7", null)]
    public async Task AChangeMadeBehindTheLedgersBackIsSeen(string sql, long? entry)
    {
        await FillAsync(4);
        Change(sql);
        var report = await LedgerVerifier.VerifyAsync(_test.Home);

        Assert.False(report.Ok);
        Assert.Contains(report.Problems, problem => problem.Entry == entry);
    }

    [Fact]
    public async Task AnEntryThatCannotBeReadIsTheOnlyOneBlamed()
    {
        await FillAsync(4);
        Change("UPDATE entries SET json = x'7b7d' WHERE seq = 35");
        var report = await LedgerVerifier.VerifyAsync(_test.Home);

        Assert.False(report.Ok);
        Assert.Equal([35L], report.Problems.Select(problem => problem.Entry).Distinct());
    }

    [Fact]
    public async Task ALedgerMadeAnewDoesNotContinueAKnownCheckpoint()
    {
        await FillAsync(2);
        using var key = NoteVerifier.Parse((await File.ReadAllTextAsync(_test.Home.LogPublicKey)).Trim());
        var known = Checkpoint.ParseSigned(Note(32), key);
        foreach (string file in Directory.GetFiles(_test.Home.Root, "ledger.db*"))
            File.Delete(file);
        File.Delete(_test.Home.LogHead);
        await LedgerStore.AcceptLossAsync(_test.Home, TimeProvider.System, "alice", "the disk broke");
        await FillAsync(2);

        Assert.True((await LedgerVerifier.VerifyAsync(_test.Home)).Ok);
        var report = await LedgerVerifier.VerifyAsync(_test.Home, [known]);
        Assert.Contains(report.Problems, problem => problem.Entry == 31 && problem.Problem.Contains("rewritten", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ALedgerCutOffDoesNotContinueAKnownCheckpoint()
    {
        await FillAsync(1);
        using var key = NoteVerifier.Parse((await File.ReadAllTextAsync(_test.Home.LogPublicKey)).Trim());
        var known = new Checkpoint(key.Name, 500, default);

        var report = await LedgerVerifier.VerifyAsync(_test.Home, [known]);
        Assert.Contains(report.Problems, problem => problem.Problem.Contains("cut off", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ALedgerSignedByAnotherKeyDoesNotVerify()
    {
        await FillAsync(1);
        using var other = new NoteSigner("ingot.local/other",
            System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256));
        var report = await LedgerVerifier.VerifyAsync(_test.Home.Database, other.Verifier);

        Assert.Equal(2, report.Problems.Count(problem => problem.Problem.Contains("not signed by the key", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task AMissingLedgerIsAnErrorAndNotAProblem()
    {
        await FillAsync(0);
        File.Delete(_test.Home.Database);

        await Assert.ThrowsAsync<LedgerException>(() => LedgerVerifier.VerifyAsync(_test.Home));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(99)]
    [InlineData(100)]
    [InlineData(4096)]
    [InlineData(5000)]
    [InlineData(40000)]
    public async Task AFileCutShortGivesAProblemAndNotACrash(int length)
    {
        await FillAsync(4);
        using (var file = File.OpenWrite(_test.Home.Database))
            file.SetLength(length);

        Assert.False((await LedgerVerifier.VerifyAsync(_test.Home)).Ok);
    }

    [Fact]
    public async Task RandomDamageOfManyBytesGivesProblemsAndNeverACrash()
    {
        await FillAsync(3);
        var file = await File.ReadAllBytesAsync(_test.Home.Database);
        var random = new Random(3);
        for (int round = 0; round < 60; round++)
        {
            var damaged = (byte[])file.Clone();
            int at = random.Next(100, damaged.Length);
            random.NextBytes(damaged.AsSpan(at, Math.Min(damaged.Length - at, 1 << random.Next(3, 14))));
            await VerifyBytesAsync(damaged);
        }
    }

    [Fact]
    public async Task SomethingThatIsNoDatabaseGivesAProblem()
    {
        await FillAsync(0);
        await File.WriteAllTextAsync(_test.Home.Database, string.Concat(Enumerable.Repeat("this is no database\n", 1000)));

        Assert.False((await LedgerVerifier.VerifyAsync(_test.Home)).Ok);
    }

    /// <summary>Fills the home's ledger and leaves all of it in the one file.</summary>
    private async Task FillAsync(int lives)
    {
        await using (var ledger = await LedgerStore.OpenAsync(_test.Home, TimeProvider.System))
        {
            await ledger.AppendAsync("tester", [.. SampleEvents.Lives(lives)]);
        }

        using var db = SqliteDatabase.OpenWriter(_test.Home.Database);
        db.Number("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    private void Change(string sql, params object[] arguments)
    {
        using var db = SqliteDatabase.OpenWriter(_test.Home.Database);
        db.Execute("PRAGMA foreign_keys = OFF");
        db.Execute(sql, arguments);
    }

    private byte[] Entry(long seq)
    {
        using var db = SqliteDatabase.OpenReader(_test.Home.Database);
        return db.First("SELECT json FROM entries WHERE seq = ?1", r => r.Bytes(0), seq)!;
    }

    private string Note(long size)
    {
        using var db = SqliteDatabase.OpenReader(_test.Home.Database);
        return db.First("SELECT note FROM checkpoints WHERE size = ?1", r => r.Text(0), size)!;
    }

    private List<(long Seq, byte[] Bytes)> EntryBytes()
    {
        using var db = SqliteDatabase.OpenReader(_test.Home.Database);
        return
        [
            .. db.Query("SELECT seq, json, leaf FROM entries", r => (r.Integer(0), (byte[])[.. r.Bytes(1), .. r.Bytes(2)])),
            .. db.Query("SELECT size - 1, note FROM checkpoints", r => (r.Integer(0), Encoding.UTF8.GetBytes(r.Text(1)))),
        ];
    }

    private IReadOnlyList<Range> LiveRanges(byte[] file)
    {
        using var db = SqliteDatabase.OpenReader(_test.Home.Database);
        return SqlitePages.LiveRanges(file, db.Query("SELECT rootpage FROM sqlite_schema", r => (int)r.Integer(0)));
    }

    private static int IndexOf(byte[] file, Range range, byte[] bytes) =>
        file.AsSpan(range).IndexOf(bytes) is >= 0 and var found ? range.Start.Value + found : -1;

    private Task<LedgerReport> VerifyFlippedAsync(byte[] file, int at, byte mask)
    {
        var damaged = (byte[])file.Clone();
        damaged[at] ^= mask;
        return VerifyBytesAsync(damaged);
    }

    private async Task<LedgerReport> VerifyBytesAsync(byte[] file)
    {
        using var copy = new TestHome();
        Directory.CreateDirectory(copy.Home.Keys);
        File.Copy(_test.Home.LogPublicKey, copy.Home.LogPublicKey);
        await File.WriteAllBytesAsync(copy.Home.Database, file);
        return await LedgerVerifier.VerifyAsync(copy.Home);
    }
}
