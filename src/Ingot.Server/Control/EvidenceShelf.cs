using Ingot.Evidence;
using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;
using Ingot.Server.Ledger;

namespace Ingot.Server.Control;

/// <summary>Reads what is attached to an image in the registry, and believes what a trusted key signed.</summary>
internal sealed class EvidenceShelf(LedgerStore ledger, IContentStore content, KeyStore keys)
{
    public async Task<EvidenceSet> ReadAsync(string repository, Digest digest, CancellationToken cancellationToken)
    {
        var referrers = ledger.Read(view => view.Referrers(repository, digest)).Select(m => m.Digest).ToList();
        var reader = new EvidenceReader(await keys.TrustedAsync(cancellationToken));
        return await reader.ReadAsync(digest, content, referrers, cancellationToken);
    }
}
