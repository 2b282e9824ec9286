using Ingot.Evidence.Signatures;
using Ingot.Instances;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers.Compression;
using Ingot.Releases;
using Ingot.Server.Api;
using Ingot.Server.Control;
using Ingot.Server.Ledger;
using Ingot.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ingot.Server.Tests.Control;

/// <summary>The desks and the loops over a ledger on disk, with a host that only remembers.</summary>
internal sealed class ControlFixture : IAsyncDisposable
{
    public const string Stage = "production";
    public static readonly ServiceKey Key = new("shop", "web", Stage);

    private readonly TestHome _home;
    private readonly Candidates _candidates;

    private ControlFixture(LedgerStore ledger, TestHome test)
    {
        var home = test.Home;
        _home = test;
        Ledger = ledger;
        Content = new DirectoryStore(home.Content);
        Store = new KeyStore(home.Keys);
        Keys = new KeyBook(ledger, Store);
        var projects = new ProjectBook(ledger);
        _candidates = new Candidates(ledger, projects, new EvidenceShelf(ledger, Content, Keys), Time);
        Promotions = new PromotionDesk(ledger, projects, _candidates);
        KeyDesk = new KeyDesk(ledger, Keys, Promotions, Store);
        Controller = NewController();
        Releases = Desk(Controller);
    }

    /// <summary>What happens before entries of the loops get onto the ledger: it may fail, or hang.</summary>
    public Func<Task> OnAppend { get; set; } = () => Task.CompletedTask;

    /// <summary>What happens once entries of the loops are on the ledger, and before the loops know.</summary>
    public Func<IReadOnlyList<LedgerEntry>, Task> OnAppended { get; set; } = _ => Task.CompletedTask;

    public StopDesk Stops => new(Ledger, Controller, new ProjectBook(Ledger), On(Target));

    public RolloutReply RolloutReply(string id) => new StatusReader(Ledger, Controller, new ProjectBook(Ledger)).Rollout(id, -1)!;

    public StatusReply StatusReply => new StatusReader(Ledger, Controller, new ProjectBook(Ledger)).Status(null);

    public ServiceStatus Status => Assert.Single(new StatusReader(Ledger, Controller, new ProjectBook(Ledger)).Status("shop").Services);

    /// <summary>The controller's own way to its target and its ledger, which ends with it.</summary>
    public MortalTarget Life { get; private set; } = null!;

    private Controller NewController()
    {
        var life = Life = new MortalTarget(Target);
        return new Controller(Ledger, On(life), TimeProvider.System, NullLogger.Instance, async (actor, say) =>
        {
            await life.PassAsync();
            await OnAppend();
            await life.PassAsync();
            var entries = await Ledger.AppendAsync(actor, say);
            await OnAppended(entries);
            await life.PassAsync();
            return entries;
        });
    }

    /// <summary>What stands for the name <c>docker</c>.</summary>
    public static Targets Named(ITarget target) => new(new Dictionary<string, ITarget> { [Targets.First] = target });

    /// <summary>A target for every stage.</summary>
    public StageTargets On(ITarget target) => new(new ProjectBook(Ledger), Named(target));

    /// <summary>The controller is gone between two instructions, whatever it was doing; another takes up what is in the ledger.</summary>
    public void Kill()
    {
        Life.Kill();
        _ = Controller.DisposeAsync().AsTask();
        Controller = NewController();
        Releases = Desk(Controller);
        Controller.Resume();
    }

    public Ingot.Server.Storage.ServerHome Home => _home.Home;

    public LedgerStore Ledger { get; }

    public DirectoryStore Content { get; }

    public KeyStore Store { get; }

    public KeyBook Keys { get; }

    public KeyDesk KeyDesk { get; }

    public HookedTime Time { get; } = new();

    public FakeTarget Target { get; } = new();

    public PromotionDesk Promotions { get; }

    public Controller Controller { get; private set; }

    public ReleaseDesk Releases { get; private set; }

    public ServiceLoop Loop => Controller.Get(Key);

    public static async Task<ControlFixture> StartAsync(
        string rollout = "{ observe: 10ms, keep: 3 }", string production = "gates: [tests-passed]")
    {
        var home = new TestHome();
        var fixture = new ControlFixture(await LedgerStore.OpenAsync(home.Home, TimeProvider.System), home);
        await fixture.ApplyAsync(rollout, production);
        return fixture;
    }

    /// <summary>Applies the project, with these settings of its rollouts and of the stage production.</summary>
    public Task ApplyAsync(
        string rollout = "{ observe: 10ms, keep: 3 }", string production = "gates: [tests-passed]", string test = "gates: []")
    {
        string yaml = $$"""
            ingot: 1
            project: shop
            images:
              web: { dockerfile: Dockerfile, version: 1.0.0 }
            services:
              web:
                image: web
                port: 80
                listen: { production: 8080 }
                health: { path: /, interval: 100ms, timeout: 100ms, healthy: 1, unhealthy: 3, deadline: 30s }
                rollout: {{rollout}}
            stages:
              test: { {{test}} }
              production: { {{production}}, target: docker }

            """;
        return AppendAsync(new LedgerEvent.ProjectApplied("shop", Digest.Of(System.Text.Encoding.UTF8.GetBytes(yaml)), yaml));
    }

    /// <summary>Applies the project as it is, with another configuration of its service.</summary>
    public Task ConfigureAsync(string config)
    {
        var lines = Ledger.Read(view => view.Project("shop"))!.Text
            .Split('\n')
            .Where(line => !line.StartsWith("    config:", StringComparison.Ordinal));
        string yaml = string.Join('\n',
            lines.SelectMany(line => line == "    port: 80" ? (string[])[line, $"    config: {config}"] : [line]));
        return AppendAsync(new LedgerEvent.ProjectApplied("shop", Digest.Of(System.Text.Encoding.UTF8.GetBytes(yaml)), yaml));
    }

