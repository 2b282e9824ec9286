using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Tar;

namespace Ingot.Testing;

/// <summary>Small images for tests.</summary>
public static class SampleImage
{
    /// <summary>Stores an image of one layer per list of files (path and content) and returns it.</summary>
    public static async Task<Image> MakeAsync(
        IContentStore store, LayerCompression compression, params (string Path, string Content)[][] layers)
    {
        var made = new List<Layer>();
        foreach (var files in layers)
        {
            await using var writer = await LayerWriter.BeginAsync(store, compression);
            foreach (var (path, content) in files)
            {
                byte[] bytes = System.Text.Encoding.UTF8.GetBytes(content);
                await writer.WriteAsync(
                    new TarEntry { Path = path, Type = TarEntryType.File, Mode = 0b110_100_100, Size = bytes.Length }, bytes);
            }

            made.Add(await writer.FinishAsync());
        }

        var config = new ImageConfig
        {
            Architecture = Platform.Host.Architecture,
            Os = Platform.Host.Os,
            RootFs = new RootFileSystem { DiffIds = [.. made.Select(layer => layer.DiffId)] },
        };
        var configBlob = await store.PutAsync(MediaType.Config, ImageJson.Write(config));
        var manifest = new Manifest { Config = configBlob, Layers = [.. made.Select(layer => layer.Blob!)] };
        var descriptor = await store.PutAsync(MediaType.Manifest, ImageJson.Write(manifest));
        return await Image.LoadAsync(store, descriptor.Digest);
    }

    /// <summary>Stores an artifact that says something about <paramref name="subject"/>.</summary>
    public static async Task<Descriptor> ReferrerAsync(IContentStore store, Descriptor subject, string artifactType, string content)
    {
        var config = await store.PutAsync(MediaType.Empty, "{}"u8.ToArray());
        var layer = await store.PutAsync("text/plain", System.Text.Encoding.UTF8.GetBytes(content));
        var manifest = new Manifest { ArtifactType = artifactType, Config = config, Layers = [layer], Subject = subject };
        return await store.PutAsync(MediaType.Manifest, ImageJson.Write(manifest));
    }
}
