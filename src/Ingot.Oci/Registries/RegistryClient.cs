using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Oci.Content;
using Ingot.Oci.Images;

namespace Ingot.Oci.Registries;

/// <summary>A manifest or index as a registry gave it: the exact bytes, verified.</summary>
/// <param name="Descriptor">Its type, digest and size.</param>
/// <param name="Bytes">The bytes.</param>
public sealed record RegistryManifest(Descriptor Descriptor, byte[] Bytes);

/// <summary>Speaks to one registry
/// (<see href="https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#endpoints">distribution specification</see>). Safe
/// for several threads.</summary>
public sealed class RegistryClient
{
    private const int Attempts = 4;
    private const int MaxPages = 10_000;
    private const int MaxErrorBytes = 64 << 10;

    // Of a registry that asks us to wait longer, the answer is as good as no.
    private static readonly TimeSpan s_longestPause = TimeSpan.FromMinutes(1);

    private static readonly string[] s_manifestTypes =
        [MediaType.Manifest, MediaType.Index, MediaType.DockerManifest, MediaType.DockerManifestList];

    private readonly HttpClient _http;
    private readonly Uri _base;
    private readonly TimeProvider _time;
    private readonly RegistryAuthentication _authentication;

    /// <summary>How long a registry may be silent: before it answers, while it sends a document,
    /// and between any two pieces of a blob that it takes.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How long it may take over a blob that it has whole, which it reads once more.</summary>
    private TimeSpan CommitPatience => Patience * 5;

    /// <summary>Speaks to the registry at <paramref name="baseUri"/> (without <c>/v2/</c>; see <see cref="UriOf"/>). The client is the
    /// caller's; it needs no timeout of its own: see <see cref="Patience"/>.</summary>
    public RegistryClient(HttpClient http, Uri baseUri, RegistryCredentials? credentials = null, TimeProvider? time = null)
    {
        _http = http;
        _base = baseUri;
        _time = time ?? TimeProvider.System;
        _authentication = new RegistryAuthentication(http, baseUri, credentials, () => Patience);
    }

    /// <summary>The address of a registry by the name in a <see cref="Reference"/>: plain http on this machine itself,
    /// else https.</summary>
    public static Uri UriOf(string registry)
    {
        string host = registry == "docker.io" ? "registry-1.docker.io" : registry;
        var plain = new Uri($"http://{host}/");
        return plain.IsLoopback ? plain : new Uri($"https://{host}/");
    }

    /// <summary>Asks whether the registry answers, and lets us in.</summary>
    public async Task PingAsync(CancellationToken cancellationToken = default)
    {
        using var response = await SendAsync("", () => Request(HttpMethod.Get, "v2/"), cancellationToken).ConfigureAwait(false);
        await ExpectAsync(response, "", "reach the registry", cancellationToken, HttpStatusCode.OK).ConfigureAwait(false);
    }

