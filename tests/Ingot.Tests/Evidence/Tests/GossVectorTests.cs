using System.Globalization;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Ingot.Diagnostics;
using Ingot.Evidence.Tests;
using Ingot.Testing;

namespace Ingot.Tests.Evidence.Tests;

public sealed class GossVectorTests
{
    public static TheoryData<string> Files() => [.. Directory.GetFiles(Repository.Vector("goss", "parse"), "*.yaml")
        .Select(f => Path.GetFileNameWithoutExtension(f)!)
        .Order(StringComparer.Ordinal)];

    public static TheoryData<string, string, string> Matches()
    {
        var data = new TheoryData<string, string, string>();
        foreach (var fields in File.ReadAllLines(Repository.Vector("goss", "match.txt"))
            .Where(l => !l.StartsWith('#'))
            .Select(l => l.Split('\t')))
            data.Add(fields[0], fields[1], fields[2]);
        return data;
    }

    // The head of each file says what is wrong with it: line, column, code, and what the detail contains.
    [Theory]
    [MemberData(nameof(Files))]
    public void EverythingWrongWithAFileIsSaidAtOnce(string name)
    {
        string text = File.ReadAllText(Repository.Vector("goss", "parse", name + ".yaml"));
        var expected = text.Split('\n')
            .Where(l => l.StartsWith("# expect ", StringComparison.Ordinal))
            .Select(l => l["# expect ".Length..])
            .ToList();
        var diagnostics = new DiagnosticBag();
        GossFile.Parse(new SourceText("goss.yaml", text), diagnostics);

        var found = diagnostics
            .Select(d => (Text: string.Create(CultureInfo.InvariantCulture, $"{d.Span!.Value.Line}:{d.Span.Value.Column} {d.Code}"),
                Detail: d.Detail ?? ""))
            .ToList();
        Assert.Equal(
            string.Join('\n', expected is ["nothing"] ? [] : expected.Select(e => string.Join(' ', e.Split(' ').Take(2)))),
            string.Join('\n', found.Select(f => f.Text)));
        foreach (var (line, actual) in expected.Zip(found))
            Assert.Contains(string.Join(' ', line.Split(' ').Skip(2)), actual.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Matches))]
    public void AMatcherAnswersAsInGoss(string found, string expected, string answer)
    {
        var diagnostics = new DiagnosticBag();
        var file = GossFile.Parse(new SourceText("goss.yaml", $"file: {{/x: {{exists: true, size: {expected}}}}}"), diagnostics);
        Assert.Empty(diagnostics);
        var matcher = file.Resources[0].Checks.Single(c => c.Property == "size").Expected;
        var match = matcher.Match(Value(JsonElement.Parse(found)));
        Assert.Equal(answer, match.Holds ? "pass" : match.Problem is null ? "fail" : "problem");
    }

    [Fact]
    public void AllResourcesAreReadAsTheyStand()
    {
        var file = Parse(File.ReadAllText(Repository.Vector("goss", "parse", "all_resources.yaml")));
        Assert.Equal(12, file.Resources.Count);
        var password = file.Resources[0];
        Assert.Equal(("/etc/passwd", "t", false), (password.Id, password.Title, password.Skip));
        Assert.Equal(["exists", "mode", "owner", "uid", "group", "gid", "filetype", "contents", "size", "md5", "sha256", "sha512"],
            password.Checks.Select(c => c.Property));
        Assert.Equal("""["root","!x"]""", password.Checks[7].Expected.Json);
        Assert.Equal("""{"gt":10}""", password.Checks[8].Expected.Json);
        Assert.Equal("/etc/link", file.Resources[1].Name);

        var echo = file.Resources.Single(r => r.Id == "echo hi").Command!;
        Assert.Equal(["sh", "-c", "echo hi"], echo.Arguments);
        Assert.Equal((true, TimeSpan.FromMilliseconds(500), 0), (echo.NeedsShell, echo.Timeout, echo.Retries));
        Assert.Equal(["/bin/echo", "hi"], file.Resources.Single(r => r.Id == "listed").Command!.Arguments);

        var request = file.Resources[^1].Request!;
        Assert.Equal(("http://localhost:8080/x?y=z", "GET", true, true, "x", "u:p"),
            (request.Url.ToString(), request.Method, request.NoFollowRedirects, request.AllowInsecure, request.Body, request.Credentials));
        Assert.Equal([new("A", "b")], request.Headers);
    }

    [Fact]
    public void TheDigestOfAFileIsThatOfItsText() =>
        Assert.Equal(Oci.Content.Digest.Of("user: {}\n"u8), Parse("user: {}\n").Digest);

    [Fact]
    public void NoTextMakesTheParserThrow() => Prop.ForAll(
        ArbMap.Default.ArbFor<NonNull<string>>(),
        text =>
        {
            GossFile.Parse(new SourceText("x", text.Get), new DiagnosticBag());
            GossFile.Parse(new SourceText("x", "file:\n  /x:\n    exists: " + text.Get), new DiagnosticBag());
        }).Holds();

    // Pieces of the language in any order come nearer to its corners than any text does.
    [Fact]
    public void NoMixtureOfTheLanguageMakesTheParserThrow()
    {
        string[] pieces = ["file:", "\n", "  ", "/x:", " {", "}", "exists: true", ", ", "[", "]", "- ", "&a ",
            "*a", "<<: *a", "not: ", "and: ", "'", "\"", "!x", "/re/", "command:", "exec: ", "~", "|", "?", ": ", "#", "---", "\t",
            "contents:", "{have-len: ", "port:", "80"];
        Prop.ForAll(
            Gen.ListOf(Gen.Elements(pieces)).ToArbitrary(),
            parts => { GossFile.Parse(new SourceText("x", string.Concat(parts)), new DiagnosticBag()); }).Holds(2000);
    }

    [Fact]
    public void NotTurnsEveryAnswerRoundThatIsOne() => Prop.ForAll(
        Expectation(), Actual(), (expected, actual) =>
        {
            var plain = expected.Match(actual);
            var negated = new Matcher.Not(expected).Match(actual);
            return plain.Problem is null ? plain.Holds != negated.Holds : !plain.Holds && !negated.Holds;
        }).Holds();

    [Fact]
    public void ConsistOfIsContainElementsAndTheLength() => Prop.ForAll(
        Gen.ListOf(Gen.Elements("a", "ab", "b", "")).ToArbitrary(),
        Gen.ListOf(Gen.Elements("a", "ab", "b", "")).ToArbitrary(), (actual, wanted) =>
        {
            var value = GossValue.Items.Of(actual);
            List<Matcher> elements = [.. wanted.Select(w => (Matcher)new Matcher.HasPrefix(w))];
            bool contains = new Matcher.ContainsElements(elements, SplitsText: true).Match(value).Holds;
            return new Matcher.ConsistsOf(elements).Match(value).Holds == (contains && actual.Count == wanted.Count);
        }).Holds();

    [Fact]
    public void ElementsAreGivenOutWithoutGreed()
    {
        // Taking the first fit would give 'aaa' to the first expectation and leave the last without one.
        List<Matcher> wanted = [new Matcher.HasPrefix("a"), new Matcher.HasPrefix("aa"), new Matcher.HasPrefix("aaa")];
        Assert.True(new Matcher.ContainsElements(wanted, SplitsText: false).Match(GossValue.Items.Of(["aaa", "aa", "a"])).Holds);
        Assert.False(new Matcher.ContainsElements(wanted, SplitsText: false).Match(GossValue.Items.Of(["aaa", "a", "a"])).Holds);
    }

    private static Arbitrary<GossValue> Actual() => Gen.OneOf(
        Gen.Elements<GossValue>(new GossValue.Truth(true), new GossValue.Number(4), new GossValue.Text("4"), new GossValue.Text("a\nb")),
        Gen.ListOf(Gen.Elements("a", "4", "")).Select(GossValue (l) => GossValue.Items.Of(l))).ToArbitrary();

    private static Arbitrary<Matcher> Expectation() => Gen.Elements<Matcher>(
        new Matcher.EqualTo(new GossValue.Truth(true)), new Matcher.TextIs("4"), new Matcher.Compares("gt", 3), new Matcher.HasPrefix("a"),
        new Matcher.HasLength(1),
        new Matcher.ContainsElement(new Matcher.Compares("eq", 4)),
        new Matcher.ContainsElements([new Matcher.TextIs("a")], SplitsText: false), new Matcher.ConsistsOf([]),
        new Matcher.Or([new Matcher.HasLength(0), new Matcher.TextIs("4")]),
        new Matcher.And([new Matcher.HasLength(0), new Matcher.TextIs("4")]), new Matcher.HasKey(new Matcher.TextIs("x"))).ToArbitrary();

    private static GossFile Parse(string text)
    {
        var diagnostics = new DiagnosticBag();
        var file = GossFile.Parse(new SourceText("goss.yaml", text), diagnostics);
        Assert.Empty(diagnostics);
        return file;
    }

    private static GossValue Value(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.True => new GossValue.Truth(true),
        JsonValueKind.False => new GossValue.Truth(false),
        JsonValueKind.Number => new GossValue.Number(json.GetDouble()),
        JsonValueKind.Array => new GossValue.Items([.. json.EnumerateArray().Select(Value)]),
        _ => new GossValue.Text(json.GetString()!),
    };
}
