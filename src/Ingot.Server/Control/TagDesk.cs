using Ingot.Server.Api;
using Ingot.Server.Ledger;

namespace Ingot.Server.Control;

/// <summary>Frees tags that somebody took and nothing was decided on.</summary>
internal sealed class TagDesk(LedgerStore ledger)
{
    /// <summary>Takes a tag from what it names, which stays. What was ever admitted or released keeps its tags.</summary>
    public async Task<TagReply> FreeAsync(TagRequest request, string by, CancellationToken cancellationToken)
    {
        if (request.Why.Length == 0)
            throw new ApiException("invalid", "a tag is freed with a reason, for the record");

        TagReply? freed = null;
        await ledger.AppendAsync(by, Decide, cancellationToken);
        return freed!;

        IReadOnlyList<LedgerEvent> Decide(LedgerView view)
        {
            var bound = view.Tag(request.Repository, request.Tag) ?? throw new ApiException("not_found", $"there is no tag '{request.Repository}:{request.Tag}'");
            if (view.Decision(request.Repository, bound.Digest) is { } decision)
                throw new ApiException("refused", $"'{request.Repository}:{request.Tag}' stays: entry {decision.Seq} of the ledger decided on '{bound.Digest}' ({decision.Event.Kind}); publish another version, and 'ingot revoke' takes this one out of use");

            freed = new TagReply(request.Repository, request.Tag, bound.Digest);
            return [new LedgerEvent.TagDeleted(request.Repository, request.Tag, bound.Digest, request.Why)];
        }
    }
}
