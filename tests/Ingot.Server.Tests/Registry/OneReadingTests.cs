using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Testing;
using static Ingot.Server.Tests.Registry.RegistryFixture;

namespace Ingot.Server.Tests.Registry;

/// <summary>What readers would read differently is not accepted, under no name.</summary>
public sealed class OneReadingTests : IAsyncLifetime
{
    private RegistryFixture _registry = null!;

    public static TheoryData<string> Documents => [.. HostileDocument.Names];

    public async ValueTask InitializeAsync() => _registry = await StartAsync();

    public ValueTask DisposeAsync() => _registry.DisposeAsync();

    [Theory]
    [MemberData(nameof(Documents))]
    public async Task IsNotAccepted(string name)
    {
        var store = new MemoryStore();
        var hostile = await HostileDocument.MakeAsync(name, store);
        await foreach (var digest in store.ListAsync())
            await _registry.PushBlobAsync("scratch/web", (await store.ReadAsync(digest))!);
        await foreach (var digest in store.ListAsync())
        {
            byte[] bytes = (await store.ReadAsync(digest))!;
            if (digest != hostile.Digest && bytes.AsSpan().StartsWith("{\"schemaVersion\":2,"u8) && hostile.Kind == "index")
                await ExpectAsync(201, await _registry.PutManifestAsync("scratch/web", digest.ToString(), bytes));
        }

        foreach (string reference in new[] { "1.0", hostile.Digest.ToString(), Digest.Of(hostile.Image, s_sha512).ToString() })
        {
            var answer = await _registry.PutManifestAsync("scratch/web", reference, hostile.Image, hostile.MediaType);
            await ExpectAsync(400, answer, "MANIFEST_INVALID");
            await ExpectAsync(404, await _registry.SendAsync("GET", $"/v2/scratch/web/manifests/{reference}", (byte[]?)null));
        }

        Assert.Null(_registry.Ledger.Read(view => view.Tag("scratch/web", "1.0")));
    }

    [Theory]
    [InlineData(MediaType.Index, MediaType.Manifest)]
    [InlineData(MediaType.DockerManifest, MediaType.Manifest)]
    [InlineData(MediaType.Manifest, MediaType.Index)]
    public async Task IsNotAcceptedUnderTwoMediaTypes(string said, string written)
    {
        var image = await _registry.PublishAsync("scratch/web", "1.0", "a");
        byte[] document = written == MediaType.Index
            ? ImageJson.Write(new ImageIndex { Manifests = [] })
            : (await _registry.Store.ReadAsync(image))!;
        await ExpectAsync(400, await _registry.PutManifestAsync("scratch/web", "2.0", document, said), "MANIFEST_INVALID");
    }

    [Theory]
    [InlineData("application/vnd.docker.distribution.manifest.v1+json")]
    [InlineData("application/vnd.docker.distribution.manifest.v1+prettyjws")]
    public async Task Schema1IsRefusedWithTheCure(string mediaType)
    {
        var answer = await _registry.PutManifestAsync("scratch/web", "1.0", """{"schemaVersion":1,"fsLayers":[]}"""u8.ToArray(), mediaType);
        await ExpectAsync(400, answer, "MANIFEST_INVALID");
        Assert.Contains("skopeo copy --format v2s2", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    private static readonly Digest s_sha512 = Digest.FromHash(new byte[64]);
}
