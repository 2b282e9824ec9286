namespace Ingot.Evidence.Tests;

/// <summary>How a sandbox is run.</summary>
/// <param name="ScratchDirectory">Where its files are while it runs; on a filesystem that overlayfs can write to.</param>
/// <param name="Time">The clock.</param>
public sealed record SandboxOptions(string ScratchDirectory, TimeProvider Time)
{
    /// <summary>How long the image has to open its ports and to answer.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Variables beside the image's own, as <c>NAME=value</c>; one of the same name wins over the image's.</summary>
    public IReadOnlyList<string> Environment { get; init; } = [];

    /// <summary>Directories the image may write to, in memory, and their sizes in bytes; all else is read-only.
    /// Without a service that says, <c>/tmp</c>.</summary>
    public IReadOnlyDictionary<string, long> Writable { get; init; } = new SortedDictionary<string, long>(StringComparer.Ordinal)
    {
        ["/tmp"] = 256L << 20,
    };

    /// <summary>The most memory it may use, in bytes.</summary>
    public long MaxMemory { get; init; } = 2L << 30;

    /// <summary>The most processes and threads it may have.</summary>
    public int MaxProcesses { get; init; } = 1024;

    /// <summary>What the image may do, for the record.</summary>
    public SandboxTerms Terms => new()
    {
        Writable = [.. Writable.OrderBy(w => w.Key, StringComparer.Ordinal).Select(w => new WritableDirectory(w.Key, w.Value))],
        Environment = Environment,
        Memory = MaxMemory,
        Processes = MaxProcesses,
        Patience = (long)Patience.TotalMilliseconds,
    };
}
