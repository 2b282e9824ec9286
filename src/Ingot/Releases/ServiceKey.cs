namespace Ingot.Releases;

/// <summary>One service at one stage: what a rollout changes and what one proxy stands in front of.</summary>
/// <param name="Project">The project's name.</param>
/// <param name="Service">The service's name in the project.</param>
/// <param name="Stage">The stage's name.</param>
public readonly record struct ServiceKey(string Project, string Service, string Stage)
{
    /// <summary><c>project.service.stage</c>: the stem of every name given on a target. The names themselves may hold dashes and no dots,
    /// so that no two services share it.</summary>
    public string Stem => $"{Project}.{Service}.{Stage}";

    /// <summary><c>project/service@stage</c>, for people.</summary>
    public override string ToString() => $"{Project}/{Service}@{Stage}";
}
