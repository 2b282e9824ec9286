using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Server.Ledger;
using static Ingot.Server.Tests.Registry.RegistryFixture;

namespace Ingot.Server.Tests.Registry;

public sealed class ReferrerTests : IAsyncLifetime
{
    private const string Bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
    private const string Missing = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

    private RegistryFixture _registry = null!;

    public async ValueTask InitializeAsync() => _registry = await StartAsync();

    public ValueTask DisposeAsync() => _registry.DisposeAsync();

    [Fact]
    public async Task WhatSaysSomethingAboutAnImageIsListedWithItsNotes()
    {
        var image = await ImageAsync();
        var answer = await _registry.PutManifestAsync("shop/web", "x", await EvidenceAsync(image, "one", Bundle));
        await ExpectAsync(201, answer);
        Assert.Equal(image.Digest.ToString(), answer.Headers.GetValues("OCI-Subject").Single());

        var (index, response) = await ListAsync(image.Digest.ToString());
        Assert.Equal(MediaType.Index, response.Content.Headers.ContentType!.ToString());
        var referrer = Assert.Single(index.Manifests);
        Assert.Equal(Bundle, referrer.ArtifactType);
        Assert.Equal(MediaType.Manifest, referrer.MediaType);
        Assert.Equal("one", referrer.Annotations!["note"]);
    }

    [Fact]
    public async Task AnArtifactWithoutATypeHasItsConfigurationsAndAnIndexWithoutOneHasNone()
    {
        var image = await ImageAsync();
        await ExpectAsync(201, await _registry.PutManifestAsync("shop/web", "m", await EvidenceAsync(image, "one", null)));
        await ExpectAsync(201, await _registry.PutManifestAsync("shop/web", "i",
            ImageJson.Write(new ImageIndex { Manifests = [], Subject = image }), MediaType.Index));
        await ExpectAsync(201, await _registry.PutManifestAsync("shop/web", "j",
            ImageJson.Write(new ImageIndex { Manifests = [], Subject = image, ArtifactType = "a/b" }), MediaType.Index));

        var (index, _) = await ListAsync(image.Digest.ToString());
        Assert.Equal([MediaType.Config, null, "a/b"], index.Manifests.Select(manifest => manifest.ArtifactType));
    }

    [Fact]
    public async Task TheListIsFilteredByTypeAndSaysSo()
    {
        var image = await ImageAsync();
        await ExpectAsync(201, await _registry.PutManifestAsync("shop/web", "one", await EvidenceAsync(image, "one", Bundle)));
        await ExpectAsync(201,
            await _registry.PutManifestAsync("shop/web", "two", await EvidenceAsync(image, "two", "application/other+json")));

        var (index, response) = await ListAsync($"{image.Digest}?artifactType={Uri.EscapeDataString(Bundle)}");
        Assert.Equal("one", Assert.Single(index.Manifests).Annotations!["note"]);
        Assert.Equal("artifactType", response.Headers.GetValues("OCI-Filters-Applied").Single());
        Assert.Empty((await ListAsync($"{image.Digest}?artifactType=none")).Index.Manifests);
    }

    [Fact]
    public async Task TheListOfNothingIsEmptyAndNotMissing()
    {
        Assert.Empty((await ListAsync(Missing)).Index.Manifests);
        await ExpectAsync(400, await _registry.SendAsync("GET", "/v2/shop/web/referrers/sha256:bad", (byte[]?)null), "DIGEST_INVALID");
    }

    [Fact]
    public async Task EvidenceMayComeBeforeItsSubject()
    {
        var image = Descriptor.Of(MediaType.Manifest, await _registry.MakeImageAsync("shop/web", "later"));
        await ExpectAsync(201, await _registry.PutManifestAsync("shop/web", "early", await EvidenceAsync(image, "one", Bundle)));

        Assert.Single((await ListAsync(image.Digest.ToString())).Index.Manifests);
    }

