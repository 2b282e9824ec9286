using Ingot.Diagnostics;
using Ingot.Plans;
using Ingot.Templates.Project;

namespace Ingot.Projects.Building;

/// <summary>Looks at the templates of a project without building them.</summary>
public static class TemplateChecks
{
    /// <summary>What is found in the templates of the images that the options name, each thing once.</summary>
    /// <param name="host">What it works with.</param>
    /// <param name="project">The project.</param>
    /// <param name="directory">Where that is.</param>
    /// <param name="options">How it would be built.</param>
    /// <param name="nameOf">What people know a file by, from its absolute path.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<IReadOnlyList<Diagnostic>> RunAsync(
        ProjectHost host, ProjectDefinition project, string directory, BuildOptions options, Func<string, string> nameOf,
        CancellationToken cancellationToken)
    {
        var images = project.Images.Where(i => options.Targets.Count == 0 || options.Targets.Contains(i.Name)).ToList();
        var settings = new PlanSettings
        {
            Directory = directory,
            Options = options.Plan,
            NameOf = nameOf,
            StandardInput = images.Exists(i => host.FrontEnds.Of(i).ReadsStandardInput)
                ? await host.ReadStandardInput(cancellationToken)
                : "",
        };
        var check = new TemplateCheck(project, settings);
        DiagnosticBag found = [];
        foreach (var diagnostic in images.SelectMany(i => host.FrontEnds.Of(i).Check(check)))
            found.Add(diagnostic);
        // Two images may be stages of one file.
        return [.. found.DistinctBy(d => (d.Code, d.Summary, d.Span?.Source.Name, d.Span?.Start, d.Path))];
    }
}
