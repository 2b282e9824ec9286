using Ingot.Cli.Output;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layouts;
using Ingot.Oci.Registries;
using Ingot.Projects.Images;

namespace Ingot.Cli.Pipeline;

/// <summary>Writes an image of the local store for other programs; the same image gives the same bytes.</summary>
/// <param name="context">Where it works.</param>
/// <param name="found">The image.</param>
/// <param name="format"><c>oci</c>, <c>oci-archive</c>, <c>docker-archive</c> or <c>rootfs</c>.</param>
/// <param name="platform">The image of an index; null for all that are here, or this host's.</param>
internal sealed class ImageExport(CommandContext context, LocalImage found, string format, Platform? platform)
{
    private readonly DirectoryStore _store = new(context.Home.Content);

    /// <summary>Writes it to a path, or to standard output.</summary>
    public async Task<ExportReport> RunAsync(string destination, CancellationToken cancellationToken)
    {
        // Of an index the formats for one image take one; the others take it as it is, unless a platform was given.
        bool takesIndex = platform is null && format is "oci" or "oci-archive";
        var image = takesIndex ? null : await LocalImages.LoadAsync(_store, found.Descriptor.Digest, platform, cancellationToken);
        var descriptor = image?.Descriptor ?? found.Descriptor;
        long size = (format, destination) switch
        {
            ("oci", "-") => throw new InvalidInputException("destination", "a directory cannot be written to standard output",
                "use --format oci-archive"),
            ("oci", _) => await WriteLayoutAsync(descriptor, context.Resolve(destination), cancellationToken),
            (_, "-") when context.Terminal.Json =>
                throw new InvalidInputException("destination", "standard output cannot take an archive and JSON", "name a file"),
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
    private string? RepoTag()
    {
        if (!Reference.TryParse(found.Name, out var reference) || reference.Digest is not null)
            return null;
        return reference.Tag is null ? reference + ":latest" : reference.ToString();
    }

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

        using var file = OutputFile.Open(path);
        await WriteAsync(descriptor, image, file.Stream, cancellationToken);
        // Not to the disk: what is written for other programs is in the store, and can be written again.
        await file.Stream.FlushAsync(cancellationToken);
        long size = file.Size;
        file.Finish();
        return size;
    }

    private async Task<long> WriteLayoutAsync(Descriptor descriptor, string path, CancellationToken cancellationToken)
    {
        if (File.Exists(path)
            || (Directory.Exists(path) && !File.Exists(Path.Combine(path, "oci-layout"))
                && Directory.EnumerateFileSystemEntries(path).Any()))
            throw new InvalidInputException("destination", $"'{path}' exists and is not an OCI layout",
                "name a new directory, or one that an export made");

        if (File.Exists(Path.Combine(path, "oci-layout")))
        {
            await ImageArchive.WriteLayoutAsync(_store, descriptor, found.Name, new OciLayout(path), cancellationToken);
            return SizeOf(path);
        }

        string partial = OutputFile.PartialOf(path);
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

    private static long SizeOf(string directory) =>
        new DirectoryInfo(directory).EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Length);
}
