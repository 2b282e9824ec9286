using System.Reflection;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Ingot.Oci.Content;
using Ingot.Server.Ledger;
using Ingot.Testing;

namespace Ingot.Server.Tests.Ledger;

public sealed class LedgerEntryTests
{
    /// <summary>Entries are for ever. When this fails, old ledgers no longer verify: change the code, not the file.
    /// A new kind adds its line at the end.</summary>
    [Fact]
    public void EntriesAreWrittenAsTheyAlwaysWere()
    {
        var lines = File.ReadAllLines(Repository.Vector("ledger", "entries.jsonl"));
        var written = SampleEvents.Life(2).Concat(SampleEvents.Later()).Concat(SampleEvents.Named()).Concat(SampleEvents.Latest())
            .Select((value, i) => Encoding.UTF8.GetString(Entry(i, value).ToBytes())).ToArray();

        Assert.Equal(lines, written);
        Assert.All(lines, line => Assert.Equal(line, Encoding.UTF8.GetString(LedgerEntry.Parse(Encoding.UTF8.GetBytes(line)).ToBytes())));
    }

    [Fact]
    public void EveryKindHasANameAndASample()
    {
        var kinds = typeof(LedgerEvent).GetNestedTypes(BindingFlags.Public);
        var samples = SampleEvents.Lives(1).Select(value => value.GetType()).Distinct();

        Assert.Equal(kinds.Select(kind => kind.Name).Order(), samples.Select(kind => kind.Name).Order());
        Assert.Equal(kinds.Length, SampleEvents.Lives(1).Select(value => value.Kind).Distinct().Count());
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("""{"v":1}""")]
    [InlineData("""{"v":2,"seq":0,"time":"2026-01-02T03:04:05.678Z","actor":"a","event":{"kind":"server-started","version":"1"}}""")]
    [InlineData("""{"v":1,"seq":0,"time":"2026-01-02T03:04:05.678Z","actor":"a","event":null}""")]
    [InlineData("""{"v":1,"seq":0,"time":"2026-01-02T03:04:05.678Z","actor":null,"event":{"kind":"server-started","version":"1"}}""")]
    [InlineData("""{"v":1,"seq":0,"time":"2026-01-02T03:04:05.678Z","actor":"a","event":{"kind":"server-started","version":null}}""")]
    [InlineData("""{"v":1,"seq":0,"time":"2026-01-02T03:04:05.678Z","actor":"a","event":{"kind":"server-started"}}""")]
    [InlineData(
        """{"v":1,"seq":0,"time":"2026-01-02T03:04:05.678Z","actor":"a","event":{"kind":"server-started","version":"1","more":1}}""")]
    [InlineData("""{"v":1,"seq":0,"time":"2026-01-02T03:04:05.678Z","actor":"a","event":{"version":"1","kind":"server-started"}}""")]
    [InlineData("""{"v":1,"seq":0,"time":"2026-01-02T03:04:05.678Z","actor":"a","event":{"kind":"unheard-of","version":"1"}}""")]
    [InlineData("""{"v":1,"seq":0,"time":"2026-01-02T03:04:05.678Z","actor":"a","event":{"version":"1"}}""")]
    [InlineData(
        """{"v":1,"seq":0,"time":"2026-01-02T03:04:05.678Z","actor":"a","event":{"kind":"server-started","version":"1"},"more":1}""")]
    [InlineData(
        """{"v":1,"seq":0,"time":"2026-01-02T03:04:05.678Z","actor":"a","actor":"b","event":{"kind":"server-started","version":"1"}}""")]
    [InlineData("""{"v":1,"seq":0,"time":"2026-01-02T03:04:05.678Z","actor":"a","event":{"kind":"server-started","version":"1"}} """)]
    [InlineData("""{"v":1, "seq":0,"time":"2026-01-02T03:04:05.678Z","actor":"a","event":{"kind":"server-started","version":"1"}}""")]
    [InlineData("""{"seq":0,"v":1,"time":"2026-01-02T03:04:05.678Z","actor":"a","event":{"kind":"server-started","version":"1"}}""")]
    [InlineData("""{"v":1,"seq":0.0,"time":"2026-01-02T03:04:05.678Z","actor":"a","event":{"kind":"server-started","version":"1"}}""")]
    [InlineData("""{"v":1,"seq":"0","time":"2026-01-02T03:04:05.678Z","actor":"a","event":{"kind":"server-started","version":"1"}}""")]
    [InlineData("""{"v":1,"seq":0,"time":"2026-01-02T03:04:05Z","actor":"a","event":{"kind":"server-started","version":"1"}}""")]
    [InlineData("""{"v":1,"seq":0,"time":"2026-01-02T04:04:05.678+01:00","actor":"a","event":{"kind":"server-started","version":"1"}}""")]
    [InlineData("""{"v":1,"seq":0,"time":"2026-13-02T03:04:05.678Z","actor":"a","event":{"kind":"server-started","version":"1"}}""")]
    [InlineData("""{"v":1,"seq":0,"time":"2026-02-29T03:04:05.678Z","actor":"a","event":{"kind":"server-started","version":"1"}}""")]
    [InlineData("""{"v":1,"seq":0,"time":"0000-01-02T03:04:05.678Z","actor":"a","event":{"kind":"server-started","version":"1"}}""")]
    [InlineData("""{"v":1,"seq":0,"time":"2026-01-02T24:00:00.000Z","actor":"a","event":{"kind":"server-started","version":"1"}}""")]
    [InlineData("""{"v":1,"seq":0,"time":"2026-01-02T03:04:60.678Z","actor":"a","event":{"kind":"server-started","version":"1"}}""")]
    [InlineData("""{"v":1,"seq":0,"time":"2026-01-02T03:04:05.67aZ","actor":"a","event":{"kind":"server-started","version":"1"}}""")]
    [InlineData("""{"v":1,"seq":0,"time":"2026-01-02 03:04:05.678Z","actor":"a","event":{"kind":"server-started","version":"1"}}""")]
    [InlineData("""{"v":1,"seq":0,"time":"2026-01-02T03:04:05.678z","actor":"a","event":{"kind":"server-started","version":"1"}}""")]
    [InlineData("""{"v":1,"seq":0,"time":"2026-01-02T03:04:05.678Z0","actor":"a","event":{"kind":"server-started","version":"1"}}""")]
    [InlineData("""{"v":1,"seq":0,"time":"٢026-01-02T03:04:05.678Z","actor":"a","event":{"kind":"server-started","version":"1"}}""")]
    [InlineData("""{"v":1,"seq":0,"time":"2026-01-02T03:04:05.678Z","actor":"\u0061","event":{"kind":"server-started","version":"1"}}""")]
    [InlineData(
        """{"v":1,"seq":0,"time":"2026-01-02T03:04:05.678Z","actor":"a","event":{"kind":"tag-bound","repository":"r","tag":"t","digest":"sha256:00"}}""")]
    public void WhatIsNotTheOneFormOfAnEntryIsRefused(string json) =>
        Assert.Throws<FormatException>(() => LedgerEntry.Parse(Encoding.UTF8.GetBytes(json)));

