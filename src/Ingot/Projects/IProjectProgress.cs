using Ingot.Builds;
using Ingot.Evidence.Claims;
using Ingot.Evidence.Packages;
using Ingot.Evidence.Secrets;
using Ingot.Evidence.Tests;
using Ingot.Oci.Registries;

namespace Ingot.Projects;

/// <summary>Is told what is done for a project while it is done.</summary>
public interface IProjectProgress
{
    /// <summary>Takes an event. MUST be quick and MUST NOT throw.</summary>
    void Report(ProjectEvent progress);

    /// <summary>A build begins. What is returned is told of it, and disposed when no step runs any more.</summary>
    /// <param name="log">What the log of the build will be called; null when none is kept.</param>
    IBuildWatch WatchBuild(string? log);

    /// <summary>An image begins to be moved. What is returned is told of it, and disposed at the end.</summary>
    /// <param name="verb">What is done, such as <c>pull</c>.</param>
    /// <param name="name">The image.</param>
    ITransferWatch WatchTransfer(string verb, string name);
}

/// <summary>Is told of one build.</summary>
public interface IBuildWatch : IBuildProgress, IDisposable;

/// <summary>Is told of one transfer: the bytes that went, and each part.</summary>
public interface ITransferWatch : IProgress<int>, IProgress<TransferProgress>, IDisposable;

/// <summary>Something that happened in the work on a project.</summary>
public abstract record ProjectEvent
{
    private ProjectEvent()
    {
    }

    /// <summary>Something was done, or is to be known.</summary>
    /// <param name="Area">Where it belongs: <c>build</c>, <c>lock</c>, <c>sign</c>.</param>
    /// <param name="Text">A sentence.</param>
    public sealed record Note(string Area, string Text) : ProjectEvent
    {
        /// <summary>Whether something is not as the person may think.</summary>
        public bool IsWarning { get; init; }
    }

    /// <summary>What goes on now, and may take a while; null when it is over.</summary>
    public sealed record Now(string? Text) : ProjectEvent;

    /// <summary>Why the steps of a build were in the cache or not, in the order of the plan.</summary>
    public sealed record Explained(IReadOnlyList<ExplainedStep> Steps) : ProjectEvent;

    /// <summary>The cache was pruned.</summary>
    /// <param name="Removed">The bytes that are gone.</param>
    /// <param name="Kept">Those that are left.</param>
    /// <param name="Bound">Those that it may have.</param>
    public sealed record CachePruned(long Removed, long Kept, long Bound) : ProjectEvent;

    /// <summary>An image was tested.</summary>
    public sealed record Tested(string Image, TestReport Report) : ProjectEvent;

    /// <summary>An image was scanned.</summary>
    public sealed record Scanned(string Image, ImageScan Scan) : ProjectEvent;
}

/// <summary>Why a step was in the cache or not.</summary>
public sealed record ExplainedStep(StepLabel Step, StepExplanation Explanation);

/// <summary>What was found in the bytes of an image.</summary>
/// <param name="Packages">Its packages.</param>
/// <param name="Secrets">Secrets in its layers.</param>
/// <param name="Claims">What is claimed of it, and whether it is so.</param>
public sealed record ImageScan(PackageInventory Packages, SecretReport Secrets, ClaimReport Claims);

/// <summary>Tells no one.</summary>
public sealed class NoProjectProgress : IProjectProgress
{
    private NoProjectProgress()
    {
    }

    /// <summary>The only one.</summary>
    public static NoProjectProgress Instance { get; } = new();

    /// <inheritdoc/>
    public void Report(ProjectEvent progress)
    {
    }

    /// <inheritdoc/>
    public IBuildWatch WatchBuild(string? log) => new NoWatch();

    /// <inheritdoc/>
    public ITransferWatch WatchTransfer(string verb, string name) => new NoWatch();

    private sealed class NoWatch : IBuildWatch, ITransferWatch
    {
        public void Report(BuildEvent progress)
        {
        }

        public void Report(int value)
        {
        }

        public void Report(TransferProgress value)
        {
        }

        public void Dispose()
        {
        }
    }
}
