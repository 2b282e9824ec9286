using Ingot.Evidence;
using Ingot.Evidence.Provenance;
using Ingot.Oci.Content;
using Ingot.Templates.Project;

namespace Ingot.Policies;

/// <summary>An image that asks to be admitted to a stage, with everything a gate may look at. Gates look at nothing else, so a decision can
/// be made again later.</summary>
public sealed record Candidate
{
    /// <summary>The image.</summary>
    public required Digest Digest { get; init; }

    /// <summary>The project it asks for: evidence about the same bytes in another one says nothing here.</summary>
    public required string Project { get; init; }

    /// <summary>What the project says of it.</summary>
    public required ImageDefinition Image { get; init; }

    /// <summary>What the project asks about it.</summary>
    public required ImageQuestions Questions { get; init; }

    /// <summary>What the project was applied with, so that an image of it may come from that.</summary>
    public required IReadOnlyList<ProjectSource> Sources { get; init; }

    /// <summary>The layers of the image's manifest.</summary>
    public required IReadOnlyList<Digest> Layers { get; init; }

    /// <summary>The stage it asks for.</summary>
    public required StageDefinition Stage { get; init; }

    /// <summary>The stage before that; null for the first.</summary>
    public required StageDefinition? Before { get; init; }

    /// <summary>Since when the image is admitted to the stage before; null when it is not.</summary>
    public required DateTimeOffset? AdmittedBefore { get; init; }

    /// <summary>The verified evidence about the image.</summary>
    public required EvidenceSet Evidence { get; init; }

    /// <summary>What people said of the image in this stage; a person's last word counts.</summary>
    public required IReadOnlyList<Approval> Approvals { get; init; }

    /// <summary>Why the image was revoked; null when it was not.</summary>
    public required string? Revoked { get; init; }

    /// <summary>When the decision is made.</summary>
    public required DateTimeOffset Now { get; init; }
}

/// <summary>A person's word on an image in a stage.</summary>
/// <param name="Who">The person.</param>
/// <param name="Approved">Whether they agree.</param>
/// <param name="Why">Their reason.</param>
/// <param name="Time">When.</param>
public sealed record Approval(string Who, bool Approved, string Why, DateTimeOffset Time);
