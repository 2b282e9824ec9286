using System.Security.Cryptography;
using System.Text;
using Ingot.Builds.Layers;
using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Builds.Steps;

/// <summary>What commands mount of other trees, as the copies that they would be. A mount has one copy, whoever asks.</summary>
internal sealed class MountCopies
{
    /// <summary>Where in the layer of such a copy the files are.</summary>
    public const string Path = "/mounted";

    private readonly Dictionary<StepMount, CopyStep> _copies = new(ReferenceEqualityComparer.Instance);

    /// <summary>The copies of a command's mounts, in order.</summary>
    public IEnumerable<CopyStep> Of(RunStep step) => step.Mounts.Select(Of).OfType<CopyStep>();

    /// <summary>The copy of a mount; null for one that shows no tree.</summary>
    public CopyStep? Of(StepMount mount)
    {
        if (mount.Tree is not { From: not TreeSource.Scratch } tree)
            return null;

        lock (_copies)
        {
            if (!_copies.TryGetValue(mount, out var copy))
            {
                var source = new CopySource(Escape(tree.Path), mount.Span);
                _copies[mount] = copy = new CopyStep($"--mount from {tree.From}", mount.Span, tree.From, [source], Path);
            }

            return copy;
        }
    }

    // The source of a mount is a path, whatever characters are in it.
    private static string Escape(string path) =>
        string.Concat(path.Select(c => "*?[\\".Contains(c, StringComparison.Ordinal) ? $"\\{c}" : $"{c}"));
}

/// <summary>What a command mounts of other trees: those of stages and images as they are, everything else as the copy of it into an empty
/// root.</summary>
internal sealed record MountedInput : StepInput
{
    private readonly IReadOnlyList<(StepMount Mount, CopyStep Copy, CopyInput Files, Digest Digest)> _copies;

    private MountedInput(IReadOnlyList<(StepMount Mount, CopyStep Copy, CopyInput Files, Digest Digest)> copies)
        : base(DigestOf([.. copies.Select(c => c.Digest)])) => _copies = copies;

    /// <summary>The trees of the mounts that have one, when they are prepared.</summary>
    public IReadOnlyDictionary<StepMount, MountTree> Trees { get; private init; } = new Dictionary<StepMount, MountTree>();

    /// <summary>What a command mounts.</summary>
    public static async Task<StepInput> OfAsync(RunStep step, StepWork work, IStepBuild build, CancellationToken cancellationToken)
    {
        var copies = new List<(StepMount, CopyStep, CopyInput, Digest)>();
        foreach (var mount in step.Mounts)
        {
            if (build.Mounts.Of(mount) is not { } copy)
                continue;
            var files = await build.InputOfAsync(copy);
            copies.Add((mount, copy, files, await files.DigestAsync(cancellationToken)));
        }

        return new MountedInput(copies);
    }

    /// <inheritdoc/>
    public override async Task<StepInput> PrepareAsync(StepWork work, IStepBuild build, CancellationToken cancellationToken)
    {
        var trees = new Dictionary<StepMount, MountTree>(ReferenceEqualityComparer.Instance);
        foreach (var mount in ((RunStep)work.Step).Mounts.OfType<StepMount.Bind>())
            trees[mount] = MountTree.Empty;
        foreach (var (mount, copy, files, digest) in _copies)
        {
            trees[mount] = copy.From is TreeSource.Stage or TreeSource.Image
                ? new MountTree(await build.ChainAsync(copy.From), mount.Tree!.Value.Path, digest)
                : new MountTree(await build.CopyAsync(copy, files, mount.Target, work), MountCopies.Path[1..], digest);
        }

        return this with { Trees = trees };
    }

    private static Digest? DigestOf(IReadOnlyList<Digest> contents) => contents.Count == 0
        ? null
        : Digest.FromHash(SHA256.HashData(Encoding.ASCII.GetBytes(string.Concat(contents.Select(d => $"{d}\n")))));
}
