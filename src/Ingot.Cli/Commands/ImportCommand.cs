using System.CommandLine;
using Ingot.Cli.Output;
using Ingot.Cli.Pipeline;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Layouts;
using Ingot.Oci.Registries;
using Ingot.Oci.Tar;
using Ingot.Plans;
using Ingot.Projects.Images;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot import SOURCE</c>.</summary>
internal static class ImportCommand
{
    public static Command Create(Binder bind)
    {
        var source = new Argument<string>("SOURCE")
        {
            Description = "An OCI layout's directory, an archive of one, an archive of 'docker save' or of a root filesystem, "
                + "compressed or not, or - for standard input; SOURCE:NAME chooses among several images",
        };
        var name = new Option<string?>("--name")
        {
            Description = "The name in the local store; the source's own when left out",
            HelpName = "NAME",
        };
        var platform = Symbols.Platform("Take only this image of an index; for a root filesystem, what it runs on");
        var command = new Command("import", "Bring an image from files into the local store") { source, name, platform };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            string text = result.GetRequiredValue(source);
            if (text != "-")
                return await ImportAsync(context, text, text, result.GetValue(name),
                    Symbols.ReadPlatform(result, platform), cancellationToken);

            string spool = await SpoolAsync(context, cancellationToken);
            try
            {
                return await ImportAsync(context, spool, "image", result.GetValue(name),
                    Symbols.ReadPlatform(result, platform), cancellationToken);
            }
            finally
            {
                File.Delete(spool);
            }
        }));
        return command;
    }

    private static async Task<int> ImportAsync(
        CommandContext context, string source, string shown, string? name, Platform? platform, CancellationToken cancellationToken)
    {
        // Said before anything is read.
        if (name is not null)
            CheckName(name);
        var layout = new OciLayout(context.Home.Content);
        var (form, imported) = await ReadAsync(context, layout, source, platform, cancellationToken);
        string given = name ?? NameOf(imported.Name, shown);
        CheckName(given);
        await layout.SetAsync(given, imported.Descriptor, cancellationToken);

        var image = await LocalImages.LoadAsync(layout.Store, imported.Digest, platform, cancellationToken);
        var report = new ImportReport(given, imported.Digest, Word(form), image.Manifest.Layers.Sum(l => l.Size),
            image.Manifest.Layers.Count);
        if (!context.Terminal.TryJson(report, ImageJsonOutput.Default.ImportReport))
            context.Terminal.Line(
                $"import   {given} is {imported.Digest} ({Words(form)}, {report.Layers} layers, {BuildDisplay.Bytes(report.Size)})");
        return ExitCode.Done;
    }

    // What is wrong with a person's file is wrong input, not a failure of the world.
    private static async Task<(ImageForm Form, ImportedImage Image)> ReadAsync(
        CommandContext context, OciLayout layout, string source, Platform? platform, CancellationToken cancellationToken)
    {
        try
        {
            return await ImageFile.Parse(source).OpenAndImportAsync(layout.Store, context.Directory, context.Home.Work,
                platform, cancellationToken);
        }
        catch (ImageLookupException e)
        {
            throw new InvalidInputException(e.Code, e.Message, e.Cure);
        }
        catch (Exception e) when (e is ImageException or LayerException or TarFormatException or ContentMismatchException)
        {
            throw new InvalidInputException("import", $"'{source}' was not imported: {e.Message}");
        }
    }

    private static void CheckName(string name)
    {
        if (!Reference.TryParse(name, out var reference) || reference.Digest is not null)
            throw new InvalidInputException("name", $"'{name}' is not a name for an image",
                "give one with --name, in lower case: NAME[:TAG]");
    }

    // A layout often says only the tag: the file's own name goes before it.
    private static string NameOf(string? said, string source)
    {
        if (said is not null && said.AsSpan().IndexOfAny(":/") >= 0)
            return said;

        string stem = Path.GetFileName(Path.TrimEndingDirectorySeparator(source));
        int dot = stem.IndexOf(".tar", StringComparison.Ordinal);
        stem = (dot > 0 ? stem[..dot] : stem).ToLowerInvariant();
        return $"{stem}:{said ?? "latest"}";
    }

    private static async Task<string> SpoolAsync(CommandContext context, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(context.Home.Work);
        string path = Path.Combine(context.Home.Work, $"import-{Environment.ProcessId}");
        await using var input = Console.OpenStandardInput();
        await using var file = new FileStream(path, FileMode.Create, FileAccess.Write);
        await input.CopyToAsync(file, cancellationToken);
        return path;
    }

    private static string Word(ImageForm form) => form switch
    {
        ImageForm.OciLayout => "oci",
        ImageForm.OciArchive => "oci-archive",
        ImageForm.DockerArchive => "docker-archive",
        _ => "rootfs",
    };

    private static string Words(ImageForm form) => form switch
    {
        ImageForm.OciLayout => "an OCI layout",
        ImageForm.OciArchive => "an archive of an OCI layout",
        ImageForm.DockerArchive => "an archive of docker save",
        _ => "a root filesystem",
    };
}
