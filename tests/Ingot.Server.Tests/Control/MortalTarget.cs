using Ingot.Instances;
using Ingot.Releases;

namespace Ingot.Server.Tests.Control;

/// <summary>A controller's way to its target. When the controller was killed nothing goes through any more and nothing comes
/// back.</summary>
internal sealed class MortalTarget(ITarget target) : ITarget
{
    private readonly TaskCompletionSource _never = new();
    private volatile bool _isDead;

    public void Kill() => _isDead = true;

    /// <summary>Goes on, unless the controller is dead.</summary>
    public Task PassAsync() => _isDead ? _never.Task : Task.CompletedTask;

    public Task<TargetDescription> DescribeAsync(CancellationToken cancellationToken = default) => target.DescribeAsync(cancellationToken);

    public Task<ProxyObservation> ObserveProxyAsync(ServiceSetup setup, CancellationToken cancellationToken = default) =>
        GoAsync(() => target.ObserveProxyAsync(setup, cancellationToken));

    public Task<IReadOnlyList<InstanceObservation>> ObserveInstancesAsync(
        ServiceSetup setup, CancellationToken cancellationToken = default) =>
        GoAsync(() => target.ObserveInstancesAsync(setup, cancellationToken));

    public SyntheticObservation? ObserveSynthetic(ServiceKey key) => target.ObserveSynthetic(key);

    public Task<string?> CarryOutAsync(ServiceSetup setup, Move move, CancellationToken cancellationToken = default) =>
        GoAsync(() => target.CarryOutAsync(setup, move, cancellationToken));

    public IAsyncEnumerable<LogLine> ReadLogAsync(string id, LogQuery query, CancellationToken cancellationToken = default) =>
        target.ReadLogAsync(id, query, cancellationToken);

    public Task<IReadOnlyList<ServiceKey>> FindServicesAsync(CancellationToken cancellationToken = default) =>
        GoAsync(() => target.FindServicesAsync(cancellationToken));

    public IReadOnlyList<string> Strangers(ServiceKey key) => target.Strangers(key);

    public async Task RemoveServiceAsync(ServiceKey key, CancellationToken cancellationToken = default)
    {
        await PassAsync();
        await target.RemoveServiceAsync(key, cancellationToken);
        await PassAsync();
    }

    private async Task<T> GoAsync<T>(Func<Task<T>> call)
    {
        await PassAsync();
        var answer = await call();
        await PassAsync();
        return answer;
    }
}
