using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Ingot.Releases;
using Ingot.Tools;

namespace Ingot.Instances;

/// <summary>A Docker host: the Engine runs the instances, and one HAProxy for each service and stage, a process of its own, carries the traffic. Killing Ingot drops no request.</summary>
public sealed partial class DockerTarget : ITarget, IAsyncDisposable
{
    private const int StopSeconds = 10;

    private static readonly TimeSpan s_settling = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(20);

    private readonly string _proxies;
    private readonly TimeProvider _time;
    private readonly DockerEngine _engine;
    private readonly ConcurrentDictionary<ServiceKey, SyntheticSender> _senders = new();

    /// <summary>The host's Engine at its usual socket, and proxies under <c>proxies/</c> of Ingot's home.</summary>
    public DockerTarget(string home, TimeProvider time)
        : this(home, time, new DockerEngine())
    {
    }

    /// <summary>Proxies under <c>proxies/</c> of <paramref name="home"/>; the Engine is disposed with the target.</summary>
    public DockerTarget(string home, TimeProvider time, DockerEngine engine)
    {
        _proxies = Path.Combine(home, "proxies");
        _time = time;
        _engine = engine;
    }

    /// <summary>What the Engine shows to the registry of a repository; null for nothing.</summary>
    public Func<string, NetworkCredential?> Credentials { get; init; } = _ => null;

    /// <inheritdoc/>
    public async Task<TargetDescription> DescribeAsync(CancellationToken cancellationToken = default)
    {
        var version = await _engine.VersionAsync(cancellationToken).ConfigureAwait(false);
        return new TargetDescription($"Docker Engine {version.Version}", version.PullsZstandard ? ["none", "gzip", "zstd"] : ["none", "gzip"], "Docker Engine 23 or later");
    }

    /// <inheritdoc/>
    public async Task<string?> CarryOutAsync(ServiceSetup setup, Move move, CancellationToken cancellationToken = default)
    {
        if (move is Move.CreateInstance create)
            return await CreateAsync(setup, create, cancellationToken).ConfigureAwait(false);

        await (move switch
        {
            Move.EnsureProxy proxy => EnsureProxyAsync(setup, proxy, cancellationToken),
            Move.AddServer add => AddServerAsync(setup, add, cancellationToken),
            Move.SetWeights weights => SetWeightsAsync(setup, weights, cancellationToken),
            Move.RemoveServer remove => RemoveServerAsync(setup, remove, cancellationToken),
            Move.StopInstance stop => _engine.StopAsync(stop.Id, StopSeconds, cancellationToken),
            Move.RemoveInstance remove => RemoveAsync(remove.Id, cancellationToken),
            Move.StartSynthetic start => StartSyntheticAsync(setup, start),
            Move.StopSynthetic => StopSyntheticAsync(setup.Key),
            _ => throw new ArgumentException($"a Docker host does not know the move '{move}'", nameof(move)),
        }).ConfigureAwait(false);
        return null;
    }

