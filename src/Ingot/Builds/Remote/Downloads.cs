using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Builds.Cache;
using Ingot.Oci.Content;
using Ingot.Plans;
using Ingot.Tools;

namespace Ingot.Builds.Remote;

/// <summary>A file that was fetched.</summary>
/// <param name="Content">Its bytes, in the cache's store.</param>
/// <param name="Size">How many they are.</param>
internal sealed record DownloadedFile(Digest Content, long Size);

/// <summary>What a server said of a file when it was fetched: enough to ask whether it is still the same.</summary>
internal sealed record DownloadRecord
{
    /// <summary>The bytes.</summary>
    [JsonPropertyName("digest")]
    public required Digest Digest { get; init; }

    /// <summary>How many they are.</summary>
    [JsonPropertyName("size")]
    public required long Size { get; init; }

    /// <summary>The server's name of this version, quotes included; null when it gave none.</summary>
    [JsonPropertyName("etag")]
    public string? ETag { get; init; }

    /// <summary>When the server says it last changed; null when it did not say.</summary>
    [JsonPropertyName("last_modified")]
    public DateTimeOffset? LastModified { get; init; }
}

/// <summary>Fetches files of web servers into the cache: each once in a build,
/// and again only when the server says that it changed.</summary>
internal sealed class Downloads
{
    private const string HeaderSecret = "HTTP_AUTH_HEADER_";
    private const string TokenSecret = "HTTP_AUTH_TOKEN_";

    private readonly HttpClient _http;
    private readonly IContentStore _store;
    private readonly string _records;
    private readonly TimeProvider _time;
    private readonly DownloadSettings _settings;
    private readonly IReadOnlyDictionary<string, ReadOnlyMemory<byte>> _secrets;
    private readonly ConcurrentDictionary<string, Lazy<Task<DownloadedFile>>> _fetched = new();

    /// <param name="http">What asks; it must not follow redirects.</param>
    /// <param name="store">Where the bytes go.</param>
    /// <param name="directory">The cache, for what servers said.</param>
    /// <param name="time">The clock, for pauses.</param>
    /// <param name="secrets">Credentials, as <c>HTTP_AUTH_HEADER_host</c> and <c>HTTP_AUTH_TOKEN_host</c>.</param>
    /// <param name="settings">What it may take.</param>
    public Downloads(
        HttpClient http, IContentStore store, string directory, TimeProvider time,
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> secrets, DownloadSettings? settings = null)
    {
        _http = http;
        _store = store;
        _records = Directory.CreateDirectory(Path.Combine(directory, "downloads")).FullName;
        _time = time;
        _secrets = secrets;
        _settings = settings ?? new DownloadSettings();
    }

    /// <summary>Marks what is used, so that it is not pruned meanwhile; null when nobody prunes.</summary>
    public CacheUse? Use { get; init; }

    /// <summary>A client as it is needed here. Proxies are those of the environment.</summary>
    public static HttpClient NewClient() => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = TimeSpan.FromSeconds(30),
        UseCookies = false,
        Proxy = new ForeignProxy(),
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    /// <summary>The file, from the cache when it is there and still the same. What cannot be had, or is another than its checksum says,
    /// throws <see cref="DownloadException"/>.</summary>
    public Task<DownloadedFile> FetchAsync(TreeSource.Download source, CancellationToken cancellationToken) =>
        _fetched.GetOrAdd($"{source.Address.AbsoluteUri}\n{source.Checksum}",
            _ => new(() => FindOrFetchAsync(source, cancellationToken))).Value;

    private async Task<DownloadedFile> FindOrFetchAsync(TreeSource.Download source, CancellationToken cancellationToken)
    {
        if (source.Checksum is { } wanted)
            await MarkAsync(wanted, cancellationToken);
        if (source.Checksum is { } checksum && await _store.SizeAsync(checksum, cancellationToken) is { } size)
            return new DownloadedFile(checksum, size);

        var known = await KnownAsync(source, cancellationToken);
        await using var attempt = new Attempt();
        for (int i = 1; ; i++)
        {
            try
            {
                return await FetchAsync(source, known, attempt, cancellationToken);
            }
            catch (Exception e) when (i < _settings.Attempts && IsPassing(e, cancellationToken))
            {
                await Task.Delay(PauseAfter(i, e), _time, cancellationToken);
            }
            catch (Exception e) when (IsPassing(e, cancellationToken))
            {
                throw new DownloadException(
                    $"could not fetch '{SafeAddress.Of(source.Address)}' in {i} attempts: {IngotException.ReasonOf(e)}", e);
            }
        }
    }

