using System.Text.RegularExpressions;
using Ingot.Oci.Content;

namespace Ingot.Server.Registry;

/// <summary>Tags that tools without referrers keep beside an image: cosign's <c>sha256-HEX.sig</c>, <c>.att</c>, <c>.sbom</c>, and the specification's
/// <see href="https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema">fallback for referrers</see>, <c>sha256-HEX</c>.
/// They grow: what is added may not take anything away.</summary>
internal static partial class AccessoryTag
{
    public static bool Is(string tag) => Pattern().IsMatch(tag);

    /// <summary>What <paramref name="after"/> lacks of what <paramref name="before"/> holds; null when nothing is lost.</summary>
    public static Digest? Lost(ManifestFacts before, ManifestFacts after)
    {
        var kept = Contents(after).Select(Identity).ToHashSet(StringComparer.Ordinal);
        return Contents(before).FirstOrDefault(descriptor => !kept.Contains(Identity(descriptor)))?.Digest;
    }

    // The configuration of a cosign manifest lists its layers, so it changes with them; only layers carry signatures.
    private static IEnumerable<Descriptor> Contents(ManifestFacts facts) => facts.Blobs.Skip(1).Concat(facts.Manifests);

    // Two signatures over one payload are two layers of one digest: cosign keeps the signature itself in an annotation.
    private static string Identity(Descriptor descriptor) =>
        $"{descriptor.Digest}\n{string.Join('\n', (descriptor.Annotations ?? []).Select(note => $"{note.Key}={note.Value}"))}";

    [GeneratedRegex(@"\Asha256-[0-9a-f]{64}(?:\.(?:sig|att|sbom))?\z")]
    private static partial Regex Pattern();
}
