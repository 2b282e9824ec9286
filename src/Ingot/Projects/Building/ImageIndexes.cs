using Ingot.Builds;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layouts;

namespace Ingot.Projects.Building;

/// <summary>Makes one index of the images that a project's image is for several platforms.</summary>
internal sealed class ImageIndexes(ProjectHost host, OciLayout layout, BuiltNames names, BuildOptions options)
{
    // https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md
    public async Task<IReadOnlyList<ProjectImage>> JoinAsync(IReadOnlyList<BuiltImage> images, CancellationToken cancellationToken)
    {
        var joined = new List<ProjectImage>();
        var groups = images.GroupBy(i => i.Name).ToList();
        foreach (var group in groups)
            CheckPlatforms(group.Key, [.. group]);
        foreach (var part in images)
            await CheckThereAsync(part, cancellationToken);
        foreach (var group in groups)
        {
            var index = new ImageIndex
            {
                Manifests = [.. group.Select(i => ProjectImage.DescriptorOf(i) with { Platform = ProjectImage.PlatformOf(i) })],
                Annotations = Annotations(),
            };
            var descriptor = await layout.Store.PutAsync(MediaType.Index, ImageJson.Write(index), cancellationToken);
            if (options.Names)
                await names.SetAsync(group.Key, descriptor, cancellationToken);
            string platforms = string.Join(", ", group.Select(ProjectImage.PlatformOf));
            host.Say("build", $"{group.Key} is {descriptor.Digest}, an index for {platforms}");
            joined.Add(new ProjectImage(group.Key, names.Of(group.Key), descriptor, [.. group]));
        }

        return joined;
    }

    // Who takes an image out of an index takes the first of its platform, and would never see the other.
    private void CheckPlatforms(string name, IReadOnlyList<BuiltImage> parts)
    {
        if (parts.GroupBy(i => ProjectImage.PlatformOf(i).ToString()).FirstOrDefault(g => g.Count() > 1) is not { } same)
            return;
        throw new InvalidInputException("platform",
            $"'{name}' was asked for on {string.Join(" and ", options.Platforms)}, and {same.Count()} of its images are for {same.Key}",
            "leave platforms out of its FROM, or build it for one platform");
    }

    // Another program may have pruned the store meanwhile.
    private async Task CheckThereAsync(BuiltImage part, CancellationToken cancellationToken)
    {
        foreach (var digest in new[] { part.Digest, part.Manifest.Config.Digest })
        {
            if (await layout.Store.SizeAsync(digest, cancellationToken) is null)
                throw new InvalidInputException("gone",
                    $"'{part.Name}' for {ProjectImage.PlatformOf(part)} is no longer complete in the local store: {digest} is gone",
                    "build again");
        }
    }

    private SortedDictionary<string, string>? Annotations()
    {
        var annotations = options.IndexAnnotations.GroupBy(a => a.Key).ToDictionary(g => g.Key, g => g.Last().Value);
        return annotations.Count == 0 ? null : new(annotations, StringComparer.Ordinal);
    }
}
