using Ingot.Evidence;
using Ingot.Oci.Content;
using Ingot.Policies;
using Ingot.Server.Api;
using Ingot.Server.Ledger;
using Ingot.Templates.Project;

namespace Ingot.Server.Control;

/// <summary>Decides from evidence whether a digest enters a stage, and records what was decided and what people said.</summary>
internal sealed class PromotionDesk(LedgerStore ledger, ProjectBook projects, Candidates candidates)
{
    // What a decision rests on may change while evidence is read; a digest that is being rolled out has a new entry every second.
    private const int Attempts = 20;

    /// <summary>Decides and records. A digest that is admitted stays so until a gate says the opposite, somebody withdraws it, or what it
    /// rests on falls; nothing new is recorded while the answer is the same.</summary>
    public Task<DecisionReply> PromoteAsync(PromotionRequest request, string by, CancellationToken cancellationToken) =>
        DecideAsync(request, by, _ => true, cancellationToken);

    private async Task<DecisionReply> DecideAsync(
        PromotionRequest request, string by, Func<Decision, bool> isRecorded, CancellationToken cancellationToken)
    {
        for (int i = 0; i < Attempts; i++)
        {
            var basis = ledger.Read(view => DecisionBasis.Of(view, request.Project, request.Image, request.Digest));
            var (project, image, stage) = Find(request.Project, request.Image, request.Stage);
            var candidate = await candidates.OfAsync(project, image, stage, request.Digest, cancellationToken);
            var decision = Policy.Decide(candidate);
            var record = Record(project, image, decision, candidate.Evidence);
            bool stands = false, isDone = false;
            await ledger.AppendAsync(by, view =>
            {
                stands = !ShowsTheOpposite(decision)
                    && Standing.Admission(view, At(project, image, stage, request.Digest), stage) is not null;
                isDone = DecisionBasis.Of(view, request.Project, request.Image, request.Digest) == basis;
                return isDone && !stands && isRecorded(decision) && !Repeats(view, record) ? [record] : [];
            }, cancellationToken);
            if (isDone)
                return await ReplyAsync(project, image, stage, request.Digest, decision, stands || decision.Admitted, cancellationToken);
        }

        throw new ApiException("refused", $"the evidence for {request.Digest} kept changing while it was read: ask again");
    }

    /// <summary>Decides again about an admission that may have fallen, and records it when evidence that is left carries it, or speaks
    /// against it. It is refused when what it rests on changed again and again meanwhile:
    /// then nobody knows whether the admission stands.</summary>
    public async Task ReconsiderAsync(PromotionRow admission, string by, CancellationToken cancellationToken)
    {
        try
        {
            var request = new PromotionRequest(admission.Project, admission.Image, admission.Stage, admission.Digest);
            await DecideAsync(request, by, decision => decision.Admitted || ShowsTheOpposite(decision), cancellationToken);
        }
        catch (ApiException e) when (e.Code == "not_found")
        {
            // The project, the image or the stage is no more: what fell stays fallen.
        }
    }

    /// <summary>What a promotion would say now, or said when the digest was admitted.</summary>
    public async Task<DecisionReply> ExplainAsync(
        string projectName, string imageName, string stageName, Digest digest, CancellationToken cancellationToken)
    {
        var (project, image, stage) = Find(projectName, imageName, stageName);
        var at = At(project, image, stage, digest);
        var (admission, fallen) = ledger.Read(view => (Standing.Admission(view, at, stage), Fallen(view, at, stage)));
        if (admission is not null)
            return await ReplyAsync(project, image, digest, stage.Name, admission, cancellationToken);

        var decision = Policy.Decide(await candidates.OfAsync(project, image, stage, digest, cancellationToken));
        return (await ReplyAsync(project, image, digest, decision, since: null, cancellationToken)) with { Fallen = fallen };
    }

