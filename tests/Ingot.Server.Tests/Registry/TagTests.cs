using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Server.Api;
using Ingot.Server.Control;
using Ingot.Server.Ledger;
using static Ingot.Server.Tests.Registry.RegistryFixture;

namespace Ingot.Server.Tests.Registry;

/// <summary>When a tag moves where tags do not move, and who may free one.</summary>
public sealed class TagTests : IAsyncLifetime
{
    private const string Signature = "dev.cosignproject.cosign/signature";

    private RegistryFixture _registry = null!;

    public async ValueTask InitializeAsync() => _registry = await StartAsync(options => options with
    {
        Actor = http => (string?)http.Request.Headers["X-Test-User"] ?? "anonymous",
        IsVersion = (_, tag, _, _) => Task.FromResult(tag != "taken"),
        IsAdministrator = http => http.Request.Headers["X-Test-User"] == "root",
        // A signature that begins with "trusted" is by a trusted key; what follows is its wrapping.
        TrustedSignature = (image, descriptor, content, _) => Task.FromResult(
            descriptor.Annotations?.GetValueOrDefault(Signature)?.Split('+') is ["trusted", ..]
                && content.Span.IndexOf(Encoding.ASCII.GetBytes(image)) >= 0
                ? "key " + Digest.Of(content.Span)
                : null),
    });

    public ValueTask DisposeAsync() => _registry.DisposeAsync();

    [Fact]
    public async Task ATagMovesFromAnImageToTheIndexThatHoldsItOnce()
    {
        var (image, descriptor) = await PublishAsync("1.0", "a");
        byte[] index = Index(descriptor), wider = Index(descriptor, (await PublishAsync("other", "b")).Descriptor);
        await ExpectAsync(201, await PutIndexAsync("1.0", index));
        await ExpectAsync(201, await PutIndexAsync("1.0", index));
        Assert.Equal(Digest.Of(index), Tag("1.0"));
        var moved = _registry.Ledger.Read(view => view.Latest(1)).Single().Event;
        Assert.Equal(new LedgerEvent.TagBound("shop/web", "1.0", Digest.Of(index), image), moved);

        await ExpectAsync(409, await PutIndexAsync("1.0", wider), "DENIED");
        await ExpectAsync(409, await PutIndexAsync("1.0", Index(Descriptor.Of(MediaType.Index, index))), "DENIED");
        Assert.Equal(Digest.Of(index), Tag("1.0"));
    }

    [Fact]
    public async Task ImagesOfOtherPlatformsAreKeptUntilTheIndexTakesTheTag()
    {
        var (image, descriptor) = await PublishAsync("1.0", "a");
        byte[] arm = await _registry.MakeImageAsync("shop/web", "b", architecture: "arm64");
        byte[] attestation = await _registry.MakeImageAsync("shop/web", "{}", architecture: "unknown");
        foreach (byte[] part in new[] { arm, attestation })
        {
            var answer = await PutAsync("1.0", part, MediaType.Manifest, "ann");
            await ExpectAsync(201, answer);
            Assert.False(answer.Headers.Contains("OCI-Tag"));
            Assert.Equal(image, Tag("1.0"));
        }

        byte[] index = Index(descriptor, Descriptor.Of(MediaType.Manifest, arm), Descriptor.Of(MediaType.Manifest, attestation));
        await ExpectAsync(201, await PutIndexAsync("1.0", index));
        Assert.Equal(Digest.Of(index), Tag("1.0"));
        await ExpectAsync(409, await PutAsync("1.0", arm, MediaType.Manifest, "ann"), "DENIED");
    }

    [Fact]
    public async Task AnImageOfTheSamePlatformOrOfAnotherUserOrAfterADecisionIsNoPart()
    {
        var (image, _) = await PublishAsync("1.0", "a");
        byte[] arm = await _registry.MakeImageAsync("shop/web", "b", architecture: "arm64");
        await ExpectAsync(409, await PutAsync("1.0", await _registry.MakeImageAsync("shop/web", "c"), MediaType.Manifest, "ann"), "DENIED");
        await ExpectAsync(409, await PutAsync("1.0", arm, MediaType.Manifest, "mallory"), "DENIED");
        await DecideAsync(image, admitted: true);
        await ExpectAsync(409, await PutAsync("1.0", arm, MediaType.Manifest, "ann"), "DENIED");
        Assert.Equal(image, Tag("1.0"));
    }

