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
        public override string ToString() => Reference.EndsWith(Manifest.ToString(), StringComparison.Ordinal) ? $"image {Reference}" : $"image {Reference} {Manifest}";
    }

    /// <summary>A directory of the person's.</summary>
    /// <param name="Directory">The build context, absolute.</param>
    /// <param name="Name">How the project names it.</param>
    /// <param name="IgnoreFile">The file that says what is not part of it, absolute; null when there is none.</param>
    public sealed record Context(string Directory, string Name, string? IgnoreFile) : TreeSource
    {
        /// <inheritdoc/>
        public override string ToString() => IgnoreFile is null ? $"context {Name}" : $"context {Name} without {Path.GetFileName(IgnoreFile)}";
    }

    /// <summary>Files whose text stands in the template.</summary>
    public sealed record Inline : TreeSource
    {
        /// <inheritdoc/>
        public override string ToString() => "template";
    }
}
