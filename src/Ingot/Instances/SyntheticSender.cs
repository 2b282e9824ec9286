using System.Net;
using System.Net.Http.Headers;
using Ingot.Releases;
using Ingot.Templates.Project;

namespace Ingot.Instances;

/// <summary>Sends GET requests through a service's listener at a steady rate, whatever the answers: half over connections that are kept,
/// half over new ones. It follows no redirects, keeps no cookies, and holds no more than a little of what it is sent.</summary>
public sealed class SyntheticSender : IAsyncDisposable
{
    private const int MostUnanswered = 1000;
    private const int MostRead = 64 << 10;

    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(10);

    private readonly HttpClient _http;
    private readonly Uri _address;
    private readonly TimeProvider _time;
    private readonly int _mostUnanswered;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _run;
    private long _sent;
    private long _failed;
    private long _skipped;
    private int _unanswered;

    /// <summary>Begins to send.</summary>
    public SyntheticSender(ListenAddress listen, string path, int rate, TimeProvider time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rate, 1);
        Path = path;
        Rate = rate;
        _time = time;
        _address = Address(listen, path);
        // Two seconds' worth: a service that hangs must not collect requests without end.
        _mostUnanswered = Math.Clamp(2 * rate, 16, MostUnanswered);
        _http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
        })
        {
            Timeout = s_timeout,
        };
        _http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("ingot-synthetic", "1"));
        _run = Task.Run(RunAsync);
    }

    /// <summary>What it asks for.</summary>
    public string Path { get; }

    /// <summary>Requests a second.</summary>
    public int Rate { get; }

    /// <summary>What it has done.</summary>
    public SyntheticObservation Observe() =>
        new(Path, Rate, Interlocked.Read(ref _sent), Interlocked.Read(ref _failed), Interlocked.Read(ref _skipped));

    /// <summary>Ends sending; what is unanswered is let go.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run;
        _http.Dispose();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        long start = _time.GetTimestamp();
        long due = 0;
        using var timer = new PeriodicTimer(s_tick, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                // Open loop: what is due is due, however slow the answers are.
                long now = (long)(_time.GetElapsedTime(start).TotalSeconds * Rate);
                due += Skip(now - due);
                for (; due < now; due++)
                    Begin(keepAlive: due % 2 == 0);
            }
        }
        catch (OperationCanceledException)
        {
            // It was told to stop.
        }
    }

    // A process that was stopped for an hour does not make up for it: more than a second's worth is let go.
    private long Skip(long due)
    {
        long late = Math.Max(0, due - Rate);
        Interlocked.Add(ref _skipped, late);
        return late;
    }

    private void Begin(bool keepAlive)
    {
        if (Volatile.Read(ref _unanswered) >= _mostUnanswered)
        {
            Interlocked.Increment(ref _skipped);
            return;
        }

        Interlocked.Increment(ref _unanswered);
        Interlocked.Increment(ref _sent);
        _ = SendAsync(keepAlive, _stop.Token);
    }

    private async Task SendAsync(bool keepAlive, CancellationToken stop)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, _address);
            request.Headers.ConnectionClose = !keepAlive;
            using var late = CancellationTokenSource.CreateLinkedTokenSource(stop);
            late.CancelAfter(s_timeout);
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, late.Token);
            await ReadAsync(response.Content, late.Token);
            if ((int)response.StatusCode >= 500)
                Interlocked.Increment(ref _failed);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException or ObjectDisposedException)
        {
            if (!stop.IsCancellationRequested)
                Interlocked.Increment(ref _failed);
        }
        finally
        {
            Interlocked.Decrement(ref _unanswered);
        }
    }

    // What is longer is well so far, and its connection is let go with it.
    private static async Task ReadAsync(HttpContent content, CancellationToken cancellationToken)
    {
        using var body = await content.ReadAsStreamAsync(cancellationToken);
        var buffer = new byte[4 << 10];
        int read = 1;
        for (int total = 0; read > 0 && total < MostRead; total += read)
            read = await body.ReadAsync(buffer, cancellationToken);
    }

    // Listening on every address includes this host's own.
    private static Uri Address(ListenAddress listen, string path)
    {
        string host = listen.Address switch
        {
            "0.0.0.0" or "*" or "" => "127.0.0.1",
            "::" or "[::]" => "[::1]",
            var address => address,
        };
        return new Uri(new UriBuilder("http", host, listen.Port).Uri, path);
    }
}
