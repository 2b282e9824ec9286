using System.CommandLine;

namespace Ingot.Cli.Commands;

/// <summary>The options that every command has.</summary>
internal sealed class GlobalSymbols
{
    private static readonly string[] s_formatNames = ["--output", "-o"];
    private static readonly string[] s_formats = ["text", "json", "sarif"];

    public Option<string?> Directory { get; } = new("-C")
    {
        Description = "Work in this directory, which is then the project's; without it the nearest directory above that has a project",
        HelpName = "DIR",
        Recursive = true,
    };

    public Option<string> Format { get; } = new(s_formatNames[0], s_formatNames[1])
    {
        Description = "How data is printed: text or json, or sarif by build --check",
        HelpName = "FORMAT",
        Recursive = true,
        DefaultValueFactory = _ => "text",
    };

    public Option<bool> Quiet { get; } = new("--quiet", "-q") { Description = "Print results and errors only", Recursive = true };

    public Option<bool> Verbose { get; } = new("--verbose", "-v")
    {
        Description = "Also print the programs that are run, the requests that are made, and how long each takes",
        Recursive = true,
    };

    public GlobalSymbols() => Format.AcceptOnlyFromAmong(s_formats);

    public void AddTo(Command root)
    {
        foreach (var option in (Option[])[Directory, Format, Quiet, Verbose])
            root.Add(option);
    }

    /// <summary>The format a command line asks for, also one that does not parse; null when it asks for none.</summary>
    public static string? FormatOf(IReadOnlyList<string> words)
    {
        string? format = null;
        for (int i = 0; i < words.Count && words[i] != "--"; i++)
        {
            string? said = AttachedFormat(words[i]) ?? (s_formatNames.Contains(words[i]) && i + 1 < words.Count ? words[i + 1] : null);
            // 'build' has an option of that name that may be given more than once, also for something else.
            format = said is not null && s_formats.Contains(said) ? said : format;
        }

        return format;
    }

    // --output=json, and -ojson as getopt has it.
    private static string? AttachedFormat(string word)
    {
        foreach (string name in s_formatNames)
        {
            if (word.Length > name.Length && word.StartsWith(name, StringComparison.Ordinal))
                return word[name.Length] is '=' or ':' ? word[(name.Length + 1)..] : name.Length == 2 ? word[2..] : null;
        }

        return null;
    }
}
