using Ingot.Server.Ledger;
using static Ingot.Server.Ledger.LedgerEvent;
using static Ingot.Server.Tests.Ledger.SampleEvents;

namespace Ingot.Server.Tests.Ledger;

/// <summary>An append that fails, at every point where it can: all of it is in or nothing, the answer says which,
/// and the ledger goes on.</summary>
public sealed class AppendFailureTests : IAsyncLifetime
{
    private readonly TestHome _test = new();
    private LedgerStore _ledger = null!;

    public async ValueTask InitializeAsync()
    {
        _ledger = await LedgerStore.OpenAsync(_test.Home, TimeProvider.System);
        await _ledger.AppendAsync("x", [.. Life(1)]);
    }

    public async ValueTask DisposeAsync()
    {
        await _ledger.DisposeAsync();
        _test.Dispose();
    }

    /// <summary>SQLite is interrupted after its first steps, after a few more, and so on, until the append goes through.</summary>
    [Fact]
    public async Task AnAppendInterruptedAnywhereIsWholeOrNotThere()
    {
        int failures = 0;
        for (int steps = 1; ; steps += 1 + (steps / 24))
        {
            long before = _ledger.Size;
            int left = steps;
            SQLitePCL.raw.sqlite3_progress_handler(Handle, 1, _ => --left < 0 ? 1 : 0, null);
            bool isIn = await TryAsync(steps);
            SQLitePCL.raw.sqlite3_progress_handler(Handle, 0, null, null);

            await ExpectWholeAsync(before, isIn);
            if (isIn && left >= 0)
                break;
            failures += isIn ? 0 : 1;
        }

        Assert.True(failures > 50, $"only {failures} points were tried");
        Assert.Empty((await LedgerVerifier.VerifyAsync(_test.Home)).Problems);
    }

    [Fact]
    public async Task ADatabaseThatMayNotGrowTakesNothingOfAnAppend()
    {
        int failures = 0;
        for (int room = 0; room < 60; room++)
        {
            long before = _ledger.Size;
            LimitPages(Pages() + room);
            bool isIn = await TryAsync(room + 100_000, size: 90_000);
            LimitPages(int.MaxValue);

            await ExpectWholeAsync(before, isIn);
            failures += isIn ? 0 : 1;
        }

        Assert.InRange(failures, 5, 59);
        Assert.Empty((await LedgerVerifier.VerifyAsync(_test.Home)).Problems);
    }

    [Fact]
    public async Task ALockThatSomebodyHoldsFailsTheAppendAndNotTheNext()
    {
        long before = _ledger.Size;
        SQLitePCL.raw.sqlite3_busy_timeout(Handle, 50);
        using (var other = Ingot.Server.Storage.SqliteDatabase.OpenWriter(_test.Home.Database))
        {
            other.Execute("BEGIN IMMEDIATE");
            Assert.False(await TryAsync(1));
            other.Execute("ROLLBACK");
        }

        await ExpectWholeAsync(before, isIn: false);
    }

    [Fact]
    public async Task OfManyAtOnceEachIsToldWhatBecameOfIt()
    {
        int left = 400;
        long before = _ledger.Size;
        SQLitePCL.raw.sqlite3_progress_handler(Handle, 1, _ => Interlocked.Decrement(ref left) is < 0 and > -3 ? 1 : 0, null);
        bool[] isIn = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => TryAsync(i + 200_000)));
        SQLitePCL.raw.sqlite3_progress_handler(Handle, 0, null, null);

        Assert.Contains(false, isIn);
        Assert.Equal(before + (isIn.Count(one => one) * 3), _ledger.Size);
        Assert.Empty((await LedgerVerifier.VerifyAsync(_test.Home)).Problems);
    }

    [Fact]
    public async Task ATokenCountsBeforeTheTransactionAndNotInIt()
    {
        using var source = new CancellationTokenSource();
        var entries = await _ledger.AppendAsync("x", _ =>
        {
            source.Cancel();
            return [new ServerStarted("1"), new ServerStarted("2")];
        }, source.Token);

        Assert.Equal(2, entries.Count);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _ledger.AppendAsync("x", new ServerStarted("3"), source.Token));
    }

    [Fact]
    public async Task AClockThatGoesBackIsWrittenAsItIs()
    {
        await _ledger.DisposeAsync();
        var time = new SettableTime { Now = DateTimeOffset.UnixEpoch.AddYears(60) };
        _ledger = await LedgerStore.OpenAsync(_test.Home, time);
        var first = await _ledger.AppendAsync("x", new ServerStarted("1"));
        time.Now -= TimeSpan.FromDays(365);
        var second = await _ledger.AppendAsync("x", new ServerStarted("2"));

        Assert.Equal(first.Seq + 1, second.Seq);
        Assert.True(second.Time < first.Time);
        Assert.Equal([second.Seq, first.Seq], _ledger.Read(view => view.Latest(2)).Select(entry => entry.Seq));
        Assert.Empty((await LedgerVerifier.VerifyAsync(_test.Home)).Problems);
    }

    private async Task<bool> TryAsync(int n, int size = 9000)
    {
        try
        {
            var entries = await _ledger.AppendAsync("x", [
                new ImagePublished("shop/web1", DigestOf($"i {n}"), "application/vnd.oci.image.manifest.v1+json", 1),
                new TagBound("shop/web1", $"v{n}", DigestOf($"i {n}")),
                new ProjectApplied("shop", DigestOf($"p {n}"), new string('x', size) + n)]);
            return entries.Count == 3;
        }
        catch (LedgerException)
        {
            return false;
        }
    }

    /// <summary>The tree in memory is that of the disk, what was said is so, and the next append goes in.</summary>
    private async Task ExpectWholeAsync(long before, bool isIn)
    {
        Assert.Equal(before + (isIn ? 3 : 0), _ledger.Size);
        Assert.Equal(_ledger.Size, _ledger.Read(view => view.Size));
        var next = await _ledger.AppendAsync("x", new ServerStarted("again"));
        Assert.Equal(before + (isIn ? 3 : 0), next.Seq);
        var checkpoint = Transparency.Checkpoint.ParseSigned(_ledger.Checkpoint()!, _ledger.Verifier);
        Assert.Equal(checkpoint.Root, _ledger.Read(view => view.RootAt(checkpoint.Size)));
        Assert.Equal(_ledger.Size, checkpoint.Size);
    }

    private int Pages()
    {
        using var db = Ingot.Server.Storage.SqliteDatabase.OpenReader(_test.Home.Database);
        return (int)db.Number("PRAGMA page_count");
    }

    private SQLitePCL.sqlite3? Handle => ((Ingot.Server.Storage.SqliteDatabase)_ledger.Database).Handle;

    private void LimitPages(int pages) => SQLitePCL.raw.sqlite3_exec(Handle, $"PRAGMA max_page_count = {pages}");

    private sealed class SettableTime : TimeProvider
    {
        public DateTimeOffset Now { get; set; }

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
