using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Registries;

namespace Ingot.Testing;

/// <summary>A small registry in memory on a port of 127.0.0.1, that can be made to ask for passwords, to lack features,
/// to fail and to lie.</summary>
public sealed class TestRegistry : IAsyncDisposable
{
    public const string UserName = "ann";
    public const string Password = "secret";

    private readonly HttpListener _listener;
    private readonly Task _loop;
    private readonly ConcurrentDictionary<(string Repository, string Name), (string MediaType, byte[] Bytes)> _manifests = new();
    private readonly ConcurrentDictionary<(string Repository, Digest Digest), byte[]> _blobs = new();
    private readonly ConcurrentDictionary<string, byte[]> _partial = new();
    private int _uploads;

    public TestRegistry()
    {
        (_listener, Uri) = Listen();
        _loop = Task.Run(RunAsync);
    }

    public enum Access
    {
        Open,
        Basic,
        Token,
    }

    public Uri Uri { get; }

    /// <summary>The name in references: <c>127.0.0.1:PORT</c>.</summary>
    public string Name => Uri.Authority;

    public Access Requires { get; set; }

    public bool HasReferrers { get; set; } = true;

    public bool HasDigestHeader { get; set; } = true;

    public bool CanMount { get; set; } = true;

    public int PageSize { get; set; } = 1000;

    /// <summary>Changes an answer's body before it is sent.</summary>
    public Func<string, byte[], byte[]> Lie { get; set; } = (_, bytes) => bytes;

    /// <summary>Statuses to answer with before anything else, in order.</summary>
    public ConcurrentQueue<int> Failures { get; } = new();

    /// <summary>The <c>Retry-After</c> of those failures; null for none.</summary>
    public string? RetryAfter { get; set; }

    /// <summary>Whether parts of blobs are sent when they are asked for.</summary>
    public bool HasRanges { get; set; } = true;

    /// <summary>After how many bytes of a blob's answer the connection is to break, one for each answer.</summary>
    public ConcurrentQueue<int> Breaks { get; } = new();

    /// <summary>After how many bytes of an upload's body there is to be a failure, one for each request.</summary>
    public ConcurrentQueue<int> UploadBreaks { get; } = new();

    /// <summary>Whether an upload that broke is forgotten.</summary>
    public bool ForgetsUploads { get; set; }

    /// <summary>Whether blobs have no end.</summary>
    public bool IsEndless { get; set; }

    /// <summary>Another server that has the blobs; null when this has them.</summary>
    public Uri? BlobsAt { get; set; }

    /// <summary>The <c>Authorization</c> of each request, empty for none.</summary>
    public ConcurrentQueue<string> Authorizations { get; } = new();

    /// <summary>What was asked, as <c>METHOD /path</c>, in order.</summary>
    public ConcurrentQueue<string> Requests { get; } = new();

    /// <summary>The most uploads that were under way at once.</summary>
    public int MostUploads { get; private set; }

    public RegistryClient Client(RegistryCredentials? credentials = null) => new(new HttpClient(), Uri, credentials);

    public byte[]? Manifest(string repository, string tagOrDigest) =>
        _manifests.TryGetValue((repository, tagOrDigest), out var manifest) ? manifest.Bytes : null;

    public bool HasBlob(string repository, Digest digest) => _blobs.ContainsKey((repository, digest));

    public void AddBlob(string repository, byte[] bytes) => _blobs[(repository, Digest.Of(bytes))] = bytes;

    public void AddManifest(string repository, string tag, string mediaType, byte[] bytes) =>
        _manifests[(repository, tag)] = _manifests[(repository, Digest.Of(bytes).ToString())] = (mediaType, bytes);

    public async ValueTask DisposeAsync()
    {
        // Only closed: stopping it first makes it listen once more when it is closed.
        if (!_loop.IsCompleted)
            _listener.Close();
        await _loop;
    }

    private static (HttpListener Listener, Uri Uri) Listen()
    {
        while (true)
        {
            using var probe = new TcpListener(IPAddress.Loopback, 0);
            probe.Start();
            int port = ((IPEndPoint)probe.LocalEndpoint).Port;
            probe.Stop();
            var listener = new HttpListener();
            listener.Prefixes.Add($"http://127.0.0.1:{port}/");
            try
            {
                listener.Start();
                return (listener, new Uri($"http://127.0.0.1:{port}/"));
            }
            catch (HttpListenerException)
            {
                // Somebody was quicker.
            }
        }
    }

