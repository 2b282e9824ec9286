using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ingot.Evidence;
using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;
using Ingot.Oci.Images;

namespace Ingot.Tests.Evidence;

public sealed class EvidenceTests
{
    private static readonly CancellationToken s_stop = CancellationToken.None;
    private static readonly SigningKey s_key = SigningKey.Create();
    private static readonly TrustedKey s_trusted = new(s_key.PublicKey, "own");

    private readonly MemoryStore _store = new();
    private readonly Descriptor _image = Descriptor.Of(MediaType.Manifest, "an image"u8);

    private Statement[] Statements =>
    [
        Statement.Signature(_image.Digest, "web"),
        Statement.About(_image.Digest, "web", PredicateType.TestResult, JsonElement.Parse("""{"result":"PASSED","configuration":[]}""")),
        Statement.About(_image.Digest, "web", PredicateType.CycloneDx, JsonElement.Parse("""{"bomFormat":"CycloneDX"}""")),
    ];

    [Fact]
    public async Task WhatIsWrittenIsBelieved()
    {
        var written = await WriteAsync(Statements);
        var set = await ReadAsync(Referrers(written));

        Assert.Empty(set.Unverified);
        Assert.Equal([EvidenceKind.Signature, EvidenceKind.TestResult, EvidenceKind.Sbom], set.Records.Select(r => r.Kind));
        var test = Assert.Single(set.OfKind(EvidenceKind.TestResult));
        Assert.Equal("PASSED", test.Predicate.GetProperty("result").GetString());
        Assert.Equal(s_trusted, test.Signer);
        Assert.Contains(written, w => w.Descriptor.Digest == test.Manifest && w.PredicateType == PredicateType.TestResult);
    }

    [Fact]
    public async Task ABundleHasTheFormThatCosignReads()
    {
        var written = await WriteAsync([Statements[0]]);
        var manifest = JsonNode.Parse(await _store.ReadRequiredAsync(written[0].Descriptor.Digest, s_stop))!;

        Assert.Equal(MediaType.Manifest, (string)manifest["mediaType"]!);
        Assert.Equal("application/vnd.dev.sigstore.bundle.v0.3+json", (string)manifest["artifactType"]!);
        Assert.Equal("application/vnd.oci.empty.v1+json", (string)manifest["config"]!["mediaType"]!);
        Assert.Equal(_image.Digest.ToString(), (string)manifest["subject"]!["digest"]!);
        Assert.Equal("dsse-envelope", (string)manifest["annotations"]!["dev.sigstore.bundle.content"]!);
        Assert.Equal(PredicateType.Signature, (string)manifest["annotations"]!["dev.sigstore.bundle.predicateType"]!);
        Assert.Equal("2024-05-06T07:08:09Z", (string)manifest["annotations"]!["org.opencontainers.image.created"]!);

        var bundle = JsonNode.Parse(await _store.ReadRequiredAsync(Digest.Parse((string)manifest["layers"]![0]!["digest"]!), s_stop))!;
        Assert.Equal(["mediaType", "verificationMaterial", "dsseEnvelope"], bundle.AsObject().Select(p => p.Key));
        Assert.Equal(s_key.PublicKey.Hint, (string)bundle["verificationMaterial"]!["publicKey"]!["hint"]!);
        Assert.Single(bundle["dsseEnvelope"]!["signatures"]!.AsArray());
    }

    [Fact]
    public async Task TheOlderFormsStandUnderTheirTags()
    {
        var written = await WriteAsync(Statements);
        Assert.Equal([null, null, null, $"sha256-{_image.Digest.Hex}.att", $"sha256-{_image.Digest.Hex}.sig"], written.Select(w => w.Tag));

        var signature = ImageJson.ReadManifest(await _store.ReadRequiredAsync(written[^1].Descriptor.Digest, s_stop));
        var layer = Assert.Single(signature.Layers);
        var payload = await _store.ReadRequiredAsync(layer.Digest, s_stop);
        Assert.Equal(
            $$$"""{"critical":{"identity":{"docker-reference":"registry/web"},"image":{"docker-manifest-digest":"{{{_image.Digest}}}"},"type":"cosign container image signature"},"optional":null}""",
            Encoding.UTF8.GetString(payload));
        Assert.True(s_key.PublicKey.Verify(payload, Convert.FromBase64String(layer.Annotations!["dev.cosignproject.cosign/signature"])));
        var config = ImageJson.ReadConfig(await _store.ReadRequiredAsync(signature.Config.Digest, s_stop));
        Assert.Equal([layer.Digest], config.RootFs.DiffIds);

        var attestations = ImageJson.ReadManifest(await _store.ReadRequiredAsync(written[^2].Descriptor.Digest, s_stop));
        Assert.Equal([PredicateType.CycloneDx, PredicateType.TestResult], attestations.Layers.Select(l => l.Annotations!["predicateType"]));
        var envelope = Envelope.Parse(await _store.ReadRequiredAsync(attestations.Layers[0].Digest, s_stop));
        Assert.NotNull(envelope.Verify([s_key.PublicKey]));
    }

