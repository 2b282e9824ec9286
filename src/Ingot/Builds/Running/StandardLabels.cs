using System.Globalization;
using Ingot.Oci.Images;
using Ingot.Plans;

namespace Ingot.Builds.Running;

/// <summary>The labels of the image specification that a project can ask for, where it is known what they have to say
/// (<see href="https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md#pre-defined-annotation-keys">keys</see>). They
/// change the configuration, and no layer.</summary>
internal static class StandardLabels
{
    private const string Prefix = "org.opencontainers.image.";

    /// <summary>The configuration with the labels that the image is to have and that its template does not set itself: those of a base
    /// speak of the base.</summary>
    public static ContainerConfig Over(ContainerConfig config, PlannedImage image, PlannedStage stage, SourceRevision? source,
        DateTimeOffset epoch)
    {
        if (image.StandardLabels.Count == 0)
            return config;

        var labels = new SortedDictionary<string, string>(config.Labels ?? [], StringComparer.Ordinal);
        foreach (string name in image.StandardLabels.Where(n => !stage.OwnLabels.Contains(Prefix + n)))
        {
            if (ValueOf(name, image, source, epoch) is { } value)
                labels[Prefix + name] = value;
            else
                labels.Remove(Prefix + name);
        }

        return config with { Labels = labels.Count == 0 ? null : labels };
    }

    private static string? ValueOf(string name, PlannedImage image, SourceRevision? source, DateTimeOffset epoch) => name switch
    {
        "version" => image.Version,
        // Of files that differ from every commit nothing can be said.
        "revision" => source is { IsDirty: false } ? source.Commit : null,
        "source" => AddressOf(source?.Remote),
        "created" => epoch.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
        _ => throw new ArgumentException($"'{name}' is no label", nameof(name)),
    };

    // A directory of this host is nobody else's address. https://git-scm.com/docs/git-clone#_git_urls for host:path.
    private static string? AddressOf(string? remote)
    {
        if (remote is null || remote.StartsWith("file:", StringComparison.Ordinal) || remote.Contains("://", StringComparison.Ordinal))
            return remote?.StartsWith("file:", StringComparison.Ordinal) == true ? null : remote;

        int colon = remote.IndexOf(':', StringComparison.Ordinal);
        return colon > 0 && !remote.AsSpan(0, colon).Contains('/') ? $"ssh://{remote[..colon]}/{remote[(colon + 1)..].TrimStart('/')}"
            : null;
    }
}
