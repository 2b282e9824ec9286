using Ingot.Evidence;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Server.Ledger;

namespace Ingot.Server.Control;

/// <summary>Reads what is attached to an image in the registry, and believes what a key signed that the ledger trusts for it.</summary>
internal sealed class EvidenceShelf(LedgerStore ledger, IContentStore content, KeyBook keys)
{
    private readonly EvidenceVerdicts _verdicts = new();

    public async Task<EvidenceSet> ReadAsync(string repository, Digest digest, CancellationToken cancellationToken)
    {
        var referrers = ledger.Read(view => view.Referrers(repository, digest)).Select(m => m.Digest).ToList();
        return await (await ReaderAsync(cancellationToken)).ReadAsync(digest, content, referrers, cancellationToken);
    }

    /// <summary>The layers of an image's manifest; none of an index, or of what is not here.</summary>
    public async Task<IReadOnlyList<Digest>> LayersAsync(Digest digest, CancellationToken cancellationToken)
    {
        try
        {
            return await content.ReadAsync(digest, cancellationToken) is { } bytes
                ? [.. ImageJson.ReadManifest(bytes).Layers.Select(l => l.Digest)]
                : [];
        }
        catch (FormatException)
        {
            return [];
        }
    }

    /// <summary>Which of some manifests are believed as evidence of a digest.</summary>
    public async Task<IReadOnlySet<Digest>> BelievedAsync(
        Digest subject, IReadOnlyList<Digest> manifests, CancellationToken cancellationToken) =>
        await (await ReaderAsync(cancellationToken)).BelievedAsync(subject, content, manifests, cancellationToken);

    private async Task<EvidenceReader> ReaderAsync(CancellationToken cancellationToken) =>
        new((await keys.ReadAsync(cancellationToken)).Trusted, _verdicts);
}
