using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Ingot.Oci.Content;
using Ingot.Server.Ledger;
using Microsoft.AspNetCore.Http.Features;

namespace Ingot.Server.Registry;

/// <summary>Answers the requests of the distribution protocol. One method an endpoint; the files are its chapters.</summary>
internal sealed partial class RegistryHandler : IDisposable
{
    private const int NoSpaceLeft = 28;
    private const int LargeManifests = 2;

    private readonly RegistryOptions _options;
    private readonly DirectoryStore _store;
    private readonly LedgerStore _ledger;
    private readonly UploadStore _uploads;
    private readonly DiskReserve _disk;
    private readonly ReferrerNotes _notes;
    private readonly TagLists _tagLists;
    private readonly SemaphoreSlim _largeManifests = new(LargeManifests);
    private readonly SemaphoreSlim _unverified = new(1);
    private readonly ILogger _log;

    public RegistryHandler(RegistryOptions options, ILogger log)
    {
        _options = options;
        _store = options.Store;
        _ledger = options.Ledger;
        _uploads = new UploadStore(options);
        _disk = new DiskReserve(options.Uploads, options.DiskReserve);
        _notes = new ReferrerNotes(options.ReferrerNotes);
        _tagLists = new TagLists(options.Ledger);
        _store.RemoveAbandoned(options.Time.GetUtcNow() - options.UploadTimeout);
        _log = log;
    }

    public void Dispose()
    {
        _notes.Dispose();
        _largeManifests.Dispose();
        _unverified.Dispose();
    }

    /// <summary>The one place where a failure becomes an answer.</summary>
    public async Task HandleAsync(HttpContext http, string path)
    {
        http.Response.Headers["Docker-Distribution-Api-Version"] = "registry/2.0";
        try
        {
            await DispatchAsync(http, path);
        }
        catch (RegistryRefusal refusal)
        {
            foreach (var (name, value) in refusal.Headers)
                http.Response.Headers[name] = value;
            await RefuseAsync(http, refusal.Status, refusal.Code, refusal.Message);
        }
        catch (BadHttpRequestException e)
        {
            await RefuseAsync(http, e.StatusCode, e.StatusCode == 413 ? ErrorCode.SizeInvalid : ErrorCode.BlobUploadInvalid,
                IngotException.ReasonOf(e));
        }
        catch (Exception e) when (http.RequestAborted.IsCancellationRequested && e is (OperationCanceledException or IOException))
        {
            _log.ClientGone(http.Request.Method, http.Request.Path);
        }
        catch (Exception e) when (e is IOException or IngotException)
        {
            _log.StorageFailed(http.Request.Method, http.Request.Path, e);
            await RefuseAsync(http, IsFull(e) ? 507 : 500, ErrorCode.BlobUploadInvalid,
                IsFull(e) ? $"the registry's disk is full: {IngotException.ReasonOf(e)}" : IngotException.ReasonOf(e));
        }
    }

    private Task DispatchAsync(HttpContext http, string path)
    {
        var target = RegistryPath.Parse(path)
            ?? throw new RegistryRefusal(404, ErrorCode.Unsupported, $"'/v2/{path}' is not an address of the distribution specification");
        if (RepositoryOf(target) is { } repository && !RegistryPath.IsRepository(repository))
            throw new RegistryRefusal(400, ErrorCode.NameInvalid, $"'{repository}' is not the name of a repository: "
                + "expected lower-case letters, digits, separators and slashes, 255 at most");

        return (target, http.Request.Method) switch
        {
            (RegistryPath.Root, "GET" or "HEAD") => PingAsync(http),
            (RegistryPath.Catalog, "GET" or "HEAD") => CatalogAsync(http),
            (RegistryPath.Blob blob, "GET" or "HEAD") => ReadBlobAsync(http, blob),
            (RegistryPath.Blob blob, "DELETE") => DeleteBlobAsync(http, blob),
            (RegistryPath.Uploads uploads, "POST") => BeginUploadAsync(http, uploads),
            (RegistryPath.Upload upload, "GET" or "HEAD") => UploadStatusAsync(http, upload),
            (RegistryPath.Upload upload, "PATCH") => AppendToUploadAsync(http, upload),
            (RegistryPath.Upload upload, "PUT") => FinishUploadAsync(http, upload),
            (RegistryPath.Upload upload, "DELETE") => CancelUploadAsync(http, upload),
            (RegistryPath.Manifest manifest, "GET" or "HEAD") => ReadManifestAsync(http, manifest),
            (RegistryPath.Manifest manifest, "PUT") => WriteManifestAsync(http, manifest),
            (RegistryPath.Manifest manifest, "DELETE") => DeleteManifestAsync(http, manifest),
            (RegistryPath.Tags tags, "GET" or "HEAD") => ListTagsAsync(http, tags),
            (RegistryPath.Referrers referrers, "GET" or "HEAD") => ListReferrersAsync(http, referrers),
            _ => throw new RegistryRefusal(405, ErrorCode.Unsupported, $"{http.Request.Method} is not defined for '/v2/{path}'"),
        };
    }

