using System.CommandLine;
using Ingot.Cli.Output;
using Ingot.Cli.Pipeline;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layouts;
using Ingot.Oci.Registries;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot export IMAGE DEST --format FORMAT</c>.</summary>
internal static class ExportCommand
{
    private static readonly string[] s_formats = ["oci", "oci-archive", "docker-archive", "rootfs"];

    public static Command Create(Binder bind)
    {
        var name = new Argument<string>("IMAGE") { Description = "name[:tag][@digest] in the local store" };
        var destination = new Argument<string>("DEST") { Description = "The file to write, replaced whole; for oci a directory, to which the image is added; - for standard output" };
        var format = new Option<string>("--format") { Description = "oci, oci-archive, docker-archive (what docker load reads) or rootfs (one archive of all files, deletions applied)", HelpName = "FORMAT", Required = true };
        format.AcceptOnlyFromAmong(s_formats);
        var platform = Symbols.Platform("The image of an index; without it oci and oci-archive take all that are here, the others this host's");
        var command = new Command("export", "Write an image of the local store for other programs; the same image gives the same bytes") { name, destination, format, platform };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var wanted = Symbols.ReadPlatform(result, platform);
            var found = await LocalImages.FindAsync(context, result.GetRequiredValue(name), cancellationToken);
            var export = new Export(context, found, result.GetRequiredValue(format), wanted);
            var report = await export.RunAsync(result.GetRequiredValue(destination), cancellationToken);
            if (!context.Terminal.TryJson(report, ImageJsonOutput.Default.ExportReport) && report.Destination != "-")
                context.Terminal.Line($"export   {report.Name} ({report.Digest}) as {report.Format} to {report.Destination}, {BuildDisplay.Bytes(report.Size)}");
            return ExitCode.Done;
        }));
        return command;
    }

    private sealed class Export(CommandContext context, LocalImage found, string format, Platform? platform)
    {
        private readonly DirectoryStore _store = new(context.Home.Content);

        public async Task<ExportReport> RunAsync(string destination, CancellationToken cancellationToken)
        {
            // Of an index the formats for one image take one; the others take it as it is, unless a platform was given.
            bool takesIndex = platform is null && format is "oci" or "oci-archive";
            var image = takesIndex ? null : await LocalImages.LoadAsync(_store, found.Descriptor.Digest, platform, cancellationToken);
            var descriptor = image?.Descriptor ?? found.Descriptor;
            long size = (format, destination) switch
            {
                ("oci", "-") => throw new InvalidInputException("destination", "a directory cannot be written to standard output", "use --format oci-archive"),
                ("oci", _) => await WriteLayoutAsync(descriptor, context.Resolve(destination), cancellationToken),
                (_, "-") when context.Terminal.Json => throw new InvalidInputException("destination", "standard output cannot take an archive and JSON", "name a file"),
                (_, "-") => await WriteOutputAsync(descriptor, image, cancellationToken),
                _ => await WriteFileAsync(descriptor, image, context.Resolve(destination), cancellationToken),
            };
            return new ExportReport(found.Name, descriptor.Digest, format, destination, size);
        }

        private async Task WriteAsync(Descriptor descriptor, Image? image, Stream output, CancellationToken cancellationToken)
        {
            if (format == "oci-archive")
                await ImageArchive.WriteOciAsync(_store, descriptor, found.Name, output, cancellationToken);
            else if (format == "docker-archive")
                await ImageArchive.WriteDockerAsync(_store, image!, RepoTag(), output, cancellationToken);
            else
                await FileSystemArchive.WriteAsync(_store, image!, output, cancellationToken);
        }

        // Docker takes no name with a digest, and none without a tag.
        private string? RepoTag() => Reference.TryParse(found.Name, out var reference) && reference.Digest is null ? reference.Tag is null ? reference + ":latest" : reference.ToString() : null;

        private async Task<long> WriteOutputAsync(Descriptor descriptor, Image? image, CancellationToken cancellationToken)
        {
            await using var output = Console.OpenStandardOutput();
            await WriteAsync(descriptor, image, output, cancellationToken);
            return 0;
        }

        private async Task<long> WriteFileAsync(Descriptor descriptor, Image? image, string path, CancellationToken cancellationToken)
        {
            if (Directory.Exists(path))
                throw new InvalidInputException("destination", $"'{path}' is a directory", $"--format {format} writes a file");

            string partial = $"{path}.{Environment.ProcessId}.partial";
            try
            {
                long size;
                await using (var output = new FileStream(partial, FileMode.Create, FileAccess.Write))
                {
                    await WriteAsync(descriptor, image, output, cancellationToken);
                    // Not to the disk: what is written for other programs is in the store, and can be written again.
                    await output.FlushAsync(cancellationToken);
                    size = output.Length;
                }

                File.Move(partial, path, overwrite: true);
                return size;
            }
            finally
            {
                File.Delete(partial);
            }
        }

        private async Task<long> WriteLayoutAsync(Descriptor descriptor, string path, CancellationToken cancellationToken)
        {
            if (File.Exists(path) || (Directory.Exists(path) && !File.Exists(Path.Combine(path, "oci-layout")) && Directory.EnumerateFileSystemEntries(path).Any()))
                throw new InvalidInputException("destination", $"'{path}' is there and is no OCI layout", "name a new directory, or one that an export made");

            if (File.Exists(Path.Combine(path, "oci-layout")))
            {
                await ImageArchive.WriteLayoutAsync(_store, descriptor, found.Name, new OciLayout(path), cancellationToken);
                return SizeOf(path);
            }

            string partial = $"{path}.{Environment.ProcessId}.partial";
            try
            {
                var layout = new OciLayout(partial);
                await ImageArchive.WriteLayoutAsync(_store, descriptor, found.Name, layout, cancellationToken);
                Directory.Delete(Path.Combine(partial, "tmp"), recursive: true);
                File.Delete(Path.Combine(partial, "index.json.lock"));
                if (Directory.Exists(path))
                    Directory.Delete(path);
                Directory.Move(partial, path);
                return SizeOf(path);
            }
            finally
            {
                if (Directory.Exists(partial))
                    Directory.Delete(partial, recursive: true);
            }
        }

        private static long SizeOf(string directory) => new DirectoryInfo(directory).EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Length);
    }
}
