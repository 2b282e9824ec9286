using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;
using Ingot.Server.Api;
using Ingot.Server.Control;
using Ingot.Server.Ledger;
using Ingot.Server.Storage;

namespace Ingot.Server;

/// <summary>The keys of a home whose ledger no server has open. What may not be throws <see cref="KeyException"/>.</summary>
public sealed class HomeKeys : IAsyncDisposable
{
    private readonly LedgerStore _ledger;
    private readonly KeyDesk _desk;

    private HomeKeys(LedgerStore ledger, ServerHome home)
    {
        _ledger = ledger;
        var store = new KeyStore(home.Keys);
        var keys = new KeyBook(ledger, store);
        var projects = new ProjectBook(ledger);
        var candidates = new Candidates(ledger, projects, new EvidenceShelf(ledger, new DirectoryStore(home.Content), keys),
            TimeProvider.System);
        _desk = new KeyDesk(ledger, keys, new PromotionDesk(ledger, projects, candidates), store);
    }

    /// <summary>Opens the ledger, or makes it; throws <see cref="LedgerException"/> while another process has it open.</summary>
    public static async Task<HomeKeys> OpenAsync(ServerHome home, CancellationToken cancellationToken = default) =>
        new(await LedgerStore.OpenAsync(home, TimeProvider.System, cancellationToken), home);

    /// <summary>Every key.</summary>
    public Task<KeysReply> ListAsync(CancellationToken cancellationToken = default) => _desk.ListAsync(cancellationToken);

    /// <summary>Trusts a key.</summary>
    public Task<KeyReply> TrustAsync(KeyTrustRequest request, string by, CancellationToken cancellationToken = default) =>
        _desk.TrustAsync(request, by, cancellationToken);

    /// <summary>Retires a key.</summary>
    public Task<KeyRetirementReply> RetireAsync(KeyRetirementRequest request, string by, CancellationToken cancellationToken = default) =>
        _desk.RetireAsync(request, by, cancellationToken);

    /// <summary>Closes the ledger.</summary>
    public ValueTask DisposeAsync() => _ledger.DisposeAsync();
}