    /// <summary>The last lines an instance wrote; empty when it is not there.</summary>
    public async Task<string> ReadLogAsync(ServiceKey key, int generation, int index, int lines, CancellationToken cancellationToken = default)
    {
        var container = await _engine.FindContainerAsync(HardenedContainer.Name(key, generation, index), cancellationToken).ConfigureAwait(false);
        return container is null ? "" : await _engine.LogsAsync(container.Id, lines, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task RemoveServiceAsync(ServiceKey key, CancellationToken cancellationToken = default)
    {
        await StopSyntheticAsync(key).ConfigureAwait(false);
        var config = Config(key, settings: null, []);
        await Haproxy.StopAsync(config, _time, cancellationToken).ConfigureAwait(false);
        var containers = await _engine.ListAsync(InstanceLabels.Filter(key), cancellationToken).ConfigureAwait(false);
        await Task.WhenAll(containers.Select(container => RemoveAsync(container.Id, cancellationToken))).ConfigureAwait(false);
        foreach (string directory in (string[])[config.Directory, Path.GetDirectoryName(config.SocketPath)!])
        {
            if (Directory.Exists(directory))
                Directory.Delete(directory, recursive: true);
        }

        var others = await _engine.ListAsync([$"{InstanceLabels.Project}={key.Project}"], cancellationToken).ConfigureAwait(false);
        if (others.Count == 0)
            await _engine.RemoveNetworkAsync(HardenedContainer.Network(key.Project), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Stops sending requests. Instances and proxies go on.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var key in _senders.Keys)
            await StopSyntheticAsync(key).ConfigureAwait(false);
        _engine.Dispose();
    }

    private async Task<string> CreateAsync(ServiceSetup setup, Move.CreateInstance move, CancellationToken cancellationToken)
    {
        var generation = Generation(setup, move.Generation);
        string name = HardenedContainer.Name(setup.Key, move.Generation, move.Index);
        string reference = HardenedContainer.Reference(generation);
        var image = await _engine.FindImageAsync(reference, cancellationToken).ConfigureAwait(false) ?? await PullAsync(generation, cancellationToken).ConfigureAwait(false);
        await EnsureNetworkAsync(setup.Key.Project, cancellationToken).ConfigureAwait(false);
        var spec = HardenedContainer.Spec(setup.Key, generation, move.Index, image.Config?.User);
        string id = await _engine.TryCreateAsync(name, spec, cancellationToken).ConfigureAwait(false) ?? await AdoptAsync(name, spec, cancellationToken).ConfigureAwait(false);
        await _engine.StartAsync(id, cancellationToken).ConfigureAwait(false);
        return id;
    }

    // A tag could have moved since; the digest is what was promoted, and the Engine must say that it has it.
    private async Task<DockerImage> PullAsync(Generation generation, CancellationToken cancellationToken)
    {
        await _engine.PullAsync(generation.Repository, generation.Digest.ToString(), Credentials(generation.Repository), cancellationToken).ConfigureAwait(false);
        string reference = HardenedContainer.Reference(generation);
        var image = await _engine.FindImageAsync(reference, cancellationToken).ConfigureAwait(false);
        return image?.RepoDigests?.Contains(reference) == true
            ? image
            : throw new ToolException("dockerd", $"'{reference}' was pulled and the Docker Engine does not know it by that digest");
    }

    // The name is taken: by what an earlier try made, or by something that is not ours to touch.
    private async Task<string> AdoptAsync(string name, DockerContainerSpec spec, CancellationToken cancellationToken)
    {
        var container = await _engine.FindContainerAsync(name, cancellationToken).ConfigureAwait(false)
            ?? throw new ToolException("dockerd", $"the container '{name}' was there and is gone: it is being removed");
        var labels = container.Config.Labels ?? new Dictionary<string, string>();
        var differing = spec.Labels.Where(label => labels.GetValueOrDefault(label.Key) != label.Value).Select(label => label.Key).ToArray();
        return differing.Length == 0
            ? container.Id
            : throw new ToolException("dockerd", $"a container named '{name}' is there that differs in {string.Join(", ", differing)}: remove it with 'docker rm -f {name}'");
    }

    private Task EnsureNetworkAsync(string project, CancellationToken cancellationToken)
    {
        var labels = new SortedDictionary<string, string>(StringComparer.Ordinal) { [InstanceLabels.Project] = project };
        return _engine.EnsureNetworkAsync(HardenedContainer.Network(project), labels, cancellationToken);
    }

    private async Task RemoveAsync(string id, CancellationToken cancellationToken)
    {
        await _engine.StopAsync(id, StopSeconds, cancellationToken).ConfigureAwait(false);
        await _engine.RemoveAsync(id, force: true, cancellationToken).ConfigureAwait(false);
    }

    private Task StartSyntheticAsync(ServiceSetup setup, Move.StartSynthetic move)
    {
        if (_senders.TryGetValue(setup.Key, out var running) && running.Path == move.Path && running.Rate == move.Rate)
            return Task.CompletedTask;
        return ReplaceAsync();

        async Task ReplaceAsync()
        {
            await StopSyntheticAsync(setup.Key).ConfigureAwait(false);
            _senders[setup.Key] = new SyntheticSender(setup.Proxy.Listen, move.Path, move.Rate, _time);
        }
    }

    private async Task StopSyntheticAsync(ServiceKey key)
    {
        if (_senders.TryRemove(key, out var sender))
            await sender.DisposeAsync().ConfigureAwait(false);
    }

    private static Generation Generation(ServiceSetup setup, int number) =>
        setup.Find(number) ?? throw new ArgumentException($"{setup.Key} has no generation {number}", nameof(number));

    private static string ShortHash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..12];
}
