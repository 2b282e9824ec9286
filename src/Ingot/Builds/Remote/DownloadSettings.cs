namespace Ingot.Builds.Remote;

/// <summary>What a download may take.</summary>
internal sealed record DownloadSettings
{
    /// <summary>The most bytes of one file.</summary>
    public long MaxBytes { get; init; } = 32L << 30;

    /// <summary>How much is written between two looks at the disk.</summary>
    public long Step { get; init; } = 64 << 20;

    /// <summary>What a body that does not say its length leaves free on the disk.</summary>
    public long Reserve { get; init; } = 1 << 30;

    /// <summary>What comes slower for as long as <see cref="Patience"/> is given up.</summary>
    public double MinBytesPerSecond { get; init; } = 1000;

    /// <summary>The most redirects that are followed, one after the other.</summary>
    public int MaxRedirects { get; init; } = 10;

    /// <summary>How often it is tried.</summary>
    public int Attempts { get; init; } = 5;

    /// <summary>How long the first pause before trying again is; each is twice the one before.</summary>
    public TimeSpan Pause { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>The longest pause, also when a server asks for a longer one.</summary>
    public TimeSpan MaxPause { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long nothing may come.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(60);
}
