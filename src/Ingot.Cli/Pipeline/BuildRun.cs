using Ingot.Builds;
using Ingot.Builds.Running;
using Ingot.Cli.Commands;
using Ingot.Cli.Output;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layouts;
using Ingot.Plans;
using Ingot.Templates.Project;

namespace Ingot.Cli.Pipeline;

/// <summary>What <c>ingot build</c> does once it knows what is wanted: builds for each platform, joins what belongs together, writes it for
/// others, and says what it came to.</summary>
internal sealed class BuildRun(BuildSubject subject, BuildOptions options, BuildOutputs wanted)
{
    private readonly CommandContext _context = subject.Context;

    /// <summary>Builds.</summary>
    /// <param name="began">What <see cref="RememberedBuild.Now"/> said before anything was read.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task RunAsync(long began, CancellationToken cancellationToken)
    {
        CheckOne();
        CheckDestinations();
        var stages = new List<(BuildStage Stage, IReadOnlyList<BuiltImage> Images)>();
        // Of a repository its commit is the source, whatever the directory is in that this was said in.
        var sourced = subject.Source.Revision is { } revision && !subject.Project.IsOfFile
            ? options with { PinnedSource = revision, Repository = subject.Source.Directory }
            : options;
        foreach (var platform in options.Platforms)
        {
            var stage = new BuildStage(_context, sourced with { Platform = platform, IsPart = options.Platforms.Count > 1 });
            stages.Add((stage, await stage.RunAsync(subject.Project, _context.Directory, cancellationToken, subject.Names)));
        }

        IReadOnlyList<BuildResult> results = options.Platforms.Count > 1
            ? await JoinAsync([.. stages.SelectMany(s => s.Images)], cancellationToken)
            : [.. stages[0].Images.Select(Alone)];
        if (options.Platforms.Count > 1 && options.Cache is null && stages.Any(s => s.Stage.DidWork))
            await CacheKeeper.AfterBuildAsync(_context, cancellationToken);
        // Once more: a build takes time.
        CheckDestinations();
        foreach (var export in wanted.Exports)
            await ExportAsync(export, results[0], cancellationToken);
        BuildFiles.Write(wanted, results);
        if (!subject.Source.IsRepository && !_context.Terminal.Json && !wanted.WritesFiles)
            stages[0].Stage.Remember(subject.Project, stages[0].Images, subject.Asked, began);
        Say(stages, results);
    }

    // A name, a file or an archive is for one image.
    private void CheckOne()
    {
        int count = subject.Names.Count == 0 ? subject.Project.Images.Count : subject.Names.Distinct().Count();
        string? option = options.Tags.Count > 0 ? "-t" : wanted.IdFile is not null ? "--iidfile" : null;
        option ??= wanted.Exports.Count > 0 ? "--output" : null;
        if (option is not null && count != 1)
            throw new InvalidInputException("build-target", $"'{option}' is for one image, and {count} are built",
                "name the image: ingot build IMAGE");
        if (options.Platforms.Count > 1
            && subject.Project.Images.OfType<DockerfileImage>().Any(i => i.Dockerfile == PlanSettings.StandardInputName))
            throw new InvalidInputException("platform", "standard input is read once, and each platform needs the Dockerfile",
                "name a file: -f FILE");
        if (options.IndexAnnotations.Count > 0 && options.Platforms.Count == 1)
            throw new InvalidInputException("annotation", "an annotation of the index is given, and a build for one platform has none",
                "give several platforms with --platform, or leave out 'index:'");
    }

    // A project may have made a link of what is in it.
    private void CheckDestinations()
    {
        var destinations = wanted.Exports.Select(e => e.Destination).Where(d => d != BuildExport.StandardOutput)
            .Concat(new[] { wanted.IdFile, wanted.MetadataFile }.OfType<string>()).ToList();
        string?[] roots =
        [
            subject.Project.IsOfFile ? _context.Directory : null,
            subject.Source.IsRepository ? null : subject.Source.Directory,
        ];
        foreach (string root in roots.OfType<string>().Distinct())
        {
            foreach (string destination in destinations)
                ProjectDirectory.CheckDestination(root, destination, destination);
        }
    }

    private BuildResult Alone(BuiltImage image)
    {
        long size = ImageJson.Write(image.Manifest).Length;
        var descriptor = new Descriptor { MediaType = image.Manifest.MediaType, Digest = image.Digest, Size = size };
        return new BuildResult(image.Name, BuiltNames.Of(subject.Project, image.Name, options), descriptor, [image]);
    }

    // https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md
    private async Task<IReadOnlyList<BuildResult>> JoinAsync(IReadOnlyList<BuiltImage> images, CancellationToken cancellationToken)
    {
        var layout = new OciLayout(_context.Home.Content);
        var named = options with { Repository = subject.Source.IsRepository ? subject.Source.Directory : null };
        var names = new BuiltNames(_context, layout, subject.Project, named);
        var results = new List<BuildResult>();
        var groups = images.GroupBy(i => i.Name).ToList();
        foreach (var group in groups)
            CheckPlatforms(group.Key, [.. group]);
        foreach (var part in images)
            await CheckThereAsync(layout.Store, part, cancellationToken);
        foreach (var group in groups)
        {
            var index = new ImageIndex
            {
                Manifests = [.. group.Select(i => Alone(i).Descriptor with { Platform = PlatformOf(i) })],
                Annotations = IndexAnnotations(),
            };
            var descriptor = await layout.Store.PutAsync(MediaType.Index, ImageJson.Write(index), cancellationToken);
            await names.SetAsync(group.Key, descriptor, cancellationToken);
            _context.Terminal.Progress($"build    {group.Key} is {descriptor.Digest}, an index for {string.Join(", ", group.Select(PlatformOf))}");
            results.Add(new BuildResult(group.Key, BuiltNames.Of(subject.Project, group.Key, options), descriptor, [.. group]));
        }

        return results;
    }

