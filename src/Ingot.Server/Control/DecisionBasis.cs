using Ingot.Oci.Content;
using Ingot.Server.Ledger;

namespace Ingot.Server.Control;

/// <summary>Everything on the ledger that a decision about a digest rests on, as the entries that last changed it: two that are equal had
/// the same before them.</summary>
/// <param name="Project">The entry that last applied the project.</param>
/// <param name="Keys">The entry that last changed a key.</param>
/// <param name="Evidence">The entry that last attached something to the digest in its repository.</param>
/// <param name="Said">The last entry of what people said and what was decided about the digest.</param>
internal sealed record DecisionBasis(long? Project, long Keys, long? Evidence, long? Said)
{
    // Not its tags, nor what is attached to it elsewhere: whoever may push could change these without end,
    // and no decision would ever be done.
    private static readonly string[] s_words = ["approved", "rejected", "revoked", "promotion-decided"];

    public static DecisionBasis Of(LedgerView view, string project, string image, Digest digest) => new(
        view.Project(project)?.Entry, KeyRing.Of(view).Version,
        view.Referrers($"{project}/{image}", digest) is [.., var last] ? last.Entry : null,
        s_words
            .Max(kind => view.Latest(1, filter: new LedgerFilter { Digest = digest, Kind = kind }) is [var word] ? word.Seq : (long?)null));
}
