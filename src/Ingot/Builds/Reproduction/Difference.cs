using Ingot.Oci.Content;

namespace Ingot.Builds.Reproduction;

/// <summary>Why two builds of one thing differ.</summary>
public enum DifferenceCause
{
    /// <summary>Not known.</summary>
    Unknown,

    /// <summary>The time of the build is in it.</summary>
    Timestamp,

    /// <summary>A path of the builder is in it.</summary>
    Path,

    /// <summary>The same parts, in another order.</summary>
    Order,

    /// <summary>Something random: an identifier, a key, a seed.</summary>
    Random,

    /// <summary>A log or a cache that belongs to the run and not to the image.</summary>
    Leftover,

    /// <summary>Something came over the network and had changed.</summary>
    Network,

    /// <summary>The inputs are not the same: another base, argument or source.</summary>
    Input,

    /// <summary>What compressed the layer is not the same.</summary>
    Codec,
}

/// <summary>One difference between an image and what building it again gave.</summary>
/// <param name="Layer">The layer's diff id in the image.</param>
/// <param name="Instruction">What made the layer; null when that is not known.</param>
/// <param name="Path">The file; empty for the image's configuration.</param>
/// <param name="What">What differs: <c>content</c>, <c>mode</c>, <c>missing</c> …</param>
/// <param name="Before">As the image has it, in a form for people.</param>
/// <param name="After">As it was built now.</param>
/// <param name="Cause">Why, as far as that can be told.</param>
/// <param name="Reason">What the file is, in words, where it is something of which that is known; null else.</param>
/// <param name="Cure">What to do about it; null when nothing is known that surely helps.</param>
public sealed record Difference(
    Digest? Layer, string? Instruction, string Path, string What, string Before, string After, DifferenceCause Cause,
    string? Reason, string? Cure);

/// <summary>How two images differ.</summary>
/// <param name="Differences">The differences: of every layer that differs the first ones, else of the configuration, else of the
/// compression. Empty when the digests are equal.</param>
/// <param name="More">How many more there are.</param>
public sealed record ImageComparison(IReadOnlyList<Difference> Differences, int More)
{
    /// <summary>Equal images.</summary>
    public static ImageComparison Equal { get; } = new([], 0);

    /// <summary>Whether the digests are equal.</summary>
    public bool IsEqual => Differences.Count == 0;
}
