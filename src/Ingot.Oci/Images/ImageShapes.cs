using Ingot.Oci.Content;

namespace Ingot.Oci.Images;

/// <summary>The names that the specification and Docker give to the members of documents.</summary>
internal static class ImageShapes
{
    private const string AnIndex = "an index of manifests";
    private const string AManifest = "a manifest";
    private const string Schema1 = "a manifest of Docker's schema 1";

    /// <summary>An image manifest.</summary>
    public static JsonShape Manifest { get; } = Make(
        ("schemaVersion", JsonShape.Any), ("mediaType", JsonShape.Any), ("artifactType", JsonShape.Any), ("config", JsonShape.Descriptor),
        ("layers", JsonShape.Descriptor), ("subject", JsonShape.Descriptor), ("annotations", JsonShape.Any))
        .Not(AnIndex, "manifests").Not(Schema1, "fsLayers");

    /// <summary>An index.</summary>
    public static JsonShape Index { get; } = Make(
        ("schemaVersion", JsonShape.Any), ("mediaType", JsonShape.Any), ("artifactType", JsonShape.Any),
        ("manifests", JsonShape.Descriptor), ("subject", JsonShape.Descriptor), ("annotations", JsonShape.Any))
        .Not(AManifest, "config", "layers").Not(Schema1, "fsLayers");

    /// <summary>An image configuration, with Docker's additions.</summary>
    public static JsonShape Config { get; } = Make(
        ("created", JsonShape.Any), ("author", JsonShape.Any), ("architecture", JsonShape.Any), ("os", JsonShape.Any),
        ("os.version", JsonShape.Any),
        ("os.features", JsonShape.Any), ("variant", JsonShape.Any), ("config", Parameters()), ("container_config", Parameters()),
        ("rootfs", JsonShape.Of("type", "diff_ids")),
        ("history", JsonShape.Of("created", "created_by", "author", "comment", "empty_layer")),
        ("id", JsonShape.Any), ("parent", JsonShape.Any), ("comment", JsonShape.Any), ("container", JsonShape.Any),
        ("docker_version", JsonShape.Any), ("Size", JsonShape.Any));

    // What is a name in here and what is data, such as an environment's, engines agree on.
    private static JsonShape Parameters() => Make(
        [
            .. new[]
            {
                "User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal", "ArgsEscaped",
                "Memory", "MemorySwap", "CpuShares",
                "OnBuild", "Shell", "Hostname", "Domainname", "AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin",
                "StdinOnce", "Image", "NetworkDisabled",
                "MacAddress", "StopTimeout",
            }.Select(name => (name, JsonShape.Any)),
            ("Healthcheck", JsonShape.Of("Test", "Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")),
        ]);

    private static JsonShape Make(params (string Name, JsonShape Shape)[] members) =>
        JsonShape.Of(members.ToDictionary(member => member.Name, member => member.Shape, StringComparer.Ordinal));
}
