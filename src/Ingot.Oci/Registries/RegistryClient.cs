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
/// (<see href="https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#endpoints">distribution specification</see>). Safe for several threads.</summary>
public sealed class RegistryClient
{
    private const int Attempts = 4;
    private const int MaxPages = 10_000;
    private const int MaxErrorBytes = 64 << 10;

    private static readonly string[] s_manifestTypes = [MediaType.Manifest, MediaType.Index, MediaType.DockerManifest, MediaType.DockerManifestList];

    private readonly HttpClient _http;
    private readonly Uri _base;
    private readonly TimeProvider _time;
    private readonly RegistryAuthentication _authentication;

    /// <summary>Speaks to the registry at <paramref name="baseUri"/> (without <c>/v2/</c>; see <see cref="UriOf"/>). The client is the caller's; its timeout must allow for the largest upload.</summary>
    public RegistryClient(HttpClient http, Uri baseUri, RegistryCredentials? credentials = null, TimeProvider? time = null)
    {
        _http = http;
        _base = baseUri;
        _time = time ?? TimeProvider.System;
        _authentication = new RegistryAuthentication(http, baseUri, credentials);
    }

    /// <summary>The address of a registry by the name in a <see cref="Reference"/>: plain http on this machine itself, else https.</summary>
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
        using var response = await SendAsync(repository, () => ManifestRequest(HttpMethod.Head, repository, tagOrDigest), cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return null;

        await ExpectAsync(response, repository, $"look for '{tagOrDigest}'", cancellationToken, HttpStatusCode.OK).ConfigureAwait(false);
        if (DigestOf(response, tagOrDigest) is { } digest && response.Content.Headers is { ContentLength: { } size, ContentType.MediaType: { } type })
            return new Descriptor { MediaType = type, Digest = digest, Size = size };

        // The digest's header became a duty only lately.
        return (await GetManifestAsync(repository, tagOrDigest, cancellationToken).ConfigureAwait(false))?.Descriptor;
    }

