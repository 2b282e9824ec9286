using Ingot.Builds;
using Ingot.Builds.Running;
using Ingot.Cli.Commands;
using Ingot.Cli.Output;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Projects;
using Ingot.Projects.Building;
using Ingot.Projects.Images;
using Ingot.Templates.Project;

namespace Ingot.Cli.Pipeline;

/// <summary>What <c>ingot build</c> does once it knows what is wanted: builds, writes it for others, and says what it came to.</summary>
internal sealed class BuildRun(ProjectHost host, BuildSubject subject, BuildOptions options, BuildOutputs wanted)
{
    private readonly CommandContext _context = subject.Context;

    /// <summary>Builds.</summary>
    /// <param name="began">What <see cref="RememberedBuild.Now"/> said before anything was read.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task RunAsync(long began, CancellationToken cancellationToken)
    {
        CheckOne();
        CheckDestinations();
        var result = await new ProjectBuilder(host).BuildAsync(subject.Project, _context.Directory, Sourced(), cancellationToken);
        // Once more: a build takes time.
        CheckDestinations();
        foreach (var export in wanted.Exports)
            await ExportAsync(export, result.Images[0], cancellationToken);
        BuildFiles.Write(wanted, result.Images);
        if (!subject.Source.IsRepository && !_context.Terminal.Json && !wanted.WritesFiles)
            UnchangedBuild.Remember(host, subject, options, result.Platforms[0], began);
        Say(result);
    }

    // Of a repository its commit is the source, whatever the directory is in that this was said in.
    private BuildOptions Sourced()
    {
        var named = options with { Targets = subject.Names };
        return subject.Source.Revision is { } revision && !subject.Project.IsOfFile
            ? named with { Pins = named.Pins with { Source = revision }, Repository = subject.Source.Directory }
            : named;
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
        if (options.Platforms.Count > 1 && subject.Project.Images.Any(i => host.FrontEnds.Of(i).ReadsStandardInput))
            throw new InvalidInputException("platform", "standard input is read once, and each platform needs the Dockerfile",
                "name a file: -f FILE");
        if (options.IndexAnnotations.Count > 0 && options.Platforms.Count == 1)
            throw new InvalidInputException("annotation", "an annotation for the index was given, but a build for one platform has none",
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

    private async Task ExportAsync(BuildExport export, ProjectImage result, CancellationToken cancellationToken)
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
            _context.Terminal.Progress(
                $"export   {result.Name} as {export.Type} to {export.Destination}, {BuildDisplay.Bytes(report.Size)}");
    }

    // Of several platforms each goes into a directory of its own, as with BuildKit.
    private async Task ExtractAsync(string directory, ProjectImage result, CancellationToken cancellationToken)
    {
        if (File.Exists(directory))
            throw new InvalidInputException("output", $"'{directory}' is a file, and type=local writes into a directory",
                "name a directory, or use type=tar");

        var store = new DirectoryStore(_context.Home.Content);
        foreach (var built in result.Parts)
        {
            string target = result.Parts.Count == 1
                ? directory
                : Path.Combine(directory, ProjectImage.PlatformOf(built).ToString().Replace('/', '_'));
            Directory.CreateDirectory(target);
            var image = await Image.LoadAsync(store, built.Digest, cancellationToken: cancellationToken);
            await FileSystemArchive.ExtractAsync(store, image, target, cancellationToken);
            _context.Terminal.Progress($"export   the files of {result.Name} to {target}");
        }
    }

    private void Say(ProjectBuildResult result)
    {
        var rows = result.Platforms.SelectMany(p => p.Images.Select(i => Report(i, subject.Project, p.Elapsed)));
        var explained = options.Explain ? result.Platforms.SelectMany(p => p.Explained).Select(Row) : null;
        if (_context.Terminal.TryJson(new BuildReport([.. rows]) { Steps = explained is null ? null : [.. explained] },
            ReportJson.Default.BuildReport))
            return;
        foreach (var image in _context.Terminal.IsQuiet && !wanted.TakesOutput ? result.Images : [])
            _context.Terminal.Line($"{image.Name} {image.Descriptor.Digest}");
    }

    private static StepExplanationRow Row(ExplainedStep explained)
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
