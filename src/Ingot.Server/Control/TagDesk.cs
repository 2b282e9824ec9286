using Ingot.Oci.Content;
using Ingot.Server.Api;
using Ingot.Server.Ledger;

namespace Ingot.Server.Control;

/// <summary>Frees tags that somebody took and nothing was decided on.</summary>
/// <param name="ledger">The ledger.</param>
/// <param name="isVersion">Whether a tag names a version of what was decided on, by repository, tag and digest;
/// null when that is not known of any, and all stay.</param>
internal sealed class TagDesk(LedgerStore ledger, Func<string, string, Digest, CancellationToken, Task<bool>>? isVersion = null)
{
    /// <summary>Takes a tag from what it names, which stays. What was ever admitted or released keeps those that name a version of
    /// it.</summary>
    public async Task<TagReply> FreeAsync(TagRequest request, string by, CancellationToken cancellationToken)
    {
        if (request.Why.Length == 0)
            throw new ApiException("invalid", "freeing a tag needs a reason, for the record");

        TagReply? freed = null;
        var named = ledger.Read(view => view.Tag(request.Repository, request.Tag)?.Digest);
        bool stays = isVersion is null || named is null || await isVersion(request.Repository, request.Tag, named.Value, cancellationToken);
        await ledger.AppendAsync(by, Decide, cancellationToken);
        return freed!;

        IReadOnlyList<LedgerEvent> Decide(LedgerView view)
        {
            var bound = view.Tag(request.Repository, request.Tag)
                ?? throw new ApiException("not_found", $"there is no tag '{request.Repository}:{request.Tag}'");
            if ((stays || bound.Digest != named) && view.Decision(request.Repository, bound.Digest) is { } decision)
                throw new ApiException("refused", $"'{request.Repository}:{request.Tag}' stays: entry {decision.Seq} of the ledger decided "
                    + $"on '{bound.Digest}' ({decision.Event.Kind}); publish another version, "
                    + "and 'ingot revoke' takes this one out of use");

            freed = new TagReply(request.Repository, request.Tag, bound.Digest);
            return [new LedgerEvent.TagDeleted(request.Repository, request.Tag, bound.Digest, request.Why)];
        }
    }
}
