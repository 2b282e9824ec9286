using Ingot.Builds;
using Ingot.Builds.Reproduction;
using Ingot.Diagnostics;
using Ingot.Evidence;
using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Plans;
using Ingot.Projects.Building;
using Ingot.Projects.Recipes;
using Ingot.Templates.Project;

namespace Ingot.Projects.Reproduction;

/// <summary>Builds an image again from what is recorded of it: the commit's files, the arguments, the bases by digest, the time and the
/// codec, with nothing from the cache.</summary>
public sealed class ImageReproduction
{
    private readonly StepAccess _access;
    private readonly ProjectHost _host;
    private readonly ReproductionSubject _subject;
    private readonly string _directory;
    private readonly RecipeSources _sources;

    /// <summary>Prepares it.</summary>
    /// <param name="host">What it works with.</param>
    /// <param name="subject">The image.</param>
    /// <param name="directory">Where sources and caches are put, which is the caller's to take away.</param>
    /// <param name="near">Where the sources may be found before they are fetched.</param>
    /// <param name="access">What steps may use.</param>
    public ImageReproduction(ProjectHost host, ReproductionSubject subject, string directory, string near, StepAccess access)
    {
        (_host, _subject, _directory, _access) = (host, subject, directory, access);
        _sources = new RecipeSources(host, near, subject.Recipe, access);
    }

    /// <summary>Hosts of registries that speak plain http.</summary>
    public IReadOnlyList<string> Insecure { get; init; } = [];

    /// <summary>What the sources are: the commit, or the directory as it is.</summary>
    public string Sources => _sources.Description;

    private BuildRecipe Recipe => _subject.Recipe;

    /// <summary>Builds once and says what differs; nothing when the digests are equal.</summary>
    public async Task<ImageComparison> BuildAsync(int run, CancellationToken cancellationToken)
    {
        string sources = await _sources.FindAsync(Path.Combine(_directory, "sources"), cancellationToken);
        var options = Recipe.Again(_access);
        options = options with
        {
            Caches = options.Caches with { Directory = Path.Combine(_directory, $"cache-{run}") },
            Bases = new BaseImageOptions { Insecure = Insecure },
        };
        var result = await new ProjectBuilder(_host).BuildAsync(ProjectIn(sources), sources, options, cancellationToken);
        var store = new DirectoryStore(_host.Places.Content);
        var expected = await Image.LoadAsync(store, _subject.Image.Descriptor.Digest, cancellationToken: cancellationToken);
        var again = result.Platforms[0].Images.Single(b => b.Name == Recipe.Image);
        var actual = await Image.LoadAsync(store, again.Digest, cancellationToken: cancellationToken);
        return await ImageComparer.CompareAsync(store, expected, store, actual, again.Record.RulesOff, cancellationToken);
    }

    /// <summary>Signs that the image became the same again, <paramref name="runs"/> times.</summary>
    public async Task SignAsync(int runs, CancellationToken cancellationToken)
    {
        var image = _subject.Image;
        using var key = await _host.Surroundings.OpenKeys().LoadOrCreateAsync(cancellationToken);
        var summary = ReproductionSummary.Of(image.Name, runs, Sources, TimeProvider.System.GetUtcNow());
        var statement = Statement.About(image.Descriptor.Digest, image.Name, PredicateType.VerificationSummary, summary.ToPredicate());
        await new EvidenceWriter(new DirectoryStore(_host.Places.Content), key, TimeProvider.System)
            .WriteAsync(image.Descriptor, [statement], reference: image.Name, cancellationToken: cancellationToken);
        _host.Say("sign", $"that {image.Name} was reproduced, with key {key.Id[..12]}");
    }

    private ProjectDefinition ProjectIn(string sources)
    {
        if (Recipe.Dockerfile is { } file)
        {
            var template = new RecordedTemplate(file, Recipe.Context ?? ".", Recipe.Target);
            // What this host wrote down a person typed here; what another wrote stays in the sources.
            bool isTyped = Recipe.Directory is not null && file != PlanSettings.StandardInputName;
            string? RootOf(string path) => isTyped ? ProjectDirectory.RootOfTyped(sources, path, out _) : null;
            return _host.FrontEnds.Loose(Recipe.Project, new LooseTemplate(Recipe.Image, template, new SourceText(file, ""))
            {
                FileRoot = RootOf(file),
                ContextRoot = RootOf(template.Context!),
            });
        }

        var project = ProjectFiles.Load(sources, _host.FrontEnds);
        if (project.Images.All(i => i.Name != Recipe.Image))
            throw new InvalidInputException("no-image", $"'{sources}' has no image '{Recipe.Image}'");
        // The stage may have been chosen on the command line.
        var record = new RecordedTemplate(null, null, Recipe.Target);
        return project with { Images = [.. project.Images.Select(i => i.Name == Recipe.Image ? _host.FrontEnds.Of(i).As(record) : i)] };
    }
}
