using Ingot.Oci.Images;

namespace Ingot.Builds.Reproduction;

/// <summary>Which layers of two images belong together: those of one instruction, where the histories have the same ones, else those at one
/// place.</summary>
internal static class LayerPairs
{
    /// <summary>The layers, by number, with what made them; null where an instruction made none.</summary>
    public static IReadOnlyList<(int? Before, int? After, string? Instruction)> Of(ImageConfig before, ImageConfig after) =>
        ByHistory(before, after) ?? ByPlace(before, after);

    /// <summary>What made a layer; null when the history does not say.</summary>
    public static string? InstructionOf(ImageConfig config, int layer) =>
        config.History.Where(h => h.EmptyLayer != true).ElementAtOrDefault(layer)?.CreatedBy;

    private static List<(int?, int?, string?)>? ByHistory(ImageConfig before, ImageConfig after)
    {
        bool isSame = before.History.Select(h => h.CreatedBy).SequenceEqual(after.History.Select(h => h.CreatedBy));
        if (!isSame || !IsWhole(before) || !IsWhole(after))
            return null;

        var pairs = new List<(int?, int?, string?)>();
        int first = 0, second = 0;
        foreach (var (was, now) in before.History.Zip(after.History))
        {
            int? one = was.EmptyLayer == true ? null : first++, other = now.EmptyLayer == true ? null : second++;
            if (one is not null || other is not null)
                pairs.Add((one, other, was.CreatedBy));
        }

        return pairs;
    }

    // Some tools write none, or only that of their own layers.
    private static bool IsWhole(ImageConfig config) => config.History.Count(h => h.EmptyLayer != true) == config.RootFs.DiffIds.Count;

    private static List<(int?, int?, string?)> ByPlace(ImageConfig before, ImageConfig after)
    {
        var (first, second) = (before.RootFs.DiffIds.Count, after.RootFs.DiffIds.Count);
        int? Within(int layer, int count) => layer < count ? layer : null;
        return [.. Enumerable.Range(0, Math.Max(first, second))
            .Select(i => (Within(i, first), Within(i, second), InstructionOf(i < first ? before : after, i)))];
    }
}
