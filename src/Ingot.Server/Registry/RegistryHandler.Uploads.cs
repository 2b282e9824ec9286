using System.Globalization;
using Ingot.Oci.Content;

namespace Ingot.Server.Registry;

internal sealed partial class RegistryHandler
{
    // end-4a, end-4b, end-11
    private async Task BeginUploadAsync(HttpContext http, RegistryPath.Uploads path)
    {
        var query = http.Request.Query;
        string algorithm = (string?)query["digest-algorithm"] ?? Digest.Sha256;
        if (algorithm is not (Digest.Sha256 or Digest.Sha512))
            throw new RegistryRefusal(400, ErrorCode.Unsupported,
                $"the digest algorithm '{algorithm}' is not supported: use sha256 or sha512");

        if ((string?)query["mount"] is { } mount
            && await TryMountAsync(http, path.Repository, RegistryPath.ParseDigest(mount), query["from"]))
            return;

        if ((string?)query["digest"] is { } text)
        {
            var digest = RegistryPath.ParseDigest(text);
            var upload = _uploads.Begin(path.Repository, digest.Algorithm, _options.Actor(http));
            upload.TryEnter();
            await ReceiveAsync(http, path.Repository, upload, digest, discardAlways: true);
            return;
        }

        _disk.Require(0);
        AnswerProgress(http, path.Repository, _uploads.Begin(path.Repository, algorithm, _options.Actor(http)), 202);
    }

    // end-13
    private Task UploadStatusAsync(HttpContext http, RegistryPath.Upload path)
    {
        AnswerProgress(http, path.Repository, Find(path), 204);
        return Task.CompletedTask;
    }

    // end-5
    private async Task AppendToUploadAsync(HttpContext http, RegistryPath.Upload path)
    {
        var upload = Enter(path);
        try
        {
            CheckInOrder(http, path.Repository, upload);
            await AppendBodyAsync(http, path.Repository, upload);
            AnswerProgress(http, path.Repository, upload, 202);
        }
        finally
        {
            upload.Leave();
        }
    }

    // end-6
    private async Task FinishUploadAsync(HttpContext http, RegistryPath.Upload path)
    {
        // Before the body is read: an upload is not lost to a wrong address.
        string text = (string?)http.Request.Query["digest"]
            ?? throw new RegistryRefusal(400, ErrorCode.DigestInvalid, "the request to finish an upload has no 'digest' in its query");
        var digest = RegistryPath.ParseDigest(text);
        var upload = Enter(path);
        try
        {
            CheckInOrder(http, path.Repository, upload);
            await ReceiveAsync(http, path.Repository, upload, digest, discardAlways: false);
        }
        finally
        {
            upload.Leave();
        }
    }

    // end-14
    private Task CancelUploadAsync(HttpContext http, RegistryPath.Upload path)
    {
        _uploads.Discard(Enter(path));
        http.Response.StatusCode = 204;
        return Task.CompletedTask;
    }

    /// <summary>Takes the rest of an upload and makes a blob of it.</summary>
    private async Task ReceiveAsync(HttpContext http, string repository, Upload upload, Digest expected, bool discardAlways)
    {
        bool isDone = discardAlways;
        try
        {
            await AppendBodyAsync(http, repository, upload);
            var actual = await upload.SealAsync(expected, http.RequestAborted);
            // Right or wrong, nothing can be added to it any more.
            isDone = true;
            if (actual != expected)
                throw new RegistryRefusal(400, ErrorCode.DigestInvalid,
                    $"expected '{expected}' and received {upload.Received} bytes of '{actual}'");

            // The last bytes may have come long ago.
            File.SetLastWriteTimeUtc(upload.Path, _options.Time.GetUtcNow().UtcDateTime);
            _store.Adopt(upload.Path, expected);
        }
        finally
        {
            if (isDone)
                _uploads.Discard(upload);
        }

        await RestoreAsync(http, repository, expected);
        _log.BlobStored(expected, repository, upload.Received);
        AnswerCreated(http, $"/v2/{repository}/blobs/{expected}", expected);
    }

