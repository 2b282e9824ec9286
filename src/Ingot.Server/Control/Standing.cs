using System.Collections.Frozen;
using Ingot.Oci.Content;
using Ingot.Releases;
using Ingot.Server.Ledger;
using Ingot.Templates.Project;

namespace Ingot.Server.Control;

/// <summary>A way on which a digest comes to run, or goes on running.</summary>
internal enum Door
{
    /// <summary>An admission that is asked for again and may simply stand.</summary>
    Promote,

    /// <summary>A release.</summary>
    Deploy,

    /// <summary>A release of a digest although it is quarantined, which is on the record.</summary>
    DeployAllTheSame,

    /// <summary>A release that is only thought of: the gates would be asked first.</summary>
    Preview,

    /// <summary>A return, by hand, to a generation that stands warm.</summary>
    RollBack,

    /// <summary>A rollout that turns back, by hand or by itself, to the generation that served before it and still runs.</summary>
    TurnBack,

    /// <summary>A rollout under way, at each of its moves; a paused one that is resumed.</summary>
    GoOn,

    /// <summary>A rollback under way.</summary>
    GoOnBack,

    /// <summary>A generation that stands warm.</summary>
    StandBy,

    /// <summary>What serves: it goes on, and people are told.</summary>
    Serve,
}

/// <summary>What speaks against a digest.</summary>
internal enum ObjectionKind
{
    Revoked,
    Rejected,
    NotAdmitted,
    Lapsed,
    Outgrown,
    Quarantined,
}

/// <summary>Why a digest may not run, and what to do.</summary>
internal sealed record Objection(ObjectionKind Kind, string Reason, string Cure)
{
    public override string ToString() => $"{Reason}; {Cure}";
}

/// <summary>A digest, as an image of a project, in a stage; and where it is asked about a service,
/// in which and with what settings.</summary>
internal sealed record Standpoint(
    string Project, string Image, string Stage, Digest Digest, string? Service = null, Digest? Settings = null)
{
    public static Standpoint Of(ServiceKey key, Generation generation) =>
        new(key.Project, ImageOf(generation), key.Stage, generation.Digest, key.Service, generation.SettingsDigest);

    // REGISTRY/PROJECT/IMAGE: a service may have had another image when the generation was made.
    private static string ImageOf(Generation generation) => generation.Repository[(generation.Repository.LastIndexOf('/') + 1)..];
}

/// <summary>The one place that says whether a digest may run somewhere now: asked at every door, of the ledger alone, so that it can be
/// asked while an entry is appended.</summary>
internal static class Standing
{
    private const string BeforePrefix = "admitted-to-";

    private static readonly (ObjectionKind Kind, Func<Question, Objection?> Ask)[] s_questions =
    [
        (ObjectionKind.Revoked, Revoked),
        (ObjectionKind.Rejected, Rejected),
        (ObjectionKind.NotAdmitted, NotAdmitted),
        (ObjectionKind.Lapsed, Lapsed),
        (ObjectionKind.Outgrown, Outgrown),
        (ObjectionKind.Quarantined, Quarantined),
    ];

