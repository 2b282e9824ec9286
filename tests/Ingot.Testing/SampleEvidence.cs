using System.Text.Json;
using System.Text.Json.Nodes;
using Ingot.Evidence;
using Ingot.Evidence.Claims;
using Ingot.Evidence.Packages;
using Ingot.Evidence.Provenance;
using Ingot.Evidence.Sbom;
using Ingot.Evidence.Secrets;
using Ingot.Evidence.Signatures;
using Ingot.Evidence.Tests;
using Ingot.Oci.Content;
using Ingot.Policies;
using Ingot.Templates.Project;

namespace Ingot.Testing;

/// <summary>An image of a project for which everything speaks, made of the same records that the scanners make, and the ways to take
/// something of it away.</summary>
public static class SampleEvidence
{
    public const string Project = "shop", Image = "web", TestName = "web/goss.yaml";

    public static readonly DateTimeOffset Now = new(2026, 1, 31, 12, 0, 0, TimeSpan.Zero);
    public static readonly Digest Subject = Digest.Of("an image"u8), Layer = Digest.Of("a layer"u8), TestDigest = Digest.Of("file: {}"u8),
        ProjectFile = Digest.Of("ingot: 1"u8);
    public static readonly SigningKey Key = SigningKey.Create();
    public static readonly string[] Claims = ["non-root", "no-shell"];

    public static Candidate Candidate(params IReadOnlyList<string> gates)
    {
        var image = new DockerfileImage(Image, default, "Dockerfile", ".", null, [])
        {
            Version = "1.0.0",
            Claims = Claims,
            Tests = [TestName],
        };
        return new Candidate
        {
            Digest = Subject,
            Project = Project,
            Image = image,
            Questions = new ImageQuestions
            {
                Tests = [new TestFile(TestName, TestDigest)],
                Sandbox = new SandboxOptions("", TimeProvider.System).Terms,
                Claims = Claims,
            },
            Sources = [new ProjectSource(ProjectFile, "git+https://code.example/shop.git", new string('a', 40))],
            Layers = [Layer],
            Stage = new StageDefinition("test", default) { Gates = gates },
            Before = null,
            AdmittedBefore = null,
            Evidence = EvidenceSet.Empty(Subject),
            Approvals = [],
            Revoked = null,
            Now = Now,
        };
    }

    /// <summary>What <c>up</c> signs about an image that is in order.</summary>
    public static IReadOnlyList<EvidenceRecord> Everything(StatementBinding? binding = null) =>
        [.. new[] { PredicateType.Provenance, PredicateType.TestResult, PredicateType.CycloneDx, PredicateType.SecretScan,
            PredicateType.Claims }.Select(t => Record(t, Good(t), binding))];

    public static StatementBinding Bound(TimeSpan? before = null) => new(Project, Image, Now - (before ?? TimeSpan.FromMinutes(1)));

    public static GateVerdict Ask(string gate, params EvidenceRecord[] records) => Result(gate, records).Verdict;

    public static GateResult Result(string gate, params EvidenceRecord[] records) =>
        BuiltInGates.Ask(gate, Candidate(gate) with { Evidence = Set(records) });

    public static EvidenceSet Set(IEnumerable<EvidenceRecord> records) => new(Subject, [.. records], []);

    public static EvidenceRecord Record(string type, JsonElement predicate, StatementBinding? binding = null) =>
        Record(Statement.About(Subject, binding ?? Bound(), type, predicate));

    public static EvidenceRecord Record(Statement statement)
    {
        var envelope = StatementSigner.Sign(statement, Key);
        // As it is read: what a statement may hold at all was decided there.
        var read = Statement.Parse(envelope.Payload);
        return new EvidenceRecord(EvidenceKinds.Of(read.PredicateType)!.Value, Digest.Of(envelope.Payload.Span),
            new TrustedKey(Key.PublicKey, "us"), read, envelope);
    }

    public static JsonElement Good(string type) => type switch
    {
        PredicateType.Provenance => Provenance(Project, Image, "1.0.0", ProjectFile, new string('a', 40)),
        PredicateType.TestResult => TestResult(),
        PredicateType.CycloneDx => Sbom(),
        PredicateType.SecretScan => Secrets(),
        _ => ClaimsOf([("non-root", true), ("no-shell", true)]),
    };

    /// <summary>A good predicate with something changed by the path to it; null takes it away.</summary>
    public static JsonElement Changed(string type, string path, string? json)
    {
        var root = JsonNode.Parse(Good(type).GetRawText())!;
        var names = path.Split('.');
        var parent = names[..^1].Aggregate(root, (node, name) => node is JsonArray list ? list[int.Parse(name, null)]! : node[name]!);
        if (json is null)
            parent.AsObject().Remove(names[^1]);
        else if (parent is JsonArray list)
            list[int.Parse(names[^1], null)] = JsonNode.Parse(json);
        else
            parent[names[^1]] = JsonNode.Parse(json);
        return JsonElement.Parse(root.ToJsonString());
    }

    public static JsonElement TestResult(
        string result = "PASSED", string[]? failed = null, string name = TestName, Digest? digest = null) =>
        JsonSerializer.SerializeToElement(new
        {
            result,
            configuration = new[] { new { name, digest = new { sha256 = (digest ?? TestDigest).Hex } } },
            sandbox = JsonSerializer.SerializeToElement(new SandboxOptions("", TimeProvider.System).Terms),
            passedTests = new[] { "file /web: exists" },
            failedTests = failed ?? [],
        });

    public static JsonElement ClaimsOf((string Claim, bool Holds)[] results) =>
        new ClaimReport([.. results.Select(r => new ClaimResult { Claim = r.Claim, Holds = r.Holds, Reason = "" })]).ToPredicate();

    private static JsonElement Secrets() => new SecretReport([], [Layer], 1, 1, IsCut: false).ToPredicate();

    private static JsonElement Sbom() => CycloneDx.ToPredicate(new SbomSubject($"{Project}/{Image}", Subject), new PackageInventory(
        new OsRelease("debian", "12", "Debian"), [new Package("libc6", "2", "amd64", "glibc", "2", "pkg:deb/debian/libc6@2")], [])
    { Databases = ["var/lib/dpkg/status"] });

    public static JsonElement Provenance(string project, string image, string version, Digest file, string commit) => new SlsaProvenance
    {
        BuildDefinition = new BuildDefinition
        {
            BuildType = ProjectBuild.BuildType,
            ExternalParameters = JsonSerializer.SerializeToElement(new { project, image, version }),
            ResolvedDependencies =
            [
                ResourceDescriptor.Of("ingot.yaml", file) with
                {
                    Annotations = new(StringComparer.Ordinal) { [ProjectBuild.KindKey] = ProjectBuild.FileKind },
                },
                new ResourceDescriptor
                {
                    Name = "source",
                    Uri = "git+https://code.example/shop.git",
                    Digest = new(StringComparer.Ordinal) { [ProjectBuild.CommitAlgorithm] = commit },
                    Annotations = new(StringComparer.Ordinal) { [ProjectBuild.KindKey] = ProjectBuild.SourceKind },
                },
            ],
        },
        RunDetails = new RunDetails { Builder = new ProvenanceBuilder { Id = BuiltInGates.Builder } },
    }.ToPredicate();
}