    [Fact]
    public async Task ATagDoesNotMoveToAnIndexWithoutItsImage()
    {
        await PublishAsync("1.0", "a");
        var (_, other) = await PublishAsync("2.0", "b");
        await ExpectAsync(409, await PutIndexAsync("1.0", Index(other)), "DENIED");
        await ExpectAsync(409, await PutIndexAsync("1.0", Index()), "DENIED");
    }

    [Fact]
    public async Task ATagDoesNotMoveToAnotherUsersIndex()
    {
        var (_, image) = await PublishAsync("1.0", "a");
        await ExpectAsync(409, await PutIndexAsync("1.0", Index(image), "mallory"), "DENIED");
    }

    [Theory]
    [InlineData(true, 409)]
    [InlineData(false, 201)]
    public async Task ATagDoesNotMoveOnceItsImageWasAdmitted(bool isAdmitted, int status)
    {
        var (digest, image) = await PublishAsync("1.0", "a");
        await DecideAsync(digest, isAdmitted);
        await DecideAsync(digest, admitted: false);
        await ExpectAsync(status, await PutIndexAsync("1.0", Index(image)));
    }

    [Fact]
    public async Task AnAdministratorFreesATagThatNothingWasDecidedOn()
    {
        var (squatted, _) = await PublishAsync("1.0", "not ours", "mallory");
        await ExpectAsync(405, await DeleteAsync("1.0", "mallory"), "UNSUPPORTED");
        await ExpectAsync(405, await DeleteAsync(squatted.ToString(), "root"), "UNSUPPORTED");
        await ExpectAsync(202, await DeleteAsync("1.0", "root"));
        var entry = _registry.Ledger.Read(view => view.Latest(1)).Single();
        Assert.Equal("root", entry.Actor);
        Assert.Equal(new LedgerEvent.TagDeleted("shop/web", "1.0", squatted), entry.Event);

        var (ours, _) = await PublishAsync("1.0", "ours");
        Assert.Equal(ours, Tag("1.0"));
        await ExpectAsync(200, await _registry.SendAsync("GET", $"/v2/shop/web/manifests/{squatted}", (byte[]?)null));
        Assert.Empty((await LedgerVerifier.VerifyAsync(_registry.Home)).Problems);
    }

    [Fact]
    public async Task ATagOfWhatWasEverAdmittedIsNotFreed()
    {
        var (digest, _) = await PublishAsync("1.0", "a");
        await DecideAsync(digest, admitted: true);
        await DecideAsync(digest, admitted: false);
        await _registry.Ledger.AppendAsync("x", new LedgerEvent.Revoked("shop", "web", digest, "bad"),
            TestContext.Current.CancellationToken);
        await ExpectAsync(409, await DeleteAsync("1.0", "root"), "DENIED");
        var desk = new TagDesk(_registry.Ledger);
        var e = await Assert.ThrowsAsync<ApiException>(() =>
            desk.FreeAsync(new TagRequest("shop/web", "1.0", "why not"), "root", TestContext.Current.CancellationToken));
        Assert.Equal("refused", e.Code);
        Assert.Equal(digest, Tag("1.0"));
    }

