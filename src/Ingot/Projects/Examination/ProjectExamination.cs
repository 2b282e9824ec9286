using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Builds;
using Ingot.Diagnostics;
using Ingot.Evidence;
using Ingot.Evidence.Claims;
using Ingot.Evidence.Packages;
using Ingot.Evidence.Sbom;
using Ingot.Evidence.Secrets;
using Ingot.Evidence.Signatures;
using Ingot.Evidence.Tests;
using Ingot.Oci.Content;
using Ingot.Policies;
using Ingot.Projects.Recipes;
using Ingot.Templates.Project;

namespace Ingot.Projects.Examination;

/// <summary>The evidence about an image: what must be published, whether any of it is new, and why the image may not be; null when it
/// may.</summary>
public sealed record EvidenceResult(IReadOnlyList<PublishedEvidence> Manifests, bool IsNew, string? Failure);

/// <summary>A manifest that carries evidence, and the tag it goes under, if any.</summary>
public sealed record PublishedEvidence(Descriptor Descriptor, string? Tag);

/// <summary>What is kept of the answers to the same questions about an image: the evidence of every run, and whether the last one
/// failed.</summary>
internal sealed record KeptEvidence(bool Failed, IReadOnlyList<PublishedEvidence> Manifests)
{
    public static KeptEvidence None { get; } = new(Failed: true, []);
}

/// <summary>What is to be examined, for whom, and how it was built.</summary>
public sealed record ExaminedImage(ProjectDefinition Project, ImageDefinition Image, BuiltImage Built, BuildRecipe Recipe)
{
    /// <summary>Its full name.</summary>
    public string Name => $"{Project.Name}/{Image.Name}";
}

/// <summary>Tests, scans and signs an image. What was found about it by the same questions, for the same project and with the same key, is
/// not asked again.</summary>
public sealed class ProjectExamination(ProjectHost host, Uri server)
{
    private readonly DirectoryStore _store = new(host.Places.Content);

    /// <summary>Examines an image with the project's tests, and signs what was found.</summary>
    public async Task<EvidenceResult> RunAsync(ExaminedImage subject, IReadOnlyList<GossFile> files, CancellationToken cancellationToken)
    {
        using var key = await host.Surroundings.OpenKeys().LoadOrCreateAsync(cancellationToken);
        var questions = ImageQuestions.Of(subject.Project, subject.Image, GossFiles.Described(files));
        string record = Path.Combine(host.Places.Cache, "evidence",
            $"{subject.Built.Digest.Hex}-{KeyOf(subject, questions, key.Id).Short}.json");
        var known = await ReadAsync(record, cancellationToken) ?? KeptEvidence.None;
        if (!known.Failed)
            return new EvidenceResult(known.Manifests, IsNew: false, Failure: null);

        Directory.CreateDirectory(host.Places.Work);
        await using var image = await ImageUnderTest.UnpackAsync(_store, subject.Built.Digest, host.Places.Work, cancellationToken);
        var (statements, failure) = await ExamineAsync(subject, image, files, cancellationToken);
        var written = await new EvidenceWriter(_store, key, TimeProvider.System)
            .WriteAsync(image.Image.Descriptor, statements, reference: subject.Name, cancellationToken: cancellationToken);
        host.Say("sign", $"{statements.Count} statements about {subject.Image.Name} with key {key.Id[..12]}");
        // A failure stays with the image: whoever publishes it later publishes that too.
        var kept = new KeptEvidence(failure is not null,
            [.. known.Manifests, .. written.Select(m => new PublishedEvidence(m.Descriptor, m.Tag))]);
        Write(record, kept);
        return new EvidenceResult(kept.Manifests, IsNew: true, failure);
    }

    /// <summary>Runs tests against an unpacked image.</summary>
    public static Task<TestReport> TestAsync(
        ImageUnderTest image, IReadOnlyList<GossFile> files, SandboxOptions options, CancellationToken cancellationToken) =>
        GossRunner.RunAsync(image.Root, image.Image.Config.Config, files, options, cancellationToken);

