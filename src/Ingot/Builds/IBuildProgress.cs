using Ingot.Oci.Content;

namespace Ingot.Builds;

/// <summary>Is told what a build does while it does it.</summary>
public interface IBuildProgress
{
    /// <summary>Takes an event. Comes from any thread, several at once; MUST be quick and MUST NOT throw.</summary>
    void Report(BuildEvent progress);
}

/// <summary>Tells no one.</summary>
public sealed class NoBuildProgress : IBuildProgress
{
    /// <summary>The only one.</summary>
    public static NoBuildProgress Instance { get; } = new();

    /// <inheritdoc/>
    public void Report(BuildEvent progress)
    {
    }
}

/// <summary>Which step of a build.</summary>
/// <param name="Stage">The stage's name in the plan.</param>
/// <param name="Number">The number of the step in its stage, from 1.</param>
/// <param name="Count">How many steps the stage has.</param>
/// <param name="Text">The instruction.</param>
public sealed record StepLabel(string Stage, int Number, int Count, string Text)
{
    /// <summary><c>[stage 1/3] RUN make</c>.</summary>
    public override string ToString() => $"[{Stage} {Number}/{Count}] {Text}";
}

/// <summary>Something that happened in a build.</summary>
public abstract record BuildEvent
{
    private BuildEvent()
    {
    }

    /// <summary>A step's result was in the cache.</summary>
    public sealed record StepCached(StepLabel Step) : BuildEvent;

    /// <summary>Why a step's result was in the cache or not: once for each step that has an outcome, when
    /// <see cref="BuildSettings.Explain"/> asks for it.</summary>
    public sealed record StepExplained(StepLabel Step, StepExplanation Explanation) : BuildEvent;

    /// <summary>A step started.</summary>
    /// <param name="Step">The step.</param>
    /// <param name="Reasons">What is different from the last time the step was made; empty the first time, and without a cache.</param>
    public sealed record StepStarted(StepLabel Step, IReadOnlyList<string> Reasons) : BuildEvent;

    /// <summary>A step's command wrote a line.</summary>
    public sealed record StepOutput(StepLabel Step, string Line) : BuildEvent;

    /// <summary>Something to know of what a step made, such as that a rule left out files.</summary>
    /// <param name="Step">The step.</param>
    /// <param name="Text">A line.</param>
    public sealed record StepNote(StepLabel Step, string Text) : BuildEvent;

    /// <summary>A step ended well.</summary>
    /// <param name="Step">The step.</param>
    /// <param name="Elapsed">How long it took.</param>
    /// <param name="Bytes">The bytes of its layer before compression; 0 when it changed nothing.</param>
    public sealed record StepFinished(StepLabel Step, TimeSpan Elapsed, long Bytes) : BuildEvent;

    /// <summary>A step failed; the build ends with an exception.</summary>
    public sealed record StepFailed(StepLabel Step, TimeSpan Elapsed) : BuildEvent;

    /// <summary>Something is not as the person may think, and the build goes on.</summary>
    /// <param name="Text">A sentence.</param>
    public sealed record Warning(string Text) : BuildEvent;

    /// <summary>Something to know of a shared cache.</summary>
    /// <param name="Text">A sentence.</param>
    /// <param name="IsWarning">Whether something is not as the person wanted it.</param>
    public sealed record CacheNote(string Text, bool IsWarning) : BuildEvent;

    /// <summary>Results were put into a shared cache, or could not be.</summary>
    /// <param name="Name">Which one.</param>
    /// <param name="Records">How many results it has now.</param>
    /// <param name="Moved">How many blobs it did not have.</param>
    /// <param name="Bytes">Their bytes.</param>
    /// <param name="Failure">Why it could not be done; null when it was.</param>
    public sealed record CacheExported(string Name, int Records, int Moved, long Bytes, SharedCacheException? Failure) : BuildEvent;

    /// <summary>An image is in the store.</summary>
    /// <param name="Name">Its name in the project.</param>
    /// <param name="Digest">Its manifest.</param>
    /// <param name="Bytes">Its layers, as they are stored.</param>
    public sealed record ImageFinished(string Name, Digest Digest, long Bytes) : BuildEvent;
}
