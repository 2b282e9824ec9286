using Ingot.Builds.Cache;
using Ingot.Builds.Layers;
using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Builds.Steps;

/// <summary>A step that is to be made.</summary>
/// <param name="Step">The step.</param>
/// <param name="Label">What it is called.</param>
/// <param name="Chain">The layers below it.</param>
/// <param name="Export">Whether its layer is an image's.</param>
internal sealed record StepWork(Step Step, StepLabel Label, LayerChain Chain, bool Export)
{
    /// <summary>What it reads of other trees.</summary>
    public StepInput Input { get; init; } = StepInput.Nothing;

    /// <summary>Whether its result is only mounted.</summary>
    public bool IsMounted { get; init; }

    /// <summary>Where it stands, for people.</summary>
    public required StepOrigin Origin { get; init; }

    /// <summary>The layer that was made the last time at the same place, which may be mostly the same;
    /// null when none is to be used.</summary>
    public Digest? Earlier { get; init; }

    /// <summary>The stage it belongs to, which says the epoch and the rules that are off.</summary>
    public required PlannedStage Stage { get; init; }

    /// <summary>Whether a result may be known: something was made at its place before, or is offered by others, and may be used.</summary>
    public bool MayBeKnown { get; init; }
}

/// <summary>What a step reads of other trees.</summary>
/// <param name="Content">The digest of it, a part of the step's key; null for nothing.</param>
internal record StepInput(Digest? Content)
{
    /// <summary>Nothing.</summary>
    public static StepInput Nothing { get; } = new(Content: null);

    /// <summary>The same, of which everything was read: <see cref="Content"/> is then what others know the result by. Itself where it
    /// was.</summary>
    public virtual Task<StepInput> CompleteAsync(CancellationToken cancellationToken) => Task.FromResult(this);

    /// <summary>The same, with everything there that the step is shown. It may have to be made, which is work like the step: nothing is
    /// held meanwhile.</summary>
    public virtual Task<StepInput> PrepareAsync(StepWork work, IStepBuild build, CancellationToken cancellationToken) =>
        Task.FromResult(this);
}

/// <summary>The build that a step is part of, as its kind sees it.</summary>
internal interface IStepBuild
{
    /// <summary>The copies that commands mount instead of making.</summary>
    MountCopies Mounts { get; }

    /// <summary>What a copy reads.</summary>
    Task<CopyInput> InputOfAsync(CopyStep copy);

    /// <summary>The layers of a stage or an image.</summary>
    Task<LayerChain> ChainAsync(TreeSource source);

    /// <summary>Makes a copy into an empty root, for a step that mounts it and for no image.</summary>
    /// <param name="copy">The copy.</param>
    /// <param name="input">What it reads.</param>
    /// <param name="target">Where it is mounted, which tells it from others of the step.</param>
    /// <param name="user">The step.</param>
    Task<LayerChain> CopyAsync(CopyStep copy, CopyInput input, string target, StepWork user);
}
