using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Tar;

namespace Ingot.Tests.Evidence;

/// <summary>Small images in memory.</summary>
internal static class TestImage
{
    public static async Task<(MemoryStore Store, Image Image)> CreateAsync(
        ContainerConfig config, IReadOnlyList<HistoryEntry> history, params (string Path, byte[] Content)[][] layers)
    {
        var store = new MemoryStore();
        List<Layer> written = [];
        foreach (var files in layers)
            written.Add(await LayerAsync(store, files));

        var document = new ImageConfig
        {
            Architecture = "amd64",
            Os = "linux",
            Config = config,
            History = history,
            RootFs = new RootFileSystem { DiffIds = [.. written.Select(l => l.DiffId)] },
        };
        var configuration = await store.PutAsync(MediaType.Config, ImageJson.Write(document));
        var manifest = await store.PutAsync(MediaType.Manifest,
            ImageJson.Write(new Manifest { Config = configuration, Layers = [.. written.Select(l => l.Blob!)] }));
        return (store, await Image.LoadAsync(store, manifest.Digest));
    }

    public static (string Path, byte[] Content) File(string path, string text) => (path, Encoding.Latin1.GetBytes(text));

    /// <summary>A path that ends in a slash is a directory.</summary>
    private static async Task<Layer> LayerAsync(MemoryStore store, (string Path, byte[] Content)[] files)
    {
        await using var writer = await LayerWriter.BeginAsync(store, LayerCompression.Gzip);
        foreach (var (path, content) in files)
        {
            bool directory = path.EndsWith('/');
            await writer.WriteAsync(
                new TarEntry
                {
                    Path = path.TrimEnd('/'),
                    Type = directory ? TarEntryType.Directory : TarEntryType.File,
                    Mode = 0b110_100_100,
                    Size = content.Length,
                },
                content.AsMemory());
        }

        return await writer.FinishAsync();
    }
}
