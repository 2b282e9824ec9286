using System.Data.Common;

namespace Ingot.Server.Storage;

/// <summary>The row that a query is at. Columns are numbered from 0; what one holds is asked for as what it was written as.</summary>
public readonly struct Row(DbDataReader reader)
{
    /// <summary>A column's text.</summary>
    public string Text(int column) => reader.GetString(column);

    /// <summary>A column's number. A flag is 0 or 1.</summary>
    public long Integer(int column) => reader.GetInt64(column);

    /// <summary>A column's bytes.</summary>
    public byte[] Bytes(int column) => reader.GetFieldValue<byte[]>(column);
}
