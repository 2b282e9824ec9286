using Ingot.Builds;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Registries;
using Ingot.Plans;
using Ingot.Templates.Project;

namespace Ingot.Projects;

/// <summary>How images of a project are to be built: everything that may be said beside the project.</summary>
public sealed record BuildOptions
{
    /// <summary>The images to build; empty for all of the project's.</summary>
    public IReadOnlyList<string> Targets { get; init; } = [];

    /// <summary>What is said over the templates. The platform of it is that of <see cref="Platforms"/> which is built just now.</summary>
    public PlanOptions Plan { get; init; } = new();

    /// <summary>What the images are built for: of several an index is made.</summary>
    public IReadOnlyList<Platform> Platforms { get; init; } = [Platform.Host];

    /// <summary>What steps may use beside their inputs.</summary>
    public StepAccess Access { get; init; } = new();

    /// <summary>Which results are used, and where they are shared.</summary>
    public CacheOptions Caches { get; init; } = new();

    /// <summary>How base images are found.</summary>
    public BaseImageOptions Bases { get; init; } = new();

    /// <summary>What is settled and not looked up.</summary>
    public BuildPins Pins { get; init; } = new();

    /// <summary>The epoch of every image; null for what the project says.</summary>
    public EpochDefinition? Epoch { get; init; }

    /// <summary>Names of normalisation rules that are switched off for every image.</summary>
    public IReadOnlyList<string> RulesOff { get; init; } = [];

    /// <summary>How the layers of every image are compressed; null for what the project says.</summary>
    public LayerCompression? Compression { get; init; }

    /// <summary>Annotations of every manifest.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Annotations { get; init; } = [];

    /// <summary>Annotations of every index.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> IndexAnnotations { get; init; } = [];

    /// <summary>Names for the image, each with a tag.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Whether it is said of each step why it was in the cache or not.</summary>
    public bool Explain { get; init; }

    /// <summary>Whether images get their names in the local store, locks are written, and recipes are kept.</summary>
    public bool Names { get; init; } = true;

    /// <summary>Where a repository was fetched to that is built; null for a directory of a person's.</summary>
    public string? Repository { get; init; }

    /// <summary>Where something stands that was said on the command line.</summary>
    public static SourceSpan CommandLine { get; } = new SourceText("the command line", "").Span(0, 0);

    /// <summary>The project with what is said here of all its images.</summary>
    public ProjectDefinition Over(ProjectDefinition project) => project with
    {
        Images =
        [
            .. project.Images.Select(i => i with
            {
                RulesOff = [.. i.RulesOff.Union(RulesOff)],
                Compression = Compression is null ? i.Compression : new CompressionDefinition(CommandLine, Compression.Name),
            }),
        ],
    };
}

/// <summary>Which results of steps are used, and where they are shared.</summary>
public sealed record CacheOptions
{
    /// <summary>Whether every step runs, whatever the cache holds.</summary>
    public bool NoCache { get; init; }

    /// <summary>Shared caches whose results are used, the first first.</summary>
    public IReadOnlyList<CacheLocation> From { get; init; } = [];

    /// <summary>Where results are shared.</summary>
    public IReadOnlyList<CacheLocation> To { get; init; } = [];

    /// <summary>Where results are kept of a build that stands alone; null for the host's cache.</summary>
    public string? Directory { get; init; }
}

/// <summary>Where a cache is shared.</summary>
/// <param name="Reference">A tag of a registry; null for a directory.</param>
/// <param name="Directory">The directory of a layout, absolute; null for a registry.</param>
public sealed record CacheLocation(Reference? Reference, string? Directory)
{
    /// <summary>Whether the stages are exported that only others copy from.</summary>
    public bool AllStages { get; init; } = true;

    /// <summary>Whether cache mounts are exported.</summary>
    public bool Mounts { get; init; }
}

/// <summary>How base images are found.</summary>
/// <param name="Update">The name to resolve anew; empty for every name, null for none.</param>
/// <param name="Locked">Whether it is an error when something would have to be added to <c>ingot.lock</c>.</param>
/// <param name="Insecure">Hosts of registries that speak plain http.</param>
public sealed record BaseImageOptions(string? Update = null, bool Locked = false, IReadOnlyList<string>? Insecure = null);

/// <summary>What is settled before a build, where it was recorded of an earlier one: it wins over everything else.</summary>
public sealed record BuildPins
{
    /// <summary>Digests of base images by the names templates have for them: nothing else is looked up for these.</summary>
    public IReadOnlyDictionary<string, Digest> Bases { get; init; } = new Dictionary<string, Digest>();

    /// <summary>What bootstraps install, by image: neither <c>ingot.lock</c> nor the mirror is asked which.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<InstalledPackage>> Bootstraps { get; init; } =
        new Dictionary<string, IReadOnlyList<InstalledPackage>>();

    /// <summary>Epochs of images by name, in seconds since 1970.</summary>
    public IReadOnlyDictionary<string, long> Epochs { get; init; } = new Dictionary<string, long>();

    /// <summary>The commit that the sources are of; null to look where they are.</summary>
    public SourceRevision? Source { get; init; }
}
