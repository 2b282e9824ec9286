using Ingot.Releases;
using Ingot.Tools;

namespace Ingot.Instances;

/// <summary>Making instances, and the networks they are on.</summary>
public sealed partial class DockerTarget
{
    private const int Tries = 3;

    // Twice as long as any single thing that is done in a turn.
    private static readonly TimeSpan s_turn = TimeSpan.FromSeconds(120);

    private readonly KeyedTurns _instances = new("the instance", s_turn);
    private readonly KeyedTurns _networks = new("the network", s_turn);

    private async Task<string> CreateAsync(ServiceSetup setup, Move.CreateInstance move, CancellationToken cancellationToken)
    {
        var generation = Generation(setup, move.Generation);
        string name = HardenedContainer.Name(_homeId, setup.Key, move.Generation, move.Index);
        using var turn = await _instances.TakeAsync(name, cancellationToken);
        for (int attempt = 1; ; attempt++)
        {
            string? id = null;
            try
            {
                var image = await FindOrPullAsync(generation, cancellationToken);
                var instance = new InstanceToMake(setup.Key, generation, move.Index, image, name);
                id = await FindMadeAsync(instance, cancellationToken)
                    ?? await MakeAsync(instance, cancellationToken);
                await _engine.StartAsync(id, cancellationToken);
                return id;
            }
            catch (DockerUnusableException) when (attempt < Tries)
            {
                // It is on its way out, or the network it was made for is gone: it does not run, and nothing is lost.
                if (id is not null)
                    await RemoveInstanceAsync(id, cancellationToken);
            }
        }
    }

    private async Task<DockerImage> FindOrPullAsync(Generation generation, CancellationToken cancellationToken) =>
        await _engine.FindImageAsync(HardenedContainer.Reference(generation), cancellationToken)
            ?? await PullAsync(generation, cancellationToken);

    // A tag could have moved since; the digest is what was promoted, and the Engine must say that it has it.
    private async Task<DockerImage> PullAsync(Generation generation, CancellationToken cancellationToken)
    {
        await _engine.PullAsync(generation.Repository, generation.Digest.ToString(), Credentials(generation.Repository),
            cancellationToken);
        string reference = HardenedContainer.Reference(generation);
        var image = await _engine.FindImageAsync(reference, cancellationToken);
        return image?.RepoDigests?.Contains(reference) == true
            ? image
            : throw new ToolException("dockerd", $"'{reference}' was pulled and the Docker Engine does not know it by that digest");
    }

    /// <summary>What an earlier try made, of this process or of one that was killed; null when there is nothing that can be used.</summary>
    private async Task<string?> FindMadeAsync(InstanceToMake instance, CancellationToken cancellationToken)
    {
        var listed = await _engine.ListAsync(InstanceLabels.Filter(_homeId, instance.Key, instance.Generation.Number, instance.Index),
            cancellationToken);
        foreach (var made in listed.OrderByDescending(container =>
            container.Names.Any(name => name.TrimStart('/').StartsWith(instance.Name, StringComparison.Ordinal))))
        {
            if (made.State is not ("removing" or "dead")
                && await IsAsPromisedAsync(instance, made.Id, cancellationToken))
                return made.Id;
        }

        return null;
    }

    private async Task<bool> IsAsPromisedAsync(InstanceToMake instance, string id, CancellationToken cancellationToken)
    {
        var container = await _engine.FindContainerAsync(id, cancellationToken);
        return container is not null
            && InstancePromise.Objection(instance.Generation, container) is null
            && InstanceLabels.Of(_homeId, instance.Key, instance.Generation, instance.Index, container.Image)
                .All(label => label.Key == InstanceLabels.Version || container.Config.Labels?.GetValueOrDefault(label.Key) == label.Value)
            && await ImageObjectionAsync(instance.Generation, container, cancellationToken) is null;
    }

    /// <summary>Makes the container under the first name that is free: one that somebody else has must hold nothing up.</summary>
    private async Task<string> MakeAsync(InstanceToMake instance, CancellationToken cancellationToken)
    {
        string name = HardenedContainer.Network(_homeId, instance.Key);
        using var turn = await _networks.TakeAsync(name, cancellationToken);
        string network = await EnsureNetworkAsync(name, instance.Key, cancellationToken);
        var spec = HardenedContainer.Spec(_homeId, instance.Key, instance.Generation, instance.Index, instance.Image, network);
        for (int number = 1; number <= Tries; number++)
        {
            string candidate = number == 1 ? instance.Name : $"{instance.Name}-{number}";
            if (await _engine.TryCreateAsync(candidate, spec, cancellationToken) is { } id)
                return id;
            // Another process of this home may have been faster.
            if (await FindMadeAsync(instance, cancellationToken) is { } made)
                return made;
        }

        throw new ToolException("dockerd",
            $"the container name '{instance.Name}' and the {Tries - 1} after it are taken by containers that are not "
                + "instances of this home: "
                + $"remove them with 'docker rm -f {instance.Name}'");
    }

    /// <summary>The id of the network of a project's stage. Docker makes several of one name when two ask at once: the oldest is the one,
    /// and one that was made too late is removed again.</summary>
    private async Task<string> EnsureNetworkAsync(string name, ServiceKey key, CancellationToken cancellationToken)
    {
        var there = await FindNetworksAsync(name, cancellationToken);
        if (there.Count == 0)
        {
            var labels = new Dictionary<string, string>
            {
                [InstanceLabels.Home] = _homeId,
                [InstanceLabels.Project] = key.Project,
                [InstanceLabels.Stage] = key.Stage,
            };
            await MakeNetworkAsync(name, labels, cancellationToken);
            there = await FindNetworksAsync(name, cancellationToken);
        }

        if (there.Count == 0)
            throw new ToolException("dockerd",
                $"the network '{name}' could not be made: one of that name is not this home's; remove it with 'docker network rm {name}'");
        // Whoever is about to use one of them finds it gone, and takes the oldest too.
        foreach (var late in there.Skip(1))
            await _engine.TryRemoveNetworkAsync(late.Id, cancellationToken);
        return there[0].Id;
    }

    // Of a range that steps of builds are kept from, whenever a network is made of it. The Engine knows of pools that it does not list, and
    // another process may have been faster: in the end it chooses itself.
    private async Task MakeNetworkAsync(string name, IReadOnlyDictionary<string, string> labels, CancellationToken cancellationToken)
    {
        var taken = (await _engine.ListNetworksAsync([], cancellationToken)).SelectMany(network => network.Subnets).ToList();
        for (int number = 1; ; number++)
        {
            var part = number < Tries ? HostNetworks.Now().FreePart(name, taken) : null;
            try
            {
                await _engine.TryCreateNetworkAsync(name, labels, part, cancellationToken);
                return;
            }
            catch (ToolException e) when (part is not null && e.Message.Contains("overlap", StringComparison.OrdinalIgnoreCase))
            {
                taken.Add(part.Value);
            }
        }
    }

    private async Task<IReadOnlyList<DockerNetwork>> FindNetworksAsync(string name, CancellationToken cancellationToken)
    {
        var there = await _engine.FindNetworksAsync(name, cancellationToken);
        return [.. there.Where(network => network.Labels?.GetValueOrDefault(InstanceLabels.Home) == _homeId)];
    }

    private sealed record InstanceToMake(ServiceKey Key, Generation Generation, int Index, DockerImage Image, string Name);
}
