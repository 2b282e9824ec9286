namespace Ingot.Server.Ledger;

/// <summary>The ledger could not be opened, read or written. Nothing was acknowledged that is not in it.</summary>
public sealed class LedgerException : IngotException
{
    internal LedgerException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
