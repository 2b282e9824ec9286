using Ingot.Corpus;

namespace Ingot.SystemTests.Builds;

/// <summary>Ingot's images of the corpus against what BuildKit made of it, as <c>scripts/compare-with-buildkit --record</c> wrote it down.</summary>
public sealed class CorpusTests(CorpusFixture corpus) : IClassFixture<CorpusFixture>
{
    public static TheoryData<string> Names => [.. CorpusFixture.Cases.Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void ADockerfileComesToWhatBuildKitMadeOfIt(string name)
    {
        Assert.SkipUnless(CorpusFixture.Missing is null, CorpusFixture.Missing ?? "");
        var corpusCase = CorpusFixture.Cases.First(c => c.Name == name);

        var differences = CaseRecord.Compare(corpusCase, CaseRecord.Read(corpusCase), corpus[name]);

        Assert.True(differences.Count == 0, string.Join('\n', differences));
    }
}