    [Fact]
    public async Task EvidenceIsListedOnlyInItsRepositoryAndNotAfterItWasDeleted()
    {
        var image = await ImageAsync();
        var evidence = await EvidenceAsync(image, "one", Bundle);
        await ExpectAsync(201, await _registry.PutManifestAsync("scratch/web", Digest.Of(evidence).ToString(), evidence));
        Assert.Empty((await ListAsync(image.Digest.ToString())).Index.Manifests);
        Assert.Single((await ListAsync(image.Digest.ToString(), "scratch/web")).Index.Manifests);

        await ExpectAsync(202, await _registry.SendAsync("DELETE", $"/v2/scratch/web/manifests/{Digest.Of(evidence)}", (byte[]?)null));
        Assert.Empty((await ListAsync(image.Digest.ToString(), "scratch/web")).Index.Manifests);
    }

    [Fact]
    public async Task EvidenceIsAnEntryThatNamesItsSubjectAndPredicate()
    {
        var image = await ImageAsync();
        var evidence = await EvidenceAsync(image, "one", Bundle,
            new() { ["dev.sigstore.bundle.predicateType"] = "https://slsa.dev/provenance/v1" });
        await ExpectAsync(201, await _registry.PutManifestAsync("shop/web", Digest.Of(evidence).ToString(), evidence));

        var found = _registry.Ledger.Read(view => view.Entries(0, 10, new LedgerFilter { Digest = image.Digest }));
        var attached = Assert.IsType<LedgerEvent.EvidenceAttached>(found[^1].Event);
        Assert.Equal(image.Digest, attached.Subject);
        Assert.Equal("https://slsa.dev/provenance/v1", attached.PredicateType);
    }

    [Fact]
    public async Task AListTooLongForOneAnswerGoesOn()
    {
        var image = await ImageAsync();
        for (int i = 0; i < 5; i++)
        {
            var evidence = await EvidenceAsync(image, $"{i}", Bundle, new() { ["large"] = new string('x', 1_500_000) });
            await ExpectAsync(201, await _registry.PutManifestAsync("shop/web", $"e{i}", evidence));
        }

        var notes = new List<string>();
        string? next = $"/v2/shop/web/referrers/{image.Digest}?artifactType={Uri.EscapeDataString(Bundle)}";
        int pages = 0;
        while (next is not null)
        {
            var response = await _registry.SendAsync("GET", next, (byte[]?)null);
            await ExpectAsync(200, response);
            notes.AddRange(ImageJson.ReadIndex(await response.Content.ReadAsByteArrayAsync()).Manifests
                .Select(manifest => manifest.Annotations!["note"]));
            next = response.Headers.TryGetValues("Link", out var links) ? links.Single().Split('<', '>')[1] : null;
            pages++;
        }

        Assert.Equal(["0", "1", "2", "3", "4"], notes);
        Assert.Equal(3, pages);
    }

    [Fact]
    public async Task TheListIsNotReadFromTheManifestsAgain()
    {
        var image = await ImageAsync();
        byte[] evidence = await EvidenceAsync(image, "one", Bundle, new() { ["large"] = new string('x', 100_000), ["quoted"] = "\"<ä>\"" });
        await ExpectAsync(201, await _registry.PutManifestAsync("shop/web", "x", evidence));
        var before = (await ListAsync(image.Digest.ToString())).Index;
        File.Delete(_registry.Store.PathOf(Digest.Of(evidence)));
        Assert.Equal(ImageJson.Write(before), ImageJson.Write((await ListAsync(image.Digest.ToString())).Index));
        await _registry.RestartAsync();
        Assert.Equal(ImageJson.Write(before), ImageJson.Write((await ListAsync(image.Digest.ToString())).Index));
        Assert.Equal("\"<ä>\"", before.Manifests[0].Annotations!["quoted"]);
    }

