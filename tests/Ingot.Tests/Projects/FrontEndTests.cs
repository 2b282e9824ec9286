using System.Text;
using Ingot.Diagnostics;
using Ingot.Evidence.Provenance;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layouts;
using Ingot.Plans;
using Ingot.Projects;
using Ingot.Projects.Building;
using Ingot.Projects.Recipes;
using Ingot.Templates.Project;
using Ingot.Testing;

namespace Ingot.Tests.Projects;

/// <summary>A front end is a row of a table: with one more row, images of that kind are read, planned, built, checked and
/// recorded.</summary>
public sealed class FrontEndTests : IDisposable
{
    private const string Yaml = "ingot: 1\nproject: shop\nimages:\n  web: { listing: web/files.txt, title: Files, version: 1.0.0 }\n";

    private static readonly FrontEnds s_frontEnds = FrontEnds.Standard.With(ListingFrontEnd.Row);

    private readonly TemporaryDirectory _directory = new();
    private readonly SampleHost _sample;
    private readonly ProjectHost _host;
    private readonly string _project;

    public FrontEndTests()
    {
        _sample = new SampleHost(_directory.At("home"));
        _host = _sample.Host with { FrontEnds = s_frontEnds };
        _project = _directory.Make("project");
        Directory.CreateDirectory(Path.Combine(_project, "web"));
        File.WriteAllText(Path.Combine(_project, "web/files.txt"), "one\ntwo\n");
        File.WriteAllText(Path.Combine(_project, "ingot.yaml"), Yaml);
    }

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task ANewKindOfImageIsBuiltAndNamedAndRecorded()
    {
        var result = await BuildAsync();
        var image = Assert.Single(result.Images);
        Assert.Equal("shop/web:1.0.0", Assert.Single(image.Names));
        Assert.True(result.DidWork);
        Assert.Equal(image.Descriptor.Digest, (await new OciLayout(_host.Places.Content).FindAsync("shop/web:1.0.0"))!.Digest);
        Assert.Equal("# Files\none\ntwo\n", await ContentAsync(image.Descriptor.Digest, "listing"));

        var recipe = await BuildRecipe.FindAsync(_host.Places, image.Descriptor.Digest, default);
        Assert.Equal(("shop", "web", "1.0.0"), (recipe!.Project, recipe.Image, recipe.Version));
        Assert.Equal(Digest.Of("one\ntwo\n"u8), recipe.Template);
        Assert.Equal("shop", ProjectBuild.Of(BuildProvenance.Of(recipe, _host.Version)).Project);
        Assert.Contains($"build    web is {image.Descriptor.Digest} (0 of 1 steps from the cache)", _sample.Said.Lines);
    }

    [Fact]
    public async Task ItsStepsAreCachedLikeAnyOthers()
    {
        var first = await BuildAsync();
        var second = await BuildAsync();
        Assert.False(second.DidWork);
        Assert.Equal(first.Images[0].Descriptor, second.Images[0].Descriptor);
        await File.WriteAllTextAsync(Path.Combine(_project, "web/files.txt"), "three\n");
        Assert.True((await BuildAsync()).DidWork);
    }

    [Fact]
    public async Task WhatItIsMadeOfIsKnownWithoutBuilding()
    {
        var project = ProjectFiles.Load(_project, s_frontEnds);
        var built = (await BuildAsync()).Platforms[0];
        var remembered = BuildMemory.Of(_host, project, _project, built, ["same"], asked: []);
        Assert.Contains(Path.Combine(_project, "web/files.txt"), remembered!.Files);
        Assert.Equal("web/files.txt", s_frontEnds.Of(project.Images[0]).Origin);
    }

    [Fact]
    public async Task ItsChecksAreDoneWithTheOthers()
    {
        await File.WriteAllTextAsync(Path.Combine(_project, "web/files.txt"), "one\none\n");
        var found = await TemplateChecks.RunAsync(_host, ProjectFiles.Load(_project, s_frontEnds), _project, new BuildOptions(), p =>
            p, default);
        Assert.Equal("'one' stands twice", Assert.Single(found).Summary);
    }

    [Fact]
    public void ItsKeysGoWithNoOtherKind()
    {
        var diagnostics = new DiagnosticBag();
        string yaml = Yaml.Replace("listing: web/files.txt", "dockerfile: D", StringComparison.Ordinal);
        ProjectParser.Parse(new SourceText("ingot.yaml", yaml), diagnostics, s_frontEnds.Templates);
        Assert.Equal("'title' belongs to an image made from a listing", Assert.Single(diagnostics).Summary);

        diagnostics = [];
        ProjectParser.Parse(new SourceText("ingot.yaml", Yaml), diagnostics);
        Assert.Contains(diagnostics, d => d.Summary == "unknown key 'listing'");
    }

    private async Task<ProjectBuildResult> BuildAsync() => await new ProjectBuilder(_host)
        .BuildAsync(ProjectFiles.Load(_project, s_frontEnds), _project, new BuildOptions(), CancellationToken.None);

    private async Task<string> ContentAsync(Digest digest, string path)
    {
        var store = new DirectoryStore(_host.Places.Content);
        var image = await Image.LoadAsync(store, digest);
        var tree = await MergedTree.ReadAsync(store, image);
        return Encoding.UTF8.GetString((await FileSystemArchive.ReadFilesAsync(store, image, tree, p => p == path))[path]);
    }

    private sealed record ListingImage(string Name, SourceSpan Span, string File, string? Title) : ImageDefinition(Name, Span);

    /// <summary>An image of one file that lists what a text says.</summary>
    private sealed class ListingFrontEnd(ListingImage image) : FrontEnd
    {
        public static FrontEndRow Row { get; } = new(
            new ImageTemplate("listing", ["title"], s =>
                new ListingImage(s.Name, s.Span, s.RelativePath("listing") ?? "", s.Text("title"))),
            image => image is ListingImage listing ? new ListingFrontEnd(listing) : null);

        public override string Origin => image.File;

        public override IReadOnlyList<string> Sources => [image.File];

        public override Task<PlannedImage?> PlanAsync(Planner planner, CancellationToken cancellationToken)
        {
            string text = Read(planner.Settings.Directory);
            var listing = new InlineFile("listing", $"# {image.Title}\n{text}");
            var step = new CopyStep("LISTING", image.Span, new TreeSource.Inline(), [], "/")
            {
                DestinationIsDirectory = true,
                Inline = [listing]
            };
            planner.Add(new PlannedStage(image.Name, new TreeSource.Scratch(), [step], Planner.EmptyConfig, []));
            var template = Digest.Of(Encoding.UTF8.GetBytes(text));
            return Task.FromResult<PlannedImage?>(new PlannedImage(image.Name, image.Name, image, template, [], []));
        }

        public override TemplateFiles FilesIn(string directory) => new([Path.Combine(directory, image.File)], [], []);

        public override IEnumerable<Diagnostic> Check(TemplateCheck check) => Read(check.Settings.Directory)
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .CountBy(line => line)
            .Where(line => line.Value > 1)
            .Select(line => new Diagnostic(Severity.Warning, "listing-twice", $"'{line.Key}' stands twice"));

        public override ImageDefinition As(RecordedTemplate record) => image;

        private string Read(string directory)
        {
            using var files = new ProjectDirectory(directory);
            return files.FindText(image.File, image.File)!.Text;
        }
    }
}