    public async Task<Digest> PublishAsync(string content, bool zstd = false, string by = "ci")
    {
        var image = await SampleImage.MakeAsync(Content, zstd ? LayerCompression.Zstandard : LayerCompression.Gzip, [("file", content)]);
        await Ledger.AppendAsync(by, new LedgerEvent.ImagePublished("shop/web", image.Digest, MediaType.Manifest, 1000));
        return image.Digest;
    }

    /// <summary>An image that production admitted, on the word of a key that nobody else rests on.</summary>
    public async Task<Digest> AdmittedAsync(string content, bool zstd = false, string key = "tester")
    {
        var digest = await PublishAsync(content, zstd);
        await AdmitAsync(digest, key);
        return digest;
    }

    public async Task AdmitAsync(Digest digest, string key = "tester")
    {
        var signers = (GateSigner[])[new GateSigner(await TrustAsync(key), PredicateType.TestResult)];
        await DecideAsync("test", digest, new GateRecord("not-revoked", "pass", "nobody revoked it", [], []));
        await DecideAsync(
            Stage, digest, new GateRecord("admitted-to-test", "pass", "since then", [], []),
            new GateRecord("tests-passed", "pass", "3 checks passed", [Digest.Of([1])], signers));
    }

    public Task DecideAsync(string stage, Digest digest, params GateRecord[] gates) =>
        AppendAsync(new LedgerEvent.PromotionDecided("shop", "web", "shop/web", digest, stage, gates.All(g => g.Verdict == "pass"), gates));

    /// <summary>Makes a key trusted under a name, once; returns its id.</summary>
    public async Task<string> TrustAsync(string name, params string[] roles)
    {
        if ((await Keys.ReadAsync()).Find(name) is { } known)
            return known.Id;

        using var key = SigningKey.Create();
        return (await Keys.TrustAsync(name, key.PublicKey.ToPem(), roles.Length == 0 ? ["tester"] : roles, "root")).Id;
    }

    public Task AppendAsync(LedgerEvent value, string by = "ann") => Ledger.AppendAsync(by, value);

    public Task<ReleaseReply> DeployAsync(Digest digest, bool allTheSame = false) =>
        Releases.ReleaseAsync(new ReleaseRequest("shop", "web", Stage, digest, "release", allTheSame), "ann", default);

    public Task<ReleaseReply> RollBackAsync() =>
        Releases.RollBackAsync(new RollbackRequest("shop", "web", Stage, "it is wrong"), "ann", default);

    public Task<DecisionReply> PromoteAsync(Digest digest) =>
        Promotions.PromoteAsync(new PromotionRequest("shop", "web", Stage, digest), "ann", default);

    public Task<DecisionReply> SayAsync(Digest digest, string who, bool approved = true) =>
        Promotions.ApproveAsync(new ApprovalRequest("shop", "web", Stage, digest, "looked at it", approved), who, default);

    /// <summary>Deploys and waits until it serves.</summary>
    public async Task<int> ServeAsync(Digest digest)
    {
        var reply = await DeployAsync(digest);
        Assert.True(reply.Outcome == "started", reply.Reason);
        await UntilAsync(() => Loop.Rollout is null && Loop.Steady?.Serving.Digest == digest, $"{digest.Short} serves");
        return reply.Generation!.Value;
    }

    /// <summary>Deploys and waits until it has ten percent, where it stays.</summary>
    public async Task<string> CanaryAsync(Digest digest)
    {
        await ApplyAsync("{ canary: [10%], observe: 10m, keep: 3 }");
        var reply = await DeployAsync(digest);
        Assert.True(reply.Outcome == "started", reply.Reason);
        await UntilAsync(() => Loop.Rollout?.State is { Share: 10, AcknowledgedAt: not null }, "the canary has its share");
        return reply.Rollout!;
    }

    /// <summary>The controller ends as if it were killed between two looks, and another takes up what is in the ledger.</summary>
    public async Task RestartAsync(Func<Task> meanwhile)
    {
        await Controller.DisposeAsync();
        await meanwhile();
        Controller = NewController();
        Releases = Desk(Controller);
        Controller.Resume();
    }

    public static async Task UntilAsync(Func<bool> reached, string what)
    {
        var limit = DateTimeOffset.UtcNow.AddSeconds(60);
        while (!reached())
        {
            Assert.True(DateTimeOffset.UtcNow < limit, $"it did not come to that within a minute: {what}");
            await Task.Delay(20);
        }
    }

    /// <summary>Waits until the proxy was looked at so many times more: what follows from what is now was done by then.</summary>
    public Task LooksAsync(int count)
    {
        int until = Target.LooksAtProxy + count;
        return UntilAsync(() => Target.LooksAtProxy >= until, $"{count} more looks");
    }

    public async ValueTask DisposeAsync()
    {
        await Controller.DisposeAsync();
        await Ledger.DisposeAsync();
        _home.Dispose();
    }

    private ReleaseDesk Desk(Controller controller) => new(
        Ledger, controller, new ProjectBook(Ledger), Promotions, new PullCheck(Content, Named(Target), "127.0.0.1:7070"),
        _candidates, "127.0.0.1:7070");

    /// <summary>A clock that lets something happen when it is next read:
    /// a decision reads it after its evidence and before its entry.</summary>
    internal sealed class HookedTime : TimeProvider
    {
        private Func<Task>? _once;

        public void Once(Func<Task> happens) => _once = happens;

        public override DateTimeOffset GetUtcNow()
        {
            if (Interlocked.Exchange(ref _once, null) is { } happens)
                Task.Run(happens).GetAwaiter().GetResult();
            return base.GetUtcNow();
        }
    }
}
