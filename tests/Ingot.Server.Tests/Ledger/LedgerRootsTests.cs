using Ingot.Server.Ledger;
using static Ingot.Server.Tests.Ledger.SampleEvents;

namespace Ingot.Server.Tests.Ledger;

public sealed class LedgerRootsTests : IDisposable
{
    private readonly TestHome _test = new();

    public void Dispose() => _test.Dispose();

    [Fact]
    public async Task WhatWasPublishedOrRunsIsNamedWhileTheServerHasItOpen()
    {
        Assert.Empty(LedgerRoots.Read(_test.Home));
        await using var ledger = await LedgerStore.OpenAsync(_test.Home, TimeProvider.System);
        await ledger.AppendAsync("tester", [.. Life(1)]);
        Assert.Contains(DigestOf("image 1"), LedgerRoots.Read(_test.Home));
    }

    [Fact]
    public void ALedgerThatCannotBeReadIsNoEmptyOne()
    {
        Directory.CreateDirectory(_test.Home.Root);
        File.WriteAllText(_test.Home.Database,
            "no database at all, but long enough to be one, perhaps, if one does not look too closely at what is written here");
        Assert.Throws<LedgerException>(() => LedgerRoots.Read(_test.Home));
    }
}
