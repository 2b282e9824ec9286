using System.Globalization;
using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Builds.Reproduction;

/// <summary>Compares an image with what building it again gave, and says where they differ and why.</summary>
public sealed class ImageComparer
{
    private const int MaxDifferences = 100;
    private const int MaxOfLayer = 20;
    private const int MaxContentBytes = 64 << 20;

    private static readonly Comparer<string> s_order = Comparer<string>.Create(TarPath.Compare);

    private readonly List<Difference> _differences = [];
    private readonly IReadOnlyList<string> _rulesOff;
    private int _ofLayer;
    private int _more;

    private ImageComparer(IReadOnlyList<string> rulesOff) => _rulesOff = rulesOff;

    /// <summary>Compares all layers, and the configuration; where both are equal, the compressed bytes. Of each layer at most twenty
    /// differences are named, and a hundred in all.</summary>
    public static async Task<ImageComparison> CompareAsync(
        IContentStore store, Image expected, IContentStore otherStore, Image actual, IReadOnlyList<string>? rulesOff = null,
        CancellationToken cancellationToken = default)
    {
        if (expected.Digest == actual.Digest)
            return ImageComparison.Equal;

        var comparer = new ImageComparer(rulesOff ?? []);
        await comparer.CompareLayersAsync(store, expected, otherStore, actual, cancellationToken);
        comparer._ofLayer = 0;
        comparer.CompareConfigurations(expected, actual);
        if (comparer._differences.Count == 0)
            comparer.CompareBlobs(expected, actual);
        return new ImageComparison(comparer._differences, comparer._more);
    }

    private async Task CompareLayersAsync(
        IContentStore store, Image expected, IContentStore otherStore, Image actual, CancellationToken cancellationToken)
    {
        foreach (var (before, after, instruction) in LayerPairs.Of(expected.Config, actual.Config))
        {
            _ofLayer = 0;
            if (before is { } first && after is { } second)
            {
                var one = new LayerOfImage(store, expected.Manifest.Layers[first], expected.Config.RootFs.DiffIds[first]);
                var other = new LayerOfImage(otherStore, actual.Manifest.Layers[second], actual.Config.RootFs.DiffIds[second]);
                await CompareLayerAsync(instruction, one, other, cancellationToken);
                continue;
            }

            var layer = before is { } only ? expected.Config.RootFs.DiffIds[only] : actual.Config.RootFs.DiffIds[after!.Value];
            var (was, isNow) = before is null ? ("no change", "a layer") : ("a layer", "no change");
            var cause = new KnownCause(DifferenceCause.Unknown,
                "the instruction changed files in one of the builds, and none in the other", Cure: null);
            Add(layer, instruction, "", "layer", was, isNow, cause);
        }
    }

    private async Task CompareLayerAsync(string? instruction, LayerOfImage before, LayerOfImage after, CancellationToken cancellationToken)
    {
        if (before.DiffId == after.DiffId)
            return;

        var first = await before.EntriesAsync(cancellationToken);
        var second = await after.EntriesAsync(cancellationToken);
        int known = _ofLayer;
        var changed = CompareEntries(before.DiffId, instruction, first, second);
        if (changed.Count == 0 && _ofLayer == known)
            Add(before.DiffId, instruction, "", "order of entries", "the same files", "in another order",
                new KnownCause(DifferenceCause.Order, null, Cure: null));

        // Contents are held in memory: those of the files that are named.
        var named = changed.Take(MaxOfLayer).ToList();
        _more += changed.Count - named.Count;
        CompareContents(
            before.DiffId, instruction, named,
            await before.ContentsAsync(named, MaxContentBytes, cancellationToken),
            await after.ContentsAsync(named, MaxContentBytes, cancellationToken));
    }

    // What is there on one side only, and other metadata, are said at once; returned are files whose contents differ.
    private List<string> CompareEntries(
        Digest layer, string? instruction, Dictionary<string, (TarEntry Entry, Digest? Content)> before,
        Dictionary<string, (TarEntry Entry, Digest? Content)> after)
    {
        var changed = new List<string>();
        foreach (string path in before.Keys.Union(after.Keys).Order(s_order))
        {
            if (!before.TryGetValue(path, out var first))
                Add(layer, instruction, path, "missing", "is not there", $"a {after[path].Entry.Type}", KnownCauses.Of(path));
            else if (!after.TryGetValue(path, out var second))
                Add(layer, instruction, path, "missing", $"a {first.Entry.Type}", "is not there", KnownCauses.Of(path));
            else if (first.Content != second.Content)
                changed.Add(path);
            else if (Describe(first.Entry) is var one && Describe(second.Entry) is var other && one != other)
                Add(layer, instruction, path, "metadata", one, other, CauseOfMetadata(first.Entry, second.Entry));
        }

        return changed;
    }

