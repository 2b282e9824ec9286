namespace Ingot.Tools;

/// <summary>A program or daemon outside of Ingot failed: what was attempted, how it ended, and the end of what it said.</summary>
public sealed class ToolException : IngotException
{
    /// <summary>Says that <paramref name="command"/> ended with <paramref name="exitCode"/>.</summary>
    public ToolException(Command command, int exitCode, string tail)
        : base(Describe(command, exitCode, tail))
    {
        Program = command.Program;
        ExitCode = exitCode;
        Tail = tail;
    }

    /// <summary>Says that a daemon or program could not be used.</summary>
    public ToolException(string program, string message, Exception? inner = null)
        : base(message, inner)
    {
        Program = program;
        Tail = "";
    }

    /// <summary>The program.</summary>
    public string Program { get; }

    /// <summary>Its exit code; null when it did not run to an end.</summary>
    public int? ExitCode { get; }

    /// <summary>The last lines it wrote.</summary>
    public string Tail { get; }

    private static string Describe(Command command, int exitCode, string tail)
    {
        string how = exitCode > 128 ? $"was ended by signal {exitCode - 128}" : $"ended with exit code {exitCode}";
        return $"'{command}' {how}{(tail.Length == 0 ? "" : ":\n" + tail)}";
    }
}
