using System.Text;
using Ingot.Oci.Linux;

namespace Ingot.Diagnostics;

/// <summary>The directory of a project, and the one way to its files: whatever one of them says, or a link in it, leads to files of the
/// project only. What leads out of it, is a pipe or a device, or is too large for a person to have written, throws
/// <see cref="InvalidInputException"/> with the file and what to do.</summary>
public sealed class ProjectDirectory : IDisposable
{
    private const int MaxTextBytes = 16 << 20;
    private const string Inside = "copy what it leads to into the project, or name that on the command line";

    private readonly RootedDirectory _root;

    /// <summary>Opens the directory, wherever that is: its name is a person's word.</summary>
    public ProjectDirectory(string directory)
    {
        Root = Path.GetFullPath(directory);
        try
        {
            _root = new RootedDirectory(Root);
        }
        catch (IOException e)
        {
            throw new InvalidInputException("no-directory", $"'{directory}' is not a directory", IngotException.ReasonOf(e));
        }
    }

    /// <summary>Its absolute path, as it was named.</summary>
    public string Root { get; }

    /// <summary>A path of the directory itself, whatever happens to its name; for this process, as long as this is open.</summary>
    public string HandlePath => _root.HandlePath;

    /// <summary>The directory beneath which a path has to stay that a person typed: the project's when the path is in it, for a project may
    /// have made a link of it; else the one that the path leads to, which is the person's word.</summary>
    /// <param name="directory">The project's.</param>
    /// <param name="path">What was typed.</param>
    /// <param name="name">The path as seen from the directory that is returned.</param>
    public static string RootOfTyped(string directory, string path, out string name)
    {
        string full = Path.GetFullPath(path, directory);
        name = Path.GetRelativePath(directory, full);
        if (name != ".." && !name.StartsWith("../", StringComparison.Ordinal))
            return directory;

        using var found = RootedDirectory.FindNamed(full);
        full = found is null || found.Status.Type is not (Kernel.S_IFREG or Kernel.S_IFDIR) ? full : found.Path;
        string parent = found?.Status.Type == Kernel.S_IFDIR ? full : Path.GetDirectoryName(full) ?? full;
        name = Path.GetRelativePath(parent, full);
        return parent;
    }

