using Ingot.Diagnostics;
using Ingot.Plans;
using Ingot.Projects;
using Ingot.Projects.Building;
using Ingot.Templates.Project;

namespace Ingot.Cli.Commands;

/// <summary>What a person wants built: images of a project, or the image of a Dockerfile that belongs to none.</summary>
/// <param name="Context">The command's context, in the project's directory.</param>
/// <param name="Project">The project.</param>
/// <param name="Names">The images; empty for all.</param>
/// <param name="Source">Where the files of a Dockerfile of no project are.</param>
internal sealed record BuildSubject(CommandContext Context, ProjectDefinition Project, IReadOnlyList<string> Names, BuildContext Source)
    : IAsyncDisposable
{
    private const string Dockerfile = "Dockerfile";

    /// <summary>Files whose presence decided what the words meant: names of a project, or places.</summary>
    public IReadOnlyList<string> Asked { get; init; } = [];

    private const string LayoutScheme = "oci-layout://";

    /// <summary>Finds what the words of the command line mean.</summary>
    /// <param name="context">Where they were said.</param>
    /// <param name="words">Images of the project; or one directory, or a repository.</param>
    /// <param name="file">A Dockerfile; null when none was named.</param>
    /// <param name="contexts">Contexts that were given.</param>
    /// <param name="options">How it is to be built.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<BuildSubject> FindAsync(
        CommandContext context, IReadOnlyList<string> words, string? file, IReadOnlyList<string> contexts, BuildOptions options,
            CancellationToken cancellationToken)
    {
        string project = context.ProjectDirectory;
        var found = await FindAsync(context, ProjectFiles.IsIn(project), words, file, contexts, options, cancellationToken);
        return found with
        {
            Asked = [.. From(context.Directory, project).SelectMany(d => ProjectDefinition.FileNames.Select(n => Path.Combine(d, n)))],
        };
    }

    private static async Task<BuildSubject> FindAsync(
        CommandContext context, bool isProject, IReadOnlyList<string> words, string? file, IReadOnlyList<string> contexts,
            BuildOptions options, CancellationToken cancellationToken)
    {
        var places = words.Where(w => IsPlace(context, w, isProject && file is null)).ToList();
        if (places is [var place])
        {
            CheckAlone(words, contexts, place);
            return await OfPlaceAsync(context, place, file, options, cancellationToken);
        }

        if (places.Count > 1)
            throw new InvalidInputException("build-target",
                $"'{places[0]}' and '{places[1]}' are two directories, and only one is built at a time", "run 'ingot build' for each");
        var source = await BuildContext.FindAsync(context.Host, context.Directory, contexts, options.Access, cancellationToken);
        if (file is null && (isProject || words.Count > 0 || !File.Exists(Path.Combine(context.Directory, Dockerfile))))
            return new BuildSubject(context.AtProject(), Checked(context.LoadProject(), words), words, source);
        return OfDockerfile(context, file ?? Dockerfile, source, words);
    }

    /// <summary>The options with the contexts as they were meant where they were said.</summary>
    public BuildOptions Options(BuildOptions options, string said) => Resolved(options, said, Context.Directory);

    /// <summary>The options for a build in <paramref name="directory"/>, with the contexts as they were meant where they were
    /// <paramref name="said"/>.</summary>
    public static BuildOptions Resolved(BuildOptions options, string said, string directory) => said == directory
        ? options
        : options with
        {
            Plan = options.Plan with
            {
                Contexts = options.Plan.Contexts.ToDictionary(c => c.Key, c => Absolute(c.Value, said), StringComparer.OrdinalIgnoreCase),
            },
        };

    public ValueTask DisposeAsync() => Source.DisposeAsync();

    // A nearer project would be another one.
    private static IEnumerable<string> From(string directory, string above)
    {
        for (string? at = directory; at is not null; at = at == above ? null : Path.GetDirectoryName(at))
            yield return at;
    }

    private static string Absolute(string source, string directory)
    {
        if (source.StartsWith(LayoutScheme, StringComparison.Ordinal))
            return LayoutScheme + Path.GetFullPath(source[LayoutScheme.Length..], directory);
        return GitReference.TryParse(source) is not null || source.Contains("://", StringComparison.Ordinal) ? source
            : Path.GetFullPath(source, directory);
    }

    // A name of the project is that first; what is written as a path is one.
    private static bool IsPlace(CommandContext context, string word, bool hasNames) =>
        word is "." or ".." || word.StartsWith('/') || word.StartsWith("./", StringComparison.Ordinal)
            || word.StartsWith("../", StringComparison.Ordinal) || word.EndsWith('/')
        || GitReference.TryParse(word) is not null
        || (!hasNames && Directory.Exists(context.Resolve(word)));

    private static void CheckAlone(IReadOnlyList<string> words, IReadOnlyList<string> contexts, string place)
    {
        if (words.Count > 1)
            throw new InvalidInputException("build-target",
                $"'{place}' is a directory, and '{words.First(w => w != place)}' would be an image of the project here",
                    "to build images of the project there: ingot -C DIR build IMAGE");
        if (contexts.LastOrDefault(c => !c.Contains('=', StringComparison.Ordinal)) is { } other)
            throw new InvalidInputException("build-target", $"'{place}' and '--context {other}' are two contexts for one image",
                "leave one out, or give the other a name: --context NAME=DIR");
    }

    private static async Task<BuildSubject> OfPlaceAsync(CommandContext context, string place, string? file, BuildOptions options,
        CancellationToken cancellationToken)
    {
        var source = await BuildContext.FindAsync(context.Host, context.Directory, [place], options.Access, cancellationToken);
        if (source.IsRepository)
            return OfDockerfile(context, file ?? Dockerfile, source, []);

        var there = context with { Directory = source.Directory, IsDirectoryGiven = true };
        if (file is not null)
            return OfDockerfile(there, file == PlanSettings.StandardInputName ? file
                : Path.GetRelativePath(source.Directory, context.Resolve(file)), source, []);
        if (ProjectFiles.IsIn(source.Directory))
            return new BuildSubject(there, ProjectFiles.Load(source.Directory, context.Host.FrontEnds), [], source);
        if (!File.Exists(Path.Combine(source.Directory, Dockerfile)))
            throw new InvalidInputException("no-project",
                $"there is neither {ProjectDefinition.FileName} nor a {Dockerfile} in '{source.Directory}'",
                    "name the Dockerfile: ingot build DIR -f FILE");
        return OfDockerfile(there, Dockerfile, source, []);
    }

    private static ProjectDefinition Checked(ProjectDefinition project, IReadOnlyList<string> names)
    {
        foreach (var name in names.Where(n => project.Images.All(i => i.Name != n)))
            throw new InvalidInputException("no-image", $"the project '{project.Name}' has no image '{name}'",
                Suggestion.Among(name, "images", [.. project.Images.Select(i => i.Name)]));
        return project;
    }

    private static BuildSubject OfDockerfile(CommandContext context, string dockerfile, BuildContext source, IReadOnlyList<string> names)
    {
        var project = Single(context, dockerfile, source);
        return new BuildSubject(context, Checked(project, names), names, source);
    }

    // A project of one image.
    private static ProjectDefinition Single(CommandContext context, string dockerfile, BuildContext source)
    {
        bool isStandardInput = dockerfile == PlanSettings.StandardInputName;
        // In a repository the Dockerfile is the repository's.
        string directory = source.IsRepository ? source.Directory : context.Directory;
        string path = Path.GetFullPath(dockerfile, directory);
        string root = ProjectDirectory.RootOfTyped(directory, path, out string inRoot);
        using var files = new ProjectDirectory(root);
        if (!isStandardInput && files.FindFile(inRoot, dockerfile) is null)
            throw new InvalidInputException("no-file",
                $"there is no file '{dockerfile}'{(source.IsRepository ? " in the repository" : "")}");

        path = Path.Combine(root, inRoot);
        string name = NameOf(source);
        var text = new SourceText(isStandardInput ? "standard input" : ProjectFiles.Name(path), "");
        string relative = isStandardInput ? dockerfile : Path.GetRelativePath(context.Directory, path);
        var template = new RecordedTemplate(relative, Path.GetRelativePath(context.Directory, source.Directory), Target: null);
        return context.Host.FrontEnds.Loose(name, new LooseTemplate(name, template, text)
        {
            FileRoot = root,
            ContextRoot = source.IsRepository ? source.Directory : ProjectDirectory.RootOfTyped(context.Directory, source.Directory, out _),
        });
    }

    private static string NameOf(BuildContext source)
    {
        string name = new([.. source.Name.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-')]);
        return name.Trim('-').Length == 0 ? "image" : name.Trim('-');
    }
}
