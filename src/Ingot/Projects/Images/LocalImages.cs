using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layouts;
using Ingot.Oci.Registries;
using Ingot.Templates.Project;

namespace Ingot.Projects.Images;

/// <summary>What a name means in the local store.</summary>
/// <param name="Name">The name as the store has it, or the digest.</param>
/// <param name="Descriptor">The manifest or index.</param>
public sealed record LocalImage(string Name, Descriptor Descriptor);

/// <summary>Finds images in the local store by what people write: a digest, a full name, a name of a project, a reference.</summary>
/// <param name="layout">The local store.</param>
/// <param name="project">The project whose names may be meant, when it comes to that; null for none.</param>
public sealed class LocalImages(OciLayout layout, Func<ProjectDefinition?> project)
{
    /// <summary>What a text names; null when the local store does not have it.</summary>
    public async Task<LocalImage?> TryFindAsync(string text, CancellationToken cancellationToken)
    {
        if (Digest.TryParse(text.AsSpan(text.IndexOf('@', StringComparison.Ordinal) + 1), out var digest))
            return await FindDigestAsync(text, digest, cancellationToken);

        var names = await layout.NamesAsync(cancellationToken);
        var found = Candidates(text).FirstOrDefault(names.ContainsKey);
        return found is null ? null : new LocalImage(found, names[found] with { Annotations = null });
    }

    /// <summary>As <see cref="TryFindAsync"/>; a name that is not there throws with what may have been meant.</summary>
    public async Task<LocalImage> FindAsync(string text, CancellationToken cancellationToken)
    {
        if (await TryFindAsync(text, cancellationToken) is { } found)
            return found;

        var names = await layout.NamesAsync(cancellationToken);
        throw new InvalidInputException("no-image", $"the local store has no image '{text}'",
            Suggestion.For(text, names.Keys) ?? "see 'ingot images'; 'ingot pull' brings images from registries");
    }

    /// <summary>The image for a platform, or else for the host's, or the first that is here: an index need not be here whole.</summary>
    public static async Task<Image> LoadAsync(IContentStore store, Digest digest, Platform? platform, CancellationToken cancellationToken)
    {
        byte[] bytes = await store.ReadRequiredAsync(digest, cancellationToken);
        if (platform is not null || !MediaType.IsIndex(Image.MediaTypeOf(digest, bytes)))
            return await Image.LoadAsync(store, digest, platform, cancellationToken);

        var index = ImageJson.ReadIndex(bytes);
        var host = Image.Select(index, Platform.Host);
        foreach (var part in index.Manifests.OrderBy(m => m == host ? 0 : 1))
        {
            if (await store.SizeAsync(part.Digest, cancellationToken) is not null)
                return await Image.LoadAsync(store, part.Digest, part.Platform, cancellationToken);
        }

        throw new InvalidInputException("no-image", $"none of the images of the index '{digest}' is in the local store", "pull it again");
    }

    private async Task<LocalImage?> FindDigestAsync(string text, Digest digest, CancellationToken cancellationToken)
    {
        if (await layout.Store.ReadAsync(digest, cancellationToken) is not { } bytes)
            return null;
        return new LocalImage(text, new Descriptor { MediaType = Image.MediaTypeOf(digest, bytes), Digest = digest, Size = bytes.Length });
    }

    private IEnumerable<string> Candidates(string text)
    {
        yield return text;
        yield return text + ":latest";
        if (Reference.TryParse(text, out var reference))
            yield return reference.WithDockerDefaults().ToString();
        if (text.Contains('/', StringComparison.Ordinal))
            yield break;

        if (project() is { } here)
        {
            yield return $"{here.Name}/{text}";
            var image = here.Images.FirstOrDefault(i => i.Name == text);
            if (image is not null)
                yield return $"{here.Name}/{text}:{image.Version ?? "latest"}";
        }

        // A Dockerfile that belongs to no project is one of its own name.
        yield return $"{text}/{text}:latest";
    }
}