    /// <summary>Refuses a place to write to that is beneath a directory by its name, and leads out of it over a link: whoever made the
    /// directory's files would say what is overwritten.</summary>
    /// <param name="directory">A project's, or that of a context.</param>
    /// <param name="path">Absolute: a file or directory that need not be there yet.</param>
    /// <param name="said">What people know it by.</param>
    public static void CheckDestination(string directory, string path, string said)
    {
        string root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory));
        string inside = Path.GetRelativePath(root, path);
        if (root == "/" || inside == ".." || inside.StartsWith("../", StringComparison.Ordinal) || !Directory.Exists(root))
            return;

        try
        {
            using var files = new RootedDirectory(root);
            // What is not there yet is made where the nearest directory above it is.
            for (string at = inside; at.Length > 0; at = Path.GetDirectoryName(at) ?? "")
            {
                using var found = files.Find(at, out var answer);
                if (answer == PathAnswer.Outside)
                    throw new InvalidInputException("outside-project",
                        $"'{said}' leads out of '{root}' through a link, and would be written there",
                        "name the place that the link leads to");
                if (answer == PathAnswer.Found)
                    return;
            }
        }
        catch (IOException e)
        {
            throw new InvalidInputException("output", $"'{said}' cannot be written", IngotException.ReasonOf(e));
        }
    }

    /// <summary>As <see cref="RootOfTyped"/>, opened.</summary>
    public static ProjectDirectory OfTyped(string directory, string path, out string name) => new(RootOfTyped(directory, path, out name));

    /// <summary>The text of a file; null when it is not there.</summary>
    /// <param name="path">Relative to the directory.</param>
    /// <param name="name">What people know it by; its path when left out.</param>
    public SourceText? FindText(string path, string? name = null)
    {
        name ??= path;
        using var file = Find(path, name);
        return file is null ? null : new SourceText(name, ReadText(file, name));
    }

    /// <summary>The content of a file; null when it is not there.</summary>
    /// <param name="path">Relative to the directory.</param>
    /// <param name="name">What people know it by.</param>
    /// <param name="maxBytes">More is refused.</param>
    public byte[]? FindBytes(string path, string name, int maxBytes)
    {
        using var file = Find(path, name);
        return file is null ? null : ReadBytes(file, name, maxBytes);
    }

    /// <summary>Where a file is, without links: what <see cref="ReadResolved"/> takes. Null when it is not there.</summary>
    public string? FindFile(string path, string? name = null)
    {
        using var file = Find(path, name ?? path);
        return file?.Path;
    }

    /// <summary>Where a directory is, without links; null when there is none.</summary>
    public string? FindDirectory(string path, string? name = null)
    {
        using var found = Open(path, name ?? path);
        return found?.Status.Type == Kernel.S_IFDIR ? found.Path : null;
    }

    /// <summary>Where a file or directory is, without links; null when there is none.</summary>
    public string? FindAny(string path, string? name = null)
    {
        using var found = Open(path, name ?? path);
        return found is null ? null : found.Status.Type is Kernel.S_IFREG or Kernel.S_IFDIR ? found.Path : throw Special(name ?? path);
    }

    /// <summary>The text of a file whose path was resolved before, and has no link in it now either.</summary>
    public static string ReadResolved(string path)
    {
        using var file = FindResolved(path, out var answer);
        if (file is null)
        {
            throw answer == PathAnswer.Outside
                ? new InvalidInputException("outside-project", $"'{path}' became a symbolic link while in use",
                    "try again while nobody is changing it")
                : new InvalidInputException("unreadable", $"'{path}' cannot be read: it is gone", "try again while nobody is changing it");
        }

        return file.Status.Type == Kernel.S_IFREG ? ReadText(file, path) : throw Special(path);
    }

    private static FoundFile? FindResolved(string path, out PathAnswer answer)
    {
        try
        {
            return RootedDirectory.FindResolved(path, out answer);
        }
        catch (IOException e)
        {
            throw new InvalidInputException("unreadable", $"'{path}' cannot be read", IngotException.ReasonOf(e));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _root.Dispose();

    private FoundFile? Find(string path, string name)
    {
        var found = Open(path, name);
        if (found is null || found.Status.Type == Kernel.S_IFREG)
            return found;

        found.Dispose();
        throw found.Status.Type == Kernel.S_IFDIR
            ? new InvalidInputException("no-file", $"'{name}' is a directory", "name a file")
            : Special(name);
    }

    private FoundFile? Open(string path, string name)
    {
        try
        {
            var found = _root.Find(path, out var answer);
            return answer == PathAnswer.Outside
                ? throw new InvalidInputException("outside-project",
                    $"'{name}' leads out of '{Root}', and only files in it are read", Inside)
                : found;
        }
        catch (IOException e)
        {
            throw new InvalidInputException("unreadable", $"'{name}' cannot be read", IngotException.ReasonOf(e));
        }
    }

    private static InvalidInputException Special(string name) =>
        new("no-file", $"'{name}' is a pipe, a socket or a device, which is not read", "put a file there");

    private static string ReadText(FoundFile file, string name)
    {
        using var reader = new StreamReader(new MemoryStream(ReadBytes(file, name, MaxTextBytes)), Encoding.UTF8);
        return reader.ReadToEnd();
    }

    // It may grow while it is read.
    private static byte[] ReadBytes(FoundFile file, string name, int maxBytes)
    {
        try
        {
            using var stream = file.OpenRead();
            using var content = new MemoryStream();
            byte[] buffer = new byte[16 << 10];
            while (content.Length <= maxBytes && stream.Read(buffer) is > 0 and int read)
                content.Write(buffer, 0, read);
            return content.Length <= maxBytes
                ? content.ToArray()
                : throw new InvalidInputException("too-large", $"'{name}' is larger than {maxBytes >> 10} KiB", "make it smaller");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidInputException("unreadable", $"'{name}' cannot be read", IngotException.ReasonOf(e));
        }
    }
}
