using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ingot.Diagnostics;
using Ingot.Evidence.Provenance;
using Ingot.Oci.Content;
using Ingot.Policies;
using Ingot.Server.Access;
using Ingot.Server.Api;
using Ingot.Server.Ledger;
using Ingot.Templates.Project;

namespace Ingot.Server.Control;

/// <summary>The projects as last applied. What the server decides about a project, it decides by the text in its ledger,
/// not by what a caller says of it.</summary>
internal sealed class ProjectBook(LedgerStore ledger)
{
    // What is older was built so long ago that it is to be built again.
    private const int MaxSources = 500;
    private const int EntriesAtOnce = 100;

    private static readonly string s_appliedKind = new LedgerEvent.ProjectApplied("", default, "").Kind;

    private readonly ConcurrentDictionary<string, (long Entry, IReadOnlyList<AppliedSource> Applied)> _sources =
        new(StringComparer.Ordinal);

    public ProjectDefinition Get(string name) => Find(name)
        ?? throw new ApiException("not_found", $"the server knows no project '{name}': apply it with 'ingot up'");

    public ProjectDefinition? Find(string name) => ledger.Read(view => view.Project(name)) is { } applied ? Parse(applied.Text) : null;

    /// <summary>Records a project's file, the digests of its tests and where it is built from,
    /// when any of it differs from what is recorded.</summary>
    public async Task<ProjectReply> ApplyAsync(string name, ProjectRequest request, Principal by, CancellationToken cancellationToken)
    {
        var project = Parse(request.Yaml);
        if (project.Name != name)
            throw new ApiException("invalid", $"the file belongs to project '{project.Name}', not '{name}'");
        RequireRoom(project);

        var standing = ledger.Read(view => view.Project(name));
        if (!by.Has(Role.Administrator) && RulesOf(project) != (standing is null ? null : RulesOf(Parse(standing.Text))))
            throw new ApiException("forbidden", $"'{by.Name}' may not change the stages of '{name}', their gates, who approves, "
                + "or what images claim: that needs the role administrator");

        var applied = new LedgerEvent.ProjectApplied(name, Digest.Of(Encoding.UTF8.GetBytes(request.Yaml)), request.Yaml,
            Images(project, request.Images));
        var entries = await ledger.AppendAsync(by.Name, view =>
        {
            // The rules that were looked at are those that stand: an administrator may have changed them meanwhile.
            if (view.Project(name)?.Entry != standing?.Entry)
                throw new ApiException("refused", $"somebody applied the project '{name}' at the same time: try again");
            return Repeats(view, applied) ? [] : [applied];
        }, cancellationToken);
        return new ProjectReply(name, applied.Digest, entries.Count > 0, ledger.Read(view => Left(view, project)));
    }

    // Every generation that is kept, twenty and two at most, is in one request of a rollout.
    private const int MaxConfiguration = 128 << 10;

    /// <summary>Refuses a configuration that the records of a rollout would have no room for.</summary>
    private static void RequireRoom(ProjectDefinition project)
    {
        foreach (var service in project.Services)
        {
            int size = project.Stages.Select(stage => service.ConfigOf(stage.Name)).Append(service.Config)
                .Max(config => config.Sum(pair => JsonSerializer.SerializeToUtf8Bytes(pair.Key, RulesJson.Default.String).Length
                    + JsonSerializer.SerializeToUtf8Bytes(pair.Value, RulesJson.Default.String).Length));
            if (size > MaxConfiguration)
                throw new ApiException("invalid", $"the configuration of the service '{service.Name}' has {size} bytes: "
                    + $"it may have {MaxConfiguration}; put what is large into the image");
        }
    }

    /// <summary>Whether a project no longer has a service at a stage where something of it may run.</summary>
    public static bool IsLeft(ProjectDefinition? project, string service, string stage) => project is not null
        && (project.Services.All(s => s.Name != service) || project.Stages.All(s => s.Name != stage || s.Target is null));

    private static List<LeftService>? Left(LedgerView view, ProjectDefinition project) =>
        view.LiveServices().Where(g => g.Project == project.Name && IsLeft(project, g.Service, g.Stage))
            .Select(g => new LeftService(g.Service, g.Stage)).ToList()
            is { Count: > 0 } left
            ? left
            : null;

    /// <summary>What a project asks about one of its images, by the digests it was last applied with.</summary>
    public static ImageQuestions Questions(LedgerView view, ProjectDefinition project, ImageDefinition image) =>
        ImageQuestions.Of(project, image, Last(view, project.Name)?.Images?.FirstOrDefault(i => i.Image == image.Name)?.Tests.Select(
            t => new TestFile(t.Name, t.Digest)).ToList());

    /// <summary>What the project was applied with, the latest first: an image of it may have been built from any of these.</summary>
    public IReadOnlyList<ProjectSource> Sources(LedgerView view, string project, string image)
    {
        if (view.Project(project) is not { } current)
            return [];
        if (!_sources.TryGetValue(project, out var known) || known.Entry != current.Entry)
            _sources[project] = known = (
                current.Entry, Applied(view, project, known.Applied is not null && known.Entry < current.Entry ? known : (-1, [])));
        return [.. known.Applied.Where(a => a.Image == image).Select(a => a.Source).Distinct()];
    }

