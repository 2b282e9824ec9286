using System.Diagnostics;
using Ingot.Evidence;
using Ingot.Evidence.Claims;
using Ingot.Evidence.Packages;
using Ingot.Evidence.Secrets;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;

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

    private static async Task<(IContentStore Store, Image Image)> ImageAsync(LayerCompression compression, ContainerConfig? config = null)
    {
        string root = await BootstrappedRoot.MinimalAsync();
        var store = new MemoryStore();
        await using var writer = await LayerWriter.BeginAsync(store, compression, s_stop);
        await DirectoryLayer.WriteAsync(writer, root, new DirectoryLayerOptions(), s_stop);
        var layer = await writer.FinishAsync(s_stop);
        var document = new ImageConfig { Architecture = "amd64", Os = "linux", RootFs = new RootFileSystem { DiffIds = [layer.DiffId] }, Config = config ?? new ContainerConfig() };
        var configuration = await store.PutAsync(MediaType.Config, ImageJson.Write(document), s_stop);
        var manifest = await store.PutAsync(MediaType.Manifest, ImageJson.Write(new Manifest { Config = configuration, Layers = [layer.Blob!] }), s_stop);
        return (store, await Image.LoadAsync(store, manifest.Digest, cancellationToken: s_stop));
    }
}
