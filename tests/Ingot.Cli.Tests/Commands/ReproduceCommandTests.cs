using Ingot.Cli.Commands;
using Ingot.Oci.Content;
using Ingot.Oci.Layers.Compression;
using Ingot.Plans;
using Ingot.Projects.Recipes;

namespace Ingot.Cli.Tests.Commands;

public sealed class ReproduceCommandTests
{
    [Fact]
    public void NothingIsOtherWhereTheImageWasBuilt() =>
        Assert.Empty(ReproduceCommand.OtherHere(Recipe(LayerCompression.Zstandard.Codec, Application.Version)));

    [Fact]
    public void AnotherVersionOfTheCodecIsNamedWithBoth()
    {
        const string Before = "zstd level 3, frames of 1 to 4 MiB by content, libzstd 1.4.0";

        string other = Assert.Single(ReproduceCommand.OtherHere(Recipe(Before, Application.Version)));

        string now = LayerCompression.Zstandard.Codec;
        Assert.Equal($"its layers were compressed by '{Before}', and here by '{now}': the same files may have other bytes", other);
    }

    [Fact]
    public void AnotherIngotIsNamed() => Assert.StartsWith(
        "the image was built by ingot 0.0.1,", Assert.Single(ReproduceCommand.OtherHere(Recipe(LayerCompression.Gzip.Codec, "0.0.1"))));

    private static BuildRecipe Recipe(string codec, string ingot) => new()
    {
        Project = "shop",
        Image = "web",
        Platform = "linux/amd64",
        Epochs = new Dictionary<string, long>(),
        Bootstraps = new Dictionary<string, IReadOnlyList<InstalledPackage>>(),
        Codec = codec,
        Template = Digest.Of([1]),
        Ingot = ingot,
    };
}