    [Fact]
    public async Task ATagThatNamesNoVersionOfWhatWasAdmittedIsFreed()
    {
        var (digest, _) = await PublishAsync("1.0", "a");
        await DecideAsync(digest, admitted: true);
        await PublishAsync("taken", "a", "mallory");
        await ExpectAsync(409, await DeleteAsync("1.0", "root"), "DENIED");
        await ExpectAsync(405, await DeleteAsync("taken", "mallory"), "UNSUPPORTED");
        await ExpectAsync(202, await DeleteAsync("taken", "root"));
        Assert.Null(Tag("taken"));

        await PublishAsync("taken", "a", "mallory");
        var desk = new TagDesk(_registry.Ledger, (_, tag, _, _) => Task.FromResult(tag != "taken"));
        Assert.Equal(digest,
            (await desk.FreeAsync(new TagRequest("shop/web", "taken", "squatted"), "root", TestContext.Current.CancellationToken)).Digest);
        await Assert.ThrowsAsync<ApiException>(() =>
            desk.FreeAsync(new TagRequest("shop/web", "1.0", "why not"), "root", TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task SignaturesAreNotReplacedByWhatLooksLikeThem()
    {
        var (digest, _) = await PublishAsync("1.0", "a");
        string tag = $"sha256-{digest.Hex}.sig";
        var signed = await SignedAsync("payload", "one");
        var one = signed with { Annotations = new() { ["a"] = "1\nb=2", ["c=d"] = "e" } };
        await ExpectAsync(201, await PutSignaturesAsync(tag, one));
        foreach (var other in new[]
        {
            one with { MediaType = "application/x-junk" },
            one with { Annotations = new() { ["a"] = "1", ["b"] = "2", ["c=d"] = "e" } },
            one with { Annotations = new() { ["a"] = "1\nb=2", ["c"] = "d=e" } },
        })
            await ExpectAsync(409, await PutSignaturesAsync(tag, other), "DENIED");
        await ExpectAsync(201, await PutSignaturesAsync(tag, one, signed));
    }

    [Fact]
    public async Task AnAccessoryTagStaysOfItsKind()
    {
        var (digest, image) = await PublishAsync("1.0", "a");
        string tag = $"sha256-{digest.Hex}";
        await ExpectAsync(201, await PutIndexAsync(tag, Index(image)));
        await ExpectAsync(409, await PutSignaturesAsync(tag, image), "DENIED");
        await ExpectAsync(201, await PutSignaturesAsync($"{tag}.sig"));
        await ExpectAsync(409, await PutIndexAsync($"{tag}.sig", Index(image)), "DENIED");
    }

    [Fact]
    public async Task AnAccessoryThatIsNotReadAnyMoreIsSaidToBeTheStoredOne()
    {
        var (digest, _) = await PublishAsync("1.0", "a");
        string tag = $"sha256-{digest.Hex}.sig";
        var stored = await _registry.Store.PutAsync(MediaType.Manifest, "{}"u8.ToArray());
        await _registry.Ledger.AppendAsync("x", new LedgerEvent.ImagePublished("shop/web", stored.Digest, MediaType.Manifest, 2),
            TestContext.Current.CancellationToken);
        await _registry.Ledger.AppendAsync("x", new LedgerEvent.TagBound("shop/web", tag, stored.Digest),
            TestContext.Current.CancellationToken);
        var answer = await PutSignaturesAsync(tag, await SignedAsync("payload", "one"));
        Assert.Contains("an administrator can free the tag", await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken),
            StringComparison.Ordinal);
        await ExpectAsync(409, answer, "DENIED");
        await ExpectAsync(202, await DeleteAsync(tag, "root"));
        await ExpectAsync(201, await PutSignaturesAsync(tag, await SignedAsync("payload", "one")));
    }

    [Fact]
    public async Task ATagIsFreedWithItsReasonOnTheRecord()
    {
        var (digest, _) = await PublishAsync("1.0", "a", "mallory");
        // The same image elsewhere was admitted: that says nothing about this repository's tag.
        await _registry.Ledger.AppendAsync("x", new LedgerEvent.PromotionDecided("other", "web", "other/web", digest, "test", true, []),
            TestContext.Current.CancellationToken);
        var desk = new TagDesk(_registry.Ledger);
        var freed = await desk.FreeAsync(new TagRequest("shop/web", "1.0", "taken by a stranger"), "root",
            TestContext.Current.CancellationToken);
        Assert.Equal(new TagReply("shop/web", "1.0", digest), freed);
        Assert.Equal(new LedgerEvent.TagDeleted("shop/web", "1.0", digest, "taken by a stranger"),
            _registry.Ledger.Read(view => view.Latest(1)).Single().Event);
        var e = await Assert.ThrowsAsync<ApiException>(() =>
            desk.FreeAsync(new TagRequest("shop/web", "1.0", "again"), "root", TestContext.Current.CancellationToken));
        Assert.Equal("not_found", e.Code);
        e = await Assert.ThrowsAsync<ApiException>(() =>
            desk.FreeAsync(new TagRequest("shop/web", "1.0", ""), "root", TestContext.Current.CancellationToken));
        Assert.Equal("invalid", e.Code);
    }

    [Fact]
    public async Task AStrangerCannotFillTheTagOfSignatures()
    {
        var (digest, _) = await PublishAsync("1.0", "a");
        string tag = $"sha256-{digest.Hex}.sig";
        var junk = await Task.WhenAll(Enumerable.Range(0, 101).Select(i => SignedAsync("junk", $"forged {i}")));
        await ExpectAsync(201, await PutSignaturesAsync(tag, junk[..100]));
        await ExpectAsync(409, await PutSignaturesAsync(tag, junk), "DENIED");
        var large = junk[0] with { Annotations = new() { [Signature] = new string('x', 1 << 20) } };
        await ExpectAsync(409, await PutSignaturesAsync($"sha256-{digest.Hex}.att", large), "DENIED");

        var trusted = await SignedAsync($"about {digest.Hex}", "trusted");
        await ExpectAsync(201, await PutSignaturesAsync(tag, [.. junk[..100], trusted]));
    }

    [Theory]
    [InlineData("trusted+wrapped again", true)]
    [InlineData("trusted", false)]
    [InlineData("forged", true)]
    public async Task BeyondTheBoundOnlyNewSignaturesByTrustedKeysAboutTheImageAreTaken(string signature, bool aboutImage)
    {
        var (digest, _) = await PublishAsync("1.0", "a");
        string tag = $"sha256-{digest.Hex}.sig";
        var junk = await Task.WhenAll(Enumerable.Range(0, 99).Select(i => SignedAsync("junk", $"forged {i}")));
        Descriptor[] full = [.. junk, await SignedAsync($"about {digest.Hex}", "trusted")];
        await ExpectAsync(201, await PutSignaturesAsync(tag, full));
        var more = await SignedAsync(aboutImage ? $"about {digest.Hex}" : "about another", signature);
        await ExpectAsync(409, await PutSignaturesAsync(tag, [.. full, more]), "DENIED");
    }

    private static byte[] Index(params Descriptor[] parts) => ImageJson.Write(new ImageIndex { Manifests = parts });

    private Digest? Tag(string tag) => _registry.Ledger.Read(view => view.Tag("shop/web", tag))?.Digest;

    private Task DecideAsync(Digest digest, bool admitted) =>
        _registry.Ledger.AppendAsync("x", new LedgerEvent.PromotionDecided("shop", "web", "shop/web", digest, "test", admitted, []),
            TestContext.Current.CancellationToken);

    private async Task<(Digest Digest, Descriptor Descriptor)> PublishAsync(string tag, string text, string user = "ann")
    {
        byte[] image = await _registry.MakeImageAsync("shop/web", text);
        await ExpectAsync(201, await PutAsync(tag, image, MediaType.Manifest, user));
        return (Digest.Of(image), Descriptor.Of(MediaType.Manifest, image));
    }

    private Task<HttpResponseMessage> PutIndexAsync(string tag, byte[] index, string user = "ann") =>
        PutAsync(tag, index, MediaType.Index, user);

    private Task<HttpResponseMessage> PutAsync(string tag, byte[] document, string mediaType, string user) =>
        _registry.SendAsync("PUT", $"/v2/shop/web/manifests/{tag}",
            new ByteArrayContent(document) { Headers = { ContentType = new(mediaType) } }, ("X-Test-User", user));

    private Task<HttpResponseMessage> DeleteAsync(string reference, string user) =>
        _registry.SendAsync("DELETE", $"/v2/shop/web/manifests/{reference}", (byte[]?)null, ("X-Test-User", user));

    private async Task<Descriptor> SignedAsync(string payload, string signature) =>
        (await _registry.PushBlobAsync("shop/web", Encoding.UTF8.GetBytes(payload),
            "application/vnd.dev.cosign.simplesigning.v1+json")) with
        {
            Annotations = new() { [Signature] = signature },
        };

    private async Task<HttpResponseMessage> PutSignaturesAsync(string tag, params Descriptor[] layers) =>
        await _registry.PutManifestAsync("shop/web", tag,
            await _registry.MakeImageAsync("shop/web", "x", manifest => manifest with { Layers = layers }));
}
