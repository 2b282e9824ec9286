using System.Text.Json;
using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;
using Ingot.Releases;
using Ingot.Server.Ledger;
using static Ingot.Server.Ledger.LedgerEvent;

namespace Ingot.Server.Api;

/// <summary>Tells an entry of the ledger as a sentence.</summary>
internal static class Story
{
    /// <summary>Whether an entry is a step in between, which only matters to those who look for it.</summary>
    public static bool IsDetail(LedgerEvent e) => e is RolloutAcknowledged made
        ? Made(made.Outcome)
        : e is RolloutIntent or RolloutMeasured or RepairAcknowledged or RolloutStateChanged { State: "Done" or "RolledBack" };

    /// <summary>The sentence. <paramref name="view"/> names what an entry only refers to.</summary>
    public static string Tell(LedgerEvent e, LedgerView view) => e switch
    {
        ServerStarted x => $"the server of version {x.Version} started",
        KeyCreated x => $"the {x.Purpose} key {Short(x.KeyId)} was made",
        KeyTrusted x =>
            $"the key {Named(x)} is trusted for {(x.Name is null ? x.Purpose : string.Join(", ", KeyRole.NamesOf(x.Predicates)))}",
        KeyRetired x => $"the key {Short(x.KeyId)} was retired: {x.Reason}",
        TokenCreated x => $"the token of {x.Name} was made "
            + $"({string.Join(", ", x.Roles)}){(x.Expires is { } end ? $", until {end:yyyy-MM-dd HH:mm}" : "")}",
        TokenRevoked x => $"the token of {x.Name} was revoked: {x.Reason}",
        LossAccepted x => $"the loss of entries was accepted: {x.Size} were left of {Math.Max(x.Size, x.RememberedSize)}: {x.Reason}",
        ProjectApplied x => $"project {x.Project} applied ({x.Digest.Short})",
        ImagePublished x => $"{Artifact(x)} {x.Repository}@{x.Digest.Short} published",
        EvidenceAttached x => $"evidence about {x.Repository}@{x.Subject.Short}: {Predicate(x)} ({x.Digest.Short})",
        TagBound { Replaced: { } image } x =>
            $"{x.Repository}:{Tag(x.Tag)} names {x.Digest.Short}, which holds {image.Short} that it named",
        TagBound x => $"{x.Repository}:{Tag(x.Tag)} names {x.Digest.Short}",
        TagDeleted x => $"tag {x.Repository}:{Tag(x.Tag)} deleted{(x.Reason is null ? "" : $": {x.Reason}")}",
        ManifestDeleted x => $"manifest {x.Repository}@{x.Digest.Short} deleted{Because(x.Reason)}",
        BlobDeleted x => $"blob {x.Digest.Short} deleted from {x.Repository}",
        BlobRestored x => $"blob {x.Digest.Short} pushed to {x.Repository} again",
        PromotionDecided x => $"{x.Repository}@{x.Digest.Short} {(x.Admitted ? "admitted to" : "refused by")} "
            + $"{x.Stage}{Objections((PromotionDecided)view.Whole(x))}",
        Approved x => $"{x.Who} approved {x.Project}/{x.Image}@{x.Digest.Short} for "
            + $"{x.Stage}{(x.OwnImage is true ? ", having published it" : "")}: {x.Reason}",
        Rejected x => $"{x.Who} rejected {x.Project}/{x.Image}@{x.Digest.Short} for {x.Stage}: {x.Reason}",
        Revoked x => $"{x.Project}/{x.Image}@{x.Digest.Short} revoked: {x.Reason}",
        Quarantined x =>
            $"{x.Digest.Short} quarantined for {x.Stage}/{x.Service}{(x.Settings is null ? "" : " with the settings it had")}: {x.Reason}",
        QuarantineLifted x => $"quarantine of {x.Digest.Short} for {x.Stage}/{x.Service} lifted: {x.Reason}",
        ReleaseRequested x => $"{x.Stage}/{x.Service}: rollout {x.Rollout} of {x.Version ?? x.Digest.Short} ({x.Digest.Short}) as "
            + $"generation {x.Generation}: {x.Reason}",
        RolloutIntent x => $"{Service(x.Rollout, view)}: is about to {x.Key}",
        RolloutAcknowledged x => $"{Service(x.Rollout, view)}: {x.Key}: {x.Outcome}",
        RolloutStateChanged x => $"{Service(x.Rollout, view)}: {State(x, view)}",
        RolloutMeasured x => $"{Service(x.Rollout, view)}: measured",
        RolloutPaused x => $"{Service(x.Rollout, view)}: {x.Who} paused it: {x.Reason}",
        RolloutResumed x => $"{Service(x.Rollout, view)}: {x.Who} resumed it: {x.Reason}",
        RolloutFinished x => $"{Service(x.Rollout, view)}: {Finished(x, view)}",
        GenerationRetired x => $"{x.Stage}/{x.Service}: generation {x.Generation} retired {x.Reason}",
        RepairIntended x => $"{x.Stage}/{x.Service}: repair: {x.Key}",
        RepairAcknowledged x => $"{x.Stage}/{x.Service}: repaired: {x.Key}: {x.Outcome}",
        ServiceStopping x => $"{x.Stage}/{x.Service} is being removed: {x.Reason}",
        ServiceStopped x => $"{x.Stage}/{x.Service} stopped: {x.Reason}",
        _ => e.Kind,
    };

