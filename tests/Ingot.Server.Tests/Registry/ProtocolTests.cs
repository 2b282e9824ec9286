using System.Security.Cryptography;
using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Server.Ledger;
using static Ingot.Server.Tests.Registry.RegistryFixture;

namespace Ingot.Server.Tests.Registry;

/// <summary>What stock clients ask for besides the plain requests.</summary>
public sealed class ProtocolTests : IAsyncLifetime
{
    private static readonly Digest s_sha512 = Digest.FromHash(new byte[64]);

    private RegistryFixture _registry = null!;

    public async ValueTask InitializeAsync() => _registry = await StartAsync(options => options with { Sparse = ["mirror/*"] });

    public ValueTask DisposeAsync() => _registry.DisposeAsync();

    [Theory]
    [InlineData("?digest-algorithm=sha512")]
    [InlineData("")]
    public async Task ABlobIsNamedBySha512(string hint)
    {
        byte[] bytes = RandomNumberGenerator.GetBytes(5000);
        var digest = Digest.Of(bytes, s_sha512);
        string location = (await _registry.SendAsync("POST", $"/v2/a/b/blobs/uploads/{hint}", [])).Headers.Location!.ToString();
        await ExpectAsync(202, await _registry.SendAsync("PATCH", location, bytes[..2000]));
        var put = await _registry.SendAsync("PUT", $"{location}?digest={digest}", bytes[2000..]);
        await ExpectAsync(201, put);
        Assert.Equal(digest.ToString(), put.Headers.GetValues("Docker-Content-Digest").Single());

        Assert.Equal(bytes, await _registry.Http.GetByteArrayAsync($"/v2/a/b/blobs/{digest}"));
        await ExpectAsync(404, await _registry.SendAsync("HEAD", $"/v2/a/b/blobs/{Digest.Of(bytes)}", (byte[]?)null));
        await ExpectAsync(201, await _registry.SendAsync("POST", $"/v2/c/d/blobs/uploads/?mount={digest}&from=a/b", []));
        Assert.Contains(digest, await _registry.Store.ListAsync().ToListAsync());
    }

    [Fact]
    public async Task AnUploadHintedSha512MayEndAsSha256AndGoesOnAfterARestart()
    {
        byte[] bytes = RandomNumberGenerator.GetBytes(5000);
        string location =
            (await _registry.SendAsync("POST", "/v2/a/b/blobs/uploads/?digest-algorithm=sha512", [])).Headers.Location!.ToString();
        await ExpectAsync(202, await _registry.SendAsync("PATCH", location, bytes[..2000]));
        await _registry.RestartAsync();
        await ExpectAsync(202, await _registry.SendAsync("PATCH", location, bytes[2000..]));
        await ExpectAsync(201, await _registry.SendAsync("PUT", $"{location}?digest={Digest.Of(bytes)}", []));
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("PUT")]
    public async Task ABlobThatIsNotItsSha512IsRefused(string method)
    {
        var digest = Digest.Of("other"u8, s_sha512);
        string location = method == "POST"
            ? "/v2/a/b/blobs/uploads/"
            : (await _registry.SendAsync("POST", "/v2/a/b/blobs/uploads/?digest-algorithm=sha512", [])).Headers.Location!.ToString();
        await ExpectAsync(400, await _registry.SendAsync(method, $"{location}?digest={digest}", "bytes"u8.ToArray()), "DIGEST_INVALID");
        await ExpectAsync(404, await _registry.SendAsync("GET", $"/v2/a/b/blobs/{digest}", (byte[]?)null));
    }

