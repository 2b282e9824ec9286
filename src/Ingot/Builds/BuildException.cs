using Ingot.Diagnostics;

namespace Ingot.Builds;

/// <summary>A command of a template failed: the person's to mend, not the builder's.</summary>
/// <param name="Instruction">The instruction as one line.</param>
/// <param name="Span">Where it is written.</param>
/// <param name="ExitCode">The command's exit code; above 128 the signal that ended it, plus 128.</param>
/// <param name="Tail">The last lines it wrote.</param>
/// <param name="Log">The file with all that it wrote.</param>
public sealed record BuildFailure(string Instruction, SourceSpan Span, int ExitCode, string Tail, string Log);

/// <summary>A build ended because a command failed. No image was made; results of the steps before it are kept.</summary>
public sealed class BuildException : IngotException
{
    internal BuildException(BuildFailure failure)
        : base(Describe(failure)) => Failure = failure;

    /// <summary>What failed, and how.</summary>
    public BuildFailure Failure { get; }

    private static string Describe(BuildFailure failure)
    {
        string how = failure.ExitCode > 128 ? $"was ended by signal {failure.ExitCode - 128}" : $"ended with exit code {failure.ExitCode}";
        string tail = failure.Tail.Length == 0 ? "it wrote nothing" : $"its last lines:\n{failure.Tail}";
        return $"{failure.Span}: '{failure.Instruction}' {how}; {tail}\nthe whole output is in '{failure.Log}'";
    }
}