    [Theory]
    [InlineData("nothing")]
    [InlineData("garbage")]
    [InlineData("truncated")]
    [InlineData("other tables")]
    public async Task WhatListsShowIsMadeAgainWhenItIsLost(string damage)
    {
        var image = await ImageAsync();
        await ExpectAsync(201, await _registry.PutManifestAsync("shop/web", "x", await EvidenceAsync(image, "one", Bundle)));
        var before = (await ListAsync(image.Digest.ToString())).Index;
        string path = _registry.Home.ReferrerNotes;
        await _registry.StopAsync();
        foreach (string file in (string[])[path + "-wal", path + "-shm"])
            File.Delete(file);
        if (damage == "nothing")
            File.Delete(path);
        else if (damage == "garbage")
            await File.WriteAllTextAsync(path, new string('x', 20_000));
        else if (damage == "truncated")
            await File.WriteAllBytesAsync(path, (await File.ReadAllBytesAsync(path))[..5000]);
        else
            using (var other = Ingot.Server.Storage.SqliteDatabase.OpenWriter(path))
                other.ExecuteScript("DROP TABLE IF EXISTS notes; CREATE TABLE notes (x)");
        await _registry.StartAgainAsync();
        Assert.Equal(ImageJson.Write(before), ImageJson.Write((await ListAsync(image.Digest.ToString())).Index));
    }

    [Fact]
    public void NotesThatCannotBeKeptInTheirFileAreKeptWithoutIt()
    {
        string path = Path.Combine(_registry.Home.Root, "a directory");
        Directory.CreateDirectory(path);
        using var notes = new Ingot.Server.Registry.ReferrerNotes(path);
        byte[] put = notes.Put(Digest.Of([1]), new() { ["note"] = "one" });
        Assert.Equal(put, notes.Find(Digest.Of([1])));
    }

    [Fact]
    public async Task AListOfTagsIsNeverOlderThanTheLedger()
    {
        for (int i = 0; i < 20; i++)
        {
            await _registry.PublishAsync("scratch/web", $"v{i:00}", "one");
            await _registry.PublishAsync("scratch/other", $"v{i:00}", "one");
            Assert.Contains($"\"v{i:00}\"]", await _registry.Http.GetStringAsync("/v2/scratch/web/tags/list"), StringComparison.Ordinal);
            Assert.Contains($"\"v{i:00}\"]", await _registry.Http.GetStringAsync("/v2/scratch/web/tags/list"), StringComparison.Ordinal);
        }

        await ExpectAsync(202, await _registry.SendAsync("DELETE", "/v2/scratch/web/manifests/v07", (byte[]?)null));
        Assert.DoesNotContain("v07", await _registry.Http.GetStringAsync("/v2/scratch/web/tags/list"), StringComparison.Ordinal);
        Assert.Contains("v07", await _registry.Http.GetStringAsync("/v2/scratch/other/tags/list"), StringComparison.Ordinal);
        await ExpectAsync(404, await _registry.SendAsync("GET", "/v2/scratch/none/tags/list", (byte[]?)null), "NAME_UNKNOWN");
    }

    [Theory]
    [InlineData(".sig")]
    [InlineData(".att")]
    [InlineData(".sbom")]
    public async Task SignaturesAreAddedToTheirTagAndNeverTakenAway(string suffix)
    {
        var image = await ImageAsync();
        string tag = $"sha256-{image.Digest.Hex}{suffix}";
        var first = await SignatureAsync("alice");
        var second = await SignatureAsync("bob");
        await ExpectAsync(201, await PutAsync(tag, first));
        await ExpectAsync(201, await PutAsync(tag, first, second));
        await ExpectAsync(201, await PutAsync(tag, first, second));

        await ExpectAsync(409, await PutAsync(tag, second), "DENIED");
        await ExpectAsync(
            409,
            await PutAsync(tag, first with { Annotations = new() { ["dev.cosignproject.cosign/signature"] = "forged" } }, second),
            "DENIED");
        await ExpectAsync(409, await PutAsync(tag), "DENIED");
        var kept = await _registry.Http.GetByteArrayAsync($"/v2/shop/web/manifests/{tag}");
        Assert.Equal(2, ImageJson.ReadManifest(kept).Layers.Count);
    }

