using Ingot.Cli.Commands;
using Ingot.Cli.Output;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layouts;
using Ingot.Oci.Registries;

namespace Ingot.Cli.Pipeline;

/// <summary>An image to build again.</summary>
/// <param name="Image">The image, in the local store.</param>
/// <param name="Recipe">How.</param>
/// <param name="Signer">Whose key signed that; null for this host's own record.</param>
internal sealed record ReproductionSubject(LocalImage Image, BuildRecipe Recipe, string? Signer);

/// <summary>Finds an image and how it was built, nearest first: this host's record, provenance in the local store, provenance in the registry.</summary>
internal sealed class ReproductionSubjects(CommandContext context, IReadOnlyList<string> insecure)
{
    private readonly OciLayout _layout = new(context.Home.Content);

    public async Task<ReproductionSubject> FindAsync(string text, CancellationToken cancellationToken)
    {
        var local = await LocalImages.TryFindAsync(context, text, cancellationToken);
        if (local is not null && await KnownAsync(local, cancellationToken) is { } known)
            return known;

        if (!Reference.TryParse(text, out var reference) || reference.Registry is null)
        {
            local ??= await LocalImages.FindAsync(context, text, cancellationToken);
            throw new InvalidInputException("no-recipe", $"'{local.Name}' was not built on this host: there is no record of how, and no signed provenance", "name it as its registry does, REGISTRY/REPOSITORY@DIGEST, or build it here from its sources; the digests must be equal");
        }

        var pulled = await PullAsync(reference.WithDockerDefaults(), cancellationToken);
        return await KnownAsync(pulled, cancellationToken)
            ?? throw new InvalidInputException("no-provenance", $"nothing says how '{text}' was built: its registry has no signed provenance of it", "'ingot push' sends provenance along with images that were built on its host, and 'ingot up' publishes it");
    }

    private async Task<ReproductionSubject?> KnownAsync(LocalImage found, CancellationToken cancellationToken)
    {
        // Provenance speaks of an image, not of an index of several.
        var image = await LocalImages.LoadAsync(_layout.Store, found.Descriptor.Digest, platform: null, cancellationToken);
        found = found with { Descriptor = image.Descriptor };
        if (await BuildRecipe.FindAsync(context.Home, image.Digest, cancellationToken) is { } recipe)
            return new ReproductionSubject(found, recipe, Signer: null);
        if (await new SignedProvenance(context).FindAsync(found.Name, image.Digest, cancellationToken) is not { } signed)
            return null;

        context.Terminal.Progress($"verify   how {found.Name} was built is signed by '{signed.Signer.Name}', key {signed.Signer.Key.Id[..12]}");
        return new ReproductionSubject(found, signed.Recipe, signed.Signer.Name);
    }

    private async Task<LocalImage> PullAsync(Reference reference, CancellationToken cancellationToken)
    {
        using var registries = new RegistryConnections(context, insecure);
        var client = await registries.ConnectAsync(reference.Registry!, cancellationToken);
        using var display = new TransferDisplay(context.Terminal, "pull", reference.ToString());
        var options = display.Options with { Platform = Platform.Host, Referrers = true };
        var pulled = await ImageTransfer.PullAsync(client, reference.Repository, reference.Digest?.ToString() ?? reference.Tag!, _layout.Store, options, cancellationToken);
        var descriptor = (await Image.LoadAsync(_layout.Store, pulled.Digest, Platform.Host, cancellationToken)).Descriptor;
        await _layout.SetAsync(reference.ToString(), descriptor with { Annotations = null, Platform = null }, cancellationToken);
        return new LocalImage(reference.ToString(), descriptor);
    }
}