    private async Task RunAsync()
    {
        while (true)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or InvalidOperationException)
            {
                return;
            }

            _ = Task.Run(() => HandleAsync(context));
        }
    }

    private async Task HandleAsync(HttpListenerContext context)
    {
        try
        {
            Requests.Enqueue($"{context.Request.HttpMethod} {context.Request.RawUrl}");
            Authorizations.Enqueue(context.Request.Headers["Authorization"] ?? "");
            var answer = await AnswerAsync(context.Request, context.Response);
            await SendAsync(context, answer);
        }
        catch (Exception e) when (e is HttpListenerException or IOException or ObjectDisposedException)
        {
            context.Response.Abort();
        }
    }

    private async Task SendAsync(HttpListenerContext context, Answer answer)
    {
        bool isBlob = context.Request.HttpMethod == "GET" && context.Request.RawUrl!.Contains("/blobs/sha256:", StringComparison.Ordinal);
        byte[] body = Lie(context.Request.RawUrl!, answer.Body ?? []);
        context.Response.StatusCode = answer.Status;
        context.Response.ContentType = answer.ContentType;
        if (isBlob && IsEndless)
        {
            await SendForeverAsync(context);
            return;
        }

        context.Response.ContentLength64 = body.Length;
        if (isBlob && Breaks.TryDequeue(out int count))
        {
            await context.Response.OutputStream.WriteAsync(body.AsMemory(0, Math.Min(count, body.Length)));
            await context.Response.OutputStream.FlushAsync();
            context.Response.Abort();
            return;
        }

        if (context.Request.HttpMethod != "HEAD")
            await context.Response.OutputStream.WriteAsync(body);
        context.Response.Close();
    }

    private static async Task SendForeverAsync(HttpListenerContext context)
    {
        context.Response.SendChunked = true;
        byte[] some = new byte[64 << 10];
        for (int i = 0; i < 100_000; i++)
            await context.Response.OutputStream.WriteAsync(some);
    }

    private async Task<Answer> AnswerAsync(HttpListenerRequest request, HttpListenerResponse response)
    {
        string path = request.Url!.AbsolutePath;
        if (path == "/token")
            return Token(request);
        if (Refusal(request, response) is { } refusal)
            return refusal;
        if (Failures.TryDequeue(out int status) && RetryAfter is { } pause)
            response.AddHeader("Retry-After", pause);
        if (status > 0)
            return Failure(status, "UNAVAILABLE", "try again");
        if (path == "/v2/")
            return new Answer(200, "{}"u8.ToArray());

        string[] parts = path["/v2/".Length..].Split('/');
        return parts switch
        {
            [.. var name, "blobs", "uploads", ""] when request.HttpMethod == "POST" => Begin(string.Join('/', name), request, response),
            [.. var name, "blobs", "uploads", _] => await UploadAsync(string.Join('/', name), request, response),
            [.. var name, "blobs", var digest] => Blob(string.Join('/', name), digest, request, response),
            [.. var name, "manifests", var reference] => await ManifestAsync(string.Join('/', name), reference, request, response),
            [.. var name, "tags", "list"] => Tags(string.Join('/', name), request, response),
            [.. var name, "referrers", var digest] when HasReferrers => ReferrersOf(string.Join('/', name), digest),
            _ => Failure(404, "UNSUPPORTED", path),
        };
    }

    private Answer? Refusal(HttpListenerRequest request, HttpListenerResponse response)
    {
        string? given = request.Headers["Authorization"];
        string basic = "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{UserName}:{Password}"));
        if (Requires == Access.Open
            || (Requires == Access.Basic && given == basic)
            || (Requires == Access.Token && given == "Bearer let-me-in"))
            return null;

        response.AddHeader("WWW-Authenticate", Requires == Access.Basic
            ? "Basic realm=\"test\""
            : $"Bearer realm=\"{Uri}token\",service=\"test\",scope=\"repository:any:pull,push\"");
        return Failure(401, "UNAUTHORIZED", "who are you");
    }

    private static Answer Token(HttpListenerRequest request)
    {
        string basic = "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{UserName}:{Password}"));
        bool isKnown = request.Headers["Authorization"] == basic
            && request.QueryString["service"] == "test"
            && request.QueryString["scope"] == "repository:any:pull,push";
        return isKnown ? new Answer(200, """{"token":"let-me-in"}"""u8.ToArray()) : Failure(401, "UNAUTHORIZED", "who are you");
    }

    private Answer Begin(string repository, HttpListenerRequest request, HttpListenerResponse response)
    {
        if (CanMount && request.QueryString["mount"] is { } mount && request.QueryString["from"] is { } from
            && _blobs.TryGetValue((from, Digest.Parse(mount)), out byte[]? bytes))
        {
            _blobs[(repository, Digest.Parse(mount))] = bytes;
            return new Answer(201);
        }

        response.AddHeader("Location",
            $"/v2/{repository}/blobs/uploads/{Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(8))}?state=x%2Fy");
        return new Answer(202);
    }

    private async Task<Answer> UploadAsync(string repository, HttpListenerRequest request, HttpListenerResponse response)
    {
        string upload = request.Url!.AbsolutePath;
        byte[]? before = _partial.GetValueOrDefault(upload);
        if (request.HttpMethod == "GET")
        {
            if (ForgetsUploads || before is null)
                return Failure(404, "BLOB_UPLOAD_UNKNOWN", "no such upload");
            response.AddHeader("Location", $"{upload}?state=x%2Fy");
            response.AddHeader("Range", $"0-{Math.Max(0, before.Length - 1)}");
            return new Answer(204);
        }

        MostUploads = Math.Max(MostUploads, Interlocked.Increment(ref _uploads));
        var body = new MemoryStream();
        body.Write(before ?? []);
        bool isBroken = !await ReadBodyAsync(request, body);
        Interlocked.Decrement(ref _uploads);
        _partial[upload] = body.ToArray();
        if (isBroken)
            return Failure(502, "UNAVAILABLE", "it broke");
        if (request.HttpMethod == "PATCH")
        {
            bool isNext = request.Headers["Content-Range"] == $"{before?.Length ?? 0}-{body.Length - 1}";
            response.AddHeader("Location", $"{upload}?state=x%2Fy");
            return isNext ? new Answer(202) : Failure(416, "BLOB_UPLOAD_INVALID", "not what comes next");
        }

        var digest = Digest.Parse(request.QueryString["digest"]!);
        if (request.QueryString["state"] != "x/y" || Digest.Of(body.ToArray()) != digest)
            return Failure(400, "DIGEST_INVALID", "not what it says");

        _blobs[(repository, digest)] = body.ToArray();
        response.AddHeader("Location", $"/v2/{repository}/blobs/{digest}");
        return new Answer(201);
    }

    // False when the connection is to break here.
    private async Task<bool> ReadBodyAsync(HttpListenerRequest request, MemoryStream body)
    {
        if (!UploadBreaks.TryDequeue(out int limit))
        {
            await request.InputStream.CopyToAsync(body);
            return true;
        }

        byte[] some = new byte[limit];
        int read = await request.InputStream.ReadAtLeastAsync(some, limit, throwOnEndOfStream: false);
        body.Write(some, 0, read);
        return false;
    }

    private Answer Blob(string repository, string text, HttpListenerRequest request, HttpListenerResponse response)
    {
        if (BlobsAt is { } elsewhere && request.HttpMethod == "GET")
        {
            response.AddHeader("Location", new Uri(elsewhere, request.RawUrl).ToString());
            return new Answer(307);
        }

        if (!Digest.TryParse(text, out var digest) || !_blobs.TryGetValue((repository, digest), out byte[]? bytes))
            return Failure(404, "BLOB_UNKNOWN", "no such blob");
        if (request.HttpMethod == "DELETE")
        {
            _blobs.TryRemove((repository, digest), out _);
            return new Answer(202);
        }

        if (!HasRanges || request.Headers["Range"] is not { } range)
            return new Answer(200, bytes, "application/octet-stream");

        int start = int.Parse(range["bytes=".Length..].TrimEnd('-'), System.Globalization.CultureInfo.InvariantCulture);
        response.AddHeader("Content-Range", $"bytes {start}-{bytes.Length - 1}/{bytes.Length}");
        return new Answer(206, bytes[start..], "application/octet-stream");
    }

    private async Task<Answer> ManifestAsync(
        string repository, string reference, HttpListenerRequest request, HttpListenerResponse response)
    {
        if (request.HttpMethod == "PUT")
            return await PutManifestAsync(repository, reference, request, response);
        if (!_manifests.TryGetValue((repository, reference), out var manifest))
            return Failure(404, "MANIFEST_UNKNOWN", "no such manifest");
        if (request.HttpMethod == "DELETE")
        {
            foreach (var (key, value) in _manifests.Where(pair => pair.Key.Name == reference
                || (reference.Contains(':', StringComparison.Ordinal)
                    && pair.Key.Repository == repository
                    && Digest.Of(pair.Value.Bytes).ToString() == reference)))
                _manifests.TryRemove(key, out _);
            return new Answer(202);
        }

        if (HasDigestHeader)
            response.AddHeader("Docker-Content-Digest", Digest.Of(manifest.Bytes).ToString());
        return new Answer(200, manifest.Bytes, manifest.MediaType);
    }

    private async Task<Answer> PutManifestAsync(
        string repository, string reference, HttpListenerRequest request, HttpListenerResponse response)
    {
        var body = new MemoryStream();
        await request.InputStream.CopyToAsync(body);
        byte[] bytes = body.ToArray();
        using var document = JsonDocument.Parse(bytes);
        var root = document.RootElement;
        if (MissingPart(repository, root) is { } missing)
            return Failure(404, "MANIFEST_BLOB_UNKNOWN", missing);

        _manifests[(repository, reference)] = _manifests[(repository, Digest.Of(bytes).ToString())] = (request.ContentType!, bytes);
        if (HasReferrers && root.TryGetProperty("subject", out var subject))
            response.AddHeader("OCI-Subject", subject.GetProperty("digest").GetString()!);
        return new Answer(201);
    }

    private string? MissingPart(string repository, JsonElement manifest)
    {
        if (BlobsAt is not null)
            return null;

        var blobs = (manifest.TryGetProperty("layers", out var layers) ? layers.EnumerateArray().ToArray() : [])
            .Concat(manifest.TryGetProperty("config", out var config) ? [config] : [])
            .Select(part => part.GetProperty("digest").GetString()!);
        return blobs.FirstOrDefault(digest => !_blobs.ContainsKey((repository, Digest.Parse(digest))));
    }

    private Answer Tags(string repository, HttpListenerRequest request, HttpListenerResponse response)
    {
        string last = request.QueryString["last"] ?? "";
        string[] all = [.. _manifests.Keys.Where(key => key.Repository == repository && !key.Name.Contains(':', StringComparison.Ordinal))
            .Select(key => key.Name).Order(StringComparer.Ordinal)];
        if (all.Length == 0)
            return Failure(404, "NAME_UNKNOWN", repository);

        string[] page = [.. all.Where(tag => string.CompareOrdinal(tag, last) > 0).Take(PageSize)];
        if (page.Length == PageSize && page[^1] != all[^1])
            response.AddHeader("Link", $"</v2/{repository}/tags/list?last={page[^1]}>; rel=\"next\"");
        return new Answer(200, JsonSerializer.SerializeToUtf8Bytes(new { name = repository, tags = page }));
    }

    private Answer ReferrersOf(string repository, string text)
    {
        var subject = Digest.Parse(text);
        var found = _manifests.Where(pair => pair.Key.Repository == repository && pair.Key.Name.Contains(':', StringComparison.Ordinal))
            .Select(pair => Referrers.Describe(pair.Value.Bytes, subject)).OfType<Descriptor>().OrderBy(descriptor => descriptor.Digest);
        return new Answer(200, ImageJson.Write(new ImageIndex { Manifests = [.. found] }), MediaType.Index);
    }

    private static Answer Failure(int status, string code, string message) =>
        new(status, JsonSerializer.SerializeToUtf8Bytes(new { errors = new[] { new { code, message } } }));

    private sealed record Answer(int Status, byte[]? Body = null, string ContentType = "application/json");
}
