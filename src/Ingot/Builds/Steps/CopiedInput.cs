using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Builds.Steps;

/// <summary>What a copy reads, with its digest.</summary>
/// <param name="Files">What it reads.</param>
/// <param name="Selected">Its digest. Of what was not read it is one of what the files look like: they are read but once, while they are
/// copied.</param>
/// <param name="IsUnread">Whether that is so.</param>
internal sealed record CopiedInput(CopyInput Files, Digest Selected, bool IsUnread) : StepInput(Selected)
{
    // What is read once more, to be looked up, when nothing was ever kept that it could be.
    private const long MaxReadAhead = 4 << 20;

    /// <summary>What a copy reads.</summary>
    public static async Task<StepInput> OfAsync(CopyStep step, StepWork work, IStepBuild build, CancellationToken cancellationToken)
    {
        var files = await build.InputOfAsync(step);
        // An archive is read to be unpacked, and what comes out says nothing of what it was.
        bool isUnread = step.Unpacking == Unpacking.None && files.UnreadBytes > MaxReadAhead && !work.MayBeKnown;
        var content = isUnread ? (await files.SelectAsync(cancellationToken)).Digest : await files.DigestAsync(cancellationToken);
        return new CopiedInput(files, content, isUnread);
    }

    /// <inheritdoc/>
    public override async Task<StepInput> CompleteAsync(CancellationToken cancellationToken) =>
        IsUnread ? new CopiedInput(Files, await Files.DigestAsync(cancellationToken), IsUnread: false) : this;
}