    /// <summary>Records a person's word and answers with what it changes.
    /// Who may speak is asked of the project as it is when the word is recorded.</summary>
    public async Task<DecisionReply> ApproveAsync(ApprovalRequest request, string by, CancellationToken cancellationToken)
    {
        for (int i = 0; i < Attempts; i++)
        {
            var applied = ledger.Read(view => view.Project(request.Project)?.Entry);
            var (project, image, stage) = Find(request.Project, request.Image, request.Stage);
            var entries = await ledger.AppendAsync(
                by, view => view.Project(request.Project)?.Entry == applied
                    ? [Word(view, At(project, image, stage, request.Digest), stage, request, by)]
                    : [], cancellationToken);
            if (entries.Count > 0)
                return await ExplainAsync(project.Name, image.Name, stage.Name, request.Digest, cancellationToken);
        }

        throw new ApiException("refused", $"the project '{request.Project}' was applied again several times meanwhile: ask again");
    }

    // Whoever rejected an image may always take that back, also when the project no longer asks them:
    // their approval counts for nothing more then.
    private static LedgerEvent Word(LedgerView view, Standpoint at, StageDefinition stage, ApprovalRequest request, string by)
    {
        bool takesBack = request.Approved && view.Approvals(at.Project, at.Image, at.Stage, at.Digest).Any(word => word.Who == by);
        if (!takesBack && !Standing.MaySpeak(stage, by))
            throw new ApiException("refused",
                $"stage '{stage.Name}' accepts approvals from {string.Join(", ", stage.Approvals!.From)}, and this is the token of '{by}'");

        return request.Approved
            ? new LedgerEvent.Approved(at.Project, at.Image, at.Digest, at.Stage, by, request.Why,
                Standing.IsPublisher(view, at, by) ? true : null)
            : new LedgerEvent.Rejected(at.Project, at.Image, at.Digest, at.Stage, by, request.Why);
    }

    /// <summary>Why an admission that was given counts no more; null when none was given.</summary>
    private static string? Fallen(LedgerView view, Standpoint at, StageDefinition stage) =>
        view.Promotion(at.Project, at.Image, at.Stage, at.Digest) is { Admitted: true } given
            && Standing.Objection(view, Door.Promote, at, stage) is { } objection
            ? $"it was admitted on {given.Time:yyyy-MM-dd HH:mm:ss'Z'}, and that no longer counts: {objection.Reason}"
            : null;

    // Not knowing takes nothing away from what was proved, nor does a soak that was made longer; a gate that shows the opposite does.
    private static bool ShowsTheOpposite(Decision decision) =>
        decision.Gates.Any(gate => gate is { Verdict: GateVerdict.Fail, Gate: not "soak" });

    private static Standpoint At(ProjectDefinition project, ImageDefinition image, StageDefinition stage, Digest digest) =>
        new(project.Name, image.Name, stage.Name, digest);

    public async Task<ResolveReply> RevokeAsync(RevocationRequest request, string by, CancellationToken cancellationToken)
    {
        var (project, image) = FindImage(request.Project, request.Image);
        await ledger.AppendAsync(by, new LedgerEvent.Revoked(project.Name, image.Name, request.Digest, request.Why), cancellationToken);
        return new ResolveReply(project.Name, image.Name, request.Digest,
            await candidates.VersionAsync(project.Name, image.Name, request.Digest, cancellationToken));
    }

