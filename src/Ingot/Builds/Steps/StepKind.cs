using System.Globalization;
using Ingot.Builds.Cache;
using Ingot.Builds.Layers;
using Ingot.Builds.Normalisation;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Builds.Steps;

/// <summary>Which of the <see cref="StepSlots"/> a step is made in.</summary>
internal enum StepSlot
{
    /// <summary>It mostly waits, and leaves a directory: its layer is written in a slot for work, when it has ended.</summary>
    Command,

    /// <summary>It keeps a processor busy, and writes its layer itself.</summary>
    Work,
}

/// <summary>What a step meets: with its definition all that its result depends on.</summary>
/// <param name="Chain">The layers below it.</param>
/// <param name="Content">The digest of what it reads of other trees; null for nothing.</param>
/// <param name="Epoch">The latest time of what it makes.</param>
internal sealed record StepSurroundings(LayerChain Chain, Digest? Content, DateTimeOffset Epoch)
{
    /// <summary>Names of normalisation rules that are off.</summary>
    public IReadOnlyList<string> RulesOff { get; init; } = [];

    /// <summary>Ids of secrets whose values are not looked for: a result in which one may be is not that of a build that would have
    /// refused it.</summary>
    public IReadOnlyCollection<string> ExemptSecrets { get; init; } = [];

    /// <summary>The layers below, as a part of a key. Their identities, not the steps that made them: a step that comes to the same
    /// result again changes nothing after it.</summary>
    public KeyPart Below => new("parent", Chain.Id.ToString());

    /// <summary>What is read, as parts of a key.</summary>
    public IEnumerable<KeyPart> Reads => Content is { } content ? [new KeyPart("content", content.ToString())] : [];

    /// <summary>The rules that the layer of a command or a bootstrap is written through, as parts of a key.</summary>
    public IEnumerable<KeyPart> Rules(bool isBootstrap) =>
        Normaliser.RulesFor(isBootstrap, RulesOff).Select(r => new KeyPart("rule", r.ToString()));
}

/// <summary>A kind of step: a row of <see cref="StepKinds"/>. It holds all that differs from kind to kind.</summary>
/// <param name="Type">The type of its steps.</param>
/// <param name="Slot">What a step is made in.</param>
internal abstract record StepKind(Type Type, StepSlot Slot)
{
    /// <summary>The key of a step. Paths of the host, times of files, names of people and the order in which directories are read are no
    /// part of it.</summary>
    public StepKey KeyOf(Step step, StepSurroundings met) => StepKey.Of(
        [.. step.Parts, .. PartsOf(step, met), new("epoch", met.Epoch.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture))]);

    /// <summary>Says what the person must have allowed, and what can never be, before anything runs.</summary>
    public abstract void Check(Step step, BuildSettings settings, DiagnosticBag diagnostics);

    /// <summary>The copies that a step makes, or would make of what it is shown: selecting is one thing for both.</summary>
    public abstract IEnumerable<CopyStep> CopiesOf(Step step, MountCopies mounts);

    /// <summary>Finds out what a step reads of other trees.</summary>
    public abstract Task<StepInput> ReadAsync(StepWork work, IStepBuild build, CancellationToken cancellationToken);

    /// <summary>Makes a step.</summary>
    public abstract Task<StepResult> RunAsync(BuildSession session, StepWork work, CancellationToken cancellationToken);

    /// <summary>The step that will be asked for from now on, and has the same result; null where that is the step itself.</summary>
    public abstract Step? SettledBy(Step step, StepResult result);

    /// <summary>What a key has between the step's definition and the epoch.</summary>
    protected abstract IEnumerable<KeyPart> PartsOf(Step step, StepSurroundings met);
}

/// <summary>A row for the steps of one type.</summary>
internal sealed record StepKind<T>(StepSlot Slot) : StepKind(typeof(T), Slot) where T : Step
{
    /// <summary>What of its surroundings, and of this program, decides the result of a step: parts of its key.</summary>
    public required Func<T, StepSurroundings, IEnumerable<KeyPart>> KeyParts { get; init; }

    /// <summary>Makes a step.</summary>
    public required Func<BuildSession, T, StepWork, CancellationToken, Task<StepResult>> Run { get; init; }

    /// <summary>See <see cref="StepKind.Check"/>.</summary>
    public required Action<T, BuildSettings, DiagnosticBag> Checks { get; init; }

    /// <summary>See <see cref="StepKind.CopiesOf"/>.</summary>
    public Func<T, MountCopies, IEnumerable<CopyStep>> Copies { get; init; } = (_, _) => [];

    /// <summary>See <see cref="StepKind.ReadAsync"/>.</summary>
    public Func<T, StepWork, IStepBuild, CancellationToken, Task<StepInput>> Read { get; init; } =
        (_, _, _, _) => Task.FromResult(StepInput.Nothing);

    /// <summary>See <see cref="StepKind.SettledBy"/>.</summary>
    public Func<T, StepResult, T?> Settled { get; init; } = (_, _) => null;

    /// <inheritdoc/>
    public override void Check(Step step, BuildSettings settings, DiagnosticBag diagnostics) => Checks((T)step, settings, diagnostics);

    /// <inheritdoc/>
    public override IEnumerable<CopyStep> CopiesOf(Step step, MountCopies mounts) => Copies((T)step, mounts);

    /// <inheritdoc/>
    public override Task<StepInput> ReadAsync(StepWork work, IStepBuild build, CancellationToken cancellationToken) =>
        Read((T)work.Step, work, build, cancellationToken);

    /// <inheritdoc/>
    public override Task<StepResult> RunAsync(BuildSession session, StepWork work, CancellationToken cancellationToken) =>
        Run(session, (T)work.Step, work, cancellationToken);

    /// <inheritdoc/>
    public override Step? SettledBy(Step step, StepResult result) => Settled((T)step, result);

    /// <inheritdoc/>
    protected override IEnumerable<KeyPart> PartsOf(Step step, StepSurroundings met) => KeyParts((T)step, met);
}
