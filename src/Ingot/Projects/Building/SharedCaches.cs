using Ingot.Builds;
using Ingot.Builds.Cache;
using Ingot.Projects.Images;

namespace Ingot.Projects.Building;

/// <summary>The shared caches of one build, connected as the person's Docker configuration knows registries.</summary>
internal sealed class SharedCaches(ProjectHost host, BuildOptions options) : IDisposable
{
    private readonly RegistryConnections _registries = new(host, options.Bases.Insecure);

    /// <summary>Those whose results are used.</summary>
    public async Task<IReadOnlyList<ICachePlace>> FromAsync(CancellationToken cancellationToken)
    {
        var places = new List<ICachePlace>();
        foreach (var location in options.Caches.From)
            places.Add(await PlaceAsync(location, cancellationToken));
        return places;
    }

    /// <summary>Those that the build is put into.</summary>
    public async Task<IReadOnlyList<CacheTarget>> ToAsync(CancellationToken cancellationToken)
    {
        var targets = new List<CacheTarget>();
        foreach (var location in options.Caches.To)
            targets.Add(new CacheTarget(await PlaceAsync(location, cancellationToken), location.AllStages, location.Mounts));
        return targets;
    }

    public void Dispose() => _registries.Dispose();

    private async Task<ICachePlace> PlaceAsync(CacheLocation location, CancellationToken cancellationToken)
    {
        if (location.Directory is { } directory)
            return new LayoutCachePlace(directory);

        var reference = location.Reference!;
        var client = await _registries.ConnectAsync(reference.Registry!, cancellationToken);
        return new RegistryCachePlace(client, reference.Repository, reference.Tag!, reference.ToString());
    }
}