    /// <summary>Looks at an unpacked image: its packages, secrets in it, and whether it is what is claimed of it.</summary>
    public static async Task<ImageScan> ScanAsync(
        ImageUnderTest image, IReadOnlyList<string> claims, CancellationToken cancellationToken) => new(
        PackageInventory.Read(image.Root),
        await SecretScanner.ScanAsync(image.Store, image.Image, cancellationToken),
        ClaimChecker.Check(image, claims));

    /// <summary>How an image is tested that stands under a name in the local store: as the services of a project run it, when it is of
    /// that.</summary>
    public static SandboxOptions SandboxOf(ProjectDefinition? project, string name, string work) =>
        project?.Images.FirstOrDefault(i => name.Split(':', '@')[0] == $"{project.Name}/{i.Name}") is { } image
            ? ImageQuestions.SandboxOf(project, image, work)
            : new SandboxOptions(work, TimeProvider.System);

    private async Task<(IReadOnlyList<Statement> Statements, string? Failure)> ExamineAsync(
        ExaminedImage subject, ImageUnderTest image, IReadOnlyList<GossFile> files, CancellationToken cancellationToken)
    {
        List<(string Type, JsonElement Predicate)> found = [];
        if (files.Count > 0)
        {
            var tests = await TestAsync(image, files, ImageQuestions.SandboxOf(subject.Project, subject.Image, host.Places.Work),
                cancellationToken);
            host.Progress.Report(new ProjectEvent.Tested(subject.Image.Name, tests));
            found.Add((PredicateType.TestResult, tests.ToPredicate()));
            if (!tests.Succeeded)
                return (Bind(subject, found), $"{tests.Failed} of {tests.Results.Count} checks of {subject.Image.Name} failed");
        }

        var scan = await ScanAsync(image, subject.Image.Claims, cancellationToken);
        found.Add((PredicateType.Provenance, BuildProvenance.Of(subject.Recipe, host.Version).ToPredicate()));
        found.Add((PredicateType.CycloneDx,
            CycloneDx.ToPredicate(new SbomSubject(subject.Name, subject.Built.Digest, subject.Built.Config.Created), scan.Packages)));
        found.Add((PredicateType.SecretScan, scan.Secrets.ToPredicate()));
        found.Add((PredicateType.Claims, scan.Claims.ToPredicate()));
        host.Progress.Report(new ProjectEvent.Scanned(subject.Image.Name, scan));
        return ([Statement.Signature(subject.Built.Digest, subject.Name), .. Bind(subject, found)], null);
    }

    private static List<Statement> Bind(ExaminedImage subject, IEnumerable<(string Type, JsonElement Predicate)> found)
    {
        var binding = new StatementBinding(subject.Project.Name, subject.Image.Name, TimeProvider.System.GetUtcNow());
        return [.. found.Select(f => Statement.About(subject.Built.Digest, binding, f.Type, f.Predicate))];
    }

    /// <summary>Whose answers, to which questions, for which server, as one name: another project, version, key or rule asks again. Another
    /// server knows another history of the project.</summary>
    private Digest KeyOf(ExaminedImage subject, ImageQuestions questions, string key) => Digest.Of(Encoding.UTF8.GetBytes(string.Join(
        '\n', host.Version, server.Authority, subject.Name, subject.Image.Version, key, questions.Digest)));

    private async Task<KeptEvidence?> ReadAsync(string path, CancellationToken cancellationToken)
    {
        if (!File.Exists(path))
            return null;

        try
        {
            var known = JsonSerializer.Deserialize(await File.ReadAllBytesAsync(path, cancellationToken),
                EvidenceRecordJson.Default.KeptEvidence);
            foreach (var item in known?.Manifests ?? [])
            {
                if (await _store.SizeAsync(item.Descriptor.Digest, cancellationToken) is null)
                    return null;
            }

            return known;
        }
        catch (JsonException)
        {
            // A record that was torn by a full disk: the questions are asked again.
            return null;
        }
    }

    private static void Write(string path, KeptEvidence kept)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        AtomicFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(kept, EvidenceRecordJson.Default.KeptEvidence));
    }
}

[JsonSourceGenerationOptions(RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(KeptEvidence))]
internal sealed partial class EvidenceRecordJson : JsonSerializerContext;
