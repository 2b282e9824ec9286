using Ingot.Builds;
using Ingot.Evidence;
using Ingot.Oci.Content;
using Ingot.Oci.Registries;
using Ingot.Templates.Project;

namespace Ingot.Projects.Examination;

/// <summary>Pushes an image, what is known of it, and last its tag: whoever sees the tag sees the evidence too.</summary>
/// <param name="host">What it works with.</param>
/// <param name="client">The registry.</param>
/// <param name="registry">What people call that.</param>
public sealed class ImagePublisher(ProjectHost host, RegistryClient client, string registry)
{
    private readonly DirectoryStore _store = new(host.Places.Content);

    /// <summary>Publishes an image under its version; true when anything was not there yet.</summary>
    public async Task<bool> PublishAsync(
        ProjectDefinition project, ImageDefinition image, BuiltImage built, EvidenceResult evidence, CancellationToken cancellationToken)
    {
        string repository = $"{project.Name}/{image.Name}";
        if (await IsPublishedAsync(repository, image.Version!, built, evidence, cancellationToken))
            return false;

        await ImageTransfer.PushAsync(_store, client, repository, built.Digest, cancellationToken: cancellationToken);
        await AttachAsync(repository, evidence, cancellationToken);
        await ImageTransfer.PushAsync(_store, client, repository, built.Digest, image.Version, cancellationToken: cancellationToken);
        host.Say("publish", $"{registry}/{repository}:{image.Version} with {evidence.Manifests.Count} pieces of evidence");
        return true;
    }

    /// <summary>Pushes evidence about an image that is published already; false when it is not.</summary>
    public async Task<bool> AttachAsync(
        ProjectDefinition project, ImageDefinition image, BuiltImage built, EvidenceResult evidence, CancellationToken cancellationToken)
    {
        string repository = $"{project.Name}/{image.Name}";
        if (await client.HeadManifestAsync(repository, built.Digest.ToString(), cancellationToken) is null)
            return false;

        await AttachAsync(repository, evidence, cancellationToken);
        return true;
    }

    private async Task AttachAsync(string repository, EvidenceResult evidence, CancellationToken cancellationToken)
    {
        foreach (var manifest in evidence.Manifests)
        {
            var digest = manifest.Tag is null ? manifest.Descriptor.Digest : await MergeAsync(repository, manifest, cancellationToken);
            if (digest is { } pushed)
                await ImageTransfer.PushAsync(_store, client, repository, pushed, manifest.Tag, cancellationToken: cancellationToken);
        }
    }

    // A tag of the older form gathers what several runs and keys said: ours is added to what is there. Null when all of it is.
    private async Task<Digest?> MergeAsync(string repository, PublishedEvidence manifest, CancellationToken cancellationToken)
    {
        if (await client.GetManifestAsync(repository, manifest.Tag!, cancellationToken) is not { } there)
            return manifest.Descriptor.Digest;

        return (await EvidenceWriter.MergeOlderAsync(_store, there.Bytes,
            await _store.ReadRequiredAsync(manifest.Descriptor.Digest, cancellationToken), cancellationToken))?.Digest;
    }

    // The tag goes last, so it says that all of the image is there; evidence that came later is looked for one by one.
    private async Task<bool> IsPublishedAsync(
        string repository, string tag, BuiltImage built, EvidenceResult evidence, CancellationToken cancellationToken)
    {
        if ((await client.HeadManifestAsync(repository, tag, cancellationToken))?.Digest != built.Digest)
            return false;

        var there = await Task.WhenAll(evidence.Manifests.Select(m => IsThereAsync(repository, m, cancellationToken)));
        return !there.Contains(false);
    }

    private async Task<bool> IsThereAsync(string repository, PublishedEvidence manifest, CancellationToken cancellationToken) =>
        manifest.Tag is null
        ? await client.HeadManifestAsync(repository, manifest.Descriptor.Digest.ToString(), cancellationToken) is not null
        : await MergeAsync(repository, manifest, cancellationToken) is null;
}
