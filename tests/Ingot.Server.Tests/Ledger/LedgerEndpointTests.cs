using System.Net;
using Ingot.Server.Ledger;
using Ingot.Transparency;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Ingot.Server.Tests.Ledger;

public sealed class LedgerEndpointTests : IAsyncLifetime
{
    private readonly TestHome _test = new();
    private LedgerStore _ledger = null!;
    private WebApplication _app = null!;
    private HttpClient _http = null!;

    public async ValueTask InitializeAsync()
    {
        _ledger = await LedgerStore.OpenAsync(_test.Home, TimeProvider.System);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _app = builder.Build();
        _app.MapLedger("/log", _ledger);
        await _app.StartAsync();
        _http = new HttpClient { BaseAddress = new Uri(_app.Urls.First()) };
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _app.DisposeAsync();
        await _ledger.DisposeAsync();
        _test.Dispose();
    }

    /// <summary>All that a monitor does, over HTTP alone.</summary>
    [Fact]
    public async Task AMonitorRecomputesTheRootFromWhatIsServed()
    {
        await _ledger.AppendAsync("tester", [.. SampleEvents.Lives(10)]);
        using var key = NoteVerifier.Parse(_ledger.Verifier.ToString());
        var checkpoint = Checkpoint.ParseSigned(await _http.GetStringAsync("/log/checkpoint"), key);
        var tree = CompactTree.Empty;
        for (long start = 0; start < checkpoint.Size; start += Tile.FullWidth)
        {
            var tile = new Tile(Tile.Entries, start / Tile.FullWidth, (int)Math.Min(Tile.FullWidth, checkpoint.Size - start));
            foreach (var entry in Tile.ReadEntries(await _http.GetByteArrayAsync($"/log/{tile.Path}")))
                tree = tree.Append(MerkleTree.HashLeaf(entry));
        }

        Assert.Equal(checkpoint.Root, tree.Root);
        Assert.Equal(32, (await _http.GetByteArrayAsync("/log/tile/1/000.p/1")).Length);
    }

    [Fact]
    public async Task WhatIsServedSaysHowLongItHolds()
    {
        await _ledger.AppendAsync("tester", [.. SampleEvents.Life(1)]);
        var tile = await _http.GetAsync("/log/tile/0/000.p/30");
        Assert.Contains("immutable", tile.Headers.CacheControl!.ToString(), StringComparison.Ordinal);
        // It takes a token: no cache that is shared may keep it.
        Assert.True(tile.Headers.CacheControl.Private);
        Assert.Equal("application/octet-stream", tile.Content.Headers.ContentType!.ToString());
        Assert.True((await _http.GetAsync("/log/checkpoint")).Headers.CacheControl!.NoCache);
    }

    [Theory]
    [InlineData("/log/checkpoint")]
    [InlineData("/log/tile/0/000")]
    [InlineData("/log/tile/0/000.p/1")]
    [InlineData("/log/tile/entries/000.p/1")]
    [InlineData("/log/tile/")]
    [InlineData("/log/tile/0/..%2f..%2fledger.db")]
    [InlineData("/log/tile/0/x999/x999/x999/x999/x999/x999/999")]
    public async Task WhatAnEmptyLedgerLacksIsNotFound(string path) =>
        Assert.Equal(HttpStatusCode.NotFound, (await _http.GetAsync(path)).StatusCode);
}