    private static KnownCause CauseOfMetadata(TarEntry before, TarEntry after) =>
        new(before.ModifiedTime != after.ModifiedTime ? DifferenceCause.Timestamp : DifferenceCause.Unknown, null, Cure: null);

    private static string Describe(TarEntry entry) => string.Create(
        CultureInfo.InvariantCulture,
        $"{entry.Type} {Convert.ToString(entry.Mode, 8)} {entry.UserId}:{entry.GroupId} "
            + $"{entry.ModifiedTime.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}{(entry.LinkTarget is null ? "" : " -> " + entry.LinkTarget)}"
            + $"{string.Concat((entry.ExtendedAttributes ?? []).Select(a => $" {a.Key}={Convert.ToHexStringLower(a.Value)}"))}");

    private void CompareContents(
        Digest layer, string? instruction, List<string> changed, Dictionary<string, byte[]> before, Dictionary<string, byte[]> after)
    {
        foreach (string path in changed)
        {
            if (!before.TryGetValue(path, out var one) || !after.TryGetValue(path, out var other))
            {
                Add(layer, instruction, path, "content", "content", "other content", KnownCauses.Of(path));
                continue;
            }

            var (first, second, cause, isText) = ContentDifference.Explain(one, other);
            var known = KnownCauses.Of(path, one, other) ?? new KnownCause(cause, null, KnownCauses.CureOf(cause, isText));
            Add(layer, instruction, path, "content", first, second, known);
        }
    }

    private void CompareConfigurations(Image expected, Image actual)
    {
        byte[] before = Lines(expected.Config),
            after = Lines(actual.Config with { RootFs = expected.Config.RootFs, History = History(expected.Config, actual.Config) });
        if (before.AsSpan().SequenceEqual(after))
            return;

        var (first, second, cause, _) = ContentDifference.Explain(before, after);
        Add(null, null, "", "configuration", first, second,
            new KnownCause(cause == DifferenceCause.Unknown ? DifferenceCause.Input : cause, null, Cure: null));
    }

    // Which instructions made a layer was said of the layers.
    private static IReadOnlyList<HistoryEntry> History(ImageConfig expected, ImageConfig actual) =>
        expected.History.Count != actual.History.Count
            ? actual.History
            : [.. actual.History.Zip(expected.History, (now, was) => now with { EmptyLayer = was.EmptyLayer })];

    // A member a line, so that the line that is shown is short.
    private static byte[] Lines(ImageConfig config) =>
        Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(ImageJson.Write(config)).Replace(",", ",\n", StringComparison.Ordinal));

    private void CompareBlobs(Image expected, Image actual)
    {
        var (before, after) = (expected.Manifest.Layers, actual.Manifest.Layers);
        int layer = Enumerable.Range(0, before.Count).FirstOrDefault(i => before[i] != after[i], -1);
        if (layer < 0)
        {
            Add(null, null, "", "manifest", expected.Digest.ToString(), actual.Digest.ToString(),
                new KnownCause(DifferenceCause.Unknown, null, Cure: null));
            return;
        }

        var codec = new KnownCause(DifferenceCause.Codec,
            "the files are the same, and were compressed by another codec or another version of its library", Cure: null);
        Add(expected.Config.RootFs.DiffIds[layer], LayerPairs.InstructionOf(expected.Config, layer), "", "compressed bytes",
            Text(before[layer]), Text(after[layer]), codec);
    }

    private static string Text(Descriptor layer) => $"{layer.MediaType}, {layer.Size} bytes";

    // What a rule or a download says of a file goes before what the file says of itself.
    private void Add(Digest? layer, string? instruction, string path, string what, string before, string after, KnownCause? known)
    {
        if (_ofLayer++ >= MaxOfLayer || _differences.Count >= MaxDifferences)
        {
            _more++;
            return;
        }

        var cause = (path.Length > 0 ? KnownCauses.OfDownload(instruction) : null) ?? known
            ?? new KnownCause(DifferenceCause.Unknown, null, Cure: null);
        var off = KnownCauses.RuleOff(path, _rulesOff);
        string? reason = off?.Reason ?? (cause.IsSeen ? cause.Reason : KnownCauses.ReasonOfRule(path) ?? cause.Reason)
            ?? (cause.Cause == DifferenceCause.Unknown ? KnownCauses.ReasonOfCopy(instruction) : null);
        _differences.Add(new Difference(layer, instruction, path, what, before, after, cause.Cause, reason, off?.Cure ?? cause.Cure?.Text));
    }
}
