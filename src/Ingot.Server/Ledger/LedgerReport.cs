namespace Ingot.Server.Ledger;

/// <summary>What a verification found.</summary>
/// <param name="Size">The number of entries.</param>
/// <param name="Root">The root over them in base64, computed from the entries.</param>
/// <param name="Problems">What is not as it should be, in the order it was found.</param>
public sealed record LedgerReport(long Size, string Root, IReadOnlyList<LedgerProblem> Problems)
{
    /// <summary>Whether everything is as it was written.</summary>
    public bool Ok => Problems.Count == 0;
}

/// <summary>Something that is not as it was written.</summary>
/// <param name="Entry">The entry it belongs to; null when it is the database as a whole.</param>
/// <param name="Problem">What it is.</param>
public sealed record LedgerProblem(long? Entry, string Problem);
