using Ingot.Diagnostics;
using Ingot.Oci.Linux;
using Ingot.Templates.Project;

namespace Ingot.Cli.Commands;

/// <summary>Finds and reads a project's file.</summary>
internal static class ProjectFiles
{
    /// <summary>The project the command is about, checked; wrong files throw with every diagnostic.</summary>
    public static ProjectDefinition Load(CommandContext context) => Load(context.ProjectDirectory, context.IsDirectoryGiven);

    /// <summary>The project in <paramref name="directory"/>, checked; wrong files throw with every diagnostic.</summary>
    public static ProjectDefinition Load(string directory) => Load(directory, isExact: true);

    /// <summary>Whether there is a project in <paramref name="directory"/>.</summary>
    public static bool IsIn(string directory) => FileIn(directory) is not null;

    /// <summary>The nearest directory with a project, from <paramref name="directory"/> upwards; null when there is none.</summary>
    /// <remarks>What a project says is carried out with the rights of whoever runs Ingot, and above a directory of theirs may be one that
    /// others write to, such as <c>/tmp</c>: there a file of somebody else is an error, as with git.</remarks>
    public static string? Search(string directory)
    {
        if (IsIn(directory))
            return directory;

        for (string? above = Path.GetDirectoryName(directory); above is not null; above = Path.GetDirectoryName(above))
        {
            if (FileIn(above) is not { } file)
                continue;
            RefuseForeign(Path.Combine(above, file));
            return above;
        }

        return null;
    }

    /// <summary>A file's name as the person would type it: relative to where they are, unless that is the longer one.</summary>
    public static string Name(string path)
    {
        string relative = Path.GetRelativePath(Directory.GetCurrentDirectory(), path);
        return relative.StartsWith("..", StringComparison.Ordinal) && relative.Length >= path.Length ? path : relative;
    }

    private static ProjectDefinition Load(string directory, bool isExact)
    {
        using var files = new ProjectDirectory(directory);
        string Shown(string name) => Name(Path.Combine(directory, name));
        string[] found = [.. ProjectDefinition.FileNames.Where(name => files.FindAny(name, Shown(name)) is not null)];
        if (found is [var one, var other, ..])
            throw new InvalidInputException("two-projects", $"there are both '{Shown(one)}' and '{Shown(other)}'", "keep one of them");

        if (found is not [var file] || files.FindText(file, Shown(file)) is not { } source)
            throw Missing(directory, isExact);

        var diagnostics = new DiagnosticBag();
        var project = ProjectParser.Parse(source, diagnostics);
        diagnostics.ThrowIfErrors();
        return project!;
    }

    private static InvalidInputException Missing(string directory, bool isExact) => new(
        "no-project",
        $"there is no {ProjectDefinition.FileName} in '{directory}'{(isExact ? "" : " or a directory above it")}",
        "'ingot init' writes one; 'ingot -C DIR …' names the directory of another project");

    private static string? FileIn(string directory) =>
        ProjectDefinition.FileNames.FirstOrDefault(name => File.Exists(Path.Combine(directory, name)));

    private static void RefuseForeign(string path)
    {
        using var found = RootedDirectory.FindNamed(path);
        uint user = Libc.GetEUid();
        if (found is null || found.Status.UserId == user || found.Status.UserId == 0)
            return;

        throw new InvalidInputException(
            "foreign-project",
            $"'{path}' belongs to the user {found.Status.UserId}, and this is the user {user}: what it says is not carried out unasked",
            $"if you trust it, name its directory: ingot -C {Path.GetDirectoryName(path)} …");
    }
}
