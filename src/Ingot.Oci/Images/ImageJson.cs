using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Oci.Content;

namespace Ingot.Oci.Images;

/// <summary>Reads and writes the specification's documents. Equal values have equal bytes: members in declared order,
/// nothing indented, nulls left out.</summary>
public static class ImageJson
{
    private static readonly ImageJsonContext s_context = new(new JsonSerializerOptions
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        // Instructions in a history are read by people; '+' and '<' need no escape in JSON.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });

    /// <summary>The bytes of a manifest.</summary>
    public static byte[] Write(Manifest manifest) => JsonSerializer.SerializeToUtf8Bytes(manifest, s_context.Manifest);

    /// <summary>The bytes of an index.</summary>
    public static byte[] Write(ImageIndex index) => JsonSerializer.SerializeToUtf8Bytes(index, s_context.ImageIndex);

    /// <summary>The bytes of a configuration.</summary>
    public static byte[] Write(ImageConfig config) => JsonSerializer.SerializeToUtf8Bytes(config, s_context.ImageConfig);

    /// <summary>Reads a manifest that all readers read alike, or throws <see cref="FormatException"/>.</summary>
    public static Manifest ReadManifest(ReadOnlySpan<byte> json)
    {
        var manifest = Read(json, s_context.Manifest, ImageShapes.Manifest, "an image manifest");
        manifest = manifest with
        {
            MediaType = manifest.MediaType ?? MediaType.Manifest,
            Config = NotNull(manifest.Config, "config"),
            Layers = Items(NotNull(manifest.Layers, "layers"), "layers"),
        };
        CheckVersion(manifest.SchemaVersion);
        CheckValues(manifest.Annotations, "annotations");
        foreach (var part in manifest.Layers.Append(manifest.Config).Append(manifest.Subject))
            CheckDescriptor(part);
        return manifest;
    }

    /// <summary>Reads an index that all readers read alike, or throws <see cref="FormatException"/>.</summary>
    public static ImageIndex ReadIndex(ReadOnlySpan<byte> json)
    {
        var index = Read(json, s_context.ImageIndex, ImageShapes.Index, "an image index");
        index = index with
        {
            MediaType = index.MediaType ?? MediaType.Index,
            Manifests = Items(NotNull(index.Manifests, "manifests"), "manifests"),
        };
        CheckVersion(index.SchemaVersion);
        CheckValues(index.Annotations, "annotations");
        foreach (var part in index.Manifests.Append(index.Subject))
            CheckDescriptor(part);
        return index;
    }

    /// <summary>Reads a configuration that all readers read alike, or throws <see cref="FormatException"/>.</summary>
    public static ImageConfig ReadConfig(ReadOnlySpan<byte> json)
    {
        var config = Read(json, s_context.ImageConfig, ImageShapes.Config, "an image configuration");
        var rootFs = NotNull(config.RootFs, "rootfs");
        // Docker and Go write lists that are empty as null; there are none of those that must be there.
        return config with
        {
            Architecture = NotNull(config.Architecture, "architecture"),
            Os = NotNull(config.Os, "os"),
            Config = Checked(config.Config ?? new ContainerConfig()),
            RootFs = rootFs with { Type = rootFs.Type ?? "layers", DiffIds = rootFs.DiffIds ?? [] },
            History = Items(config.History ?? [], "history"),
        };
    }

    /// <summary>Reads the configuration of an image, which must speak of as many layers as its manifest has; or throws
    /// <see cref="FormatException"/>.</summary>
    public static ImageConfig ReadConfig(ReadOnlySpan<byte> json, Manifest manifest)
    {
        var config = ReadConfig(json);
        return config.RootFs.DiffIds.Count == manifest.Layers.Count
            ? config
            : throw new FormatException(
                $"it has {manifest.Layers.Count} layers, and its configuration lists {config.RootFs.DiffIds.Count}");
    }

    // Lists that are not there are null; an item that is null has no meaning that all readers share: an empty text, or nothing.
    private static ContainerConfig Checked(ContainerConfig config)
    {
        foreach (var (list, name) in new[] { (config.Env, "Env"), (config.Entrypoint, "Entrypoint"), (config.Cmd, "Cmd"),
            (config.OnBuild, "OnBuild"), (config.Shell, "Shell") })
            Items(list ?? [], name);
        if (config.Healthcheck is { } check)
            Items(check.Test ?? [], "Healthcheck");
        CheckValues(config.Labels, "Labels");
        return config.Healthcheck is { Test: null } ? config with { Healthcheck = config.Healthcheck with { Test = [] } } : config;
    }

    private static void CheckValues(SortedDictionary<string, string>? values, string name)
    {
        if (values?.FirstOrDefault(pair => pair.Value is null).Key is { } key)
            throw new FormatException($"'{key}' of '{name}' is null");
    }

    private static void CheckVersion(int version)
    {
        if (version != 2)
            throw new FormatException($"its schemaVersion is {version}: "
                + $"expected 2{(version == 1 ? "; Docker's old schema 1 is not read: push it again with a current Docker" : "")}");
    }

    private static void CheckDescriptor(Descriptor? descriptor)
    {
        if (descriptor is not null && (descriptor.Size < 0 || string.IsNullOrEmpty(descriptor.MediaType)))
            throw new FormatException(
                $"the descriptor of '{descriptor.Digest}' has size {descriptor.Size} and media type '{descriptor.MediaType}'");
        CheckValues(descriptor?.Annotations, "annotations");
        if (descriptor?.Platform is { } platform)
        {
            NotNull(platform.Architecture, "architecture");
            NotNull(platform.Os, "os");
        }
    }

    // The generated readers forget the initialisers of members that are not in the document: what may be missing is put back above.
    private static T NotNull<T>(T? value, string name)
        where T : class => value ?? throw new FormatException($"'{name}' is null");

    private static IReadOnlyList<T> Items<T>(IReadOnlyList<T> list, string name)
        where T : class => list.All(item => item is not null) ? list : throw new FormatException($"'{name}' has an item that is null");

    private static T Read<T>(
        ReadOnlySpan<byte> json, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, JsonShape shape, string what)
        where T : class
    {
        StrictJson.Check(json, shape);
        try
        {
            return JsonSerializer.Deserialize(json, type) ?? throw new FormatException($"null is not {what}");
        }
        catch (JsonException e)
        {
            throw new FormatException($"the document is not {what}: {IngotException.ReasonOf(e)}", e);
        }
    }
}

[JsonSerializable(typeof(Manifest))]
[JsonSerializable(typeof(ImageIndex))]
[JsonSerializable(typeof(ImageConfig))]
internal sealed partial class ImageJsonContext : JsonSerializerContext;
