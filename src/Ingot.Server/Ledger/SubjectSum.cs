using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Ingot.Server.Storage;

namespace Ingot.Server.Ledger;

/// <summary>Whether two sets of subjects are the same, without sorting either: the sum of a keyed hash of each row. The key is chosen for
/// the one comparison, so that nobody can have made rows to cancel out.</summary>
internal sealed class SubjectSum
{
    private const int KeyBytes = 16;
    private const int StackBytes = 1024;

    private readonly byte[] _key;
    private UInt128 _sum;

    private SubjectSum(byte[] key) => _key = key;

    /// <summary>Two sums that can be compared.</summary>
    public static (SubjectSum Expected, SubjectSum Actual) Pair()
    {
        byte[] key = RandomNumberGenerator.GetBytes(KeyBytes);
        return (new SubjectSum(key), new SubjectSum(key));
    }

    public void Add(string type, string value, long entry)
    {
        int most = Encoding.UTF8.GetMaxByteCount(type.Length + value.Length);
        Span<byte> bytes = most <= StackBytes ? stackalloc byte[most] : new byte[most];
        int split = Encoding.UTF8.GetBytes(type, bytes);
        int end = split + Encoding.UTF8.GetBytes(value, bytes[split..]);
        Add(bytes[..split], bytes[split..end], entry);
    }

    /// <summary>Adds the rows of a table up to <paramref name="size"/> entries; false when one of them is of another form than any row that
    /// is written, or about no entry.</summary>
    public bool AddTable(SqliteDatabase db, long size)
    {
        // The ledger may have grown since its size was read; what is beyond this is about nothing.
        db.Execute("BEGIN");
        long end = Math.Max(size, db.Number("SELECT coalesce(max(seq) + 1, 0) FROM entries"));
        using var rows = db.Read("SELECT type, value, entry FROM subjects");
        while (rows.Read())
        {
            if ((rows.TypeOf(0), rows.TypeOf(1), rows.TypeOf(2)) != (ColumnType.Text, ColumnType.Text, ColumnType.Integer))
                return false;

            long entry = rows.Integer(2);
            if (entry >= end)
                return false;
            if (entry < size)
                Add(rows.Bytes(0), rows.Bytes(1), entry);
        }

        return true;
    }

    public bool IsSameAs(SubjectSum other) => _sum == other._sum;

    private void Add(ReadOnlySpan<byte> type, ReadOnlySpan<byte> value, long entry)
    {
        int length = (2 * sizeof(long)) + type.Length + value.Length;
        Span<byte> input = length <= 512 ? stackalloc byte[length] : new byte[length];
        BinaryPrimitives.WriteInt64LittleEndian(input, entry);
        BinaryPrimitives.WriteInt64LittleEndian(input[sizeof(long)..], type.Length);
        type.CopyTo(input[(2 * sizeof(long))..]);
        value.CopyTo(input[(length - value.Length)..]);
        _sum = unchecked(_sum + SipHash.Of(_key, input));
    }
}
