namespace Ingot.Server.Storage;

/// <summary>What a column of a row holds, in the order in which SQLite sorts
/// (<see href="https://sqlite.org/datatype3.html#comparisons"/>).</summary>
public enum ColumnType
{
    /// <summary>Nothing.</summary>
    Null,

    /// <summary>A whole number.</summary>
    Integer,

    /// <summary>A number with a fraction.</summary>
    Float,

    /// <summary>Text.</summary>
    Text,

    /// <summary>Bytes.</summary>
    Bytes,
}
