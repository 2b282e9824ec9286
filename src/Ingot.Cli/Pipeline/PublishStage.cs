using Ingot.Builds;
using Ingot.Cli.Output;
using Ingot.Oci.Content;
using Ingot.Oci.Registries;
using Ingot.Templates.Project;

namespace Ingot.Cli.Pipeline;

/// <summary>Pushes an image, what is known of it, and last its tag: whoever sees the tag sees the evidence too.</summary>
internal sealed class PublishStage(CommandContext context, ServerClient server)
{
    /// <summary>True when anything was not there yet.</summary>
    public async Task<bool> RunAsync(ProjectDefinition project, ImageDefinition image, BuiltImage built, EvidenceResult evidence, CancellationToken cancellationToken)
    {
        string repository = $"{project.Name}/{image.Name}";
        var store = new DirectoryStore(context.Home.Content);
        using var http = server.NewHttp(TimeSpan.FromMinutes(30));
        var client = new RegistryClient(http, server.Server);
        if (await IsPublishedAsync(client, repository, image.Version!, built, evidence, cancellationToken))
            return false;

        await ImageTransfer.PushAsync(store, client, repository, built.Digest, cancellationToken: cancellationToken);
        foreach (var manifest in evidence.Manifests)
            await ImageTransfer.PushAsync(store, client, repository, manifest.Descriptor.Digest, manifest.Tag, cancellationToken: cancellationToken);
        await ImageTransfer.PushAsync(store, client, repository, built.Digest, image.Version, cancellationToken: cancellationToken);
        context.Terminal.Progress($"publish  {server.Server.Authority}/{repository}:{image.Version} with {evidence.Manifests.Count} pieces of evidence");
        return true;
    }

    // The tag goes last, so it says that all of the image is there; evidence that came later is looked for one by one.
    private static async Task<bool> IsPublishedAsync(RegistryClient client, string repository, string tag, BuiltImage built, EvidenceResult evidence, CancellationToken cancellationToken)
    {
        if ((await client.HeadManifestAsync(repository, tag, cancellationToken))?.Digest != built.Digest)
            return false;

        var there = await Task.WhenAll(evidence.Manifests.Select(m => client.HeadManifestAsync(repository, m.Tag ?? m.Descriptor.Digest.ToString(), cancellationToken)));
        return there.Zip(evidence.Manifests).All(pair => pair.First?.Digest == pair.Second.Descriptor.Digest);
    }
}
