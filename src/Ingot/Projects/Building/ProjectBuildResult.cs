using Ingot.Builds;
using Ingot.Builds.Files;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Projects.Recipes;

namespace Ingot.Projects.Building;

/// <summary>What the build of a project came to.</summary>
/// <param name="Platforms">The build for each platform, in the order of the options.</param>
/// <param name="Images">The images that were asked for; of several platforms an index of each.</param>
public sealed record ProjectBuildResult(IReadOnlyList<PlatformBuild> Platforms, IReadOnlyList<ProjectImage> Images)
{
    /// <summary>Whether any step ran.</summary>
    public bool DidWork => Platforms.Any(p => p.DidWork);
}

/// <summary>What the build for one platform came to.</summary>
public sealed record PlatformBuild
{
    /// <summary>The images, in the project's order.</summary>
    public required IReadOnlyList<BuiltImage> Images { get; init; }

    /// <summary>What the images were built with just now, by name: the record that is kept of a digest may be of another project, or of an
    /// earlier commit. Empty when none was to be kept.</summary>
    public required IReadOnlyDictionary<string, BuildRecipe> Recipes { get; init; }

    /// <summary>What is not as the person may think.</summary>
    public required IReadOnlyList<Diagnostic> Warnings { get; init; }

    /// <summary>What the contexts looked like before any of their files was read; null when that says too little.</summary>
    public required IReadOnlyList<ContextLook>? Looks { get; init; }

    /// <summary>Why each step was in the cache or not, when that was asked for.</summary>
    public required IReadOnlyList<ExplainedStep> Explained { get; init; }

    /// <summary>Whether any step ran.</summary>
    public required bool DidWork { get; init; }

    /// <summary>How long it took, planning included.</summary>
    public required TimeSpan Elapsed { get; init; }

    /// <summary>A sentence about an image of which <paramref name="cached"/> steps were in the cache.</summary>
    public static string Sentence(BuiltImage image, int cached) =>
        $"{image.Name} is {image.Digest} ({cached} of {image.Record.Steps} steps from the cache)";
}

/// <summary>An image of the project that was built.</summary>
/// <param name="Name">Its name in the project.</param>
/// <param name="Names">Its names in the local store.</param>
/// <param name="Descriptor">The manifest, or the index of those of several platforms.</param>
/// <param name="Parts">The image for each platform.</param>
public sealed record ProjectImage(string Name, IReadOnlyList<string> Names, Descriptor Descriptor, IReadOnlyList<BuiltImage> Parts)
{
    /// <summary>The descriptor of an image's manifest.</summary>
    public static Descriptor DescriptorOf(BuiltImage image)
    {
        long size = ImageJson.Write(image.Manifest).Length;
        return new Descriptor { MediaType = image.Manifest.MediaType, Digest = image.Digest, Size = size };
    }

    /// <summary>What an image runs on, as its configuration says.</summary>
    public static Platform PlatformOf(BuiltImage image) =>
        new() { Os = image.Config.Os, Architecture = image.Config.Architecture, Variant = image.Config.Variant };
}