    [Fact]
    public async Task AManifestIsNamedBySha512WithTagsAndReferrers()
    {
        byte[] image = await _registry.MakeImageAsync("shop/web", "a");
        var digest = Digest.Of(image, s_sha512);
        var put = await _registry.SendAsync("PUT", $"/v2/shop/web/manifests/{digest}?tag=1.0&tag=latest", Body(image));
        await ExpectAsync(201, put);
        Assert.Equal(digest.ToString(), put.Headers.GetValues("Docker-Content-Digest").Single());
        Assert.Equal(image, await _registry.Http.GetByteArrayAsync("/v2/shop/web/manifests/1.0"));
        Assert.Equal(digest, _registry.Ledger.Read(view => view.Tag("shop/web", "latest"))!.Digest);
        await ExpectAsync(404, await _registry.SendAsync("HEAD", $"/v2/shop/web/manifests/{Digest.Of(image)}", (byte[]?)null));

        var subject = new Descriptor { MediaType = MediaType.Manifest, Digest = digest, Size = image.Length };
        byte[] note = await _registry.MakeImageAsync("shop/web", "b",
            manifest => manifest with { ArtifactType = "a/note", Subject = subject });
        var about = await _registry.PutManifestAsync("shop/web", Digest.Of(note).ToString(), note);
        Assert.Equal(digest.ToString(), about.Headers.GetValues("OCI-Subject").Single());
        var listed = ImageJson.ReadIndex(await _registry.Http.GetByteArrayAsync($"/v2/shop/web/referrers/{digest}"));
        Assert.Equal(Digest.Of(note), Assert.Single(listed.Manifests).Digest);
        await ExpectAsync(
            400, await _registry.PutManifestAsync("shop/web", Digest.Of("other"u8, s_sha512).ToString(), image), "DIGEST_INVALID");
        Assert.Empty((await LedgerVerifier.VerifyAsync(_registry.Home)).Problems);
    }

