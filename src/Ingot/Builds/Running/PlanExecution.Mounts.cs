using System.Security.Cryptography;
using System.Text;
using Ingot.Builds.Cache;
using Ingot.Builds.Layers;
using Ingot.Builds.Steps;
using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Builds.Running;

/// <content>What commands mount: trees of stages and images as they are, everything else as the copy of it into an empty root.</content>
internal sealed partial class PlanExecution
{
    private const string MountedPath = "/mounted";

    private readonly Dictionary<StepMount, CopyStep> _mounted = new(ReferenceEqualityComparer.Instance);

    /// <summary>The cache mounts of the plan: their names in caches, and their ids. What they begin with is known only of those that begin empty, or that a step was run for.</summary>
    public async Task<IReadOnlyList<(string Name, string Id)>> CacheMountsAsync()
    {
        var mounts = new List<(string, string)>();
        foreach (var mount in _plan.Stages.SelectMany(s => s.Steps).OfType<RunStep>().SelectMany(s => s.Mounts).OfType<StepMount.Cache>())
        {
            Digest? initial = CopyOf(mount) is { } copy ? await (await _copies.OfAsync(copy, Stopped)).DigestAsync(Stopped) : null;
            mounts.Add((CacheDirectory.Of("", mount.Id, initial), mount.Id));
        }

        return mounts;
    }

    // The copies that a step makes, or would make of what it mounts: selecting is one thing for both.
    private IEnumerable<CopyStep> CopiesOf(Step step) => step switch
    {
        CopyStep copy => [copy],
        RunStep run => run.Mounts.Select(CopyOf).OfType<CopyStep>(),
        _ => [],
    };

    // Null for a mount that shows no tree.
    private CopyStep? CopyOf(StepMount mount)
    {
        var (from, source) = mount switch
        {
            StepMount.Bind bind => (bind.From, bind.Source),
            StepMount.Cache cache => (cache.From, cache.Source),
            _ => (null, ""),
        };
        if (from is null or TreeSource.Scratch)
            return null;

        lock (_mounted)
        {
            if (!_mounted.TryGetValue(mount, out var copy))
            {
                var sources = new CopySource(Escape(source), mount.Span);
                _mounted[mount] = copy = new CopyStep($"--mount from {from}", mount.Span, from, [sources], MountedPath);
            }

            return copy;
        }
    }

    // The source of a mount is a path, whatever characters are in it.
    private static string Escape(string path) => string.Concat(path.Select(c => "*?[\\".Contains(c, StringComparison.Ordinal) ? $"\\{c}" : $"{c}"));

    // The digest of all that the command reads of other trees; null when it mounts none.
    private async Task<Digest?> MountedContentAsync(RunStep step)
    {
        var content = new StringBuilder();
        foreach (var mount in step.Mounts)
        {
            if (CopyOf(mount) is not { } copy)
                continue;
            var input = await _copies.OfAsync(copy, Stopped);
            content.Append(await input.DigestAsync(Stopped)).Append('\n');
        }

        return content.Length == 0 ? null : Digest.FromHash(SHA256.HashData(Encoding.ASCII.GetBytes(content.ToString())));
    }

    private async Task<Dictionary<StepMount, MountTree>> MountTreesAsync(RunStep step, StepWork work)
    {
        var trees = new Dictionary<StepMount, MountTree>(ReferenceEqualityComparer.Instance);
        foreach (var mount in step.Mounts)
        {
            if (CopyOf(mount) is { } copy)
                trees[mount] = await MountTreeAsync(mount, copy, work);
            else if (mount is StepMount.Bind)
                trees[mount] = new MountTree(LayerChain.Empty, "", Digest.Of([]));
        }

        return trees;
    }

    private async Task<MountTree> MountTreeAsync(StepMount mount, CopyStep copy, StepWork user)
    {
        var input = await _copies.OfAsync(copy, Stopped);
        var digest = await input.DigestAsync(Stopped);
        if (copy.From is TreeSource.Stage or TreeSource.Image)
            return new MountTree(await ChainAsync(copy.From), mount is StepMount.Bind bind ? bind.Source : ((StepMount.Cache)mount).Source, digest);

        var label = user.Label;
        var origin = OriginOf($"{_plan.Project}\n{label.Stage}\n{label.Number}\n{mount.Target}", copy, new TreeSource.Scratch());
        var work = new StepWork(copy, label with { Text = copy.Text }, LayerChain.Empty, input, Export: false) { IsMounted = true, Stage = user.Stage, Origin = origin };
        var (result, _) = await OnceAsync(work, KeyOf(work, digest));
        var chain = result.DiffId is { } diffId ? LayerChain.Empty.With(new ChainLayer(diffId, Foreign: null)) : LayerChain.Empty;
        return new MountTree(chain, MountedPath[1..], digest);
    }
}
