using Ingot.Builds;
using Ingot.Builds.Cache;
using Ingot.Builds.Files;
using Ingot.Oci.Content;
using Ingot.Oci.Tar;
using Ingot.Plans;

namespace Ingot.Tests.Builds.Cache;

public sealed class StepExplainerTests : IDisposable
{
    private static readonly DateTimeOffset s_then = new(2026, 5, 4, 3, 2, 1, TimeSpan.Zero);

    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-explain-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static StepKey Key(params (string Name, string Value)[] parts) =>
        StepKey.Of([.. parts.Select(p => new KeyPart(p.Name, p.Value))]);

    private static StepOrigin Origin(string text, int number = 1, string below = "image debian", string project = "shop") =>
        new() { Place = $"{project}\nweb\n{number}", Text = text, Base = below, Made = s_then };

    private static StepResult Result(Digest? copied = null) => new() { DiffId = Digest.Of("layer"u8), Copied = copied };

    private void Made(StepKey key, StepOrigin origin, StepResult? result = null) =>
        new StepCache(_directory).Add(key, origin.Place, result ?? Result(), origin);

    private StepExplanation Explain(StepKey key, StepOrigin origin, StepResult? result = null, params string[] others)
    {
        var explainer = new StepExplainer(new StepCache(_directory), new CopiedFiles(_directory));
        return explainer.Miss(key, origin, explainer.Nearest(key, origin, others.ToHashSet()), result ?? Result());
    }

    private Digest Copy(params (string Path, string Content)[] files) => new CopiedFiles(_directory).Keep(new SourceSelection(
    [
        new SelectedSource("",
            [.. files.Select(f => new SelectedFile(new TarEntry { Path = f.Path, Type = TarEntryType.File, ModifiedTime = Tree.Epoch },
                Digest.Of(System.Text.Encoding.UTF8.GetBytes(f.Content)), new FileOrigin(0, f.Path)))]),
    ]))!.Value;

    private static string[] Inputs(StepExplanation explanation) =>
        [.. explanation.Changes.Select(c => $"{c.Input} {c.Name}: {c.Before} -> {c.After}")];

    [Fact]
    public void TheFirstRunHasNothingToCompareWith()
    {
        var explanation = Explain(Key(("run", "")), Origin("RUN make"));
        Assert.False(explanation.IsHit);
        Assert.Empty(explanation.Changes);
        Assert.Equal("no earlier run of it is known", explanation.Remark);
    }

    [Fact]
    public void EveryKindOfInputIsNamed()
    {
        Made(
            Key(("run", ""), ("argument", "make"), ("variable", "A=1"), ("variable", "B=1"), ("mount", "cache /c"),
                ("rule", "logs@1"), ("epoch", "1")),
            Origin("RUN make"));
        var explanation = Explain(
            Key(("run", ""), ("argument", "make all"), ("variable", "A=2"), ("variable", "C=3"), ("mount", "cache /d"), ("rule", "logs@2"),
                ("rule", "times@1"), ("epoch", "2")),
            Origin("RUN make"));
        Assert.Equal(
            ["argument : make -> make all", "variable A: 1 -> 2", "variable C:  -> 3", "mount : cache /c -> cache /d", "rule logs: 1 -> 2",
                "rule times:  -> 1", "epoch : 1 -> 2", "variable B: 1 -> "],
            Inputs(explanation));
        Assert.Equal((s_then, "its last run"), (explanation.Made, explanation.Against));
    }

    [Fact]
    public void ChangedFilesStandInPlaceOfTheContentAndTheRestIsCounted()
    {
        Made(Key(("copy", "context"), ("content", "x")), Origin("COPY . /"),
            Result(Copy([.. Enumerable.Range(10, 15).Select(i => ($"f{i}", "old"))])));
        var explanation = Explain(Key(("copy", "context"), ("content", "y")), Origin("COPY . /"),
            Result(Copy([.. Enumerable.Range(11, 15).Select(i => ($"f{i}", "new"))])));
        Assert.Equal((10, 6), (explanation.Changes.Count, explanation.MoreChanges));
        Assert.All(explanation.Changes, c => Assert.Equal("file", c.Input));
        Assert.Equal(("f10", null), (explanation.Changes[0].Name, explanation.Changes[0].After));
        Assert.StartsWith(Digest.Of("old"u8).ToString(), explanation.Changes[1].Before);
        Assert.StartsWith(Digest.Of("new"u8).ToString(), explanation.Changes[1].After);
    }

    [Fact]
    public void WithoutTheFilesTheContentIsNamed()
    {
        Made(Key(("copy", "context"), ("content", "x")), Origin("COPY . /"), Result(Digest.Of("gone"u8)));
        Assert.Equal(["content : x -> y"],
            Inputs(Explain(Key(("copy", "context"), ("content", "y")), Origin("COPY . /"), Result(Copy(("a", "1"))))));
    }