    /// <summary>What is known, and what was applied since, the latest first. Everybody has as many as anybody:
    /// nobody pushes out what others applied.</summary>
    private static List<AppliedSource> Applied(LedgerView view, string project, (long Entry, IReadOnlyList<AppliedSource> Applied) known)
    {
        var all = new Dictionary<AppliedSource, long>();
        foreach (var old in known.Applied.Reverse())
            all[old] = all.Count - known.Applied.Count;
        var filter = new LedgerFilter { Project = project, Kind = s_appliedKind };
        long from = known.Entry + 1;
        while (view.Entries(from, EntriesAtOnce, filter) is { Count: > 0 } entries)
        {
            foreach (var source in entries.SelectMany(e => SourcesOf(e, view).Select(s => (Source: s, e.Seq))))
                all[source.Source] = source.Seq;
            from = entries[^1].Seq + 1;
        }

        return [.. all.GroupBy(a => (a.Key.By, a.Key.Image)).SelectMany(g => g.OrderByDescending(a => a.Value).Take(MaxSources))
            .OrderByDescending(a => a.Value).Select(a => a.Key)];
    }

    private static AppliedSource[] SourcesOf(LedgerEntry entry, LedgerView view) => view.Whole(entry.Event)
        is LedgerEvent.ProjectApplied { Images: { } images } applied
        ? [.. images.Select(i => new AppliedSource(entry.Actor, i.Image, new ProjectSource(applied.Digest, i.Repository, i.Commit)))]
        : [];

    private sealed record AppliedSource(string By, string Image, ProjectSource Source);

    private static LedgerEvent.ProjectApplied? Last(LedgerView view, string project) =>
        view.Project(project) is { } applied && view.Entry(applied.Entry) is { } entry
            ? view.Whole(entry.Event) as LedgerEvent.ProjectApplied
            : null;

    // A caller of an earlier version says nothing of the images: that is no reason to forget what was said,
    // as long as the file is the same.
    private static bool Repeats(LedgerView view, LedgerEvent.ProjectApplied applied) =>
        Last(view, applied.Project) is { } last
        && (applied.Images is null
            ? last.Digest == applied.Digest
            : LedgerJson.ToElement(last).GetRawText() == LedgerJson.ToElement(applied).GetRawText());

    private static List<AppliedImage>? Images(ProjectDefinition project, IReadOnlyList<ProjectImageRequest>? images)
    {
        if (images is null)
            return null;

        if (images.GroupBy(i => i?.Image).FirstOrDefault(g => g.Key is null || g.Count() > 1) is { } twice)
            throw new ApiException("invalid", $"the images of the request name '{twice.Key}' twice, or one of them has no name");
        return [.. images.Select(i => ImageOf(project, i)).OrderBy(i => i.Image, StringComparer.Ordinal)];
    }

    private static AppliedImage ImageOf(ProjectDefinition project, ProjectImageRequest request)
    {
        var image = project.Images.FirstOrDefault(i => i.Name == request.Image)
            ?? throw new ApiException("invalid", $"the project '{project.Name}' has no image '{Shown(request.Image)}'");
        if (request.Tests is null || !request.Tests.Select(t => t?.Name).SequenceEqual(image.Tests, StringComparer.Ordinal))
            throw new ApiException("invalid",
                $"the test files of '{image.Name}' in the request are not those of the project's file: {string.Join(", ", image.Tests)}");
        if (request.Tests.Any(t => t.Digest == default))
            throw new ApiException("invalid", $"a test file of '{image.Name}' in the request has no digest");
        if (request.Commit is not null && !(request.Commit.Length is 40 or 64 && request.Commit.All(char.IsAsciiHexDigitLower)))
            throw new ApiException("invalid", $"'{Shown(request.Commit)}' is not a commit");
        if (request.Repository is { } repository
            && (repository.Length is 0 or > 2048 || repository.Any(char.IsControl) || request.Commit is null))
            throw new ApiException("invalid", $"'{Shown(repository)}' is not the address of a repository that a commit was taken from");

        return new AppliedImage(image.Name, [.. request.Tests.Select(t => new AppliedFile(t.Name, t.Digest))],
            request.Repository, request.Commit);
    }

    private static string Shown(string text) => text.Length <= 64 ? text : text[..64] + "…";

    /// <summary>What decides who gets an image where: whoever may only publish or release must not change it.</summary>
    private static string RulesOf(ProjectDefinition project) => JsonSerializer.Serialize(
        project.Stages.Select(s =>
            (string[])[s.Name, s.Target ?? "", $"{s.Soak.Ticks}", $"{s.Approvals?.Count}", .. s.Approvals?.From ?? [], "gates", .. s.Gates])
            .Concat(project.Images.Select(i => (string[])["image", i.Name, .. i.Claims])).ToArray(),
        RulesJson.Default.StringArrayArray);

    internal static ProjectDefinition Parse(string yaml)
    {
        var diagnostics = new DiagnosticBag();
        var project = ProjectParser.Parse(new SourceText(ProjectDefinition.FileName, yaml), diagnostics);
        return diagnostics.HasErrors || project is null ? throw new ApiException("invalid", string.Join('\n', diagnostics)) : project;
    }
}

[JsonSerializable(typeof(string[][]))]
[JsonSerializable(typeof(string))]
internal sealed partial class RulesJson : JsonSerializerContext;
