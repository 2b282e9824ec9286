using System.Text.Json.Nodes;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Layouts;
using Ingot.Plans;
using Ingot.Projects;
using Ingot.Projects.Building;
using Ingot.Projects.Images;
using Ingot.Projects.Recipes;
using Ingot.Projects.Reproduction;
using Ingot.Testing;

namespace Ingot.Tests.Projects.Building;

/// <summary>What a program does that has no console: build a project, and build it again from its record.</summary>
public sealed class ProjectBuilderTests : IDisposable
{
    private static readonly string[] s_platforms = ["linux/amd64", "linux/arm64"];

    private readonly TemporaryDirectory _directory = new();
    private readonly SampleHost _sample;
    private readonly string _project;

    public ProjectBuilderTests()
    {
        _sample = new SampleHost(_directory.At("home"));
        _project = _directory.Make("project");
        Write("ingot.yaml", "ingot: 1\nproject: shop\nimages:\n  web: { dockerfile: Dockerfile, version: 1.0.0 }\n");
        Write("Dockerfile", "FROM scratch\nARG NAME=none\nLABEL name=$NAME\nCOPY a /\n");
        Write("a", "content\n");
    }

    private ProjectHost Host => _sample.Host;

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task WhatItCameToIsReturned()
    {
        var result = await BuildAsync(new BuildOptions());
        var build = Assert.Single(result.Platforms);
        var image = Assert.Single(result.Images);
        Assert.Equal(("web", build.Images[0].Digest), (image.Name, image.Descriptor.Digest));
        Assert.True(build.DidWork);
        Assert.Empty(build.Warnings);
        Assert.Equal("web", Assert.Single(build.Recipes).Key);

        var again = await BuildAsync(new BuildOptions { Explain = true });
        Assert.False(again.DidWork);
        Assert.True(Assert.Single(again.Platforms[0].Explained).Explanation.IsHit);
    }

    [Fact]
    public async Task AnUnusedArgumentIsAWarningAndIsSaid()
    {
        var options = new BuildOptions { Plan = new PlanOptions { Arguments = [KeyValuePair.Create("NAMES", "x")] } };
        var warning = Assert.Single((await BuildAsync(options)).Platforms[0].Warnings);
        Assert.Equal(Severity.Warning, warning.Severity);
        Assert.Contains($"build    {warning}", _sample.Said.Lines);
    }

    [Fact]
    public async Task OfSeveralPlatformsAnIndexGetsTheName()
    {
        var result = await BuildAsync(new BuildOptions { Platforms = [.. s_platforms.Select(p => Platform.TryParse(p)!)] });
        var image = Assert.Single(result.Images);
        Assert.True(MediaType.IsIndex(image.Descriptor.MediaType));
        Assert.Equal(s_platforms, image.Parts.Select(p => ProjectImage.PlatformOf(p).ToString()));
        var names = await new OciLayout(Host.Places.Content).NamesAsync();
        Assert.Equal(image.Descriptor.Digest, Assert.Single(names).Value.Digest);
    }

    [Fact]
    public async Task APlanThatShouldNotBeEndsItBeforeAnythingIsWritten()
    {
        var builder = new ProjectBuilder(Host) { Consider = (_, _) => throw new InvalidInputException("no", "not here") };
        await Assert.ThrowsAsync<InvalidInputException>(
            () => builder.BuildAsync(ProjectFiles.Load(_project), _project, new BuildOptions(), CancellationToken.None));
        Assert.False(Directory.Exists(Host.Places.Recipes));
    }

    [Fact]
    public async Task FromItsRecordItBecomesTheSameAgain()
    {
        var options = new BuildOptions { Plan = new PlanOptions { Arguments = [KeyValuePair.Create("NAME", "x")] } };
        var image = (await BuildAsync(options)).Images[0];
        var subject = new ReproductionSubject(
            new LocalImage(image.Names[0], image.Descriptor),
            (await BuildRecipe.FindAsync(Host.Places, image.Descriptor.Digest, default))!, null);
        var reproduction = new ImageReproduction(Host, subject, _directory.Make("again"), _directory.Root, new());
        Assert.True((await reproduction.BuildAsync(1, CancellationToken.None)).IsEqual);
        Assert.StartsWith(_project, reproduction.Sources, StringComparison.Ordinal);

        Write("a", "other\n");
        var comparison = await reproduction.BuildAsync(2, CancellationToken.None);
        Assert.Equal("a", Assert.Single(comparison.Differences).Path);
    }

    [Fact]
    public async Task ARecordHasTheFormThatEarlierVersionsRead()
    {
        var image = (await BuildAsync(new BuildOptions())).Images[0];
        string text = await File.ReadAllTextAsync(BuildRecipe.PathOf(Host.Places, image.Descriptor.Digest));
        Assert.Equal(
            [
                "project", "image", "dockerfile", "context", "target", "arguments", "labels", "contexts", "platform", "epochs", "rules_off",
                "bootstraps", "codec", "template", "project_file", "commit", "dirty", "remote", "prefix", "directory",
                "bases", "secrets", "ssh",
                "allow", "network", "hosts", "shared_memory", "limits", "annotations", "exempt_secrets", "version", "given", "rules",
                "all_rules_off", "materials", "started", "finished", "ingot",
            ],
            JsonNode.Parse(text)!.AsObject().Select(member => member.Key));
    }

    private Task<ProjectBuildResult> BuildAsync(BuildOptions options) =>
        new ProjectBuilder(Host).BuildAsync(ProjectFiles.Load(_project), _project, options, CancellationToken.None);

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_project, name), text);
}
