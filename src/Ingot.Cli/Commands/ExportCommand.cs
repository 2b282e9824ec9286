using System.CommandLine;
using Ingot.Cli.Output;
using Ingot.Cli.Pipeline;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot export IMAGE DEST --format FORMAT</c>.</summary>
internal static class ExportCommand
{
    private static readonly string[] s_formats = ["oci", "oci-archive", "docker-archive", "rootfs"];

    public static Command Create(Binder bind)
    {
        var name = new Argument<string>("IMAGE") { Description = "name[:tag][@digest] in the local store" };
        var destination = new Argument<string>("DEST")
        {
            Description = "The file to write, replaced whole; for oci a directory, to which the image is added; - for standard output",
        };
        var format = new Option<string>("--format")
        {
            Description =
                "oci, oci-archive, docker-archive (what docker load reads) or rootfs (one archive of all files, deletions applied)",
            HelpName = "FORMAT",
            Required = true,
        };
        format.AcceptOnlyFromAmong(s_formats);
        var platform =
            Symbols.Platform("The image of an index; without it oci and oci-archive take all that are stored here, the others this host's");
        var command = new Command("export", "Write an image of the local store for other programs; the same image gives the same bytes")
        {
            name, destination, format, platform,
        };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var wanted = Symbols.ReadPlatform(result, platform);
            var found = await context.LocalImages.FindAsync(result.GetRequiredValue(name), cancellationToken);
            var export = new ImageExport(context, found, result.GetRequiredValue(format), wanted);
            var report = await export.RunAsync(result.GetRequiredValue(destination), cancellationToken);
            if (!context.Terminal.TryJson(report, ImageJsonOutput.Default.ExportReport) && report.Destination != "-")
                context.Terminal.Line($"export   {report.Name} ({report.Digest}) as {report.Format} to {report.Destination}, "
                    + $"{BuildDisplay.Bytes(report.Size)}");
            return ExitCode.Done;
        }));
        return command;
    }
}
