using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ingot.Diagnostics;
using Ingot.Evidence.Packages;
using Ingot.Evidence.Provenance;
using Ingot.Evidence.Sbom;
using Ingot.Evidence.Signatures;
using Ingot.Evidence.Tests;
using Ingot.Oci.Content;
using Ingot.Policies;
using Ingot.Templates.Project;
using Ingot.Testing;
using static Ingot.Testing.SampleEvidence;

namespace Ingot.Tests.Policies;

/// <summary>What speaks for an image, and all that looks as if it did.</summary>
public sealed class GateTests
{
    private static readonly (string Gate, string Type)[] s_gates =
    [
        ("built-by-us", PredicateType.Provenance), ("tests-passed", PredicateType.TestResult), ("sbom-present", PredicateType.CycloneDx),
        ("no-secrets", PredicateType.SecretScan), ("claims-hold", PredicateType.Claims),
    ];

    public static TheoryData<string, string> Gates => [.. s_gates];

    [Fact]
    public void WhatUpSignsIsAdmitted()
    {
        var decision = Policy.Decide(Candidate([.. s_gates.Select(g => g.Gate)]) with { Evidence = Set(Everything()) });
        Assert.True(decision.Admitted, string.Join('\n', decision.Objections));
    }

    [Theory]
    [MemberData(nameof(Gates))]
    public void EvidenceThatIsNotBoundIsNone(string gate, string type)
    {
        var result = Result(gate, Record(Statement.About(SampleEvidence.Subject, "shop/web", type, Good(type))));
        Assert.Equal(GateVerdict.Unknown, result.Verdict);
        Assert.Contains("names no project, image and time", result.Reason, StringComparison.Ordinal);
        Assert.Contains("ingot up", result.Cure, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Gates))]
    public void EvidenceAboutTheSameBytesElsewhereIsNone(string gate, string type)
    {
        foreach (var elsewhere in new[] { Bound() with { Project = "other" }, Bound() with { Image = "api" },
            Bound() with { Project = "sho", Image = "p/web" }, Bound() with { Project = "Shop" } })
            Assert.Equal(GateVerdict.Unknown, Ask(gate, Record(type, Good(type), elsewhere)));
    }

    [Theory]
    [MemberData(nameof(Gates))]
    public void ABindingThatSaysTwoThingsIsNone(string gate, string type)
    {
        var good = new StatementSubject(Bound().Name, SampleEvidence.Subject) { Annotations = Bound().Annotations };
        foreach (var subjects in new StatementSubject[][]
        {
            [good with { Name = "other/web" }],
            [good, good],
            [good, new StatementSubject("other/web", Digest.Of("x"u8))],
            [good with { Annotations = Without("io.ingot.time") }],
            [good with { Annotations = Without("io.ingot.image") }],
            [good with { Annotations = With("io.ingot.time", "2026-01-31T12:00:00Z") }],
            [good with { Annotations = With("io.ingot.time", "") }],
        })
        {
            var statement = new Statement { Subjects = subjects, PredicateType = type, Predicate = Good(type) };
            Assert.Equal(GateVerdict.Unknown, Ask(gate, Record(statement)));
        }
    }

    [Fact]
    public void AFailureOfAnyTestsAfterTheLastPassIsAFailure()
    {
        var strict = Digest.Of("file: { /web: { mode: 0755 } }"u8);
        var pass = Record(PredicateType.TestResult, TestResult(), Bound(TimeSpan.FromHours(2)));
        var later = Record(PredicateType.TestResult, TestResult("FAILED", ["file /web: mode"], digest: strict),
            Bound(TimeSpan.FromHours(1)));
        var earlier = Record(PredicateType.TestResult, TestResult("FAILED", ["file /web: mode"], digest: strict),
            Bound(TimeSpan.FromHours(3)));
        var result = Result("tests-passed", pass, later);
        Assert.Equal(GateVerdict.Fail, result.Verdict);
        Assert.Equal([later.Manifest], result.Evidence);
        Assert.Contains("publish a new version", result.Cure, StringComparison.Ordinal);
        Assert.Equal(GateVerdict.Pass, Ask("tests-passed", pass, earlier));
        Assert.Equal(GateVerdict.Fail, Ask("tests-passed", later));

        // Whichever tests the project asks for now, or none at all.
        var candidate = Candidate("tests-passed") with { Evidence = Set([pass, later]) };
        foreach (IReadOnlyList<TestFile>? tests in new[] { null, new[] { new TestFile(TestName, Digest.Of("third"u8)) } })
            Assert.Equal(GateVerdict.Fail,
                BuiltInGates.Ask("tests-passed", candidate with { Questions = candidate.Questions with { Tests = tests } }).Verdict);
    }

    [Theory]
    [MemberData(nameof(Gates))]
    public void AnAnswerOfAnotherKindOfQuestionIsNone(string gate, string type)
    {
        foreach (var (_, other) in s_gates.Where(g => g.Type != type))
            Assert.Equal(GateVerdict.Unknown, Ask(gate, Record(type, Good(other))));
    }

    [Theory]
    [InlineData("tests-passed", PredicateType.TestResult, "result")]
    [InlineData("tests-passed", PredicateType.TestResult, "result", "\"passed\"")]
    [InlineData("tests-passed", PredicateType.TestResult, "result", "1")]
    [InlineData("tests-passed", PredicateType.TestResult, "result", "null")]
    [InlineData("tests-passed", PredicateType.TestResult, "result", "\"WARNED\"")]
    [InlineData("tests-passed", PredicateType.TestResult, "passedTests")]
    [InlineData("tests-passed", PredicateType.TestResult, "passedTests", "[]")]
    [InlineData("tests-passed", PredicateType.TestResult, "passedTests", "[null]")]
    [InlineData("tests-passed", PredicateType.TestResult, "passedTests", "[1]")]
    [InlineData("tests-passed", PredicateType.TestResult, "failedTests")]
    [InlineData("tests-passed", PredicateType.TestResult, "failedTests", "{}")]
    [InlineData("tests-passed", PredicateType.TestResult, "configuration")]
    [InlineData("tests-passed", PredicateType.TestResult, "configuration", "[]")]
    [InlineData("tests-passed", PredicateType.TestResult, "configuration", "[null]")]
    [InlineData("tests-passed", PredicateType.TestResult, "configuration.0.name", "\"web/other.yaml\"")]
    [InlineData("tests-passed", PredicateType.TestResult, "configuration.0.digest", "{}")]
    [InlineData("tests-passed", PredicateType.TestResult, "configuration.0.digest.sha256", "\"00\"")]
    [InlineData("tests-passed", PredicateType.TestResult, "sandbox")]
    [InlineData("tests-passed", PredicateType.TestResult, "sandbox", "null")]
    [InlineData("tests-passed", PredicateType.TestResult, "sandbox.writable", "[]")]
    [InlineData("tests-passed", PredicateType.TestResult, "sandbox.writable", "[null]")]
    [InlineData("tests-passed", PredicateType.TestResult, "sandbox.writable.0.bytes", "1")]
    [InlineData("tests-passed", PredicateType.TestResult, "sandbox.writable.0.path", "\"/\"")]
    [InlineData("tests-passed", PredicateType.TestResult, "sandbox.environment", "[\"TEST=1\"]")]
    [InlineData("tests-passed", PredicateType.TestResult, "sandbox.memory", "1")]
    [InlineData("no-secrets", PredicateType.SecretScan, "layers")]
    [InlineData("no-secrets", PredicateType.SecretScan, "layers", "[]")]
    [InlineData("no-secrets", PredicateType.SecretScan, "layers", "[null]")]
    [InlineData("no-secrets", PredicateType.SecretScan, "layers.0",
        "\"sha256:0000000000000000000000000000000000000000000000000000000000000000\"")]
    [InlineData("no-secrets", PredicateType.SecretScan, "findings")]
    [InlineData("no-secrets", PredicateType.SecretScan, "findings", "[null]")]
    [InlineData("no-secrets", PredicateType.SecretScan, "scanner")]
    [InlineData("no-secrets", PredicateType.SecretScan, "scanner", "{}")]
    [InlineData("no-secrets", PredicateType.SecretScan, "scanner.digest.sha256", "\"0000\"")]
    [InlineData("no-secrets", PredicateType.SecretScan, "result", "\"\"")]
    [InlineData("sbom-present", PredicateType.CycloneDx, "components")]
    [InlineData("sbom-present", PredicateType.CycloneDx, "components", "[]")]
    [InlineData("sbom-present", PredicateType.CycloneDx, "components", "[{}]")]
    [InlineData("sbom-present", PredicateType.CycloneDx, "components", "[null]")]
    [InlineData("sbom-present", PredicateType.CycloneDx, "compositions", "[{\"aggregate\":\"incomplete\"}]")]
    [InlineData("sbom-present", PredicateType.CycloneDx, "compositions", "[{\"aggregate\":\"unknown\"}]")]
    [InlineData("sbom-present", PredicateType.CycloneDx, "compositions",
        "[{\"aggregate\":\"complete\"},{\"aggregate\":\"incomplete_third_party_only\"}]")]
    [InlineData("sbom-present", PredicateType.CycloneDx, "compositions", "[{}]")]
    [InlineData("sbom-present", PredicateType.CycloneDx, "compositions", "null")]
    [InlineData("sbom-present", PredicateType.CycloneDx, "metadata")]
    [InlineData("sbom-present", PredicateType.CycloneDx, "metadata.properties", "[]")]
    [InlineData("sbom-present", PredicateType.CycloneDx, "metadata.component.name", "\"other/web\"")]
    [InlineData("sbom-present", PredicateType.CycloneDx, "metadata.component.version", "\"1.0.0\"")]
    [InlineData("sbom-present", PredicateType.CycloneDx, "bomFormat", "\"SPDX\"")]
    [InlineData("claims-hold", PredicateType.Claims, "claims")]
    [InlineData("claims-hold", PredicateType.Claims, "claims", "[]")]
    [InlineData("claims-hold", PredicateType.Claims, "claims", "[null]")]
    [InlineData("claims-hold", PredicateType.Claims, "claims.0.claim", "\"non-Root\"")]
    [InlineData("claims-hold", PredicateType.Claims, "claims.0.holds")]
    [InlineData("claims-hold", PredicateType.Claims, "claims.0.holds", "\"true\"")]
    [InlineData("claims-hold", PredicateType.Claims, "claims.0.holds", "1")]
    [InlineData("claims-hold", PredicateType.Claims, "checker")]
    [InlineData("claims-hold", PredicateType.Claims, "checker.digest.sha256", "\"0000\"")]
    [InlineData("built-by-us", PredicateType.Provenance, "runDetails")]
    [InlineData("built-by-us", PredicateType.Provenance, "runDetails.builder", "{}")]
    [InlineData("built-by-us", PredicateType.Provenance, "buildDefinition.buildType", "\"https://example.com/x\"")]
    [InlineData("built-by-us", PredicateType.Provenance, "buildDefinition.externalParameters", "{}")]
    [InlineData("built-by-us", PredicateType.Provenance, "buildDefinition.externalParameters.project", "\"other\"")]
    [InlineData("built-by-us", PredicateType.Provenance, "buildDefinition.externalParameters.image", "\"api\"")]
    [InlineData("built-by-us", PredicateType.Provenance, "buildDefinition.externalParameters.image", "null")]
    [InlineData("built-by-us", PredicateType.Provenance, "buildDefinition.resolvedDependencies", "[]")]
    [InlineData("built-by-us", PredicateType.Provenance, "buildDefinition.resolvedDependencies", "[null]")]
    [InlineData("built-by-us", PredicateType.Provenance, "buildDefinition.resolvedDependencies.0.digest.sha256",
        "\"0000000000000000000000000000000000000000000000000000000000000000\"")]
    [InlineData("built-by-us", PredicateType.Provenance, "buildDefinition.resolvedDependencies.0.digest")]
    [InlineData("built-by-us", PredicateType.Provenance, "buildDefinition.resolvedDependencies.1.uri",
        "\"git+https://code.example/fork.git\"")]
    [InlineData("built-by-us", PredicateType.Provenance, "buildDefinition.resolvedDependencies.1.uri")]
    [InlineData("built-by-us", PredicateType.Provenance, "buildDefinition.resolvedDependencies.1.digest.gitCommit",
        "\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"")]
    [InlineData("built-by-us", PredicateType.Provenance, "buildDefinition.resolvedDependencies.1.annotations", "{}")]
    public void WhatIsMissingOfAnotherTypeOrAboutSomethingElseIsUnknown(string gate, string type, string path, string? json = null)
    {
        Assert.Equal(GateVerdict.Pass, Ask(gate, Record(type, Good(type))));
        var result = Result(gate, Record(type, Changed(type, path, json)));
        Assert.Equal(GateVerdict.Unknown, result.Verdict);
        Assert.NotNull(result.Cure);
    }

    [Theory]
    [MemberData(nameof(Gates))]
    public void AnEmptyPredicateIsUnknown(string gate, string type) =>
        Assert.Equal(GateVerdict.Unknown, Ask(gate, Record(type, JsonElement.Parse("{}"))));

    // A member under another name is one that is missing and one that nobody knows.
    [Theory]
    [MemberData(nameof(Gates))]
    public void AMemberThatIsAskedForIsUnknownUnderAnotherName(string gate, string type)
    {
        var asked = new List<string>();
        foreach (var place in Places(JsonNode.Parse(Good(type).GetRawText())!).OfType<JsonObject>().SelectMany(Members))
        {
            var root = JsonNode.Parse(Good(type).GetRawText())!;
            Rename(root, place);
            var result = Result(gate, Unread(type, JsonElement.Parse(root.ToJsonString())));
            if (result.Verdict == GateVerdict.Pass)
                continue;
            Assert.True(result is { Verdict: GateVerdict.Unknown, Reason.Length: > 0, Cure: not null }, $"{place}: {result}");
            asked.Add(place);
        }

        Assert.True(s_asked[type].Split(' ').SequenceEqual(asked), $"asked for:\n{string.Join(' ', asked)}");
    }

    private static readonly Dictionary<string, string> s_asked = new(StringComparer.Ordinal)
    {
        [PredicateType.Provenance] = "$.buildDefinition $.runDetails $.buildDefinition.buildType $.buildDefinition.externalParameters"
            + " $.buildDefinition.resolvedDependencies"
            + " $.buildDefinition.externalParameters.project $.buildDefinition.externalParameters.image"
            + " $.buildDefinition.resolvedDependencies[0].digest $.buildDefinition.resolvedDependencies[0].annotations"
            + " $.buildDefinition.resolvedDependencies[0].digest.sha256 $.buildDefinition.resolvedDependencies[0].annotations.kind"
            + " $.buildDefinition.resolvedDependencies[1].uri $.buildDefinition.resolvedDependencies[1].digest"
            + " $.buildDefinition.resolvedDependencies[1].annotations $.buildDefinition.resolvedDependencies[1].digest.gitCommit"
            + " $.buildDefinition.resolvedDependencies[1].annotations.kind $.runDetails.builder $.runDetails.builder.id",
        [PredicateType.TestResult] = "$.result $.configuration $.sandbox $.passedTests $.failedTests $.configuration[0].name"
            + " $.configuration[0].digest $.configuration[0].digest.sha256 $.sandbox.writable $.sandbox.environment $.sandbox.memory"
            + " $.sandbox.processes $.sandbox.patience $.sandbox.writable[0].path $.sandbox.writable[0].bytes",
        [PredicateType.CycloneDx] = "$.bomFormat $.metadata $.components $.metadata.component $.metadata.properties"
            + " $.metadata.component.type $.metadata.component.name $.metadata.component.version $.metadata.properties[0].name"
            + " $.metadata.properties[0].value $.metadata.properties[1].name $.metadata.properties[1].value $.components[0].type"
            + " $.components[0].name $.components[1].type $.components[1].name",
        [PredicateType.SecretScan] = "$.scanner $.result $.layers $.findings $.cut $.scanner.digest $.scanner.digest.sha256",
        [PredicateType.Claims] = "$.checker $.result $.claims $.checker.digest $.checker.digest.sha256 $.claims[0].claim $.claims[0].holds"
            + " $.claims[0].reason $.claims[1].claim $.claims[1].holds $.claims[1].reason",
    };

    private static IEnumerable<string> Members(JsonObject place) => place.Select(member => $"{place.GetPath()}.{member.Key}");

    private static void Rename(JsonNode root, string place)
    {
        string name = place[(place.LastIndexOf('.') + 1)..];
        var parent = Places(root).OfType<JsonObject>().Single(o => $"{o.GetPath()}.{name}" == place && o.ContainsKey(name));
        var value = parent[name];
        parent.Remove(name);
        parent[name + "2"] = value?.DeepClone();
    }

    [Theory]
    [MemberData(nameof(Gates))]
    public void AMemberThatIsThereTwiceIsUnknown(string gate, string type)
    {
        string good = Good(type).GetRawText();
        string first = JsonDocument.Parse(good).RootElement.EnumerateObject()
            .Where(p => p.Name is "bomFormat" or "result" or "buildDefinition")
            .Select(p => $"{JsonSerializer.Serialize(p.Name)}:{p.Value.GetRawText()}")
            .First();
        Assert.Equal(GateVerdict.Unknown, Ask(gate, Unread(type, JsonElement.Parse($"{{{first},{good[1..]}"))));
    }

    [Theory]
    [MemberData(nameof(Gates))]
    public void NoPredicateMakesAGateThrowOrPass(string gate, string type)
    {
        var random = new Random(7);
        for (int i = 0; i < 300; i++)
        {
            var mutated = JsonNode.Parse(Good(type).GetRawText())!;
            var places = Places(mutated).ToList();
            Mutate(places[random.Next(places.Count)], random);
            var result = Result(gate, Unread(type, JsonElement.Parse(mutated.ToJsonString())));
            Assert.True(result.Verdict == GateVerdict.Pass == (result.Cure is null), mutated.ToJsonString());
        }

        foreach (var odd in new[] { "[]", "null", "1", "\"x\"", "true",
            string.Concat(Enumerable.Repeat("{\"a\":", 60)) + "1" + new string('}', 60) })
            Assert.NotEqual(GateVerdict.Pass, Ask(gate, Unread(type, JsonElement.Parse(odd))));
    }

    [Fact]
    public void ALargePredicateIsReadOnceAndSaysNothing()
    {
        string large = $$"""{"result":"PASSED","configuration":[],"passedTests":["{{new string('x', 30 << 20)}}"]}""";
        var result = Result("tests-passed", Unread(PredicateType.TestResult, JsonElement.Parse(large)));
        Assert.Equal(GateVerdict.Unknown, result.Verdict);
        Assert.InRange(result.Reason.Length, 1, 2000);
    }

    [Fact]
    public void AFailureThatComesLaterCounts()
    {
        var passed = Record(PredicateType.TestResult, TestResult(), Bound(TimeSpan.FromHours(2)));
        var failed = Record(PredicateType.TestResult, TestResult("FAILED", ["file /web: mode"]), Bound(TimeSpan.FromHours(1)));
        var result = Result("tests-passed", failed, passed);
        Assert.Equal(GateVerdict.Fail, result.Verdict);
        Assert.Contains("file /web: mode", result.Reason, StringComparison.Ordinal);
        Assert.Equal([failed.Manifest], result.Evidence);
    }

    [Fact]
    public void APassThatComesLaterCounts() => Assert.Equal(GateVerdict.Pass, Ask(
        "tests-passed", Record(PredicateType.TestResult, TestResult("FAILED", ["x"]), Bound(TimeSpan.FromHours(2))),
        Record(PredicateType.TestResult, TestResult(), Bound(TimeSpan.FromHours(1)))));

    [Fact]
    public void AnOldPassInANewWrapperChangesNothing()
    {
        var passed = Record(PredicateType.TestResult, TestResult(), Bound(TimeSpan.FromHours(2)));
        var failed = Record(PredicateType.TestResult, TestResult("FAILED", ["x"]), Bound(TimeSpan.FromHours(1)));
        foreach (byte wrapper in new byte[] { 0, 255 })
            Assert.Equal(GateVerdict.Fail, Ask("tests-passed", passed, failed, passed with { Manifest = Digest.Of([wrapper]) }));
    }

    [Fact]
    public void TwoAnswersOfOneMomentThatDifferAreAFailure()
    {
        Assert.Equal(GateVerdict.Fail, Ask("tests-passed", Record(PredicateType.TestResult, TestResult()),
            Record(PredicateType.TestResult, TestResult("FAILED", ["x"]))));
        Assert.Equal(GateVerdict.Fail, Ask("claims-hold", Record(PredicateType.Claims, Good(PredicateType.Claims)),
            Record(PredicateType.Claims, ClaimsOf([("no-shell", false)]))));
    }

    [Fact]
    public void AnAnswerFromTheFutureStopsUntilItsTime()
    {
        var future = Record(PredicateType.TestResult, TestResult(), Bound(TimeSpan.FromHours(-1)));
        Assert.Equal(GateVerdict.Unknown, Ask("tests-passed", future));
        Assert.Equal(GateVerdict.Unknown, Ask("tests-passed", future, Record(PredicateType.TestResult, TestResult())));
    }

    [Fact]
    public void AnUnreadableAnswerThatComesLaterIsNotPassedOver()
    {
        var torn = JsonElement.Parse("""{"result":"FAILED"}""");
        Assert.Equal(GateVerdict.Unknown, Ask("tests-passed", Record(PredicateType.TestResult, TestResult(), Bound(TimeSpan.FromHours(1))),
            Record(PredicateType.TestResult, torn)));
        Assert.Equal(GateVerdict.Pass, Ask("tests-passed", Record(PredicateType.TestResult, TestResult()),
            Record(PredicateType.TestResult, torn, Bound(TimeSpan.FromHours(1)))));
    }

    [Fact]
    public void AnEarlierFailureOfOtherTestFilesIsNoAnswerAndNeitherIsAPassOfFewerOrMore()
    {
        var other = Record(PredicateType.TestResult, TestResult("FAILED", ["x"], digest: Digest.Of("an earlier file"u8)),
            Bound(TimeSpan.FromHours(1)));
        Assert.Equal(GateVerdict.Pass, Ask("tests-passed", Record(PredicateType.TestResult, TestResult()), other));

        var candidate = Candidate("tests-passed") with { Evidence = Set([Record(PredicateType.TestResult, TestResult())]) };
        Assert.Equal(GateVerdict.Unknown,
            Asked(candidate, [new TestFile(TestName, TestDigest), new TestFile("web/more.yaml", TestDigest)]));
        Assert.Equal(GateVerdict.Unknown, Asked(candidate, [new TestFile(TestName, Digest.Of("changed"u8))]));
        Assert.Equal(GateVerdict.Unknown, Asked(candidate, []));
        Assert.Equal(GateVerdict.Unknown, Asked(candidate, null));
    }

    [Fact]
    public void EachClaimIsAQuestionOfItsOwn()
    {
        var first = Record(PredicateType.Claims, ClaimsOf([("non-root", true), ("no-shell", false)]), Bound(TimeSpan.FromHours(3)));
        Assert.Equal(GateVerdict.Fail, Ask("claims-hold", first, Record(PredicateType.Claims, ClaimsOf([("non-root", true)]))));
        Assert.Equal(GateVerdict.Pass, Ask("claims-hold", first, Record(PredicateType.Claims, ClaimsOf([("no-shell", true)]))));
        Assert.Equal(GateVerdict.Unknown, Ask("claims-hold", Record(PredicateType.Claims, ClaimsOf([("non-root", true)]))));
    }

    [Fact]
    public void ASecretFoundLaterCounts()
    {
        var found = Changed(PredicateType.SecretScan, "result", "\"FAILED\"");
        var clean = Record(PredicateType.SecretScan, Good(PredicateType.SecretScan), Bound(TimeSpan.FromHours(1)));
        Assert.Equal(GateVerdict.Fail, Ask("no-secrets", clean, Record(PredicateType.SecretScan, found)));
        Assert.Equal(GateVerdict.Fail,
            Ask("no-secrets", Record(PredicateType.SecretScan, Changed(PredicateType.SecretScan, "cut", "true"))));
    }

    [Fact]
    public void AnImageWithoutAPackageDatabaseIsWholeWhenThatIsSaid()
    {
        using var root = new Evidence.TestRoot(("web", "a program"));
        var sbom = CycloneDx.ToPredicate(new SbomSubject("shop/web", SampleEvidence.Subject), PackageInventory.Read(root.Root));
        Assert.Equal(GateVerdict.Pass, Ask("sbom-present", Record(PredicateType.CycloneDx, sbom)));
        Assert.Contains("none: looked for, and there is none", sbom.GetRawText(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("lib/apk/db/installed", "P:musl\n")]
    [InlineData("var/lib/rpm/rpmdb.sqlite", "x")]
    [InlineData("var/lib/dpkg/status", "")]
    [InlineData("var/lib/dpkg/status", "nonsense\n")]
    [InlineData("usr/lib/os-release", "")]
    [InlineData("var/lib/dpkg/info/libc6.list", "/lib\n")]
    [InlineData("var/lib/dpkg/status.d/base.md5sums", "x")]
    public void AnImageWhosePackagesCannotBeReadHasNoSbomThatPasses(string path, string text)
    {
        using var root = path == "usr/lib/os-release"
            ? new Evidence.TestRoot((path, text), ("var/lib/dpkg/status", "Package: a\nVersion: 1\n"))
            : new Evidence.TestRoot((path, text), ("etc/os-release", "ID=debian\n"));
        var sbom = CycloneDx.ToPredicate(new SbomSubject("shop/web", SampleEvidence.Subject), PackageInventory.Read(root.Root));
        Assert.Equal(GateVerdict.Unknown, Ask("sbom-present", Record(PredicateType.CycloneDx, sbom)));
    }

    [Fact]
    public void OfVersionsOnlyThoseThatProvenanceNamesCount()
    {
        var candidate = Candidate() with { Evidence = Set(Everything()) };
        Assert.Equal(["1.0.0"], BuiltInGates.Versions(candidate));
        Assert.Empty(BuiltInGates.Versions(candidate with { Sources = [] }));
        Assert.Empty(BuiltInGates.Versions(candidate with { Project = "other" }));
    }

    [Theory]
    [InlineData("/a=1Mi", "/a=1Mi", "/a 1048576")]
    [InlineData("/a=1Mi,/b=2Mi", "/a=3Mi", "/a 1048576")]
    [InlineData("/a=1M", "", "")]
    [InlineData("", null, "")]
    [InlineData(null, null, "/tmp 268435456")]
    public void TheSandboxWritesWhereEveryServiceThatRunsTheImageMay(string? first, string? second, string expected)
    {
        var text = new StringBuilder("ingot: 1\nproject: shop\nimages:\n  web: { dockerfile: D, version: 1.0.0 }\n");
        text.Append(first is null ? "" : "services:\n");
        foreach (var (name, port, writable) in new[] { ("a", 8080, first), ("b", 8081, second) }.Where(s => s.Item3 is not null))
            text.Append($"  {name}: {{ image: web, port: 80, listen: {{ production: {port} }}, writable: "
                + $"{{ {writable!.Replace("=", ": ", StringComparison.Ordinal)} }} }}\n");
        text.Append("stages:\n  production: { target: docker }\n");
        var diagnostics = new DiagnosticBag();
        var project = ProjectParser.Parse(new SourceText("ingot.yaml", text.ToString()), diagnostics);
        diagnostics.ThrowIfErrors();
        var terms = ImageQuestions.Of(project!, project!.Images[0], []).Sandbox;
        Assert.Equal(expected, string.Join(", ", terms.Writable.Select(w => $"{w.Path} {w.Bytes}")));
    }

    [Fact]
    public void EveryQuestionIsInTheNameOfTheQuestions()
    {
        var questions = Candidate().Questions;
        ImageQuestions[] others =
        [
            questions with { Tests = [] }, questions with { Tests = [new TestFile("a", TestDigest)] }, questions with
            {
                Tests = [new TestFile(TestName, Layer)],
            },
            questions with { Claims = ["non-root"] }, questions with { ClaimRules = Layer }, questions with { SecretRules = Layer },
            questions with { PackageSources = Layer },
            questions with { Sandbox = questions.Sandbox with { Writable = [] } }, questions with
            {
                Sandbox = questions.Sandbox with { Memory = 1 },
            },
        ];
        Assert.Equal(others.Length + 1, others.Append(questions).Select(q => q.Digest).Distinct().Count());
    }

    private static GateVerdict Asked(Candidate candidate, IReadOnlyList<TestFile>? tests) =>
        BuiltInGates.Ask("tests-passed", candidate with { Questions = candidate.Questions with { Tests = tests } }).Verdict;

    // As if a reader of statements had let it through.
    private static Ingot.Evidence.EvidenceRecord Unread(string type, JsonElement predicate)
    {
        var good = Record(type, Good(type));
        return good with { Statement = good.Statement with { Predicate = predicate } };
    }

    private static SortedDictionary<string, string> Without(string key)
    {
        var notes = Bound().Annotations;
        notes.Remove(key);
        return notes;
    }

    private static SortedDictionary<string, string> With(string key, string value)
    {
        var notes = Bound().Annotations;
        notes[key] = value;
        return notes;
    }

    private static IEnumerable<JsonNode> Places(JsonNode node)
    {
        yield return node;
        var children = node switch { JsonObject o => o.Select(p => p.Value), JsonArray a => a, _ => [] };
        foreach (var place in children.Where(c => c is not null).SelectMany(c => Places(c!)))
            yield return place;
    }

    private static void Mutate(JsonNode place, Random random)
    {
        JsonNode? other = random.Next(8) switch
        {
            0 => null,
            1 => "",
            2 => -1,
            3 => new JsonArray(),
            4 => new JsonObject(),
            5 => true,
            6 => new JsonArray((JsonNode?)null),
            _ => "\u0000\uFFFF",
        };
        if (place.Parent is JsonObject parent)
            parent[place.GetPropertyName()] = other;
        else if (place.Parent is JsonArray list)
            list[place.GetElementIndex()] = other;
    }
}
