using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Oci.Content;

namespace Ingot.Oci.Images;

/// <summary>Reads and writes the specification's documents. Equal values have equal bytes: members in declared order, nothing indented, nulls left out.</summary>
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

    /// <summary>Reads a manifest, or throws <see cref="FormatException"/>.</summary>
    public static Manifest ReadManifest(ReadOnlySpan<byte> json)
    {
        var manifest = Read(json, s_context.Manifest, "an image manifest");
        return manifest with
        {
            MediaType = manifest.MediaType ?? MediaType.Manifest,
            Config = NotNull(manifest.Config, "config"),
            Layers = Items(manifest.Layers, "layers"),
        };
    }

    /// <summary>Reads an index, or throws <see cref="FormatException"/>.</summary>
    public static ImageIndex ReadIndex(ReadOnlySpan<byte> json)
    {
        var index = Read(json, s_context.ImageIndex, "an image index");
        return index with { MediaType = index.MediaType ?? MediaType.Index, Manifests = Items(index.Manifests, "manifests") };
    }

    /// <summary>Reads a configuration, or throws <see cref="FormatException"/>.</summary>
    public static ImageConfig ReadConfig(ReadOnlySpan<byte> json)
    {
        var config = Read(json, s_context.ImageConfig, "an image configuration");
        var rootFs = NotNull(config.RootFs, "rootfs");
        return config with
        {
            Config = config.Config ?? new ContainerConfig(),
            RootFs = rootFs with { Type = rootFs.Type ?? "layers", DiffIds = rootFs.DiffIds ?? [] },
            History = Items(config.History, "history"),
        };
    }

    // The generated readers forget the initialisers of members that are not in the document: what may be missing is put back above.
    private static T NotNull<T>(T? value, string name)
        where T : class => value ?? throw new FormatException($"'{name}' is null");

    // Go writes an empty list as null.
    private static IReadOnlyList<T> Items<T>(IReadOnlyList<T>? list, string name)
        where T : class => list is null ? [] : list.All(item => item is not null) ? list : throw new FormatException($"'{name}' has an item that is null");

    private static T Read<T>(ReadOnlySpan<byte> json, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, string what)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(json, type) ?? throw new FormatException($"null is not {what}");
        }
        catch (JsonException e)
        {
            throw new FormatException($"the document is not {what}: {e.Message}", e);
        }
    }
}

[JsonSerializable(typeof(Manifest))]
[JsonSerializable(typeof(ImageIndex))]
[JsonSerializable(typeof(ImageConfig))]
internal sealed partial class ImageJsonContext : JsonSerializerContext;
