using Ingot.Oci.Content;
using Ingot.Oci.Images;

namespace Ingot.Oci.Tests.Content;

public sealed class PlatformTests
{
    [Theory]
    [InlineData("linux/amd64", "linux/amd64")]
    [InlineData("linux/amd64/v3", "linux/amd64/v3 linux/amd64/v2 linux/amd64")]
    [InlineData("linux/arm/v7", "linux/arm/v7 linux/arm/v6 linux/arm/v5")]
    [InlineData("linux/arm", "linux/arm/v7 linux/arm/v6 linux/arm/v5")]
    [InlineData("linux/arm/v6", "linux/arm/v6 linux/arm/v5")]
    [InlineData("linux/arm64/v8", "linux/arm64")]
    [InlineData("linux/aarch64", "linux/arm64")]
    [InlineData("linux/arm/v999999999", "linux/arm/v999999999")]
    public void APlatformRunsItselfAndItsOlderVariants(string platform, string runs) =>
        Assert.StartsWith(runs, string.Join(' ', Platform.TryParse(platform)!.Runs()), StringComparison.Ordinal);

    [Theory]
    [InlineData("linux/arm/v7", "linux/arm/v6 linux/arm/v7", 1)]
    [InlineData("linux/arm/v7", "linux/arm/v5 linux/arm/v6", 1)]
    [InlineData("linux/arm/v6", "linux/arm/v7", -1)]
    [InlineData("linux/arm64", "linux/arm/v7 linux/arm64/v8", 1)]
    [InlineData("linux/arm64", "linux/arm/v7", -1)]
    [InlineData("linux/amd64", "linux/386 linux/amd64/v3", -1)]
    [InlineData("linux/amd64/v4", "linux/amd64 linux/amd64/v2", 1)]
    [InlineData("linux/amd64", "unknown/unknown linux/amd64", 1)]
    [InlineData("linux/amd64", "windows/amd64", -1)]
    public void OfAnIndexTheBestIsTaken(string platform, string has, int expected)
    {
        var manifests = has.Split(' ').Select((p, i) => Descriptor.Of(MediaType.Manifest, [(byte)i]) with { Platform = Make(p) }).ToList();
        var found = Image.Select(new ImageIndex { Manifests = manifests }, Platform.TryParse(platform)!);
        Assert.Equal(expected < 0 ? null : manifests[expected], found);
    }

    [Fact]
    public void AnErrorListsThePlatformsThereAre()
    {
        var manifests = new[] { "linux/s390x", "unknown/unknown", "linux/arm/v6", "linux/s390x" }
            .Select((p, i) => Descriptor.Of(MediaType.Manifest, [(byte)i]) with { Platform = Make(p) })
            .ToList();
        Assert.Equal("linux/arm/v6, linux/s390x", Image.Platforms(new ImageIndex { Manifests = manifests }));
        Assert.Equal("none", Image.Platforms(new ImageIndex { Manifests = [] }));
    }

    // As it stands in an index, whatever it is.
    private static Platform Make(string text)
    {
        string[] parts = text.Split('/');
        return new Platform { Os = parts[0], Architecture = parts[1], Variant = parts.Length > 2 ? parts[2] : null };
    }
}
