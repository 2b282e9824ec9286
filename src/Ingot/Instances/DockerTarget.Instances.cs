using System.Collections.Concurrent;
using System.Globalization;
using Ingot.Oci.Content;
using Ingot.Releases;
using Ingot.Tools;

namespace Ingot.Instances;

/// <summary>Reading instances. The list is asked for each time; a container is inspected again when something happened to it, or when the
/// Engine's events were missed.</summary>
public sealed partial class DockerTarget
{
    // Should an event ever be lost, it is noticed after this.
    private static readonly TimeSpan s_longestTrust = TimeSpan.FromSeconds(30);

    private const int MostImages = 1024;

    private readonly ConcurrentDictionary<ServiceKey, ServiceView> _views = new();
    private readonly ConcurrentDictionary<(string Image, string Digest), bool> _images = new();

    /// <inheritdoc/>
    public async Task<IReadOnlyList<InstanceObservation>> ObserveInstancesAsync(ServiceSetup setup,
        CancellationToken cancellationToken = default)
    {
        var before = _views.GetValueOrDefault(setup.Key) ?? ServiceView.None;
        var list = await _engine.ListAsync(InstanceLabels.Filter(_homeId, setup.Key), before.List, cancellationToken);
        var read = await Task.WhenAll(list.Containers.Select(row => InspectAsync(before, row, cancellationToken)));
        var known = read.OfType<Inspected>().ToDictionary(inspected => inspected.Container.Id, StringComparer.Ordinal);
        var instances = new List<InstanceObservation>(known.Count);
        var strangers = new List<string>();
        var claims = known.Values.Select(inspected => (inspected.Container, Claim: Claim(setup.Key, inspected.Container)));
        foreach (var (container, claim) in claims.OrderByDescending(one => HasItsName(setup.Key, one.Claim, one.Container))
            .ThenBy(one => one.Container.Name, StringComparer.Ordinal))
        {
            if (claim is not null)
                instances.Add(await ObserveAsync(setup, claim, container, instances, cancellationToken));
            else
                strangers.Add(Stranger(container));
        }

        var earlier = await ReadEarlierAsync(setup.Key, before.Earlier, cancellationToken);
        _views[setup.Key] = new ServiceView(list, known, [.. strangers, .. earlier.Sentences], earlier);
        return [.. instances.OrderBy(instance => instance.Generation).ThenBy(instance => instance.Index)];
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Strangers(ServiceKey key) => _views.GetValueOrDefault(key)?.Strangers ?? [];

    // Null when it is gone since it was listed.
    private async Task<Inspected?> InspectAsync(ServiceView before, DockerContainerSummary row, CancellationToken cancellationToken)
    {
        if (before.Known.TryGetValue(row.Id, out var known)
            && known.Container.State.Status == row.State
            && _time.GetElapsedTime(known.At) < s_longestTrust
            && _watch.IsUnchanged(known.Mark, row.Id))
        {
            return known;
        }

        // Taken first: what happens while it is read counts as happening later.
        var mark = _watch.Now();
        long at = _time.GetTimestamp();
        var container = await _engine.FindContainerAsync(row.Id, cancellationToken);
        return container is null ? null : new Inspected(container, mark, at);
    }

    private async Task<InstanceObservation> ObserveAsync(
        ServiceSetup setup,
        InstanceClaim claim,
        DockerContainer container,
        List<InstanceObservation> others,
        CancellationToken cancellationToken)
    {
        var generation = setup.Find(claim.Generation);
        string? objection = InstancePromise.Objection(generation, container)
            ?? (generation is null ? null : await ImageObjectionAsync(generation, container, cancellationToken));
        if (objection is null
            && others.Any(other => other.Generation == claim.Generation && other.Index == claim.Index && other.Objection is null))
            objection = $"another container is g{claim.Generation}-{claim.Index} as well";
        string? said = objection is null ? null : $"the container '{NameOf(container)}' gets no traffic: {objection}";
        return Read(setup.Key, claim, container) with { Objection = said };
    }

    /// <summary>Why the image that a container runs is not the one its generation promises; null when it is.</summary>
    private async Task<string?> ImageObjectionAsync(Generation generation, DockerContainer container, CancellationToken cancellationToken)
    {
        string digest = generation.Digest.ToString();
        if (!_images.TryGetValue((container.Image, digest), out bool isPromised))
        {
            isPromised = await IsPromisedAsync(generation, container, cancellationToken);
            // What an id and a digest name never changes, so that it is asked once; what is not known may be later.
            if (isPromised)
                Believe(container.Image, digest);
        }

        return isPromised ? null : $"it runs the image '{container.Image}', which is not '{HardenedContainer.Reference(generation)}'";
    }

    // Every release brings its own, for as long as the server runs: what is forgotten is asked again.
    private void Believe(string image, string digest)
    {
        if (_images.Count >= MostImages)
            _images.Clear();
        _images[(image, digest)] = true;
    }

    // The Engine says what it pulled an image by. Where people have taken that from it, what was written down when the instance was made is
    // believed.
    private async Task<bool> IsPromisedAsync(Generation generation, DockerContainer container, CancellationToken cancellationToken)
    {
        if (await _engine.FindImageAsync(container.Image, cancellationToken) is { } runs
            && InstancePromise.IsOf(runs, generation.Digest.ToString()))
            return true;
        return await _engine.FindImageAsync(HardenedContainer.Reference(generation),
            cancellationToken) is { } promised
            ? promised.Id == container.Image
            : container.Config.Labels?.GetValueOrDefault(InstanceLabels.Image) == container.Image;
    }

    /// <summary>What a container's labels say it is; null when they cannot be read.</summary>
    private static InstanceClaim? Claim(ServiceKey key, DockerContainer container)
    {
        var labels = container.Config.Labels ?? new Dictionary<string, string>();
        return LabelNumber(labels, InstanceLabels.Generation) is { } generation
            && LabelNumber(labels, InstanceLabels.Index) is { } index
            && LabelNumber(labels, InstanceLabels.Port) is { } port
            && Digest.TryParse(labels.GetValueOrDefault(InstanceLabels.Digest), out var digest)
            && labels.GetValueOrDefault(InstanceLabels.Stage) == key.Stage
            ? new InstanceClaim(generation, index, port, digest)
            : null;
    }

    // Of two that claim the same, the one under the name we give is ours.
    private bool HasItsName(ServiceKey key, InstanceClaim? claim, DockerContainer container) =>
        claim is not null
            && NameOf(container).StartsWith(HardenedContainer.Name(_homeId, key, claim.Generation, claim.Index), StringComparison.Ordinal);

    private static int? LabelNumber(IReadOnlyDictionary<string, string> labels, string name) =>
        int.TryParse(labels.GetValueOrDefault(name), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;

    private static string NameOf(DockerContainer container) => container.Name.TrimStart('/');

    private static string Stranger(DockerContainer container) =>
        $"the container '{NameOf(container)}' carries labels of Ingot's that cannot be read, and is left alone: "
            + $"remove it with 'docker rm -f {NameOf(container)}'";

    private InstanceObservation Read(ServiceKey key, InstanceClaim claim, DockerContainer container)
    {
        var state = State(container.State.Status);
        string? ip = AddressOf(key, container);
        return new InstanceObservation(
            claim.Generation,
            claim.Index,
            container.Id,
            state,
            claim.Digest,
            state == InstanceState.Running && ip is not null ? $"{ip}:{claim.Port}" : null,
            container.RestartCount,
            container.State.StartedAt.Year > 1 ? container.State.StartedAt : null,
            state is InstanceState.Exited or InstanceState.Restarting ? container.State.ExitCode : null,
            container.State.OomKilled);
    }

    // A person may have connected it to others too, and versions before this one had one network for all stages.
    private string? AddressOf(ServiceKey key, DockerContainer container)
    {
        var networks = container.NetworkSettings.Networks;
        string? ours = networks?.GetValueOrDefault(HardenedContainer.Network(_homeId, key))?.IPAddress;
        return string.IsNullOrEmpty(ours)
            ? networks?.Values.Select(endpoint => endpoint.IPAddress).FirstOrDefault(ip => !string.IsNullOrEmpty(ip))
            : ours;
    }

    private static InstanceState State(string status) => status switch
    {
        "created" => InstanceState.Created,
        // A paused one has an address and answers no check: the proxy says that it is ill.
        "running" or "paused" => InstanceState.Running,
        "restarting" => InstanceState.Restarting,
        _ => InstanceState.Exited,
    };

    private sealed record InstanceClaim(int Generation, int Index, int Port, Digest Digest);

    /// <summary>A container as it was read, and when.</summary>
    private sealed record Inspected(DockerContainer Container, ContainerWatch.Mark Mark, long At);

    /// <summary>A service's containers as they were last read.</summary>
    private sealed record ServiceView(DockerList? List, IReadOnlyDictionary<string, Inspected> Known, IReadOnlyList<string> Strangers,
        EarlierContainers? Earlier)
    {
        public static ServiceView None { get; } = new(null, new Dictionary<string, Inspected>(), [], null);
    }
}