    private static string State(RolloutStateChanged x, LedgerView view)
    {
        if (x.State == "Paused")
            return $"paused: {x.Reason}";

        if (view.Rollout(x.Rollout) is not { } rollout)
            return x.State;

        var state = ReleasesJson.ReadRecord(view.Whole(x.Detail).GetRawText(), view.Whole(rollout.Spec).GetRawText());
        string next = $"generation {state.Spec.Next.Number}";
        return state.Phase switch
        {
            RolloutPhase.Planned => "planned",
            RolloutPhase.Provisioning =>
                $"creating {state.Spec.Next.Replicas} instance{(state.Spec.Next.Replicas == 1 ? "" : "s")} of {next}",
            RolloutPhase.Warming => $"waiting until {next} is healthy",
            RolloutPhase.Shifting => state.AcknowledgedAt is null
                ? $"giving {state.Share} % of the traffic to {next}"
                : $"the proxy confirms {state.Share} % for {next}; watching",
            RolloutPhase.Soaking => state.Spec.Previous is { } old
                ? $"{next} takes all traffic; generation {old.Number} stands by"
                : $"{next} takes all traffic",
            RolloutPhase.Draining => $"generation {state.Spec.Previous?.Number} finishes what it has in flight",
            RolloutPhase.Retiring => "removing what is no longer kept",
            RolloutPhase.Aborting => $"turning back: {state.Reason}",
            RolloutPhase.Restoring =>
                state.Spec.Previous is { } old ? $"generation {old.Number} has the traffic again; stopping {next}" : $"stopping {next}",
            var phase => phase.ToString(),
        };
    }

    private static string Finished(RolloutFinished x, LedgerView view)
    {
        var receipt = view.Whole(x.Receipt).Deserialize(ReleasesJsonContext.Default.RolloutReceipt);
        string figures = receipt is null ? "" : $"; {receipt.UserRequests} requests, {receipt.UserFailures} failed, "
            + $"in {(receipt.FinishedAt - receipt.StartedAt).TotalSeconds:0.0} s";
        return x.Outcome switch
        {
            "Done" => $"done{figures}",
            "RolledBack" => $"rolled back: {x.Reason}{figures}",
            _ => $"{x.Outcome}: {x.Reason}",
        };
    }

    // "done", or "done" and the engine's id of what was made.
    private static bool Made(string outcome) => outcome == "done" || outcome.StartsWith("done ", StringComparison.Ordinal);

    private static string Service(string rollout, LedgerView view) => view.Rollout(rollout) is { } r ? $"{r.Stage}/{r.Service}" : rollout;

    private static string Objections(PromotionDecided x) => x.Admitted
        ? $" ({string.Join(", ", x.Gates.Select(g => g.Gate))})"
        : ": " + string.Join("; ", x.Gates.Where(g => g.Verdict != "pass").Select(g => $"{g.Gate}: {g.Reason}"));

    private static string Predicate(EvidenceAttached x) => (x.PredicateType ?? x.ArtifactType) switch
    {
        "https://sigstore.dev/cosign/sign/v1" => "signature",
        "https://slsa.dev/provenance/v1" => "provenance",
        "https://in-toto.io/attestation/test-result/v0.1" => "test result",
        "https://cyclonedx.org/bom" => "SBOM",
        "https://ingot.dev/evidence/secret-scan/v1" => "secret scan",
        "https://ingot.dev/evidence/claims/v1" => "claims",
        var other => other ?? x.MediaType,
    };

    private static string Tag(string tag) => tag.StartsWith("sha256-", StringComparison.Ordinal) && tag.Length > 24
        ? $"{tag[..19]}…{tag[tag.IndexOf('.', StringComparison.Ordinal)..]}"
        : tag;

    private static string Short(string id) => id.Length > 12 ? id[..12] : id;

    // Without an artifact type a manifest's configuration says what it is; cosign's older signatures look like images too.
    private static string Artifact(ImagePublished x) =>
        x.ArtifactType is null or MediaType.Config or MediaType.DockerConfig ? "manifest" : x.ArtifactType;

    private static string Named(KeyTrusted x) => x.Name is null ? Short(x.KeyId) : $"'{x.Name}' ({Short(x.KeyId)})";

    private static string Because(string? reason) => reason is null ? "" : ": " + reason;
}
