using System.Diagnostics;
using System.Net;

namespace Ingot.SystemTests.Shop;

/// <summary>What a load saw.</summary>
public sealed record LoadResult(
    int Requests, int Failed, IReadOnlyDictionary<string, int> Failures, IReadOnlyDictionary<string, int> Versions)
{
    public override string ToString() => $"{Failed} of {Requests} requests failed: "
        + $"{string.Join(", ", Failures.Select(f => $"{f.Value} × {f.Key}"))}; "
        + $"versions {string.Join(", ", Versions.Select(v => $"{v.Key}: {v.Value}"))}";
}

/// <summary>Open-loop requests at a fixed rate against a service on this host, half of them over kept connections and half over new ones,
/// bounded in count and time.</summary>
public sealed class Load : IAsyncDisposable
{
    private readonly Uri _address;
    private readonly int _rate;
    private readonly CancellationTokenSource _stop = new(TimeSpan.FromMinutes(4));
    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _failures = [];
    private readonly Dictionary<string, int> _versions = [];
    private readonly HttpClient _kept = Client(keepAlive: true);
    private readonly HttpClient _fresh = Client(keepAlive: false);
    private readonly Task _run;
    private int _requests;
    private int _failed;

    private Load(Uri address, int rate)
    {
        _address = address;
        _rate = rate;
        _run = Task.Run(RunAsync);
    }

    public static Load Start(Uri address, int rate) => new(address, rate);

    public async Task<LoadResult> StopAsync()
    {
        await _stop.CancelAsync();
        await _run;
        return new LoadResult(_requests, _failed, _failures, _versions);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run;
        _kept.Dispose();
        _fresh.Dispose();
        _stop.Dispose();
    }

    private static HttpClient Client(bool keepAlive)
    {
        var client = new HttpClient(new SocketsHttpHandler
        {
            MaxConnectionsPerServer = 64,
            PooledConnectionLifetime = keepAlive ? Timeout.InfiniteTimeSpan : TimeSpan.Zero,
        })
        {
            Timeout = TimeSpan.FromSeconds(10),
        };
        client.DefaultRequestHeaders.ConnectionClose = !keepAlive;
        return client;
    }

    private async Task RunAsync()
    {
        var clock = Stopwatch.StartNew();
        var inFlight = new List<Task>();
        for (int sent = 0; !_stop.IsCancellationRequested; sent++)
        {
            var due = TimeSpan.FromSeconds((double)sent / _rate) - clock.Elapsed;
            if (due > TimeSpan.FromMilliseconds(1))
                await Task.Delay(due);
            inFlight.Add(AskAsync(sent % 2 == 0 ? _kept : _fresh));
            if (inFlight.Count > 2000)
                inFlight.RemoveAll(t => t.IsCompleted);
        }

        await Task.WhenAll(inFlight);
    }

    private async Task AskAsync(HttpClient client)
    {
        string? failure = null;
        string version = "";
        try
        {
            using var response = await client.GetAsync(new Uri(_address, "/version"));
            version = await response.Content.ReadAsStringAsync();
            if (response.StatusCode != HttpStatusCode.OK)
                failure = $"status {(int)response.StatusCode}";
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            failure = e.Message;
        }

        lock (_gate)
        {
            _requests++;
            if (failure is not null)
            {
                _failed++;
                _failures[failure] = _failures.GetValueOrDefault(failure) + 1;
            }
            else
            {
                version = Version(version);
                _versions[version] = _versions.GetValueOrDefault(version) + 1;
            }
        }
    }

    private static string Version(string json)
    {
        using var document = System.Text.Json.JsonDocument.Parse(json);
        return document.RootElement.GetProperty("version").GetString()!;
    }
}
