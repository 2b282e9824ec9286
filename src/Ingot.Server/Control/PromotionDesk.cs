using Ingot.Oci.Content;
using Ingot.Policies;
using Ingot.Server.Api;
using Ingot.Server.Ledger;
using Ingot.Templates.Project;

namespace Ingot.Server.Control;

/// <summary>Decides from evidence whether a digest enters a stage, and records what was decided and what people said.</summary>
internal sealed class PromotionDesk(LedgerStore ledger, Projects projects, Candidates candidates, TimeProvider time)
{
    /// <summary>Decides and records. A digest that is admitted already stays so until it is revoked, and nothing new is recorded while the answer is the same.</summary>
    public async Task<DecisionReply> PromoteAsync(PromotionRequest request, string by, CancellationToken cancellationToken)
    {
        var (project, image, stage) = Find(request.Project, request.Image, request.Stage);
        if (Standing(project, image, stage, request.Digest) is { Admitted: true } standing)
            return await ReplyAsync(project, image, request.Digest, stage.Name, standing, cancellationToken);

        var decision = await DecideAsync(project, image, stage, request.Digest, cancellationToken);
        var record = new LedgerEvent.PromotionDecided(project.Name, image.Name, Repository(project, image), request.Digest, stage.Name, decision.Admitted, [.. decision.Gates.Select(Record)]);
        await ledger.AppendAsync(by, view => Repeats(view, record) ? [] : [record], cancellationToken);
        return await ReplyAsync(project, image, request.Digest, decision, decision.Admitted ? time.GetUtcNow() : null, cancellationToken);
    }

    /// <summary>What a promotion would say now, or said when the digest was admitted.</summary>
    public async Task<DecisionReply> ExplainAsync(string projectName, string imageName, string stageName, Digest digest, CancellationToken cancellationToken)
    {
        var (project, image, stage) = Find(projectName, imageName, stageName);
        if (Standing(project, image, stage, digest) is { Admitted: true } standing)
            return await ReplyAsync(project, image, digest, stage.Name, standing, cancellationToken);

        return await ReplyAsync(project, image, digest, await DecideAsync(project, image, stage, digest, cancellationToken), since: null, cancellationToken);
    }

    /// <summary>Records a person's word and answers with what it changes.</summary>
    public async Task<DecisionReply> ApproveAsync(ApprovalRequest request, string by, CancellationToken cancellationToken)
    {
        var (project, image, stage) = Find(request.Project, request.Image, request.Stage);
        if (stage.Approvals is { From: { Count: > 0 } from } && !from.Contains(by, StringComparer.Ordinal))
            throw new ApiException("refused", $"stage '{stage.Name}' takes approvals from {string.Join(", ", from)}, and this is the token of '{by}'");

        LedgerEvent word = request.Approved
            ? new LedgerEvent.Approved(project.Name, image.Name, request.Digest, stage.Name, by, request.Why)
            : new LedgerEvent.Rejected(project.Name, image.Name, request.Digest, stage.Name, by, request.Why);
        await ledger.AppendAsync(by, word, cancellationToken);
        return await ExplainAsync(project.Name, image.Name, stage.Name, request.Digest, cancellationToken);
    }

    public async Task<ResolveReply> RevokeAsync(RevocationRequest request, string by, CancellationToken cancellationToken)
    {
        var (project, image) = FindImage(request.Project, request.Image);
        await ledger.AppendAsync(by, new LedgerEvent.Revoked(project.Name, image.Name, request.Digest, request.Why), cancellationToken);
        return new ResolveReply(project.Name, image.Name, request.Digest, await candidates.VersionAsync(project.Name, image.Name, request.Digest, cancellationToken));
    }

    /// <summary>The digest a tag names, or the digest given, when it is published; without either the newest version that is proved.</summary>
    public async Task<ResolveReply> ResolveAsync(string project, string image, string? tag, string? digest, CancellationToken cancellationToken)
    {
        Digest? found = digest is not null ? Published(project, image, digest) : string.IsNullOrEmpty(tag) ? null : Tagged(project, image, tag);
        if (found is { } published)
            return new ResolveReply(project, image, published, await candidates.VersionAsync(project, image, published, cancellationToken));

        return await candidates.NewestAsync(project, image, cancellationToken) is { } newest
            ? new ResolveReply(project, image, newest.Digest, newest.Tag)
            : throw new ApiException("not_found", $"no version of '{project}/{image}' that this project built is published here: publish it with 'ingot up', or name it by its tag or digest");
    }

