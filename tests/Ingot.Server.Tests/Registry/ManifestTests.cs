using System.Text;
using System.Text.Json;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Server.Ledger;
using static Ingot.Server.Tests.Registry.RegistryFixture;

namespace Ingot.Server.Tests.Registry;

public sealed class ManifestTests : IAsyncLifetime
{
    private const string Missing = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

    private RegistryFixture _registry = null!;

    public async ValueTask InitializeAsync() => _registry = await StartAsync();

    public ValueTask DisposeAsync() => _registry.DisposeAsync();

    [Theory]
    [InlineData("1.0")]
    [InlineData("_x.Y-z")]
    public async Task AManifestComesBackByTagAndByDigestByteForByte(string tag)
    {
        // White space and order that nobody would write again.
        var image = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(await _registry.MakeImageAsync("shop/web", "a")).Replace(",", " ,\n ",
            StringComparison.Ordinal));
        var digest = Digest.Of(image);
        var pushed = await _registry.PutManifestAsync("shop/web", tag, image, MediaType.Manifest + "; charset=utf-8");
        await ExpectAsync(201, pushed);
        Assert.Equal($"/v2/shop/web/manifests/{digest}", pushed.Headers.Location!.ToString());
        Assert.Equal(digest.ToString(), pushed.Headers.GetValues("Docker-Content-Digest").Single());

