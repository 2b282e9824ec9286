using Ingot.Releases;
using Ingot.Tools;

namespace Ingot.Instances;

/// <summary>Stopping and removing what is this home's, and nothing else.</summary>
public sealed partial class DockerTarget
{
    private static readonly TimeSpan s_removing = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_removalPoll = TimeSpan.FromMilliseconds(100);

    /// <inheritdoc/>
    public async Task RemoveServiceAsync(ServiceKey key, CancellationToken cancellationToken = default)
    {
        var troubles = new List<string>();
        await TryAsync(() => StopSyntheticAsync(key), troubles);
        await TryAsync(() => RemoveProxyAsync(key, cancellationToken), troubles);
        await TryAsync(() => RemoveInstancesAsync(key, troubles, cancellationToken), troubles);
        await TryAsync(() => RemoveNetworksAsync(key, cancellationToken), troubles);
        _views.TryRemove(key, out _);
        if (troubles.Count > 0)
            throw new ToolException("dockerd", $"something of {key} is left: {string.Join("; ", troubles.Distinct())}");
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<ServiceKey>> FindServicesAsync(CancellationToken cancellationToken = default)
    {
        var listed = await _engine.ListAsync(InstanceLabels.Filter(_homeId), cancellationToken);
        string[] proxies = Directory.Exists(_proxies) ? Directory.GetDirectories(_proxies) : [];
        return [.. listed.Select(container => KeyOf(container.Labels)).Concat(proxies.Select(KeyOf)).OfType<ServiceKey>().Distinct()
            .OrderBy(key => key.Stem, StringComparer.Ordinal)];
    }

    private static ServiceKey? KeyOf(string path) => KeyOf(Path.GetFileName(path).Split('.'));

    private static ServiceKey? KeyOf(string[] parts) => parts is [{ Length: > 0 } project, { Length: > 0 } service, { Length: > 0 } stage]
        ? new ServiceKey(project, service, stage) : null;

    private static ServiceKey? KeyOf(IReadOnlyDictionary<string, string>? labels) =>
        KeyOf([.. ((string[])[InstanceLabels.Project, InstanceLabels.Service, InstanceLabels.Stage])
            .Select(name => labels?.GetValueOrDefault(name) ?? "")]);

    // One that cannot be removed keeps no other.
    private async Task RemoveInstancesAsync(ServiceKey key, List<string> troubles, CancellationToken cancellationToken)
    {
        var containers = await _engine.ListAsync(InstanceLabels.Filter(_homeId, key), cancellationToken);
        await Task.WhenAll(containers
            .Select(container => TryAsync(() => RemoveInstanceAsync(container.Id, cancellationToken), troubles)));
    }

    // The turn is the one in which instances are made: a network that one is about to be on is not taken away.
    private async Task RemoveNetworksAsync(ServiceKey key, CancellationToken cancellationToken)
    {
        using var turn = await _networks.TakeAsync(HardenedContainer.Network(_homeId, key), cancellationToken);
        var ours = InstanceLabels.Filter(_homeId, key.Project);
        var left = await _engine.ListAsync(ours, cancellationToken);
        foreach (var network in await _engine.ListNetworksAsync(ours, cancellationToken))
        {
            // Of a version before this one, for all stages, where it names none.
            string? stage = network.Labels?.GetValueOrDefault(InstanceLabels.Stage);
            bool isLeft = left.Any(container => stage is null || container.Labels?.GetValueOrDefault(InstanceLabels.Stage) == stage);
            if (!isLeft && (stage is null || stage == key.Stage))
                await _engine.TryRemoveNetworkAsync(network.Id, cancellationToken);
        }
    }

    private static async Task TryAsync(Func<Task> act, List<string> troubles)
    {
        try
        {
            await act();
        }
        catch (Exception e) when (e is IngotException or IOException or UnauthorizedAccessException)
        {
            lock (troubles)
                troubles.Add(IngotException.ReasonOf(e));
        }
    }

    private async Task StopInstanceAsync(string id, CancellationToken cancellationToken)
    {
        if (await FindOwnAsync(id, cancellationToken) is not { } container || IsOver(container))
            return;
        try
        {
            await _engine.StopAsync(id, HardenedContainer.StopSeconds, cancellationToken);
        }
        catch (ToolException)
        {
            await _engine.KillAsync(id, "SIGKILL", cancellationToken);
        }

        await UntilAsync(id, container => container is null || IsOver(container), "still runs after it was stopped and killed",
            cancellationToken);
    }

    private async Task RemoveInstanceAsync(string id, CancellationToken cancellationToken)
    {
        if (await FindOwnAsync(id, cancellationToken) is null)
            return;
        await StopInstanceAsync(id, cancellationToken);
        await _engine.RemoveAsync(id, force: true, cancellationToken);
        await UntilAsync(id, container => container is null, "is still being removed", cancellationToken);
        await TryRemoveEarlierNetworksAsync(cancellationToken);
    }

    /// <summary>Removes networks of versions that had one for all stages of a project, where no container of this home is on them any more.
    /// The Engine itself keeps only those on which something runs, and what is stopped may be started again.</summary>
    private async Task TryRemoveEarlierNetworksAsync(CancellationToken cancellationToken)
    {
        try
        {
            var networks = await _engine.ListNetworksAsync(InstanceLabels.Filter(_homeId), cancellationToken);
            var earlier = networks.Where(network => network.Labels?.GetValueOrDefault(InstanceLabels.Stage) is null).ToList();
            if (earlier.Count == 0)
                return;

            var used = new HashSet<string>(StringComparer.Ordinal);
            foreach (var left in await _engine.ListAsync(InstanceLabels.Filter(_homeId), cancellationToken))
            {
                if (await _engine.FindContainerAsync(left.Id, cancellationToken) is { } container)
                    used.UnionWith(container.NetworkSettings.Networks?.Keys ?? []);
            }

            foreach (var network in earlier.Where(network => !used.Contains(network.Name) && !used.Contains(network.Id)))
                await _engine.TryRemoveNetworkAsync(network.Id, cancellationToken);
        }
        catch (ToolException)
        {
            // The instance is gone, which is what was asked for; the network is tried again with the next one.
        }
    }

    private static bool IsOver(DockerContainer container) => container.State.Status is "created" or "exited" or "dead" or "removing";

    /// <summary>A container by its id; null when it is gone. One that is not this home's throws: nobody who names it can mean it.</summary>
    private async Task<DockerContainer?> FindOwnAsync(string id, CancellationToken cancellationToken)
    {
        var container = await _engine.FindContainerAsync(id, cancellationToken);
        return container is null || container.Config.Labels?.GetValueOrDefault(InstanceLabels.Home) == _homeId
            ? container
            : throw new ToolException("dockerd",
                $"the container '{container.Name.TrimStart('/')}' ({id}) is not this home's: it is left alone");
    }

    private async Task UntilAsync(string id, Func<DockerContainer?, bool> reached, string otherwise, CancellationToken cancellationToken)
    {
        long began = _time.GetTimestamp();
        while (!reached(await _engine.FindContainerAsync(id, cancellationToken)))
        {
            if (_time.GetElapsedTime(began) > s_removing)
                throw new ToolException("dockerd",
                    $"the container '{id}' {otherwise} ({s_removing.TotalSeconds:0} s): see 'docker inspect {id}'");
            await Task.Delay(s_removalPoll, _time, cancellationToken);
        }
    }
}
