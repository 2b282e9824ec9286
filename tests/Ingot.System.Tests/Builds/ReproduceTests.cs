using System.Text.Json;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.SystemTests.Shop;
using Ingot.Testing;

namespace Ingot.SystemTests.Builds;

/// <summary>An image is built again from its record, by the program as people run it.</summary>
public sealed class ReproduceTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly IngotProgram _ingot;

    private BusyboxProject Project => new(_directory.At("project"));

    public ReproduceTests() => _ingot = new IngotProgram(_directory.At("home"), server: null);

    public void Dispose()
    {
        // Snapshots have modes of their own.
        using var remove = System.Diagnostics.Process.Start("rm", ["-rf", _directory.At("home"), _directory.At("project")]);
        remove.WaitForExit();
        _directory.Dispose();
    }

    [Fact]
    public async Task AnImageOfACommitIsBuiltAgainFromTheCommitAndTheMatchIsSigned()
    {
        await Project.WriteAsync("RUN mkdir /made && echo \"$SOURCE_DATE_EPOCH\" > /made/when && cat /bin/notes > /made/notes");
        await Project.GitAsync("init", "-q");
        await Project.CommitAsync("first");
        await _ingot.ExpectAsync(0, "-C", _directory.At("project"), "build", "app");
        // What lies in the directory now is not what the image was built from.
        await File.WriteAllTextAsync(_directory.At("project/root/bin/notes"), "changed since\n");

        var again = await _ingot.ExpectAsync(0, "-C", _directory.At("project"), "-o", "json", "reproduce", "app", "--times", "2");
        var report = JsonDocument.Parse(again.Output).RootElement;
        Assert.True(report.GetProperty("reproduced").GetBoolean());
        Assert.Equal(2, report.GetProperty("runs").GetInt32());
        Assert.StartsWith("commit ", report.GetProperty("sources").GetString());
        Assert.Contains("sign ", again.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_directory.At("home/work/reproductions")));
    }

    [Fact]
    public async Task WhatDiffersIsNamedWithFileInstructionCauseAndCure()
    {
        await Project.WriteAsync("RUN sleep 1 && mkdir /made && date +%F\\ %T > /made/when && head -c 32 /dev/urandom > /made/seed");
        await _ingot.ExpectAsync(0, "-C", _directory.At("project"), "build", "app");

        var again = await _ingot.ExpectAsync(1, "-C", _directory.At("project"), "-o", "json", "reproduce", "app");
        var differences = JsonDocument.Parse(again.Output).RootElement.GetProperty("differences").EnumerateArray()
            .ToDictionary(d => d.GetProperty("path").GetString()!);
        Assert.Equal(["made/seed", "made/when"], differences.Keys.Order(StringComparer.Ordinal));
        var when = differences["made/when"];
        Assert.Equal("timestamp", when.GetProperty("cause").GetString());
        Assert.Contains("SOURCE_DATE_EPOCH", when.GetProperty("cure").GetString(), StringComparison.Ordinal);
        Assert.StartsWith("RUN /bin/sh -c sleep 1 && mkdir /made", when.GetProperty("instruction").GetString());
    }

    [Fact]
    public async Task ARuleThatIsOffIsOffAgainAndIsTheCure()
    {
        await Project.WriteAsync("RUN sleep 1 && mkdir -p /root/.cache/pip && date +%s > /root/.cache/pip/when");
        await _ingot.ExpectAsync(0, "-C", _directory.At("project"), "build", "app", "--no-rule", "pip-cache");
        var again = await _ingot.ExpectAsync(1, "-C", _directory.At("project"), "-o", "json", "reproduce", "app");
        var difference = Assert.Single(JsonDocument.Parse(again.Output).RootElement.GetProperty("differences").EnumerateArray());
        Assert.Equal("root/.cache/pip/when", difference.GetProperty("path").GetString());
        Assert.Equal("the rule 'pip-cache@2' is for it, and is switched off", difference.GetProperty("reason").GetString());
        Assert.Equal("switch the rule 'pip-cache' on", difference.GetProperty("cure").GetString());

        // On, it is another step, whose layer has no such file.
        await _ingot.ExpectAsync(0, "-C", _directory.At("project"), "build", "app");
        await _ingot.ExpectAsync(0, "-C", _directory.At("project"), "reproduce", "app");
    }

    [Fact]
    public async Task TheEpochOfACommitStaysUntilTheImagesOwnFilesChange()
    {
        await Project.WriteAsync("RUN echo \"$SOURCE_DATE_EPOCH\" > /when");
        await File.WriteAllTextAsync(_directory.At("project/ingot.yaml"),
            "ingot: 1\nproject: again\nepoch: commit\nimages:\n  app: { dockerfile: Dockerfile, context: root }\n");
        await File.WriteAllTextAsync(_directory.At("project/Dockerfile"),
            "FROM scratch\nCOPY . /\nRUN echo \"$SOURCE_DATE_EPOCH\" > /when\n");
        await Project.GitAsync("init", "-q");
        await Project.CommitAsync("first", "1000000000");
        string first = await DigestAsync();
        await File.WriteAllTextAsync(_directory.At("project/README"), "nothing of the image\n");
        await Project.CommitAsync("second", "1100000000");
        Assert.Equal(first, await DigestAsync());
        await _ingot.ExpectAsync(0, "-C", _directory.At("project"), "reproduce", "app");

        await File.WriteAllTextAsync(_directory.At("project/root/bin/notes"), "changed\n");
        await Project.CommitAsync("third", "1200000000");
        Assert.NotEqual(first, await DigestAsync());
        var config = await _ingot.ExpectAsync(0, "-C", _directory.At("project"), "history", "again/app");
        Assert.Contains("2008-01-10T21:20:00Z", config.Output, StringComparison.Ordinal);
        // The command line wins, and is what is repeated.
        Assert.NotEqual(await DigestAsync(), await DigestAsync("--epoch", "2026-01-31T12:00:00Z"));
        await _ingot.ExpectAsync(0, "-C", _directory.At("project"), "reproduce", "app");
    }

    [Fact]
    public async Task LayersAreCompressedAgainAsTheyWereWhateverTheProjectSaysNow()
    {
        await Project.WriteAsync("RUN mkdir /made && cat /bin/notes > /made/notes");
        string project = await File.ReadAllTextAsync(_directory.At("project/ingot.yaml"));
        string zstd = await DigestAsync();
        await CompressAsync("gzip", project);
        string gzip = await DigestAsync();
        Assert.NotEqual(zstd, gzip);
        Assert.Equal(zstd, await DigestAsync("--compression", "zstd"));
        Assert.All(await LayersAsync(gzip), type => Assert.Equal(MediaType.LayerGzip, type));

        await CompressAsync("none", project);
        foreach (string digest in (string[])[zstd, gzip])
        {
            var again = await _ingot.ExpectAsync(0, "-C", _directory.At("project"), "-o", "json", "reproduce", digest);
            Assert.True(JsonDocument.Parse(again.Output).RootElement.GetProperty("reproduced").GetBoolean());
        }
    }

    [Fact]
    public async Task TheSameStepsAreNotRunAgainForAnotherCompressionAndGiveTheBytesOfAFreshBuild()
    {
        await Project.WriteAsync("RUN mkdir /made && cat /bin/notes > /made/notes");
        await File.WriteAllTextAsync(_directory.At("project/Upper"), "FROM app\nCOPY root/bin/notes /upper\n");
        const string images = "ingot: 1\nproject: again\nimages:\n  app: { dockerfile: Dockerfile, context: . }\n  upper: { dockerfile: "
            + "Upper, context: ., compression: gzip }\n";
        await File.WriteAllTextAsync(_directory.At("project/ingot.yaml"), images);
        var built = await BuildAsync();
        Assert.Equal([MediaType.LayerZstd, MediaType.LayerZstd], await LayersAsync(built["app"].Digest));
        // The layers of the image below are of the project too.
        Assert.Equal([MediaType.LayerGzip, MediaType.LayerGzip, MediaType.LayerGzip], await LayersAsync(built["upper"].Digest));

        await CompressAsync("gzip", images);
        var gzip = await BuildAsync();
        Assert.Equal((2, built["upper"].Digest), (gzip["app"].Cached, gzip["upper"].Digest));
        Assert.NotEqual(built["app"].Digest, gzip["app"].Digest);
        Assert.Equal(gzip["app"].Digest, (await BuildAsync("--no-cache"))["app"].Digest);
        await CompressAsync("zstd", images);
        Assert.Equal(built["app"].Digest, (await BuildAsync("--no-cache"))["app"].Digest);
    }

    [Fact]
    public async Task AnImageFromElsewhereHasNoRecord()
    {
        await Project.WriteAsync("RUN true");
        await _ingot.ExpectAsync(0, "-C", _directory.At("project"), "build", "app");
        Directory.Delete(_directory.At("home/recipes"), recursive: true);
        var refused = await _ingot.ExpectAsync(2, "-C", _directory.At("project"), "reproduce", "app");
        Assert.Contains("was not built on this host", refused.Error + refused.Output, StringComparison.Ordinal);
    }

    private async Task<string> DigestAsync(params string[] options)
    {
        var built = await _ingot.ExpectAsync(0, ["-C", _directory.At("project"), "-o", "json", "build", "app", .. options]);
        return JsonDocument.Parse(built.Output).RootElement.GetProperty("images")[0].GetProperty("digest").GetString()!;
    }

    private async Task<Dictionary<string, (string Digest, int Cached)>> BuildAsync(params string[] options)
    {
        var built = await _ingot.ExpectAsync(0, ["-C", _directory.At("project"), "-o", "json", "build", .. options]);
        return JsonDocument.Parse(built.Output).RootElement.GetProperty("images").EnumerateArray()
            .ToDictionary(i => i.GetProperty("name").GetString()!,
                i => (i.GetProperty("digest").GetString()!, i.GetProperty("steps").GetProperty("cached").GetInt32()));
    }

    private async Task<IEnumerable<string>> LayersAsync(string digest) =>
        (await Image.LoadAsync(new DirectoryStore(_directory.At("home/content")), Digest.Parse(digest))).Manifest.Layers
            .Select(l => l.MediaType);

    // Of the images that say nothing themselves.
    private Task CompressAsync(string compression, string project) => File.WriteAllTextAsync(
        _directory.At("project/ingot.yaml"),
        project.Replace("images:", $"compression: {compression}\nimages:", StringComparison.Ordinal));
}