    [Fact]
    public async Task NothingIsDecidedAboutASha512Name()
    {
        var digest = Digest.Of("image"u8, s_sha512);
        LedgerEvent[] decisions =
        [
            new LedgerEvent.PromotionDecided("shop", "web", "shop/web", digest, "test", true, []),
            new LedgerEvent.Approved("shop", "web", digest, "test", "ann", "fine"),
            new LedgerEvent.Revoked("shop", "web", digest, "bad"),
        ];
        foreach (var decision in decisions)
            await Assert.ThrowsAsync<LedgerException>(() =>
                _registry.Ledger.AppendAsync("ann", decision, TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("bytes=0-9,100-199", new[] { 0, 10, 100, 100 })]
    [InlineData("bytes=100-199, 0-9 ,-5", new[] { 100, 100, 0, 10, 2995, 5 })]
    [InlineData("bytes=0-0,5000-6000,2999-", new[] { 0, 1, 2999, 1 })]
    public async Task SeveralRangesComeInOneAnswer(string range, int[] expected)
    {
        byte[] bytes = RandomNumberGenerator.GetBytes(3000);
        var blob = await _registry.PushBlobAsync("a/b", bytes);
        using var response = await _registry.SendAsync("GET", $"/v2/a/b/blobs/{blob.Digest}", (byte[]?)null, ("Range", range));
        Assert.Equal(206, (int)response.StatusCode);
        byte[] body = await response.Content.ReadAsByteArrayAsync();
        Assert.Equal(body.Length, response.Content.Headers.ContentLength);
        Assert.Equal("multipart/byteranges", response.Content.Headers.ContentType!.MediaType);
        string boundary = response.Content.Headers.ContentType.Parameters.Single(p => p.Name == "boundary").Value!;

        string[] parts = Encoding.Latin1.GetString(body).Split($"\r\n--{boundary}");
        Assert.Equal("", parts[0]);
        Assert.Equal("--\r\n", parts[^1]);
        Assert.Equal((expected.Length / 2) + 2, parts.Length);
        for (int i = 0; i < expected.Length / 2; i++)
        {
            var (offset, count) = (expected[2 * i], expected[(2 * i) + 1]);
            int head = parts[i + 1].IndexOf("\r\n\r\n", StringComparison.Ordinal);
            Assert.Contains($"Content-Range: bytes {offset}-{offset + count - 1}/3000", parts[i + 1][..head], StringComparison.Ordinal);
            Assert.Equal(bytes[offset..(offset + count)], Encoding.Latin1.GetBytes(parts[i + 1][(head + 4)..]));
        }
    }

    [Fact]
    public async Task AThousandRangesAreServedAndAskingForMoreThanThereIsGivesAllOnce()
    {
        byte[] bytes = RandomNumberGenerator.GetBytes(100_000);
        var blob = await _registry.PushBlobAsync("a/b", bytes);
        string many = string.Join(',', Enumerable.Range(0, 1024).Select(i => $"{i * 90}-{(i * 90) + 9}"));
        using var parts = await _registry.SendAsync("GET", $"/v2/a/b/blobs/{blob.Digest}", (byte[]?)null, ("Range", "bytes=" + many));
        Assert.Equal(206, (int)parts.StatusCode);
        using var all = await _registry.SendAsync("GET", $"/v2/a/b/blobs/{blob.Digest}", (byte[]?)null,
            ("Range", "bytes=" + string.Join(',', Enumerable.Repeat("0-", 1000))));
        Assert.Equal(200, (int)all.StatusCode);
        Assert.Equal(bytes.Length, (await all.Content.ReadAsByteArrayAsync()).Length);
    }

    [Theory]
    [InlineData("If-None-Match", "{etag}", 304)]
    [InlineData("If-None-Match", "W/{etag}", 304)]
    [InlineData("If-None-Match", "\"x\", {etag}", 304)]
    [InlineData("If-None-Match", "*", 304)]
    [InlineData("If-None-Match", "\"x\"", 200)]
    [InlineData("If-Match", "{etag}", 200)]
    [InlineData("If-Match", "*", 200)]
    [InlineData("If-Match", "\"x\"", 412)]
    [InlineData("If-Match", "W/{etag}", 412)]
    public async Task AReaderSaysWhatItHas(string header, string value, int status)
    {
        var blob = await _registry.PushBlobAsync("shop/web", "content"u8.ToArray());
        var image = await _registry.PublishAsync("shop/web", "1.0", "a");
        foreach (var (path, digest) in new[] { ($"blobs/{blob.Digest}", blob.Digest), ("manifests/1.0", image),
            ($"manifests/{image}", image) })
        {
            foreach (string method in new[] { "GET", "HEAD" })
            {
                using var response = await _registry.SendAsync(method, $"/v2/shop/web/{path}", (byte[]?)null,
                    (header, value.Replace("{etag}", $"\"{digest}\"", StringComparison.Ordinal)));
                Assert.Equal(status, (int)response.StatusCode);
                if (status < 400)
                    Assert.Equal($"\"{digest}\"", response.Headers.ETag!.ToString());
                if (status == 304)
                    Assert.Empty(await response.Content.ReadAsByteArrayAsync());
            }
        }
    }

    [Theory]
    [InlineData(true, 206)]
    [InlineData(false, 200)]
    public async Task ARangeOfAnotherVersionIsAllOfThisOne(bool isCurrent, int status)
    {
        var blob = await _registry.PushBlobAsync("a/b", "content"u8.ToArray());
        string version = isCurrent ? $"\"{blob.Digest}\"" : "\"another\"";
        await ExpectAsync(status,
            await _registry.SendAsync("GET", $"/v2/a/b/blobs/{blob.Digest}", (byte[]?)null, ("Range", "bytes=1-2"), ("If-Range", version)));
    }

    [Fact]
    public async Task AWriterSaysWhatItExpects()
    {
        byte[] first = await _registry.MakeImageAsync("scratch/web", "1"), second = await _registry.MakeImageAsync("scratch/web", "2");
        await ExpectAsync(412, await PutIfAsync("If-Match", $"\"{Digest.Of(first)}\"", first), "DENIED");
        await ExpectAsync(201, await PutIfAsync("If-None-Match", "*", first));
        await ExpectAsync(412, await PutIfAsync("If-None-Match", "*", second), "DENIED");
        await ExpectAsync(412, await PutIfAsync("If-Match", $"\"{Digest.Of(second)}\"", second), "DENIED");
        await ExpectAsync(201, await PutIfAsync("If-Match", $"\"{Digest.Of(first)}\"", second));
        await ExpectAsync(
            412,
            await _registry.SendAsync("DELETE", "/v2/scratch/web/manifests/1.0", (byte[]?)null, ("If-Match", $"\"{Digest.Of(first)}\"")),
            "DENIED");
        await ExpectAsync(202,
            await _registry.SendAsync("DELETE", "/v2/scratch/web/manifests/1.0", (byte[]?)null, ("If-Match", $"\"{Digest.Of(second)}\"")));
    }

    [Fact]
    public async Task EverythingThatIsReadHasAHead()
    {
        var image = await _registry.PublishAsync("shop/web", "1.0", "a");
        foreach (string path in new[] { "", "_catalog", "shop/web/tags/list", $"shop/web/referrers/{image}", "shop/web/manifests/1.0" })
        {
            using var get = await _registry.SendAsync("GET", $"/v2/{path}", (byte[]?)null);
            using var head = await _registry.SendAsync("HEAD", $"/v2/{path}", (byte[]?)null);
            await ExpectAsync(200, head);
            Assert.Equal(get.Content.Headers.ContentLength, head.Content.Headers.ContentLength);
            Assert.Equal(get.Content.Headers.ContentType, head.Content.Headers.ContentType);
            Assert.Empty(await head.Content.ReadAsByteArrayAsync());
        }
    }

    [Fact]
    public async Task BuildKitsCacheIsAnIndexOfLayers()
    {
        var layer = await _registry.PushBlobAsync("shop/cache", "layer"u8.ToArray(), MediaType.LayerGzip);
        var config = await _registry.PushBlobAsync("shop/cache", "{}"u8.ToArray(), "application/vnd.buildkit.cacheconfig.v0");
        await ExpectAsync(201, await _registry.PutManifestAsync("shop/cache", "main", Index(layer, config), MediaType.Index));

        await ExpectAsync(
            404,
            await _registry.PutManifestAsync("shop/cache", "a", Index(layer with { Digest = Digest.Of("gone"u8) }), MediaType.Index),
            "MANIFEST_BLOB_UNKNOWN");
        await ExpectAsync(400, await _registry.PutManifestAsync("shop/cache", "b", Index(layer with { Size = 1 }), MediaType.Index),
            "MANIFEST_INVALID");
    }

    [Fact]
    public async Task AnIndexNamesWhatIsMissingOnlyWhereThatIsAllowed()
    {
        var missing = new Descriptor { MediaType = MediaType.Manifest, Digest = Digest.Of("far away"u8), Size = 8 };
        await ExpectAsync(404, await _registry.PutManifestAsync("shop/web", "1.0", Index(missing), MediaType.Index),
            "MANIFEST_BLOB_UNKNOWN");
        await ExpectAsync(201, await _registry.PutManifestAsync("mirror/web", "1.0", Index(missing), MediaType.Index));

        // What is there must be what the index says all the same, and blobs are never left out.
        var image = await _registry.PublishAsync("mirror/web", "2.0", "a");
        await ExpectAsync(
            400,
            await _registry.PutManifestAsync("mirror/web", "3.0", Index(missing with { Digest = image }), MediaType.Index),
            "MANIFEST_INVALID");
        await ExpectAsync(
            404,
            await _registry.PutManifestAsync("mirror/web", "4.0", Index(missing with { MediaType = MediaType.LayerGzip }), MediaType.Index),
            "MANIFEST_BLOB_UNKNOWN");
    }

    private static byte[] Index(params Descriptor[] parts) => ImageJson.Write(new ImageIndex { Manifests = parts });

    private static ByteArrayContent Body(byte[] manifest) => new(manifest) { Headers = { ContentType = new(MediaType.Manifest) } };

    private Task<HttpResponseMessage> PutIfAsync(string header, string value, byte[] manifest) =>
        _registry.SendAsync("PUT", "/v2/scratch/web/manifests/1.0", Body(manifest), (header, value));
}
