using Ingot.Diagnostics;
using Ingot.Evidence;
using Ingot.Evidence.Provenance;
using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;
using Ingot.Oci.Images;

namespace Ingot.Projects.Recipes;

/// <summary>What it takes to build an image again, as somebody signed it.</summary>
public sealed record SignedRecipe(BuildRecipe Recipe, TrustedKey Signer);

/// <summary>Provenance among the evidence in the local store: reads what a trusted key signed, and signs that of images that were built
/// here.</summary>
public sealed class SignedProvenance(ProjectHost host)
{
    private const string PredicateAnnotation = "dev.sigstore.bundle.predicateType";

    private readonly DirectoryStore _store = new(host.Places.Content);

    /// <summary>The recipe of an image; null when nobody says how it was built. What only others signed is refused.</summary>
    public async Task<SignedRecipe?> FindAsync(string name, Digest image, CancellationToken cancellationToken)
    {
        var manifests = await BundlesAsync(image, cancellationToken);
        var reader = new EvidenceReader(await host.Surroundings.TrustedKeysAsync(cancellationToken));
        var evidence = await reader.ReadAsync(image, _store, manifests.Keys, cancellationToken);
        var found = evidence.OfKind(EvidenceKind.Provenance)
            .Select(e => (e.Signer, Provenance: TryRead(e))).Where(f => f.Provenance is not null).ToList();
        if (found.Count > 0)
            return Best(name, found!);

        if (evidence.Unverified.FirstOrDefault(u => manifests[u.Manifest] == PredicateType.Provenance) is { } refused)
        {
            throw new UntrustedException($"the provenance of '{name}' is not trusted: {refused.Reason}; "
                + "'ingot keys trust NAME FILE --role builder' makes a key trusted");
        }

        return null;
    }

    // What others signed may be of a form that is not known here.
    private static SlsaProvenance? TryRead(EvidenceRecord record)
    {
        try
        {
            return SlsaProvenance.FromPredicate(record.Predicate);
        }
        catch (FormatException)
        {
            return null;
        }
    }

    /// <summary>Signs how an image was built, when it was built here and the key in use did not say so yet.</summary>
    public async Task EnsureAsync(string name, Digest image, CancellationToken cancellationToken)
    {
        if (await BuildRecipe.FindAsync(host.Places, image, cancellationToken) is not { Ingot: not null } recipe)
            return;

        try
        {
            using var key = await host.Surroundings.OpenKeys().LoadOrCreateAsync(cancellationToken);
            if (await IsSignedAsync(image, recipe, key.PublicKey, cancellationToken))
                return;

            var subject = (await Image.LoadAsync(_store, image, cancellationToken: cancellationToken)).Descriptor;
            var binding = new StatementBinding(recipe.Project, recipe.Image, TimeProvider.System.GetUtcNow());
            var statement = Statement.About(image, binding, PredicateType.Provenance,
                BuildProvenance.Of(recipe, host.Version).ToPredicate());
            await new EvidenceWriter(_store, key, TimeProvider.System).WriteAsync(subject, [statement], reference: name,
                cancellationToken: cancellationToken);
            host.Say("sign", $"how {name} was built, with key {key.Id[..12]}");
        }
        catch (KeyException e)
        {
            host.Say("push", $"without provenance: {e.Message}");
        }
    }

    // What others signed, or only say in a manifest's notes, is no reason to be silent; nor is what a key said that is used no more.
    private async Task<bool> IsSignedAsync(Digest image, BuildRecipe recipe, PublicKey key, CancellationToken cancellationToken)
    {
        var manifests = await BundlesAsync(image, cancellationToken);
        var ours = await new EvidenceReader([new TrustedKey(key, "own")]).ReadAsync(image, _store, manifests.Keys, cancellationToken);
        return ours.OfKind(EvidenceKind.Provenance)
            .Any(e => StatementBinding.Of(e.Statement) is { } bound && bound.Project == recipe.Project && bound.Image == recipe.Image);
    }

    // The predicate types are what the manifests say, which proves nothing.
    private async Task<Dictionary<Digest, string?>> BundlesAsync(Digest image, CancellationToken cancellationToken)
    {
        var bundles = new Dictionary<Digest, string?>();
        await foreach (var referrer in Referrers.ListAsync(_store, image, cancellationToken))
        {
            if (referrer.ArtifactType == SigstoreBundle.MediaType)
                bundles[referrer.Digest] = referrer.Annotations?.GetValueOrDefault(PredicateAnnotation);
        }

        return bundles;
    }

    // One image may have been built several times, from several commits: what can be repeated counts, the newest first.
    private static SignedRecipe Best(string name, IEnumerable<(TrustedKey Signer, SlsaProvenance Provenance)> found)
    {
        InvalidInputException? lacking = null;
        foreach (var (signer, provenance) in found.OrderByDescending(f => f.Provenance.RunDetails.Metadata?.FinishedOn))
        {
            try
            {
                return new SignedRecipe(BuildProvenance.Read(provenance, name), signer);
            }
            catch (InvalidInputException e)
            {
                lacking ??= e;
            }
        }

        throw lacking!;
    }
}
