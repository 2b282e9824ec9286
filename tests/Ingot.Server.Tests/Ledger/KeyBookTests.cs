using Ingot.Evidence.Signatures;
using Ingot.Server.Api;
using Ingot.Server.Ledger;

namespace Ingot.Server.Tests.Ledger;

public sealed class KeyBookTests : IAsyncDisposable
{
    private readonly TestHome _home = new();
    private readonly LedgerStore _ledger;
    private readonly KeyStore _store;
    private readonly KeyBook _book;

    public KeyBookTests()
    {
        _ledger = LedgerStore.OpenAsync(_home.Home, TimeProvider.System).GetAwaiter().GetResult();
        _store = new KeyStore(_home.Home.Keys);
        _book = new KeyBook(_ledger, _store);
    }

    public async ValueTask DisposeAsync()
    {
        await _ledger.DisposeAsync();
        _home.Dispose();
    }

    [Fact]
    public async Task TheOwnKeyAndTheLogsAreTakenUpOnceAndHaveAllRoles()
    {
        using var own = await _store.LoadOrCreateAsync();
        await _book.ReadAsync();
        var ring = await _book.ReadAsync();

        Assert.Equal(["log", "evidence"], ring.Keys.Select(k => k.Purpose));
        Assert.Equal((own.Id, "own", true), (ring.Own!.Id, ring.Own.Name, ring.Own.IsOwn));
        Assert.All(new[] { PredicateType.TestResult, PredicateType.Provenance, "https://example.com/later" },
            type => Assert.Null(ring.Objection(own.Id, type)));
        Assert.Equal(2, _ledger.Size);
    }

    [Fact]
    public async Task AKeySpeaksInItsRoleAndInNoOther()
    {
        using var key = SigningKey.Create();
        await _book.TrustAsync("ci", key.PublicKey.ToPem(), ["tester"], "root");

        var ring = await _book.ReadAsync();
        Assert.Null(ring.Objection(key.Id, PredicateType.TestResult));
        Assert.Contains("may not issue", ring.Objection(key.Id, PredicateType.Provenance), StringComparison.Ordinal);
        var trusted = Assert.Single(ring.Trusted);
        Assert.True(trusted.MayIssue(PredicateType.TestResult));
        Assert.False(trusted.MayIssue(PredicateType.Provenance));
    }