    /// <summary>The digest a tag names, or the digest given, when it is published;
    /// without either the newest version that is proved.</summary>
    public async Task<ResolveReply> ResolveAsync(
        string project, string image, string? tag, string? digest, CancellationToken cancellationToken)
    {
        Digest? found = digest is not null ? Published(project, image, digest)
            : string.IsNullOrEmpty(tag) ? null
            : Tagged(project, image, tag);
        if (found is { } published)
            return new ResolveReply(project, image, published, await candidates.VersionAsync(project, image, published, cancellationToken));

        return await candidates.NewestAsync(project, image, cancellationToken) is { } newest
            ? new ResolveReply(project, image, newest.Digest, newest.Tag)
            : throw new ApiException("not_found", $"no version of '{project}/{image}' that this project built is published here: "
                + "publish it with 'ingot up', or name it by its tag or digest");
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
    private static string Text(GateRecord gate) =>
        $"{gate.Gate} {gate.Verdict} {string.Join(' ', gate.Evidence)} "
        + $"{string.Join(' ', gate.Signers?.Select(s => $"{s.Key} {s.PredicateType}") ?? [])}";

    private (ProjectDefinition, ImageDefinition) FindImage(string projectName, string imageName)
    {
        var project = projects.Get(projectName);
        return (project, project.Images.FirstOrDefault(i => i.Name == imageName) ?? throw new ApiException("not_found", ApiText.NoSuch(
            $"the project '{project.Name}' has no image '{imageName}'", imageName, "images", project.Images.Select(i => i.Name))));
    }

    private (ProjectDefinition, ImageDefinition, StageDefinition) Find(string projectName, string imageName, string stageName)
    {
        var (project, image) = FindImage(projectName, imageName);
        var stage = project.Stages.FirstOrDefault(s => s.Name == stageName);
        return stage is null
            ? throw new ApiException("not_found", ApiText.NoSuch($"the project '{project.Name}' has no stage '{stageName}'", stageName,
                "stages", project.Stages.Select(s => s.Name)))
            : (project, image, stage);
    }

    private static string Repository(ProjectDefinition project, ImageDefinition image) => $"{project.Name}/{image.Name}";

    private static LedgerEvent.PromotionDecided Record(
        ProjectDefinition project, ImageDefinition image, Decision decision, EvidenceSet set) =>
        new(
            project.Name, image.Name, Repository(project, image), decision.Image, decision.Stage, decision.Admitted,
            [.. decision.Gates.Select(gate => Record(gate, set))]);

    private static GateRecord Record(GateResult gate, EvidenceSet set) => new(
        gate.Gate, gate.Verdict.ToString().ToLowerInvariant(), gate.Reason, gate.Evidence,
        [.. set.Records.Where(r => gate.Evidence.Contains(r.Manifest))
            .Select(r => new GateSigner(r.Signer.Key.Id, r.Statement.PredicateType)).Distinct()]);

    private Task<DecisionReply> ReplyAsync(
        ProjectDefinition project, ImageDefinition image, StageDefinition stage, Digest digest, Decision decision, bool admitted,
        CancellationToken cancellationToken) =>
        admitted && ledger.Read(view => view.Promotion(project.Name, image.Name, stage.Name, digest)) is { Admitted: true } admission
            ? ReplyAsync(project, image, digest, stage.Name, admission, cancellationToken)
            : ReplyAsync(project, image, digest, decision, since: null, cancellationToken);

    private async Task<DecisionReply> ReplyAsync(
        ProjectDefinition project, ImageDefinition image, Digest digest, Decision decision, DateTimeOffset? since,
        CancellationToken cancellationToken) =>
        new(
            project.Name, image.Name, digest, await candidates.VersionAsync(project.Name, image.Name, digest, cancellationToken),
            decision.Stage, decision.Admitted ? "admitted" : "refused", since,
            [.. decision.Gates.Select(g => new GateReply(g.Gate, g.Verdict.ToString().ToLowerInvariant(), g.Reason, g.Cure, g.Evidence))]);

    private async Task<DecisionReply> ReplyAsync(
        ProjectDefinition project, ImageDefinition image, Digest digest, string stage, PromotionRow promotion,
        CancellationToken cancellationToken) =>
        new(
            project.Name, image.Name, digest, await candidates.VersionAsync(project.Name, image.Name, digest, cancellationToken), stage,
            "admitted", promotion.Time,
            [.. promotion.Gates.Select(g => new GateReply(g.Gate, g.Verdict, g.Reason, null, g.Evidence))]);
}
