using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Ingot.Cli.Output;
using Ingot.Cli.Pipeline;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layouts;
using Ingot.Templates.Project;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot images</c> and <c>ingot inspect IMAGE</c>: what is in the local store.</summary>
internal static class ImagesCommands
{
    public static Command Create(Binder bind)
    {
        var command = new Command("images", "The images of the local store, by name");
        command.SetAction(bind(async (context, _, cancellationToken) =>
        {
            var layout = new OciLayout(context.Home.Content);
            var rows = new List<ImageRow>();
            foreach (var (name, descriptor) in await layout.NamesAsync(cancellationToken))
            {
                var image = await Image.LoadAsync(layout.Store, descriptor.Digest, cancellationToken: cancellationToken);
                rows.Add(new ImageRow(name, image.Digest, image.Manifest.Layers.Sum(l => l.Size), image.Manifest.Layers.Count));
            }

            if (!context.Terminal.TryJson(new ImagesReport(rows), ReportJson.Default.ImagesReport))
                context.Terminal.Table(["NAME", "DIGEST", "SIZE", "LAYERS"], rows.Select(r => (string[])[r.Name, r.Digest.Short, BuildDisplay.Bytes(r.Size), r.Layers.ToString(CultureInfo.InvariantCulture)]));
            return ExitCode.Done;
        }));
        return command;
    }

    public static Command CreateInspect(Binder bind)
    {
        var name = new Argument<string>("IMAGE") { Description = "name[:tag][@digest] in the local store" };
        var command = new Command("inspect", "An image's manifest and configuration") { name };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var (found, image) = await FindAsync(context, result.GetRequiredValue(name), cancellationToken);
            var report = new InspectReport(found, image.Digest, Element(ImageJson.Write(image.Manifest)), Element(ImageJson.Write(image.Config)));
            if (!context.Terminal.TryJson(report, ReportJson.Default.InspectReport))
                context.Terminal.Line(JsonSerializer.Serialize(report, new ReportJson(new JsonSerializerOptions(ReportJson.Default.Options) { WriteIndented = true }).InspectReport));
            return ExitCode.Done;
        }));
        return command;
    }

    /// <summary>An image of the local store: by digest, by its full name, or as the project here names it.</summary>
    public static async Task<(string Name, Image Image)> FindAsync(CommandContext context, string text, CancellationToken cancellationToken)
    {
        var layout = new OciLayout(context.Home.Content);
        if (Digest.TryParse(text.AsSpan(text.IndexOf('@', StringComparison.Ordinal) + 1), out var digest))
            return (text, await Image.LoadAsync(layout.Store, digest, cancellationToken: cancellationToken));

        var names = await layout.NamesAsync(cancellationToken);
        foreach (var candidate in Candidates(context, text))
        {
            if (names.TryGetValue(candidate, out var descriptor))
                return (candidate, await Image.LoadAsync(layout.Store, descriptor.Digest, cancellationToken: cancellationToken));
        }

        throw new InvalidInputException("no-image", $"the local store has no image '{text}'", Suggestion.For(text, names.Keys) ?? "see 'ingot images'");
    }

    private static IEnumerable<string> Candidates(CommandContext context, string text)
    {
        yield return text;
        yield return text + ":latest";
        if (text.Contains('/', StringComparison.Ordinal) || !File.Exists(Path.Combine(context.Directory, ProjectDefinition.FileName)))
            yield break;

        var project = ProjectFiles.Load(context.Directory);
        yield return $"{project.Name}/{text}";
        var image = project.Images.FirstOrDefault(i => i.Name == text);
        if (image is not null)
            yield return $"{project.Name}/{text}:{image.Version ?? "latest"}";
    }

    private static JsonElement Element(byte[] json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }
}
