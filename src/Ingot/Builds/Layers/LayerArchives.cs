using System.Security.Cryptography;
using System.Text;
using Ingot.Builds.Files;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;

namespace Ingot.Builds.Layers;

/// <summary>The archives of layers that were made here, uncompressed: each in a file of its own, or as parts of several that other layers
/// may have too, which links keep.</summary>
/// <remarks>
/// What belongs to a layer begins with its digest: <c>HEX.tar</c>, or <c>HEX.parts</c>, whose first line is a mark, and the files
/// <c>HEX.MARK.0</c>, <c>HEX.MARK.1</c>… that it counts. <c>HEX.trace</c> says how it was written. Two that put one layer together at once,
/// each from other files, have other marks: whichever list is there, its own files are.
/// </remarks>
internal sealed class LayerArchives
{
    // Beyond that it is put together: every part costs something wherever the layer is read, and files hold on to what nobody reads.
    private const int MaxFiles = 12;
    private const int MaxParts = 200;
    private const int MaxWaste = 2;

    private readonly string _directory;

    public LayerArchives(string directory) => _directory = Directory.CreateDirectory(directory).FullName;

    /// <summary>A layer's archive; null when it is not here, or not all of it.</summary>
    public LayerArchive? Find(Digest diffId)
    {
        if (File.Exists(WholePath(diffId)))
            return LayerArchive.Whole(WholePath(diffId));
        if (ReadText(PartsPath(diffId))?.Split('\n', 2) is not [var mark, var text]
            || LayerArchive.TryReadParts(text) is not { Count: > 0 } parts)
            return null;

        string[] files = [.. Enumerable.Range(0, parts.Max(p => p.File) + 1).Select(i => FilePath(diffId, mark, i))];
        return parts.All(p => new FileInfo(files[p.File]) is { Exists: true } file && file.Length >= p.End)
            ? new LayerArchive(files, parts)
            : null;
    }

    /// <summary>Keeps an archive, unless the layer's is here already.</summary>
    /// <param name="diffId">The layer.</param>
    /// <param name="archive">Its archive. The last file was made for it, and is moved here or removed.</param>
    public void Add(Digest diffId, LayerArchive archive)
    {
        string made = archive.Files[^1];
        if (archive.Files.Count == 1)
            File.Move(made, WholePath(diffId), overwrite: true);
        else if (Find(diffId) is null)
            AddParts(diffId, archive);
        File.Delete(made);
    }

    /// <summary>Keeps how a layer was written.</summary>
    public void AddTrace(Digest diffId, LayerTrace trace) => AtomicFile.Write(TracePath(diffId), trace.Write());

    /// <summary>How a layer was written; null when that is not known.</summary>
    public LayerTrace? FindTrace(Digest diffId)
    {
        try
        {
            return LayerTrace.TryRead(File.ReadAllBytes(TracePath(diffId)));
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Where the image is that makes an archive mountable: of this layer,
    /// or of a chain when its directories are those below it.</summary>
    public string ImagePath(Digest name, LayerArchive archive) =>
        Path.Combine(_directory, archive.Files.Count == 1 ? name.Hex + ".image" : $"{name.Hex}.{PartsOf(archive)}.image");

    private static string PartsOf(LayerArchive archive)
    {
        string parts = string.Join('\n', [.. archive.Files.Select(Path.GetFileName), archive.WriteParts()]);
        return Digest.Of(Encoding.UTF8.GetBytes(parts)).Hex[..16];
    }

    /// <summary>Whether an archive is in too many pieces, or keeps too much that is not in it.</summary>
    public static bool IsScattered(LayerArchive archive) =>
        archive.Files.Count > MaxFiles
            || archive.Parts.Count > MaxParts
            || archive.Files.Sum(f => new FileInfo(f).Length) > MaxWaste * archive.Size;

    private void AddParts(Digest diffId, LayerArchive archive)
    {
        string mark = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6));
        int last = archive.Files.Count - 1;
        int[] used = [.. archive.Parts.Select(p => p.File).Distinct().Order()];
        foreach (var (i, file) in used.Index().Where(u => u.Item != last))
        {
            if (HostFiles.TryLink(archive.Files[file], FilePath(diffId, mark, i)))
                continue;
            File.Move(archive.Gather(archive.Files[last] + ".whole").Files[0], WholePath(diffId), overwrite: true);
            return;
        }

        if (used[^1] == last)
            File.Move(archive.Files[last], FilePath(diffId, mark, used.Length - 1));
        var parts = new LayerArchive([.. used.Select((_, i) => FilePath(diffId, mark, i))],
            [.. archive.Parts.Select(p => p with { File = Array.IndexOf(used, p.File) })]);
        AtomicFile.Write(PartsPath(diffId), Encoding.ASCII.GetBytes($"{mark}\n{parts.WriteParts()}"));
    }

    private static string? ReadText(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    private string WholePath(Digest diffId) => Path.Combine(_directory, diffId.Hex + ".tar");

    private string PartsPath(Digest diffId) => Path.Combine(_directory, diffId.Hex + ".parts");

    private string FilePath(Digest diffId, string mark, int number) => Path.Combine(_directory, $"{diffId.Hex}.{mark}.{number}");

    private string TracePath(Digest diffId) => Path.Combine(_directory, diffId.Hex + ".trace");
}
