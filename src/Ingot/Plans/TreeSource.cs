using Ingot.Oci.Content;

namespace Ingot.Plans;

/// <summary>Where files come from: what a stage starts with, or what a copy reads.</summary>
public abstract record TreeSource
{
    private TreeSource()
    {
    }

    /// <summary>An empty root.</summary>
    public sealed record Scratch : TreeSource
    {
        /// <inheritdoc/>
        public override string ToString() => "scratch";
    }

    /// <summary>The result of another stage of the plan.</summary>
    /// <param name="Name">The stage's name.</param>
    public sealed record Stage(string Name) : TreeSource
    {
        /// <inheritdoc/>
        public override string ToString() => $"stage {Name}";
    }

    /// <summary>An image in the local store.</summary>
    /// <param name="Reference">How the template named it.</param>
    /// <param name="Manifest">The digest that name had when the plan was made.</param>
    public sealed record Image(string Reference, Digest Manifest) : TreeSource
    {
        /// <inheritdoc/>
        public override string ToString() =>
            Reference.EndsWith(Manifest.ToString(), StringComparison.Ordinal) ? $"image {Reference}" : $"image {Reference} {Manifest}";
    }

    /// <summary>A directory of the person's.</summary>
    /// <param name="Directory">The build context, absolute.</param>
    /// <param name="Name">How the project names it.</param>
    /// <param name="IgnoreFile">The file that says what is not part of it, absolute; null when there is none.</param>
    public sealed record Context(string Directory, string Name, string? IgnoreFile) : TreeSource
    {
        /// <summary>Whether files keep the modes they have on the host, instead of those git knows.</summary>
        public bool KeepsModes { get; init; }

        /// <inheritdoc/>
        public override string ToString() =>
            IgnoreFile is null ? $"context {Name}" : $"context {Name} without {Path.GetFileName(IgnoreFile)}";
    }

    /// <summary>One file of a web server.</summary>
    /// <param name="Address">Where it is.</param>
    /// <param name="Checksum">What it must be; null when it is taken as it comes.</param>
    /// <param name="Name">The name that it gets: the last part of the path.</param>
    public sealed record Download(Uri Address, Digest? Checksum, string Name) : TreeSource
    {
        /// <inheritdoc/>
        public override string ToString() => $"download {SafeAddress.Of(Address)}{(Checksum is null ? "" : $" {Checksum}")}";
    }

    /// <summary>A tree of a git repository.</summary>
    /// <param name="Repository">Where it is: a URL, or <c>user@host:path</c>.</param>
    /// <param name="Revision">A branch, tag or commit; null for the default branch.</param>
    /// <param name="Subdirectory">The part of it that is meant; empty for all.</param>
    /// <param name="KeepGitDirectory">Whether <c>.git</c> is part of it.</param>
    /// <param name="Commit">The commit that it must be, or the first digits of it; null when any will do.</param>
    public sealed record Git(string Repository, string? Revision, string Subdirectory, bool KeepGitDirectory, string? Commit) : TreeSource
    {
        /// <inheritdoc/>
        public override string ToString() => $"git {SafeAddress.OfRepository(Repository)}{(Revision is null ? "" : $"#{Revision}")}"
            + $"{(Subdirectory.Length == 0 ? "" : $":{Subdirectory}")}{(KeepGitDirectory ? " with .git" : "")}"
            + $"{(Commit is null ? "" : $" {Commit}")}";
    }

    /// <summary>Files whose text stands in the template.</summary>
    public sealed record Inline : TreeSource
    {
        /// <inheritdoc/>
        public override string ToString() => "template";
    }
}
