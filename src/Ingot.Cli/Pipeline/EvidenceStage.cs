using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Builds;
using Ingot.Cli.Commands;
using Ingot.Cli.Output;
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
using Ingot.Templates.Project;

namespace Ingot.Cli.Pipeline;

/// <summary>The evidence about an image: what must be published, whether any of it is new, and why the image may not be; null when it may.</summary>
internal sealed record EvidenceResult(IReadOnlyList<PublishedEvidence> Manifests, bool IsNew, string? Failure);

/// <summary>A manifest that carries evidence, and the tag it goes under, if any.</summary>
internal sealed record PublishedEvidence(Descriptor Descriptor, string? Tag);

/// <summary>What is kept of the answers to the same questions about an image: the evidence of every run, and whether the last one failed.</summary>
internal sealed record KeptEvidence(bool Failed, IReadOnlyList<PublishedEvidence> Manifests)
{
    public static KeptEvidence None { get; } = new(Failed: true, []);
}

/// <summary>What is to be examined, for whom, and how it was built.</summary>
internal sealed record Subject(ProjectDefinition Project, ImageDefinition Image, BuiltImage Built, BuildRecipe Recipe)
{
    public string Name => $"{Project.Name}/{Image.Name}";
}

/// <summary>Tests, scans and signs an image. What was found about it by the same questions, for the same project and with the same key, is not asked again.</summary>
internal sealed class EvidenceStage(CommandContext context, Uri server)
{
    private readonly Terminal _terminal = context.Terminal;
    private readonly DirectoryStore _store = new(context.Home.Content);

    public async Task<EvidenceResult> RunAsync(Subject subject, IReadOnlyList<GossFile> files, CancellationToken cancellationToken)
    {
        using var key = await KeysCommands.Open(context.Home).LoadOrCreateAsync(cancellationToken);
        var questions = ImageQuestions.Of(subject.Project, subject.Image, GossFiles.Described(files));
        string record = Path.Combine(context.Home.Cache, "evidence", $"{subject.Built.Digest.Hex}-{KeyOf(subject, questions, key.Id).Short}.json");
        var known = await ReadAsync(record, cancellationToken) ?? KeptEvidence.None;
        if (!known.Failed)
            return new EvidenceResult(known.Manifests, IsNew: false, Failure: null);

        Directory.CreateDirectory(context.Home.Work);
        await using var image = await ImageUnderTest.UnpackAsync(_store, subject.Built.Digest, context.Home.Work, cancellationToken);
        var (statements, failure) = await ExamineAsync(subject, image, files, cancellationToken);
        var written = await new EvidenceWriter(_store, key, TimeProvider.System)
            .WriteAsync(image.Image.Descriptor, statements, reference: subject.Name, cancellationToken: cancellationToken);
        _terminal.Progress($"sign     {statements.Count} statements about {subject.Image.Name} with key {key.Id[..12]}");
        // A failure stays with the image: whoever publishes it later publishes that too.
        var kept = new KeptEvidence(failure is not null, [.. known.Manifests, .. written.Select(m => new PublishedEvidence(m.Descriptor, m.Tag))]);
        Write(record, kept);
        return new EvidenceResult(kept.Manifests, IsNew: true, failure);
    }

    private async Task<(IReadOnlyList<Statement> Statements, string? Failure)> ExamineAsync(Subject subject, ImageUnderTest image, IReadOnlyList<GossFile> files, CancellationToken cancellationToken)
    {
        List<(string Type, JsonElement Predicate)> found = [];
        if (files.Count > 0)
        {
            var tests = await Examination.TestAsync(image, files, ImageQuestions.SandboxOf(subject.Project, subject.Image, context.Home.Work), cancellationToken);
            Examination.Print(_terminal, subject.Image.Name, tests, isResult: false);
            found.Add((PredicateType.TestResult, tests.ToPredicate()));
            if (!tests.Succeeded)
                return (Bind(subject, found), $"{tests.Failed} of {tests.Results.Count} checks of {subject.Image.Name} failed");
        }

        var packages = PackageInventory.Read(image.Root);
        var secrets = await SecretScanner.ScanAsync(image.Store, image.Image, cancellationToken);
        var claims = ClaimChecker.Check(image, subject.Image.Claims);
        found.Add((PredicateType.Provenance, BuildProvenance.Of(subject.Recipe).ToPredicate()));
        found.Add((PredicateType.CycloneDx, CycloneDx.ToPredicate(new SbomSubject(subject.Name, subject.Built.Digest, subject.Built.Config.Created), packages)));
        found.Add((PredicateType.SecretScan, secrets.ToPredicate()));
        found.Add((PredicateType.Claims, claims.ToPredicate()));
        Examination.Print(_terminal, subject.Image.Name, packages, secrets, claims, isResult: false);
        return ([Statement.Signature(subject.Built.Digest, subject.Name), .. Bind(subject, found)], null);
    }