    [Fact]
    public async Task TheSameAgainIsNoNewEntryAndOtherRolesAre()
    {
        using var key = SigningKey.Create();
        await _book.TrustAsync("ci", key.PublicKey.ToPem(), ["tester"], "root");
        long size = _ledger.Size;
        await _book.TrustAsync("ci", key.PublicKey.ToPem(), ["tester"], "root");
        Assert.Equal(size, _ledger.Size);

        await _book.TrustAsync("ci", key.PublicKey.ToPem(), ["scanner"], "root");
        Assert.Equal(size + 1, _ledger.Size);
        Assert.Contains("may not issue", (await _book.ReadAsync()).Objection(key.Id, PredicateType.TestResult), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AKeyHasOneName()
    {
        using var key = SigningKey.Create();
        await _book.TrustAsync("ci", key.PublicKey.ToPem(), ["tester"], "root");
        await RefusedAsync("is trusted as 'ci'", () => _book.TrustAsync("another", key.PublicKey.ToPem(), ["builder"], "root"));
        Assert.Contains("may not issue", (await _book.ReadAsync()).Objection(key.Id, PredicateType.Provenance), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ANameHasOneKeyUntilThatIsRetired()
    {
        using var first = SigningKey.Create();
        using var second = SigningKey.Create();
        await _book.TrustAsync("ci", first.PublicKey.ToPem(), ["tester"], "root");
        await RefusedAsync("retire that first", () => _book.TrustAsync("ci", second.PublicKey.ToPem(), ["tester"], "root"));

        await _book.RetireAsync("ci", "the machine is gone", "root");
        await _book.TrustAsync("ci", second.PublicKey.ToPem(), ["tester"], "root");
        var ring = await _book.ReadAsync();
        Assert.Equal(second.Id, ring.Find("ci")!.Id);
        Assert.NotNull(ring.Objection(first.Id, PredicateType.TestResult));
    }

    [Theory]
    [InlineData("ci")]
    [InlineData("another")]
    public async Task ARetiredKeyIsNotTrustedAgainUnderAnyName(string name)
    {
        using var key = SigningKey.Create();
        await _book.TrustAsync("ci", key.PublicKey.ToPem(), ["tester"], "root");
        await _book.RetireAsync(key.Id, "it was stolen", "root");

        await RefusedAsync("it was stolen", () => _book.TrustAsync(name, key.PublicKey.ToPem(), ["tester"], "root"));
        var objection = (await _book.ReadAsync()).Objection(key.Id, PredicateType.TestResult);
        Assert.Contains("was retired by root: it was stolen", objection, StringComparison.Ordinal);
        Assert.All((await _book.ReadAsync()).Trusted, trusted => Assert.False(trusted.MayIssue(PredicateType.TestResult)));
    }

    [Fact]
    public async Task AnEntryThatTrustsARetiredKeyAgainChangesNothing()
    {
        using var key = SigningKey.Create();
        await _book.TrustAsync("ci", key.PublicKey.ToPem(), ["tester"], "root");
        await _book.RetireAsync("ci", "it was stolen", "root");
        await _ledger.AppendAsync("mallory", new LedgerEvent.KeyTrusted(key.Id, KeyRing.EvidencePurpose, key.PublicKey.ToPem(), "ci"));
        Assert.NotNull((await _book.ReadAsync()).Objection(key.Id, PredicateType.TestResult));
    }

    [Fact]
    public async Task ARetiredOwnKeyIsSetAsideAndTheNextOneIsTakenUp()
    {
        using var old = await _store.LoadOrCreateAsync();
        await _book.RetireAsync("own", "rotated", "root");
        using var made = await _store.LoadOrCreateAsync();

        var ring = await _book.ReadAsync();
        Assert.NotEqual(old.Id, made.Id);
        Assert.Equal(made.Id, ring.Own!.Id);
        Assert.NotNull(ring.Objection(old.Id, PredicateType.TestResult));
        Assert.Null(ring.Objection(made.Id, PredicateType.TestResult));
    }

    [Fact]
    public async Task APublicKeyThatSomebodyPutInPlaceOfTheOwnIsNotBelievedAndIsNamed()
    {
        using var own = await _store.LoadOrCreateAsync();
        await _book.TakeUpAsync();
        using var dropped = SigningKey.Create();
        await File.WriteAllTextAsync(_store.PublicKeyPath, dropped.PublicKey.ToPem());

        var ring = await _book.ReadAsync();
        Assert.Equal(own.Id, ring.Own!.Id);
        Assert.Contains("is not trusted", ring.Objection(dropped.Id, PredicateType.TestResult), StringComparison.Ordinal);
        Assert.Equal(own.Id, Assert.Single(await KeyRing.TrustedAsync(_home.Home, _store)).Key.Id);
        Assert.Contains(await KeyReports.NotesAsync(ring, _store, default),
            note => note.Contains(dropped.Id[..12], StringComparison.Ordinal) && note.Contains("not trusted", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AFileThatEarlierVersionsBelievedIsNotBelievedAndTheCureIsSaid()
    {
        using var dropped = SigningKey.Create();
        Directory.CreateDirectory(_store.TrustedDirectory);
        string path = Path.Combine(_store.TrustedDirectory, "mallory.pub");
        await File.WriteAllTextAsync(path, dropped.PublicKey.ToPem());

        var ring = await _book.ReadAsync();
        Assert.Empty(ring.Trusted);
        Assert.Contains($"'ingot keys trust mallory {path} --role ROLE'", Assert.Single(await KeyReports.NotesAsync(ring, _store, default)),
            StringComparison.Ordinal);
        Assert.DoesNotContain(await KeyRing.TrustedAsync(_home.Home, _store), trusted => trusted.Key.Id == dropped.Id);
    }

    [Theory]
    [InlineData("own", "the name of the home's own key")]
    [InlineData("", "is not a name")]
    [InlineData(".hidden", "is not a name")]
    [InlineData("a/b", "is not a name")]
    [InlineData("a\nb", "invisible")]
    [InlineData("a b", "is not a name")]
    public Task ANameThatCouldMislead(string name, string reason)
    {
        using var key = SigningKey.Create();
        string pem = key.PublicKey.ToPem();
        return RefusedAsync(reason, () => _book.TrustAsync(name, pem, ["tester"], "root"));
    }

    [Fact]
    public async Task TheHomesOwnKeyIsNotTrustedUnderAnotherName()
    {
        using var own = await _store.LoadOrCreateAsync();
        await RefusedAsync("is this home's own", () => _book.TrustAsync("friend", own.PublicKey.ToPem(), ["tester"], "root"));
    }

    [Fact]
    public async Task TheKeyOfTheLogCannotBeRetired()
    {
        var log = (await _book.ReadAsync()).Keys.Single(k => k.Purpose == KeyRing.LogPurpose);
        await RefusedAsync("cannot be retired", () => _book.RetireAsync(log.Id, "why not", "root"));
    }

    [Theory]
    [InlineData("nobody", "because")]
    [InlineData("ci", "")]
    [InlineData("ci", "  ")]
    [InlineData("ci", "left\u001b[2J")]
    [InlineData("ci", "left\nroot approved it")]
    [InlineData("ci\u001b[2J", "left")]
    public async Task AKeyIsRetiredByNameAndWithAReason(string key, string why)
    {
        using var ci = SigningKey.Create();
        await _book.TrustAsync("ci", ci.PublicKey.ToPem(), ["tester"], "root");
        var failure = await Assert.ThrowsAsync<KeyException>(() => _book.RetireAsync(key, why, "root"));
        Assert.DoesNotContain(failure.Message, char.IsControl);
        Assert.Null((await _book.ReadAsync()).Objection(ci.Id, PredicateType.TestResult));
    }

    [Fact]
    public async Task ARoleOfCharactersThatCannotBeSeenIsRefusedVisibly()
    {
        using var key = SigningKey.Create();
        var failure =
            await Assert.ThrowsAsync<KeyException>(() => _book.TrustAsync("ci", key.PublicKey.ToPem(), ["tester", "x\u001b[2J"], "root"));
        Assert.DoesNotContain(failure.Message, char.IsControl);
    }

    [Fact]
    public async Task WhatIsNoKeyIsNotTrusted()
    {
        await Assert.ThrowsAsync<KeyException>(() => _book.TrustAsync("ci", "no key", ["tester"], "root"));
        await _ledger.AppendAsync("root", new LedgerEvent.KeyTrusted("x", KeyRing.EvidencePurpose, "no key", "x"));
        Assert.Empty((await _book.ReadAsync()).Trusted);
    }

    [Fact]
    public async Task ManyAtOnceTakeTheOwnKeyUpOnce()
    {
        (await _store.LoadOrCreateAsync()).Dispose();
        await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => _book.TakeUpAsync()));
        Assert.Equal(2, _ledger.Size);
    }

    [Fact]
    public async Task KeysEarlierVersionsRecordedAreStillRead()
    {
        await _ledger.AppendAsync("root", new LedgerEvent.KeyTrusted("t1", "sign", "another"));
        var key = Assert.Single((await _book.ReadAsync()).Keys, k => k.Id == "t1");
        Assert.Equal(("t1", "sign"), (key.Name, key.Purpose));
    }

    private static async Task RefusedAsync(string reason, Func<Task> act) =>
        Assert.Contains(reason, (await Assert.ThrowsAsync<KeyException>(act)).Message, StringComparison.Ordinal);
}
