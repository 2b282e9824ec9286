using System.Diagnostics;
using Ingot.Evidence;
using Ingot.Evidence.Claims;
using Ingot.Evidence.Packages;
using Ingot.Evidence.Sbom;
using Ingot.Evidence.Secrets;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;

namespace Ingot.SystemTests.Evidence;

/// <summary>Every check against a real minimal Debian.</summary>
public sealed class DebianImageTests
{
    private static readonly CancellationToken s_stop = TestContext.Current.CancellationToken;

    [Fact]
    public async Task AMinimalDebianHasNoSecrets()
    {
        var (store, image) = await ImageAsync(LayerCompression.Gzip);
        var watch = Stopwatch.StartNew();
        var report = await SecretScanner.ScanAsync(store, image, s_stop);
        watch.Stop();

        TestContext.Current.SendDiagnosticMessage($"{report.Files} files, {report.Bytes >> 20} MiB in {watch.ElapsedMilliseconds} ms");
        Assert.Empty(report.Findings.Select(f => $"{f.Rule} {f.Path}:{f.Line} {f.Match}"));
        Assert.True(report.Bytes > 100 << 20, $"searched {report.Bytes} bytes");
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), $"took {watch.Elapsed}");
    }

    [Fact]
    public async Task AMinimalDebianIsKnownByItsPackages()
    {
        var (store, image) = await ImageAsync(LayerCompression.Zstandard);
        string scratch = Directory.CreateTempSubdirectory("ingot-scratch-").FullName;
        try
        {
            await using (var under = await ImageUnderTest.UnpackAsync(store, image.Digest, scratch, s_stop))
            {
                var inventory = PackageInventory.Read(under.Root);
                var expected = (await BootstrappedRoot.RunAsync(await BootstrappedRoot.MinimalAsync(), "dpkg-query", "-W", "-f",
                    "${Package} ${Version} ${Architecture} ${source:Package} ${source:Version}\n")).Output;
                Assert.Equal(
                    expected.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal),
                    inventory.Packages
                        .Select(p => $"{p.Name} {p.Version} {p.Architecture} {p.SourceName} {p.SourceVersion}")
                        .Order(StringComparer.Ordinal));
                Assert.Equal(("debian", "12"), (inventory.Distribution!.Id, inventory.Distribution.VersionId));
                Assert.Empty(inventory.Unreadable);
                Assert.NotEmpty(CycloneDx.Write(new SbomSubject("debian", image.Digest), inventory));
            }

            Assert.Empty(Directory.EnumerateFileSystemEntries(scratch));
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
        }
    }

    [Fact]
    public async Task AMinimalDebianHoldsNoHardeningClaim()
    {
        string root = await BootstrappedRoot.MinimalAsync();
        using var image = new ImageRoot(root);
        var report = ClaimChecker.Check(image, new ContainerConfig(), ClaimChecker.Names);
        Assert.All(report.Results, r => Assert.False(r.Holds, r.Claim));
        var shells = report.Results.Single(r => r.Claim == "no-shell").Offending;
        Assert.Equal(["/usr/bin/bash", "/usr/bin/dash", "/usr/bin/rbash", "/usr/bin/sh"], shells);
        Assert.Contains("/usr/bin/passwd", report.Results.Single(r => r.Claim == "no-setuid").Offending);
        Assert.Contains("/usr/bin/apt-get", report.Results.Single(r => r.Claim == "no-package-manager").Offending);
    }

    [Fact]
    public async Task AnImageThatIsNotWhatItsDigestsSayIsNotUnpackedAndNothingIsLeft()
    {
        var (store, image) = await ImageAsync(LayerCompression.Zstandard);
        var bad = image.Manifest with { Layers = [image.Manifest.Layers[0] with { Size = image.Manifest.Layers[0].Size + 1 }] };
        var manifest = await store.PutAsync(MediaType.Manifest, ImageJson.Write(bad), s_stop);
        string scratch = Directory.CreateTempSubdirectory("ingot-scratch-").FullName;
        try
        {
            await Assert.ThrowsAsync<ContentMismatchException>(() => ImageUnderTest.UnpackAsync(store, manifest.Digest, scratch, s_stop));
            await Assert.ThrowsAsync<ContentMismatchException>(() => SecretScanner.ScanAsync(store, image with { Manifest = bad }, s_stop));
            Assert.Empty(Directory.EnumerateFileSystemEntries(scratch));
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
        }
    }

    private static async Task<(IContentStore Store, Image Image)> ImageAsync(LayerCompression compression, ContainerConfig? config = null)
    {
        string root = await BootstrappedRoot.MinimalAsync();
        var store = new MemoryStore();
        await using var writer = await LayerWriter.BeginAsync(store, compression, s_stop);
        await DirectoryLayer.WriteAsync(writer, root, new DirectoryLayerOptions(), s_stop);
        var layer = await writer.FinishAsync(s_stop);
        var document = new ImageConfig
        {
            Architecture = "amd64",
            Os = "linux",
            RootFs = new RootFileSystem { DiffIds = [layer.DiffId] },
            Config = config ?? new ContainerConfig(),
        };
        var configuration = await store.PutAsync(MediaType.Config, ImageJson.Write(document), s_stop);
        var manifest = await store.PutAsync(MediaType.Manifest,
            ImageJson.Write(new Manifest { Config = configuration, Layers = [layer.Blob!] }), s_stop);
        return (store, await Image.LoadAsync(store, manifest.Digest, cancellationToken: s_stop));
    }
}
