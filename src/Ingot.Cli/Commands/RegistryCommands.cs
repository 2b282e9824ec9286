using System.CommandLine;
using Ingot.Cli.Output;
using Ingot.Cli.Pipeline;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Layouts;
using Ingot.Oci.Registries;
using Ingot.Projects.Images;
using Ingot.Projects.Recipes;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot push</c>, <c>ingot pull</c> and <c>ingot copy</c>.</summary>
internal static class RegistryCommands
{
    public static Command CreatePush(Binder bind)
    {
        var name = new Argument<string>("IMAGE") { Description = "name[:tag][@digest] in the local store" };
        var target = new Argument<string>("REF") { Description = "[REGISTRY/]REPOSITORY[:TAG]; Docker Hub when no registry is named" };
        var compression = new Option<string?>("--compression")
        {
            Description =
                "Compress the layers with gzip or zstd; diff ids stay, digests change, and evidence, which is about digests, stays behind",
            HelpName = "NAME",
        };
        compression.AcceptOnlyFromAmong(LayerCompression.Gzip.Name, LayerCompression.Zstandard.Name);
        var shared = new TransferSymbols("Push this image of an index");
        var command = new Command("push",
            "Push an image of the local store and its evidence to a registry, with signed provenance if it was built here")
        {
            name, target, compression,
        };
        shared.AddTo(command);
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var options = shared.Read(result);
            var reference = Parse(result.GetRequiredValue(target));
            if (reference.Digest is not null)
                throw new InvalidInputException("reference", $"'{reference}' has a digest, which follows from the image", "push to a tag");
            var layout = new OciLayout(context.Home.Content);
            var found = await context.LocalImages.FindAsync(result.GetRequiredValue(name), cancellationToken);
            var digest = options.AllPlatforms
                ? found.Descriptor.Digest
                : (await LocalImages.LoadAsync(layout.Store, found.Descriptor.Digest, options.Platform, cancellationToken)).Digest;
            if (result.GetValue(compression) is { } codec)
                (digest, options) = (await RecompressAsync(layout.Store, digest, LayerCompression.Find(codec)!, cancellationToken),
                    options with { Evidence = false });

            if (options.Evidence)
                await new SignedProvenance(context.Host).EnsureAsync(found.Name, digest, cancellationToken);
            using var registries = new RegistryConnections(context.Host, options.Insecure);
            var client = await registries.ConnectAsync(reference.Registry!, cancellationToken);
            var mounts = await MountsAsync(layout, reference, cancellationToken);
            using var display = new TransferDisplay(context.Terminal, "push", reference.ToString());
            await ImageTransfer.PushAsync(layout.Store, client, reference.Repository, digest, reference.Tag,
                display.Options with { Referrers = options.Evidence, MountFrom = d => mounts.GetValueOrDefault(d) }, cancellationToken);
            return Report(context, display, reference.WithTag(reference.Tag).ToString(), digest, found.Name);
        }));
        return command;
    }

    public static Command CreatePull(Binder bind)
    {
        var source = new Argument<string>("REF")
        {
            Description = "[REGISTRY/]REPOSITORY[:TAG][@DIGEST]; Docker Hub when no registry is named",
        };
        var name = new Option<string?>("--name")
        {
            Description = "The name in the local store; the full reference when left out",
            HelpName = "NAME",
        };
        var shared = new TransferSymbols("Pull this image of an index; this host's when left out");
        var command = new Command("pull", "Pull an image and its evidence from a registry into the local store") { source, name };
        shared.AddTo(command);
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var options = shared.Read(result);
            var reference = Parse(result.GetRequiredValue(source));
            string given = result.GetValue(name) ?? reference.ToString();
            if (!Reference.TryParse(given, out _))
                throw new InvalidInputException("name", $"'{given}' is not a name for an image", "give one in lower case: NAME[:TAG]");

            var layout = new OciLayout(context.Home.Content);
            using var registries = new RegistryConnections(context.Host, options.Insecure);
            var client = await registries.ConnectAsync(reference.Registry!, cancellationToken);
            using var display = new TransferDisplay(context.Terminal, "pull", reference.ToString());
            var platform = options.AllPlatforms ? null : options.Platform ?? Platform.Host;
            var pulled = await ImageTransfer.PullAsync(client, reference.Repository, reference.Digest?.ToString() ?? reference.Tag!,
                layout.Store, display.Options with { Platform = platform, Referrers = options.Evidence }, cancellationToken);
            if (platform is not null)
                pulled = (await Image.LoadAsync(layout.Store, pulled.Digest, platform, cancellationToken)).Descriptor;
            await layout.SetAsync(given, pulled with { Annotations = null, Platform = null }, cancellationToken);
            return Report(context, display, reference.ToString(), pulled.Digest, given);
        }));
        return command;
    }

    public static Command CreateCopy(Binder bind)
    {
        var source = new Argument<string>("SRC") { Description = "The reference to copy" };
        var target = new Argument<string>("DST") { Description = "Where to copy it; the source's tag when it has none" };
        var shared = new TransferSymbols("Copy this image of an index; this host's when left out");
        var command = new Command("copy",
            "Copy an image and its evidence from one registry to another, without storing it here") { source, target };
        shared.AddTo(command);
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var options = shared.Read(result);
            var from = Parse(result.GetRequiredValue(source));
            string written = result.GetRequiredValue(target);
            var to = Parse(written);
            if (to.Digest is not null)
                throw new InvalidInputException("reference", $"'{to}' has a digest, which follows from the image", "copy to a tag");
            // The tag that was added for want of one gives way to the source's.
            string? tag = Reference.Parse(written).Tag ?? from.Tag;

            using var registries = new RegistryConnections(context.Host, options.Insecure);
            var sourceClient = await registries.ConnectAsync(from.Registry!, cancellationToken);
            var targetClient = await registries.ConnectAsync(to.Registry!, cancellationToken);
            string shown = to.WithTag(tag).ToString();
            using var display = new TransferDisplay(context.Terminal, "copy", shown);
            var transfer = display.Options with
            {
                Platform = options.AllPlatforms ? null : options.Platform ?? Platform.Host,
                Referrers = options.Evidence,
                MountFrom = _ => from.Registry == to.Registry && from.Repository != to.Repository ? from.Repository : null,
            };
            var copied = await ImageTransfer.CopyAsync(sourceClient, from.Repository, from.Digest?.ToString() ?? from.Tag!, targetClient,
                to.Repository, tag, transfer, cancellationToken);
            return Report(context, display, shown, copied.Digest, name: null);
        }));
        return command;
    }

    private static Reference Parse(string text) => Reference.TryParse(text, out var reference)
        ? reference.WithDockerDefaults()
        : throw new InvalidInputException("reference", $"'{text}' is not a reference to an image",
            "expected [REGISTRY/]REPOSITORY[:TAG][@sha256:DIGEST] in lower case, such as 'registry.example/team/app:1.2'");

    private static int Report(CommandContext context, TransferDisplay display, string reference, Digest digest, string? name)
    {
        display.Dispose();
        var report = new TransferReport(reference, digest, name, display.Bytes, display.Moved, display.Known, display.Seconds);
        if (!context.Terminal.TryJson(report, ImageJsonOutput.Default.TransferReport))
            context.Terminal.Line($"{reference}@{digest}");
        return ExitCode.Done;
    }

    // Other images of that registry that are known here: their layers can be linked instead of sent.
    private static async Task<IReadOnlyDictionary<Digest, string>> MountsAsync(
        OciLayout layout, Reference target, CancellationToken cancellationToken)
    {
        var mounts = new Dictionary<Digest, string>();
        foreach (var (name, descriptor) in await layout.NamesAsync(cancellationToken))
        {
            if (!Reference.TryParse(name, out var other) || other.Registry != target.Registry || other.Repository == target.Repository)
                continue;
            foreach (var layer in (await LocalImages.LoadAsync(layout.Store, descriptor.Digest, platform: null,
                cancellationToken)).Manifest.Layers)
                mounts.TryAdd(layer.Digest, other.Repository);
        }

        return mounts;
    }

    private static async Task<Digest> RecompressAsync(
        DirectoryStore store, Digest digest, LayerCompression compression, CancellationToken cancellationToken)
    {
        byte[] bytes = await store.ReadRequiredAsync(digest, cancellationToken);
        if (MediaType.IsIndex(Image.MediaTypeOf(digest, bytes)))
            throw new InvalidInputException("compression", "an index is not compressed again", "push one image at a time: --platform");

        var image = await Image.LoadAsync(store, digest, cancellationToken: cancellationToken);
        return (await Recompression.ConvertAsync(store, image, compression, cancellationToken)).Digest;
    }
}

/// <summary>What the commands that move images have in common.</summary>
internal sealed record TransferSettings(Platform? Platform, bool AllPlatforms, bool Evidence, IReadOnlyList<string> Insecure);

/// <summary>The options for it.</summary>
internal sealed class TransferSymbols(string platform)
{
    private readonly Option<string?> _platform = Symbols.Platform(platform);
    private readonly Option<bool> _all = new("--all-platforms") { Description = "The whole index, with the images of every platform" };
    private readonly Option<bool> _noEvidence = new("--no-evidence")
    {
        Description = "Leave behind the evidence about the image: signatures, bills of materials, test results",
    };
    private readonly Option<string[]> _insecure = Symbols.InsecureRegistry();

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_platform, _all, _noEvidence, _insecure])
            command.Add(option);
    }

    public TransferSettings Read(ParseResult result)
    {
        var chosen = Symbols.ReadPlatform(result, _platform);
        bool all = result.GetValue(_all);
        return chosen is not null && all
            ? throw new InvalidInputException("platform", "'--platform' and '--all-platforms' contradict each other", "leave one out")
            : new TransferSettings(chosen, all, !result.GetValue(_noEvidence), result.GetValue(_insecure) ?? []);
    }
}
