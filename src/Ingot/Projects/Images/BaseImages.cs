using System.Collections.Concurrent;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layouts;
using Ingot.Oci.Registries;
using Ingot.Plans;

namespace Ingot.Projects.Images;

/// <summary>Finds the images that a build starts from, nearest first: what <c>ingot.lock</c> says, the local store, a layout or archive, a
/// registry; brings them into the local store once.</summary>
internal sealed class BaseImages(
    ProjectHost host, OciLayout layout, string directory, ImageLock images, BaseImageOptions options) : IDisposable
{
    private readonly RegistryConnections _registries = new(host, options.Insecure);
    private readonly ConcurrentDictionary<(string Name, Platform Platform), Lazy<Task<StoredImage?>>> _found = new();
    private bool _updated;

    /// <summary>Names that a person typed, whose files may be anywhere.</summary>
    public IReadOnlyCollection<string> Typed { get; init; } = [];

    /// <summary>The image of that name for that platform, in the local store; null when nobody knows it. Each name is looked up
    /// once.</summary>
    public Task<StoredImage?> FindAsync(string name, Platform platform, CancellationToken cancellationToken) =>
        _found.GetOrAdd((name, platform), _ => new Lazy<Task<StoredImage?>>(() => FindOnceAsync(name, platform, cancellationToken))).Value;

    /// <summary>The image that a name meant when something was built: from the local store, else from where the name leads. Null when it is
    /// nowhere; another image under the name throws.</summary>
    public async Task<StoredImage?> FindPinnedAsync(string name, Digest digest, Platform platform, CancellationToken cancellationToken)
    {
        if (await IsHereAsync(digest, platform, cancellationToken))
            return await LoadAsync(name, digest, platform, cancellationToken);

        bool isReference = ImageFile.TryParse(name) is null && Reference.TryParse(name, out _);
        string wanted = isReference ? Reference.Parse(name).WithTag(null).WithDigest(digest).ToString() : name;
        var found = await FindAsync(wanted, platform, cancellationToken);
        return found is null || found.Manifest == digest
            ? found
            : throw new ImageLookupException("image-moved", $"'{name}' is {found.Manifest}, and the image was built from {digest}",
                "bring that one into the local store with 'ingot pull' or 'ingot import'");
    }

    /// <summary>Says what moved and writes <c>ingot.lock</c>, whole or not at all.</summary>
    /// <param name="isUpdated">Whether what is to be updated was something else of this build.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task SaveAsync(bool isUpdated, CancellationToken cancellationToken)
    {
        if (options.Update is { Length: > 0 } wanted && !_updated && !isUpdated)
            throw new InvalidInputException("update", $"no image of this build comes from '{wanted}', and none is a bootstrap of that name",
                "'--update' takes the name as FROM has it, or none; write the targets before it");

        foreach (var change in images.Changes)
        {
            host.Say("lock", change.Old is { } old ? $"{change.Name} moved from {old} to {change.New}" : $"{change.Name} is {change.New}");
        }

        await images.SaveAsync(host.Places, cancellationToken);
    }

    public void Dispose() => _registries.Dispose();

    private async Task<StoredImage?> FindOnceAsync(string name, Platform platform, CancellationToken cancellationToken)
    {
        try
        {
            var digest = await FindLocalAsync(name, platform, cancellationToken)
                ?? await FindRemoteAsync(name, platform, cancellationToken);
            return digest is { } found ? await LoadAsync(name, found, platform, cancellationToken) : null;
        }
        catch (ImageException e)
        {
            throw new ImageLookupException("image-unusable", $"'{name}' cannot be used: {e.Message}", inner: e);
        }
    }

    private bool IsUpdated(string name) => options.Update is { } update && (update.Length == 0 || update == name);

    // Files and names of this host; a lock wins over a name, so that what somebody pulled does not change a build.
    private async Task<Digest?> FindLocalAsync(string name, Platform platform, CancellationToken cancellationToken)
    {
        if (ImageFile.TryParse(name) is { } file)
        {
            return Typed.Contains(name)
                ? await file.ImportAsync(layout.Store, directory, host.Places.Work, platform, cancellationToken)
                : await file.ImportOfProjectAsync(layout.Store, directory, host.Places.Work, platform, cancellationToken);
        }

        if (images.TryFind(name, out _))
            return null;

        var names = await layout.NamesAsync(cancellationToken);
        string[] candidates = Reference.TryParse(name, out var reference)
            ? [name, name + ":latest", reference.WithDockerDefaults().ToString()]
            : [name];
        return candidates.Select(candidate => names.GetValueOrDefault(candidate)?.Digest).FirstOrDefault(found => found is not null);
    }

    private async Task<Digest?> FindRemoteAsync(string name, Platform platform, CancellationToken cancellationToken)
    {
        if (!Reference.TryParse(name, out var written))
            return null;

        var reference = written.WithDockerDefaults();
        var digest = reference.Digest ?? await ResolveAsync(name, reference, cancellationToken);
        if (digest is { } known)
            await BringAsync(reference, known, platform, cancellationToken);
        return digest;
    }

    // A tag becomes a digest here, and nowhere else.
    private async Task<Digest?> ResolveAsync(string name, Reference reference, CancellationToken cancellationToken)
    {
        bool isLocked = images.TryFind(name, out var locked);
        if (isLocked && !IsUpdated(name))
            return locked;
        if (!isLocked && options.Locked)
            throw new ImageLookupException("image-not-locked", $"'{name}' is not in {ImageLock.FileName}, and this build must not add it",
                $"build once without '--locked' and keep {ImageLock.FileName} with the sources");

        if (await AskAsync(name, reference, cancellationToken) is not { } digest)
            return null;
        _updated = true;
        images.Set(name, digest);
        return digest;
    }

    private async Task<Digest?> AskAsync(string name, Reference reference, CancellationToken cancellationToken)
    {
        host.Progress.Report(new ProjectEvent.Now($"asking {reference.Registry} for {reference}"));
        try
        {
            var client = await _registries.ConnectAsync(reference.Registry!, cancellationToken);
            return (await client.HeadManifestAsync(reference.Repository, reference.Tag!, cancellationToken))?.Digest;
        }
        catch (RegistryException e) when (IsBareWord(name) && e.Status is 0 or 401 or 403)
        {
            // Most likely the name of a stage, written wrongly.
            throw new ImageLookupException("image-unknown",
                $"'{name}' is neither an earlier stage, nor an image of this project, nor in the local store, "
                    + $"and could not be obtained as '{reference}': {e.Message}", inner: e);
        }
        finally
        {
            host.Progress.Report(new ProjectEvent.Now(null));
        }
    }

    private static bool IsBareWord(string name) => name.AsSpan().IndexOfAny("/:@.") < 0;

    private async Task BringAsync(Reference reference, Digest digest, Platform platform, CancellationToken cancellationToken)
    {
        if (await IsHereAsync(digest, platform, cancellationToken))
            return;

        // Builds of other processes wait for this one, and then find it done.
        using var held = await host.Places.LockAsync($"pull {digest} {platform}", cancellationToken);
        if (await IsHereAsync(digest, platform, cancellationToken))
            return;

        var client = await _registries.ConnectAsync(reference.Registry!, cancellationToken);
        string name = reference.WithTag(null).WithDigest(digest).ToString();
        using var watch = host.Progress.WatchTransfer("pull", reference.ToString());
        var transfer = new TransferOptions { Progress = watch, Bytes = watch, Platform = platform };
        var descriptor = await ImageTransfer.PullAsync(client, reference.Repository, digest.ToString(), layout.Store, transfer,
            cancellationToken);
        await layout.SetAsync(name, descriptor with { Annotations = null }, cancellationToken);
    }

    private async Task<bool> IsHereAsync(Digest digest, Platform platform, CancellationToken cancellationToken)
    {
        if (await layout.Store.SizeAsync(digest, cancellationToken) is null)
            return false;

        try
        {
            var image = await Image.LoadAsync(layout.Store, digest, platform, cancellationToken);
            foreach (var layer in image.Manifest.Layers)
            {
                if (await layout.Store.SizeAsync(layer.Digest, cancellationToken) != layer.Size)
                    return false;
            }

            return true;
        }
        catch (ContentMismatchException)
        {
            // An index that was pulled for another platform.
            return false;
        }
    }

    private async Task<StoredImage> LoadAsync(string name, Digest digest, Platform platform, CancellationToken cancellationToken)
    {
        try
        {
            var image = await Image.LoadAsync(layout.Store, digest, platform, cancellationToken);
            return new StoredImage(image.Digest, image.Config);
        }
        catch (ContentMismatchException e)
        {
            throw new ImageLookupException("image-incomplete", $"'{name}' is not complete in the local store: {e.Message}",
                "pull it again; 'ingot images --verify' says what is wrong", e);
        }
    }
}
