using System.Text.RegularExpressions;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Builds.Layers;

/// <summary>Files that web servers serve. Such servers (nginx, Apache) and those who asked them before tell versions of a file apart by its
/// time and size, and the times of an image's files are all its epoch.</summary>
public static partial class ServedFiles
{
    /// <summary>Files of a web server that have another content in a new image, and the size and time of before: whoever has the old one is
    /// told that it is still right.</summary>
    /// <param name="cacheDirectory">Where the builder keeps what it knows of layers.</param>
    /// <param name="store">Where both images are.</param>
    /// <param name="before">The image of before.</param>
    /// <param name="after">The new one.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<IReadOnlyList<string>> ChangedUnseenAsync(
        string cacheDirectory, IContentStore store, Image before, Image after, CancellationToken cancellationToken = default)
    {
        var was = await OwnAsync(cacheDirectory, store, before, after, cancellationToken);
        var isNow = await OwnAsync(cacheDirectory, store, after, before, cancellationToken);
        return ChangedUnseen(was, isNow);
    }

    /// <summary>As <see cref="ChangedUnseenAsync"/>, of layers that the other image does not have, the lowest first.</summary>
    public static IReadOnlyList<string> ChangedUnseen(IEnumerable<LayerIndex> before, IEnumerable<LayerIndex> after)
    {
        var was = Topmost(before);
        return
        [
            .. from file in Topmost(after).Values
               let old = was.GetValueOrDefault(file.Path)
               where old is not null && old.Digest != file.Digest && old.Size == file.Size && old.ModifiedTime == file.ModifiedTime
                   && WebRoot().IsMatch(file.Path)
               orderby file.Path
               select file.Path,
        ];
    }

    /// <summary>What a person should know of such files; null when there are none.</summary>
    public static string? Warning(string image, IReadOnlyList<string> files)
    {
        const int shown = 3;
        if (files.Count == 0)
            return null;

        string more = files.Count > shown ? $" and {files.Count - shown} more" : "";
        return $"'{image}' serves files that changed but look the same, with equal size and time: "
            + $"{string.Join(", ", files.Take(shown).Select(f => "/" + f))}{more}. "
            + "Web servers will tell browsers that their copies are still current: set 'epoch: commit', or name the files by their content";
    }

    private static Dictionary<string, FileRecord> Topmost(IEnumerable<LayerIndex> layers)
    {
        var files = new Dictionary<string, FileRecord>();
        foreach (var file in layers.SelectMany(l => l.Files).Where(f => f.Type is TarEntryType.File or TarEntryType.HardLink))
            files[file.Path] = file;
        return files;
    }

    private static async Task<IReadOnlyList<LayerIndex>> OwnAsync(
        string cacheDirectory, IContentStore store, Image image, Image other, CancellationToken cancellationToken)
    {
        var shared = other.Config.RootFs.DiffIds.ToHashSet();
        var indexes = new List<LayerIndex>();
        foreach (var (diffId, blob) in image.Config.RootFs.DiffIds.Zip(image.Manifest.Layers).Where(l => !shared.Contains(l.First)))
        {
            indexes.Add(await LayerCache.KnownIndexAsync(cacheDirectory, diffId, cancellationToken)
                ?? await LayerReader.IndexAsync(store, blob, diffId, cancellationToken: cancellationToken));
        }

        return indexes;
    }

    // Where the servers of distributions and of the usual images look, and what frameworks call such directories.
    [GeneratedRegex("^(?:var/www|srv|usr/share/(?:nginx|caddy|apache2)|usr/local/apache2/htdocs|usr/share/nginx/html|etc/nginx/html)/|(?:^"
        + "|/)(?:public|static|htdocs|html|www|wwwroot|public_html|dist)/")]
    private static partial Regex WebRoot();
}
