using Ingot.Diagnostics;
using Ingot.Templates.Dockerfile;
using Ingot.Templates.Project;

namespace Ingot.Plans;

/// <summary>The files that an image of a project is built from, where they may be: beneath the project's directory,
/// or where a person typed that they are.</summary>
/// <param name="Directory">The project's directory, absolute.</param>
/// <param name="Image">The image.</param>
public sealed record ImageFiles(string Directory, DockerfileImage Image)
{
    /// <summary>What people know a file by, from its absolute path; as the project has it when left out.</summary>
    public Func<string, string>? NameOf { get; init; }

    private bool IsStandardInput => Image.Dockerfile == PlanSettings.StandardInputName;

    /// <summary>The Dockerfile; null when it is not there. What is outside throws <see cref="InvalidInputException"/>.</summary>
    public SourceText? FindDockerfile()
    {
        using var files = OpenDockerfileRoot(out string name);
        return files.FindText(name, NameOf?.Invoke(Path.GetFullPath(Image.Dockerfile, Directory)) ?? Image.Dockerfile);
    }

    /// <summary>What the Dockerfile may have been called instead; null for nothing.</summary>
    public string? Near()
    {
        using var files = OpenDockerfileRoot(out string name);
        return files.FindDirectory(Path.GetDirectoryName(name) ?? "") is { } directory
            ? Suggestion.For(Path.GetFileName(name), System.IO.Directory.EnumerateFiles(directory).Select(p => Path.GetFileName(p)))
            : null;
    }

    /// <summary>The context without links in its path; null when it is no directory. What is outside throws
    /// <see cref="InvalidInputException"/>.</summary>
    public TreeSource.Context? FindContext()
    {
        string root = Image.ContextRoot ?? Directory;
        using var outer = new ProjectDirectory(root);
        return outer.FindDirectory(Path.GetRelativePath(root, Path.GetFullPath(Image.Context, Directory)), Image.Context) is { } found
            ? new TreeSource.Context(found, Image.Context, IgnoreFileOf(found)) { KeepsModes = Image.KeepsModes }
            : null;
    }

    private string? IgnoreFileOf(string directory)
    {
        using var context = new ProjectDirectory(directory);
        if (IsStandardInput)
            return IgnoreFile.Locate(context);
        using var files = OpenDockerfileRoot(out string name);
        return IgnoreFile.Locate(context, files, name);
    }

    private ProjectDirectory OpenDockerfileRoot(out string name)
    {
        string root = Image.DockerfileRoot ?? Directory;
        name = Path.GetRelativePath(root, Path.GetFullPath(Image.Dockerfile, Directory));
        return new ProjectDirectory(root);
    }
}
