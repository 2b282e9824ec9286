using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Layouts;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Layouts;

public sealed class LayoutVerificationTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly OciLayout _layout;

    public LayoutVerificationTests() => _layout = new OciLayout(_directory.At("layout"));

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task ASoundLayoutHasNoProblems()
    {
        var image = await MakeAsync();
        await SampleImage.ReferrerAsync(_layout.Store, image.Descriptor, "text/note", "about it");
        var report = await LayoutVerification.VerifyAsync(_layout);
        Assert.Empty(report.Problems);
        Assert.Equal((1, 7), (report.Names, report.Blobs));
    }

    [Fact]
    public async Task EachDamageIsNamedAndNothingIsChanged()
    {
        var image = await MakeAsync();
        string layer = _layout.Store.PathOf(image.Manifest.Layers[0].Digest);
        foreach (var (damage, problem) in ((Action<string>, string)[])
            [
                (path => Change(path, bytes => bytes[^1] ^= 1), "have the digest"),
                (path => File.WriteAllBytes(path, File.ReadAllBytes(path)[..^1]), "have the digest"),
                (path => File.WriteAllBytes(path, []), "have the digest"),
                (File.Delete, "it is not in the store"),
            ])
        {
            foreach (var digest in (Digest[])[image.Manifest.Layers[0].Digest, image.Manifest.Config.Digest, image.Digest])
            {
                string path = _layout.Store.PathOf(digest);
                byte[] before = await File.ReadAllBytesAsync(path);
                damage(path);
                byte[]? damaged = File.Exists(path) ? await File.ReadAllBytesAsync(path) : null;
                var report = await LayoutVerification.VerifyAsync(_layout);
                Assert.Contains(report.Problems, p => p.Digest == digest && p.What.Contains(problem, StringComparison.Ordinal));
                Assert.Contains(report.Problems, p => p.Digest == digest && p.Name == "app:1");
                Assert.Equal(damaged, File.Exists(path) ? await File.ReadAllBytesAsync(path) : null);
                await File.WriteAllBytesAsync(path, before);
            }
        }

        Assert.True(File.Exists(layer));
        Assert.Empty((await LayoutVerification.VerifyAsync(_layout)).Problems);
    }

    [Fact]
    public async Task AConfigurationThatSpeaksOfOtherLayersIsNamed()
    {
        var image = await MakeAsync();
        var config = await _layout.Store.PutAsync(MediaType.Config,
            ImageJson.Write(image.Config with { RootFs = new RootFileSystem { DiffIds = [Digest.Of([1]), Digest.Of([2])] } }));
        var manifest = await _layout.Store.PutAsync(MediaType.Manifest, ImageJson.Write(image.Manifest with { Config = config }));
        await _layout.RemoveAsync("app:1");
        await _layout.Store.DeleteAsync(image.Digest);
        await _layout.SetAsync("lie:1", manifest);
        var problem = Assert.Single((await LayoutVerification.VerifyAsync(_layout)).Problems,
            p => p.Digest == image.Manifest.Layers[0].Digest);
        Assert.Equal("lie:1", problem.Name);
        Assert.Contains("diff id", problem.What, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnIndexHeldInPartIsSoundAndOneHeldNotAtAllIsNot()
    {
        var image = await MakeAsync();
        var missing = Descriptor.Of(MediaType.Manifest, [1, 2, 3]) with
        {
            Platform = new Platform { Os = "linux", Architecture = "s390x" },
        };
        var part = await _layout.Store.PutAsync(MediaType.Index,
            ImageJson.Write(new ImageIndex { Manifests = [image.Descriptor, missing] }));
        await _layout.SetAsync("part:1", part);
        Assert.Empty((await LayoutVerification.VerifyAsync(_layout)).Problems);
        var none = await _layout.Store.PutAsync(MediaType.Index, ImageJson.Write(new ImageIndex { Manifests = [missing] }));
        await _layout.SetAsync("none:1", none);
        Assert.Contains("none of the 1 images", Assert.Single((await LayoutVerification.VerifyAsync(_layout)).Problems).What,
            StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Artifacts))]
    public async Task AnArtifactOfForeignToolsIsNoBrokenImage(string what, string config, string configType, string layer, string layerType)
    {
        var image = await MakeAsync();
        var manifest = new Manifest
        {
            Config = await PutAsync(configType, config),
            Layers = [await PutAsync(layerType, layer)],
            Subject = what.StartsWith("a bundle", StringComparison.Ordinal) ? image.Descriptor : null,
        };
        var artifact = await _layout.Store.PutAsync(MediaType.Manifest, ImageJson.Write(manifest));
        foreach (bool isNamed in (bool[])[false, true])
        {
            if (isNamed)
                await _layout.SetAsync("artifact:1", artifact);
            var report = await LayoutVerification.VerifyAsync(_layout, [new(artifact.Digest, "shop/web")]);
            Assert.Empty(report.Problems);
            Assert.Empty(report.Unknown);
        }

        await File.WriteAllTextAsync(_layout.Store.PathOf(manifest.Layers[0].Digest), "another statement");
        var damaged = await LayoutVerification.VerifyAsync(_layout);
        Assert.True(damaged.IsDamaged);
        Assert.Contains(damaged.Problems, p => p.Digest == manifest.Layers[0].Digest && p.Name == "artifact:1");
    }

    // What cosign 2, BuildKit, ORAS and Helm write, to the letter but for lengths.
    public static TheoryData<string, string, string, string, string> Artifacts()
    {
        const string Payload =
            """{"critical":{"identity":{"docker-reference":"shop/web"},"image":{"docker-manifest-digest":"sha256:00"},"type":"cosign container image signature"},"optional":null}""";
        const string Statement =
            """{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://slsa.dev/provenance/v0.2","subject":[],"predicate":{}}""";
        string cosign =
            $$$"""{"architecture":"","created":"0001-01-01T00:00:00Z","history":[{"created":"0001-01-01T00:00:00Z"}],"os":"","rootfs":{"type":"layers","diff_ids":["{{{Digest.Of(System.Text.Encoding.UTF8.GetBytes(Payload))}}}"]},"config":{}}""";
        string attestation =
            $$$"""{"architecture":"unknown","os":"unknown","config":{},"rootfs":{"type":"layers","diff_ids":["{{{Digest.Of(System.Text.Encoding.UTF8.GetBytes(Statement))}}}"]}}""";
        return new()
        {
            { "a signature of cosign", cosign, MediaType.Config, Payload, "application/vnd.dev.cosign.simplesigning.v1+json" },
            { "a signature whose configuration has no layers",
                """{"architecture":"","os":"","config":{},"rootfs":{"type":"layers","diff_ids":[]}}""", MediaType.Config, Payload,
                "application/vnd.dev.cosign.simplesigning.v1+json" },
            { "an SBOM with a configuration that is none", "{}", MediaType.Config, """{"spdxVersion":"SPDX-2.3"}""", "text/spdx+json" },
            { "an attestation of BuildKit", attestation, MediaType.Config, Statement, "application/vnd.in-toto+json" },
            { "an attestation of cosign", cosign, MediaType.Config, Statement, "application/vnd.dsse.envelope.v1+json" },
            { "a bundle of sigstore", "{}", MediaType.Empty, Statement, "application/vnd.dev.sigstore.bundle.v0.3+json" },
            { "a chart of Helm", """{"name":"web"}""", "application/vnd.cncf.helm.config.v1+json", "no tar",
                "application/vnd.cncf.helm.chart.content.v1.tar+gzip" },
            { "a file of ORAS", "{}", MediaType.Empty, "hello", "text/plain" },
        };
    }

    [Fact]
    public async Task ACacheOfBuildKitListsLayersAsIfTheyWereImages()
    {
        var layer = await PutAsync(MediaType.LayerGzip, "the bytes of a layer");
        var config = await PutAsync("application/vnd.buildkit.cacheconfig.v0",
            """{"layers":[{"blob":"sha256:00","parent":-1}],"records":[]}""");
        var index = await _layout.Store.PutAsync(MediaType.Index, ImageJson.Write(new ImageIndex { Manifests = [layer, config] }));
        await _layout.SetAsync("cache:1", index);
        Assert.Empty((await LayoutVerification.VerifyAsync(_layout)).Problems);

        await File.WriteAllTextAsync(_layout.Store.PathOf(layer.Digest), "other bytes of a layer");
        Assert.Contains((await LayoutVerification.VerifyAsync(_layout)).Problems, p => p.Digest == layer.Digest && p.Name == "cache:1");
    }

    [Fact]
    public async Task OfADocumentThatNobodyNamedNothingIsPromised()
    {
        await MakeAsync();
        var config = await PutAsync(MediaType.Config, "{}");
        var missing = Descriptor.Of(MediaType.LayerGzip, [1, 2, 3]);
        // Pushed as a blob, by anybody: it looks like a manifest, and nothing of it is here.
        var lookalike = await _layout.Store.PutAsync(MediaType.Manifest,
            ImageJson.Write(new Manifest { Config = config, Layers = [missing] }));
        var report = await LayoutVerification.VerifyAsync(_layout);
        Assert.Empty(report.Problems);
        Assert.Contains(report.Unknown, p => p.Digest == missing.Digest);

        report = await LayoutVerification.VerifyAsync(_layout, [new(lookalike.Digest, "shop/web")]);
        Assert.Equal(missing.Digest, Assert.Single(report.Problems).Digest);
        Assert.Equal("shop/web", report.Problems[0].Name);
        Assert.False(report.IsDamaged);
    }

    [Fact]
    public async Task WhatARegistryPublishedIsHeldAgainstItsBytesAndNotAgainstItsMeaning()
    {
        var config = await PutAsync(MediaType.Config, """{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}""");
        var foreign = Descriptor.Of("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", [1, 2, 3]);
        var manifest = await _layout.Store.PutAsync(MediaType.Manifest,
            ImageJson.Write(new Manifest { Config = config, Layers = [await PutAsync(MediaType.LayerGzip, "no archive"), foreign] }));
        var absent = Descriptor.Of(MediaType.Manifest, [4, 5, 6]);
        var sparse = await _layout.Store.PutAsync(MediaType.Index, ImageJson.Write(new ImageIndex { Manifests = [absent] }));
        var report = await LayoutVerification.VerifyAsync(_layout, [new(manifest.Digest, "shop/web"), new(sparse.Digest, "shop/web")]);
        Assert.Empty(report.Problems);
        Assert.Equal([config.Digest, sparse.Digest], report.Unknown.Select(p => p.Digest).OrderBy(d => d == sparse.Digest));

        report = await LayoutVerification.VerifyAsync(_layout, [new(absent.Digest, "shop/web")]);
        Assert.Contains("not in the store", Assert.Single(report.Problems).What, StringComparison.Ordinal);
    }

    private Task<Descriptor> PutAsync(string mediaType, string text) =>
        _layout.Store.PutAsync(mediaType, System.Text.Encoding.UTF8.GetBytes(text));

    private async Task<Image> MakeAsync()
    {
        var image = await SampleImage.MakeAsync(_layout.Store, LayerCompression.Gzip, [("a", "1")], [("b", "2")]);
        await _layout.SetAsync("app:1", image.Descriptor);
        return image;
    }

    private static void Change(string path, Action<byte[]> change)
    {
        byte[] bytes = File.ReadAllBytes(path);
        change(bytes);
        File.WriteAllBytes(path, bytes);
    }
}
