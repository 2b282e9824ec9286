using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Ingot.Cli.Output;
using Ingot.Cli.Pipeline;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layouts;
using Ingot.Oci.Registries;
using Ingot.Projects.Images;
using Ingot.Server.Ledger;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot images [--verify]</c> and <c>ingot inspect IMAGE</c>: what is in the local store.</summary>
internal static class ImagesCommands
{
    public static Command Create(Binder bind)
    {
        var verify = new Option<bool>("--verify")
        {
            Description = "Read every blob of the store again and say what is wrong; changes nothing",
        };
        var command = new Command("images", "The images of the local store, by name") { verify };
        command.SetAction(bind((context, result, cancellationToken) =>
            result.GetValue(verify) ? VerifyAsync(context, cancellationToken) : ListAsync(context, cancellationToken)));
        return command;
    }

    public static Command CreateInspect(Binder bind)
    {
        var name = new Argument<string>("IMAGE")
        {
            Description = "name[:tag][@digest] in the local store, a digest, or a reference to a registry",
        };
        var platform = Symbols.Platform("The image of an index; this host's when left out");
        var insecure = Symbols.InsecureRegistry();
        var command = new Command("inspect", "An image's manifest and configuration") { name, platform, insecure };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var (found, image) = await FindAnywhereAsync(context, result.GetRequiredValue(name), Symbols.ReadPlatform(result, platform),
                result.GetValue(insecure) ?? [], cancellationToken);
            var report = new InspectReport(found, image.Digest, Element(ImageJson.Write(image.Manifest)),
                Element(ImageJson.Write(image.Config)));
            if (!context.Terminal.TryJson(report, ReportJson.Default.InspectReport))
                context.Terminal.Document(JsonSerializer.Serialize(report,
                    new ReportJson(new JsonSerializerOptions(ReportJson.Default.Options) { WriteIndented = true }).InspectReport));
            return ExitCode.Done;
        }));
        return command;
    }

    /// <summary>An image of the local store: by digest, by its full name, or as the project here names it.</summary>
    public static async Task<(string Name, Image Image)> FindAsync(CommandContext context, string text, CancellationToken cancellationToken)
    {
        var found = await context.LocalImages.FindAsync(text, cancellationToken);
        return (found.Name, await LocalImages.LoadAsync(new DirectoryStore(context.Home.Content), found.Descriptor.Digest, platform: null,
            cancellationToken));
    }

    private static async Task<(string Name, Image Image)> FindAnywhereAsync(
        CommandContext context, string text, Platform? platform, IReadOnlyList<string> insecure, CancellationToken cancellationToken)
    {
        if (await context.LocalImages.TryFindAsync(text, cancellationToken) is { } local)
            return (local.Name, await LocalImages.LoadAsync(new DirectoryStore(context.Home.Content), local.Descriptor.Digest, platform,
                cancellationToken));
        // A name without a registry may be a mistake: Docker Hub is asked when it is named.
        if (!Reference.TryParse(text, out var written) || written.Registry is null)
            return await FindAsync(context, text, cancellationToken);

        var reference = written.WithDockerDefaults();
        using var registries = new RegistryConnections(context.Host, insecure);
        var client = await registries.ConnectAsync(reference.Registry!, cancellationToken);
        return (reference.ToString(), await LoadRemoteAsync(client, reference, platform ?? Platform.Host, cancellationToken));
    }

    private static async Task<Image> LoadRemoteAsync(
        RegistryClient client, Reference reference, Platform platform, CancellationToken cancellationToken)
    {
        var store = new MemoryStore();
        string what = reference.Digest?.ToString() ?? reference.Tag!;
        for (int depth = 0; depth < 4; depth++)
        {
            var received = await client.GetManifestAsync(reference.Repository, what, cancellationToken)
                ?? throw new InvalidInputException("no-image", $"the registry has no image '{reference}'");
            var stored = await store.PutAsync(received.Descriptor.MediaType, received.Bytes, cancellationToken);
            if (!MediaType.IsIndex(Image.MediaTypeOf(stored.Digest, received.Bytes)))
                return await LoadRemoteAsync(client, reference.Repository, store, stored, received.Bytes, cancellationToken);

            var index = ImageJson.ReadIndex(received.Bytes);
            what = Image.Select(index, platform)?.Digest.ToString()
                ?? throw new InvalidInputException("platform", $"'{reference}' has no image for {platform}",
                    $"choose with --platform: {Image.Platforms(index)}");
        }

        throw new InvalidInputException("no-image", $"'{reference}' is an index in an index in an index");
    }

    private static async Task<Image> LoadRemoteAsync(
        RegistryClient client, string repository, MemoryStore store, Descriptor descriptor, byte[] bytes,
        CancellationToken cancellationToken)
    {
        var config = ImageJson.ReadManifest(bytes).Config;
        if (config.Size <= ContentStoreExtensions.MaxDocumentBytes
            && await client.OpenBlobAsync(repository, config, cancellationToken) is { } stream)
        {
            await using (stream)
            {
                await using var writer = await store.BeginAsync(cancellationToken);
                await stream.CopyToAsync(writer, cancellationToken);
                await writer.CommitAsync(config.Digest, cancellationToken);
            }
        }

        return await Image.LoadAsync(store, descriptor.Digest, cancellationToken: cancellationToken);
    }

    private static async Task<int> ListAsync(CommandContext context, CancellationToken cancellationToken)
    {
        var layout = new OciLayout(context.Home.Content);
        var rows = new List<ImageRow>();
        foreach (var (name, descriptor) in await layout.NamesAsync(cancellationToken))
        {
            var image = await LocalImages.LoadAsync(layout.Store, descriptor.Digest, platform: null, cancellationToken);
            rows.Add(new ImageRow(name, image.Digest, image.Manifest.Layers.Sum(l => l.Size), image.Manifest.Layers.Count));
        }

        if (!context.Terminal.TryJson(new ImagesReport(rows), ReportJson.Default.ImagesReport))
            context.Terminal.Table(["NAME", "DIGEST", "SIZE", "LAYERS"], rows.Select(r =>
                (string[])[r.Name, r.Digest.Short, BuildDisplay.Bytes(r.Size), r.Layers.ToString(CultureInfo.InvariantCulture)]));
        return ExitCode.Done;
    }

    private static async Task<int> VerifyAsync(CommandContext context, CancellationToken cancellationToken)
    {
        var layout = new OciLayout(context.Home.Content);
        var terminal = context.Terminal;
        int read = 0;
        var progress = new Told(digest => terminal.Status($"reading {digest.Short} ({++read})"));
        var found = await LayoutVerification.VerifyAsync(layout, LedgerRoots.Published(context.Home.Server), progress, cancellationToken);
        terminal.Status(null);
        var report = new VerifyStoreReport(found.Problems.Count == 0, found.Names, found.Blobs, found.Bytes, Rows(found.Problems),
            Rows(found.Unknown));
        if (!terminal.TryJson(report, ImageJsonOutput.Default.VerifyStoreReport))
            Show(terminal, report, Cure(layout, found));
        return report.Sound ? ExitCode.Done : ExitCode.No;
    }

    private static List<StoreProblem> Rows(IReadOnlyList<LayoutProblem> problems) =>
        [.. problems.Select(p => new StoreProblem(p.Digest, p.Name, p.What))];

    private static void Show(Terminal terminal, VerifyStoreReport report, string cure)
    {
        foreach (var problem in report.Problems)
            terminal.Line($"{terminal.Bad("wrong")}    {Text(problem)}");
        foreach (var odd in report.Unknown)
            terminal.Line($"unknown  {Text(odd)}");
        string odder = report.Unknown.Count == 0 ? "" : $"; {report.Unknown.Count} odd, with the bytes that were written";
        string answer = report.Sound ? "all as they should be" : $"{report.Problems.Count} wrong; {cure}";
        terminal.Line($"{report.Names} names, {report.Blobs} blobs of {BuildDisplay.Bytes(report.Bytes)}: {answer}{odder}");
    }

    private static string Text(StoreProblem problem) =>
        $"{problem.Digest}{(problem.Name is null ? "" : $" of '{problem.Name}'")}: {problem.Problem}";

    // What has the bytes of its name is never in the way of anything.
    private static string Cure(OciLayout layout, LayoutReport found) => found.IsDamaged
        ? $"remove the files whose bytes have another digest from '{layout.Store.Root}/blobs/sha256', then build, pull, "
            + "import or push those images again"
        : "build, pull, import or push those images again";

    private static JsonElement Element(byte[] json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }

    private sealed class Told(Action<Digest> tell) : IProgress<Digest>
    {
        public void Report(Digest value) => tell(value);
    }
}
