namespace Ingot.Templates.Project;

/// <summary>The codes of the diagnostics about <c>ingot.yaml</c>; they never change their meaning.</summary>
public static class ProjectCodes
{
    /// <summary>The text is not YAML.</summary>
    public const string Syntax = "project-syntax";

    /// <summary>The document is deeper, longer or more expanded by aliases than a project can be.</summary>
    public const string TooLarge = "project-too-large";

    /// <summary>A key stands twice in one mapping.</summary>
    public const string DuplicateKey = "project-duplicate-key";

    /// <summary>A key that nothing reads.</summary>
    public const string UnknownKey = "project-unknown-key";

    /// <summary>It belongs to the format, and Ingot does not do it yet.</summary>
    public const string NotSupportedYet = "project-not-supported-yet";

    /// <summary>A key that must be there is not.</summary>
    public const string MissingKey = "project-missing-key";

    /// <summary>A mapping, a list or a single value stands where another of them must.</summary>
    public const string WrongKind = "project-wrong-kind";

    /// <summary>A value has not the form it must have, or is out of range.</summary>
    public const string BadValue = "project-bad-value";

    /// <summary>A name that is not one.</summary>
    public const string BadName = "project-bad-name";

    /// <summary>A path that leads out of the project's directory.</summary>
    public const string BadPath = "project-bad-path";

    /// <summary>A name that refers to nothing.</summary>
    public const string Undefined = "project-undefined";

    /// <summary>Two things that exclude each other.</summary>
    public const string Conflict = "project-conflict";

    /// <summary>There are more mistakes than are shown.</summary>
    public const string TooManyErrors = "project-too-many-errors";

    /// <summary>A service that no stage would run.</summary>
    public const string NeverRuns = "project-never-runs";
}
