using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Ingot.Instances;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Tar;
using Ingot.Releases;
using Ingot.Templates.Project;
using Ingot.Testing;
using Ingot.Tools;

namespace Ingot.SystemTests.Rollouts;

/// <summary>A real Engine and a registry with one small image in it, shared by the tests of rollouts.
/// What they made is gone when it is.</summary>
public sealed class DockerHost : IAsyncLifetime
{
    public const string HomeId = "5e1f7e575000";

    private const string Repository = "rollouts/instance";

    private readonly TemporaryDirectory _home = new();
    private readonly MemoryStore _store = new();
    private readonly List<ServiceKey> _services = [];
    private OneImageRegistry? _registry;
    private Digest _digest;
    private Digest _other;

    /// <summary>Why these tests cannot run here; null when they can.</summary>
    public string? Missing { get; private set; }

    public DockerEngine Engine { get; } = new();

    public string Home => _home.Root;

    public async ValueTask InitializeAsync()
    {
        Missing = Environment.UserName != "root" ? "needs root"
            : !File.Exists("/usr/sbin/haproxy") ? "needs haproxy"
            : !File.Exists("/usr/bin/gcc") ? "needs gcc"
            : !await Engine.AnswersAsync() ? $"needs a Docker Engine at {DockerEngine.DefaultSocket}"
            : null;
        if (Missing is not null)
            return;

        var layer = await BuildAsync();
        _digest = await ImageAsync(layer, stopSignal: null);
        _other = await ImageAsync(layer, "SIGUSR1");
        _registry = new OneImageRegistry(_store, _digest, _other);
    }

    public async ValueTask DisposeAsync()
    {
        if (Missing is null)
        {
            await using var target = Target();
            foreach (var key in _services)
                await target.RemoveServiceAsync(key);
            foreach (var digest in (Digest[])[_digest, _other])
                await TryRunAsync(new Command("docker", "image", "rm", "-f", $"{RepositoryName}@{digest}"));
        }

        _registry?.Dispose();
        Engine.Dispose();
        _home.Dispose();
    }

    /// <summary>A target that knows nothing of what an earlier one did.</summary>
    public DockerTarget Target(string homeId = HomeId) => new(Home, homeId, TimeProvider.System);

    /// <summary>A service of its own on a free port.</summary>
    public (ServiceKey Key, ProxySettings Proxy, Uri Address) Service(string name)
    {
        var key = new ServiceKey($"t{Environment.ProcessId}", name, "production");
        _services.Add(key);
        int port = FreePort();
        return (key, new ProxySettings(new ListenAddress("127.0.0.1", port), TimeSpan.FromMilliseconds(500)),
            new Uri($"http://127.0.0.1:{port}/"));
    }

    /// <summary>Another image of the same program, which is to be stopped with SIGUSR1.</summary>
    public Digest OtherDigest => _other;

    public string RepositoryName => $"{_registry!.Address}/{Repository}";

    /// <summary>A generation of the image; settings are the program's environment.</summary>
    public Generation Generation(int number, params (string Name, string Value)[] settings) => new()
    {
        Number = number,
        Repository = $"{_registry!.Address}/{Repository}",
        Digest = _digest,
        Version = $"1.{number}.0",
        Replicas = 2,
        Port = 8080,
        Health = new HealthDefinition { Path = "/healthz", Interval = TimeSpan.FromMilliseconds(250), Deadline = TimeSpan.FromSeconds(15) },
        Config = settings.Append(("VERSION", $"1.{number}.0")).ToDictionary(pair => pair.Item1, pair => pair.Item2, StringComparer.Ordinal),
        Writable = new SortedDictionary<string, long> { ["/data"] = 1 << 20 },
        Limits = new LimitsDefinition { Memory = 32 << 20, Cpus = 1, Pids = 256 },
    };

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public static Task<CommandResult> TryRunAsync(Command command) => CommandRunner.TryRunAsync(command, onLine: null);

    private async Task<Layer> BuildAsync()
    {
        string program = _home.At("instance");
        string source = Path.Combine(Testing.Repository.Root, "tests", "Ingot.System.Tests", "Rollouts", "instance.c");
        await CommandRunner.RunAsync(new Command("gcc", "-O2", "-static", "-pthread", "-o", program, source));
        byte[] bytes = await File.ReadAllBytesAsync(program);
        await using var writer = await LayerWriter.BeginAsync(_store, LayerCompression.Gzip);
        await writer.WriteAsync(
            new TarEntry { Path = "instance", Type = TarEntryType.File, Mode = 0b111_101_101, Size = bytes.Length }, bytes);
        return await writer.FinishAsync();
    }

    private async Task<Digest> ImageAsync(Layer layer, string? stopSignal)
    {
        var config = await _store.PutAsync(MediaType.Config, ImageJson.Write(new ImageConfig
        {
            Architecture = "amd64",
            Os = "linux",
            RootFs = new RootFileSystem { DiffIds = [layer.DiffId] },
            Config = new ContainerConfig { Entrypoint = ["/instance"], User = "65532:65532", StopSignal = stopSignal },
        }));
        var manifest = await _store.PutAsync(MediaType.Manifest, ImageJson.Write(new Manifest { Config = config, Layers = [layer.Blob!] }));
        return manifest.Digest;
    }
}

/// <summary>As much of a registry as a pull by digest needs, for a few images.</summary>
internal sealed class OneImageRegistry : IDisposable
{
    private readonly HttpListener _listener = new();
    private readonly MemoryStore _store;
    private readonly Digest[] _manifests;

    public OneImageRegistry(MemoryStore store, params Digest[] manifests)
    {
        (_store, _manifests) = (store, manifests);
        Address = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{DockerHost.FreePort()}");
        _listener.Prefixes.Add($"http://{Address}/");
        _listener.Start();
        _ = Task.Run(RunAsync);
    }

    public string Address { get; }

    public void Dispose() => _listener.Close();

    private async Task RunAsync()
    {
        while (_listener.IsListening)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                return;
            }

            await AnswerAsync(context);
        }
    }

    private async Task AnswerAsync(HttpListenerContext context)
    {
        string last = context.Request.Url!.AbsolutePath.Split('/')[^1];
        var response = context.Response;
        if (Digest.TryParse(last, out var digest) && await _store.OpenAsync(digest) is { } content)
        {
            response.ContentType = _manifests.Contains(digest) ? MediaType.Manifest : "application/octet-stream";
            response.Headers["Docker-Content-Digest"] = digest.ToString();
            response.ContentLength64 = content.Length;
            if (context.Request.HttpMethod == "GET")
                await content.CopyToAsync(response.OutputStream);
        }
        else
        {
            response.StatusCode = context.Request.Url.AbsolutePath == "/v2/" ? 200 : 404;
        }

        response.Close();
    }
}
