using Ingot.Oci.Images;
using Ingot.Oci.Layouts;

namespace Ingot.Benchmarks;

/// <summary>In which files two images differ that should be one.</summary>
internal static class Differences
{
    /// <summary>Prints the paths whose content, mode, owner or capabilities differ.</summary>
    public static async Task PrintAsync(string directory, string first, string second)
    {
        var layout = new OciLayout(directory);
        foreach (var difference in TreeComparison.Compare(await ReadAsync(layout, first), await ReadAsync(layout, second)))
            Console.WriteLine($"/{difference.Path}");
    }

    private static async Task<MergedTree> ReadAsync(OciLayout layout, string name)
    {
        var names = await layout.NamesAsync(CancellationToken.None);
        var image = await Image.LoadAsync(layout.Store, names[name].Digest);
        return await MergedTree.ReadAsync(layout.Store, image, CancellationToken.None);
    }
}
