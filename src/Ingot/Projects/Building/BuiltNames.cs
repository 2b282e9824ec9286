using Ingot.Builds;
using Ingot.Builds.Layers;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layouts;
using Ingot.Templates.Project;

namespace Ingot.Projects.Building;

/// <summary>Gives built images their names in the local store.</summary>
internal sealed class BuiltNames(ProjectHost host, OciLayout layout, ProjectDefinition project, string directory, BuildOptions options)
{
    // Of a name in the local store, which no other program asks.
    private const string DirectoryAnnotation = "io.ingot.directory";

    /// <summary>The names that an image of the project gets.</summary>
    public static IReadOnlyList<string> Of(ProjectDefinition project, string image, BuildOptions options)
    {
        if (!project.IsOfFile && options.Tags.Count > 0)
            return options.Tags;
        return [$"{project.Name}/{image}:{project.Images.First(i => i.Name == image).Version ?? "latest"}", .. options.Tags];
    }

    /// <summary>The names that an image of this project gets.</summary>
    public IReadOnlyList<string> Of(string image) => Of(project, image, options);

    /// <summary>Names an image.</summary>
    public async Task SetAsync(BuiltImage image, CancellationToken cancellationToken)
    {
        await WarnOfServedAsync(image, cancellationToken);
        long size = await layout.Store.SizeAsync(image.Digest, cancellationToken) ?? 0;
        var descriptor = new Descriptor { MediaType = image.Manifest.MediaType, Digest = image.Digest, Size = size };
        await SetAsync(image.Name, descriptor, cancellationToken);
    }

    /// <summary>Names a manifest, or the index of several.</summary>
    public async Task SetAsync(string image, Descriptor descriptor, CancellationToken cancellationToken)
    {
        foreach (string name in Of(project, image, options))
        {
            var other = await layout.FindAsync(name, cancellationToken);
            if (other?.Digest == descriptor.Digest && DirectoryOf(other) == OwnDirectory)
                continue;
            if (other is not null && other.Digest != descriptor.Digest)
                WarnOfOtherDirectory(name, other);

            await layout.SetAsync(name, Described(descriptor), cancellationToken);
        }
    }

    // A directory with a Dockerfile and no ingot.yaml is a project of one image. A repository is fetched to another place each time.
    private string? OwnDirectory =>
        !project.IsOfFile && options.Repository is null && options.Tags.Count == 0 && project.Images is [var image]
            && host.FrontEnds.Of(image).Record.Context is { } context
        ? Path.GetFullPath(context, directory)
        : null;

    private static string? DirectoryOf(Descriptor? named) => named?.Annotations?.GetValueOrDefault(DirectoryAnnotation);

    private Descriptor Described(Descriptor descriptor) => OwnDirectory is { } directory
        ? descriptor with { Annotations = new(StringComparer.Ordinal) { [DirectoryAnnotation] = directory } }
        : descriptor;

    // Directories of one name are no rare thing, and who built in the other one would not know.
    private void WarnOfOtherDirectory(string name, Descriptor other)
    {
        if (OwnDirectory is not { } here || DirectoryOf(other) is not { } there || there == here)
            return;
        host.Warn("build",
            $"'{name}' was the image of '{there}' until now, which is still in the store as "
            + $"{other.Digest}; give each directory's image a name of its own with -t");
    }

    // Held against the image that the name stood for, or else the version that was built last.
    private async Task WarnOfServedAsync(BuiltImage image, CancellationToken cancellationToken)
    {
        var names = await layout.NamesAsync(cancellationToken);
        var other = names.TryGetValue(Of(project, image.Name, options)[0], out var same) ? same : names
            .Where(n => n.Key.StartsWith($"{project.Name}/{image.Name}:", StringComparison.Ordinal))
            .Select(n => n.Value)
            .MaxBy(version => File.GetLastWriteTimeUtc(layout.Store.PathOf(version.Digest)));
        if (other is null || other.Digest == image.Digest || MediaType.IsIndex(other.MediaType)
            || await layout.Store.SizeAsync(other.Digest, cancellationToken) is null)
            return;

        var before = await Image.LoadAsync(layout.Store, other.Digest, cancellationToken: cancellationToken);
        var after = await Image.LoadAsync(layout.Store, image.Digest, cancellationToken: cancellationToken);
        var files = await ServedFiles.ChangedUnseenAsync(options.Caches.Directory ?? host.Places.Cache, layout.Store, before, after,
            cancellationToken);
        if (ServedFiles.Warning(image.Name, files) is { } warning)
            host.Warn("build", warning);
    }
}
