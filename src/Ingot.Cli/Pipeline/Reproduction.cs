using Ingot.Builds;
using Ingot.Builds.Reproduction;
using Ingot.Cli.Commands;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers.Compression;
using Ingot.Plans;
using Ingot.Templates.Project;

namespace Ingot.Cli.Pipeline;

/// <summary>Builds an image again from what is recorded of it: the commit's files, the arguments, the bases by digest, the time and the codec, with nothing from the cache. Sources and caches are put into <paramref name="directory"/>, which is the caller's.</summary>
internal sealed class Reproduction(CommandContext context, BuildRecipe recipe, Digest image, string directory, StepAccess access, IReadOnlyList<string> insecure)
{
    private readonly RecipeSources _sources = new(context, recipe, access);

    /// <summary>What the sources are: the commit, or the directory as it is.</summary>
    public string Sources => _sources.Description;

    /// <summary>Builds once and says what differs; nothing when the digests are equal.</summary>
    public async Task<ImageComparison> BuildAsync(int run, CancellationToken cancellationToken)
    {
        string sources = await _sources.FindAsync(Path.Combine(directory, "sources"), cancellationToken);
        var project = ProjectOf(sources);
        var options = new BuildOptions
        {
            NoCache = true,
            Cache = Path.Combine(directory, $"cache-{run}"),
            Names = false,
            PinnedEpochs = recipe.Epochs,
            RulesOff = recipe.RulesOff,
            PinnedBootstraps = recipe.Bootstraps,
            Compression = LayerCompression.Find(recipe.Codec.Split(' ')[0]) ?? throw new InvalidInputException("codec", $"the image was compressed with '{recipe.Codec}', which is not known here"),
            Arguments = recipe.Arguments,
            Labels = recipe.Labels,
            Run = recipe.Run,
            Annotations = recipe.Annotations,
            ExemptSecrets = [.. recipe.ExemptSecrets, .. access.ExemptSecrets],
            PinnedSource = recipe.Commit is { } commit
                ? new SourceRevision(commit, recipe.IsDirty, recipe.Remote) { Prefix = recipe.Prefix ?? "" } : null,
            Contexts = recipe.Contexts,
            Platform = Platform.TryParse(recipe.Platform) ?? Platform.Host,
            Pinned = recipe.Bases,
            Secrets = access.Secrets,
            SshAgents = access.SshAgents,
            AllowInsecure = access.AllowInsecure,
            AllowHostNetwork = access.AllowHostNetwork,
            Bases = new BaseImageOptions { Insecure = insecure },
        };
        var built = await new BuildStage(context, options).RunAsync(project, sources, cancellationToken, recipe.Image);
        var store = new DirectoryStore(context.Home.Content);
        var expected = await Image.LoadAsync(store, image, cancellationToken: cancellationToken);
        var again = built.Single(b => b.Name == recipe.Image);
        var actual = await Image.LoadAsync(store, again.Digest, cancellationToken: cancellationToken);
        return await ImageComparer.CompareAsync(store, expected, store, actual, again.Record.RulesOff, cancellationToken);
    }

    private ProjectDefinition ProjectOf(string sources)
    {
        if (recipe.Dockerfile is { } file)
        {
            var text = new SourceText(file, "");
            // What this host wrote down a person typed here; what another wrote stays in the sources.
            string? RootOf(string path) => recipe.Directory is null || file == PlanSettings.StandardInputName ? null : ProjectDirectory.RootOfTyped(sources, path, out _);
            var image = new DockerfileImage(recipe.Image, text.Span(0, 0), file, recipe.Context ?? ".", recipe.Target, []) { DockerfileRoot = RootOf(file), ContextRoot = RootOf(recipe.Context ?? ".") };
            return new ProjectDefinition(recipe.Project, [image], [], [], text);
        }

        var project = ProjectFiles.Load(sources);
        if (project.Images.All(i => i.Name != recipe.Image))
            throw new InvalidInputException("no-image", $"'{sources}' has no image '{recipe.Image}'");
        // The stage may have been chosen on the command line.
        return project with { Images = [.. project.Images.Select(i => i is DockerfileImage dockerfile && i.Name == recipe.Image ? dockerfile with { Target = recipe.Target } : i)] };
    }
}
