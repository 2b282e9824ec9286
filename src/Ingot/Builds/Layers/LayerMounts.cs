using System.Text;
using Ingot.Builds.Cache;
using Ingot.Builds.Files;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Erofs;
using Ingot.Oci.Tar;
using Ingot.Tools;

namespace Ingot.Builds.Layers;

/// <summary>Layers that are mounted instead of unpacked: whether this host can, and doing it.</summary>
internal static class LayerMounts
{
    private const string AnswerFile = "mountable";
    private const string Yes = "yes";
    private const int DirectoryMode = 0b111_101_101;

    private static readonly byte[] s_content = Encoding.ASCII.GetBytes(new string('x', 5000));

    /// <summary>Whether images of layers can be mounted and overlays over them written. Tried for real; the answer is kept in
    /// <paramref name="cache"/> for as long as this boot of the kernel and this container last.</summary>
    /// <param name="cache">A directory that stays.</param>
    /// <param name="newDirectory">Makes an empty directory for the trial, on the file system that layers will be on.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<bool> AreSupportedAsync(string cache, Func<string> newDirectory, CancellationToken cancellationToken)
    {
        string place = Place(), file = Path.Combine(cache, AnswerFile);
        if (File.Exists(file) && await File.ReadAllLinesAsync(file, cancellationToken) is [var known, var answer] && known == place)
            return answer == Yes;

        string found = await TryAsync(newDirectory(), cancellationToken);
        AtomicFile.Write(file, Encoding.UTF8.GetBytes($"{place}\n{found}\n"));
        return found == Yes;
    }

    /// <summary>Mounts a layer; <see cref="Mounts.Detach"/> takes it away.</summary>
    /// <param name="index">What is in the layer.</param>
    /// <param name="contents">The files that its contents lie in, the first its uncompressed archive unless the options say otherwise.
    /// They must not change.</param>
    /// <param name="image">The file to make; it must stay for as long as it is mounted.</param>
    /// <param name="target">The mount point.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <exception cref="LayerException">The layer cannot be said in an image, or not be unpacked either.</exception>
    /// <exception cref="ToolException">The host cannot mount it.</exception>
    public static void Mount(LayerIndex index, IReadOnlyList<string> contents, string image, string target, ErofsOptions? options = null)
    {
        WriteImage(index, contents, image, options);
        Mounts.Erofs(image, contents, target);
    }

    private static void WriteImage(LayerIndex index, IReadOnlyList<string> contents, string image, ErofsOptions? options)
    {
        using var output = File.Create(image);
        ErofsImage.Write(output, index, [.. contents.Select(path => new ErofsDevice(new FileInfo(path).Length))], options);
    }

    // Another kernel, another boot of it, another container, other rights: each may answer otherwise.
    private static string Place() => string.Join(' ',
    [
        CacheDurability.Boot,
        .. new[] { "user", "mnt" }
            .Select(space => File.ResolveLinkTarget("/proc/self/ns/" + space, returnFinalTarget: false)?.Name ?? space),
        Environment.IsPrivilegedProcess ? "privileged" : "unprivileged",
    ]);

    private static async Task<string> TryAsync(string directory, CancellationToken cancellationToken)
    {
        try
        {
            foreach (string name in (string[])["lower", "middle", "upper", "work", "root"])
                HostFiles.MakeDirectory(Path.Combine(directory, name), DirectoryMode);
            var lower = await WriteAsync(directory, "lower", ["gone", "hidden/gone", "kept"], cancellationToken);
            var middle = await WriteAsync(directory, "middle", [".wh.gone", "hidden/.wh..wh..opq", "new"], cancellationToken);
            IReadOnlyList<Preparation> mounts = [lower, middle, new OverlayMount(["middle", "lower"], "upper", "work", "root")];
            return await Mounts.SecludedAsync(directory, mounts, () => IsRight("root")) ? Yes : "no: the mounted files are wrong";
        }
        catch (Exception e) when (e is ToolException or IOException or UnauthorizedAccessException)
        {
            return "no: " + e.Message.ReplaceLineEndings(" ");
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<ImageMount> WriteAsync(string directory, string name, string[] paths, CancellationToken cancellationToken)
    {
        string tar = Path.Combine(directory, name + ".tar");
        var output = new FileStream(tar, FileMode.CreateNew, FileAccess.ReadWrite);
        await using (output)
        {
            var writer = new TarWriter(output, leaveOpen: true);
            await using (writer)
            {
                foreach (string path in paths)
                {
                    byte[] content = Whiteout.IsWhiteout(path) ? [] : s_content;
                    await writer.WriteAsync(
                        new TarEntry { Path = path, Type = TarEntryType.File, Mode = DirectoryMode, Size = content.Length },
                        content,
                        cancellationToken);
                }

                await writer.CompleteAsync(cancellationToken);
            }

            output.Position = 0;
            var index = await LayerReader.IndexAsync(output, cancellationToken: cancellationToken);
            string image = Path.Combine(directory, name + ".image");
            WriteImage(index, [tar], image, options: null);
            return new ImageMount(image, [tar], name);
        }
    }

    private static bool IsRight(string root)
    {
        string changed = Path.Combine(root, "kept");
        File.AppendAllText(changed, "y");
        return !File.Exists(Path.Combine(root, "gone"))
            && !Directory.EnumerateFileSystemEntries(Path.Combine(root, "hidden")).Any()
            && File.ReadAllBytes(Path.Combine(root, "new")).AsSpan().SequenceEqual(s_content)
            && File.ReadAllBytes(changed).AsSpan().SequenceEqual([.. s_content, (byte)'y']);
    }
}
