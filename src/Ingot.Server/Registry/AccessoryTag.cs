using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Ingot.Oci.Content;

namespace Ingot.Server.Registry;

/// <summary>Tags that tools without referrers keep beside an image: cosign's <c>sha256-HEX.sig</c>, <c>.att</c>, <c>.sbom</c>, and the
/// specification's <see href="https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema">fallback for
/// referrers</see>, <c>sha256-HEX</c>. They grow: what is added may not take anything away.</summary>
internal static partial class AccessoryTag
{
    public static bool Is(string tag) => Pattern().IsMatch(tag);

    /// <summary>The hex digits of the image that a tag belongs to.</summary>
    public static string ImageOf(string tag) => tag.Split('-', '.')[1];

    /// <summary>What <paramref name="after"/> lacks of what <paramref name="before"/> holds; null when nothing is lost.</summary>
    public static Digest? Lost(ManifestFacts before, ManifestFacts after)
    {
        var kept = Contents(after).Select(Identity).ToHashSet(StringComparer.Ordinal);
        return Contents(before).FirstOrDefault(descriptor => !kept.Contains(Identity(descriptor)))?.Digest;
    }

    // The configuration of a cosign manifest lists its layers, so it changes with them; only layers carry signatures.
    public static IEnumerable<Descriptor> Contents(ManifestFacts facts) => facts.Layers.Concat(facts.Manifests);

    /// <summary>What <paramref name="after"/> has that <paramref name="before"/> has not.</summary>
    public static IReadOnlyList<Descriptor> Added(ManifestFacts? before, ManifestFacts after)
    {
        var known = (before is null ? [] : Contents(before)).Select(Identity).ToHashSet(StringComparer.Ordinal);
        return [.. Contents(after).Where(descriptor => !known.Contains(Identity(descriptor)))];
    }

    // Two signatures over one payload are two layers of one digest: cosign keeps the signature itself in an annotation.
    // As JSON, so that no annotation can be written as two, nor two as one.
    private static string Identity(Descriptor descriptor)
    {
        string[] parts =
        [
            descriptor.MediaType, descriptor.Digest.ToString(), descriptor.Size.ToString(CultureInfo.InvariantCulture),
            .. (descriptor.Annotations ?? []).SelectMany(note => new[] { note.Key, note.Value }),
        ];
        return JsonSerializer.Serialize(parts, RegistryJson.Default.StringArray);
    }

    [GeneratedRegex(@"\Asha(?:256|512)-[0-9a-f]{64}(?:\.(?:sig|att|sbom))?\z")]
    private static partial Regex Pattern();
}
