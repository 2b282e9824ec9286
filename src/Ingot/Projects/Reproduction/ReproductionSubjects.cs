using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layouts;
using Ingot.Oci.Registries;
using Ingot.Projects.Images;
using Ingot.Projects.Recipes;

namespace Ingot.Projects.Reproduction;

/// <summary>An image to build again.</summary>
/// <param name="Image">The image, in the local store.</param>
/// <param name="Recipe">How.</param>
/// <param name="Signer">Whose key signed that; null for this host's own record.</param>
public sealed record ReproductionSubject(LocalImage Image, BuildRecipe Recipe, string? Signer);

/// <summary>Finds an image and how it was built, nearest first: this host's record, provenance in the local store, provenance in the
/// registry.</summary>
public sealed class ReproductionSubjects(ProjectHost host, LocalImages images, IReadOnlyList<string> insecure)
{
    private readonly OciLayout _layout = new(host.Places.Content);

    /// <summary>The image that a text names; what nobody can build again throws.</summary>
    public async Task<ReproductionSubject> FindAsync(string text, CancellationToken cancellationToken)
    {
        var local = await images.TryFindAsync(text, cancellationToken);
        if (local is not null && await KnownAsync(local, cancellationToken) is { } known)
            return known;

        if (!Reference.TryParse(text, out var reference) || reference.Registry is null)
        {
            local ??= await images.FindAsync(text, cancellationToken);
            throw new InvalidInputException("no-recipe",
                $"'{local.Name}' was not built on this host: there is no record of how, and no signed provenance",
                "name it as its registry does, REGISTRY/REPOSITORY@DIGEST, or build it here from its sources; the digests must be equal");
        }

        var pulled = await PullAsync(reference.WithDockerDefaults(), cancellationToken);
        return await KnownAsync(pulled, cancellationToken)
            ?? throw new InvalidInputException("no-provenance",
                $"nothing says how '{text}' was built: its registry has no signed provenance of it",
                "'ingot push' sends provenance along with images that were built on its host, and 'ingot up' publishes it");
    }

    private async Task<ReproductionSubject?> KnownAsync(LocalImage found, CancellationToken cancellationToken)
    {
        // Provenance speaks of an image, not of an index of several.
        var image = await LocalImages.LoadAsync(_layout.Store, found.Descriptor.Digest, platform: null, cancellationToken);
        found = found with { Descriptor = image.Descriptor };
        if (await BuildRecipe.FindAsync(host.Places, image.Digest, cancellationToken) is { } recipe)
            return new ReproductionSubject(found, recipe, Signer: null);
        if (await new SignedProvenance(host).FindAsync(found.Name, image.Digest, cancellationToken) is not { } signed)
            return null;

        host.Say("verify", $"how {found.Name} was built is signed by '{signed.Signer.Name}', key {signed.Signer.Key.Id[..12]}");
        return new ReproductionSubject(found, signed.Recipe, signed.Signer.Name);
    }

    private async Task<LocalImage> PullAsync(Reference reference, CancellationToken cancellationToken)
    {
        using var registries = new RegistryConnections(host, insecure);
        var client = await registries.ConnectAsync(reference.Registry!, cancellationToken);
        using var watch = host.Progress.WatchTransfer("pull", reference.ToString());
        var options = new TransferOptions { Progress = watch, Bytes = watch, Platform = Platform.Host, Referrers = true };
        string what = reference.Digest?.ToString() ?? reference.Tag!;
        var pulled = await ImageTransfer.PullAsync(client, reference.Repository, what, _layout.Store, options, cancellationToken);
        var descriptor = (await Image.LoadAsync(_layout.Store, pulled.Digest, Platform.Host, cancellationToken)).Descriptor;
        await _layout.SetAsync(reference.ToString(), descriptor with { Annotations = null, Platform = null }, cancellationToken);
        return new LocalImage(reference.ToString(), descriptor);
    }
}
