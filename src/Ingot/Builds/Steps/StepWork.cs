using Ingot.Builds.Cache;
using Ingot.Builds.Layers;
using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Builds.Steps;

/// <summary>A step that is to be made.</summary>
/// <param name="Step">The step.</param>
/// <param name="Label">What it is called.</param>
/// <param name="Chain">The layers below it.</param>
/// <param name="Input">What it copies; null for other steps.</param>
/// <param name="Export">Whether its layer is an image's.</param>
internal sealed record StepWork(Step Step, StepLabel Label, LayerChain Chain, CopyInput? Input, bool Export)
{
    /// <summary>Whether its result is only mounted.</summary>
    public bool IsMounted { get; init; }

    /// <summary>Where it stands, for people.</summary>
    public required StepOrigin Origin { get; init; }

    /// <summary>The layer that was made the last time at the same place, which may be mostly the same; null when none is to be used.</summary>
    public Digest? Earlier { get; init; }

    /// <summary>The stage it belongs to, which says the epoch and the rules that are off.</summary>
    public required PlannedStage Stage { get; init; }

    /// <summary>Whether its key was made before all that it copies was read: that is read but once, while it is copied.</summary>
    public bool IsUnread { get; init; }
}
