using Ingot.Oci.Content;

namespace Ingot.Oci.Images;

/// <summary>One step by which an image was made, with the layer it left.</summary>
/// <param name="Instruction">The instruction; null when the history does not say.</param>
/// <param name="Created">When, RFC 3339, as the history says.</param>
/// <param name="Comment">A remark.</param>
/// <param name="Layer">The layer's blob; null when the step made none.</param>
/// <param name="DiffId">The layer's diff id.</param>
/// <param name="Size">The bytes of the layer's blob; 0 when the step made none.</param>
public sealed record HistoryStep(string? Instruction, string? Created, string? Comment, Digest? Layer, Digest? DiffId, long Size);

/// <summary>Holds an image's history against its layers.</summary>
public static class ImageHistory
{
    /// <summary>The steps, the first first. Layers that the history does not speak of come as steps without an instruction; entries that
    /// promise layers which are not there have none.</summary>
    public static IReadOnlyList<HistoryStep> Of(Image image)
    {
        var steps = new List<HistoryStep>();
        var layers = new Queue<(Descriptor Blob, Digest DiffId)>(image.Manifest.Layers.Zip(image.Config.RootFs.DiffIds));
        int promised = image.Config.History.Count(entry => entry.EmptyLayer != true);

        // Where the history is shorter than the layers, it is the lowest that it does not know: a base without one.
        while (layers.Count > promised)
            steps.Add(Step(entry: null, layers.Dequeue()));
        foreach (var entry in image.Config.History)
            steps.Add(entry.EmptyLayer != true && layers.TryDequeue(out var layer)
                ? Step(entry, layer)
                : new HistoryStep(entry.CreatedBy, entry.Created, entry.Comment, Layer: null, DiffId: null, Size: 0));
        return steps;
    }

    private static HistoryStep Step(HistoryEntry? entry, (Descriptor Blob, Digest DiffId) layer) =>
        new(entry?.CreatedBy, entry?.Created, entry?.Comment, layer.Blob.Digest, layer.DiffId, layer.Blob.Size);
}
