using System.Globalization;
using Ingot.Releases;
using Ingot.Templates.Project;
using Ingot.Tools;

namespace Ingot.Instances;

public sealed partial class DockerTarget
{
    private const string Unprivileged = "haproxy";
    private const string Runtime = "/run/ingot";

    // A socket's path may have 107 bytes; a home directory may have more.
    private HaproxyConfig Config(ServiceKey key, ProxySettings? settings, IReadOnlyList<HaproxyServer> servers)
    {
        string directory = Path.Combine(_proxies, key.Stem);
        return new HaproxyConfig
        {
            Directory = directory,
            SocketPath = Path.Combine(Runtime, ShortHash(directory), "haproxy.sock"),
            Bind = settings?.Listen.ToString() ?? "",
            CheckTimeout = settings?.CheckTimeout ?? TimeSpan.Zero,
            Description = settings is null ? "" : ProxyDescription.Write(settings),
            User = HostUsers.Exists(Unprivileged) ? Unprivileged : null,
            Servers = servers,
        };
    }

    private HaproxyRuntime Proxy(ServiceKey key) => new(Config(key, settings: null, []).SocketPath);

    private async Task EnsureProxyAsync(ServiceSetup setup, Move.EnsureProxy move, CancellationToken cancellationToken)
    {
        var seen = await ObserveProxyAsync(setup.Key, cancellationToken).ConfigureAwait(false);
        if (seen.Alive && seen.Settings == move.Settings)
            return;

        var servers = move.Servers.Select(server => new HaproxyServer(
            InstanceName.Of(server.Generation, server.Index), server.Address, server.Weight, CheckOf(Generation(setup, server.Generation))));
        await Haproxy.RunAsync(Config(setup.Key, move.Settings, [.. servers]), _time, cancellationToken).ConfigureAwait(false);
    }

    private async Task AddServerAsync(ServiceSetup setup, Move.AddServer move, CancellationToken cancellationToken)
    {
        var check = CheckOf(Generation(setup, move.Generation));
        string name = InstanceName.Of(move.Generation, move.Index);
        var proxy = Proxy(setup.Key);
        var status = await proxy.StatusAsync(cancellationToken).ConfigureAwait(false);
        if (status.Servers.FirstOrDefault(server => server.Name == name) is { } known && known.Address != move.Address)
            await RemoveServerAsync(proxy, setup.Key, name, cut: true, cancellationToken).ConfigureAwait(false);

        await proxy.SetMapAsync(Config(setup.Key, settings: null, []).ChecksPath, name, check.SafePath, cancellationToken).ConfigureAwait(false);
        await proxy.TryAddAsync(name, move.Address, check, cancellationToken).ConfigureAwait(false);
        await proxy.EnableAsync(name, cancellationToken).ConfigureAwait(false);
    }

    private async Task SetWeightsAsync(ServiceSetup setup, Move.SetWeights move, CancellationToken cancellationToken)
    {
        var proxy = Proxy(setup.Key);
        var before = await WeightsAsync(proxy, cancellationToken).ConfigureAwait(false);
        // Those that rise come first: there must never be none.
        var ordered = move.Servers.OrderByDescending(change => change.Weight > before.GetValueOrDefault(InstanceName.Of(change.Generation, change.Index)));
        foreach (var change in ordered)
            await proxy.SetWeightAsync(InstanceName.Of(change.Generation, change.Index), change.Weight, cancellationToken).ConfigureAwait(false);

        var after = await WeightsAsync(proxy, cancellationToken).ConfigureAwait(false);
        foreach (var change in move.Servers)
        {
            string name = InstanceName.Of(change.Generation, change.Index);
            if (after.GetValueOrDefault(name, -1) is var weight && weight != change.Weight)
                throw new ToolException("haproxy", string.Create(CultureInfo.InvariantCulture, $"'{name}' was given weight {change.Weight} and HAProxy reports {weight}"));
        }
    }

    private static async Task<Dictionary<string, int>> WeightsAsync(HaproxyRuntime proxy, CancellationToken cancellationToken)
    {
        var status = await proxy.StatusAsync(cancellationToken).ConfigureAwait(false);
        return status.Servers.ToDictionary(server => server.Name, server => server.Weight, StringComparer.Ordinal);
    }

    private Task RemoveServerAsync(ServiceSetup setup, Move.RemoveServer move, CancellationToken cancellationToken) =>
        RemoveServerAsync(Proxy(setup.Key), setup.Key, InstanceName.Of(move.Generation, move.Index), move.CutSessions, cancellationToken);

    private async Task RemoveServerAsync(HaproxyRuntime proxy, ServiceKey key, string name, bool cut, CancellationToken cancellationToken)
    {
        var deadline = _time.GetUtcNow() + s_settling;
        if (!await proxy.TryMaintainAsync(name, cancellationToken).ConfigureAwait(false))
            return;
        if (cut)
            await proxy.CutSessionsAsync(name, cancellationToken).ConfigureAwait(false);
        while (!await proxy.TryDeleteAsync(name, cancellationToken).ConfigureAwait(false))
        {
            if (_time.GetUtcNow() > deadline)
                throw new ToolException("haproxy", $"'{name}' still has connections after {s_settling.TotalSeconds:0} s and stays in maintenance");
            await Task.Delay(s_poll, _time, cancellationToken).ConfigureAwait(false);
        }

        await proxy.RemoveFromMapAsync(Config(key, settings: null, []).ChecksPath, name, cancellationToken).ConfigureAwait(false);
    }

    private static HaproxyCheck CheckOf(Generation generation) =>
        new(generation.Health.Path, generation.Health.Interval, generation.Health.Healthy, generation.Health.Unhealthy);
}

/// <summary>How a running proxy tells what it was set up with: in a line of its own configuration, which no file can contradict.</summary>
internal static class ProxyDescription
{
    public static string Write(ProxySettings settings) =>
        string.Create(CultureInfo.InvariantCulture, $"ingot {settings.Listen.Address} {settings.Listen.Port} {settings.CheckTimeout.Ticks}");

    /// <summary>Null when the line is not ours, or of another version: the proxy is then set up anew.</summary>
    public static ProxySettings? Read(string line)
    {
        var words = line.Split(' ');
        return words is ["ingot", var address, var port, var ticks]
            && int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out int portNumber)
            && long.TryParse(ticks, NumberStyles.None, CultureInfo.InvariantCulture, out long timeout)
            ? new ProxySettings(new ListenAddress(address, portNumber), TimeSpan.FromTicks(timeout))
            : null;
    }
}

/// <summary>The users of this host.</summary>
internal static class HostUsers
{
    public static bool Exists(string name) => File.Exists("/etc/passwd") && File.ReadLines("/etc/passwd").Any(line => line.StartsWith(name + ":", StringComparison.Ordinal));
}
