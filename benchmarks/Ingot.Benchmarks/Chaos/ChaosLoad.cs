using System.Diagnostics;
using System.Net;

namespace Ingot.Benchmarks.Chaos;

/// <summary>A request that did not end as it should have.</summary>
/// <param name="Sent">When it was sent.</param>
/// <param name="Ended">When it ended.</param>
/// <param name="Why">The status, or what the connection said.</param>
/// <param name="OfInstance">Whether an instance gave the answer: a bad version's own failure.</param>
internal sealed record FailedRequest(DateTimeOffset Sent, DateTimeOffset Ended, string Why, bool OfInstance);

/// <summary>Requests with GET at a fixed rate, whatever the answers, half of them over kept connections and half over new ones;
/// bounded in count.</summary>
internal sealed class ChaosLoad : IAsyncDisposable
{
    private const int MostUnanswered = 3000;

    private readonly Uri _address;
    private readonly int _rate;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private readonly List<FailedRequest> _failed = [];
    private readonly HttpClient _kept = Client(close: false);
    private readonly HttpClient _fresh = Client(close: true);
    private readonly Task _run;
    private long _answered;
    private int _unanswered;

    private ChaosLoad(Uri address, int rate, TimeProvider time)
    {
        _address = address;
        _rate = rate;
        _time = time;
        _run = Task.Run(RunAsync);
    }

    public static ChaosLoad Start(Uri address, int rate, TimeProvider time) => new(address, rate, time);

    /// <summary>Requests that have ended, well or not.</summary>
    public long Ended => Interlocked.Read(ref _answered);

    /// <summary>What failed so far.</summary>
    public IReadOnlyList<FailedRequest> Failed()
    {
        lock (_gate)
            return [.. _failed];
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _run;
        for (int i = 0; i < 700 && Volatile.Read(ref _unanswered) > 0; i++)
            await Task.Delay(100);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _kept.Dispose();
        _fresh.Dispose();
        _stop.Dispose();
    }

    private static HttpClient Client(bool close)
    {
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            PooledConnectionLifetime = close ? TimeSpan.Zero : Timeout.InfiniteTimeSpan,
        };
        var client = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(60) };
        client.DefaultRequestHeaders.ConnectionClose = close;
        return client;
    }

    private async Task RunAsync()
    {
        var clock = Stopwatch.StartNew();
        for (long sent = 0; !_stop.IsCancellationRequested;)
        {
            for (long due = (long)(clock.Elapsed.TotalSeconds * _rate); sent < due; sent++)
            {
                if (Volatile.Read(ref _unanswered) < MostUnanswered)
                    Begin(sent % 2 == 0 ? _kept : _fresh);
            }

            await Task.Delay(2);
        }
    }

    private void Begin(HttpClient client)
    {
        Interlocked.Increment(ref _unanswered);
        _ = AskAsync(client);
    }

    private async Task AskAsync(HttpClient client)
    {
        var sent = _time.GetUtcNow();
        (string Why, bool OfInstance)? failure = null;
        try
        {
            using var response = await client.GetAsync(_address);
            await response.Content.ReadAsByteArrayAsync();
            // HAProxy's own answers are 502, 503 and 504.
            if (response.StatusCode != HttpStatusCode.OK)
                failure = ($"status {(int)response.StatusCode}", response.StatusCode == HttpStatusCode.InternalServerError);
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            failure = (e.InnerException?.Message ?? e.Message, false);
        }

        Interlocked.Increment(ref _answered);
        Interlocked.Decrement(ref _unanswered);
        if (failure is { } bad)
        {
            lock (_gate)
                _failed.Add(new FailedRequest(sent, _time.GetUtcNow(), bad.Why, bad.OfInstance));
        }
    }
}