    // Who takes an image out of an index takes the first of its platform, and would never see the other.
    private void CheckPlatforms(string name, IReadOnlyList<BuiltImage> parts)
    {
        if (parts.GroupBy(i => PlatformOf(i).ToString()).FirstOrDefault(g => g.Count() > 1) is not { } same)
            return;
        throw new InvalidInputException("platform",
            $"'{name}' was asked for on {string.Join(" and ", options.Platforms)}, and {same.Count()} of its images are for {same.Key}",
            "leave platforms out of its FROM, or build it for one platform");
    }

    // Another program may have pruned the store meanwhile.
    private static async Task CheckThereAsync(DirectoryStore store, BuiltImage part, CancellationToken cancellationToken)
    {
        foreach (var digest in new[] { part.Digest, part.Manifest.Config.Digest })
        {
            if (await store.SizeAsync(digest, cancellationToken) is null)
                throw new InvalidInputException("gone",
                    $"'{part.Name}' for {PlatformOf(part)} is no longer whole in the local store: {digest} is gone", "build again");
        }
    }

    private SortedDictionary<string, string>? IndexAnnotations()
    {
        var annotations = options.IndexAnnotations.GroupBy(a => a.Key).ToDictionary(g => g.Key, g => g.Last().Value);
        return annotations.Count == 0 ? null : new(annotations, StringComparer.Ordinal);
    }

    /// <summary>What an image runs on, as its configuration says.</summary>
    internal static Platform PlatformOf(BuiltImage image) =>
        new() { Os = image.Config.Os, Architecture = image.Config.Architecture, Variant = image.Config.Variant };

    private async Task ExportAsync(BuildExport export, BuildResult result, CancellationToken cancellationToken)
    {
        if (export.Type == "local")
        {
            await ExtractAsync(export.Destination, result, cancellationToken);
            return;
        }

        string format = export.Type switch { "tar" => "rootfs", "oci" => "oci-archive", _ => "docker-archive" };
        var image = new LocalImage(result.Names[0], result.Descriptor);
        var report = await new ImageExport(_context, image, format, platform: null).RunAsync(export.Destination, cancellationToken);
        if (export.Destination != BuildExport.StandardOutput)
            _context.Terminal.Progress($"export   {result.Name} as {export.Type} to {export.Destination}, {BuildDisplay.Bytes(report.Size)}");
    }

    // Of several platforms each goes into a directory of its own, as with BuildKit.
    private async Task ExtractAsync(string directory, BuildResult result, CancellationToken cancellationToken)
    {
        if (File.Exists(directory))
            throw new InvalidInputException("output", $"'{directory}' is a file, and type=local writes into a directory",
                "name a directory, or use type=tar");

        var store = new DirectoryStore(_context.Home.Content);
        foreach (var built in result.Images)
        {
            string target = result.Images.Count == 1 ? directory : Path.Combine(directory, PlatformOf(built).ToString().Replace('/', '_'));
            Directory.CreateDirectory(target);
            var image = await Image.LoadAsync(store, built.Digest, cancellationToken: cancellationToken);
            await FileSystemArchive.ExtractAsync(store, image, target, cancellationToken);
            _context.Terminal.Progress($"export   the files of {result.Name} to {target}");
        }
    }

    private void Say(IReadOnlyList<(BuildStage Stage, IReadOnlyList<BuiltImage> Images)> stages, IReadOnlyList<BuildResult> results)
    {
        var rows = stages.SelectMany(s => s.Images.Select(i => Report(i, subject.Project, s.Stage.Elapsed)));
        var explained = options.Explain ? stages.SelectMany(s => s.Stage.Explained).Select(Row) : null;
        if (_context.Terminal.TryJson(new BuildReport([.. rows]) { Steps = explained is null ? null : [.. explained] },
            ReportJson.Default.BuildReport))
            return;
        foreach (var result in _context.Terminal.IsQuiet && !wanted.TakesOutput ? results : [])
            _context.Terminal.Line($"{result.Name} {result.Descriptor.Digest}");
    }

    private static StepExplanationRow Row((StepLabel Step, StepExplanation Explanation) explained)
    {
        var (step, why) = explained;
        var changes = why.Changes.Select(c => new InputChangeRow(c.Input, c.Name, c.Before, c.After));
        return new StepExplanationRow(step.Stage, step.Number, step.Text, why.IsHit, why.Made, why.Source, why.Against, why.Remark,
            [.. changes], why.MoreChanges);
    }

    private static BuiltImageReport Report(BuiltImage image, ProjectDefinition project, TimeSpan elapsed) => new(
        image.Name,
        project.Images.First(i => i.Name == image.Name).Version,
        image.Digest,
        image.Manifest.Config.Digest,
        $"{image.Config.Os}/{image.Config.Architecture}",
        image.Manifest.Layers.Sum(l => l.Size) + image.Manifest.Config.Size,
        Math.Round(elapsed.TotalSeconds, 3),
        new StepCount(image.Record.Steps, image.Record.CachedSteps));
}

/// <summary>What the build of an image came to.</summary>
/// <param name="Name">Its name in the project.</param>
/// <param name="Names">Its names in the local store.</param>
/// <param name="Descriptor">The manifest, or the index of those of several platforms.</param>
/// <param name="Images">The image for each platform.</param>
internal sealed record BuildResult(string Name, IReadOnlyList<string> Names, Descriptor Descriptor, IReadOnlyList<BuiltImage> Images);
