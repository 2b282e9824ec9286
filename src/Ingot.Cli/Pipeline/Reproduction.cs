using Ingot.Builds;
using Ingot.Builds.Reproduction;
using Ingot.Cli.Commands;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Plans;
using Ingot.Templates.Project;
using Ingot.Tools;

namespace Ingot.Cli.Pipeline;

/// <summary>Builds an image again from what is recorded of it: the commit's files, the arguments, the bases by digest, the time and the codec, with nothing from the cache. Sources and caches are put into <paramref name="directory"/>, which is the caller's.</summary>
internal sealed class Reproduction(CommandContext context, BuildRecipe recipe, Digest image, string directory)
{

    /// <summary>What the sources are: the commit, or the directory as it is.</summary>
    public string Sources { get; private set; } = "";

    /// <summary>Builds once and says what differs; nothing when the digests are equal.</summary>
    public async Task<IReadOnlyList<Difference>> BuildAsync(int run, CancellationToken cancellationToken)
    {
        string sources = await SourcesAsync(cancellationToken);
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
            Contexts = recipe.Contexts,
            Platform = Platform.TryParse(recipe.Platform) ?? Platform.Host,
            Pinned = recipe.Bases,
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
            return new ProjectDefinition(recipe.Project, [new DockerfileImage(recipe.Image, text.Span(0, 0), file, recipe.Context ?? ".", recipe.Target, [])], [], [], text);
        }

        var project = ProjectFiles.Load(sources);
        if (project.Images.All(i => i.Name != recipe.Image))
            throw new InvalidInputException("no-image", $"'{sources}' has no image '{recipe.Image}'");
        // The stage may have been chosen on the command line.
        return project with { Images = [.. project.Images.Select(i => i is DockerfileImage dockerfile && i.Name == recipe.Image ? dockerfile with { Target = recipe.Target } : i)] };
    }

    // The files of the commit, not those that lie around it; a build from changed files has only the directory.
    private async Task<string> SourcesAsync(CancellationToken cancellationToken)
    {
        if (recipe.Commit is null || recipe.IsDirty)
        {
            Sources = recipe.Commit is null ? $"{recipe.Directory} as it is: it was in no repository" : $"{recipe.Directory} as it is: it differed from commit {recipe.Commit[..12]}";
            return Directory.Exists(recipe.Directory) ? recipe.Directory : throw new InvalidInputException("no-sources", $"the image was built from '{recipe.Directory}', which is not there");
        }

        string checkout = Path.Combine(directory, "sources");
        Sources = $"commit {recipe.Commit[..12]}";
        var prefix = await CommandRunner.RunAsync(new Command("git", "-C", recipe.Directory, "rev-parse", "--show-prefix"), cancellationToken);
        if (!Directory.Exists(checkout))
        {
            var top = await CommandRunner.RunAsync(new Command("git", "-C", recipe.Directory, "rev-parse", "--show-toplevel"), cancellationToken);
            await CommandRunner.RunAsync(new Command("git", "clone", "--quiet", "--shared", "--no-checkout", top.Trim(), checkout), cancellationToken);
            await CommandRunner.RunAsync(new Command("git", "-C", checkout, "checkout", "--quiet", "--detach", recipe.Commit), cancellationToken);
        }

        return Path.Combine(checkout, prefix.Trim());
    }
}
