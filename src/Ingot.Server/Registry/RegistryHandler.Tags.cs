using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Server.Ledger;

namespace Ingot.Server.Registry;

internal sealed partial class RegistryHandler
{
    // cosign reads 1000 layers at most, and clients manifests of 4 MiB. Who has no trusted key leaves most of that to those who have.
    private const int MaxAccessories = 1000;
    private const int MaxUnverifiedAccessories = 100;
    private const int MaxUnverifiedBytes = 1 << 20;

    /// <summary>An image's configuration must fit its manifest and be read alike by all: engines and scanners go by it.</summary>
    private async Task CheckConfigAsync(ManifestFacts facts, CancellationToken cancellationToken)
    {
        if (facts.Image is not { } image)
            return;
        if (image.Config.Size > _options.MaxManifestBytes)
            throw new RegistryRefusal(413, ErrorCode.ManifestInvalid,
                $"the configuration '{image.Config.Digest}' has {image.Config.Size} bytes: {_options.MaxManifestBytes} are read");

        try
        {
            ImageJson.ReadConfig(await _store.ReadRequiredAsync(image.Config.Digest, cancellationToken), image);
        }
        catch (FormatException e)
        {
            throw new RegistryRefusal(400, ErrorCode.ManifestInvalid,
                $"the image with the configuration '{image.Config.Digest}' was not accepted: {e.Message}");
        }
    }

    /// <summary>Refuses a push when what it is to replace is not what the client expects (<c>If-Match</c>, <c>If-None-Match</c>).</summary>
    private static void CheckExpectation(HttpRequest request, LedgerView view, string repository, Digest digest, IReadOnlyList<string> tags)
    {
        var now = tags is [var tag, ..] ? view.Tag(repository, tag)?.Digest : view.Manifest(repository, digest)?.Digest;
        Preconditions.CheckChange(request, now is { } there ? Preconditions.EntityTag(there) : null);
    }

    /// <summary>Whether a push ends what the same user began: Docker's containerd store pushes an image under the tag of the index that
    /// holds it, and the index after it. The tag moves to the index once, as long as nothing was decided on the image.</summary>
    private static bool IsCompletion(LedgerView view, string repository, string tag, ManifestFacts index, string actor) =>
        view.Tag(repository, tag) is { } bound
        && index.Manifests.Any(part => part.Digest == bound.Digest)
        && view.Manifest(repository, bound.Digest) is { } image && MediaType.IsManifest(image.MediaType)
        && view.Entry(bound.Entry)?.Actor == actor
        && view.Decision(repository, bound.Digest) is null;

    /// <summary>The tags that name an image for another platform than this one, with what they name. Docker's containerd store sends every
    /// image of an index, and what attests them, under the tag of the index that comes last: the first of them has the tag, the others are
    /// kept without, and the index takes it over.</summary>
    private async Task<IReadOnlyDictionary<string, Digest>> PartsAsync(
        string repository, ManifestFacts facts, IReadOnlyList<string> tags, CancellationToken cancellationToken)
    {
        var parts = new Dictionary<string, Digest>(StringComparer.Ordinal);
        if (_options.IsMutable(repository) || await PlatformAsync(facts.Config, cancellationToken) is not { } platform)
            return parts;

        foreach (string tag in tags)
        {
            if (_ledger.Read(view => view.Tag(repository, tag))?.Digest is { } bound
                && await PlatformAsync(bound, cancellationToken) is { } other
                && other != platform)
                parts[tag] = bound;
        }

        return parts;
    }

    private async Task<string?> PlatformAsync(Digest manifest, CancellationToken cancellationToken)
    {
        try
        {
            return await PlatformAsync(
                ManifestFacts.Read(await _store.ReadRequiredAsync(manifest, cancellationToken), contentType: null).Config,
                cancellationToken);
        }
        catch (RegistryRefusal)
        {
            return null;
        }
    }

    private async Task<string?> PlatformAsync(Descriptor? config, CancellationToken cancellationToken)
    {
        if (config is not { MediaType: MediaType.Config or MediaType.DockerConfig } || config.Size > _options.MaxManifestBytes)
            return null;

        try
        {
            return await _store.ReadAsync(config.Digest, cancellationToken) is { } bytes && ImageJson.ReadConfig(bytes) is { } image
                ? $"{image.Os}/{image.Architecture}/{image.Variant}"
                : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }

    /// <summary>Whether a manifest may be another part of what the same user is pushing under a tag,
    /// on which nothing was decided yet.</summary>
    private static bool IsPart(LedgerView view, string repository, string tag, IReadOnlyDictionary<string, Digest> parts, string actor) =>
        view.Tag(repository, tag) is { } bound && parts.TryGetValue(tag, out var part) && part == bound.Digest
        && view.Entry(bound.Entry)?.Actor == actor
        && view.Decision(repository, bound.Digest) is null;

    /// <summary>Bounds what may be put under an accessory tag without a trusted key,
    /// so that there is always room for those who have one.</summary>
    private async Task CheckGrowthAsync(
        string repository, string tag, ManifestFacts? before, ManifestFacts after, long size, CancellationToken cancellationToken)
    {
        var added = AccessoryTag.Added(before, after);
        int count = AccessoryTag.Contents(after).Count();
        if (added.Count == 0 || (count <= MaxUnverifiedAccessories && size <= MaxUnverifiedBytes))
            return;

        string bounds = $"{MaxUnverifiedAccessories} entries and {MaxUnverifiedBytes >> 20} MiB";
        if (count > MaxAccessories || !await AreTrustedAsync(AccessoryTag.ImageOf(tag), after, added, cancellationToken))
            throw new RegistryRefusal(409, ErrorCode.Denied,
                $"the tag '{tag}' of '{repository}' was not moved: beyond {bounds} it accepts only signatures by trusted keys that it does "
                    + $"not have yet, {MaxAccessories} entries at most; push what you add as a referrer");
    }

    /// <summary>Whether a trusted key made every addition, and none is there in another wrapping.</summary>
    private async Task<bool> AreTrustedAsync(
        string image, ManifestFacts after, IReadOnlyList<Descriptor> added, CancellationToken cancellationToken)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var descriptor in AccessoryTag.Contents(after).Except(added))
        {
            if (await SignatureAsync(image, descriptor, cancellationToken) is { } known)
                seen.Add(known);
        }

        foreach (var descriptor in added)
        {
            if (await SignatureAsync(image, descriptor, cancellationToken) is not { } known || !seen.Add(known))
                return false;
        }

        return true;
    }

    private async Task<string?> SignatureAsync(string image, Descriptor descriptor, CancellationToken cancellationToken) =>
        descriptor.Size <= MaxUnverifiedBytes && await _store.ReadAsync(descriptor.Digest, cancellationToken) is { } bytes
            ? await _options.TrustedSignature(image, descriptor, bytes, cancellationToken)
            : null;

    private static RegistryRefusal Decided(string repository, string tag, Digest digest, LedgerEntry decision) =>
        new(409, ErrorCode.Denied, $"the tag '{tag}' of '{repository}' was not freed: entry {decision.Seq} of the ledger decided on "
            + $"'{digest}' ({decision.Event.Kind}), and what that was about stays named");
}
