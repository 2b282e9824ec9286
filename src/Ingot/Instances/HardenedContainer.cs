using System.Globalization;
using Ingot.Releases;
using Ingot.Tools;

namespace Ingot.Instances;

/// <summary>Says the container an instance is: a read-only root, no capabilities, no way to gain privileges, an allow list of system calls,
/// and limits.</summary>
public static class HardenedContainer
{
    /// <summary>How often the Engine starts an instance again by itself. After that it is replaced, or its generation is turned
    /// back.</summary>
    public const int Restarts = 3;

    /// <summary>Seconds an instance has to end after its image's stop signal, before it is killed.</summary>
    public const int StopSeconds = 10;

    private const int HomeInNames = 6;

    /// <summary>The name of an instance's container. It is the idempotency key of making it.</summary>
    public static string Name(string homeId, ServiceKey key, int generation, int index) =>
        $"ingot-{key.Stem}-{InstanceName.Of(generation, index)}-{homeId[..HomeInNames]}";

    /// <summary>The name that versions gave which did not tell homes apart.</summary>
    public static string EarlierName(ServiceKey key, int generation, int index) => $"ingot-{key.Stem}-{InstanceName.Of(generation, index)}";

    /// <summary>The name of the network that the instances of a project share at one stage, and nobody else.
    /// No name of a project or a stage has a dot.</summary>
    public static string Network(string homeId, ServiceKey key) => $"ingot-{key.Project}.{key.Stage}-{homeId[..HomeInNames]}";

    /// <summary>The container of an instance.</summary>
    /// <param name="homeId">Whose it is.</param>
    /// <param name="key">The service and stage.</param>
    /// <param name="generation">The generation.</param>
    /// <param name="index">Which of its instances.</param>
    /// <param name="image">The image, as the Engine has it.</param>
    /// <param name="network">The network's id: of one name there may be several.</param>
    public static DockerContainerSpec Spec(string homeId, ServiceKey key, Generation generation, int index, DockerImage image,
        string network) => new()
        {
            Image = Reference(generation),
            Env = [.. generation.Config.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{pair.Key}={pair.Value}")],
            Labels = InstanceLabels.Of(homeId, key, generation, index, image.Id),
            StopTimeout = StopSeconds,
            HostConfig = new DockerHostConfig
            {
                NetworkMode = network,
                ReadonlyRootfs = true,
                CapDrop = ["ALL"],
                SecurityOpt = ["no-new-privileges:true", $"seccomp={SeccompProfile.Json}"],
                Tmpfs = Tmpfs(generation, image.Config?.User),
                Memory = generation.Limits.Memory,
                // Equal to the memory: no swap.
                MemorySwap = generation.Limits.Memory,
                NanoCpus = (long)(generation.Limits.Cpus * 1e9),
                PidsLimit = generation.Limits.Pids,
                RestartPolicy = new DockerRestartPolicy("on-failure", Restarts),
            },
        };

    /// <summary>The image by its digest, never by a tag.</summary>
    public static string Reference(Generation generation) => $"{generation.Repository}@{generation.Digest}";

    private static SortedDictionary<string, string> Tmpfs(Generation generation, string? imageUser)
    {
        var mounts = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (path, size) in generation.Writable)
            mounts[path] = string.Join(',', MemoryDirectory.Options(size, imageUser));
        return mounts;
    }
}

/// <summary>The labels by which an instance's container is found and known.</summary>
public static class InstanceLabels
{
    /// <summary>The home whose server made it. What has another, or none, is not ours, whatever else it says.</summary>
    public const string Home = "io.ingot.home";

    /// <summary>The project.</summary>
    public const string Project = "io.ingot.project";

    /// <summary>The service.</summary>
    public const string Service = "io.ingot.service";

    /// <summary>The stage.</summary>
    public const string Stage = "io.ingot.stage";

    /// <summary>The generation's number.</summary>
    public const string Generation = "io.ingot.generation";

    /// <summary>Which of the generation's instances.</summary>
    public const string Index = "io.ingot.index";

    /// <summary>The port it listens on.</summary>
    public const string Port = "io.ingot.port";

    /// <summary>The image's digest.</summary>
    public const string Digest = "io.ingot.digest";

    /// <summary>The image's version, for people.</summary>
    public const string Version = "io.ingot.version";

    /// <summary>The digest of everything that makes the instance what it is.</summary>
    public const string Spec = "io.ingot.spec";

    /// <summary>The id the Engine gave the image when the instance was made.</summary>
    public const string Image = "io.ingot.image";

    /// <summary>The labels of one instance.</summary>
    public static IReadOnlyDictionary<string, string> Of(string homeId, ServiceKey key, Generation generation, int index, string imageId) =>
        new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            [Home] = homeId,
            [Project] = key.Project,
            [Service] = key.Service,
            [Stage] = key.Stage,
            [Generation] = generation.Number.ToString(CultureInfo.InvariantCulture),
            [Index] = index.ToString(CultureInfo.InvariantCulture),
            [Port] = generation.Port.ToString(CultureInfo.InvariantCulture),
            [Digest] = generation.Digest.ToString(),
            [Version] = generation.Version,
            [Spec] = generation.SpecDigest.ToString(),
            [Image] = imageId,
        };

    /// <summary>The labels of everything a home has made, or has made for a project, as a filter of the Engine's.</summary>
    public static IReadOnlyList<string> Filter(string homeId, string? project = null) =>
        project is null ? [$"{Home}={homeId}"] : [$"{Home}={homeId}", $"{Project}={project}"];

    /// <summary>The labels every instance of a home's service and stage has.</summary>
    public static IReadOnlyList<string> Filter(string homeId, ServiceKey key) => [$"{Home}={homeId}", .. FilterOfAnyHome(key)];

    /// <summary>The labels every instance of a service and stage has, whoever made it, and whether that was written down or not.</summary>
    public static IReadOnlyList<string> FilterOfAnyHome(ServiceKey key) =>
        [$"{Project}={key.Project}", $"{Service}={key.Service}", $"{Stage}={key.Stage}"];

    /// <summary>The labels of one instance.</summary>
    public static IReadOnlyList<string> Filter(string homeId, ServiceKey key, int generation, int index) =>
        [.. Filter(homeId, key), $"{Generation}={generation}",
            $"{Index}={index}"];
}
