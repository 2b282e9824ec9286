using System.Text.Json;
using Ingot.Evidence;
using Ingot.Evidence.Packages;
using Ingot.Evidence.Sbom;
using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;
using Ingot.Oci.Images;

namespace Ingot.SystemTests.Evidence;

/// <summary>What we write, stock cosign 2.5 reads; and what was changed, it does not.</summary>
public sealed class CosignTests : IAsyncLifetime
{
    private static readonly CancellationToken s_stop = TestContext.Current.CancellationToken;

    // Without a list of trusted roots, which a key does not need, cosign 2.5 would fetch one.
    private static readonly string[] s_bundles = ["--new-bundle-format", "--trusted-root", "/tmp/trusted-root.json"];

    private readonly MemoryStore _store = new();
    private readonly SigningKey _key = SigningKey.Create();
    private ReadOnlyRegistry _registry = null!;
    private string _peers = null!;
    private string _keyFile = null!;
    private Descriptor _image = null!;

    public async ValueTask InitializeAsync()
    {
        _peers = await BootstrappedRoot.PeersAsync();
        _keyFile = $"/tmp/{Guid.NewGuid():N}.pub";
        await File.WriteAllTextAsync(_peers + _keyFile, _key.PublicKey.ToPem(), s_stop);
        await File.WriteAllTextAsync(_peers + "/tmp/trusted-root.json",
            """{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}""", s_stop);
        var config = await _store.PutAsync(
            MediaType.Config,
            ImageJson.Write(new ImageConfig { Architecture = "amd64", Os = "linux", RootFs = new RootFileSystem { DiffIds = [] } }),
            s_stop);
        _image = await _store.PutAsync(MediaType.Manifest, ImageJson.Write(new Manifest { Config = config, Layers = [] }), s_stop);
        _registry = new ReadOnlyRegistry(_store);
        _registry.Publish(_image, "1.0");
    }

    public async ValueTask DisposeAsync()
    {
        _key.Dispose();
        if (_registry is not null)
            await _registry.DisposeAsync();
        if (_keyFile is not null)
            File.Delete(_peers + _keyFile);
    }

    private Statement[] Statements =>
    [
        Statement.Signature(_image.Digest, "shop/web"),
        Statement.About(_image.Digest, "shop/web", PredicateType.Provenance, JsonElement.Parse(
            """{"buildDefinition":{"buildType":"https://ingot.dev/build/dockerfile/v1","externalParameters":{}},"runDetails":{"builder":{"id":"https://ingot.dev/builder"}}}""")),
        Statement.About(_image.Digest, "shop/web", PredicateType.TestResult,
            JsonElement.Parse("""{"result":"PASSED","configuration":[]}""")),
        Statement.About(_image.Digest, "shop/web", PredicateType.CycloneDx,
            CycloneDx.ToPredicate(new SbomSubject("shop/web", _image.Digest), new PackageInventory(null, [], []))),
    ];

    [Fact]
    public async Task CosignVerifiesOurSignature()
    {
        await PublishAsync();
        var result = await CosignAsync("verify");
        Assert.True(result.ExitCode == 0, result.Tail);
        Assert.Contains($"\"docker-manifest-digest\":\"{_image.Digest}\"", result.Output, StringComparison.Ordinal);
        Assert.Contains($"GET /v2/shop/web/manifests/sha256-{_image.Digest.Hex}.sig", _registry.Requests);
    }

    [Theory]
    [InlineData("slsaprovenance1", "https://slsa.dev/provenance/v1")]
    [InlineData("cyclonedx", "https://cyclonedx.org/bom")]
    [InlineData("https://in-toto.io/attestation/test-result/v0.1", "https://in-toto.io/attestation/test-result/v0.1")]
    public async Task CosignVerifiesOurStatementsInBothForms(string type, string predicateType)
    {
        await PublishAsync();
        AssertAttested(await CosignAsync("verify-attestation", "--type", type), predicateType);

        // With bundles alone: what cosign 3 looks for.
        _registry.Requests.Clear();
        AssertAttested(await CosignAsync("verify-attestation", ["--type", type, .. s_bundles]), predicateType);
        Assert.Contains($"GET /v2/shop/web/referrers/{_image.Digest}", _registry.Requests);
        Assert.DoesNotContain(_registry.Requests, r => r.EndsWith(".att", StringComparison.Ordinal));
    }