    [Fact]
    public async Task ManifestsNameAllTheBlobsTheyNeed()
    {
        foreach (var written in await WriteAsync(Statements))
        {
            var manifest = ImageJson.ReadManifest(await _store.ReadRequiredAsync(written.Descriptor.Digest, s_stop));
            Assert.Equal(new[] { manifest.Config.Digest }.Concat(manifest.Layers.Select(l => l.Digest)),
                written.Blobs.Select(b => b.Digest));
        }
    }

    [Fact]
    public async Task ASecondRunAddsNothing()
    {
        var written = await WriteAsync(Statements);
        Assert.Empty(await WriteAsync(Statements, await ExistingAsync(written)));
    }

    [Fact]
    public async Task ARunThatWasInterruptedIsCompleted()
    {
        var written = await WriteAsync(Statements);
        var first = await ExistingAsync(written.Take(2).ToList());
        var second = await WriteAsync(Statements, first);
        Assert.Equal(3, second.Count);
        Assert.Equal([null, $"sha256-{_image.Digest.Hex}.att", $"sha256-{_image.Digest.Hex}.sig"], second.Select(w => w.Tag));
    }

    [Fact]
    public async Task NewStatementsAreAddedToWhatIsThere()
    {
        var first = await WriteAsync(Statements);
        var later = Statement.About(_image.Digest, "web", PredicateType.TestResult,
            JsonElement.Parse("""{"result":"FAILED","configuration":[]}"""));
        var second = await WriteAsync([Statements[0], later], await ExistingAsync(first));

        Assert.Equal([PredicateType.TestResult, null], second.Select(w => w.PredicateType));
        var attestations = ImageJson.ReadManifest(await _store.ReadRequiredAsync(second[1].Descriptor.Digest, s_stop));
        var before = ImageJson.ReadManifest(await _store.ReadRequiredAsync(first[^2].Descriptor.Digest, s_stop));
        Assert.Equal(before.Layers.Select(l => l.Digest), attestations.Layers.Take(2).Select(l => l.Digest));
        Assert.Equal(3, attestations.Layers.Count);
    }

    [Fact]
    public async Task SignaturesOfOthersStayAndOursIsAdded()
    {
        var first = await WriteAsync([Statements[0]]);
        using var other = SigningKey.Create();
        var second = await new EvidenceWriter(_store, other, new FixedTime()).WriteAsync(_image, [Statements[0]],
            await ExistingAsync(first), "registry/web", s_stop);

        Assert.Equal(2, second.Count);
        var signatures = ImageJson.ReadManifest(await _store.ReadRequiredAsync(second[1].Descriptor.Digest, s_stop));
        Assert.Equal(2, signatures.Layers.Count);
        Assert.NotEqual(signatures.Layers[0].Annotations!["dev.cosignproject.cosign/signature"],
            signatures.Layers[1].Annotations!["dev.cosignproject.cosign/signature"]);
    }

    [Fact]
    public async Task TheOrderOfStatementsDoesNotMatter()
    {
        var one = await WriteAsync(Statements);
        var other = await WriteAsync([.. Statements.Reverse(), Statements[1]]);
        Assert.Equal(one.Select(w => (w.PredicateType, w.Tag)), other.Select(w => (w.PredicateType, w.Tag)));
    }

    [Fact]
    public async Task AStatementAboutAnotherImageIsNotWritten() =>
        await Assert.ThrowsAsync<ArgumentException>(() => WriteAsync([Statement.Signature(Digest.Of("another"u8), "web")]));

    [Fact]
    public async Task ABrokenOlderManifestIsNotOverwritten() =>
        await Assert.ThrowsAsync<FormatException>(() =>
            WriteAsync(Statements, new ExistingEvidence(EvidenceSet.Empty(_image.Digest), "{"u8.ToArray())));

