using Ingot.Oci.Content;
using Ingot.Oci.Images;

namespace Ingot.Plans;

/// <summary>An image that is in the local store.</summary>
/// <param name="Manifest">Its digest.</param>
/// <param name="Config">Its configuration.</param>
public sealed record StoredImage(Digest Manifest, ImageConfig Config);

/// <summary>Finds an image by the name that a template gives it, for a platform, and sees to it that it is in the local store. Null when
/// nobody knows the name; throws <see cref="ImageLookupException"/> when it is there and cannot be used.</summary>
/// <param name="name">As the template says, <c>name[:tag][@digest]</c>,
/// or or with a scheme that says where it is (<c>oci-layout://DIR</c>, an archive).</param>
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

    /// <summary>What the person says of the images.</summary>
    public PlanOptions Options { get; init; } = new();

    /// <summary>What images can be made from.</summary>
    public FrontEnds FrontEnds { get; init; } = FrontEnds.Standard;

    /// <summary>The text of the Dockerfile called <see cref="StandardInputName"/>.</summary>
    public string StandardInput { get; init; } = "";

    /// <summary>Finds the images that templates name.</summary>
    public ImageFinder FindImage { get; init; } = (_, _, _) => Task.FromResult<StoredImage?>(null);

    /// <summary>What people know a file by, from its absolute path; as the project has it when left out.</summary>
    public Func<string, string>? NameOf { get; init; }

    /// <summary>Whether programs of a platform run on this host.</summary>
    public Func<Platform, bool> Runs { get; init; } = static platform => platform.Architecture == Platform.Host.Architecture;
}
