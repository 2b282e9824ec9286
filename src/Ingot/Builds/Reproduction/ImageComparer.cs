using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Builds.Reproduction;

/// <summary>Compares an image with what building it again gave, and says where they differ and why.</summary>
public sealed class ImageComparer
{
    private const int MaxDifferences = 20;
    private const int MaxContentBytes = 64 << 20;

    private static readonly Comparer<string> s_order = Comparer<string>.Create(TarPath.Compare);

    private readonly List<Difference> _differences = [];
    private readonly IReadOnlyList<string> _rulesOff;

    private ImageComparer(IReadOnlyList<string> rulesOff) => _rulesOff = rulesOff;

    /// <summary>The differences, at most twenty: of the first layer that differs, since the ones above follow from it; else of the configuration, else of the compression. Empty when the digests are equal.</summary>
    public static async Task<IReadOnlyList<Difference>> CompareAsync(
        IContentStore store, Image expected, IContentStore otherStore, Image actual, IReadOnlyList<string>? rulesOff = null, CancellationToken cancellationToken = default)
    {
        if (expected.Digest == actual.Digest)
            return [];

        var comparer = new ImageComparer(rulesOff ?? []);
        await comparer.CompareLayersAsync(store, expected, otherStore, actual, cancellationToken).ConfigureAwait(false);
        if (comparer._differences.Count == 0)
            comparer.CompareConfigurations(expected, actual);
        if (comparer._differences.Count == 0)
            comparer.CompareBlobs(expected, actual);
        return comparer._differences;
    }

    private async Task CompareLayersAsync(IContentStore store, Image expected, IContentStore otherStore, Image actual, CancellationToken cancellationToken)
    {
        var (before, after) = (expected.Config.RootFs.DiffIds, actual.Config.RootFs.DiffIds);
        int layer = Enumerable.Range(0, Math.Min(before.Count, after.Count)).FirstOrDefault(i => before[i] != after[i], -1);
        if (layer < 0)
        {
            if (before.Count != after.Count)
                Add(null, null, "", "layers", $"{before.Count} layers", $"{after.Count} layers", DifferenceCause.Input);
            return;
        }

        string? instruction = InstructionOf(expected.Config, layer);
        var first = await ReadAsync(store, expected.Manifest.Layers[layer], before[layer], cancellationToken).ConfigureAwait(false);
        var second = await ReadAsync(otherStore, actual.Manifest.Layers[layer], after[layer], cancellationToken).ConfigureAwait(false);
        var changed = CompareEntries(before[layer], instruction, first, second);
        if (changed.Count == 0 && _differences.Count == 0)
            Add(before[layer], instruction, "", "order of entries", "the same files", "in another order", DifferenceCause.Order);
        CompareContents(
            before[layer], instruction, changed,
            await ContentsAsync(store, expected.Manifest.Layers[layer], before[layer], changed, cancellationToken).ConfigureAwait(false),
            await ContentsAsync(otherStore, actual.Manifest.Layers[layer], after[layer], changed, cancellationToken).ConfigureAwait(false));
    }

    // What is there on one side only, and other metadata, are said at once; returned are files whose contents differ.
    private List<string> CompareEntries(Digest layer, string? instruction, Dictionary<string, (TarEntry Entry, Digest? Content)> before, Dictionary<string, (TarEntry Entry, Digest? Content)> after)
    {
        var changed = new List<string>();
        foreach (string path in before.Keys.Union(after.Keys).Order(s_order))
        {
            if (!before.TryGetValue(path, out var first))
                Add(layer, instruction, path, "missing", "is not there", $"a {after[path].Entry.Type}", KnownCauses.CauseOf(path));
            else if (!after.TryGetValue(path, out var second))
                Add(layer, instruction, path, "missing", $"a {first.Entry.Type}", "is not there", KnownCauses.CauseOf(path));
            else if (first.Content != second.Content)
                changed.Add(path);
            else if (Describe(first.Entry) is var one && Describe(second.Entry) is var other && one != other)
                Add(layer, instruction, path, "metadata", one, other, first.Entry.ModifiedTime != second.Entry.ModifiedTime ? DifferenceCause.Timestamp : DifferenceCause.Unknown);
        }

        return changed;
    }

    private static string Describe(TarEntry entry) => string.Create(
        CultureInfo.InvariantCulture,
        $"{entry.Type} {Convert.ToString(entry.Mode, 8)} {entry.UserId}:{entry.GroupId} {entry.ModifiedTime.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}{(entry.LinkTarget is null ? "" : " -> " + entry.LinkTarget)}{string.Concat((entry.ExtendedAttributes ?? []).Select(a => $" {a.Key}={Convert.ToHexStringLower(a.Value)}"))}");

