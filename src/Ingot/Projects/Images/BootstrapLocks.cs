using Ingot.Builds;
using Ingot.Diagnostics;
using Ingot.Plans;

namespace Ingot.Projects.Images;

/// <summary>Bootstraps and <c>ingot.lock</c>: what is locked is installed again, and what was installed is locked.</summary>
internal sealed class BootstrapLocks(ProjectHost host, ImageLock locks, BuildOptions options)
{
    private const int MaxShown = 5;

    /// <summary>Whether a bootstrap is asked for anew by its own name.</summary>
    public bool IsUpdated { get; private set; }

    /// <summary>The plan with what each of its bootstraps is locked to. Throws where something would have to be locked and must not
    /// be.</summary>
    public Plan Settle(Plan plan) => plan with { Stages = [.. plan.Stages.Select(Settled)] };

    /// <summary>Locks what was installed, and says what is new.</summary>
    public async Task SaveAsync(Plan plan, IEnumerable<BuiltImage> images, CancellationToken cancellationToken)
    {
        foreach (var bootstrap in images.SelectMany(i => i.Record.Bootstraps).DistinctBy(b => b.Image))
        {
            var old = locks.Set(bootstrap.Image, ArchitectureOf(plan.Stage(bootstrap.Image)),
                new LockedBootstrap(bootstrap.Request, bootstrap.Packages), out bool isNew);
            if (isNew)
            {
                string moves = old is null ? "" : Moves(old.Packages, bootstrap.Packages);
                host.Say("lock", $"{bootstrap.Image} is {bootstrap.Packages.Count} packages{moves}");
            }
        }

        await locks.SaveAsync(host.Places, cancellationToken);
    }

    private PlannedStage Settled(PlannedStage stage) =>
        stage with { Steps = [.. stage.Steps.Select(s => s is BootstrapStep bootstrap ? Settled(stage, bootstrap) : s)] };

    private BootstrapStep Settled(PlannedStage stage, BootstrapStep step)
    {
        if (options.Pins.Bootstraps.TryGetValue(stage.Name, out var pinned))
            return step with { Lock = new BootstrapLock(pinned, IsWhole: true) };

        IsUpdated |= options.Bases.Update == stage.Name;
        if (options.Bases.Update is { } update && (update.Length == 0 || update == stage.Name))
            return step with { IsFresh = true };

        var locked = locks.FindBootstrap(stage.Name, ArchitectureOf(stage));
        if (options.Bases.Locked && locked?.Request != step.Request)
            throw NotLocked(stage, step, locked);
        return locked is null ? step : step with { Lock = new BootstrapLock(locked.Packages, locked.Request == step.Request) };
    }

    private static InvalidInputException NotLocked(PlannedStage stage, BootstrapStep step, LockedBootstrap? locked)
    {
        string what = locked is null
            ? $"the packages of '{stage.Name}' are not in {ImageLock.FileName}, and this build must not add them"
            : $"'{stage.Name}' asks for '{step.Request}', {ImageLock.FileName} has '{locked.Request}', and this build must not change it";
        string cure = $"build once without '--locked' and keep {ImageLock.FileName} with the sources";
        return new InvalidInputException([new(Severity.Error, "bootstrap-not-locked", what, cure, step.Span)]);
    }

    private static string ArchitectureOf(PlannedStage stage) => stage.Platform.Architecture;

    private static string Moves(IReadOnlyList<InstalledPackage> old, IReadOnlyList<InstalledPackage> now)
    {
        var before = old.ToDictionary(p => p.Id);
        var after = now.Select(p => p.Id).ToHashSet();
        List<string> moves =
        [
            .. now.Where(p => before.TryGetValue(p.Id, out var was) && was != p)
                .Select(p => $"{p.Name} {before[p.Id].Version} -> {p.Version}"),
            .. now.Where(p => !before.ContainsKey(p.Id)).Select(p => $"+ {p.Name} {p.Version}"),
            .. old.Where(p => !after.Contains(p.Id)).Select(p => $"- {p.Name} {p.Version}"),
        ];
        string more = moves.Count > MaxShown ? $" and {moves.Count - MaxShown} more" : "";
        return moves.Count == 0 ? "" : $": {string.Join(", ", moves.Take(MaxShown))}{more}";
    }
}
