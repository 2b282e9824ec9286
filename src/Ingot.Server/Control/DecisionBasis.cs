using Ingot.Oci.Content;
using Ingot.Server.Ledger;

namespace Ingot.Server.Control;

/// <summary>Everything on the ledger that a decision about a digest rests on, as the entries that last changed it: two that are equal had the same before them.</summary>
/// <param name="Project">The entry that last applied the project.</param>
/// <param name="Keys">The entry that last changed a key.</param>
/// <param name="About">The last entry about the digest: evidence, words of people, decisions, releases.</param>
internal sealed record DecisionBasis(long? Project, long Keys, long? About)
{
    public static DecisionBasis Of(LedgerView view, string project, Digest digest) => new(
        view.Project(project)?.Entry, KeyRing.Of(view).Version, view.Latest(1, filter: new LedgerFilter { Digest = digest }) is [var last] ? last.Seq : null);
}
