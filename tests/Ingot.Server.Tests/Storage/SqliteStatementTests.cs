using System.Text;
using Ingot.Server.Storage;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Ingot.Server.Tests.Storage;

public sealed class SqliteStatementTests : IDisposable
{
    private readonly SqliteDatabase _db = SqliteDatabase.OpenTemporary();

    public SqliteStatementTests() =>
        _db.ExecuteScript("CREATE TABLE t (name TEXT NOT NULL PRIMARY KEY, bytes BLOB NOT NULL, number INTEGER NOT NULL) WITHOUT ROWID");

    public static TheoryData<string, byte[], long> Values => new()
    {
        { "", [], 0 },
        { "a", [0], -1 },
        { "a\0b", [0, 1, 0], long.MaxValue },
        { "\ud83d\ude00 caf\u00e9", [255], long.MinValue },
        { new string('\u00e9', 5000), new byte[100_000], 1 },
    };

    public void Dispose() => _db.Dispose();

    [Theory]
    [MemberData(nameof(Values))]
    public void WhatIsWrittenIsReadAgainWithItsType(string text, byte[] bytes, long number)
    {
        Assert.Equal(1, _db.Execute("INSERT INTO t VALUES (?1, ?2, ?3)", text, bytes, number));

        using var rows = _db.Read("SELECT name, bytes, number FROM t WHERE name = ?1", text);
        Assert.True(rows.Read());
        Assert.Equal((ColumnType.Text, ColumnType.Bytes, ColumnType.Integer), (rows.TypeOf(0), rows.TypeOf(1), rows.TypeOf(2)));
        Assert.Equal((text, number), (rows.Text(0), rows.Integer(2)));
        Assert.Equal(Encoding.UTF8.GetBytes(text), rows.Bytes(0).ToArray());
        Assert.Equal(bytes, rows.Bytes(1).ToArray());
        Assert.False(rows.Read());
        // As every other reader sees it.
        Assert.Equal(text, _db.First("SELECT name FROM t", r => r.Text(0)));
    }

    [Fact]
    public void ItSaysHowManyRowsItChanged()
    {
        for (int i = 0; i < 3; i++)
            _db.Execute("INSERT INTO t VALUES (?1, ?2, ?3)", $"{i}", Array.Empty<byte>(), i);
        Assert.Equal(2, _db.Execute("UPDATE t SET number = 7 WHERE number > ?1", 0L));
        Assert.Equal(0, _db.Execute("UPDATE t SET number = 7 WHERE name = ?1", "none"));
        Assert.Equal(1, _db.Execute("INSERT OR REPLACE INTO t VALUES (?1, ?2, ?3)", "0", Array.Empty<byte>(), true));
        Assert.Equal(1, _db.Number("SELECT number FROM t WHERE name = '0'"));
    }

    [Fact]
    public void WhatFailsIsSaidAndTheStatementCanRunAgain()
    {
        const string Insert = "INSERT INTO t VALUES (?1, ?2, ?3)";
        _db.Execute(Insert, "a", Array.Empty<byte>(), 1L);
        var e = Assert.Throws<SqliteException>(() => _db.Execute(Insert, "a", Array.Empty<byte>(), 2L));
        Assert.Equal(raw.SQLITE_CONSTRAINT, e.SqliteErrorCode);
        Assert.Contains("UNIQUE constraint failed: t.name", e.Message, StringComparison.Ordinal);
        Assert.Equal(1, _db.Execute(Insert, "b", Array.Empty<byte>(), 2L));
        Assert.Throws<SqliteException>(() => _db.Execute("no statement"));
        Assert.Throws<ArgumentException>(() => _db.Execute(Insert, "c", null!, 2L));
        Assert.Throws<ArgumentException>(() => _db.Execute(Insert, "c", 1.5, 2L));
        Assert.Equal(2, _db.Number("SELECT count(*) FROM t"));
    }

    [Fact]
    public void MalformedTextIsReadAsItsBytes()
    {
        _db.Execute("INSERT INTO t VALUES (CAST(?1 AS TEXT), ?1, 1)", new byte[] { 0xff, (byte)'a' });
        using var rows = _db.Read("SELECT name FROM t");
        Assert.True(rows.Read());
        Assert.Equal([0xff, (byte)'a'], rows.Bytes(0).ToArray());
    }
}
