using Ingot.Diagnostics;

namespace Ingot.Cli.Pipeline;

/// <summary>How a build is shown while it runs.</summary>
internal enum BuildProgressMode
{
    /// <summary>As <see cref="Tty"/> on a terminal; elsewhere a line for each step that ends.</summary>
    Auto,

    /// <summary>Everything that steps write, each line with its step.</summary>
    Plain,

    /// <summary>The last lines below each step that runs, taken away when it succeeds.</summary>
    Tty,

    /// <summary>Nothing but the digests of the images.</summary>
    Quiet,
}

/// <summary>The names of the ways.</summary>
internal static class BuildProgressModes
{
    public static IReadOnlyList<string> Names { get; } = ["auto", "plain", "tty", "quiet"];

    public static BuildProgressMode Parse(string? name) => name switch
    {
        null or "auto" => BuildProgressMode.Auto,
        "plain" => BuildProgressMode.Plain,
        "tty" => BuildProgressMode.Tty,
        "quiet" => BuildProgressMode.Quiet,
        _ => throw new InvalidInputException("progress", $"'{name}' is not a way to show progress",
            Suggestion.For(name, Names) ?? string.Join(", ", Names)),
    };
}
