using System.Globalization;
using Ingot.Releases;
using Ingot.Tools;

namespace Ingot.Instances;

/// <summary>Compares what a container is with what its labels and its generation promise.</summary>
internal static class InstancePromise
{
    /// <summary>Why a container of ours is not what its generation promises, its image aside; null when it is.</summary>
    /// <param name="generation">The generation it says it is of; null when nobody knows it any more.</param>
    /// <param name="container">The container.</param>
    public static string? Objection(Generation? generation, DockerContainer container)
    {
        if (container.HostConfig is { } rights && (!rights.ReadonlyRootfs || rights.Privileged))
            return "its root can be written to, or it is privileged: Ingot makes no such container";

        string[] differing = generation is null ? [] : [.. Differing(generation, container.Config.Labels ?? s_none)];
        return differing.Length == 0
            ? null
            : $"it was made for another setup than generation {generation!.Number} has: {string.Join(", ", differing)} differ";
    }

    /// <summary>Whether an image is the one with a digest, by what the Engine pulled it by.</summary>
    public static bool IsOf(DockerImage image, string digest) =>
        image.RepoDigests?.Any(reference => reference.EndsWith("@" + digest, StringComparison.Ordinal)) == true;

    private static readonly SortedDictionary<string, string> s_none = [];

    private static IEnumerable<string> Differing(Generation generation, IReadOnlyDictionary<string, string> labels)
    {
        (string Label, string Promised)[] promises =
        [
            (InstanceLabels.Digest, generation.Digest.ToString()),
            (InstanceLabels.Port, generation.Port.ToString(CultureInfo.InvariantCulture)),
            (InstanceLabels.Spec, generation.SpecDigest.ToString()),
        ];
        return promises.Where(promise => labels.GetValueOrDefault(promise.Label) != promise.Promised).Select(promise => promise.Label);
    }
}