    public static TheoryData<string, string> HostileManifests() => new()
    {
        { "subject", "the manifest's subject is 'sha256:" },
        { "no-subject", "the manifest's subject is '(none)'" },
        { "artifact-type", "the manifest's artifact type is" },
        { "no-layer", "the manifest has 0 layers" },
        { "two-layers", "the manifest has 2 layers" },
        { "layer-type", "the layer is" },
        { "huge-layer", "at most" },
        { "negative-layer", "the descriptor of" },
        { "wrong-size", "the bundle is" },
        { "not-json", "the document is not JSON" },
        { "index", "it has 'manifests'" },
    };

    [Theory]
    [MemberData(nameof(HostileManifests))]
    public async Task AManifestThatIsNoEvidenceOfThisImageIsNotBelieved(string how, string reason)
    {
        var written = await WriteAsync([Statements[0]]);
        var manifest = JsonNode.Parse(await _store.ReadRequiredAsync(written[0].Descriptor.Digest, s_stop))!.AsObject();
        var layer = manifest["layers"]![0]!;
        switch (how)
        {
            case "subject": manifest["subject"]!["digest"] = Digest.Of("other"u8).ToString(); break;
            case "no-subject": manifest.Remove("subject"); break;
            case "artifact-type": manifest["artifactType"] = "application/vnd.dev.sigstore.bundle.v0.2+json"; break;
            case "no-layer": manifest["layers"] = new JsonArray(); break;
            case "two-layers": manifest["layers"]!.AsArray().Add(layer.DeepClone()); break;
            case "layer-type": layer["mediaType"] = "application/json"; break;
            case "huge-layer": layer["size"] = long.MaxValue; break;
            case "negative-layer": layer["size"] = -1; break;
            case "wrong-size": layer["size"] = layer["size"]!.GetValue<long>() + 1; break;
        }

        byte[] bytes = how switch
        {
            "not-json" => "<manifest/>"u8.ToArray(),
            "index" => """{"schemaVersion":2,"manifests":[]}"""u8.ToArray(),
            _ => Encoding.UTF8.GetBytes(manifest.ToJsonString()),
        };
        await AssertUnverifiedAsync(bytes, reason);
    }

    public static TheoryData<string, string> HostileBundles() => new()
    {
        { "payload-type", "the payload is 'text/plain'" },
        { "no-signature", "the envelope has 0 signatures" },
        { "two-signatures", "the envelope has 2 signatures" },
        { "bad-signature", "the signature is of none of the trusted keys" },
        { "swapped-payload", "the signature is of none of the trusted keys" },
        { "bundle-type", "is not the bundle's media type" },
        { "message-signature", "the bundle holds no 'dsseEnvelope'" },
        { "not-json", "the bundle is not JSON" },
        { "twice", "the bundle is not JSON" },
        { "null", "the bundle is not an object" },
    };

    [Theory]
    [MemberData(nameof(HostileBundles))]
    public async Task ABundleThatIsNotSignedAsItMustBeIsNotBelieved(string how, string reason)
    {
        var envelope = StatementSigner.Sign(Statements[0], s_key);
        var other = StatementSigner.Sign(Statements[1], s_key);
        envelope = how switch
        {
            "payload-type" => envelope with { PayloadType = "text/plain" },
            "no-signature" => envelope with { Signatures = [] },
            "two-signatures" => envelope with { Signatures = [envelope.Signatures[0], other.Signatures[0]] },
            "bad-signature" => envelope with { Signatures = other.Signatures },
            "swapped-payload" => envelope with { Payload = other.Payload },
            _ => envelope,
        };
        string bundle = Encoding.UTF8.GetString(SigstoreBundle.Write(envelope, s_key.PublicKey));
        bundle = how switch
        {
            "bundle-type" => bundle.Replace("v0.3", "v0.1", StringComparison.Ordinal),
            "message-signature" => bundle.Replace("dsseEnvelope", "messageSignature", StringComparison.Ordinal),
            "not-json" => bundle[..^1],
            "twice" => bundle.Replace("{\"mediaType\"", "{\"mediaType\":\"x\",\"mediaType\"", StringComparison.Ordinal),
            "null" => "null",
            _ => bundle,
        };
        await AssertUnverifiedAsync(await AttachAsync(bundle), reason);
    }