    private async Task AppendBodyAsync(HttpContext http, string repository, Upload upload)
    {
        AllowAnyBody(http);
        // Before the body is read: a client that says what it will send is not told no at the end.
        _disk.Require(http.Request.ContentLength ?? 0);
        try
        {
            await upload.AppendAsync(http.Request.Body, _disk, http.RequestAborted);
        }
        catch (FileNotFoundException)
        {
            // Collected from outside, because it stood still too long.
            _uploads.Discard(upload);
            throw Unknown(new RegistryPath.Upload(repository, upload.Id));
        }
    }

    private async Task<bool> TryMountAsync(HttpContext http, string repository, Digest digest, string? from)
    {
        bool isThere = from is { Length: > 0 }
            ? await BlobSizeAsync(from, digest, http.RequestAborted) is not null
            : _store.Ask(digest, _options.Time.GetUtcNow()) is not null;
        if (!isThere)
            return false;

        await RestoreAsync(http, repository, digest);
        AnswerCreated(http, $"/v2/{repository}/blobs/{digest}", digest);
        return true;
    }

    private Upload Find(RegistryPath.Upload path) => _uploads.Find(path.Repository, path.Id) ?? throw Unknown(path);

    private Upload Enter(RegistryPath.Upload path)
    {
        var upload = Find(path);
        if (!upload.TryEnter())
            throw new RegistryRefusal(409, ErrorCode.BlobUploadInvalid, $"another request is writing to the upload '{path.Id}'");

        // Between finding and entering it, somebody else may have finished it.
        return upload.IsGone ? throw Unknown(path) : upload;
    }

    private static RegistryRefusal Unknown(RegistryPath.Upload path) =>
        new(404, ErrorCode.BlobUploadUnknown,
            $"the repository '{path.Repository}' has no upload '{path.Id}': it was finished, cancelled or idle for too long");

    /// <summary>Chunks come strictly in order. A request without <c>Content-Range</c> goes on where the last one ended.</summary>
    private static void CheckInOrder(HttpContext http, string repository, Upload upload)
    {
        if ((string?)http.Request.Headers.ContentRange is not { } header)
            return;

        string[] parts = header.Split('-');
        if (parts.Length != 2 || !TryNumber(parts[0], out long first) || !TryNumber(parts[1], out long last))
            throw new RegistryRefusal(400, ErrorCode.BlobUploadInvalid, $"the Content-Range is '{header}': expected FIRST-LAST");

        if (first != upload.Received || last < first)
        {
            var refusal = new RegistryRefusal(416, ErrorCode.BlobUploadInvalid,
                $"the chunk begins at {first} and the upload has {upload.Received} bytes: chunks come in order");
            refusal.Headers["Location"] = LocationOf(repository, upload);
            refusal.Headers["Range"] = ReceivedRange(upload);
            throw refusal;
        }

        if (http.Request.ContentLength is { } length && length != last - first + 1)
            throw new RegistryRefusal(400, ErrorCode.SizeInvalid,
                $"the Content-Range '{header}' is of {last - first + 1} bytes and the body of {length}");
    }

    private static bool TryNumber(string text, out long number) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    private static string LocationOf(string repository, Upload upload) => $"/v2/{repository}/blobs/uploads/{upload.Id}";

    private static string ReceivedRange(Upload upload) => $"0-{Math.Max(0, upload.Received - 1)}";

    private static void AnswerProgress(HttpContext http, string repository, Upload upload, int status)
    {
        var response = http.Response;
        response.StatusCode = status;
        response.Headers.Location = LocationOf(repository, upload);
        response.Headers.Range = ReceivedRange(upload);
        response.Headers["Docker-Upload-UUID"] = upload.Id;
        if (status != 204)
            response.ContentLength = 0;
    }

    private static void AnswerCreated(HttpContext http, string location, Digest digest)
    {
        http.Response.StatusCode = 201;
        http.Response.Headers.Location = location;
        http.Response.Headers["Docker-Content-Digest"] = digest.ToString();
        http.Response.ContentLength = 0;
    }
}
