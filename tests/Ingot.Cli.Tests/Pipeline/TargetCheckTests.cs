using Ingot.Cli.Commands;
using Ingot.Cli.Pipeline;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Layers.Compression;
using Ingot.Plans;
using Ingot.Projects;
using Ingot.Server.Api;
using Ingot.Templates.Project;
using Ingot.Testing;

namespace Ingot.Cli.Tests.Pipeline;

public sealed class TargetCheckTests : IDisposable
{
    private const string Running =
        "services:\n  web: { image: web, port: 80, listen: 8080 }\nstages:\n  test:\n  production: { target: docker }\n";

    private static readonly TargetReply s_old = new("Docker Engine 20.10.24", ["none", "gzip"], "Docker Engine 23 or later");
    private static readonly TargetReply s_new = new("Docker Engine 28.2.2", ["none", "gzip", "zstd"], "Docker Engine 23 or later");

    private readonly TemporaryDirectory _directory = new();
    private readonly MemoryStore _store = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("", "", "ingot.yaml:4:3", "which is the default")]
    [InlineData("", ", compression: zstd", "ingot.yaml:4:54", "as it says here")]
    [InlineData("compression: zstd\n", "", "ingot.yaml:3:14", "as it says here")]
    [InlineData("compression: gzip\n", ", compression: zstd", "ingot.yaml:5:54", "as it says here")]
    public async Task WhatCannotBePulledIsRefusedWhereItIsSaid(string project, string image, string where, string why)
    {
        var e = await Assert.ThrowsAsync<InvalidInputException>(() => CheckAsync(s_old, project, image, "FROM scratch\nCOPY a /\n"));
        Assert.Equal(
            $"{where}: error: images/web: Docker Engine 20.10.24, where 'production' would run image 'web', "
                + $"cannot pull layers compressed with zstd, {why} "
            + "(write 'compression: gzip' at images/web, or use Docker Engine 23 or later)",
            Assert.Single(e.Diagnostics).ToString());
    }

    [Theory]
    [InlineData("compression: gzip\n", "")]
    [InlineData("", ", compression: gzip")]
    [InlineData("compression: zstd\n", ", compression: none")]
    public async Task WhatCanBePulledIsNot(string project, string image) =>
        await CheckAsync(s_old, project, image, "FROM scratch\nCOPY a /\n");

    [Fact]
    public async Task AnEngineThatPullsZstdTakesTheDefault() => await CheckAsync(s_new, "", "", "FROM scratch\nCOPY a /\n");

    [Fact]
    public async Task TheCommandLineWinsOverTheFileAndIsNamed()
    {
        await CheckAsync(s_old, "", ", compression: zstd", "FROM scratch\nCOPY a /\n", LayerCompression.Gzip);
        var e = await Assert.ThrowsAsync<InvalidInputException>(() =>
            CheckAsync(s_old, "", ", compression: gzip", "FROM scratch\nCOPY a /\n", LayerCompression.Zstandard));
        var diagnostic = Assert.Single(e.Diagnostics);
        Assert.Null(diagnostic.Span);
        Assert.Equal(
            "leave '--compression zstd' out and write 'compression: gzip' at images/web in ingot.yaml, or use Docker Engine 23 or later",
            diagnostic.Detail);
    }

    [Fact]
    public async Task AnImageThatNoStageRunsMayHaveAnyCompression() =>
        await CheckAsync(s_old, "", "", "FROM scratch\nCOPY a /\n", running: "stages:\n  production: { target: docker }\n");

    [Fact]
    public async Task LayersOfAnImageOfTheProjectCountToo() =>
        await Assert.ThrowsAsync<InvalidInputException>(() =>
            CheckAsync(s_old, "", "", "FROM other\nUSER 1000\n", more: "  other: { dockerfile: Other }\n"));

    [Fact]
    public async Task AnImageThatAddsNoLayerHasOnlyItsBases()
    {
        await CheckAsync(s_old, "", "", "FROM foreign:gzip\nUSER 1000\n");
        var e = await Assert.ThrowsAsync<InvalidInputException>(() => CheckAsync(s_old, "", "", "FROM foreign:zstd\nUSER 1000\n"));
        Assert.Contains("which its base image 'foreign:zstd' has", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task GzipDoesNotChangeTheLayersOfABase()
    {
        var e = await Assert.ThrowsAsync<InvalidInputException>(() =>
            CheckAsync(s_old, "", ", compression: gzip", "FROM foreign:zstd\nCOPY a /\n"));
        Assert.Contains("push the base image with 'ingot push --compression gzip'", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task StagesThatAreOnlyCopiedFromDoNotCount() =>
        await CheckAsync(s_old, "", ", compression: gzip", "FROM foreign:zstd AS build\nFROM foreign:gzip\nCOPY --from=build /a /b\n");

    private async Task CheckAsync(
        TargetReply target, string projectKeys, string imageKeys, string dockerfile, LayerCompression? given = null, string? running = null,
        string more = "")
    {
        string yaml = $"ingot: 1\nproject: shop\n{projectKeys}images:\n  web: {{ dockerfile: D, version: 1.0.0{imageKeys} }}\n"
            + $"{more}{running ?? Running}";
        await File.WriteAllTextAsync(_directory.At("D"), dockerfile);
        await File.WriteAllTextAsync(_directory.At("Other"), "FROM scratch\nCOPY a /\n");
        await File.WriteAllTextAsync(_directory.At("a"), "a");
        var diagnostics = new DiagnosticBag();
        var project = ProjectParser.Parse(new SourceText("ingot.yaml", yaml), diagnostics);
        diagnostics.ThrowIfErrors();
        var options = new BuildOptions { Compression = given };
        var plan = await Planner.PlanAsync(options.Over(project!), new PlanSettings
        {
            Directory = _directory.Root,
            FindImage = async (name, _, _) => await FindAsync(name),
        }, diagnostics, default);
        diagnostics.ThrowIfErrors();
        await new TargetCheck(project!, plan!, target, _store).RunAsync(default);
    }

    private async Task<StoredImage?> FindAsync(string name)
    {
        if (!name.StartsWith("foreign:", StringComparison.Ordinal))
            return null;
        var image = await SampleImage.MakeAsync(_store, LayerCompression.Find(name["foreign:".Length..])!, [("a", "1")]);
        return new StoredImage(image.Digest, image.Config);
    }
}
