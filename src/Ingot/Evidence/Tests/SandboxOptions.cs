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

    /// <summary>Directories the image may write to, in memory; all else is read-only.</summary>
    public IReadOnlyList<string> Writable { get; init; } = ["/tmp"];

    /// <summary>The most memory it may use, in bytes.</summary>
    public long MaxMemory { get; init; } = 2L << 30;

    /// <summary>The most processes and threads it may have.</summary>
    public int MaxProcesses { get; init; } = 1024;
}
