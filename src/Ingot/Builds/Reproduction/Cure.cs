namespace Ingot.Builds.Reproduction;

/// <summary>Something a person can do so that a difference goes away. Each was tried: a test applies every one of <see cref="All"/> to a
/// build that differs, and it differs no more.</summary>
/// <param name="Name">A name, for the tests.</param>
/// <param name="Text">What to do.</param>
public sealed record Cure(string Name, string Text)
{
    /// <summary>For times in texts.</summary>
    public static Cure TakeTimeFromEpoch { get; } = new("time",
        "let the command take its time from $SOURCE_DATE_EPOCH, as 'date -d @$SOURCE_DATE_EPOCH' does");

    /// <summary>For times of the members of an archive.</summary>
    public static Cure SetTimesOfMembers { get; } = new(
        "archive", "set the times of what goes into the archive, in the same RUN: find DIRECTORY -exec touch -hd @$SOURCE_DATE_EPOCH {} +");

    /// <summary>For paths with random names.</summary>
    public static Cure WorkInOneDirectory { get; } = new("path", "let the command work in a directory whose name is always the same");

    /// <summary>For lines in another order.</summary>
    public static Cure Sort { get; } = new("order", "sort what the command writes");

    /// <summary>For what is random.</summary>
    public static Cure MakeAtStart { get; } = new("start", "make it when an instance starts, not in the image");

    /// <summary>For hashed passwords.</summary>
    public static Cure FixedHash { get; } = new("password", "hash the password once, and give the hash: echo 'USER:HASH' | chpasswd -e");

    /// <summary>For logs and the like.</summary>
    public static Cure Delete { get; } = new("delete", "delete it in the same RUN");

    /// <summary>For caches.</summary>
    public static Cure DeleteOrCache { get; } = new("cache", "delete it in the same RUN, or put its directory into a --mount=type=cache");

    /// <summary>For downloads.</summary>
    public static Cure KeepDownload { get; } = new("download", "keep the file in the repository, and COPY it");

    /// <summary>All that <c>ingot reproduce</c> names, beside rules that are switched off.</summary>
    public static IReadOnlyList<Cure> All { get; } =
        [TakeTimeFromEpoch, SetTimesOfMembers, WorkInOneDirectory, Sort, MakeAtStart, FixedHash, Delete, DeleteOrCache, KeepDownload];
}
