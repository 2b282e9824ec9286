using Ingot.Oci.Content;
using Ingot.Oci.Layers.Compression;

namespace Ingot.Builds;

/// <summary>Where a builder works and what it is to make.</summary>
public sealed record BuildSettings
{
    /// <summary>1 January 1980, the epoch unless another is given: some archive formats hold no earlier time.</summary>
    public static DateTimeOffset DefaultEpoch { get; } = DateTimeOffset.FromUnixTimeSeconds(315532800);

    /// <summary>How layers are compressed unless something else is asked for.</summary>
    public static LayerCompression DefaultCodec => LayerCompression.Zstandard;

    /// <summary>Where images go.</summary>
    public required IContentStore Store { get; init; }

    /// <summary>Where results of steps are kept. Several builders, in several processes, may share it.</summary>
    public required string CacheDirectory { get; init; }

    /// <summary>Where steps run; a directory of the cache unless given. It must be on the cache's filesystem,
    /// and nothing else may be in it.</summary>
    public string? WorkDirectory { get; init; }

    /// <summary>How many steps read, hash and compress files at a time.</summary>
    public int Parallelism { get; init; } = Environment.ProcessorCount;

    /// <summary>How many commands of steps run at a time: more than there are processors,
    /// since most of them wait for something else.</summary>
    public int Commands { get; init; } = Math.Max(16, 4 * Environment.ProcessorCount);

    /// <summary>Whether every step runs, whatever the cache holds. Its results are kept all the same.</summary>
    public bool NoCache { get; init; }

    /// <summary>Shared caches whose results are used, the first first. What cannot be read is said, and not used.</summary>
    public IReadOnlyList<ICachePlace> CacheFrom { get; init; } = [];

    /// <summary>Where the results of the build are shared when the images are in the store.</summary>
    public IReadOnlyList<CacheTarget> CacheTo { get; init; } = [];

    /// <summary>Whether it is said of every step why its result was in the cache or not. Looks at every record of the cache.</summary>
    public bool Explain { get; init; }

    /// <summary>The time of the source (<c>SOURCE_DATE_EPOCH</c>), whole seconds: no file of a layer is younger,
    /// and images say they were made then.</summary>
    public DateTimeOffset Epoch { get; init; } = DefaultEpoch;

    /// <summary>How the layers of images are compressed for which the plan does not say it.</summary>
    public LayerCompression Codec { get; init; } = DefaultCodec;

    /// <summary>Notes that the manifests of images get.</summary>
    public IReadOnlyDictionary<string, string> Annotations { get; init; } = new Dictionary<string, string>();

    /// <summary>What steps may use beside their inputs.</summary>
    public StepAccess Access { get; init; } = new();

    /// <summary>The commit that the sources are of, where it is known otherwise than from the plan's directory; null to look
    /// there.</summary>
    public SourceRevision? Source { get; init; }

    /// <summary>What asks web servers for the files that ADD names; it must not follow redirects. Null for one of the builder's own, with
    /// the proxies of the environment.</summary>
    public HttpClient? Http { get; init; }

    /// <summary>Whether repositories may be directories of the host. A template could then read what is not in its context.</summary>
    public bool AllowLocalRepositoriesUnsafe { get; init; }

    /// <summary>The clock, for durations and records; no layer sees it.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}