    [Fact]
    public async Task AStatementAboutAnotherImageIsNotBelievedOfThisOne()
    {
        var envelope = StatementSigner.Sign(Statement.Signature(Digest.Of("another"u8), "web"), s_key);
        await AssertUnverifiedAsync(await AttachAsync(Encoding.UTF8.GetString(SigstoreBundle.Write(envelope, s_key.PublicKey))),
            "the statement is about");
    }

    [Fact]
    public async Task AnUnknownPredicateIsListedAndNotBelieved()
    {
        var envelope = StatementSigner.Sign(
            Statement.About(_image.Digest, "web", "https://example.org/approval", JsonElement.Parse("{}")), s_key);
        var unverified = await AssertUnverifiedAsync(
            await AttachAsync(Encoding.UTF8.GetString(SigstoreBundle.Write(envelope, s_key.PublicKey))),
            "the predicate type 'https://example.org/approval' is unknown");
        Assert.Equal("https://example.org/approval", unverified.PredicateType);
    }

    [Fact]
    public async Task AKeySpeaksOnlyInItsRole()
    {
        var written = await WriteAsync(Statements);
        var builder = s_trusted with { Name = "builder", Predicates = new HashSet<string> { PredicateType.Signature } };
        var set = await ReadAsync(Referrers(written), [builder]);
        Assert.Equal([EvidenceKind.Signature], set.Records.Select(r => r.Kind));
        Assert.All(set.Unverified, u => Assert.StartsWith("the key 'builder' may not issue", u.Reason, StringComparison.Ordinal));

        // The same key in a second role.
        var tester = s_trusted with { Name = "tester", Predicates = new HashSet<string> { PredicateType.TestResult } };
        set = await ReadAsync(Referrers(written), [builder, tester]);
        Assert.Equal(["builder", "tester"], set.Records.Select(r => r.Signer.Name));
    }

    [Fact]
    public async Task ARetiredKeyIsNotBelievedAndTheReasonIsSaid()
    {
        var written = await WriteAsync(Statements);
        var set = await ReadAsync(Referrers(written), [s_trusted with { Name = "ci", Retired = "it was stolen" }]);
        Assert.Empty(set.Records);
        Assert.All(set.Unverified, u => Assert.Contains("'ci'", u.Reason, StringComparison.Ordinal));
        Assert.All(set.Unverified, u => Assert.EndsWith("is retired: it was stolen", u.Reason, StringComparison.Ordinal));
    }

    [Fact]
    public async Task WithoutTrustedKeysNothingIsBelieved()
    {
        var set = await ReadAsync(Referrers(await WriteAsync(Statements)), []);
        Assert.Empty(set.Records);
        Assert.All(set.Unverified, u => Assert.Equal("no key is trusted", u.Reason));
    }

    [Fact]
    public async Task AMissingBundleIsSaidAndAnUnreachableStoreThrows()
    {
        var bytes = await _store.ReadRequiredAsync((await WriteAsync([Statements[0]]))[0].Descriptor.Digest, s_stop);
        var set = await Reader().ReadAsync(_image.Digest, [bytes], (_, _) => Task.FromResult<byte[]?>(null), s_stop);
        Assert.EndsWith("is missing", Assert.Single(set.Unverified).Reason, StringComparison.Ordinal);
        await Assert.ThrowsAsync<IOException>(() =>
            Reader().ReadAsync(_image.Digest, [bytes], (_, _) => throw new IOException("down"), s_stop));
    }

    [Fact]
    public async Task NoByteOfABundleCanBeChangedToSayAnotherThing()
    {
        var written = await WriteAsync([Statements[1]]);
        var manifest = ImageJson.ReadManifest(await _store.ReadRequiredAsync(written[0].Descriptor.Digest, s_stop));
        var bundle = await _store.ReadRequiredAsync(manifest.Layers[0].Digest, s_stop);
        var original = Statements[1].ToBytes();
        for (int i = 0; i < bundle.Length; i++)
        {
            var changed = bundle.ToArray();
            changed[i] ^= 0x02;
            var set = await Reader().ReadAsync(_image.Digest, [await AttachAsync(changed)],
                (blob, stop) => _store.ReadAsync(blob.Digest, stop), s_stop);
            Assert.All(set.Records, r => Assert.Equal(original, r.Envelope.Payload.ToArray()));
        }
    }

