using Ingot.Diagnostics;
using Ingot.Oci.Layouts;
using Ingot.Plans;
using Ingot.Projects.Images;
using Ingot.Templates.Project;

namespace Ingot.Projects.Building;

/// <summary>What is to be done for a project: nothing in it is still to be looked up.</summary>
/// <param name="Plan">The plan, with epochs and locks.</param>
/// <param name="Bootstraps">The locks of its bootstraps.</param>
/// <param name="Warnings">What is not as the person may think.</param>
internal sealed record PlannedBuild(Plan Plan, BootstrapLocks Bootstraps, IReadOnlyList<Diagnostic> Warnings);

/// <summary>Plans the build of a project: settles base images, bootstraps and epochs, and writes down what it locked.</summary>
internal sealed class BuildPlanning(ProjectHost host, OciLayout layout, ProjectDefinition project, BuildOptions options)
{
    /// <summary>The plan. All that is wrong with the person's files throws at once.</summary>
    /// <param name="directory">The project's.</param>
    /// <param name="input">What standard input says.</param>
    /// <param name="consider">Looks at the plan before anything is written.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<PlannedBuild> PlanAsync(
        string directory, string input, Func<Plan, CancellationToken, Task>? consider, CancellationToken cancellationToken)
    {
        var diagnostics = new DiagnosticBag();
        var locks = ImageLock.Load(directory);
        var bootstraps = new BootstrapLocks(host, locks, options);
        using var bases = new BaseImages(host, layout, directory, locks, options.Bases) { Typed = [.. options.Plan.Contexts.Values] };
        var plan = await Planner.PlanAsync(project, SettingsFor(directory, input, bases), diagnostics, cancellationToken);
        diagnostics.ThrowIfErrors();
        if (consider is not null)
            await consider(plan!, cancellationToken);

        plan = bootstraps.Settle(plan!);
        if (options.Names)
            await bases.SaveAsync(bootstraps.IsUpdated, cancellationToken);
        foreach (var warning in diagnostics)
            host.Say("build", warning.ToString());
        plan = await ImageEpochs.SettleAsync(host, plan, project, options, cancellationToken);
        return new PlannedBuild(plan, bootstraps, [.. diagnostics]);
    }

    private PlanSettings SettingsFor(string directory, string input, BaseImages bases) => new()
    {
        Directory = directory,
        Targets = options.Targets,
        Options = options.Plan,
        FrontEnds = host.FrontEnds,
        StandardInput = input,
        NameOf = ProjectFiles.Name,
        Runs = Emulators.Runs,
        FindImage = (name, platform, token) => options.Pins.Bases.TryGetValue(name, out var pinned)
            ? bases.FindPinnedAsync(name, pinned, platform, token)
            : bases.FindAsync(name, platform, token),
    };
}
