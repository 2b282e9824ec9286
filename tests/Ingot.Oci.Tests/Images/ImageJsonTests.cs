using System.Text;
using Ingot.Oci.Images;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Images;

public sealed class ImageJsonTests
{
    public static TheoryData<string> Vectors => new(VectorFile.Names("oci", "documents"));

    [Theory]
    [MemberData(nameof(Vectors))]
    public void EveryDocumentIsReadAsItSays(string name)
    {
        var vector = VectorFile.Read(name, "oci", "documents");
        string document = vector["document"].TrimEnd('\n'), expected = vector["expect"].TrimEnd('\n');
        if (expected == "error")
            Assert.Throws<FormatException>(() => RoundTrip(vector["kind"].Trim(), document));
        else
            Assert.Equal(expected == "same" ? document : expected, RoundTrip(vector["kind"].Trim(), document));
    }

    private static string RoundTrip(string kind, string json)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(json);
        return Encoding.UTF8.GetString(kind switch
        {
            "manifest" => ImageJson.Write(ImageJson.ReadManifest(bytes)),
            "index" => ImageJson.Write(ImageJson.ReadIndex(bytes)),
            _ => ImageJson.Write(ImageJson.ReadConfig(bytes)),
        });
    }
}
