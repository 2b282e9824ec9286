using Ingot.Oci.Tar;
using Ingot.Templates.Dockerfile;

namespace Ingot.Builds.Files;

/// <summary>Which files of a directory a copy takes: those that <c>--parents</c> names, without those that <c>--exclude</c> names. Paths
/// are below that directory.</summary>
/// <param name="Include">What is taken, as a pattern of an ignore file would match it; null for everything.</param>
/// <param name="Exclude">What is not.</param>
internal sealed record CopyFilter(IgnoreFile? Include, IgnoreFile Exclude)
{
    /// <summary>Takes everything.</summary>
    public static CopyFilter All { get; } = new(null, IgnoreFile.Empty);

    /// <summary>Whether a file is taken, or a directory as such.</summary>
    public bool Takes(string path) => (Include is null || Include.IsIgnored(path)) && !Exclude.IsIgnored(path);

    /// <summary>Whether nothing below a directory can be taken, so that it need not be read.</summary>
    public bool TakesNothingBelow(string directory) =>
        Exclude.CanPrune(directory) || (Include is not null && !Include.IsIgnored(directory) && !Include.MayMatchBelow(directory));

    /// <summary>Of files in the order of layers those that are taken, and the directories on the way to them.</summary>
    /// <param name="files">The files, a directory before what is in it.</param>
    public IReadOnlyList<SelectedFile> Apply(IEnumerable<SelectedFile> files)
    {
        var all = files.ToList();
        if (this == All)
            return all;

        var needed = new HashSet<string>();
        var taken = new List<SelectedFile>();
        foreach (var file in Enumerable.Reverse(all))
        {
            bool takes = Takes(file.Entry.Path);
            if (!takes && !needed.Contains(file.Entry.Path))
                continue;

            taken.Add(takes ? file : file with { IsOnTheWay = true });
            needed.Add(TarPath.Parent(file.Entry.Path));
        }

        taken.Reverse();
        return taken;
    }
}