    /// <summary>The manifest or index that a tag or digest names; null when the registry says that it does not exist.</summary>
    public async Task<RegistryManifest?> GetManifestAsync(string repository, string tagOrDigest, CancellationToken cancellationToken = default)
    {
        using var response = await SendAsync(repository, () => ManifestRequest(HttpMethod.Get, repository, tagOrDigest), cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return null;

        await ExpectAsync(response, repository, $"get '{tagOrDigest}'", cancellationToken, HttpStatusCode.OK).ConfigureAwait(false);
        byte[] bytes = await response.Content.ReadLimitedAsync(ContentStoreExtensions.MaxDocumentBytes, repository, cancellationToken).ConfigureAwait(false);
        var descriptor = Descriptor.Of(response.Content.Headers.ContentType?.MediaType ?? MediaType.Manifest, bytes);
        return DigestOf(response, tagOrDigest) is { } expected && expected != descriptor.Digest
            ? throw new ContentMismatchException($"expected '{expected}' for '{repository}' '{tagOrDigest}' and received {bytes.Length} bytes of '{descriptor.Digest}'")
            : new RegistryManifest(descriptor, bytes);
    }

    /// <summary>Stores a manifest or index under a tag or its digest. True when the registry lists it under its subject; false when it has none, or the registry does not know referrers (see <see cref="AddToFallbackTagAsync"/>).</summary>
    public async Task<bool> PutManifestAsync(string repository, string tagOrDigest, string mediaType, byte[] bytes, CancellationToken cancellationToken = default)
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
        using var response = await SendAsync(repository, () => Request(HttpMethod.Head, $"v2/{repository}/blobs/{digest}"), cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return false;

        await ExpectAsync(response, repository, $"look for the blob '{digest}'", cancellationToken, HttpStatusCode.OK).ConfigureAwait(false);
        return true;
    }

    /// <summary>A blob's bytes, verified while they are read; the caller owns the stream. Null when the registry says that it does not exist.</summary>
    public async Task<Stream?> OpenBlobAsync(string repository, Descriptor blob, CancellationToken cancellationToken = default)
    {
        var response = await SendAsync(repository, () => Request(HttpMethod.Get, $"v2/{repository}/blobs/{blob.Digest}"), cancellationToken).ConfigureAwait(false);
        try
        {
            if (response.StatusCode != HttpStatusCode.NotFound)
            {
                await ExpectAsync(response, repository, $"get the blob '{blob.Digest}'", cancellationToken, HttpStatusCode.OK).ConfigureAwait(false);
                // Disposing the content's stream releases the connection.
                return new VerifyingStream(await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false), blob.Digest, blob.Size);
            }

            response.Dispose();
            return null;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    /// <summary>Uploads a blob unless the repository has it; false when it had. <paramref name="open"/> gives its bytes from the start, each time it is called. With <paramref name="mountFrom"/>, a repository of the same registry, it is linked from there if possible.</summary>
    public async Task<bool> PushBlobAsync(string repository, Descriptor blob, Func<CancellationToken, ValueTask<Stream>> open, string? mountFrom = null, CancellationToken cancellationToken = default)
    {
        if (await HasBlobAsync(repository, blob.Digest, cancellationToken).ConfigureAwait(false))
            return false;
        if (await BeginUploadAsync(repository, blob.Digest, mountFrom, cancellationToken).ConfigureAwait(false) is not { } location)
            return true;

        char separator = location.Query.Length > 0 ? '&' : '?';
        var target = new Uri($"{location.AbsoluteUri}{separator}digest={Uri.EscapeDataString(blob.Digest.ToString())}");
        async Task<HttpRequestMessage> PutAsync()
        {
            var content = new StreamContent(await open(cancellationToken).ConfigureAwait(false)) { Headers = { ContentLength = blob.Size, ContentType = new MediaTypeHeaderValue("application/octet-stream") } };
            return new HttpRequestMessage(HttpMethod.Put, target) { Content = content };
        }

        using var response = await SendAsync(repository, PutAsync, cancellationToken).ConfigureAwait(false);
        await ExpectAsync(response, repository, $"upload the blob '{blob.Digest}'", cancellationToken, HttpStatusCode.Created).ConfigureAwait(false);
        return true;
    }

    /// <summary>Every tag of a repository, in the registry's order; none when the registry says that the repository does not exist.</summary>
    public async IAsyncEnumerable<string> ListTagsAsync(string repository, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (byte[] page in ListPagesAsync(repository, $"v2/{repository}/tags/list", "list the tags", cancellationToken).ConfigureAwait(false))
        {
            foreach (string tag in Parse(repository, page, json => JsonSerializer.Deserialize(json, RegistryJson.Default.TagList)?.Tags)?.OfType<string>() ?? [])
                yield return tag;
        }
    }

    /// <summary>The manifests whose subject is <paramref name="subject"/>, by the referrers endpoint or, where a registry has none, by the fallback tag.</summary>
    public async IAsyncEnumerable<Descriptor> ListReferrersAsync(string repository, Digest subject, string? artifactType = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        string query = artifactType is null ? "" : $"?artifactType={Uri.EscapeDataString(artifactType)}";
        bool isKnown = false;
        await foreach (byte[] page in ListPagesAsync(repository, $"v2/{repository}/referrers/{subject}{query}", "list the referrers", cancellationToken).ConfigureAwait(false))
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
    /// (<see href="https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema">referrers tag schema</see>). Two clients that do so at once may lose one entry; the specification has no remedy.</summary>
    public async Task AddToFallbackTagAsync(string repository, Digest subject, Descriptor referrer, CancellationToken cancellationToken = default)
    {
        string tag = FallbackTag(subject);
        var current = await GetManifestAsync(repository, tag, cancellationToken).ConfigureAwait(false);
        var index = current is null ? new ImageIndex { Manifests = [] } : Parse(repository, current.Bytes, ImageJson.ReadIndex);
        if (index.Manifests.Any(other => other.Digest == referrer.Digest))
            return;

        byte[] bytes = ImageJson.Write(index with { Manifests = [.. index.Manifests, referrer] });
        await PutManifestAsync(repository, tag, MediaType.Index, bytes, cancellationToken).ConfigureAwait(false);
    }

    private static string FallbackTag(Digest subject) => $"sha256-{subject.Hex}";

    private async Task<Uri?> BeginUploadAsync(string repository, Digest digest, string? mountFrom, CancellationToken cancellationToken)
    {
        string query = mountFrom is null ? "" : $"?mount={digest}&from={Uri.EscapeDataString(mountFrom)}";
        using var response = await SendAsync(repository, () => Request(HttpMethod.Post, $"v2/{repository}/blobs/uploads/{query}", new ByteArrayContent([])), cancellationToken).ConfigureAwait(false);
        if (mountFrom is not null && response.StatusCode == HttpStatusCode.Created)
            return null;

        await ExpectAsync(response, repository, $"begin to upload the blob '{digest}'", cancellationToken, HttpStatusCode.Accepted).ConfigureAwait(false);
        return response.Headers.Location is { } location
            ? new Uri(response.RequestMessage!.RequestUri!, location)
            : throw new RegistryException((int)response.StatusCode, code: null, repository, $"could not begin to upload the blob '{digest}' to '{repository}': the answer has no Location");
    }

    private async Task<bool> DeleteAsync(string repository, string path, string what, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(repository, () => Request(HttpMethod.Delete, path), cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return false;

        await ExpectAsync(response, repository, $"delete '{what}'", cancellationToken, HttpStatusCode.Accepted, HttpStatusCode.OK, HttpStatusCode.NoContent).ConfigureAwait(false);
        return true;
    }

    private async IAsyncEnumerable<byte[]> ListPagesAsync(string repository, string path, string what, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Uri? next = new(_base, path);
        for (int page = 0; next is not null; page++)
        {
            var target = next;
            if (page == MaxPages || target.Authority != _base.Authority)
                throw new RegistryException(200, code: null, repository, $"could not {what} of '{repository}': the pages lead to '{target}'");

            using var response = await SendAsync(repository, () => new HttpRequestMessage(HttpMethod.Get, target), cancellationToken).ConfigureAwait(false);
            if (response.StatusCode == HttpStatusCode.NotFound)
                yield break;

            await ExpectAsync(response, repository, what, cancellationToken, HttpStatusCode.OK).ConfigureAwait(false);
            next = NextPage(response, target);
            yield return await response.Content.ReadLimitedAsync(ContentStoreExtensions.MaxDocumentBytes, repository, cancellationToken).ConfigureAwait(false);
        }
    }

    // Link: </v2/app/tags/list?last=b>; rel="next"
    private static Uri? NextPage(HttpResponseMessage response, Uri current)
    {
        if (!response.Headers.TryGetValues("Link", out var links))
            return null;

        string? link = links.FirstOrDefault(value => value.Contains("rel=\"next\"", StringComparison.Ordinal) || value.Contains("rel=next", StringComparison.Ordinal));
        int start = link?.IndexOf('<', StringComparison.Ordinal) ?? -1, end = link?.IndexOf('>', StringComparison.Ordinal) ?? -1;
        return start < 0 || end < start ? null : new Uri(current, link![(start + 1)..end]);
    }

    private HttpRequestMessage Request(HttpMethod method, string path, HttpContent? content = null) => new(method, new Uri(_base, path)) { Content = content };

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

        return response.Headers.TryGetValues("Docker-Content-Digest", out var values) && Digest.TryParse(values.First(), out var told) ? told : null;
    }

    private Task<HttpResponseMessage> SendAsync(string repository, Func<HttpRequestMessage> make, CancellationToken cancellationToken) =>
        SendAsync(repository, () => Task.FromResult(make()), cancellationToken);

    private async Task<HttpResponseMessage> SendAsync(string repository, Func<Task<HttpRequestMessage>> make, CancellationToken cancellationToken)
    {
        if (repository.Length > 0 && !Reference.IsRepository(repository))
            throw new ArgumentException($"'{repository}' is not the name of a repository", nameof(repository));

        bool answered = false;
        for (int attempt = 1; ; attempt++)
        {
            var response = await SendOnceAsync(repository, make, cancellationToken).ConfigureAwait(false);
            bool retry = response.StatusCode == HttpStatusCode.Unauthorized
                ? !answered && (answered = await _authentication.AnswerAsync(response, repository, cancellationToken).ConfigureAwait(false))
                : attempt < Attempts && await WaitAsync(response, attempt, cancellationToken).ConfigureAwait(false);
            if (!retry)
                return response;
            response.Dispose();
        }
    }

    private async Task<HttpResponseMessage> SendOnceAsync(string repository, Func<Task<HttpRequestMessage>> make, CancellationToken cancellationToken)
    {
        using var request = await make().ConfigureAwait(false);
        _authentication.Apply(request, repository);
        try
        {
            return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
        }
        catch (HttpRequestException e) when (e.InnerException is not IngotException)
        {
            throw new RegistryException(0, code: null, repository, $"could not {request.Method} '{request.RequestUri!.GetLeftPart(UriPartial.Path)}': {e.Message}", e);
        }
        catch (HttpRequestException e)
        {
            // Our own content failed while it was sent: that is what to tell.
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e.InnerException!);
            throw;
        }
    }

    // A registry that is busy or restarting says so; anything else is an answer.
    private async Task<bool> WaitAsync(HttpResponseMessage response, int attempt, CancellationToken cancellationToken)
    {
        if (response.StatusCode is not (HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout))
            return false;

        var asked = response.Headers.RetryAfter?.Delta ?? TimeSpan.FromMilliseconds(200 << attempt);
        var pause = asked < TimeSpan.FromMinutes(1) ? asked : TimeSpan.FromMinutes(1);
        await Task.Delay(pause, _time, cancellationToken).ConfigureAwait(false);
        return true;
    }

    private static async Task ExpectAsync(HttpResponseMessage response, string repository, string what, CancellationToken cancellationToken, params HttpStatusCode[] expected)
    {
        if (expected.Contains(response.StatusCode))
            return;

        var error = await ReadErrorAsync(response, repository, cancellationToken).ConfigureAwait(false);
        int status = (int)response.StatusCode;
        string of = repository.Length == 0 ? "" : $" of '{repository}'";
        string cure = response.StatusCode == HttpStatusCode.Unauthorized ? $"; log in with 'docker login {response.RequestMessage?.RequestUri?.Authority}'" : "";
        throw new RegistryException(status, error?.Code, repository, $"could not {what}{of}: the registry answered {status}{(error is null ? "" : $" {error.Code} {error.Message}".TrimEnd())}{cure}");
    }

    private static async Task<RegistryError?> ReadErrorAsync(HttpResponseMessage response, string repository, CancellationToken cancellationToken)
    {
        try
        {
            byte[] body = await response.Content.ReadLimitedAsync(MaxErrorBytes, repository, cancellationToken).ConfigureAwait(false);
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
            throw new RegistryException(200, code: null, repository, $"the registry's answer about '{repository}' is not understood: {e.Message}", e);
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
