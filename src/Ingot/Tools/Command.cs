namespace Ingot.Tools;

/// <summary>A program and its arguments. Saying it does nothing; <see cref="CommandRunner"/> runs it.</summary>
public sealed record Command(string Program, params IReadOnlyList<string> Arguments)
{
    /// <summary>Variables set for the program, beside a small fixed environment: nothing is inherited by accident.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>Where it runs; null for the current directory.</summary>
    public string? Directory { get; init; }

    /// <summary>What it reads on its standard input; empty for nothing. It is not part of the text: it may be a secret.</summary>
    public ReadOnlyMemory<byte> Input { get; init; }

    /// <summary>The command line, for people: a person may give it to a shell, and nothing here does.</summary>
    public override string ToString() => string.Join(' ', Arguments.Prepend(Program).Select(ShellWord.Quote));
}
