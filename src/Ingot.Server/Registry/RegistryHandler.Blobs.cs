using Ingot.Oci.Content;
using Ingot.Server.Ledger;

namespace Ingot.Server.Registry;

internal sealed partial class RegistryHandler
{
    // end-2
    private async Task ReadBlobAsync(HttpContext http, RegistryPath.Blob path)
    {
        var digest = RegistryPath.ParseDigest(path.Digest);
        long size = await BlobSizeAsync(path.Repository, digest, http.RequestAborted)
            ?? throw new RegistryRefusal(404, ErrorCode.BlobUnknown, $"the repository '{path.Repository}' has no blob '{digest}'");

        var response = http.Response;
        response.ContentType = "application/octet-stream";
        response.Headers["Docker-Content-Digest"] = digest.ToString();
        string entityTag = Preconditions.EntityTag(digest);
        response.Headers.ETag = entityTag;
        response.Headers.AcceptRanges = "bytes";
        response.Headers.CacheControl = "max-age=31536000, immutable";
        if (Preconditions.IsCurrent(http.Request, entityTag))
        {
            response.StatusCode = 304;
            return;
        }

        bool isGet = HttpMethods.IsGet(http.Request.Method);
        var asked = isGet && Preconditions.AllowsRange(http.Request, entityTag) ? ByteRange.Parse(http.Request.Headers.Range) : null;
        if (asked is not null && BlobRanges.Of(asked, size) is { } parts)
        {
            await parts.WriteAsync(response, _store.PathOf(digest), http.RequestAborted);
            return;
        }

        response.ContentLength = size;
        if (isGet && size > 0)
            await BlobBody.SendAsync(response, _store.PathOf(digest), 0, size, http.RequestAborted);
    }

    // end-10
    private async Task DeleteBlobAsync(HttpContext http, RegistryPath.Blob path)
    {
        var digest = RegistryPath.ParseDigest(path.Digest);
        RefuseDeletion(path.Repository, $"blob '{digest}'");
        if (await BlobSizeAsync(path.Repository, digest, http.RequestAborted) is null)
            throw new RegistryRefusal(404, ErrorCode.BlobUnknown, $"the repository '{path.Repository}' has no blob '{digest}'");

        // The file stays: other repositories and builders share it. What nothing needs is collected by 'ingot prune'.
        await _ledger.AppendAsync(_options.Actor(http), new LedgerEvent.BlobDeleted(path.Repository, digest), http.RequestAborted);
        http.Response.StatusCode = 202;
    }

    /// <summary>The size of a blob a repository can serve; null when it cannot. All repositories draw on one store.</summary>
    /// <remarks>A client that is told a blob is here will not send it, and name it soon: until then nothing needs it,
    /// and it must not be pruned.</remarks>
    private ValueTask<long?> BlobSizeAsync(string repository, Digest digest, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return new(IsDeleted(repository, digest) ? null : _store.Ask(digest, _options.Time.GetUtcNow()));
    }

    private bool IsDeleted(string repository, Digest digest) =>
        // Only there can anything have been deleted; the question costs more than the answer elsewhere.
        _options.IsMutable(repository) && _ledger.Read(view => view.IsBlobDeleted(repository, digest));

    /// <summary>Makes a blob that had been deleted from a repository part of it again.</summary>
    private async Task RestoreAsync(HttpContext http, string repository, Digest digest)
    {
        if (IsDeleted(repository, digest))
            await _ledger.AppendAsync(_options.Actor(http), new LedgerEvent.BlobRestored(repository, digest), http.RequestAborted);
    }

    private void RefuseDeletion(string repository, string what)
    {
        if (!_options.IsMutable(repository))
            throw new RegistryRefusal(405, ErrorCode.Unsupported,
                $"the {what} of '{repository}' was not deleted: what is published there stays; 'ingot prune' removes what the lifecycle "
                    + "rules give up, and the server's 'mutable' list names repositories where deleting is allowed");
    }
}
