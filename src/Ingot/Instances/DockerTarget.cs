using System.Collections.Concurrent;
using System.Net;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Ingot.Releases;
using Ingot.Tools;

namespace Ingot.Instances;

/// <summary>A Docker host: the Engine runs the instances, and one HAProxy for each service and stage, a process of its own, carries the
/// traffic. Killing Ingot drops no request.</summary>
/// <remarks>What carries this home's label is ours, and nothing else is looked at, counted or touched; a label that was copied is found out
/// by what the container runs.</remarks>
public sealed partial class DockerTarget : ITarget, IAsyncDisposable
{
    private static readonly TimeSpan s_settling = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(20);

    private readonly string _proxies;
    private readonly string _homeId;
    private readonly TimeProvider _time;
    private readonly DockerEngine _engine;
    private readonly ContainerWatch _watch;
    private readonly ConcurrentDictionary<ServiceKey, SyntheticSender> _senders = new();

    /// <summary>The host's Engine at its usual socket, and proxies under <c>proxies/</c> of Ingot's home.</summary>
    public DockerTarget(string home, string homeId, TimeProvider time)
        : this(home, homeId, time, new DockerEngine())
    {
    }

    /// <summary>Proxies under <c>proxies/</c> of <paramref name="home"/>; the Engine is disposed with the target.</summary>
    /// <param name="home">The home's directory.</param>
    /// <param name="homeId">What tells this home's containers and networks from those of others: at least six letters or digits that never
    /// change.</param>
    /// <param name="time">The clock.</param>
    /// <param name="engine">The Engine.</param>
    public DockerTarget(string home, string homeId, TimeProvider time, DockerEngine engine)
    {
        if (homeId.Length < 6 || !homeId.All(char.IsAsciiLetterOrDigit))
            throw new ArgumentException($"'{homeId}' does not tell a home from others", nameof(homeId));
        _proxies = Path.Combine(home, "proxies");
        _homeId = homeId;
        _time = time;
        _engine = engine;
        _watch = new ContainerWatch(engine, homeId, time);
    }

    // From 29.10 on, an Engine whose settings have that list, even an empty one, speaks https to registries of its own host that are not
    // on it; https://docs.docker.com/engine/release-notes/29/.
    private const string PlainRegistryCure =
        "add that address, or \"127.0.0.0/8\" for every one that begins with 127, to \"insecure-registries\" "
            + "in /etc/docker/daemon.json and reload Docker ('systemctl reload docker')";

    /// <summary>What the Engine shows to the registry of a repository; null for nothing.</summary>
    public Func<string, NetworkCredential?> Credentials { get; init; } = _ => null;

    /// <inheritdoc/>
    public async Task<TargetDescription> DescribeAsync(CancellationToken cancellationToken = default)
    {
        var version = await _engine.VersionAsync(cancellationToken);
        string[] compressions = version.PullsZstandard ? ["none", "gzip", "zstd"] : ["none", "gzip"];
        var registries = version.IsDockers ? await RegistriesAsync(cancellationToken) : null;
        return new TargetDescription($"Docker Engine {version.Version}", compressions, "Docker Engine 23 or later")
        {
            PlainRegistries = registries is null ? null : new PlainRegistries(registries.SpokenToPlainly, PlainRegistryCure),
        };
    }

    // Where it does not say, the pull itself says what is the matter.
    private async Task<DockerRegistryConfig?> RegistriesAsync(CancellationToken cancellationToken)
    {
        try
        {
            return (await _engine.InfoAsync(cancellationToken)).RegistryConfig;
        }
        catch (ToolException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public async Task<string?> CarryOutAsync(ServiceSetup setup, Move move, CancellationToken cancellationToken = default)
    {
        if (move is Move.CreateInstance create)
            return await CreateAsync(setup, create, cancellationToken);

        await (move switch
        {
            Move.EnsureProxy proxy => EnsureProxyAsync(setup, proxy, cancellationToken),
            Move.AddServer add => AddServerAsync(setup, add, cancellationToken),
            Move.SetShares shares => SetSharesAsync(setup, shares, cancellationToken),
            Move.RemoveServer remove => RemoveServerAsync(setup, remove, cancellationToken),
            Move.StopInstance stop => StopInstanceAsync(stop.Id, cancellationToken),
            Move.RemoveInstance remove => RemoveInstanceAsync(remove.Id, cancellationToken),
            Move.StartSynthetic start => StartSyntheticAsync(setup, start),
            Move.StopSynthetic => StopSyntheticAsync(setup.Key),
            _ => throw new ArgumentException($"a Docker host does not know the move '{move}'", nameof(move)),
        });
        return null;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<LogLine> ReadLogAsync(string id, LogQuery query,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var asked = new DockerLogQuery(query.Tail, query.Since, query.Follow);
        await foreach (var line in _engine.ReadLogAsync(id, asked, cancellationToken))
            yield return new LogLine(line.Time, line.IsError, line.Text);
    }

    /// <summary>Stops sending requests. Instances and proxies go on.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var key in _senders.Keys)
            await StopSyntheticAsync(key);
        await _watch.DisposeAsync();
        _engine.Dispose();
        _instances.Dispose();
        _networks.Dispose();
    }

    private Task StartSyntheticAsync(ServiceSetup setup, Move.StartSynthetic move)
    {
        if (_senders.TryGetValue(setup.Key, out var running) && running.Path == move.Path && running.Rate == move.Rate)
            return Task.CompletedTask;
        return ReplaceAsync();

        async Task ReplaceAsync()
        {
            await StopSyntheticAsync(setup.Key);
            _senders[setup.Key] = new SyntheticSender(setup.Proxy.Listen, move.Path, move.Rate, _time);
        }
    }

    private async Task StopSyntheticAsync(ServiceKey key)
    {
        if (_senders.TryRemove(key, out var sender))
            await sender.DisposeAsync();
    }

    private static Generation Generation(ServiceSetup setup, int number) =>
        setup.Find(number) ?? throw new ArgumentException($"{setup.Key} has no generation {number}", nameof(number));

    private static string ShortHash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..12];
}