    private static readonly FrozenDictionary<Door, ObjectionKind[]> s_doors = new Dictionary<Door, ObjectionKind[]>
    {
        // A quarantine is a service's: it says nothing about the image's admission.
        [Door.Promote] =
            [ObjectionKind.Revoked, ObjectionKind.Rejected, ObjectionKind.NotAdmitted, ObjectionKind.Lapsed, ObjectionKind.Outgrown],
        [Door.Deploy] = [.. Enum.GetValues<ObjectionKind>()],
        [Door.DeployAllTheSame] = [.. Enum.GetValues<ObjectionKind>().Except([ObjectionKind.Quarantined])],
        [Door.Preview] = [ObjectionKind.Revoked, ObjectionKind.Rejected, ObjectionKind.Quarantined],
        // What was admitted by the rules of its time may be gone back to: rules that came later must not take a rollback away.
        [Door.RollBack] =
            [ObjectionKind.Revoked, ObjectionKind.Rejected, ObjectionKind.NotAdmitted, ObjectionKind.Lapsed, ObjectionKind.Quarantined],
        // It took all traffic a moment ago and still runs: only a word against this very digest keeps traffic from it.
        [Door.TurnBack] = [ObjectionKind.Revoked, ObjectionKind.Rejected],
        [Door.GoOn] =
            [ObjectionKind.Revoked, ObjectionKind.Rejected, ObjectionKind.NotAdmitted, ObjectionKind.Lapsed, ObjectionKind.Quarantined],
        [Door.GoOnBack] = [ObjectionKind.Revoked, ObjectionKind.Rejected, ObjectionKind.NotAdmitted, ObjectionKind.Lapsed],
        [Door.StandBy] = [ObjectionKind.Revoked, ObjectionKind.Rejected],
        [Door.Serve] = [ObjectionKind.Revoked, ObjectionKind.Rejected, ObjectionKind.NotAdmitted, ObjectionKind.Lapsed],
    }.ToFrozenDictionary();

    /// <summary>What counts at a door.</summary>
    public static IReadOnlyList<ObjectionKind> Asked(Door door) => s_doors[door];

    /// <summary>Why a digest may not pass a door now; null when it may.</summary>
    /// <param name="view">The ledger, at the moment that counts.</param>
    /// <param name="door">The door.</param>
    /// <param name="at">The digest, and where.</param>
    /// <param name="stage">The stage as the project has it now, where that counts.</param>
    public static Objection? Objection(LedgerView view, Door door, Standpoint at, StageDefinition? stage = null)
    {
        var question = new Question(view, KeyRing.Of(view), at, stage);
        return s_questions.Where(q => s_doors[door].Contains(q.Kind)).Select(q => q.Ask(question))
            .FirstOrDefault(objection => objection is not null);
    }

    /// <summary>The admission of a digest to a stage, when it stands; null when it does not, or there never was one.</summary>
    public static PromotionRow? Admission(LedgerView view, Standpoint at, StageDefinition? stage = null) =>
        Objection(view, Door.Promote, at, stage) is null ? view.Promotion(at.Project, at.Image, at.Stage, at.Digest) : null;

    private static Objection? Revoked(Question q) => q.View.Revocation(q.At.Project, q.At.Digest) is { } revocation
        ? new Objection(ObjectionKind.Revoked, $"{q.At.Digest} was revoked by {revocation.Actor}: {revocation.Reason}",
            "build a new version")
        : null;

    private static Objection? Rejected(Question q) =>
        q.View.Approvals(q.At.Project, q.At.Image, q.At.Stage, q.At.Digest).LastOrDefault(word => !word.IsApproved) is { } rejection
            ? new Objection(
                ObjectionKind.Rejected,
                $"{q.At.Digest} was rejected for {q.At.Stage} by {rejection.Who}: {rejection.Reason}",
                $"settle it with {rejection.Who}, whose approval takes it back, or build a new version")
            : null;

    private static Objection? NotAdmitted(Question q) => q.Admission is null
        ? new Objection(ObjectionKind.NotAdmitted, $"{q.At.Digest} is not admitted to {q.At.Stage}",
            $"see 'ingot explain {q.At.Image}@{q.At.Digest} --stage {q.At.Stage}'")
        : null;

    /// <summary>An admission falls with the last key that its evidence rests on,
    /// and with the admission to another stage that it rests on.</summary>
    private static Objection? Lapsed(Question q) => Fallen(q, depth: 0) is { } reason
        ? new Objection(ObjectionKind.Lapsed, $"the admission of {q.At.Digest} to {q.At.Stage} no longer counts: {reason}",
            $"see 'ingot explain {q.At.Image}@{q.At.Digest} --stage {q.At.Stage}'")
        : null;

    private static string? Fallen(Question q, int depth) => q.Admission is not { } admission || depth > LongestChain
        ? null
        : admission.Gates
            .Select(gate => Unsigned(q.Ring, admission, gate) ?? FallenBefore(q, gate, depth))
            .FirstOrDefault(reason => reason is not null);

