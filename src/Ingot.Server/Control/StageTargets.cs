using Ingot.Instances;
using Ingot.Releases;
using Ingot.Server.Api;

namespace Ingot.Server.Control;

/// <summary>Where the services of a stage run, as the project was last applied.</summary>
internal sealed class StageTargets(ProjectBook projects, Targets targets)
{
    /// <summary>Everything that instances may run on.</summary>
    public IEnumerable<ITarget> All => targets.All;

    /// <summary>What a service runs on at its stage.</summary>
    public ITarget Of(ServiceKey key)
    {
        try
        {
            return targets.Named(projects.Find(key.Project)?.Stages.FirstOrDefault(stage => stage.Name == key.Stage)?.Target);
        }
        catch (Exception e) when (e is ApiException or IngotException or FormatException or KeyNotFoundException)
        {
            // A file that cannot be read, or that this version takes no more, keeps nothing that runs from going on.
            return targets.Named(null);
        }
    }
}
