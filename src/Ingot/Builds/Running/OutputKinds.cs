using Ingot.Plans;

namespace Ingot.Builds.Running;

/// <summary>Something that is to be put into the store.</summary>
/// <param name="Image">What was asked for.</param>
/// <param name="Build">The stages it is made of.</param>
/// <param name="Finished">What was asked for before it, and is in the store.</param>
internal sealed record OutputRequest(PlannedImage Image, FinishedStages Build, IReadOnlyList<BuiltImage> Finished);

/// <summary>A kind of output: a row of <see cref="OutputKinds"/>.</summary>
/// <param name="Name">What <see cref="PlannedImage.Output"/> calls it.</param>
/// <param name="WriteAsync">Puts one into the store. However it ends, what is in the store is whole.</param>
internal sealed record OutputKind(string Name, Func<OutputRequest, CancellationToken, Task<BuiltImage>> WriteAsync);

/// <summary>The kinds of outputs that a build can make of its stages.</summary>
internal sealed class OutputKinds(params IReadOnlyList<OutputKind> rows)
{
    /// <summary>Those there are.</summary>
    public static OutputKinds Standard { get; } = new(
        new OutputKind(PlannedImage.ContainerImage, (request, token) => new ImageWriter(request).WriteAsync(token)));

    /// <summary>The kind of what was asked for.</summary>
    public OutputKind Of(PlannedImage image) => rows.FirstOrDefault(r => r.Name == image.Output)
        ?? throw new InvalidOperationException($"'{image.Name}' asks for the output '{image.Output}', which is unknown");
}
