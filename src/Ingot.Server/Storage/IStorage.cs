namespace Ingot.Server.Storage;

/// <summary>Where a ledger is kept: one process writes, any number of connections read.</summary>
public interface IStorage
{
    /// <summary>What it is, for people.</summary>
    string Name { get; }

    /// <summary>Whether anything was ever kept there.</summary>
    bool IsThere { get; }

    /// <summary>Takes the lease under which one process writes, until it is disposed; null while it is held. However the holder ends, the
    /// lease ends with it.</summary>
    IDisposable? TryHold();

    /// <summary>Opens it for the one writer, and makes it when it is missing.</summary>
    IDatabase OpenWriter();

    /// <summary>Opens what is there for reading, beside a writer or without one.</summary>
    IDatabase OpenReader();
}
