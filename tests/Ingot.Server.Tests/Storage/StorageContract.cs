using System.Data.Common;
using System.Diagnostics;
using Ingot.Server.Storage;

namespace Ingot.Server.Tests.Storage;

/// <summary>What every storage of a ledger keeps to. A test class for one derives from it and says where it is.</summary>
public abstract class StorageContract
{
    private const string Insert = "INSERT INTO t (id, text, bytes) VALUES (?1, ?2, ?3)";

    public static TheoryData<long, string, byte[]> Values => new()
    {
        { 0, "", [] },
        { -1, "a", [0] },
        { long.MaxValue, "caf\u00e9 cafe\u0301 \ud83d\ude00 \u2028 \ufeff'\"\\?1", [0, 255, 0] },
        { long.MinValue, new string('\u00e9', 5000), new byte[100_000] },
    };

    /// <summary>The one place, as another part of the program has it.</summary>
    protected abstract IStorage NewStorage();

    /// <summary>A table <c>t</c> of a number, which is its key, a text and bytes: <c>id</c>, <c>text</c> and <c>bytes</c>.</summary>
    protected abstract DatabaseSchema Schema { get; }

    /// <summary>Starts a process that takes the lease, and returns when it has it.</summary>
    protected abstract Task<Process> HoldElsewhereAsync();

    [Theory]
    [MemberData(nameof(Values))]
    public void WhatIsWrittenIsReadAgainAsItWas(long id, string text, byte[] bytes)
    {
        using var db = Open();

        Assert.Equal(1, db.Execute(Insert, id, text, bytes));

        const string Query = "SELECT id, text, bytes FROM t WHERE id = ?1 AND text = ?2 AND bytes = ?3";
        var (readId, readText, readBytes) = db.First(Query, r => (r.Integer(0), r.Text(1), r.Bytes(2)), id, text, bytes);
        Assert.Equal((id, text), (readId, readText));
        Assert.Equal(bytes, readBytes);
        Assert.Equal(id, db.Number("SELECT id FROM t"));
    }

    [Fact]
    public void FlagsAreNumbersAndWhatIsNothingIsRefused()
    {
        using var db = Open();
        db.Execute(Insert, true, "yes", Array.Empty<byte>());
        db.Execute(Insert, false, "no", Array.Empty<byte>());

        Assert.Equal(["no", "yes"], db.Query("SELECT text FROM t ORDER BY id", r => r.Text(0)));
        Assert.Equal("yes", db.First("SELECT text FROM t WHERE id = ?1", r => r.Text(0), 1L));
        Assert.Throws<ArgumentException>(() => db.Execute(Insert, 2L, null!, Array.Empty<byte>()));
        Assert.Equal((null, 0L, false), (db.First("SELECT text FROM t WHERE id = 7", r => r.Text(0)),
            db.Number("SELECT id FROM t WHERE id = 7"), db.Exists("SELECT 1 FROM t WHERE id = 7")));
        Assert.Equal(0, db.Number("SELECT max(id) FROM t WHERE id = 7"));
    }

    [Fact]
    public void ARowIsWrittenOverOrLeftAsTheStatementSays()
    {
        using var db = Open();
        const string Put = Insert + " ON CONFLICT (id) DO UPDATE SET text = excluded.text, bytes = excluded.bytes";

        Assert.Equal(1, db.Execute(Put, 1L, "first", Array.Empty<byte>()));
        Assert.Equal(1, db.Execute(Put, 1L, "second", Array.Empty<byte>()));
        Assert.Equal(0, db.Execute(Insert + " ON CONFLICT DO NOTHING", 1L, "third", Array.Empty<byte>()));

        Assert.Equal(["second"], db.Query("SELECT text FROM t", r => r.Text(0)));
    }

    [Fact]
    public void ATransactionInATransactionIsRefusedAndTheFirstGoesOn()
    {
        using var db = Open();
        Assert.False(db.IsInTransaction);
        db.Begin();
        Put(db, 1);

        Assert.ThrowsAny<DbException>(db.Begin);

        Assert.True(db.IsInTransaction);
        db.Commit();
        Assert.False(db.IsInTransaction);
        Assert.Equal([1], Ids(db));
    }

    [Fact]
    public void WhatWasRolledBackOrNeverCommittedIsNotThere()
    {
        using (var db = Open())
        {
            db.Begin();
            Put(db, 1);
            db.Rollback();
            Assert.Empty(Ids(db));
            db.Begin();
            Put(db, 2);
            db.Commit();
            db.Begin();
            Put(db, 3);
        }

        using var after = NewStorage().OpenWriter();
        Assert.Equal([2], Ids(after));
    }

    [Fact]
    public void WhatFailsInPartOfATransactionCanBeUndoneAndTheRestIsCommitted()
    {
        using var db = Open();
        db.Begin();
        Put(db, 1);
        db.Execute("SAVEPOINT part");
        Put(db, 2);

        var failure = Assert.ThrowsAny<DbException>(() => Put(db, 1));

        Assert.Equal((true, false, false), (failure.IsConstraint(), failure.IsFull(), failure.IsOfDisk()));
        db.Execute("ROLLBACK TO SAVEPOINT part");
        db.Execute("RELEASE SAVEPOINT part");
        db.Commit();
        Assert.Equal([1], Ids(db));
    }

    [Fact]
    public void AReaderSeesOneMomentWhateverIsWrittenMeanwhile()
    {
        using var writer = Open();
        Put(writer, 1);
        using var reader = NewStorage().OpenReader();
        writer.Begin();
        Put(writer, 2);
        Assert.Equal([1], Ids(reader));

        reader.BeginReading();
        Assert.Equal([1], Ids(reader));
        writer.Commit();
        Assert.Equal([1], Ids(reader));
        reader.Commit();

        Assert.Equal([1, 2], Ids(reader));
        Assert.ThrowsAny<DbException>(() => Put(reader, 3));
    }

    [Fact]
    public void TablesAreMadeOnceAndSayTheirVersion()
    {
        var storage = NewStorage();
        Assert.False(storage.IsThere);
        using var db = storage.OpenWriter();
        Assert.Null(db.SchemaVersion);
        db.Begin();
        db.Create(Schema);
        db.Rollback();
        Assert.Null(db.SchemaVersion);

        db.Create(Schema);

        Assert.Equal((Schema.Version, true), ((int)db.SchemaVersion!, NewStorage().IsThere));
        using var again = NewStorage().OpenReader();
        Assert.Equal(Schema.Version, again.SchemaVersion);
    }

    [Fact]
    public void TheLeaseIsHeldOnceUntilItIsGivenBack()
    {
        using (var lease = NewStorage().TryHold())
        {
            Assert.NotNull(lease);
            Assert.Null(NewStorage().TryHold());
            Assert.Null(NewStorage().TryHold());
        }

        using var next = NewStorage().TryHold();
        Assert.NotNull(next);
    }

    [Fact]
    public async Task TheLeaseOfAProcessEndsWithTheProcess()
    {
        using var process = await HoldElsewhereAsync();
        Assert.Null(NewStorage().TryHold());

        process.Kill();
        await process.WaitForExitAsync();

        using var lease = NewStorage().TryHold();
        Assert.NotNull(lease);
    }

    private IDatabase Open()
    {
        var db = NewStorage().OpenWriter();
        db.Create(Schema);
        return db;
    }

    private static void Put(IDatabase db, long id) => db.Execute(Insert, id, "", Array.Empty<byte>());

    private static List<long> Ids(IDatabase db) => db.Query("SELECT id FROM t ORDER BY id", r => r.Integer(0));
}