    // A disk that takes no more is as full the next time.
    private static bool IsPassing(Exception e, CancellationToken cancellationToken) =>
        !cancellationToken.IsCancellationRequested && e is not DiskException
        && e is HttpRequestException or IOException or PassingException or TimeoutException;

    private TimeSpan PauseAfter(int attempt, Exception e)
    {
        var pause = (e as PassingException)?.RetryAfter ?? _settings.Pause * Math.Pow(2, attempt - 1);
        return pause < _settings.MaxPause ? pause : _settings.MaxPause;
    }

    private async Task<DownloadedFile> FetchAsync(
        TreeSource.Download source, DownloadRecord? known, Attempt attempt, CancellationToken cancellationToken)
    {
        using var response = await FollowAsync(source, known, attempt, cancellationToken);
        if (response.StatusCode == HttpStatusCode.NotModified && known is not null)
            return new DownloadedFile(known.Digest, known.Size);
        if (response.StatusCode == HttpStatusCode.PartialContent && IsTheRest(response, attempt))
            return await ReadAsync(source, response, attempt, cancellationToken);

        await attempt.BeginAsync(_store, response, cancellationToken);
        return response.StatusCode == HttpStatusCode.OK
            ? await ReadAsync(source, response, attempt, cancellationToken)
            : throw Refused(source, response);
    }

    private static bool IsTheRest(HttpResponseMessage response, Attempt attempt) =>
        attempt.Blob is { } blob && response.Content.Headers.ContentRange?.From == blob.Written && blob.Written > 0;

    private static Exception Refused(TreeSource.Download source, HttpResponseMessage response)
    {
        int status = (int)response.StatusCode;
        string message = $"the server answered {status} ({response.ReasonPhrase})";
        return status is 408 or 416 or 425 or 429 or (>= 500 and not (501 or 505 or 507))
            ? new PassingException(message, response.Headers.RetryAfter?.Delta)
            : new DownloadException($"could not fetch '{SafeAddress.Of(source.Address)}': {message}");
    }

    private async Task<DownloadedFile> ReadAsync(
        TreeSource.Download source, HttpResponseMessage response, Attempt attempt, CancellationToken cancellationToken)
    {
        var blob = attempt.Blob!;
        long expected = blob.Written + (response.Content.Headers.ContentLength ?? 0);
        if (expected > _settings.MaxBytes)
            throw TooLarge(source);
        DiskException.Require(_records, expected - blob.Written, NameOf(source));

        var pace = new Pace(_settings, _time);
        long looked = blob.Written;
        var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        await using (body)
        {
            byte[] buffer = new byte[128 << 10];
            int read;
            while ((read = await WithPatienceAsync(token => body.ReadAsync(buffer, token).AsTask(), cancellationToken)) > 0)
            {
                if (blob.Written + read > _settings.MaxBytes)
                    throw TooLarge(source);
                pace.Take(read);
                if (blob.Written - looked > _settings.Step)
                {
                    // Who does not say how much will come does not get all there is.
                    if (response.Content.Headers.ContentLength is null)
                        DiskException.RequireReserve(_records, _settings.Reserve, NameOf(source));
                    else
                        DiskException.Require(_records, expected - blob.Written, NameOf(source));
                    looked = blob.Written;
                }

                await blob.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
                attempt.Append(buffer.AsSpan(0, read));
            }
        }

        if (response.Content.Headers.ContentLength is not null && blob.Written != expected)
            throw new PassingException($"the server promised {expected} bytes and sent {blob.Written}", retryAfter: null);
        return await FinishAsync(source, attempt, cancellationToken);
    }

