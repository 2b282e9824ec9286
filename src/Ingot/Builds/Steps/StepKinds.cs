using Ingot.Diagnostics;
using Ingot.Plans;

namespace Ingot.Builds.Steps;

/// <summary>The kinds of steps that a build knows. What changes only an image's configuration is none: nothing is made for it.</summary>
internal sealed class StepKinds(params IReadOnlyList<StepKind> rows)
{
    private readonly Dictionary<Type, StepKind> _rows = rows.ToDictionary(r => r.Type);

    /// <summary>Those there are.</summary>
    public static StepKinds Standard { get; } = new(
        new StepKind<BootstrapStep>(StepSlot.Command)
        {
            KeyParts = BootstrapExecution.KeyParts,
            Run = BootstrapExecution.RunAsync,
            Checks = NothingToAllow,
            Settled = BootstrapExecution.Settled,
        },
        new StepKind<RunStep>(StepSlot.Command)
        {
            KeyParts = CommandExecution.KeyParts,
            Run = CommandExecution.RunAsync,
            Checks = CommandExecution.Check,
            Copies = (step, mounts) => mounts.Of(step),
            Read = MountedInput.OfAsync,
        },
        new StepKind<CopyStep>(StepSlot.Work)
        {
            KeyParts = CopyExecution.KeyParts,
            Run = CopyExecution.RunAsync,
            Checks = NothingToAllow,
            Copies = (step, _) => [step],
            Read = CopiedInput.OfAsync,
        },
        new StepKind<DirectoryStep>(StepSlot.Work)
        {
            KeyParts = DirectoryExecution.KeyParts,
            Run = DirectoryExecution.RunAsync,
            Checks = NothingToAllow,
        });

    /// <summary>The kind of a step.</summary>
    public StepKind Of(Step step) =>
        _rows.TryGetValue(step.GetType(), out var kind)
            ? kind
            : throw new InvalidOperationException($"'{step.GetType().Name}' is no known kind of step");

    private static void NothingToAllow(Step step, BuildSettings settings, DiagnosticBag diagnostics)
    {
        // It runs no command of the person's.
    }

    /// <summary>These and another one.</summary>
    public StepKinds With(StepKind row) => new([.. _rows.Values, row]);
}