    /// <summary>What a tag or digest names, without its bytes; null when the registry says that it does not exist.</summary>
    public async Task<Descriptor?> HeadManifestAsync(string repository, string tagOrDigest, CancellationToken cancellationToken = default)
    {
        using var response = await SendAsync(repository, () => ManifestRequest(HttpMethod.Head, repository, tagOrDigest),
            cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return null;

        await ExpectAsync(response, repository, $"look for '{tagOrDigest}'", cancellationToken, HttpStatusCode.OK).ConfigureAwait(false);
        if (DigestOf(response, tagOrDigest) is { } digest
            && response.Content.Headers is { ContentLength: { } size, ContentType.MediaType: { } type })
            return new Descriptor { MediaType = type, Digest = digest, Size = size };

        // The digest's header became a duty only lately.
        return (await GetManifestAsync(repository, tagOrDigest, cancellationToken).ConfigureAwait(false))?.Descriptor;
    }

    /// <summary>The manifest or index that a tag or digest names; null when the registry says that it does not exist.</summary>
    public async Task<RegistryManifest?> GetManifestAsync(
        string repository, string tagOrDigest, CancellationToken cancellationToken = default)
    {
        using var response = await SendAsync(repository, () => ManifestRequest(HttpMethod.Get, repository, tagOrDigest),
            cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return null;

        await ExpectAsync(response, repository, $"get '{tagOrDigest}'", cancellationToken, HttpStatusCode.OK).ConfigureAwait(false);
        if (response.Content.Headers.ContentType?.MediaType is { } type && MediaType.IsSchema1(type))
            throw new ImageException($"'{tagOrDigest}' of '{repository}' is an image of Docker's schema 1, "
                + "which has no digests of its layers and is not read; push it again with a current Docker, "
                + "or convert it with 'skopeo copy --format v2s2'");
        byte[] bytes = await response.Content.ReadLimitedAsync(ContentStoreExtensions.MaxDocumentBytes, repository, Patience,
            cancellationToken).ConfigureAwait(false);
        var told = DigestOf(response, tagOrDigest);
        string mediaType = response.Content.Headers.ContentType?.MediaType ?? MediaType.Manifest;
        var descriptor = new Descriptor { MediaType = mediaType, Digest = Digest.Of(bytes, told ?? default), Size = bytes.Length };
        return told is { } expected && expected != descriptor.Digest
            ? throw new ContentMismatchException(
                $"expected '{expected}' for '{repository}' '{tagOrDigest}' and received {bytes.Length} bytes of '{descriptor.Digest}'")
            : new RegistryManifest(descriptor, bytes);
    }

    /// <summary>Stores a manifest or index under a tag or its digest. True when the registry lists it under its subject; false when it has
    /// none, or the registry does not know referrers (see <see cref="AddToFallbackTagAsync"/>).</summary>
    public async Task<bool> PutManifestAsync(
        string repository, string tagOrDigest, string mediaType, byte[] bytes, CancellationToken cancellationToken = default)
    {
        HttpRequestMessage Put()
        {
            var request = Request(HttpMethod.Put, $"v2/{repository}/manifests/{tagOrDigest}");
            request.Content = new ByteArrayContent(bytes) { Headers = { ContentType = new MediaTypeHeaderValue(mediaType) } };
            return request;
        }

        using var response = await SendAsync(repository, Put, cancellationToken).ConfigureAwait(false);
        await ExpectAsync(response, repository, $"put '{tagOrDigest}'", cancellationToken, HttpStatusCode.Created).ConfigureAwait(false);
        return response.Headers.Contains("OCI-Subject");
    }

    /// <summary>Deletes what a tag or digest names, the tag only or the manifest with its tags; false when it was not there.</summary>
    public Task<bool> DeleteManifestAsync(string repository, string tagOrDigest, CancellationToken cancellationToken = default) =>
        DeleteAsync(repository, $"v2/{repository}/manifests/{tagOrDigest}", tagOrDigest, cancellationToken);

    /// <summary>Deletes a blob; false when it was not there.</summary>
    public Task<bool> DeleteBlobAsync(string repository, Digest digest, CancellationToken cancellationToken = default) =>
        DeleteAsync(repository, $"v2/{repository}/blobs/{digest}", digest.ToString(), cancellationToken);

    /// <summary>Whether the repository has the blob; false only when the registry says that it has not.</summary>
    public async Task<bool> HasBlobAsync(string repository, Digest digest, CancellationToken cancellationToken = default)
    {
        using var response = await SendAsync(repository, () => Request(HttpMethod.Head, $"v2/{repository}/blobs/{digest}"),
            cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return false;

        await ExpectAsync(response, repository, $"look for the blob '{digest}'", cancellationToken,
            HttpStatusCode.OK).ConfigureAwait(false);
        return true;
    }

    /// <summary>A blob's bytes, verified while they are read, and asked for again from where the connection broke; the caller owns the
    /// stream. Null when the registry says that it does not exist.</summary>
    public async Task<Stream?> OpenBlobAsync(string repository, Descriptor blob, CancellationToken cancellationToken = default)
    {
        var first = await OpenBlobFromAsync(repository, blob, offset: 0, cancellationToken).ConfigureAwait(false);
        return first is null
            ? null
            : new VerifyingStream(
                new ResumingStream(first, blob, repository, (offset, token) => OpenBlobFromAsync(repository, blob, offset, token), _time),
                blob.Digest,
                blob.Size);
    }

    /// <summary>Uploads a blob unless the repository has it; false when it had. <paramref name="open"/> gives its bytes from the start,
    /// each time it is called: an upload that broke goes on from what the registry has of it. With <paramref name="mountFrom"/>, a
    /// repository of the same registry, it is linked from there if possible.</summary>
    public async Task<bool> PushBlobAsync(
        string repository, Descriptor blob, Func<CancellationToken, ValueTask<Stream>> open, string? mountFrom = null,
        CancellationToken cancellationToken = default)
    {
        if (await HasBlobAsync(repository, blob.Digest, cancellationToken).ConfigureAwait(false))
            return false;
        if (await BeginUploadAsync(repository, blob.Digest, mountFrom, cancellationToken).ConfigureAwait(false) is not { } location)
            return true;

        var upload = new BlobUpload(repository, blob, open);
        long offset = 0;
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                await UploadFromAsync(upload, location, offset, cancellationToken).ConfigureAwait(false);
                return true;
            }
            catch (RegistryException e) when (attempt < Attempts && MayPass(e.Status))
            {
                await Task.Delay(BackOff(attempt), _time, cancellationToken).ConfigureAwait(false);
                (location, offset) = await FindUploadAsync(upload, location, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Every tag of a repository, in the registry's order;
    /// none when the registry says that the repository does not exist.</summary>
    public async IAsyncEnumerable<string> ListTagsAsync(
        string repository, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (byte[] page in ListPagesAsync(repository, $"v2/{repository}/tags/list", "list the tags",
            cancellationToken).ConfigureAwait(false))
        {
            foreach (string tag in Parse(repository, page,
                json => JsonSerializer.Deserialize(json, RegistryJson.Default.TagList)?.Tags)?.OfType<string>() ?? [])
                yield return tag;
        }
    }

    /// <summary>The manifests whose subject is <paramref name="subject"/>, by the referrers endpoint or, where a registry has none,
    /// by the fallback tag.</summary>
    public async IAsyncEnumerable<Descriptor> ListReferrersAsync(
        string repository, Digest subject, string? artifactType = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        string query = artifactType is null ? "" : $"?artifactType={Uri.EscapeDataString(artifactType)}";
        bool isKnown = false;
        await foreach (byte[] page in ListPagesAsync(repository, $"v2/{repository}/referrers/{subject}{query}", "list the referrers",
            cancellationToken).ConfigureAwait(false))
        {
            isKnown = true;
            foreach (var manifest in Parse(repository, page, ImageJson.ReadIndex).Manifests)
            {
                // A registry need not filter.
                if (artifactType is null || manifest.ArtifactType == artifactType)
                    yield return manifest;
            }
        }

        var fallback = isKnown ? null : await GetManifestAsync(repository, FallbackTag(subject), cancellationToken).ConfigureAwait(false);
        foreach (var manifest in fallback is null ? [] : Parse(repository, fallback.Bytes, ImageJson.ReadIndex).Manifests)
        {
            if (artifactType is null || manifest.ArtifactType == artifactType)
                yield return manifest;
        }
    }

    /// <summary>Lists a manifest under its subject's fallback tag, where the registry does not itself
    /// (<see href="https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema">referrers tag
    /// schema</see>). Two clients that do so at once may lose one entry; the specification has no remedy.</summary>
    public async Task AddToFallbackTagAsync(
        string repository, Digest subject, Descriptor referrer, CancellationToken cancellationToken = default)
    {
        string tag = FallbackTag(subject);
        var current = await GetManifestAsync(repository, tag, cancellationToken).ConfigureAwait(false);
        var index = current is null ? new ImageIndex { Manifests = [] } : Parse(repository, current.Bytes, ImageJson.ReadIndex);
        if (index.Manifests.Any(other => other.Digest == referrer.Digest))
            return;

        byte[] bytes = ImageJson.Write(index with { Manifests = [.. index.Manifests, referrer] });
        await PutManifestAsync(repository, tag, MediaType.Index, bytes, cancellationToken).ConfigureAwait(false);
    }

    // Cut to what a tag may hold.
    private static string FallbackTag(Digest subject) => $"{subject.Algorithm}-{subject.Hex[..64]}";

    // The connection broke, the upload was forgotten, or the registry has trouble of its own; one that is full, or cannot do it at all,
    // is so the next time too.
    private static bool MayPass(int status) => status is 0 or 404 or (>= 500 and not (501 or 505 or 507));

    // From an offset of zero in one request; a registry that has some of it takes the rest as a chunk.
    private async Task UploadFromAsync(BlobUpload upload, Uri location, long offset, CancellationToken cancellationToken)
    {
        string repository = upload.Repository;
        if (offset > 0 && offset < upload.Blob.Size)
        {
            using var chunk = await SendAsync(repository, () => upload.RequestAsync(HttpMethod.Patch, location, offset, cancellationToken),
                cancellationToken, hasBody: true).ConfigureAwait(false);
            await ExpectAsync(chunk, repository, $"upload the rest of the blob '{upload.Blob.Digest}'", cancellationToken,
                HttpStatusCode.Accepted).ConfigureAwait(false);
            location = LocationOf(chunk) ?? location;
            offset = upload.Blob.Size;
        }

        char separator = location.Query.Length > 0 ? '&' : '?';
        var target = new Uri($"{location.AbsoluteUri}{separator}digest={Uri.EscapeDataString(upload.Blob.Digest.ToString())}");
        using var response = await SendAsync(repository, () => upload.RequestAsync(HttpMethod.Put, target, offset, cancellationToken),
            cancellationToken, hasBody: true).ConfigureAwait(false);
        await ExpectAsync(response, repository, $"upload the blob '{upload.Blob.Digest}'", cancellationToken,
            HttpStatusCode.Created).ConfigureAwait(false);
    }

    // What a registry has of an upload that broke; a registry that does not know it any more gets a new one.
    private async Task<(Uri Location, long Offset)> FindUploadAsync(BlobUpload upload, Uri location, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(upload.Repository, () => new HttpRequestMessage(HttpMethod.Get, location),
            cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NoContent && UploadedBytes(response) is { } offset && offset <= upload.Blob.Size)
            return (LocationOf(response) ?? location, offset);

        var begun = await BeginUploadAsync(upload.Repository, upload.Blob.Digest, mountFrom: null, cancellationToken).ConfigureAwait(false);
        return (begun!, 0);
    }

    // Range: 0-99, both ends included; a registry says 0-0 also when it has nothing: one byte is not worth the difference.
    private static long? UploadedBytes(HttpResponseMessage response)
    {
        if (!response.Headers.TryGetValues("Range", out var values))
            return 0;

        string[] ends = values.First().Replace("bytes=", "", StringComparison.Ordinal).Split('-');
        bool isRange = ends.Length == 2
            && ends[0] == "0"
            && long.TryParse(ends[1], System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out _);
        return !isRange ? null : ends[1] == "0" ? 0 : long.Parse(ends[1], System.Globalization.CultureInfo.InvariantCulture) + 1;
    }

    private static Uri? LocationOf(HttpResponseMessage response) =>
        response.Headers.Location is { } location ? new Uri(response.RequestMessage!.RequestUri!, location) : null;

    // Null when the blob was linked from another repository.
    private async Task<Uri?> BeginUploadAsync(string repository, Digest digest, string? mountFrom, CancellationToken cancellationToken)
    {
        string query = mountFrom is null ? "" : $"?mount={digest}&from={Uri.EscapeDataString(mountFrom)}";
        using var response = await SendAsync(
            repository,
            () => Request(HttpMethod.Post, $"v2/{repository}/blobs/uploads/{query}", new ByteArrayContent([])),
            cancellationToken).ConfigureAwait(false);
        if (mountFrom is not null && response.StatusCode == HttpStatusCode.Created)
            return null;
        // Who may not read the other repository may still write here.
        if (mountFrom is not null && response.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden
            or HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed)
            return await BeginUploadAsync(repository, digest, mountFrom: null, cancellationToken).ConfigureAwait(false);

        await ExpectAsync(response, repository, $"begin to upload the blob '{digest}'", cancellationToken,
            HttpStatusCode.Accepted).ConfigureAwait(false);
        return LocationOf(response)
            ?? throw new RegistryException((int)response.StatusCode, code: null, repository,
                $"could not begin to upload the blob '{digest}' to '{repository}': the answer has no Location");
    }

    private async Task<Stream?> OpenBlobFromAsync(string repository, Descriptor blob, long offset, CancellationToken cancellationToken)
    {
        HttpRequestMessage Get()
        {
            var request = Request(HttpMethod.Get, $"v2/{repository}/blobs/{blob.Digest}");
            request.Headers.Range = offset > 0 ? new RangeHeaderValue(offset, null) : null;
            return request;
        }

        var response = await SendAsync(repository, Get, cancellationToken).ConfigureAwait(false);
        try
        {
            if (response.StatusCode == HttpStatusCode.NotFound)
            {
                response.Dispose();
                return null;
            }

            return await BodyAsync(response, repository, blob, offset, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    // Disposing the content's stream releases the connection.
    private async Task<Stream> BodyAsync(
        HttpResponseMessage response, string repository, Descriptor blob, long offset, CancellationToken cancellationToken)
    {
        await ExpectAsync(response, repository, $"get the blob '{blob.Digest}'", cancellationToken, HttpStatusCode.OK,
            HttpStatusCode.PartialContent).ConfigureAwait(false);
        bool isPart = response.StatusCode == HttpStatusCode.PartialContent;
        long start = isPart ? response.Content.Headers.ContentRange?.From ?? -1 : 0;
        if (start < 0 || start > offset)
            throw new RegistryException((int)response.StatusCode, code: null, repository,
                $"could not go on with the blob '{blob.Digest}' of '{repository}' at byte {offset}: the registry sent another part");
        if (response.Content.Headers.ContentLength is { } length && start + length != blob.Size)
            throw new ContentMismatchException(
                $"'{blob.Digest}' of '{repository}' has {blob.Size} bytes, and the registry would send {start + length}");

        var body = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        await BlobUpload.SkipAsync(body, offset - start, cancellationToken).ConfigureAwait(false);
        return body;
    }

    private async Task<bool> DeleteAsync(string repository, string path, string what, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(repository, () => Request(HttpMethod.Delete, path), cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return false;

        await ExpectAsync(response, repository, $"delete '{what}'", cancellationToken, HttpStatusCode.Accepted, HttpStatusCode.OK,
            HttpStatusCode.NoContent).ConfigureAwait(false);
        return true;
    }

    private async IAsyncEnumerable<byte[]> ListPagesAsync(
        string repository, string path, string what, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Uri? next = new(_base, path);
        for (int page = 0; next is not null; page++)
        {
            var target = next;
            if (page == MaxPages || target.Authority != _base.Authority)
                throw new RegistryException(200, code: null, repository,
                    $"could not {what} of '{repository}': the pages lead to '{target}'");

            using var response = await SendAsync(repository, () => new HttpRequestMessage(HttpMethod.Get, target),
                cancellationToken).ConfigureAwait(false);
            if (response.StatusCode == HttpStatusCode.NotFound)
                yield break;

            await ExpectAsync(response, repository, what, cancellationToken, HttpStatusCode.OK).ConfigureAwait(false);
            next = NextPage(response, target);
            yield return await response.Content.ReadLimitedAsync(ContentStoreExtensions.MaxDocumentBytes, repository, Patience,
                cancellationToken).ConfigureAwait(false);
        }
    }

    // Link: </v2/app/tags/list?last=b>; rel="next"
    private static Uri? NextPage(HttpResponseMessage response, Uri current)
    {
        if (!response.Headers.TryGetValues("Link", out var links))
            return null;

        string? link = links.FirstOrDefault(value => value.Contains("rel=\"next\"", StringComparison.Ordinal)
            || value.Contains("rel=next", StringComparison.Ordinal));
        int start = link?.IndexOf('<', StringComparison.Ordinal) ?? -1, end = link?.IndexOf('>', StringComparison.Ordinal) ?? -1;
        return start < 0 || end < start ? null : new Uri(current, link![(start + 1)..end]);
    }

    private HttpRequestMessage Request(HttpMethod method, string path, HttpContent? content = null) =>
        new(method, new Uri(_base, path)) { Content = content };

    private HttpRequestMessage ManifestRequest(HttpMethod method, string repository, string tagOrDigest)
    {
        var request = Request(method, $"v2/{repository}/manifests/{tagOrDigest}");
        foreach (string type in s_manifestTypes)
            request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(type));
        return request;
    }

    // What we asked for by digest must be that, whatever the header says.
    private static Digest? DigestOf(HttpResponseMessage response, string tagOrDigest)
    {
        if (Digest.TryParse(tagOrDigest, out var asked))
            return asked;

        return response.Headers.TryGetValues("Docker-Content-Digest", out var values) && Digest.TryParse(values.First(), out var told)
            ? told
            : null;
    }

    private Task<HttpResponseMessage> SendAsync(string repository, Func<HttpRequestMessage> make, CancellationToken cancellationToken) =>
        SendAsync(repository, () => Task.FromResult(make()), cancellationToken);

    // A body that a registry took part of must not be sent again from its start: who sends one decides what comes next.
    private async Task<HttpResponseMessage> SendAsync(
        string repository, Func<Task<HttpRequestMessage>> make, CancellationToken cancellationToken, bool hasBody = false)
    {
        if (repository.Length > 0 && !Reference.IsRepository(repository))
            throw new ArgumentException($"'{repository}' is not the name of a repository", nameof(repository));

        bool answered = false;
        for (int attempt = 1; ; attempt++)
        {
            var response = await TrySendAsync(repository, make, hasBody, mayRetry: attempt < Attempts && !hasBody,
                cancellationToken).ConfigureAwait(false);
            if (response?.StatusCode == HttpStatusCode.Unauthorized)
            {
                if (answered || !await _authentication.AnswerAsync(response, repository, cancellationToken).ConfigureAwait(false))
                    return response;
                answered = true;
                response.Dispose();
                continue;
            }

            if (response is not null && (attempt == Attempts || !IsBusy(response.StatusCode, hasBody)))
                return response;

            var pause = response?.Headers.RetryAfter is { } asked ? Asked(asked) : BackOff(attempt);
            if (pause > s_longestPause)
                return response!;
            response?.Dispose();
            await Task.Delay(pause, _time, cancellationToken).ConfigureAwait(false);
        }
    }

    // Null when the connection broke and may be tried again.
    private async Task<HttpResponseMessage?> TrySendAsync(
        string repository, Func<Task<HttpRequestMessage>> make, bool hasBody, bool mayRetry, CancellationToken cancellationToken)
    {
        using var request = await make().ConfigureAwait(false);
        _authentication.Apply(request, repository);
        using var clock = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        clock.CancelAfter(Patience);
        // A large body takes as long as it gets on.
        if (request.Content is UploadContent upload)
            upload.Progress = isWhole => clock.CancelAfter(isWhole ? CommitPatience : Patience);
        try
        {
            return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, clock.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw Silent(request, repository, e);
        }
        catch (HttpRequestException e) when (e.InnerException is IngotException)
        {
            // Our own content failed while it was sent: that is what to tell.
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e.InnerException);
            throw;
        }
        catch (HttpRequestException e) when (mayRetry && IsBroken(e))
        {
            return null;
        }
        catch (HttpRequestException e)
        {
            throw new RegistryException(0, code: null, repository, $"could not {request.Method} "
                + $"'{request.RequestUri!.GetLeftPart(UriPartial.Path)}': {IngotException.ReasonOf(e)}{CureOf(e, request.RequestUri)}", e);
        }
    }

    // The client may have a timeout of its own, which is shorter.
    private RegistryException Silent(HttpRequestMessage request, string repository, OperationCanceledException e)
    {
        string how = $"no answer for {(e.InnerException is TimeoutException ? _http.Timeout : Patience).TotalSeconds:0.##} seconds";
        return new RegistryException(0, code: null, repository,
            $"could not {request.Method} '{request.RequestUri!.GetLeftPart(UriPartial.Path)}': {how}", e);
    }

    // Nobody listening, no such host, a certificate that is not trusted: trying again changes nothing.
    private static bool IsBroken(HttpRequestException e) =>
        e.HttpRequestError is HttpRequestError.ResponseEnded
            || (e.InnerException is IOException && e.HttpRequestError is not (HttpRequestError.ConnectionError
                or HttpRequestError.SecureConnectionError or HttpRequestError.NameResolutionError));

    private static string CureOf(HttpRequestException e, Uri target) => e.HttpRequestError == HttpRequestError.SecureConnectionError
        ? $"; if '{target.Authority}' speaks plain http, name it with '--insecure-registry {target.Authority}', "
            + $"and if its certificate is your own, put that into '/etc/docker/certs.d/{target.Authority}/ca.crt'"
        : "";

    // A registry that is busy or restarting says so; anything else is an answer.
    private static bool IsBusy(HttpStatusCode status, bool hasBody) => hasBody
        ? status == HttpStatusCode.TooManyRequests
        : status is HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable
            or HttpStatusCode.GatewayTimeout;

    private TimeSpan Asked(RetryConditionHeaderValue asked)
    {
        var pause = asked.Delta ?? (asked.Date is { } date ? date - _time.GetUtcNow() : TimeSpan.Zero);
        return pause > TimeSpan.Zero ? pause : TimeSpan.Zero;
    }

    private static TimeSpan BackOff(int attempt) => TimeSpan.FromMilliseconds(200 << attempt);

    private async Task ExpectAsync(
        HttpResponseMessage response, string repository, string what, CancellationToken cancellationToken, params HttpStatusCode[] expected)
    {
        if (expected.Contains(response.StatusCode))
            return;

        var error = await ReadErrorAsync(response, repository, cancellationToken).ConfigureAwait(false);
        int status = (int)response.StatusCode;
        string of = repository.Length == 0 ? "" : $" of '{repository}'";
        string cure = response.StatusCode == HttpStatusCode.Unauthorized
            ? $"; log in with 'docker login {response.RequestMessage?.RequestUri?.Authority}'"
            : "";
        throw new RegistryException(status, error?.Code, repository, $"could not {what}{of}: "
            + $"the registry answered {status}{(error is null ? "" : $" {error.Code} {error.Message}".TrimEnd())}{cure}");
    }

    private async Task<RegistryError?> ReadErrorAsync(HttpResponseMessage response, string repository, CancellationToken cancellationToken)
    {
        try
        {
            byte[] body = await response.Content.ReadLimitedAsync(MaxErrorBytes, repository, Patience,
                cancellationToken).ConfigureAwait(false);
            return JsonSerializer.Deserialize(body, RegistryJson.Default.ErrorList)?.Errors is [var first, ..] ? first : null;
        }
        catch (Exception e) when (e is JsonException or RegistryException or HttpRequestException or IOException)
        {
            // Proxies answer in HTML, HEAD has no body: the status says enough.
            return null;
        }
    }

    private static T Parse<T>(string repository, byte[] bytes, Func<ReadOnlySpan<byte>, T> read)
    {
        try
        {
            return read(bytes);
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw new RegistryException(200, code: null, repository,
                $"the registry's answer about '{repository}' is not understood: {IngotException.ReasonOf(e)}", e);
        }
    }
}

internal sealed record TagList
{
    [JsonPropertyName("tags")]
    public IReadOnlyList<string?>? Tags { get; init; }
}

internal sealed record ErrorList
{
    [JsonPropertyName("errors")]
    public IReadOnlyList<RegistryError?>? Errors { get; init; }
}

internal sealed record RegistryError
{
    [JsonPropertyName("code")]
    public string? Code { get; init; }

    [JsonPropertyName("message")]
    public string? Message { get; init; }
}

[JsonSerializable(typeof(TagList))]
[JsonSerializable(typeof(ErrorList))]
internal sealed partial class RegistryJson : JsonSerializerContext;