    [Fact]
    public async Task OfManyWhoSignAtOnceNoneIsLost()
    {
        var image = await ImageAsync();
        string tag = $"sha256-{image.Digest.Hex}.sig";
        var answers =
            await Task.WhenAll(Enumerable.Range(0, 8).Select(async i => await PutAsync(tag, await SignatureAsync($"signer {i}"))));

        // Each pushed only its own: the first wins, and the others are told to read what is there.
        Assert.Single(answers, answer => (int)answer.StatusCode == 201);
        Assert.All(answers.Where(answer => (int)answer.StatusCode != 201), answer => Assert.Equal(409, (int)answer.StatusCode));
    }

    [Theory]
    [InlineData("sha256-0000.sig")]
    [InlineData("sha256-0000000000000000000000000000000000000000000000000000000000000000.exe")]
    public async Task ATagThatOnlyLooksLikeAnAccessoryDoesNotMove(string tag)
    {
        var first = await SignatureAsync("alice");
        await ExpectAsync(201, await PutAsync(tag, first));
        await ExpectAsync(409, await PutAsync(tag, first, await SignatureAsync("bob")), "DENIED");
    }

    [Fact]
    public async Task TheFallbackTagOfOldClientsGrowsToo()
    {
        var image = await ImageAsync();
        var one = await _registry.PublishAsync("shop/web", "e1", "one");
        var two = await _registry.PublishAsync("shop/web", "e2", "two");
        string tag = $"sha256-{image.Digest.Hex}";
        await ExpectAsync(201, await PutIndexAsync(tag, one));
        await ExpectAsync(201, await PutIndexAsync(tag, one, two));
        await ExpectAsync(409, await PutIndexAsync(tag, two), "DENIED");
    }

    private async Task<Descriptor> ImageAsync()
    {
        var image = await _registry.MakeImageAsync("shop/web", "an image");
        await ExpectAsync(201, await _registry.PutManifestAsync("shop/web", "1.0", image));
        return Descriptor.Of(MediaType.Manifest, image);
    }

    private Task<byte[]> EvidenceAsync(
        Descriptor subject, string note, string? artifactType, SortedDictionary<string, string>? annotations = null) =>
        _registry.MakeImageAsync("shop/web", note, manifest =>
            manifest with { Subject = subject, ArtifactType = artifactType, Annotations = new(annotations ?? []) { ["note"] = note } });

    private async Task<Descriptor> SignatureAsync(string who) =>
        (await _registry.PushBlobAsync("shop/web", "the payload they all sign"u8.ToArray(),
            "application/vnd.dev.cosign.simplesigning.v1+json"))
            with
        { Annotations = new() { ["dev.cosignproject.cosign/signature"] = who } };

    private async Task<HttpResponseMessage> PutAsync(string tag, params Descriptor[] layers) =>
        await _registry.PutManifestAsync("shop/web", tag,
            await _registry.MakeImageAsync("shop/web", "x", manifest => manifest with { Layers = layers }));

    private Task<HttpResponseMessage> PutIndexAsync(string tag, params Digest[] manifests)
    {
        var descriptors = manifests.Select(digest => _registry.Ledger.Read(view => view.Manifest("shop/web", digest))!)
            .Select(manifest => new Descriptor { MediaType = manifest.MediaType, Digest = manifest.Digest, Size = manifest.Size });
        return _registry.PutManifestAsync(
            "shop/web", tag, ImageJson.Write(new ImageIndex { Manifests = [.. descriptors] }), MediaType.Index);
    }

    private async Task<(ImageIndex Index, HttpResponseMessage Response)> ListAsync(string digest, string repository = "shop/web")
    {
        var response = await _registry.SendAsync("GET", $"/v2/{repository}/referrers/{digest}", (byte[]?)null);
        await ExpectAsync(200, response);
        return (ImageJson.ReadIndex(await response.Content.ReadAsByteArrayAsync()), response);
    }
}
