using Ingot.Releases;
using Ingot.Tools;

namespace Ingot.Instances;

/// <summary>Containers of versions that did not write down whose they are. Another home may use them:
/// they are named and left alone.</summary>
public sealed partial class DockerTarget
{
    // They come from nowhere but the past: looking seldom is enough.
    private static readonly TimeSpan s_earlier = TimeSpan.FromMinutes(1);

    private async Task<EarlierContainers> ReadEarlierAsync(ServiceKey key, EarlierContainers? before, CancellationToken cancellationToken)
    {
        if (before is not null && _time.GetElapsedTime(before.At) < s_earlier)
            return before;
        long at = _time.GetTimestamp();
        var listed = await _engine.ListAsync(InstanceLabels.FilterOfAnyHome(key), cancellationToken);
        return new EarlierContainers(at, [.. listed.Select(container => EarlierName(key, container)).OfType<string>()
            .Order(StringComparer.Ordinal).Select(Earlier)]);
    }

    /// <summary>The name of a container whose labels and name are those that such a version gave; null of any other.</summary>
    private static string? EarlierName(ServiceKey key, DockerContainerSummary container)
    {
        if (container.Labels is not { } labels || labels.ContainsKey(InstanceLabels.Home)
            || LabelNumber(labels, InstanceLabels.Generation) is not { } generation
            || LabelNumber(labels, InstanceLabels.Index) is not { } index)
            return null;
        string name = HardenedContainer.EarlierName(key, generation, index);
        return container.Names.Any(given => given.TrimStart('/') == name) ? name : null;
    }

    private static string Earlier(string name) =>
        $"the container '{name}' was made by an earlier version of Ingot, which did not write down for which home, and is left alone: "
            + $"when no other home uses it, remove it with 'docker rm -f {name}'";

    private sealed record EarlierContainers(long At, IReadOnlyList<string> Sentences);
}