    // A project that turned its stages round must not make this go round.
    private const int LongestChain = 32;

    private static string? Unsigned(KeyRing ring, PromotionRow admission, GateRecord gate)
    {
        if (gate.Signers is { } signers)
            return signers.Select(s => ring.Objection(s.Key, s.PredicateType)).FirstOrDefault(o => o is not null) is { } lost
                ? $"'{gate.Gate}' rests on its word and {lost}"
                : null;

        // Earlier versions did not record whose word it was: any key that was retired since may have been the one.
        return gate.Evidence.Count > 0 && ring.LastRetirement > admission.Entry
            ? $"a key was retired since, and nothing says that '{gate.Gate}' does not rest on its word"
            : null;
    }

    private static string? FallenBefore(Question q, GateRecord gate, int depth)
    {
        if (!gate.Gate.StartsWith(BeforePrefix, StringComparison.Ordinal))
            return null;

        var before = q with { At = q.At with { Stage = gate.Gate[BeforePrefix.Length..] } };
        return (Rejected(before) ?? NotAdmitted(before)) is { } objection ? objection.Reason : Fallen(before, depth + 1);
    }

    /// <summary>The stage asks for more today than it asked for when it admitted the digest.</summary>
    private static Objection? Outgrown(Question q)
    {
        if (q.Stage is not { } stage || q.Admission is not { } admission)
            return null;

        string cure = $"ask again with 'ingot promote {q.At.Image}@{q.At.Digest} --stage {stage.Name}'";
        var asked = stage.Gates.Concat(stage.Soak > TimeSpan.Zero ? ["soak"] : [])
            .Except(admission.Gates.Select(gate => gate.Gate), StringComparer.Ordinal).ToList();
        if (asked.Count > 0)
            return new Objection(ObjectionKind.Outgrown,
                $"{stage.Name} asks for {string.Join(", ", asked)} since it admitted {q.At.Digest}", cure);

        int approvals = q.View.Approvals(q.At.Project, q.At.Image, stage.Name, q.At.Digest)
            .Count(word => word.IsApproved && MaySpeak(stage, word.Who));
        return stage.Approvals is { } needed && approvals < needed.Count
            ? new Objection(
                ObjectionKind.Outgrown, $"{stage.Name} asks for {needed.Count} approvals and {q.At.Digest} has {approvals}", cure)
            : null;
    }

    /// <summary>Whether a person's approval counts in a stage.</summary>
    public static bool MaySpeak(StageDefinition stage, string who) =>
        stage.Approvals?.From is not { Count: > 0 } from || from.Contains(who, StringComparer.Ordinal);

    /// <summary>Whether it was this person who published the digest.</summary>
    public static bool IsPublisher(LedgerView view, Standpoint at, string who) =>
        view.Manifest($"{at.Project}/{at.Image}", at.Digest) is { } manifest && view.Entry(manifest.Entry)?.Actor == who;

    private static Objection? Quarantined(Question q) =>
        q.At.Service is { } service && q.View.Quarantine(q.At.Project, service, q.At.Stage, q.At.Digest, q.At.Settings) is { } quarantine
            ? new Objection(
                ObjectionKind.Quarantined,
                $"{q.At.Digest} is in quarantine for {q.At.Stage}/{service}{(quarantine.Settings is null ? "" : " with these settings")}: "
                    + $"{quarantine.Reason}",
                $"{(quarantine.Settings is null ? "" : $"fix what is wrong with the settings of service '{service}' in ingot.yaml, ")}"
                    + "build a new version, or release it anyway with "
                    + $"'ingot deploy {service} --stage {q.At.Stage} --image {q.At.Image}@{q.At.Digest} --override --why \"…\"'")
            : null;

    private sealed record Question(LedgerView View, KeyRing Ring, Standpoint At, StageDefinition? Stage)
    {
        public PromotionRow? Admission =>
            View.Promotion(At.Project, At.Image, At.Stage, At.Digest) is { Admitted: true } admission ? admission : null;
    }
}
