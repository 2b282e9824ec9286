using System.CommandLine;
using Ingot.Cli.Output;
using Ingot.Cli.Pipeline;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Projects.Images;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot history IMAGE</c>.</summary>
internal static class HistoryCommand
{
    private const int LongestInstruction = 100;

    public static Command Create(Binder bind)
    {
        var name = new Argument<string>("IMAGE") { Description = "name[:tag][@digest] in the local store" };
        var platform = Symbols.Platform("The image of an index; this host's when left out");
        var full = new Option<bool>("--full") { Description = "Whole instructions and digests" };
        var command = new Command("history", "The instructions that made an image, with the layer each one left, oldest first")
        {
            name, platform, full,
        };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var wanted = Symbols.ReadPlatform(result, platform);
            var found = await context.LocalImages.FindAsync(result.GetRequiredValue(name), cancellationToken);
            var image = await LocalImages.LoadAsync(new DirectoryStore(context.Home.Content), found.Descriptor.Digest,
                wanted, cancellationToken);
            var steps = ImageHistory.Of(image)
                .Select(s => new HistoryRow(s.Instruction, s.Created, s.Comment, s.Layer, s.DiffId, s.Size))
                .ToList();
            var report = new HistoryReport(found.Name, image.Digest, $"{image.Config.Os}/{image.Config.Architecture}",
                image.Manifest.Layers.Sum(l => l.Size), steps);
            if (!context.Terminal.TryJson(report, ImageJsonOutput.Default.HistoryReport))
                Print(context.Terminal, report, result.GetValue(full));
            return ExitCode.Done;
        }));
        return command;
    }

    private static void Print(Terminal terminal, HistoryReport report, bool isFull)
    {
        string Name(Digest? digest) => digest is not { } known ? "-" : isFull ? known.ToString() : known.Short;
        string Text(string? text)
        {
            string line = new([.. (text ?? "(not known)").Select(c => char.IsControl(c) ? ' ' : c)]);
            return isFull || line.Length <= LongestInstruction ? line : line[..(LongestInstruction - 1)] + "…";
        }

        terminal.Table(
            ["CREATED", "SIZE", "LAYER", "DIFF ID", "INSTRUCTION"],
            report.Steps.Select(s => (string[])[s.Created ?? "-", s.Layer is null ? "-" : BuildDisplay.Bytes(s.Size), Name(s.Layer),
                Name(s.DiffId), Text(s.Instruction)]));
    }
}
