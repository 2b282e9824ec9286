using Ingot.Oci.Tar;

namespace Ingot.Oci.Images;

/// <summary>A path that two images see differently.</summary>
/// <param name="Path">The path below the root.</param>
/// <param name="Before">The file in the first image; null when it has none.</param>
/// <param name="After">The file in the second image; null when it has none.</param>
public sealed record FileDifference(string Path, MergedFile? Before, MergedFile? After)
{
    /// <summary>Whether the bytes, the kind of file, or where a link leads changed.</summary>
    public bool IsContent => Before is { Record: var b } && After is { Record: var a }
        && (b.Digest != a.Digest || b.Size != a.Size || KindOf(b.Type) != KindOf(a.Type) || (b.Type == TarEntryType.SymbolicLink
            && b.LinkTarget != a.LinkTarget)
            || (b.Entry.DeviceMajor, b.Entry.DeviceMinor) != (a.Entry.DeviceMajor, a.Entry.DeviceMinor));

    /// <summary>Whether the permissions or set-id bits changed.</summary>
    public bool IsMode => Before is { } b && After is { } a && b.Record.Mode != a.Record.Mode;

    /// <summary>Whether the user or group changed.</summary>
    public bool IsOwner => Before is { } b && After is { } a && (b.Record.UserId, b.Record.GroupId) != (a.Record.UserId, a.Record.GroupId);

    /// <summary>Whether the file's capabilities changed.</summary>
    public bool IsCapability => TreeComparison.Capabilities(Before) != TreeComparison.Capabilities(After);

    // The first name of a file and the others are no different kinds.
    private static TarEntryType KindOf(TarEntryType type) => type == TarEntryType.HardLink ? TarEntryType.File : type;
}

/// <summary>Compares what containers of two images see. Times are not compared: they are not what a file is.</summary>
public static class TreeComparison
{
    private const int SetIdBits = 0b110_000_000_000;

    /// <summary>The paths that differ, in the order of <see cref="TarPath.Compare"/>.</summary>
    public static IEnumerable<FileDifference> Compare(MergedTree before, MergedTree after)
    {
        using var left = before.Walk().GetEnumerator();
        using var right = after.Walk().GetEnumerator();
        bool hasLeft = left.MoveNext(), hasRight = right.MoveNext();
        while (hasLeft || hasRight)
        {
            int order = !hasLeft ? 1 : !hasRight ? -1 : TarPath.Compare(left.Current.Path, right.Current.Path);
            var difference = new FileDifference(order <= 0 ? left.Current.Path : right.Current.Path, order <= 0 ? left.Current.File : null,
                order >= 0 ? right.Current.File : null);
            if ((order != 0 && !IsOrdinaryRoot(difference)) || difference.IsContent || difference.IsMode || difference.IsOwner
                || difference.IsCapability)
                yield return difference;
            hasLeft = order <= 0 ? left.MoveNext() : hasLeft;
            hasRight = order >= 0 ? right.MoveNext() : hasRight;
        }
    }

    // A root that no layer describes is one that is described as every root is.
    private static bool IsOrdinaryRoot(FileDifference difference) =>
        difference.Path.Length == 0
            && (difference.Before ?? difference.After) is { Record: { Mode: 0b111_101_101, UserId: 0, GroupId: 0 } };

    /// <summary>Whether a file runs as its owner or group, whoever starts it.</summary>
    public static bool IsSetId(MergedFile? file) =>
        file is { Record: { Type: TarEntryType.File, Mode: var mode } } && (mode & SetIdBits) != 0;

    /// <summary>A file's <c>security.capability</c> in hex; null when it has none.</summary>
    public static string? Capabilities(MergedFile? file) =>
        file?.Record.Entry.ExtendedAttributes?.GetValueOrDefault("security.capability") is { } value
            ? Convert.ToHexStringLower(value)
            : null;
}
