using Ingot.Builds.Cache;
using Ingot.Builds.Files;
using Ingot.Builds.Layers;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;
using Ingot.Plans;

namespace Ingot.Builds.Steps;

/// <summary>Copies files: layers that are written from where their files are, without a root filesystem.</summary>
internal static class CopyExecution
{
    private const int FileMode = 0b110_100_100;

    // A higher number when the layer of a copy would come out otherwise.
    private const string Layout = "copy@2";

    /// <summary>What of this program decides the layer of a copy, or of a directory.</summary>
    public static KeyPart LayoutPart => new("layout", Layout);

    /// <summary>See <see cref="StepKind{T}.KeyParts"/>.</summary>
    public static IEnumerable<KeyPart> KeyParts(CopyStep step, StepSurroundings met) =>
        [.. IsLinked(step) ? Array.Empty<KeyPart>() : [met.Below], .. met.Reads, LayoutPart];

    /// <summary>Whether the layer of a copy is made as if over nothing. As in Docker's builder not when it sets modes too.</summary>
    public static bool IsLinked(CopyStep step) => step.Link && step.Mode is null;

    /// <summary>Makes the layer of a copy.</summary>
    public static async Task<StepResult> RunAsync(BuildSession session, CopyStep step, StepWork work, CancellationToken cancellationToken)
    {
        var (chain, input) = (work.Chain, ((CopiedInput)work.Input).Files);
        var target = IsLinked(step) ? FileTree.Empty : await session.Layers.TreeAsync(chain, session.Workspace, cancellationToken);
        var owner = await OwnerAsync(session, step, chain, cancellationToken);
        var options = new CopyOptions(ImagePath.ToLayer(step.Destination), step.DestinationIsDirectory, owner, step.Mode,
            session.Settings.Epoch);
        var selection = await input.SelectAsync(cancellationToken);
        using var reading = new CopyReading(session, input);
        var placed = await PlaceAsync(session, step, target, selection, options, reading, cancellationToken);
        if (placed.Any(p => p.Source?.Unread is not null) && placed.All(file => IsThereAlready(target, file)))
        {
            // Unread files look as if they were: now it matters whether they are.
            selection = await input.ReadAsync(cancellationToken);
            placed = await PlaceAsync(session, step, target, selection, options, reading, cancellationToken);
        }

        if (placed.All(file => IsThereAlready(target, file)))
            return new StepResult();

        var result = await PatchAsync(session, work, placed, input, reading, cancellationToken)
            ?? await WriteAsync(session, work.Export, placed, input, reading, cancellationToken);
        return result with
        {
            Rules = step.From is TreeSource.Context { KeepsModes: false } ? [ContextFiles.ModesRule] : [],
            Materials = input.Materials,
            Copied = session.Copied.Keep(selection, reading.Read),
        };
    }

    private static async Task<StepResult> WriteAsync(
        BuildSession session, bool export, IReadOnlyList<PlacedFile> placed, CopyInput input, CopyReading reading,
        CancellationToken cancellationToken)
    {
        var writer = await session.WriterAsync(export, cancellationToken);
        await using (writer)
        {
            foreach (var file in placed)
                await WriteAsync(writer, file, reading, cancellationToken);
            return await session.FinishAsync(
                writer, layer => IsWhatWasSelected(layer.Index, placed, input, reading.Read), cancellationToken);
        }
    }

    // From the layer of the last time, when that is mostly the same. Null when it is not; and when somebody must see all of it.
    private static async Task<StepResult?> PatchAsync(
        BuildSession session, StepWork work, IReadOnlyList<PlacedFile> placed, CopyInput input, CopyReading reading,
        CancellationToken cancellationToken)
    {
        if (!work.Export || work.Earlier is not { } earlier || session.NewObserver() is not null
            || session.Settings.Store is not DirectoryStore store
            || await session.Layers.FindWrittenAsync(earlier, cancellationToken) is not { } before
            || LayerPatch.Of(before.Index, before.Trace, session.Settings.Codec,
                [.. placed.Select(p => new LayerEntry(p.Entry, p.Source?.Content))]) is not { } patch)
            return null;

        var (layer, archive) = await patch.WriteAsync(store, before.Archive, session.NewArchive(),
            i => OpenAsync(placed[i], reading, cancellationToken), cancellationToken);
        if (LayerArchives.IsScattered(archive))
            archive = archive.Gather(session.NewArchive());
        return await session.KeepAsync(layer, archive, IsWhatWasSelected(layer.Index, placed, input, reading.Read), cancellationToken);
    }

    private static async Task<Stream> OpenAsync(PlacedFile file, CopyReading reading, CancellationToken cancellationToken) =>
        file.Source is null ? Stream.Null : await reading.OpenAsync(file.Source, cancellationToken);

