using Ingot.Builds;
using Ingot.Diagnostics;
using Ingot.Evidence;
using Ingot.Evidence.Provenance;
using Ingot.Evidence.Signatures;
using Ingot.Evidence.Tests;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers.Compression;
using Ingot.Plans;
using Ingot.Projects;
using Ingot.Projects.Examination;
using Ingot.Projects.Recipes;
using Ingot.Templates.Project;
using Ingot.Testing;

namespace Ingot.Tests.Projects.Examination;

public sealed class ProjectExaminationTests : IDisposable
{
    private static readonly Uri s_server = new("http://127.0.0.1:7070");

    private readonly TemporaryDirectory _directory = new();
    private readonly SampleHost _sample;
    private readonly DirectoryStore _store;

    public ProjectExaminationTests()
    {
        _sample = new SampleHost(_directory.At("home"));
        _store = new DirectoryStore(_sample.Host.Places.Content);
    }

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task WhatWasAnsweredIsNotAskedAgain()
    {
        var subject = await SubjectAsync("shop", "web");
        var first = await AskAsync(subject);
        var second = await AskAsync(subject);
        Assert.True(first.IsNew);
        Assert.False(second.IsNew);
        Assert.Equal(first.Manifests.Select(m => m.Descriptor.Digest), second.Manifests.Select(m => m.Descriptor.Digest));
    }

    [Fact]
    public async Task EveryStatementIsBoundToItsProjectImageAndSource()
    {
        var subject = await SubjectAsync("shop", "web");
        var records = await ReadAsync(subject, await AskAsync(subject));
        Assert.Equal([EvidenceKind.Provenance, EvidenceKind.Sbom, EvidenceKind.SecretScan, EvidenceKind.Claims],
            records.Where(r => r.Kind != EvidenceKind.Signature).Select(r => r.Kind));
        foreach (var record in records.Where(r => r.Kind != EvidenceKind.Signature))
            Assert.Equal(("shop", "web"), (StatementBinding.Of(record.Statement)!.Project, StatementBinding.Of(record.Statement)!.Image));

        var build = ProjectBuild.Of(SlsaProvenance.FromPredicate(records.Single(r => r.Kind == EvidenceKind.Provenance).Predicate));
        Assert.Equal(new ProjectBuild("shop", "web", "1.0.0",
            new ProjectSource(subject.Recipe.ProjectFile!.Value, "git+https://code.example/shop.git", new string('a', 40))), build);
    }

    [Fact]
    public async Task TheSameBytesInAnotherProjectOrImageOrVersionHaveEvidenceOfTheirOwn()
    {
        var first = await SubjectAsync("shop", "web");
        await AskAsync(first);
        foreach (var other in new[] { await SubjectAsync("other", "web"), await SubjectAsync("shop", "api"),
            await SubjectAsync("shop", "web", "1.0.1") })
        {
            Assert.Equal(first.Built.Digest, other.Built.Digest);
            var result = await AskAsync(other);
            Assert.True(result.IsNew, other.Name);
            var provenance = (await ReadAsync(other, result)).Single(r => r.Kind == EvidenceKind.Provenance);
            Assert.Equal(other.Name, StatementBinding.Of(provenance.Statement)!.Name);
            var build = ProjectBuild.Of(SlsaProvenance.FromPredicate(provenance.Predicate));
            Assert.Equal((other.Project.Name, other.Image.Name, other.Image.Version), (build.Project, build.Image, build.Version));
        }
    }

    [Fact]
    public async Task ANewKeySignsAgainAndSoDoesAnotherServersHistory()
    {
        var subject = await SubjectAsync("shop", "web");
        await AskAsync(subject);
        Assert.True((await new ProjectExamination(_sample.Host, new Uri("http://127.0.0.1:7071")).RunAsync(subject, [], default)).IsNew);

        Directory.Delete(_sample.Keys, recursive: true);
        var result = await AskAsync(subject);
        Assert.True(result.IsNew);
        // Read with the key that is in use now.
        Assert.NotEmpty(await ReadAsync(subject, result));
    }

