namespace Ingot.Templates.Dockerfile;

/// <summary>The codes of the diagnostics about Dockerfiles; they never change their meaning.</summary>
public static class DockerfileCodes
{
    /// <summary>An experiment of Docker's front end that its stable version does not have.</summary>
    public const string Experimental = "dockerfile-experimental";

    /// <summary>No instruction of that name exists.</summary>
    public const string UnknownInstruction = "dockerfile-unknown-instruction";

    /// <summary>The instruction has no flag of that name.</summary>
    public const string UnknownFlag = "dockerfile-unknown-flag";

    /// <summary>A flag without its value, or twice.</summary>
    public const string BadFlag = "dockerfile-bad-flag";

    /// <summary>A mount of RUN that cannot be read.</summary>
    public const string BadMount = "dockerfile-bad-mount";

    /// <summary>A parser directive that cannot be followed.</summary>
    public const string BadDirective = "dockerfile-bad-directive";

    /// <summary>An instruction lacks arguments.</summary>
    public const string MissingArguments = "dockerfile-missing-arguments";

    /// <summary>An instruction has more arguments than it takes.</summary>
    public const string TooManyArguments = "dockerfile-too-many-arguments";

    /// <summary>A value has not the form it must have.</summary>
    public const string BadValue = "dockerfile-bad-value";

    /// <summary>An exec form holds something else than strings.</summary>
    public const string BadExecForm = "dockerfile-bad-exec-form";

    /// <summary>An exec form that is not JSON and is therefore a shell form (a warning).</summary>
    public const string NotExecForm = "dockerfile-not-exec-form";

    /// <summary>A here-document without its last line, or in a place where none can be.</summary>
    public const string BadHeredoc = "dockerfile-bad-heredoc";

    /// <summary>No instruction at all, or no FROM.</summary>
    public const string NoStage = "dockerfile-no-stage";

    /// <summary>An instruction stands before the first FROM.</summary>
    public const string BeforeFrom = "dockerfile-before-from";

    /// <summary>A stage's name is not a name.</summary>
    public const string BadStageName = "dockerfile-bad-stage-name";

    /// <summary>A stage that is copied from does not stand above.</summary>
    public const string UndefinedStage = "dockerfile-undefined-stage";

    /// <summary>An instruction that images cannot keep for the builds that start with them.</summary>
    public const string BadTrigger = "dockerfile-bad-trigger";

    /// <summary>A quote has no end.</summary>
    public const string UnmatchedQuote = "dockerfile-unmatched-quote";

    /// <summary>A substitution of a variable cannot be read.</summary>
    public const string BadSubstitution = "dockerfile-bad-substitution";

    /// <summary>A variable that must be set is not.</summary>
    public const string VariableRequired = "dockerfile-variable-required";

    /// <summary>An expansion became too long.</summary>
    public const string ExpansionTooLong = "dockerfile-expansion-too-long";

    /// <summary>The file is not text.</summary>
    public const string NotText = "dockerfile-not-text";

    /// <summary>There are more mistakes than are shown.</summary>
    public const string TooManyErrors = "dockerfile-too-many-errors";

    /// <summary>A pattern of an ignore file cannot be read.</summary>
    public const string BadIgnorePattern = "dockerignore-bad-pattern";
}
