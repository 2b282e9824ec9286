using Ingot.Oci.Content;
using Ingot.Transparency;

namespace Ingot.Server.Ledger;

/// <summary>The ledger as a static log, for monitors and witnesses of others
/// (<see href="https://c2sp.org/tlog-tiles">C2SP tlog-tiles</see>).</summary>
public static class LedgerEndpoints
{
    // Never "public": it is behind a token, and a cache that others share would hand it to those who have none.
    private const string Immutable = "private, max-age=31536000, immutable";

    /// <summary>Serves <c>checkpoint</c>, <c>tile/…</c>, and <c>documents/…</c> that entries name, below a prefix.</summary>
    public static void MapLedger(this IEndpointRouteBuilder endpoints, string prefix, LedgerStore ledger)
    {
        var group = endpoints.MapGroup(prefix);
        group.MapGet("checkpoint", (HttpContext http) => WriteCheckpointAsync(http, ledger));
        group.MapGet("documents/{digest}",
            (HttpContext http) => WriteDocumentAsync(http, ledger, (string)http.Request.RouteValues["digest"]!));
        group.MapGet("tile/{**rest}", (HttpContext http) => WriteTileAsync(http, ledger, $"tile/{http.Request.RouteValues["rest"]}"));
    }

    private static async Task WriteCheckpointAsync(HttpContext http, LedgerStore ledger)
    {
        if (ledger.Checkpoint() is not { } note)
        {
            http.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        http.Response.ContentType = "text/plain; charset=utf-8";
        http.Response.Headers.CacheControl = "no-cache";
        await http.Response.WriteAsync(note, http.RequestAborted);
    }

    private static async Task WriteDocumentAsync(HttpContext http, LedgerStore ledger, string digest)
    {
        if (!Digest.TryParse(digest, out var name) || ledger.Read(view => view.Document(name)) is not { } bytes)
        {
            http.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        // Never as what somebody wrote into it: a project's text is not a page.
        http.Response.Headers.XContentTypeOptions = "nosniff";
        await WriteImmutableAsync(http, bytes);
    }

    private static async Task WriteTileAsync(HttpContext http, LedgerStore ledger, string path)
    {
        if (!Tile.TryParse(path, out var tile) || ledger.Tile(tile) is not { } bytes)
        {
            http.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        await WriteImmutableAsync(http, bytes);
    }

    private static async Task WriteImmutableAsync(HttpContext http, byte[] bytes)
    {
        http.Response.ContentType = "application/octet-stream";
        http.Response.ContentLength = bytes.Length;
        http.Response.Headers.CacheControl = Immutable;
        await http.Response.Body.WriteAsync(bytes, http.RequestAborted);
    }
}
