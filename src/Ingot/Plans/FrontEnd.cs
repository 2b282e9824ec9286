using Ingot.Diagnostics;
using Ingot.Templates.Project;

namespace Ingot.Plans;

/// <summary>What is known of one image by what it is made from: how it is planned, which files are its own, what checks find in those, and
/// what has to be recorded so that it can be made again. Nothing else asks which kind of image it is.</summary>
public abstract class FrontEnd
{
    /// <summary>Where the image comes from, for people: <c>web/Dockerfile</c>.</summary>
    public abstract string Origin { get; }

    /// <summary>Whether its template is what the person types or pipes, which can be read once.</summary>
    public virtual bool ReadsStandardInput => false;

    /// <summary>The files and directories of the person that it is made of, relative to the project's directory; none when all of it stands
    /// in the project's file.</summary>
    public virtual IReadOnlyList<string> Sources => [];

    /// <summary>What a recipe has to say of its template.</summary>
    public virtual RecordedTemplate Record => RecordedTemplate.None;

    /// <summary>Lowers it to stages, which are added to the plan; null when that cannot be done, and then the planner's diagnostics say
    /// why.</summary>
    public abstract Task<PlannedImage?> PlanAsync(Planner planner, CancellationToken cancellationToken);

    /// <summary>The files that decide what it becomes, for a project in <paramref name="directory"/>; null when that cannot be said, and
    /// then nobody takes it for unchanged. A file outside of where it may be throws <see cref="InvalidInputException"/>.</summary>
    public virtual TemplateFiles? FilesIn(string directory) => null;

    /// <summary>What checks find in its template, without planning it.</summary>
    public virtual IEnumerable<Diagnostic> Check(TemplateCheck check) => [];

    /// <summary>The image that ends at a stage of the template; null when its template has no stages to choose from.</summary>
    public virtual ImageDefinition? WithTarget(string target) => null;

    /// <summary>The image as a recipe of it has it: what was chosen elsewhere than in the project's file.</summary>
    public abstract ImageDefinition As(RecordedTemplate record);
}

/// <summary>The files that decide what an image becomes. All paths are absolute.</summary>
/// <param name="Read">Files that are read, or would be if they were there.</param>
/// <param name="Contexts">Directories whose content is looked at by itself.</param>
/// <param name="IgnoreFiles">The file that says what is not part of a context, for each; null for none.</param>
public sealed record TemplateFiles(IReadOnlyList<string> Read, IReadOnlyList<string> Contexts, IReadOnlyList<string?> IgnoreFiles)
{
    /// <summary>Those of an image that stands in the project's file.</summary>
    public static TemplateFiles None { get; } = new([], [], []);
}

/// <summary>What a recipe says of the template of an image.</summary>
/// <param name="File">The template's file, relative to the project's directory; null when it stands in the project's file.</param>
/// <param name="Context">The directory that goes with it; null for none.</param>
/// <param name="Target">The stage that is the image; null for the last.</param>
public sealed record RecordedTemplate(string? File, string? Context, string? Target)
{
    /// <summary>Of a template of which the project's file says everything.</summary>
    public static RecordedTemplate None { get; } = new(null, null, null);

    /// <summary>The same with its paths changed.</summary>
    public RecordedTemplate Moved(Func<string, string> move) =>
        this with { File = File is null ? null : move(File), Context = Context is null ? null : move(Context) };
}

/// <summary>What checks of templates are given.</summary>
/// <param name="Project">The project of the image.</param>
/// <param name="Settings">What it would be planned with.</param>
public sealed record TemplateCheck(ProjectDefinition Project, PlanSettings Settings);

/// <summary>A template without a project's file.</summary>
/// <param name="Name">What its image is called.</param>
/// <param name="Template">The file, its context and the stage.</param>
/// <param name="Source">What messages say of it.</param>
public sealed record LooseTemplate(string Name, RecordedTemplate Template, SourceText Source)
{
    /// <summary>The directory that the file must be in, absolute; null for the one that is built in.</summary>
    public string? FileRoot { get; init; }

    /// <summary>The directory that the context must be in, absolute; null for the one that is built in.</summary>
    public string? ContextRoot { get; init; }
}
