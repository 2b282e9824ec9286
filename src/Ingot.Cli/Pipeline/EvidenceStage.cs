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
using Ingot.Templates.Project;

namespace Ingot.Cli.Pipeline;

/// <summary>The evidence about an image: what must be published, and whether any of it is new.</summary>
internal sealed record EvidenceResult(IReadOnlyList<PublishedEvidence> Manifests, bool IsNew);

/// <summary>A manifest that carries evidence, and the tag it goes under, if any.</summary>
internal sealed record PublishedEvidence(Descriptor Descriptor, string? Tag);

/// <summary>Tests, scans and signs an image. What was found about a digest by the same questions is not asked again.</summary>
internal sealed class EvidenceStage(CommandContext context)
{
    private readonly Terminal _terminal = context.Terminal;
    private readonly DirectoryStore _store = new(context.Home.Content);

    public async Task<EvidenceResult> RunAsync(ProjectDefinition project, ImageDefinition image, string directory, BuiltImage built, CancellationToken cancellationToken)
    {
        var files = GossFiles.Load(directory, image.Tests);
        string record = Path.Combine(context.Home.Cache, "evidence", $"{built.Digest.Hex}-{Questions(image, files)}.json");
        if (await ReadAsync(record, cancellationToken) is { } known)
            return new EvidenceResult(known, IsNew: false);

        using var key = await KeysCommands.Open(context.Home).LoadOrCreateAsync(cancellationToken);
        Directory.CreateDirectory(context.Home.Work);
        await using var subject = await ImageUnderTest.UnpackAsync(_store, built.Digest, context.Home.Work, cancellationToken);
        var statements = await ExamineAsync(project, image, built, subject, files, cancellationToken);
        var writer = new EvidenceWriter(_store, key, TimeProvider.System);
        var written = await writer.WriteAsync(subject.Image.Descriptor, statements, reference: $"{project.Name}/{image.Name}", cancellationToken: cancellationToken);
        _terminal.Progress($"sign     {statements.Count} statements about {image.Name} with key {key.Id[..12]}");
        List<PublishedEvidence> published = [.. written.Select(m => new PublishedEvidence(m.Descriptor, m.Tag))];
        Write(record, published);
        return new EvidenceResult(published, IsNew: true);
    }

    private async Task<IReadOnlyList<Statement>> ExamineAsync(ProjectDefinition project, ImageDefinition image, BuiltImage built, ImageUnderTest subject, IReadOnlyList<GossFile> files, CancellationToken cancellationToken)
    {
        string name = $"{project.Name}/{image.Name}";
        var recipe = await BuildRecipe.FindAsync(context.Home, built.Digest, cancellationToken) ?? throw new InvalidOperationException($"'{name}' was built without a record");
        Statement About(string type, JsonElement predicate) => Statement.About(built.Digest, name, type, predicate);
        List<Statement> statements =
        [
            Statement.Signature(built.Digest, name),
            About(PredicateType.Provenance, BuildProvenance.Of(recipe).ToPredicate()),
        ];
        if (files.Count > 0)
        {
            var tests = await Examination.TestAsync(context, subject, files, cancellationToken);
            Examination.Print(_terminal, image.Name, tests);
            if (!tests.Succeeded)
                throw new RefusedException($"{tests.Failed} of {tests.Results.Count} checks of {image.Name} failed: nothing is published");
            statements.Add(About(PredicateType.TestResult, tests.ToPredicate()));
        }

        var packages = PackageInventory.Read(subject.Root);
        var secrets = await SecretScanner.ScanAsync(subject.Store, subject.Image, cancellationToken);
        var claims = ClaimChecker.Check(subject, image.Claims);
        statements.Add(About(PredicateType.CycloneDx, CycloneDx.ToPredicate(new SbomSubject(name, built.Digest, built.Config.Created), packages)));
        statements.Add(About(PredicateType.SecretScan, secrets.ToPredicate()));
        statements.Add(About(PredicateType.Claims, claims.ToPredicate()));
        Examination.Print(_terminal, image.Name, packages, secrets, claims);
        return statements;
    }

    /// <summary>What is asked, as a name: another set of tests, claims or rules asks again.</summary>
    private static string Questions(ImageDefinition image, IReadOnlyList<GossFile> files)
    {
        var text = new StringBuilder(Application.Version).Append('\n');
        foreach (var file in files)
            text.Append("goss ").Append(file.Source.Name).Append(' ').Append(file.Digest).Append('\n');
        foreach (var claim in image.Claims)
            text.Append("claim ").Append(claim).Append('\n');
        return Digest.Of(Encoding.UTF8.GetBytes(text.ToString())).Short;
    }

    private async Task<IReadOnlyList<PublishedEvidence>?> ReadAsync(string path, CancellationToken cancellationToken)
    {
        if (!File.Exists(path))
            return null;

        try
        {
            var known = JsonSerializer.Deserialize(await File.ReadAllBytesAsync(path, cancellationToken), EvidenceRecordJson.Default.IReadOnlyListPublishedEvidence);
            foreach (var item in known ?? [])
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

    private static void Write(string path, IReadOnlyList<PublishedEvidence> published)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        AtomicFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(published, EvidenceRecordJson.Default.IReadOnlyListPublishedEvidence));
    }
}

[JsonSerializable(typeof(IReadOnlyList<PublishedEvidence>))]
internal sealed partial class EvidenceRecordJson : JsonSerializerContext;

/// <summary>Reads an image's goss files.</summary>
internal static class GossFiles
{
    /// <summary>Those that a project names, which are its files.</summary>
    public static IReadOnlyList<GossFile> Load(string directory, IReadOnlyList<string> names)
    {
        using var project = new ProjectDirectory(directory);
        return Load(directory, names, name => project.FindText(name, ProjectFiles.Name(Path.Combine(directory, name))));
    }

    /// <summary>Those that a person typed.</summary>
    public static IReadOnlyList<GossFile> LoadTyped(string directory, IReadOnlyList<string> names) => Load(directory, names, name =>
    {
        using var files = ProjectDirectory.OfTyped(directory, name, out string path);
        return files.FindText(path, ProjectFiles.Name(Path.GetFullPath(name, directory)));
    });

    private static List<GossFile> Load(string directory, IReadOnlyList<string> names, Func<string, SourceText?> find)
    {
        var diagnostics = new DiagnosticBag();
        List<GossFile> files = [];
        foreach (var name in names)
        {
            if (find(name) is { } source)
                files.Add(GossFile.Parse(source, diagnostics));
            else
                diagnostics.Error("no-file", $"there is no test file '{ProjectFiles.Name(Path.GetFullPath(name, directory))}'");
        }

        diagnostics.ThrowIfErrors();
        return files;
    }
}
