using Ingot.Builds;
using Ingot.Cli.Output;
using Ingot.Evidence;
using Ingot.Oci.Content;
using Ingot.Oci.Registries;
using Ingot.Templates.Project;

namespace Ingot.Cli.Pipeline;

/// <summary>Pushes an image, what is known of it, and last its tag: whoever sees the tag sees the evidence too.</summary>
internal sealed class PublishStage(CommandContext context, ServerClient server)
{
    private readonly DirectoryStore _store = new(context.Home.Content);

    /// <summary>True when anything was not there yet.</summary>
    public async Task<bool> RunAsync(ProjectDefinition project, ImageDefinition image, BuiltImage built, EvidenceResult evidence, CancellationToken cancellationToken)
    {
        string repository = $"{project.Name}/{image.Name}";
        using var http = server.NewHttp();
        var client = new RegistryClient(http, server.Server);
        if (await IsPublishedAsync(client, repository, image.Version!, built, evidence, cancellationToken))
            return false;

        await ImageTransfer.PushAsync(_store, client, repository, built.Digest, cancellationToken: cancellationToken);
        await AttachAsync(client, repository, evidence, cancellationToken);
        await ImageTransfer.PushAsync(_store, client, repository, built.Digest, image.Version, cancellationToken: cancellationToken);
        context.Terminal.Progress($"publish  {server.Server.Authority}/{repository}:{image.Version} with {evidence.Manifests.Count} pieces of evidence");
        return true;
    }

    /// <summary>Pushes evidence about an image that is published already; false when it is not.</summary>
    public async Task<bool> AttachAsync(ProjectDefinition project, ImageDefinition image, BuiltImage built, EvidenceResult evidence, CancellationToken cancellationToken)
    {
        string repository = $"{project.Name}/{image.Name}";
        using var http = server.NewHttp();
        var client = new RegistryClient(http, server.Server);
        if (await client.HeadManifestAsync(repository, built.Digest.ToString(), cancellationToken) is null)
            return false;

        await AttachAsync(client, repository, evidence, cancellationToken);
        return true;
    }

    private async Task AttachAsync(RegistryClient client, string repository, EvidenceResult evidence, CancellationToken cancellationToken)
    {
        foreach (var manifest in evidence.Manifests)
        {
            var digest = manifest.Tag is null ? manifest.Descriptor.Digest : await MergeAsync(client, repository, manifest, cancellationToken);
            if (digest is { } pushed)
                await ImageTransfer.PushAsync(_store, client, repository, pushed, manifest.Tag, cancellationToken: cancellationToken);
        }
    }

    // A tag of the older form gathers what several runs and keys said: ours is added to what is there. Null when all of it is.
    private async Task<Digest?> MergeAsync(RegistryClient client, string repository, PublishedEvidence manifest, CancellationToken cancellationToken)
    {
        if (await client.GetManifestAsync(repository, manifest.Tag!, cancellationToken) is not { } there)
            return manifest.Descriptor.Digest;

        return (await EvidenceWriter.MergeOlderAsync(_store, there.Bytes, await _store.ReadRequiredAsync(manifest.Descriptor.Digest, cancellationToken), cancellationToken))?.Digest;
    }

    // The tag goes last, so it says that all of the image is there; evidence that came later is looked for one by one.
    private async Task<bool> IsPublishedAsync(RegistryClient client, string repository, string tag, BuiltImage built, EvidenceResult evidence, CancellationToken cancellationToken)
    {
        if ((await client.HeadManifestAsync(repository, tag, cancellationToken))?.Digest != built.Digest)
            return false;

        var there = await Task.WhenAll(evidence.Manifests.Select(m => IsThereAsync(client, repository, m, cancellationToken)));
        return !there.Contains(false);
    }

    private async Task<bool> IsThereAsync(RegistryClient client, string repository, PublishedEvidence manifest, CancellationToken cancellationToken) => manifest.Tag is null
        ? await client.HeadManifestAsync(repository, manifest.Descriptor.Digest.ToString(), cancellationToken) is not null
        : await MergeAsync(client, repository, manifest, cancellationToken) is null;
}
