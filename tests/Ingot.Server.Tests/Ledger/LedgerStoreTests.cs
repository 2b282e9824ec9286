using System.Text;
using System.Text.Json;
using Ingot.Oci.Content;
using Ingot.Server.Ledger;
using Ingot.Transparency;
using static Ingot.Server.Ledger.LedgerEvent;

namespace Ingot.Server.Tests.Ledger;

public sealed class LedgerStoreTests : IAsyncLifetime
{
    private static readonly Digest s_digest = Digest.Of("an image"u8);
    private readonly TestHome _test = new();
    private LedgerStore _ledger = null!;

    public async ValueTask InitializeAsync() => _ledger = await LedgerStore.OpenAsync(_test.Home, TimeProvider.System);

    public async ValueTask DisposeAsync()
    {
        await _ledger.DisposeAsync();
        _test.Dispose();
    }

    [Fact]
    public async Task AnEntryIsFoundInTheTablesAsSoonAsItIsAcknowledged()
    {
        await Publish("shop/web", s_digest);
        var entry = await _ledger.AppendAsync("alice", new TagBound("shop/web", "1.0", s_digest));

        Assert.Equal(1, entry.Seq);
        Assert.Equal(s_digest, _ledger.Read(view => view.Tag("shop/web", "1.0"))?.Digest);
    }

    private Task<LedgerEntry> Publish(string repository, Digest digest) =>
        _ledger.AppendAsync("ci", new ImagePublished(repository, digest, MediaType.Manifest, 7, null));
}