    [Fact]
    public async Task EvidenceIsFoundUnderHoweverMuchJunkBeforeAndBehindIt()
    {
        var written = Referrers(await WriteAsync([Statements[0]]));
        var junk = new List<Digest>();
        for (int i = 0; i < 2 * EvidenceReader.MaxUnverified; i++)
            junk.Add((await _store.PutAsync(MediaType.Manifest, Encoding.UTF8.GetBytes($$"""{"schemaVersion":{{i}}}"""))).Digest);
        var set = await ReadAsync([.. junk[..1500], .. written, .. junk[1500..]]);
        Assert.Single(set.Records);
        Assert.Equal(EvidenceReader.MaxUnverified, set.Unverified.Count);
    }

    [Fact]
    public async Task AManifestAsLargeAsARegistryTakesHidesNothing()
    {
        var written = Referrers(await WriteAsync([Statements[0]]));
        byte[] large = new byte[EvidenceReader.MaxManifestBytes + 1];
        var junk = await _store.PutAsync(MediaType.Manifest, large);
        var larger = await _store.PutAsync(MediaType.Manifest, new byte[ContentStoreExtensions.MaxDocumentBytes + 1]);
        var set = await ReadAsync([junk.Digest, larger.Digest, .. written]);
        Assert.Single(set.Records);
        Assert.Equal(2, set.Unverified.Count);
    }

    [Fact]
    public async Task WhatNoKeyVouchesForIsLookedAtOnceAndAgainWhenAnotherKeyIsTrusted()
    {
        var written = Referrers(await WriteAsync([Statements[0]]));
        using var other = SigningKey.Create();
        var verdicts = new EvidenceVerdicts();
        var counting = new CountingStore(_store);
        var stranger = new TrustedKey(other.PublicKey, "other");
        for (int i = 0; i < 3; i++)
            Assert.Empty((await new EvidenceReader([stranger], verdicts).ReadAsync(_image.Digest, counting, written, s_stop)).Records);
        Assert.Equal(2, counting.Opened);
        Assert.Empty(await new EvidenceReader([stranger], verdicts).BelievedAsync(_image.Digest, counting, written, s_stop));
        Assert.Equal(2, counting.Opened);

        Assert.Single(
            (await new EvidenceReader([stranger, s_trusted], verdicts).ReadAsync(_image.Digest, counting, written, s_stop)).Records);
        Assert.Single(await new EvidenceReader([stranger, s_trusted], verdicts).BelievedAsync(_image.Digest, counting, written, s_stop));
        Assert.Empty((await new EvidenceReader([stranger], verdicts).ReadAsync(_image.Digest, counting, written, s_stop)).Records);
        Assert.Empty(
            (await new EvidenceReader([stranger, s_trusted], verdicts).ReadAsync(Digest.Of([1]), counting, written, s_stop)).Records);
    }

    [Fact]
    public async Task ABundleInSeveralManifestsIsOnePieceOfEvidence()
    {
        var written = Referrers(await WriteAsync([Statements[0]]));
        var manifest = ImageJson.ReadManifest(await _store.ReadRequiredAsync(written[0], s_stop));
        var all = written.ToList();
        for (int i = 0; i < 5; i++)
            all.Add((await _store.PutAsync(MediaType.Manifest,
                ImageJson.Write(manifest with { Annotations = new() { ["x"] = $"{i}" } }))).Digest);
        var counting = new CountingStore(_store);
        var reader = new EvidenceReader([s_trusted], new EvidenceVerdicts());
        Assert.Equal([written[0]], await reader.BelievedAsync(_image.Digest, _store, all, s_stop));
        Assert.Equal([written[0]], await reader.BelievedAsync(_image.Digest, _store, all, s_stop));
        var set = await reader.ReadAsync(_image.Digest, counting, all, s_stop);
        Assert.Equal(written[0], Assert.Single(set.Records).Manifest);
        Assert.Empty(set.Unverified);
        Assert.Equal(2, counting.Opened);
    }

    [Fact]
    public async Task ARoleThatIsGivenLaterIsNotForgottenFor()
    {
        var written = Referrers(await WriteAsync([Statements[0]]));
        var verdicts = new EvidenceVerdicts();
        var without = s_trusted with { Predicates = new HashSet<string>() };
        Assert.Empty((await new EvidenceReader([without], verdicts).ReadAsync(_image.Digest, _store, written, s_stop)).Records);
        Assert.Single((await new EvidenceReader([s_trusted], verdicts).ReadAsync(_image.Digest, _store, written, s_stop)).Records);
    }

