using System.Data.Common;
using Ingot.Oci.Linux;
using Ingot.Server.Storage;

namespace Ingot.Server.Ledger;

/// <summary>The ledger could not be opened, read or written. Nothing was acknowledged that is not in it.</summary>
public sealed class LedgerException : IngotException
{
    internal LedgerException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }

    /// <summary>Whether another process has the ledger open: it can be asked instead.</summary>
    public bool IsOpenElsewhere { get; init; }

    /// <summary>Whether the ledger refused the entry for what it says: the same will be refused again.</summary>
    public bool IsRefused { get; init; }

    /// <summary>Whether there was no room on the disk: the same will succeed when there is.</summary>
    public bool IsDiskFull => InnerException switch
    {
        DbException failure => failure.IsFull(),
        IOException failure => failure.HResult == Kernel.ENOSPC,
        _ => false,
    };
}
