using Ingot.Diagnostics;

namespace Ingot.Plans;

/// <summary>Something that is mounted while a command runs; nothing of it is in the layer.</summary>
/// <param name="Target">Where, absolute and cleaned; empty for what is mounted nowhere.</param>
/// <param name="Span">Where it is written.</param>
public abstract record StepMount(string Target, SourceSpan Span)
{
    /// <summary>The canonical definition: all of it that can change the command's result, beside the content that it shows.</summary>
    public abstract string Definition { get; }

    /// <summary>The tree that it shows or begins with, and the path in it; null for none.</summary>
    public virtual (TreeSource From, string Path)? Tree => null;

    /// <summary>Files of another tree. What is written to it is gone afterwards.</summary>
    /// <param name="Target">Where.</param>
    /// <param name="Span">Where it is written.</param>
    /// <param name="From">The tree.</param>
    /// <param name="Source">The path in it, as layers name it; empty for all of it.</param>
    /// <param name="IsWritable">Whether the command may write.</param>
    public sealed record Bind(string Target, SourceSpan Span, TreeSource From, string Source, bool IsWritable) : StepMount(Target, Span)
    {
        /// <inheritdoc/>
        public override string Definition => $"bind {Target} /{Source}{(IsWritable ? " rw" : "")}";

        /// <inheritdoc/>
        public override (TreeSource From, string Path)? Tree => (From, Source);
    }

    /// <summary>A directory that stays from build to build. Its content is no input: a build must work when it is empty.</summary>
    /// <param name="Target">Where.</param>
    /// <param name="Span">Where it is written.</param>
    /// <param name="Id">Which: builds that name the same share it.</param>
    /// <param name="Sharing">What happens when two commands want it at once.</param>
    public sealed record Cache(string Target, SourceSpan Span, string Id, CacheSharing Sharing) : StepMount(Target, Span)
    {
        /// <summary>What it holds at first; null for nothing.</summary>
        public TreeSource? From { get; init; }

        /// <summary>The path in <see cref="From"/>.</summary>
        public string Source { get; init; } = "";

        /// <summary>Whether the command may not write.</summary>
        public bool IsReadOnly { get; init; }

        /// <summary>Mode of the directory when it is made, 12 bits.</summary>
        public int Mode { get; init; } = 0b111_101_101;

        /// <summary>Owner of the directory when it is made.</summary>
        public uint UserId { get; init; }

        /// <summary>Group of the directory when it is made.</summary>
        public uint GroupId { get; init; }

        /// <inheritdoc/>
        public override string Definition => $"cache {Target} {Id}{(IsReadOnly ? " ro" : "")}";

        /// <inheritdoc/>
        public override (TreeSource From, string Path)? Tree => From is null ? null : (From, Source);
    }

    /// <summary>Memory.</summary>
    /// <param name="Target">Where.</param>
    /// <param name="Span">Where it is written.</param>
    /// <param name="Size">How large it may become in bytes; null for the system's limit.</param>
    public sealed record Tmpfs(string Target, SourceSpan Span, long? Size) : StepMount(Target, Span)
    {
        /// <inheritdoc/>
        public override string Definition => $"tmpfs {Target} {Size}";
    }

    /// <summary>A secret, as a file or a variable. Its value is part of no key, no record and no layer.</summary>
    /// <param name="Target">Where the file is; empty when there is only a variable.</param>
    /// <param name="Span">Where it is written.</param>
    /// <param name="Id">Which.</param>
    /// <param name="Variable">The variable that holds it; null for none.</param>
    /// <param name="IsRequired">Whether the build fails when it was not given.</param>
    public sealed record Secret(string Target, SourceSpan Span, string Id, string? Variable, bool IsRequired) : StepMount(Target, Span)
    {
        /// <summary>Mode of the file, 12 bits.</summary>
        public int Mode { get; init; } = 0b100_000_000;

        /// <summary>Owner of the file.</summary>
        public uint UserId { get; init; }

        /// <summary>Group of the file.</summary>
        public uint GroupId { get; init; }

        /// <inheritdoc/>
        public override string Definition => $"secret {Target} {Id} {Variable}";
    }

    /// <summary>A socket of an agent that holds SSH keys; <c>SSH_AUTH_SOCK</c> names it.</summary>
    /// <param name="Target">Where the socket is; empty for a place of the builder's choice.</param>
    /// <param name="Span">Where it is written.</param>
    /// <param name="Id">Which agent.</param>
    /// <param name="IsRequired">Whether the build fails when it was not given.</param>
    public sealed record Ssh(string Target, SourceSpan Span, string Id, bool IsRequired) : StepMount(Target, Span)
    {
        /// <summary>Mode of the socket, 12 bits.</summary>
        public int Mode { get; init; } = 0b110_000_000;

        /// <summary>Owner of the socket.</summary>
        public uint UserId { get; init; }

        /// <summary>Group of the socket.</summary>
        public uint GroupId { get; init; }

        /// <inheritdoc/>
        public override string Definition => $"ssh {Target} {Id}";
    }
}

/// <summary>What happens when two commands want one cache at once.</summary>
public enum CacheSharing
{
    /// <summary>Both write to it.</summary>
    Shared,

    /// <summary>The second gets one of its own.</summary>
    Private,

    /// <summary>The second waits.</summary>
    Locked,
}
