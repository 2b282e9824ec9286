using Ingot.Evidence.Signatures;
using Ingot.Server.Api;
using Ingot.Server.Ledger;

namespace Ingot.Server.Control;

/// <summary>Says which keys are trusted, takes new ones in and retires them; what rested on a retired one is decided anew.</summary>
internal sealed class KeyDesk(LedgerStore ledger, KeyBook keys, PromotionDesk promotions, KeyStore store)
{
    public async Task<KeysReply> ListAsync(CancellationToken cancellationToken) =>
        KeyReports.Of(await keys.ReadAsync(cancellationToken), await NotesAsync(cancellationToken));

    public async Task<KeyReply> TrustAsync(KeyTrustRequest request, string by, CancellationToken cancellationToken) =>
        KeyReports.Of(await keys.TrustAsync(request.Name, request.PublicKey, request.Roles, by, cancellationToken));

    public async Task<KeyRetirementReply> RetireAsync(KeyRetirementRequest request, string by, CancellationToken cancellationToken)
    {
        var retired = await keys.RetireAsync(request.Key, request.Why, by, cancellationToken);
        var resting = ledger.Read(view => Resting(view, retired.Id));
        foreach (var admission in resting)
            await ReconsiderAsync(admission, by, cancellationToken);
        var fallen = ledger.Read(view => resting.Where(a => Standing.Objection(view, Door.Serve, At(a)) is not null).ToList());
        return new KeyRetirementReply(KeyReports.Of(retired), [.. fallen.Select(a => $"{a.Project}/{a.Image}@{a.Digest} in {a.Stage}")]);
    }

    private async Task ReconsiderAsync(PromotionRow admission, string by, CancellationToken cancellationToken)
    {
        try
        {
            await promotions.ReconsiderAsync(admission, by, cancellationToken);
        }
        catch (ApiException)
        {
            // It could not be read in peace, or its project not at all: the key is retired all the same, and what fell stays fallen.
        }
    }

    private Task<IReadOnlyList<string>> NotesAsync(CancellationToken cancellationToken) =>
        KeyReports.NotesAsync(ledger.Read(KeyRing.Of), store, cancellationToken);

    /// <summary>The admissions that may rest on a key's word, by stage as the projects have them,
    /// so that one is decided before those that rest on it.</summary>
    private static List<PromotionRow> Resting(LedgerView view, string key) =>
        [.. view.Projects().SelectMany(p => view.Promotions(p.Project))
            .Where(p => p.Admitted && Standing.Objection(view, Door.Serve, At(p)) is { Kind: ObjectionKind.Lapsed }).OrderBy(p => p.Entry)];

    private static Standpoint At(PromotionRow admission) => new(admission.Project, admission.Image, admission.Stage, admission.Digest);
}