        foreach (string reference in new[] { tag, digest.ToString() })
        {
            var get = await _registry.SendAsync("GET", $"/v2/shop/web/manifests/{reference}", (byte[]?)null);
            await ExpectAsync(200, get);
            Assert.Equal(image, await get.Content.ReadAsByteArrayAsync());
            Assert.Equal(MediaType.Manifest, get.Content.Headers.ContentType!.ToString());
            Assert.Equal(digest.ToString(), get.Headers.GetValues("Docker-Content-Digest").Single());
            var head = await _registry.SendAsync("HEAD", $"/v2/shop/web/manifests/{reference}", (byte[]?)null);
            await ExpectAsync(200, head);
            Assert.Equal(image.Length, head.Content.Headers.ContentLength);
        }
    }

    [Fact]
    public async Task AManifestWithUnknownMembersAndEmbeddedDataIsAccepted()
    {
        var node = System.Text.Json.Nodes.JsonNode.Parse(await _registry.MakeImageAsync("shop/web", "a"))!;
        node["x-custom"] = System.Text.Json.Nodes.JsonNode.Parse("""{"a":[1,null,{"b":1e400}]}""");
        node["config"]!["data"] =
            Convert.ToBase64String((await _registry.Store.ReadAsync(Digest.Parse((string)node["config"]!["digest"]!)))!);
        node["config"]!["urls"] = new System.Text.Json.Nodes.JsonArray("https://example.com/");
        await ExpectAsync(201, await _registry.PutManifestAsync("shop/web", "1.0", Encoding.UTF8.GetBytes(node.ToJsonString())));
    }

    [Fact]
    public async Task ALargeManifestIsAcceptedAndOneTooLargeIsNot()
    {
        var annotations =
            new SortedDictionary<string, string>(Enumerable.Range(0, 390).ToDictionary(i => $"key{i:000}", i => new string('x', 10_000)));
        await _registry.PublishAsync("shop/web", "large", "a", manifest => manifest with { Annotations = annotations });
        await ExpectAsync(413, await _registry.PutManifestAsync("shop/web", "too-large", new byte[(8 << 20) + 1]), "MANIFEST_INVALID");
    }

    [Fact]
    public async Task ImagesOfUnusualShapesAreAccepted()
    {
        await _registry.PublishAsync("shop/web", "no-layers", "a", manifest => manifest with { Layers = [] });
        var foreign = new Descriptor
        {
            MediaType = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            Digest = Digest.Parse(Missing),
            Size = 1,
        };
        await _registry.PublishAsync("shop/web", "foreign", "a", manifest => manifest with { Layers = [foreign] });
        await _registry.PublishAsync("shop/web", "artifact", "a", manifest => manifest with { ArtifactType = "application/example" });
        await _registry.PublishAsync("shop/web", "missing-subject", "a", manifest => manifest with { Subject = foreign });
        var docker = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(await _registry.MakeImageAsync("shop/web", "docker"))
            .Replace(MediaType.Manifest, MediaType.DockerManifest, StringComparison.Ordinal));
        await ExpectAsync(201, await _registry.PutManifestAsync("shop/web", "docker", docker, MediaType.DockerManifest));
        await ExpectAsync(201, await _registry.PutManifestAsync("shop/web", "typed-by-itself",
            await _registry.MakeImageAsync("shop/web", "b"), mediaType: null));
    }

    [Fact]
    public async Task IndexesAndIndexesOfIndexesAreAccepted()
    {
        var image = await _registry.PublishAsync("shop/web", "1.0", "a");
        long size = _registry.Ledger.Read(view => view.Manifest("shop/web", image))!.Size;
        var inner = ImageJson.Write(new ImageIndex
        {
            Manifests = [new Descriptor { MediaType = MediaType.Manifest, Digest = image, Size = size }],
        });
        await ExpectAsync(201, await _registry.PutManifestAsync("shop/web", Digest.Of(inner).ToString(), inner, MediaType.Index));
        var outer = ImageJson.Write(new ImageIndex { Manifests = [Descriptor.Of(MediaType.Index, inner)] });
        await ExpectAsync(201, await _registry.PutManifestAsync("shop/web", "all", outer, MediaType.Index));
        await ExpectAsync(201,
            await _registry.PutManifestAsync("shop/web", "none", ImageJson.Write(new ImageIndex { Manifests = [] }), MediaType.Index));
    }

    [Fact]
    public async Task AManifestThatNamesWhatIsNotThereIsRefused()
    {
        var absent = new Descriptor { MediaType = MediaType.LayerGzip, Digest = Digest.Parse(Missing), Size = 1 };
        var image = await _registry.MakeImageAsync("shop/web", "a", manifest => manifest with { Layers = [absent] });
        await ExpectAsync(404, await _registry.PutManifestAsync("shop/web", "1.0", image), "MANIFEST_BLOB_UNKNOWN");
        image = await _registry.MakeImageAsync("shop/web", "a", manifest => manifest with { Config = absent });
        await ExpectAsync(404, await _registry.PutManifestAsync("shop/web", "1.0", image), "MANIFEST_BLOB_UNKNOWN");
        var index = ImageJson.Write(new ImageIndex { Manifests = [absent] });
        await ExpectAsync(404, await _registry.PutManifestAsync("shop/web", "1.0", index, MediaType.Index), "MANIFEST_BLOB_UNKNOWN");

        // In the store, but never published in this repository.
        var elsewhere = await _registry.MakeImageAsync("other/web", "b");
        await ExpectAsync(201, await _registry.PutManifestAsync("other/web", "1.0", elsewhere));
        index = ImageJson.Write(new ImageIndex { Manifests = [Descriptor.Of(MediaType.Manifest, elsewhere)] });
        await ExpectAsync(404, await _registry.PutManifestAsync("shop/web", "1.0", index, MediaType.Index), "MANIFEST_BLOB_UNKNOWN");
        Assert.Equal(2, _registry.Ledger.Size);
    }

    [Fact]
    public async Task AManifestThatIsWrongAboutASizeIsRefused()
    {
        var image = await _registry.MakeImageAsync("shop/web", "a",
            manifest => manifest with { Layers = [manifest.Layers[0] with { Size = 5 }] });
        await ExpectAsync(400, await _registry.PutManifestAsync("shop/web", "1.0", image), "MANIFEST_INVALID");
        image = await _registry.MakeImageAsync("shop/web", "a",
            manifest => manifest with { Layers = [manifest.Layers[0] with { Size = -1 }] });
        await ExpectAsync(400, await _registry.PutManifestAsync("shop/web", "1.0", image), "MANIFEST_INVALID");
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("\"text\"")]
    [InlineData("{\"schemaVersion\":1}")]
    [InlineData("{\"schemaVersion\":2,\"config\":null,\"layers\":[]}")]
    [InlineData("{\"schemaVersion\":2,\"config\":{},\"layers\":[]}")]
    [InlineData("{\"schemaVersion\":2,\"config\":{\"mediaType\":null,"
        + "\"digest\":\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\"size\":2},\"layers\":[]}")]
    [InlineData("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"a/b\","
        + "\"digest\":\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\"size\":2},\"layers\":[null]}")]
    [InlineData("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"a/b\","
        + "\"digest\":\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\"size\":1e99},\"layers\":[]}")]
    [InlineData("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"a/b\",\"digest\":\"sha256:44136\",\"size\":2},\"layers\":[]}")]
    [InlineData("{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[]}")]
    public async Task WhatIsNoManifestIsRefused(string json)
    {
        await _registry.PushBlobAsync("shop/web", "{}"u8.ToArray());
        await ExpectAsync(400, await _registry.PutManifestAsync("shop/web", "1.0", Encoding.UTF8.GetBytes(json)), "MANIFEST_INVALID");
        Assert.Equal(0, _registry.Ledger.Size);
    }

    [Fact]
    public async Task AManifestNestedWithoutEndIsRefused() => await ExpectAsync(
        400, await _registry.PutManifestAsync("shop/web", "1.0", Encoding.UTF8.GetBytes("{\"a\":" + new string('[', 100_000))),
        "MANIFEST_INVALID");

    [Fact]
    public async Task AManifestThatIsNotUtf8IsRefused() =>
        await ExpectAsync(400, await _registry.PutManifestAsync("shop/web", "1.0", [.. "{\"mediaType\":\""u8, 0xff, 0xfe, .. "\"}"u8]),
            "MANIFEST_INVALID");

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/json")]
    [InlineData("application/vnd.docker.distribution.manifest.v1+prettyjws")]
    public async Task AMediaTypeThatIsNoManifestsIsRefused(string mediaType) => await ExpectAsync(
        400, await _registry.PutManifestAsync("shop/web", "1.0", await _registry.MakeImageAsync("shop/web", "a"), mediaType),
        "MANIFEST_INVALID");

    [Fact]
    public async Task AnArtifactTypeOfAbsurdLengthIsRefused()
    {
        var image = await _registry.MakeImageAsync("shop/web", "a", manifest => manifest with { ArtifactType = new string('a', 100_000) });
        await ExpectAsync(400, await _registry.PutManifestAsync("shop/web", "1.0", image), "MANIFEST_INVALID");
    }

    [Theory]
    [InlineData(Missing, "DIGEST_INVALID")]
    [InlineData("sha256:baddigeststring", "DIGEST_INVALID")]
    [InlineData(
        "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
        "DIGEST_INVALID")]
    [InlineData(".starts-with-a-dot", "MANIFEST_INVALID")]
    [InlineData("ümlaut", "MANIFEST_INVALID")]
    public async Task ANameThatIsNotTheManifestsIsRefused(string reference, string code) =>
        await ExpectAsync(
            400, await _registry.PutManifestAsync("shop/web", reference, await _registry.MakeImageAsync("shop/web", "a")), code);

    [Fact]
    public async Task WhatWasNeverPublishedIsUnknown()
    {
        await ExpectAsync(404, await _registry.SendAsync("GET", "/v2/shop/web/manifests/1.0", (byte[]?)null), "NAME_UNKNOWN");
        var image = await _registry.PublishAsync("shop/web", "1.0", "a");
        await ExpectAsync(404, await _registry.SendAsync("GET", "/v2/shop/web/manifests/2.0", (byte[]?)null), "MANIFEST_UNKNOWN");
        await ExpectAsync(404, await _registry.SendAsync("GET", $"/v2/shop/web/manifests/{Missing}", (byte[]?)null), "MANIFEST_UNKNOWN");
        await ExpectAsync(404, await _registry.SendAsync("HEAD", $"/v2/other/web/manifests/{image}", (byte[]?)null));
        await ExpectAsync(
            400, await _registry.SendAsync("GET", "/v2/shop/web/manifests/sha256:baddigeststring", (byte[]?)null), "DIGEST_INVALID");
    }

    [Fact]
    public async Task PublishingTheSameAgainWritesNothing()
    {
        await _registry.PublishAsync("shop/web", "1.0", "a");
        long size = _registry.Ledger.Size;
        await _registry.PublishAsync("shop/web", "1.0", "a");

        Assert.Equal(2, size);
        Assert.Equal(size, _registry.Ledger.Size);
    }

    [Fact]
    public async Task ATagIsNotMovedAndTheAnswerNamesBothDigestsAndTheCure()
    {
        var first = await _registry.PublishAsync("shop/web", "1.0", "a");
        var other = await _registry.MakeImageAsync("shop/web", "b");
        var refused = await _registry.PutManifestAsync("shop/web", "1.0", other);

        await ExpectAsync(409, refused, "DENIED");
        string body = await refused.Content.ReadAsStringAsync();
        Assert.Contains(first.ToString(), body, StringComparison.Ordinal);
        Assert.Contains(Digest.Of(other).ToString(), body, StringComparison.Ordinal);
        Assert.Contains("publish under a new version", body, StringComparison.Ordinal);
        Assert.StartsWith("299 - ", refused.Headers.GetValues("Warning").Single(), StringComparison.Ordinal);
        Assert.Equal(first, _registry.Ledger.Read(view => view.Tag("shop/web", "1.0"))!.Digest);
        await ExpectAsync(404, await _registry.SendAsync("GET", $"/v2/shop/web/manifests/{Digest.Of(other)}", (byte[]?)null));
    }

    [Fact]
    public async Task OfManyWhoBindATagAtOnceOneWins()
    {
        var images = new List<byte[]>();
        for (int i = 0; i < 12; i++)
            images.Add(await _registry.MakeImageAsync("shop/web", $"{i}"));
        var answers = await Task.WhenAll(images.Select(image => _registry.PutManifestAsync("shop/web", "1.0", image)));

        Assert.Single(answers, answer => (int)answer.StatusCode == 201);
        Assert.Equal(11, answers.Count(answer => (int)answer.StatusCode == 409));
        Assert.Equal(2, _registry.Ledger.Size);
    }

    [Fact]
    public async Task ManyWhoPublishAtOnceAllDo()
    {
        await Task.WhenAll(Enumerable.Range(0, 24).Select(i => _registry.PublishAsync($"shop/web{i % 3}", $"1.{i}", $"layer {i / 2}")));

        Assert.Equal(24, _registry.Ledger.Read(view => view.Entries(0, 100, new LedgerFilter { Kind = "tag-bound" })).Count);
        Assert.Empty((await LedgerVerifier.VerifyAsync(_registry.Home)).Problems);
        Assert.Empty(Directory.GetFiles(_registry.Uploads));
    }

    [Fact]
    public async Task TagsMoveWhereThatIsAllowed()
    {
        await _registry.PublishAsync("scratch/web", "1.0", "a");
        var second = await _registry.PublishAsync("scratch/web", "1.0", "b");

        Assert.Equal(second, _registry.Ledger.Read(view => view.Tag("scratch/web", "1.0"))!.Digest);
    }

    [Fact]
    public async Task SeveralTagsAreBoundInOneRequestAllOrNone()
    {
        var image = await _registry.MakeImageAsync("shop/web", "a");
        var answer = await _registry.PutManifestAsync("shop/web", $"{Digest.Of(image)}?tag=1.0&tag=1.0.0", image);
        await ExpectAsync(201, answer);
        Assert.Equal(["1.0", "1.0.0"], answer.Headers.GetValues("OCI-Tag"));

        var other = await _registry.MakeImageAsync("shop/web", "b");
        await ExpectAsync(409, await _registry.PutManifestAsync("shop/web", $"{Digest.Of(other)}?tag=2.0&tag=1.0", other), "DENIED");
        Assert.Null(_registry.Ledger.Read(view => view.Tag("shop/web", "2.0")));
        string many = string.Join('&', Enumerable.Range(0, 101).Select(i => $"tag=t{i}"));
        await ExpectAsync(414, await _registry.PutManifestAsync("shop/web", $"{Digest.Of(other)}?{many}", other));
    }

    [Fact]
    public async Task NothingIsDeletedFromAProductsRepository()
    {
        var image = await _registry.PublishAsync("shop/web", "1.0", "a");
        await ExpectAsync(405, await _registry.SendAsync("DELETE", "/v2/shop/web/manifests/1.0", (byte[]?)null), "UNSUPPORTED");
        await ExpectAsync(405, await _registry.SendAsync("DELETE", $"/v2/shop/web/manifests/{image}", (byte[]?)null), "UNSUPPORTED");
        await ExpectAsync(200, await _registry.SendAsync("GET", "/v2/shop/web/manifests/1.0", (byte[]?)null));
    }

    [Fact]
    public async Task DeletingATagKeepsTheManifestAndDeletingTheManifestTakesItsTags()
    {
        var image = await _registry.PublishAsync("scratch/web", "1.0", "a");
        await _registry.PublishAsync("scratch/web", "1.1", "a");
        await ExpectAsync(202, await _registry.SendAsync("DELETE", "/v2/scratch/web/manifests/1.0", (byte[]?)null));
        await ExpectAsync(404, await _registry.SendAsync("GET", "/v2/scratch/web/manifests/1.0", (byte[]?)null), "MANIFEST_UNKNOWN");
        await ExpectAsync(404, await _registry.SendAsync("DELETE", "/v2/scratch/web/manifests/1.0", (byte[]?)null), "MANIFEST_UNKNOWN");
        await ExpectAsync(200, await _registry.SendAsync("GET", $"/v2/scratch/web/manifests/{image}", (byte[]?)null));

        await ExpectAsync(202, await _registry.SendAsync("DELETE", $"/v2/scratch/web/manifests/{image}", (byte[]?)null));
        await ExpectAsync(404, await _registry.SendAsync("GET", "/v2/scratch/web/manifests/1.1", (byte[]?)null));
        await ExpectAsync(404, await _registry.SendAsync("GET", $"/v2/scratch/web/manifests/{image}", (byte[]?)null));
        await _registry.PublishAsync("scratch/web", "1.0", "a");
        Assert.True((await LedgerVerifier.VerifyAsync(_registry.Home)).Ok);
    }

    [Fact]
    public async Task TagsAreListedInOrderAndByPage()
    {
        foreach (string tag in new[] { "b", "a", "C", "1.10", "1.9" })
            await _registry.PublishAsync("shop/web", tag, "a");

        Assert.Equal(["1.10", "1.9", "C", "a", "b"], (await ListAsync("/v2/shop/web/tags/list")).Tags);
        var (page, next) = await ListAsync("/v2/shop/web/tags/list?n=2");
        Assert.Equal(["1.10", "1.9"], page);
        (page, next) = await ListAsync(next!);
        Assert.Equal(["C", "a"], page);
        (page, next) = await ListAsync(next!);
        Assert.Equal(["b"], page);
        Assert.Null(next);
        Assert.Equal(["a", "b"], (await ListAsync("/v2/shop/web/tags/list?last=C")).Tags);
        (page, next) = await ListAsync("/v2/shop/web/tags/list?n=0");
        Assert.Empty(page);
        Assert.Null(next);
        Assert.Null((await ListAsync("/v2/shop/web/tags/list?n=5")).Next);
        Assert.Null((await ListAsync("/v2/shop/web/tags/list?n=2147483646")).Next);
        await ExpectAsync(400, await _registry.SendAsync("GET", "/v2/shop/web/tags/list?n=-1", (byte[]?)null));
        await ExpectAsync(400, await _registry.SendAsync("GET", "/v2/shop/web/tags/list?n=x", (byte[]?)null));
        await ExpectAsync(404, await _registry.SendAsync("GET", "/v2/other/web/tags/list", (byte[]?)null), "NAME_UNKNOWN");
    }

    [Fact]
    public async Task RepositoriesAreListed()
    {
        await _registry.PublishAsync("b", "1", "a");
        await _registry.PublishAsync("a/b", "1", "a");
        Assert.Equal("""{"repositories":["a/b","b"]}""", await _registry.Http.GetStringAsync("/v2/_catalog"));
        Assert.Equal("""{"repositories":["a/b"]}""", await _registry.Http.GetStringAsync("/v2/_catalog?n=1"));
    }

    private async Task<(IReadOnlyList<string> Tags, string? Next)> ListAsync(string path)
    {
        var response = await _registry.SendAsync("GET", path, (byte[]?)null);
        await ExpectAsync(200, response);
        var tags = JsonSerializer.Deserialize<JsonElement>(await response.Content.ReadAsStringAsync()).GetProperty("tags").EnumerateArray()
            .Select(tag => tag.GetString()!);
        string? next = response.Headers.TryGetValues("Link", out var links) ? links.Single().Split('<', '>')[1] : null;
        return ([.. tags], next);
    }
}