    [Fact]
    public void WhateverTextIsInAnEntryItHasOneForm() =>
        Prop.ForAll(ArbMap.Default.ArbFor<string>(), ArbMap.Default.ArbFor<string>(), (actor, reason) =>
        {
            var bytes = (Entry(0, new LedgerEvent.KeyRetired("k", reason ?? "")) with { Actor = actor ?? "" }).ToBytes();
            return LedgerEntry.Parse(bytes).ToBytes().AsSpan().SequenceEqual(bytes);
        }).Holds();

    [Fact]
    public void TheSmallestEntryIsRead() =>
        Assert.Equal("a", LedgerEntry.Parse(
            """{"v":1,"seq":0,"time":"2026-01-02T03:04:05.678Z","actor":"a","event":{"kind":"server-started","version":"1"}}"""u8).Actor);

    [Fact]
    public void ATimeIsWrittenInUtcToTheMillisecond()
    {
        var time = new DateTimeOffset(2026, 1, 2, 4, 4, 5, 678, TimeSpan.FromHours(1)).AddTicks(9999);
        Assert.Equal("2026-01-02T03:04:05.678Z", (Entry(0, new LedgerEvent.ServerStarted("1")) with { Time = time }).TimeText);
    }

    private static LedgerEntry Entry(long seq, LedgerEvent value) =>
        new(LedgerEntry.CurrentFormat, seq, DateTimeOffset.UnixEpoch.AddMilliseconds(seq), "tester", value);

    [Theory]
    [InlineData("0001-01-01T00:00:00.000Z")]
    [InlineData("9999-12-31T23:59:59.999Z")]
    [InlineData("2024-02-29T12:30:01.070Z")]
    public void TimesAreWrittenAsTheyAreRead(string text)
    {
        var time = Rfc3339Converter.Parse(text);
        Assert.Equal(DateTimeOffset.Parse(text, System.Globalization.CultureInfo.InvariantCulture), time);
        Assert.Equal(text, Rfc3339Converter.Format(time));
        Assert.Equal(text, Rfc3339Converter.Format(time.AddTicks(9999)));
    }
}