    private Digest Published(string project, string image, string digest) =>
        Digest.TryParse(digest, out var wanted) && ledger.Read(view => view.Manifest($"{project}/{image}", wanted)) is not null
            ? wanted
            : throw new ApiException("not_found", $"'{project}/{image}@{digest}' is not published here");

    private Digest Tagged(string project, string image, string tag) => ledger.Read(view => view.Tag($"{project}/{image}", tag))?.Digest
        ?? throw new ApiException("not_found", $"'{project}/{image}:{tag}' is not published here: publish it with 'ingot up'");

    private static bool Repeats(LedgerView view, LedgerEvent.PromotionDecided decided) =>
        view.Promotion(decided.Project, decided.Image, decided.Stage, decided.Digest) is { } last
        && last.Admitted == decided.Admitted && last.Gates.Select(Text).SequenceEqual(decided.Gates.Select(Text), StringComparer.Ordinal);

    // A soak says another time at every look; only the verdicts and what they rest on make a decision new.
    private static string Text(GateRecord gate) => $"{gate.Gate} {gate.Verdict} {string.Join(' ', gate.Evidence)}";

    private async Task<Decision> DecideAsync(ProjectDefinition project, ImageDefinition image, StageDefinition stage, Digest digest, CancellationToken cancellationToken) =>
        Policy.Decide(await candidates.OfAsync(project, image, stage, digest, cancellationToken));

    /// <summary>What was decided, when it still counts: a revocation or a later rejection undoes it.</summary>
    private Promotion? Standing(ProjectDefinition project, ImageDefinition image, StageDefinition stage, Digest digest) => ledger.Read(view =>
        view.Revocation(project.Name, image.Name, digest) is not null || view.Approvals(project.Name, image.Name, stage.Name, digest).Any(a => !a.IsApproved)
            ? null
            : view.Promotion(project.Name, image.Name, stage.Name, digest));

    private (ProjectDefinition, ImageDefinition) FindImage(string projectName, string imageName)
    {
        var project = projects.Get(projectName);
        return (project, project.Images.FirstOrDefault(i => i.Name == imageName) ?? throw new ApiException("not_found", $"the project '{project.Name}' has no image '{imageName}'"));
    }

    private (ProjectDefinition, ImageDefinition, StageDefinition) Find(string projectName, string imageName, string stageName)
    {
        var (project, image) = FindImage(projectName, imageName);
        var stage = project.Stages.FirstOrDefault(s => s.Name == stageName);
        return stage is null
            ? throw new ApiException("not_found", $"the project '{project.Name}' has no stage '{stageName}'; its stages are {string.Join(", ", project.Stages.Select(s => s.Name))}")
            : (project, image, stage);
    }

    private static string Repository(ProjectDefinition project, ImageDefinition image) => $"{project.Name}/{image.Name}";

    private static GateRecord Record(GateResult gate) => new(gate.Gate, gate.Verdict.ToString().ToLowerInvariant(), gate.Reason, gate.Evidence);

    private async Task<DecisionReply> ReplyAsync(ProjectDefinition project, ImageDefinition image, Digest digest, Decision decision, DateTimeOffset? since, CancellationToken cancellationToken) => new(
        project.Name, image.Name, digest, await candidates.VersionAsync(project.Name, image.Name, digest, cancellationToken), decision.Stage, decision.Admitted ? "admitted" : "refused", since,
        [.. decision.Gates.Select(g => new GateReply(g.Gate, g.Verdict.ToString().ToLowerInvariant(), g.Reason, g.Cure, g.Evidence))]);

    private async Task<DecisionReply> ReplyAsync(ProjectDefinition project, ImageDefinition image, Digest digest, string stage, Promotion promotion, CancellationToken cancellationToken) => new(
        project.Name, image.Name, digest, await candidates.VersionAsync(project.Name, image.Name, digest, cancellationToken), stage, "admitted", promotion.Time,
        [.. promotion.Gates.Select(g => new GateReply(g.Gate, g.Verdict, g.Reason, null, g.Evidence))]);
}