    [Fact]
    public void AnotherBaseIsSomethingElseThanAnotherStepBefore()
    {
        Made(Key(("run", ""), ("parent", "p1")), Origin("RUN make"));
        Assert.Equal(["below : p1 -> p2"], Inputs(Explain(Key(("run", ""), ("parent", "p2")), Origin("RUN make"))));
        Assert.Equal(["base : image debian -> image debian:13"],
            Inputs(Explain(Key(("run", ""), ("parent", "p2")), Origin("RUN make", below: "image debian:13"))));
    }

    [Fact]
    public void AStepThatMovedIsFoundByItsInstruction()
    {
        Made(Key(("run", ""), ("argument", "a"), ("parent", "p0")), Origin("RUN a", 1));
        Made(Key(("run", ""), ("argument", "b"), ("parent", "p1")), Origin("RUN b", 2));
        // A step was inserted before: what stood here is now the next one.
        var inserted = Explain(Key(("run", ""), ("argument", "new"), ("parent", "p1")), Origin("RUN new", 2), null, "RUN a", "RUN b");
        Assert.Equal("no earlier run of it is known", inserted.Remark);
        var moved = Explain(Key(("run", ""), ("argument", "b"), ("parent", "p9")), Origin("RUN b", 3), null, "RUN a", "RUN new");
        Assert.Equal("its run as step 2 of 'web'", moved.Against);
        Assert.Equal(["below : p1 -> p9"], Inputs(moved));
    }

    [Fact]
    public void AStepThatWasEditedIsComparedWithWhatStoodThere()
    {
        Made(Key(("run", ""), ("argument", "make"), ("user", ""), ("directory", "/")), Origin("RUN make", 1));
        var edited = Explain(Key(("run", ""), ("argument", "make all"), ("user", ""), ("directory", "/")), Origin("RUN make all", 1));
        Assert.Equal(("what was here: RUN make", "argument : make -> make all"), (edited.Against, Inputs(edited).Single()));
    }

    [Fact]
    public void OtherProjectsAreNotCompared()
    {
        Made(Key(("run", ""), ("argument", "make")), Origin("RUN make", project: "other"));
        Assert.Empty(Explain(Key(("run", ""), ("argument", "make all")), Origin("RUN make")).Changes);
    }

    [Fact]
    public void AStepThatIsMadeAgainSaysWhyBeforeItIs()
    {
        string[] Reasons(StepKey key, StepOrigin origin) =>
            [.. new StepExplainer(new StepCache(_directory), new CopiedFiles(_directory)).Reasons(key, origin)];
        var key = Key(("run", ""), ("variable", "A=1"), ("variable", "B=1"), ("user", ""), ("parent", "p1"));
        Assert.Empty(Reasons(key, Origin("RUN make")));
        Made(key, Origin("RUN make"));
        Assert.Equal(
            ["variable A was '1' and is '2'", "user was '' and is 'web'", "variable B is gone: '1'"],
            Reasons(Key(("run", ""), ("variable", "A=2"), ("user", "web"), ("parent", "p2")), Origin("RUN make")));
        Assert.Equal(["the order of what it reads has changed"],
            Reasons(StepKey.Of([.. key.Parts.Reverse().OrderBy(p => p.Name != "run")]), Origin("RUN make")));
        Assert.Equal(["nothing that it reads has changed: its result is gone from the cache"], Reasons(key, Origin("RUN make")));
        Assert.Equal(["a step of another kind was here: 'run'"], Reasons(Key(("copy", "context")), Origin("COPY . /")));
        Assert.Empty(Reasons(key, Origin("RUN make", 2)));
    }

    [Fact]
    public void AResultThatIsGoneIsSaid()
    {
        Made(Key(("run", "")), Origin("RUN make"));
        Assert.Contains("gone from the cache", Explain(Key(("run", "")), Origin("RUN make")).Remark, StringComparison.Ordinal);
    }

    [Fact]
    public void FilesThatAreOnlyDatedAnewAreNotNamedBesideTheEpoch()
    {
        var copied = new CopiedFiles(_directory);
        Digest At(int seconds) => copied.Keep(new SourceSelection([new SelectedSource("", [new SelectedFile(
            new TarEntry { Path = "a", Type = TarEntryType.File, ModifiedTime = DateTimeOffset.FromUnixTimeSeconds(seconds) },
            Digest.Of("1"u8),
            new FileOrigin(0, "a"))])]))!.Value;
        Made(Key(("copy", "context"), ("content", "x"), ("epoch", "1")), Origin("COPY . /"), Result(At(1)));
        Assert.Equal(["epoch : 1 -> 2"],
            Inputs(Explain(Key(("copy", "context"), ("content", "y"), ("epoch", "2")), Origin("COPY . /"), Result(At(2)))));
    }
}
