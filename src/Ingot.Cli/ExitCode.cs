namespace Ingot.Cli;

/// <summary>How a command ends.</summary>
internal static class ExitCode
{
    public const int Done = 0;

    /// <summary>The answer is no: a test failed, a gate refused, a rollout went back.</summary>
    public const int No = 1;

    /// <summary>The input is wrong: usage, or a file that does not parse.</summary>
    public const int WrongInput = 2;

    /// <summary>The environment is wrong: a missing program, no permission, no server.</summary>
    public const int WrongEnvironment = 3;
}

/// <summary>The answer is no. The message says why and what to do.</summary>
internal sealed class RefusedException(string message) : Exception(message);
