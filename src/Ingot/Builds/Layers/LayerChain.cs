using System.Text;
using Ingot.Oci.Content;

namespace Ingot.Builds.Layers;

/// <summary>A layer of a chain.</summary>
/// <param name="DiffId">The layer.</param>
/// <param name="Foreign">The blob it has in an image of the store that the chain starts with; null for a layer of ours.</param>
internal readonly record struct ChainLayer(Digest DiffId, Descriptor? Foreign);

/// <summary>Layers, the lowest first: what a root filesystem consists of.</summary>
internal sealed class LayerChain
{
    private LayerChain(IReadOnlyList<ChainLayer> layers, Digest id)
    {
        Layers = layers;
        Id = id;
    }

    /// <summary>No layer at all.</summary>
    public static LayerChain Empty { get; } = new([], Digest.Of([]));

    /// <summary>The layers.</summary>
    public IReadOnlyList<ChainLayer> Layers { get; }

    /// <summary>The name of the chain: equal chains have one
    /// (<see href="https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md#layer-chainid">chain id</see>).</summary>
    public Digest Id { get; }

    /// <summary>The chain with another layer on top.</summary>
    public LayerChain With(ChainLayer layer) =>
        new([.. Layers, layer], Layers.Count == 0 ? layer.DiffId : Digest.Of(Encoding.ASCII.GetBytes($"{Id} {layer.DiffId}")));

    /// <summary>The lowest <paramref name="count"/> layers.</summary>
    public LayerChain Take(int count) =>
        count == Layers.Count ? this : Layers.Take(count).Aggregate(Empty, (chain, layer) => chain.With(layer));
}