    [Fact]
    public async Task OtherTestsAreOtherQuestions()
    {
        var subject = await SubjectAsync("shop", "web");
        await AskAsync(subject);
        Assert.True((await AskAsync(subject, "file: { /file: { exists: true } }")).IsNew);
        Assert.False((await AskAsync(subject, "file: { /file: { exists: true } }")).IsNew);
        Assert.True((await AskAsync(subject, "file: { /file: { exists: true, filetype: file } }")).IsNew);
    }

    [Fact]
    public async Task AFailureIsSignedAndKeptAndAskedAgain()
    {
        var subject = await SubjectAsync("shop", "web");
        const string Goss = "file: { /nowhere: { exists: true } }";
        var first = await AskAsync(subject, Goss);
        Assert.Equal("1 of 1 checks of web failed", first.Failure);
        var record = Assert.Single(await ReadAsync(subject, first));
        Assert.Equal(["file /nowhere: exists"], TestResultPredicate.FromPredicate(record.Predicate).FailedTests);
        Assert.Equal("shop/web", StatementBinding.Of(record.Statement)!.Name);

        var second = await AskAsync(subject, Goss);
        Assert.True(second.IsNew);
        Assert.Equal(2, (await ReadAsync(subject, second)).Count);
    }

    private Task<EvidenceResult> AskAsync(ExaminedImage subject, params string[] goss) =>
        new ProjectExamination(_sample.Host, s_server).RunAsync(subject, [.. goss.Select(Parse)], default);

    private async Task<IReadOnlyList<EvidenceRecord>> ReadAsync(ExaminedImage subject, EvidenceResult result)
    {
        using var key = await new KeyStore(_sample.Keys).LoadOrCreateAsync();
        var set = await new EvidenceReader([new TrustedKey(key.PublicKey, "own")])
            .ReadAsync(subject.Built.Digest, _store, result.Manifests.Where(m => m.Tag is null).Select(m => m.Descriptor.Digest));
        return set.Records;
    }

    private async Task<ExaminedImage> SubjectAsync(string project, string image, string version = "1.0.0")
    {
        var diagnostics = new DiagnosticBag();
        string yaml = $"ingot: 1\nproject: {project}\nimages:\n  {image}: {{ dockerfile: D, version: {version}, claims: [non-root] }}\n";
        var definition = ProjectParser.Parse(new SourceText("ingot.yaml", yaml), diagnostics)!;
        diagnostics.ThrowIfErrors();
        var made = await SampleImage.MakeAsync(_store, LayerCompression.Gzip, [("file", "content")]);
        return new ExaminedImage(definition, definition.Images[0], new BuiltImage(image, made.Digest, made.Manifest, made.Config, Record()),
            Recipe(definition, version));
    }

    private static BuildRecipe Recipe(ProjectDefinition project, string version) => new()
    {
        Project = project.Name,
        Image = project.Images[0].Name,
        Version = version,
        Platform = "linux/amd64",
        Epochs = new Dictionary<string, long>(),
        Bootstraps = new Dictionary<string, IReadOnlyList<InstalledPackage>>(),
        Codec = "gzip",
        Template = Digest.Of([1]),
        ProjectFile = Digest.Of(System.Text.Encoding.UTF8.GetBytes(project.Source.Text)),
        Commit = new string('a', 40),
        Remote = "https://code.example/shop.git",
        Prefix = "",
        Ingot = "0.1.0",
    };

    private static BuildRecord Record() => new()
    {
        Source = null,
        Template = Digest.Of([1]),
        Bases = [],
        Arguments = [],
        Bootstraps = [],
        Rules = [],
        Started = DateTimeOffset.UnixEpoch,
        Finished = DateTimeOffset.UnixEpoch,
        Steps = 1,
        CachedSteps = 0,
        Epoch = DateTimeOffset.UnixEpoch,
        Codec = "gzip",
    };

    private static GossFile Parse(string text)
    {
        var diagnostics = new DiagnosticBag();
        var file = GossFile.Parse(new SourceText("goss.yaml", text), diagnostics);
        diagnostics.ThrowIfErrors();
        return file;
    }
}
