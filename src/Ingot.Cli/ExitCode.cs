namespace Ingot.Cli;

/// <summary>How a command ends.</summary>
internal static class ExitCode
{
    public const int Done = 0;

    /// <summary>The answer is no: a test failed, a gate refused.</summary>
    public const int No = 1;

    /// <summary>The input is wrong: usage, or a file that does not parse.</summary>
    public const int WrongInput = 2;

    /// <summary>The environment is wrong: a missing program, no permission, no server.</summary>
    public const int WrongEnvironment = 3;

    /// <summary>Somebody's word is waited for, or time to pass: an approval, a soak, a rollout that stands paused.</summary>
    public const int Waiting = 4;

    /// <summary>A rollout went back: what served before serves again.</summary>
    public const int WentBack = 5;

    /// <summary>The time that was given is over; a rollout goes on.</summary>
    public const int TimedOut = 6;

    /// <summary>Ended by Ctrl-C or a signal.</summary>
    public const int Interrupted = 130;

    /// <summary>Every code with what it says, in the words of the documents.</summary>
    public static IReadOnlyList<(int Code, string Meaning)> All { get; } =
    [
        (Done, "done"),
        (No, "the answer is no: a test failed, a gate or the policy refused"),
        (WrongInput, "the input is wrong: usage, or a file that does not parse"),
        (WrongEnvironment, "the environment is wrong: a missing program, no permission, no server"),
        (Waiting, "waiting for something: an approval, a soak, or a paused rollout"),
        (WentBack, "a rollout was rolled back, by itself or by somebody; what served before serves again"),
        (TimedOut, "the time of `--timeout` is over; the rollout continues"),
        (Interrupted, "interrupted by Ctrl-C or a signal; a rollout continues"),
    ];

    // What needs a person first, when a command came to several ends.
    private static readonly int[] s_worstFirst = [No, WentBack, TimedOut, Waiting, Done];

    /// <summary>Of two ends the one a person must know of first.</summary>
    public static int Worse(int one, int other) => Array.IndexOf(s_worstFirst, one) <= Array.IndexOf(s_worstFirst, other) ? one : other;
}

/// <summary>The answer is no. The message says why and what to do.</summary>
internal sealed class RefusedException(string message) : Exception(message);

/// <summary>A command was interrupted while something goes on without it. The message says what, and how to look at it or end it.</summary>
internal sealed class LeftRunningException(string message, CancellationToken token) : OperationCanceledException(message, token);
