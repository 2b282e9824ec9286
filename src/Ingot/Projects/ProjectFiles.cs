using System.Globalization;
using Ingot.Diagnostics;
using Ingot.Oci.Linux;
using Ingot.Plans;
using Ingot.Templates.Project;

namespace Ingot.Projects;

/// <summary>Finds and reads a project's file.</summary>
public static class ProjectFiles
{
    /// <summary>The project in <paramref name="directory"/>, checked; wrong files throw with every diagnostic.</summary>
    /// <param name="directory">Where it is.</param>
    /// <param name="frontEnds">What its images may be made from; Ingot's own when left out.</param>
    /// <param name="isExact">Whether the directory was named, and not found from one below it.</param>
    public static ProjectDefinition Load(string directory, FrontEnds? frontEnds = null, bool isExact = true)
    {
        using var files = new ProjectDirectory(directory);
        string Shown(string name) => Name(Path.Combine(directory, name));
        string[] found = [.. ProjectDefinition.FileNames.Where(name => files.FindAny(name, Shown(name)) is not null)];
        if (found is [var one, var other, ..])
            throw new InvalidInputException("two-projects", $"there are both '{Shown(one)}' and '{Shown(other)}'", "keep one of them");

        if (found is not [var file] || files.FindText(file, Shown(file)) is not { } source)
            throw Missing(directory, isExact);

        var diagnostics = new DiagnosticBag();
        var project = ProjectParser.Parse(source, diagnostics, (frontEnds ?? FrontEnds.Standard).Templates);
        diagnostics.ThrowIfErrors();
        return project!;
    }

    /// <summary>The nearest directory with a project, from <paramref name="directory"/> upwards, or that directory itself; a project that
    /// is not carried out unasked throws, with why.</summary>
    public static string Require(string directory) =>
        Nearest(directory) is not { } found ? directory : found.Refusal is { } refusal ? throw refusal : found.Directory;

    /// <summary>Whether there is a project in <paramref name="directory"/>.</summary>
    public static bool IsIn(string directory) => FileIn(directory) is not null;

    /// <summary>The nearest directory with a project, from <paramref name="directory"/> upwards; null when there is none.</summary>
    /// <remarks>What a project says is carried out with the rights of whoever runs Ingot, and above a directory of theirs may be one that
    /// others write to, such as <c>/tmp</c>: there a file of somebody else, or a link to a file, is no project, as with git. Who needs a
    /// project asks for it with <see cref="Require"/>, and is told.</remarks>
    public static string? Search(string directory) => Nearest(directory) is { Refusal: null } found ? found.Directory : null;

    /// <summary>A file's name as the person would type it: relative to where they are, unless that is the longer one.</summary>
    public static string Name(string path)
    {
        string relative = Path.GetRelativePath(Directory.GetCurrentDirectory(), path);
        return relative.StartsWith("..", StringComparison.Ordinal) && relative.Length >= path.Length ? path : relative;
    }

    private static InvalidInputException Missing(string directory, bool isExact) => new(
        "no-project",
        $"there is no {ProjectDefinition.FileName} in '{directory}'{(isExact ? "" : " or a directory above it")}",
        "'ingot init' writes one; 'ingot -C DIR …' names the directory of another project");

    private static string? FileIn(string directory) =>
        ProjectDefinition.FileNames.FirstOrDefault(name => File.Exists(Path.Combine(directory, name)));

    private static FoundProject? Nearest(string directory)
    {
        if (IsIn(directory))
            return new FoundProject(directory, Refusal: null);

        for (string? above = Path.GetDirectoryName(directory); above is not null; above = Path.GetDirectoryName(above))
        {
            if (FileIn(above) is { } file)
                return new FoundProject(above, RefusalOf(above, file));
        }

        return null;
    }

    // The name itself is looked at: whoever may write a link there says with it which file of anybody's is meant.
    private static InvalidInputException? RefusalOf(string directory, string file)
    {
        string path = Path.Combine(directory, file);
        using var root = new RootedDirectory(directory);
        using var found = root.Find(file, out var answer, followsLinks: false);
        if (answer == PathAnswer.Outside)
            return Refusal("is a link: what it leads to");

        uint user = Libc.GetEUid();
        if (found is null || IsTrusted(found.Status.UserId, user))
            return null;
        return Refusal(string.Create(
            CultureInfo.InvariantCulture, $"belongs to the user {found.Status.UserId}, and this is the user {user}: what it says"));

        InvalidInputException Refusal(string what) => new(
            "foreign-project",
            $"'{path}' {what} is not run unless you ask for it",
            $"if you trust it, name its directory: ingot -C {directory} …");
    }

    // Under sudo a person is root for a moment, and their files stay theirs.
    private static bool IsTrusted(uint owner, uint user) => owner == user || owner == 0 || (user == 0 && owner == SudoUser());

    private static uint? SudoUser() =>
        uint.TryParse(Environment.GetEnvironmentVariable("SUDO_UID"), NumberStyles.None, CultureInfo.InvariantCulture, out uint user)
            ? user
            : null;

    /// <summary>The nearest directory with a project's file.</summary>
    /// <param name="Directory">It.</param>
    /// <param name="Refusal">Why what stands there is not carried out unasked; null when it is.</param>
    private sealed record FoundProject(string Directory, InvalidInputException? Refusal);
}