    private static string? RepositoryOf(RegistryPath path) => path switch
    {
        RegistryPath.Blob p => p.Repository,
        RegistryPath.Uploads p => p.Repository,
        RegistryPath.Upload p => p.Repository,
        RegistryPath.Manifest p => p.Repository,
        RegistryPath.Tags p => p.Repository,
        RegistryPath.Referrers p => p.Repository,
        _ => null,
    };

    private static async Task PingAsync(HttpContext http)
    {
        http.Response.ContentType = "application/json";
        http.Response.ContentLength = 2;
        if (HttpMethods.IsGet(http.Request.Method))
            await http.Response.Body.WriteAsync("{}"u8.ToArray(), http.RequestAborted);
    }

    private static async Task RefuseAsync(HttpContext http, int status, string code, string message)
    {
        // Too late for another answer: cutting the connection is the only way to say that this one is not whole.
        if (http.Response.HasStarted)
        {
            http.Abort();
            return;
        }

        http.Response.StatusCode = status;
        http.Response.ContentLength = null;
        // They were about what was asked for: no cache is to keep a refusal as that.
        foreach (string name in new[] { "Cache-Control", "ETag", "Accept-Ranges" })
            http.Response.Headers.Remove(name);
        await WriteJsonAsync(http, new ErrorBody([new ErrorItem(code, message)]), RegistryJson.Readable.ErrorBody, "application/json");
    }

    private static Task WriteJsonAsync<T>(HttpContext http, T value, JsonTypeInfo<T> type, string contentType) =>
        WriteJsonAsync(http, JsonSerializer.SerializeToUtf8Bytes(value, type), contentType);

    private static async Task WriteJsonAsync(HttpContext http, byte[] json, string contentType)
    {
        http.Response.ContentType = contentType;
        http.Response.ContentLength = json.Length;
        if (!HttpMethods.IsHead(http.Request.Method))
            await http.Response.Body.WriteAsync(json, http.RequestAborted);
    }

    private static void AllowAnyBody(HttpContext http)
    {
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = null;
    }

    /// <summary>The parameters <c>n</c> and <c>last</c> of a list.</summary>
    private static (int Count, string Last) Page(HttpContext http)
    {
        string? n = http.Request.Query["n"];
        int count = int.MaxValue - 1;
        if (n is not null && (!int.TryParse(n, NumberStyles.None, CultureInfo.InvariantCulture, out count) || count == int.MaxValue))
            throw new RegistryRefusal(400, ErrorCode.Unsupported, $"'n' is '{n}': expected a number");

        return (count, (string?)http.Request.Query["last"] ?? "");
    }

    /// <summary>Cuts a list that was read one longer than asked for, and says where it goes on.</summary>
    private static List<string> CutPage(HttpContext http, IEnumerable<string> items, int count)
    {
        var page = items.ToList();
        if (page.Count <= count)
            return page;

        page.RemoveRange(count, page.Count - count);
        if (page.Count > 0)
            LinkNext(http, $"n={count}&last={Uri.EscapeDataString(page[^1])}");
        return page;
    }

    private static void LinkNext(HttpContext http, string query) =>
        http.Response.Headers.Link = $"<{http.Request.Path}?{query}>; rel=\"next\"";

    private static bool IsFull(Exception e) => e.HResult == NoSpaceLeft || e is LedgerException { IsDiskFull: true };
}

internal static partial class RegistryLog
{
    [LoggerMessage(Level = LogLevel.Information, Message = "blob {Digest} stored for {Repository}, {Size} bytes")]
    public static partial void BlobStored(this ILogger log, Digest digest, string repository, long size);

    [LoggerMessage(Level = LogLevel.Information, Message = "manifest {Digest} published in {Repository} as '{Tags}'")]
    public static partial void ManifestPublished(this ILogger log, Digest digest, string repository, string tags);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Method} {Path}: the client has gone")]
    public static partial void ClientGone(this ILogger log, string method, string path);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path}: the storage failed")]
    public static partial void StorageFailed(this ILogger log, string method, string path, Exception exception);
}
