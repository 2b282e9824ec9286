using Ingot.Corpus;
using Ingot.Testing;

namespace Ingot.SystemTests.Builds;

/// <summary>Ingot's images of the corpus against what BuildKit made of it,
/// as <c>scripts/compare-with-buildkit --record</c> wrote it down.</summary>
public sealed class CorpusTests(CorpusFixture corpus) : IClassFixture<CorpusFixture>
{
    public static TheoryData<string> Names => [.. CorpusFixture.Cases.Select(c => c.Name)];

    [Fact]
    public void ADifferenceOnPurposeIsDocumented()
    {
        string document = Unwrapped(File.ReadAllText(Path.Combine(Repository.Root, "docs", "dockerfile.md")));

        Assert.Empty(CorpusFixture.Cases
            .Where(c => c.Different is { } reason && !document.Contains(Unwrapped(reason), StringComparison.Ordinal))
            .Select(c => $"{c.Name}: {c.Different}"));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void ADockerfileComesToWhatBuildKitMadeOfIt(string name)
    {
        Assert.SkipUnless(CorpusFixture.Missing is null, CorpusFixture.Missing ?? "");
        var corpusCase = CorpusFixture.Cases.First(c => c.Name == name);

        var result = corpus.Find(name);
        Assert.SkipWhen(result is null, "Debian cannot be bootstrapped: there is no network");

        var differences = CaseRecord.Compare(corpusCase, CaseRecord.Read(corpusCase), result!);

        Assert.True(differences.Count == 0, string.Join('\n', differences));
    }

    // scripts/compare-checkouts does this with the base of Debian and the examples too.
    [Fact]
    public async Task ASecondCheckoutElsewhereUnderAnotherUmaskGivesTheSameDigests()
    {
        Assert.SkipUnless(CorpusFixture.Missing is null, CorpusFixture.Missing ?? "");
        var second = await corpus.SecondCheckout;

        Assert.Equal(CorpusFixture.Cases.Where(c => !c.NeedsDebian).Select(c => $"{c.Name}: {corpus.Find(c.Name)!.Identity}"),
            second.Select(s => $"{s.Key}: {s.Value}"));
    }

    private static string Unwrapped(string text) => text.Replace("`", "", StringComparison.Ordinal);
}