    private void CompareContents(Digest layer, string? instruction, List<string> changed, Dictionary<string, byte[]> before, Dictionary<string, byte[]> after)
    {
        foreach (string path in changed)
        {
            var (first, second, cause) = before.TryGetValue(path, out var one) && after.TryGetValue(path, out var other)
                ? ContentDifference.Explain(one, other)
                : ("content", "other content", DifferenceCause.Unknown);
            Add(layer, instruction, path, "content", first, second, KnownCauses.CauseOf(path) is var known and not DifferenceCause.Unknown ? known : cause);
        }
    }

    private void CompareConfigurations(Image expected, Image actual)
    {
        byte[] before = Lines(expected.Config), after = Lines(actual.Config);
        if (before.AsSpan().SequenceEqual(after))
            return;

        var (first, second, cause) = ContentDifference.Explain(before, after);
        Add(null, null, "", "configuration", first, second, cause == DifferenceCause.Unknown ? DifferenceCause.Input : cause);
    }

    // A member a line, so that the line that is shown is short.
    private static byte[] Lines(ImageConfig config) =>
        Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(ImageJson.Write(config)).Replace(",", ",\n", StringComparison.Ordinal));

    private void CompareBlobs(Image expected, Image actual)
    {
        int layer = Enumerable.Range(0, expected.Manifest.Layers.Count).FirstOrDefault(i => expected.Manifest.Layers[i] != actual.Manifest.Layers[i], -1);
        if (layer < 0)
            Add(null, null, "", "manifest", expected.Digest.ToString(), actual.Digest.ToString(), DifferenceCause.Unknown);
        else
            Add(expected.Config.RootFs.DiffIds[layer], InstructionOf(expected.Config, layer), "", "compressed bytes", $"{expected.Manifest.Layers[layer].MediaType}, {expected.Manifest.Layers[layer].Size} bytes", $"{actual.Manifest.Layers[layer].MediaType}, {actual.Manifest.Layers[layer].Size} bytes", DifferenceCause.Codec);
    }

    private void Add(Digest? layer, string? instruction, string path, string what, string before, string after, DifferenceCause cause)
    {
        if (_differences.Count < MaxDifferences)
            _differences.Add(new Difference(layer, instruction, path, what, before, after, cause, KnownCauses.CureFor(path, cause, _rulesOff)));
    }

    private static string? InstructionOf(ImageConfig config, int layer) => config.History.Where(h => h.EmptyLayer != true).ElementAtOrDefault(layer)?.CreatedBy;

    private static async Task<Dictionary<string, (TarEntry Entry, Digest? Content)>> ReadAsync(IContentStore store, Descriptor blob, Digest diffId, CancellationToken cancellationToken)
    {
        var entries = new Dictionary<string, (TarEntry, Digest?)>();
        var tar = await LayerBlob.OpenAsync(store, blob, diffId, cancellationToken).ConfigureAwait(false);
        await using (tar.ConfigureAwait(false))
        {
            using var reader = new TarReader(tar, leaveOpen: true);
            while (await reader.NextAsync(cancellationToken).ConfigureAwait(false) is { } entry)
                entries[entry.Path] = (entry, entry.Type == TarEntryType.File ? Digest.FromHash(await SHA256.HashDataAsync(reader.Content, cancellationToken).ConfigureAwait(false)) : null);
        }

        return entries;
    }

    private static async Task<Dictionary<string, byte[]>> ContentsAsync(IContentStore store, Descriptor blob, Digest diffId, List<string> paths, CancellationToken cancellationToken)
    {
        var contents = new Dictionary<string, byte[]>();
        var wanted = paths.Take(MaxDifferences).ToHashSet();
        if (wanted.Count == 0)
            return contents;

        var tar = await LayerBlob.OpenAsync(store, blob, diffId, cancellationToken).ConfigureAwait(false);
        await using (tar.ConfigureAwait(false))
        {
            using var reader = new TarReader(tar, leaveOpen: true);
            while (await reader.NextAsync(cancellationToken).ConfigureAwait(false) is { } entry)
            {
                if (!wanted.Contains(entry.Path) || entry.Size > MaxContentBytes)
                    continue;
                byte[] content = new byte[entry.Size];
                await reader.Content.ReadExactlyAsync(content, cancellationToken).ConfigureAwait(false);
                contents[entry.Path] = content;
            }
        }

        return contents;
    }
}
