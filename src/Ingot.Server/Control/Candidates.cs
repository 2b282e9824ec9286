using Ingot.Evidence.Provenance;
using Ingot.Oci.Content;
using Ingot.Policies;
using Ingot.Server.Ledger;
using Ingot.Templates.Project;

namespace Ingot.Server.Control;

/// <summary>Gathers what a decision about an image rests on: its verified evidence, the questions and sources the project was applied with,
/// and what people said.</summary>
internal sealed class Candidates(LedgerStore ledger, ProjectBook projects, EvidenceShelf evidence, TimeProvider time)
{
    /// <summary>An image that asks to be admitted to a stage.</summary>
    public async Task<Candidate> OfAsync(
        ProjectDefinition project, ImageDefinition image, StageDefinition stage, Digest digest, CancellationToken cancellationToken)
    {
        int index = project.Stages.Select(s => s.Name).ToList().IndexOf(stage.Name);
        var before = index <= 0 ? null : project.Stages[index - 1];
        var set = await evidence.ReadAsync(Repository(project.Name, image.Name), digest, cancellationToken);
        var layers = await evidence.LayersAsync(digest, cancellationToken);
        return ledger.Read(view => new Candidate
        {
            Digest = digest,
            Project = project.Name,
            Image = image,
            Questions = ProjectBook.Questions(view, project, image),
            Sources = projects.Sources(view, project.Name, image.Name),
            Layers = layers,
            Stage = stage,
            Before = before,
            AdmittedBefore = before is null
                ? null
                : Standing.Admission(view, new Standpoint(project.Name, image.Name, before.Name, digest), before)?.Time,
            Evidence = set,
            Approvals = [.. view.Approvals(project.Name, image.Name, stage.Name, digest)
                .Select(word => Word(view, new Standpoint(project.Name, image.Name, stage.Name, digest), word))],
            Revoked = view.Revocation(project.Name, digest) is { } revoked ? $"{revoked.Reason} ({revoked.Actor})" : null,
            Now = time.GetUtcNow(),
        });
    }

    /// <summary>The version of an image, for people; null when none is proved. A tag alone proves nothing, whoever may push can put one on
    /// any image: provenance must name the version too.</summary>
    public async Task<string?> VersionAsync(string project, string image, Digest digest, CancellationToken cancellationToken) =>
        (await ProvedAsync(project, image, ledger.Read(view => view.TagsOf(Repository(project, image), digest)), cancellationToken))?.Tag;

    /// <summary>The version that was published last among those that are proved; null when none is.</summary>
    public Task<BoundTag?> NewestAsync(string project, string image, CancellationToken cancellationToken) =>
        ProvedAsync(project, image, ledger.Read(view => view.Tags(Repository(project, image))), cancellationToken);

    /// <summary>Whether a tag names a version of an image: accepted provenance names it. Where none is accepted that cannot be told,
    /// and the answer is yes.</summary>
    public async Task<bool> IsVersionAsync(string repository, string tag, Digest digest, CancellationToken cancellationToken)
    {
        if (repository.Split('/') is not [var projectName, var imageName] || Find(projectName, imageName) is not ({ } project, { } image))
            return true;

        var versions = await VersionsAsync(project, image, digest, cancellationToken);
        return versions.Count == 0 || versions.Contains(tag, StringComparer.Ordinal);
    }

    private (ProjectDefinition? Project, ImageDefinition? Image) Find(string projectName, string imageName) =>
        projects.Find(projectName) is { } project ? (project, project.Images.FirstOrDefault(i => i.Name == imageName)) : default;

    private async Task<IReadOnlyList<string>> VersionsAsync(
        ProjectDefinition project, ImageDefinition image, Digest digest, CancellationToken cancellationToken) =>
        BuiltInGates.Versions(await OfAsync(project, image, project.Stages.Count > 0 ? project.Stages[0] : new StageDefinition("", default),
            digest, cancellationToken));

    private async Task<BoundTag?> ProvedAsync(
        string projectName, string imageName, IReadOnlyList<BoundTag> tags, CancellationToken cancellationToken)
    {
        if (Find(projectName, imageName) is not ({ } project, { } image))
            return null;

        var versions = new Dictionary<Digest, IReadOnlyList<string>>();
        foreach (var tag in tags.Where(t => !t.Tag.StartsWith("sha256-", StringComparison.Ordinal)).OrderByDescending(t => t.Entry))
        {
            if (!versions.TryGetValue(tag.Digest, out var named))
                versions[tag.Digest] = named = await VersionsAsync(project, image, tag.Digest, cancellationToken);
            if (named.Contains(tag.Tag, StringComparer.Ordinal))
                return tag;
        }

        return null;
    }

    private static Approval Word(LedgerView view, Standpoint at, ApprovalRow word) =>
        new(word.Who, word.IsApproved,
            word.IsApproved && Standing.IsPublisher(view, at, word.Who) ? $"{word.Reason}; published it too" : word.Reason, word.Time);

    private static string Repository(string project, string image) => $"{project}/{image}";
}
