using Ingot.Oci.Content;

namespace Ingot.Policies;

/// <summary>What a gate says. Not knowing is not passing.</summary>
public enum GateVerdict
{
    /// <summary>The evidence shows it.</summary>
    Pass,

    /// <summary>The evidence shows the opposite.</summary>
    Fail,

    /// <summary>There is no evidence, or none that can be trusted.</summary>
    Unknown,
}

/// <summary>One gate's answer about one image.</summary>
/// <param name="Gate">The gate's name.</param>
/// <param name="Verdict">What it says.</param>
/// <param name="Reason">Why, with the values.</param>
/// <param name="Cure">What to do about it; null when it passes.</param>
/// <param name="Evidence">The evidence it rests on, by the digests of the evidence manifests.</param>
public sealed record GateResult(string Gate, GateVerdict Verdict, string Reason, string? Cure, IReadOnlyList<Digest> Evidence)
{
    /// <summary>A gate that passes.</summary>
    public static GateResult Pass(string gate, string reason, params IReadOnlyList<Digest> evidence) =>
        new(gate, GateVerdict.Pass, reason, null, evidence);

    /// <summary>A gate whose evidence shows the opposite.</summary>
    public static GateResult Fail(string gate, string reason, string cure, params IReadOnlyList<Digest> evidence) =>
        new(gate, GateVerdict.Fail, reason, cure, evidence);

    /// <summary>A gate that has no evidence it can trust.</summary>
    public static GateResult Unknown(string gate, string reason, string cure, params IReadOnlyList<Digest> evidence) =>
        new(gate, GateVerdict.Unknown, reason, cure, evidence);
}

/// <summary>What the policy answered for one image in one stage.</summary>
/// <param name="Image">The image.</param>
/// <param name="Stage">The stage.</param>
/// <param name="Gates">Every gate, also those that pass.</param>
public sealed record Decision(Digest Image, string Stage, IReadOnlyList<GateResult> Gates)
{
    /// <summary>Whether every gate passes.</summary>
    public bool Admitted => Gates.All(g => g.Verdict == GateVerdict.Pass);

    /// <summary>The gates that do not pass.</summary>
    public IEnumerable<GateResult> Objections => Gates.Where(g => g.Verdict != GateVerdict.Pass);
}