    private async Task<DownloadedFile> FinishAsync(TreeSource.Download source, Attempt attempt, CancellationToken cancellationToken)
    {
        var blob = attempt.Blob!;
        long size = blob.Written;
        var actual = attempt.Digest();
        if (source.Checksum is { } checksum && checksum != actual)
            throw new DownloadException($"'{SafeAddress.Of(source.Address)}' has the checksum '{actual}', and '{checksum}' was asked for: "
                + "it is another file by now, or was tampered with");

        var digest = await blob.CommitAsync(actual, cancellationToken);
        var record = new DownloadRecord
        {
            Digest = digest,
            Size = size,
            ETag = attempt.ETag?.ToString(),
            LastModified = attempt.LastModified,
        };
        AtomicFile.Write(RecordOf(source), JsonSerializer.SerializeToUtf8Bytes(record, DownloadContext.Default.DownloadRecord));
        return new DownloadedFile(digest, size);
    }

    private static string NameOf(TreeSource.Download source) => $"'{SafeAddress.Of(source.Address)}'";

    private DownloadException TooLarge(TreeSource.Download source) =>
        new($"'{SafeAddress.Of(source.Address)}' has more than {_settings.MaxBytes} bytes, which is the limit");

    private async Task<HttpResponseMessage> FollowAsync(
        TreeSource.Download source, DownloadRecord? known, Attempt attempt, CancellationToken cancellationToken)
    {
        var address = source.Address;
        for (int redirects = 0; ; redirects++)
        {
            using var request = Request(source, address, known, attempt);
            var response = await WithPatienceAsync(
                token => _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, token), cancellationToken);
            if (response.StatusCode is not (HttpStatusCode.MovedPermanently or HttpStatusCode.Found or HttpStatusCode.SeeOther
                or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect)
                || response.Headers.Location is not { } location)
            {
                return response;
            }

            response.Dispose();
            if (redirects == _settings.MaxRedirects)
                throw new DownloadException(
                    $"could not fetch '{SafeAddress.Of(source.Address)}': it is redirected more than {_settings.MaxRedirects} times");
            address = Next(source, address, location);
        }
    }

    private static Uri Next(TreeSource.Download source, Uri address, Uri location)
    {
        var next = new Uri(address, location);
        if (next.Scheme is not ("http" or "https"))
            throw new DownloadException($"could not fetch '{SafeAddress.Of(source.Address)}': "
                + $"it is redirected to '{SafeAddress.Of(next)}', which is not a web server");
        if (address.Scheme == "https" && next.Scheme == "http" && source.Checksum is null)
            throw new DownloadException($"could not fetch '{SafeAddress.Of(source.Address)}': "
                + $"it is redirected to '{SafeAddress.Of(next)}', which anyone on the way could change: give a --checksum");
        return next;
    }

    private HttpRequestMessage Request(TreeSource.Download source, Uri address, DownloadRecord? known, Attempt attempt)
    {
        // What the address says of the user goes into a header, and to nobody else than who it names.
        var request = new HttpRequestMessage(HttpMethod.Get, new UriBuilder(address) { UserName = "", Password = "", Fragment = "" }.Uri);
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("ingot", "1"));
        if (Authorization(source, address) is { } authorization)
            request.Headers.TryAddWithoutValidation("Authorization", authorization);

        if (attempt.Blob is { Written: > 0 } blob && attempt.Validator is { } validator)
        {
            request.Headers.Range = new RangeHeaderValue(blob.Written, to: null);
            request.Headers.IfRange = validator;
        }
        else if (known?.ETag is { } etag)
        {
            request.Headers.TryAddWithoutValidation("If-None-Match", etag);
        }
        else if (known?.LastModified is { } modified)
        {
            request.Headers.IfModifiedSince = modified;
        }

        return request;
    }

    private string? Authorization(TreeSource.Download source, Uri address)
    {
        if (Uri.Compare(source.Address, address, UriComponents.SchemeAndServer, UriFormat.Unescaped,
            StringComparison.OrdinalIgnoreCase) != 0)
            return null;
        if (_secrets.TryGetValue(TokenSecret + address.Host, out var token))
            return "Bearer " + Encoding.UTF8.GetString(token.Span).Trim();
        if (_secrets.TryGetValue(HeaderSecret + address.Host, out var header))
            return Encoding.UTF8.GetString(header.Span).Trim();

        return source.Address.UserInfo.Length == 0
            ? null
            : "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes(Uri.UnescapeDataString(source.Address.UserInfo)));
    }

    private async Task<T> WithPatienceAsync<T>(Func<CancellationToken, Task<T>> act, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(_settings.Patience, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            return await act(both.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"nothing came for {_settings.Patience.TotalSeconds} seconds");
        }
    }

    // What is in the store and can be asked about.
    private async Task<DownloadRecord?> KnownAsync(TreeSource.Download source, CancellationToken cancellationToken)
    {
        try
        {
            var record = JsonSerializer.Deserialize(await File.ReadAllBytesAsync(RecordOf(source), cancellationToken),
                DownloadContext.Default.DownloadRecord);
            if (record is not null)
                await MarkAsync(record.Digest, cancellationToken);
            Use?.Note(Path.GetFileNameWithoutExtension(RecordOf(source)));
            return record is not null && source.Checksum is null && await _store.SizeAsync(record.Digest, cancellationToken) == record.Size
                ? record
                : null;
        }
        catch (Exception e) when (e is FileNotFoundException or JsonException)
        {
            return null;
        }
    }

    private ValueTask MarkAsync(Digest content, CancellationToken cancellationToken) =>
        Use?.MarkAsync(content, cancellationToken) ?? default;

    private string RecordOf(TreeSource.Download source) =>
        Path.Combine(_records, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(source.Address.AbsoluteUri))) + ".json");

    /// <summary>It may work the next time.</summary>
    private sealed class PassingException(string message, TimeSpan? retryAfter) : Exception(message)
    {
        public TimeSpan? RetryAfter { get; } = retryAfter;
    }

    /// <summary>How fast a body comes: one that trickles would hold a build for ever without ever being silent.</summary>
    private sealed class Pace(DownloadSettings settings, TimeProvider time)
    {
        private long _since = time.GetTimestamp();
        private long _bytes;

        public void Take(int read)
        {
            _bytes += read;
            var passed = time.GetElapsedTime(_since);
            if (passed < settings.Patience)
                return;
            if (_bytes < settings.MinBytesPerSecond * passed.TotalSeconds)
                throw new TimeoutException($"only {_bytes} bytes came in {passed.TotalSeconds:0} seconds");
            (_since, _bytes) = (time.GetTimestamp(), 0);
        }
    }

    /// <summary>What came until now, over several attempts.</summary>
    private sealed class Attempt : IAsyncDisposable
    {
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        public BlobWriter? Blob { get; private set; }

        public EntityTagHeaderValue? ETag { get; private set; }

        public DateTimeOffset? LastModified { get; private set; }

        /// <summary>What says that the rest belongs to what came; null when nothing does.</summary>
        public RangeConditionHeaderValue? Validator =>
            ETag is { IsWeak: false } ? new(ETag) : ETag is null && LastModified is { } modified ? new(modified) : null;

        public async Task BeginAsync(IContentStore store, HttpResponseMessage response, CancellationToken cancellationToken)
        {
            if (Blob is not null)
                await Blob.DisposeAsync();
            _hash.GetHashAndReset();
            Blob = await store.BeginAsync(cancellationToken);
            ETag = response.Headers.ETag;
            LastModified = response.Content.Headers.LastModified;
        }

        public void Append(ReadOnlySpan<byte> bytes) => _hash.AppendData(bytes);

        public Digest Digest() => Oci.Content.Digest.FromHash(_hash.GetCurrentHash());

        public async ValueTask DisposeAsync()
        {
            if (Blob is not null)
                await Blob.DisposeAsync();
            _hash.Dispose();
        }
    }
}

[JsonSerializable(typeof(DownloadRecord))]
internal sealed partial class DownloadContext : JsonSerializerContext;