    [Fact]
    public async Task ABundleThatComesLaterIsBelieved()
    {
        var written = Referrers(await WriteAsync([Statements[0]]));
        var bundle = ImageJson.ReadManifest(await _store.ReadRequiredAsync(written[0], s_stop)).Layers[0];
        byte[] bytes = await _store.ReadRequiredAsync(bundle.Digest, s_stop);
        await _store.DeleteAsync(bundle.Digest, s_stop);
        var reader = new EvidenceReader([s_trusted], new EvidenceVerdicts());
        Assert.Empty((await reader.ReadAsync(_image.Digest, _store, written, s_stop)).Records);
        await _store.PutAsync(bundle.MediaType, bytes, s_stop);
        Assert.Single((await reader.ReadAsync(_image.Digest, _store, written, s_stop)).Records);
    }

    private sealed class CountingStore(IContentStore store) : IContentStore
    {
        public int Opened { get; private set; }

        public ValueTask<long?> SizeAsync(Digest digest, CancellationToken cancellationToken = default) =>
            store.SizeAsync(digest, cancellationToken);

        public ValueTask<Stream?> OpenAsync(Digest digest, CancellationToken cancellationToken = default)
        {
            Opened++;
            return store.OpenAsync(digest, cancellationToken);
        }

        public ValueTask<BlobWriter> BeginAsync(CancellationToken cancellationToken = default) => store.BeginAsync(cancellationToken);

        public ValueTask<bool> DeleteAsync(Digest digest, CancellationToken cancellationToken = default) =>
            store.DeleteAsync(digest, cancellationToken);

        public IAsyncEnumerable<Digest> ListAsync(CancellationToken cancellationToken = default) => store.ListAsync(cancellationToken);
    }

    [Fact]
    public async Task TheSameManifestTwiceIsOneRecord()
    {
        var referrers = Referrers(await WriteAsync([Statements[0]]));
        Assert.Single((await ReadAsync([.. referrers, .. referrers])).Records);
    }

    private Task<IReadOnlyList<EvidenceManifest>> WriteAsync(IReadOnlyList<Statement> statements, ExistingEvidence? existing = null) =>
        new EvidenceWriter(_store, s_key, new FixedTime()).WriteAsync(_image, statements, existing, "registry/web", s_stop);

    private static List<Digest> Referrers(IReadOnlyList<EvidenceManifest> written) =>
        [.. written.Where(w => w.Tag is null).Select(w => w.Descriptor.Digest)];

    private static EvidenceReader Reader(IReadOnlyList<TrustedKey>? keys = null) => new(keys ?? [s_trusted]);

    private Task<EvidenceSet> ReadAsync(IEnumerable<Digest> referrers, IReadOnlyList<TrustedKey>? keys = null) =>
        Reader(keys).ReadAsync(_image.Digest, _store, referrers, s_stop);

    private async Task<ExistingEvidence> ExistingAsync(IReadOnlyList<EvidenceManifest> written) => new(
        await ReadAsync(Referrers(written)),
        await ManifestAsync(written, ".sig"),
        await ManifestAsync(written, ".att"));

    private async Task<byte[]?> ManifestAsync(IReadOnlyList<EvidenceManifest> written, string suffix) =>
        written.FirstOrDefault(w => w.Tag?.EndsWith(suffix, StringComparison.Ordinal) == true) is { } found
            ? await _store.ReadRequiredAsync(found.Descriptor.Digest, s_stop)
            : null;

    private Task<byte[]> AttachAsync(string bundle) => AttachAsync(Encoding.UTF8.GetBytes(bundle));

    private async Task<byte[]> AttachAsync(byte[] bundle)
    {
        var layer = await _store.PutAsync(SigstoreBundle.MediaType, bundle, s_stop);
        return ImageJson.Write(new Manifest
        {
            ArtifactType = SigstoreBundle.MediaType,
            Config = Descriptor.Of(MediaType.Empty, "{}"u8),
            Layers = [layer],
            Subject = _image,
        });
    }

    private async Task<UnverifiedEvidence> AssertUnverifiedAsync(byte[] manifest, string reason)
    {
        var set = await Reader().ReadAsync(_image.Digest, [manifest], (blob, stop) => _store.ReadAsync(blob.Digest, stop), s_stop);
        Assert.Empty(set.Records);
        var unverified = Assert.Single(set.Unverified);
        Assert.Contains(reason, unverified.Reason, StringComparison.Ordinal);
        Assert.Equal(Digest.Of(manifest), unverified.Manifest);
        return unverified;
    }

    private sealed class FixedTime : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => new(2024, 5, 6, 7, 8, 9, TimeSpan.Zero);
    }
}
