using System.Globalization;
using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers.Compression;

namespace Ingot.Testing;

/// <summary>A manifest, index or configuration that readers would read differently, with everything it names:
/// nothing but itself is wrong with it.</summary>
/// <param name="Kind"><c>manifest</c>, <c>index</c> or <c>config</c>.</param>
/// <param name="Image">The manifest or index: the document itself, or a good manifest with a bad configuration.</param>
/// <param name="MediaType">What it is handed out as.</param>
/// <param name="Expected">What the refusal says; empty for anything.</param>
public sealed record HostileDocument(string Kind, byte[] Image, string MediaType, string Expected)
{
    /// <summary>The names of all.</summary>
    public static IEnumerable<string> Names => VectorFile.Names("oci", "hostile");

    /// <summary>The digest of <see cref="Image"/>.</summary>
    public Digest Digest => Digest.Of(Image);

    /// <summary>Makes one in a store, which holds a good image of one layer besides.</summary>
    public static async Task<HostileDocument> MakeAsync(string name, IContentStore store)
    {
        var vector = VectorFile.Read(name, "oci", "hostile");
        string kind = vector["kind"].Trim();
        var good = await SampleImage.MakeAsync(store, LayerCompression.Gzip, [("a", "1")]);
        byte[] document = Bytes(Fill(vector["document"].TrimEnd('\n'), good));
        string mediaType = kind == "index" ? Oci.Content.MediaType.Index : Oci.Content.MediaType.Manifest;
        if (kind == "config")
            document = ImageJson.Write(good.Manifest with { Config = await store.PutAsync(Oci.Content.MediaType.Config, document) });
        await store.PutAsync(mediaType, document);
        return new HostileDocument(kind, document, mediaType, vector["expect"].Trim());
    }

    private static string Fill(string text, Image good)
    {
        var (config, layer) = (good.Manifest.Config, good.Manifest.Layers[0]);
        string diffId = good.Config.RootFs.DiffIds[0].ToString();
        (string, string)[] values =
        [
            ("config", config.Digest.ToString()), ("CONFIG", "sha256:" + config.Digest.Hex.ToUpperInvariant()), ("config-size",
                Number(config.Size)),
            ("layer", layer.Digest.ToString()), ("layer-size", Number(layer.Size)), ("diff-id", diffId), ("DIFF-ID",
                "sha256:" + diffId[7..].ToUpperInvariant()),
            ("image", good.Digest.ToString()), ("image-size", Number(good.Descriptor.Size)), ("architecture", Platform.Host.Architecture),
        ];
        return values.Aggregate(text, (filled, value) => filled.Replace($"{{{{{value.Item1}}}}}", value.Item2, StringComparison.Ordinal));
    }

    // <ff> stands for the byte: a vector is text, and some documents are not.
    private static byte[] Bytes(string text)
    {
        var bytes = new MemoryStream();
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '<' && i + 3 < text.Length && text[i + 3] == '>'
                && byte.TryParse(text.AsSpan(i + 1, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out byte value))
            {
                bytes.WriteByte(value);
                i += 3;
            }
            else
            {
                bytes.Write(Encoding.UTF8.GetBytes(text, i, 1));
            }
        }

        return bytes.ToArray();
    }

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);
}