    private static List<Statement> Bind(Subject subject, IEnumerable<(string Type, JsonElement Predicate)> found)
    {
        var binding = new StatementBinding(subject.Project.Name, subject.Image.Name, TimeProvider.System.GetUtcNow());
        return [.. found.Select(f => Statement.About(subject.Built.Digest, binding, f.Type, f.Predicate))];
    }

    /// <summary>Whose answers, to which questions, for which server, as one name: another project, version, key or rule asks again. Another server knows another history of the project.</summary>
    private Digest KeyOf(Subject subject, ImageQuestions questions, string key) => Digest.Of(Encoding.UTF8.GetBytes(string.Join(
        '\n', Application.Version, server.Authority, subject.Name, subject.Image.Version, key, questions.Digest)));

    private async Task<KeptEvidence?> ReadAsync(string path, CancellationToken cancellationToken)
    {
        if (!File.Exists(path))
            return null;

        try
        {
            var known = JsonSerializer.Deserialize(await File.ReadAllBytesAsync(path, cancellationToken), EvidenceRecordJson.Default.KeptEvidence);
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

/// <summary>Reads an image's goss files.</summary>
internal static class GossFiles
{
    /// <summary>The files as the project's questions name them. A goss file includes no other: that key is refused, so its own text is all that is asked.</summary>
    public static IReadOnlyList<TestFile> Described(IReadOnlyList<GossFile> files) => [.. files.Select(f => new TestFile(f.Name, f.Digest))];

    /// <summary>Those that a project names, which are its files, by image. All that is wrong with any of them is said at once.</summary>
    public static Dictionary<string, IReadOnlyList<GossFile>> Load(string directory, ProjectDefinition project)
    {
        using var root = new ProjectDirectory(directory);
        var diagnostics = new DiagnosticBag();
        var files = project.Images.ToDictionary(
            i => i.Name,
            i => Load(directory, i.Tests, name => root.FindText(name, ProjectFiles.Name(Path.Combine(directory, name))), diagnostics, i),
            StringComparer.Ordinal);
        diagnostics.ThrowIfErrors();
        return files;
    }

    /// <summary>Those that a person typed.</summary>
    public static IReadOnlyList<GossFile> LoadTyped(string directory, IReadOnlyList<string> names)
    {
        var diagnostics = new DiagnosticBag();
        var loaded = Load(directory, names, Find, diagnostics, image: null);
        diagnostics.ThrowIfErrors();
        return loaded;

        SourceText? Find(string name)
        {
            using var files = ProjectDirectory.OfTyped(directory, name, out string path);
            return files.FindText(path, ProjectFiles.Name(Path.GetFullPath(name, directory)));
        }
    }

    private static IReadOnlyList<GossFile> Load(
        string directory, IReadOnlyList<string> names, Func<string, SourceText?> find, DiagnosticBag diagnostics, ImageDefinition? image)
    {
        List<GossFile> files = [];
        foreach (var (index, name) in names.Index())
        {
            if (find(name) is { } source)
            {
                files.Add(GossFile.Parse(source, diagnostics) with { Name = name });
                continue;
            }

            string shown = ProjectFiles.Name(Path.GetFullPath(name, directory));
            string? path = image is null ? null : $"images/{image.Name}/tests";
            diagnostics.Error("no-file", $"there is no test file '{shown}'", image?.TestSpans.ElementAtOrDefault(index), path: path);
        }

        return files;
    }
}
