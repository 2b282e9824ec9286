using Ingot.Instances;
using Ingot.Oci.Content;
using Ingot.Releases;
using Ingot.Templates.Project;
using Ingot.Testing;

namespace Ingot.Tests.Instances;

/// <summary>A target in memory keeps the contract, so that it can be told apart from what a host does.</summary>
public sealed class MemoryTargetTests : TargetContract
{
    private readonly MemoryHost _host = new();

    protected override IReadOnlyList<string> Says => MemoryTarget.Says;

    protected override ITarget NewTarget(string home = Home) => new MemoryTarget(_host, home);

    protected override ITarget TargetWithHangingEngine() => new MemoryTarget(_host, Home)
    {
        Patience = TimeSpan.FromMilliseconds(100),
        Before = (call, cancellationToken) => call == "proxy" ? Task.CompletedTask : Task.Delay(Timeout.Infinite, cancellationToken),
    };

    protected override ServiceSetup NewService(string name) => new(
        new ServiceKey("shop", name, "test"), new ProxySettings(new ListenAddress("127.0.0.1", 80), TimeSpan.FromSeconds(1)),
            [Generation(1), Generation(2)]);

    protected override Task<string> CopyLabelsAsync(string instance, bool sameImage)
    {
        var one = _host.Read((containers, _) => containers.Single(container => container.Id == instance));
        return Task.FromResult(_host.Add(one with { Runs = sameImage ? one.Runs : Digest.Of("other"u8) }, _ => false).Id);
    }

    protected override Task<string> LabelInPartAsync(ServiceKey key) =>
        Task.FromResult(_host.Add(new MemoryContainer(Home, key, 0, 0, Digest.Of(""u8), Digest.Of(""u8),
            Digest.Of(""u8))
        { IsReadable = false }, _ => false).Id);

    protected override Task<string?> TakeNameAsync(ServiceKey key, int generation, int index) => Task.FromResult<string?>(null);

    protected override Task<bool> RunsAsync(string id) =>
        Task.FromResult(_host.Read((containers, _) => containers.Any(one => one.Id == id && one.State == InstanceState.Running)));

    private static Generation Generation(int number) => new()
    {
        Number = number,
        Repository = "127.0.0.1:7070/shop/web",
        Digest = Digest.Of([(byte)number]),
        Version = $"1.{number}",
        Replicas = 3,
        Port = 80,
    };
}
