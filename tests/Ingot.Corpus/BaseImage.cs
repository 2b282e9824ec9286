using Ingot.Oci.Content;

namespace Ingot.Corpus;

/// <summary>An image that cases start with. Its own content is part of no comparison.</summary>
/// <param name="Name">What Dockerfiles call it.</param>
/// <param name="Digest">Its manifest.</param>
/// <param name="DiffIds">Its layers.</param>
/// <param name="HistoryCount">How many entries of history are its own.</param>
/// <param name="Tree">Its files.</param>
public sealed record BaseImage(string Name, Digest Digest, IReadOnlyList<Digest> DiffIds, int HistoryCount, ImageTree Tree);
