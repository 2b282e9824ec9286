using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
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
        var config = await _layout.Store.PutAsync(MediaType.Config, ImageJson.Write(image.Config with { RootFs = new RootFileSystem { DiffIds = [Digest.Of([1]), Digest.Of([2])] } }));
        var manifest = await _layout.Store.PutAsync(MediaType.Manifest, ImageJson.Write(image.Manifest with { Config = config }));
        await _layout.RemoveAsync("app:1");
        await _layout.Store.DeleteAsync(image.Digest);
        await _layout.SetAsync("lie:1", manifest);
        var problem = Assert.Single((await LayoutVerification.VerifyAsync(_layout)).Problems, p => p.Digest == image.Manifest.Layers[0].Digest);
        Assert.Equal("lie:1", problem.Name);
        Assert.Contains("diff id", problem.What, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnIndexHeldInPartIsSoundAndOneHeldNotAtAllIsNot()
    {
        var image = await MakeAsync();
        var missing = Descriptor.Of(MediaType.Manifest, [1, 2, 3]) with { Platform = new Platform { Os = "linux", Architecture = "s390x" } };
        var part = await _layout.Store.PutAsync(MediaType.Index, ImageJson.Write(new ImageIndex { Manifests = [image.Descriptor, missing] }));
        await _layout.SetAsync("part:1", part);
        Assert.Empty((await LayoutVerification.VerifyAsync(_layout)).Problems);
        var none = await _layout.Store.PutAsync(MediaType.Index, ImageJson.Write(new ImageIndex { Manifests = [missing] }));
        await _layout.SetAsync("none:1", none);
        Assert.Contains("none of the 1 images", Assert.Single((await LayoutVerification.VerifyAsync(_layout)).Problems).What, StringComparison.Ordinal);
    }

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
