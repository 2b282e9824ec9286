using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Builds.Files;

/// <summary>What a part of a build context looked like, by names, stamps and links; no file is read for it.</summary>
/// <param name="Directory">The context's directory, absolute.</param>
/// <param name="IgnoreFile">The file that says what is not part of it, absolute; null for none.</param>
/// <param name="Patterns">What was selected.</param>
/// <param name="Stamp">What it looked like.</param>
public sealed record ContextLook(string Directory, string? IgnoreFile, IReadOnlyList<string> Patterns, Digest Stamp)
{
    /// <summary>Whether it still looks like that: then no file of it changed, came or went since,
    /// whatever its size and times say.</summary>
    /// <param name="cacheDirectory">The cache of the build that looked.</param>
    public bool IsStill(string cacheDirectory)
    {
        try
        {
            using var files = new ContextFiles(new TreeSource.Context(Directory, "", IgnoreFile), default,
                ContentDigests.PlaceIn(cacheDirectory));
            files.Skip();
            return files.StampOf(Patterns) == Stamp;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidInputException)
        {
            return false;
        }
    }
}
