using Ingot.Oci.Content;
using Ingot.Oci.Images;

namespace Ingot.Plans;

/// <summary>An image that is in the local store.</summary>
/// <param name="Manifest">Its digest.</param>
/// <param name="Config">Its configuration.</param>
public sealed record StoredImage(Digest Manifest, ImageConfig Config);

/// <summary>Finds an image by the name that a template gives it, for a platform, and sees to it that it is in the local store. Null when nobody knows the name;
/// throws <see cref="ImageLookupException"/> when it is there and cannot be used.</summary>
/// <param name="name">As the template says, <c>name[:tag][@digest]</c>, or or with a scheme that says where it is (<c>oci-layout://DIR</c>, an archive).</param>
/// <param name="platform">What it must run on.</param>
/// <param name="cancellationToken">Ends it.</param>
public delegate Task<StoredImage?> ImageFinder(string name, Platform platform, CancellationToken cancellationToken);

/// <summary>What a plan is made for.</summary>
public sealed record PlanSettings
{
    /// <summary>The name of the Dockerfile that is <see cref="StandardInput"/>.</summary>
    public const string StandardInputName = "-";

    /// <summary>The project's directory; templates and contexts are relative to it.</summary>
    public required string Directory { get; init; }

    /// <summary>The images to build; empty for all of the project's.</summary>
    public IReadOnlyList<string> Targets { get; init; } = [];

    /// <summary>Build arguments for every Dockerfile; they win over the project's.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Arguments { get; init; } = [];

    /// <summary>Labels for every image; they win over the template's.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Labels { get; init; } = [];

    /// <summary>What commands run with.</summary>
    public RunSettings Run { get; init; } = new();

    /// <summary>Stages that are made anew, whatever the cache holds: names of the Dockerfile, of the project's images, or
    /// <c>image/stage</c>.</summary>
    public IReadOnlyList<string> FreshStages { get; init; } = [];

    /// <summary>What the images run on.</summary>
    public Platform Platform { get; init; } = Platform.Host;

    /// <summary>Contexts by name, which FROM, <c>--from</c> and <c>--mount</c> find before anything else: a directory, <c>docker-image://NAME</c>, <c>oci-layout://DIR</c>, or a git repository.</summary>
    public IReadOnlyDictionary<string, string> Contexts { get; init; } = new Dictionary<string, string>();

    /// <summary>The text of the Dockerfile called <see cref="StandardInputName"/>.</summary>
    public string StandardInput { get; init; } = "";

    /// <summary>Finds the images that templates name.</summary>
    public ImageFinder FindImage { get; init; } = (_, _, _) => Task.FromResult<StoredImage?>(null);

    /// <summary>What people know a Dockerfile by, from its absolute path; as the project has it when left out.</summary>
    public Func<string, string>? NameOf { get; init; }

    /// <summary>Whether programs of a platform run on this host.</summary>
    public Func<Platform, bool> Runs { get; init; } = static platform => platform.Architecture == Platform.Host.Architecture;
}