    private static async Task<IReadOnlyList<PlacedFile>> PlaceAsync(
        BuildSession session, CopyStep step, FileTree target, SourceSelection selection, CopyOptions options, CopyReading reading,
        CancellationToken cancellationToken)
    {
        var sources = await reading.UnpackAsync(step, selection.Sources, cancellationToken);
        return Place(step, target, [.. sources.Select(s => Dated(s, step, options.Epoch)), .. Inline(session, step)], options);
    }

    private static IReadOnlyList<PlacedFile> Place(
        CopyStep step, FileTree target, IReadOnlyList<SelectedSource> sources, CopyOptions options)
    {
        try
        {
            return CopyLayout.Of(target, sources, options);
        }
        catch (CopyConflictException e)
        {
            throw Problem(step, "build-copy-conflict", e.Message);
        }
    }

    // A layer that would change nothing is none. A directory's time is that of its last change, which this is not.
    private static bool IsThereAlready(FileTree target, PlacedFile file)
    {
        if (target.Find(file.Entry.Path) is not { Record: { } there }
            || there.Entry.ExtendedAttributes is { Count: > 0 }
            || file.Entry.ExtendedAttributes is { Count: > 0 })
            return false;

        var entry = file.Entry;
        bool isSame = (there.Type, there.Mode, there.UserId, there.GroupId, there.LinkTarget, there.Entry.DeviceMajor,
            there.Entry.DeviceMinor)
            == (entry.Type, entry.Mode, entry.UserId, entry.GroupId, entry.LinkTarget, entry.DeviceMajor, entry.DeviceMinor);
        return isSame && entry.Type switch
        {
            TarEntryType.Directory => true,
            TarEntryType.File => file.Source is { } source && (source.Unread is not null || source.Content == there.Digest)
                && entry.Size == there.Size && entry.ModifiedTime == there.ModifiedTime,
            _ => entry.ModifiedTime == there.ModifiedTime,
        };
    }

    private static async Task WriteAsync(LayerWriter writer, PlacedFile file, CopyReading reading, CancellationToken cancellationToken)
    {
        if (file.Entry.Type != TarEntryType.File || file.Source is null)
        {
            await writer.WriteAsync(file.Entry, cancellationToken);
            return;
        }

        var content = await reading.OpenAsync(file.Source, cancellationToken);
        await using (content)
            await writer.WriteAsync(file.Entry, content, cancellationToken);
    }

    // Between the key and the layer the person may have saved the file again: the layer must be what the key says. Of a file that was
    // unread, the layer says what it holds.
    private static bool IsWhatWasSelected(
        LayerIndex index, IReadOnlyList<PlacedFile> placed, CopyInput input, Dictionary<FileOrigin, Digest> read)
    {
        foreach (var file in placed)
        {
            if (file.Source is not { } source || index.Find(file.Entry.Path)?.Digest is not { } written)
                continue;
            if (source.Content is { } content && content != written)
                return false;
            if (source.Unread is not null && !read.TryAdd(source.Origin, written) && read[source.Origin] != written)
                return false;
        }

        return input.Learn(read);
    }

    private static async Task<(uint, uint)?> OwnerAsync(
        BuildSession session, CopyStep step, LayerChain chain, CancellationToken cancellationToken)
    {
        if (step.Owner is not { } owner)
            return null;
        if (!IsLinked(step))
            return await DirectoryExecution.OwnerAsync(session, step, owner, chain, cancellationToken);

        return Accounts.None.FindOwner(owner, out var unknown)
            ?? throw Problem(
                step,
                "build-unknown-user",
                $"{unknown} is a name, and with --link there is nothing below to look it up in",
                "write numbers, or leave --link out");
    }

    // What is not of another tree is selected once, for images of several epochs.
    private static SelectedSource Dated(SelectedSource source, CopyStep step, DateTimeOffset epoch) =>
        step.From is TreeSource.Stage or TreeSource.Image || source.IsArchive || source.Files.All(f => f.Entry.ModifiedTime == epoch)
            ? source
            : source with { Files = [.. source.Files.Select(f => f with { Entry = f.Entry with { ModifiedTime = epoch } })] };

    private static IEnumerable<SelectedSource> Inline(BuildSession session, CopyStep step) => step.Inline.Select(file =>
    {
        byte[] content = System.Text.Encoding.UTF8.GetBytes(file.Content);
        var entry = new TarEntry
        {
            Path = "",
            Type = TarEntryType.File,
            Mode = FileMode,
            Size = content.Length,
            ModifiedTime = session.Settings.Epoch,
        };
        return new SelectedSource(file.Name, [new SelectedFile(entry, Content: null, new FileOrigin(0, file.Name))
        {
            Open = () => new MemoryStream(content, writable: false),
        }]);
    });

    internal static InvalidInputException Problem(Step step, string code, string summary, string? detail = null) =>
        new([new Diagnostic(Severity.Error, code, summary, detail, step.Span)]);
}