    [Fact]
    public async Task CosignStillVerifiesWhatASecondRunAdded()
    {
        var first = await PublishAsync();
        var existing = new ExistingEvidence(
            await new EvidenceReader([new TrustedKey(_key.PublicKey, "own")]).ReadAsync(_image.Digest, _store,
                first.Where(f => f.Tag is null).Select(f => f.Descriptor.Digest), s_stop),
            await _store.ReadAsync(first[^1].Descriptor.Digest, s_stop),
            await _store.ReadAsync(first[^2].Descriptor.Digest, s_stop));
        var scan = Statement.About(_image.Digest, "shop/web", PredicateType.SecretScan, JsonElement.Parse("""{"result":"PASSED"}"""));
        _registry.Publish(await Writer().WriteAsync(_image, [.. Statements, scan], existing, cancellationToken: s_stop));

        Assert.Equal(0, (await CosignAsync("verify")).ExitCode);
        AssertAttested(await CosignAsync("verify-attestation", "--type", PredicateType.SecretScan), PredicateType.SecretScan);
        AssertAttested(await CosignAsync("verify-attestation", "--type", "cyclonedx"), PredicateType.CycloneDx);
    }

    [Fact]
    public async Task CosignRefusesAnotherKeysSignature()
    {
        await PublishAsync();
        using var other = SigningKey.Create();
        await File.WriteAllTextAsync(_peers + _keyFile, other.PublicKey.ToPem(), s_stop);
        Assert.NotEqual(0, (await CosignAsync("verify")).ExitCode);
        Assert.NotEqual(0, (await CosignAsync("verify-attestation", "--type", "cyclonedx")).ExitCode);
        Assert.NotEqual(0, (await CosignAsync("verify-attestation", ["--type", "cyclonedx", .. s_bundles])).ExitCode);
    }

    [Fact]
    public async Task CosignRefusesASignatureOfAnotherImage()
    {
        var other = Descriptor.Of(MediaType.Manifest, "another"u8);
        var written = await Writer().WriteAsync(other, [Statement.Signature(other.Digest, "shop/web")], cancellationToken: s_stop);
        _registry.Publish(written[^1].Descriptor, SimpleSigning.SignatureTag(_image.Digest));
        Assert.NotEqual(0, (await CosignAsync("verify")).ExitCode);
    }

    [Fact]
    public async Task CosignFindsNothingWhereNothingIs() => Assert.NotEqual(0, (await CosignAsync("verify")).ExitCode);

    private EvidenceWriter Writer() => new(_store, _key, TimeProvider.System);

    private async Task<IReadOnlyList<EvidenceManifest>> PublishAsync()
    {
        var written = await Writer().WriteAsync(_image, Statements, cancellationToken: s_stop);
        _registry.Publish(written);
        return written;
    }

    private Task<Ingot.Tools.CommandResult> CosignAsync(string command, params IReadOnlyList<string> options) =>
        BootstrappedRoot.RunAsync(_peers, ["cosign", command, "--key", _keyFile, "--insecure-ignore-tlog=true", "--allow-insecure-registry",
            .. options, $"{_registry.Address}/shop/web@{_image.Digest}"]);

    private void AssertAttested(Ingot.Tools.CommandResult result, string predicateType)
    {
        Assert.True(result.ExitCode == 0, result.Tail);
        var envelope = JsonDocument.Parse(result.Output.Split('\n')[0]).RootElement;
        var statement = Statement.Parse(Convert.FromBase64String(envelope.GetProperty("payload").GetString()!));
        Assert.Equal(predicateType, statement.PredicateType);
        Assert.Equal(_image.Digest, statement.Subjects[0].Digest);
    }
}
