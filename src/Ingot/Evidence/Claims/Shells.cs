namespace Ingot.Evidence.Claims;

/// <summary>Recognises shells: programs that read commands and run them. By what is in them, so that a renamed, padded or not executable
/// one is found too, and by their names.</summary>
internal static class Shells
{
    private static readonly HashSet<string> s_names = new(StringComparer.Ordinal)
    {
        "sh", "ash", "bash", "rbash", "dash", "zsh", "ksh", "ksh93", "rksh", "mksh", "lksh", "oksh", "pdksh", "yash", "posh", "csh", "tcsh",
        "bsd-csh", "osh", "ysh", "brush",
        "fish", "elvish", "nu", "xonsh", "pwsh", "powershell", "busybox", "toybox", "sash", "static-sh", "hush", "toysh",
    };

    /// <summary>The families, with the words that their programs cannot do without.</summary>
    public static IReadOnlyList<ProgramFamily> Families { get; } =
    [
        // What POSIX wants built in, its variables and options. A shell has at least 11; make, which knows a few of the commands, has 5.
        new("posix", 9, "getopts\0", "unalias\0", "umask\0", "ulimit\0", "readonly\0", "OPTIND\0", "OPTARG\0", "CDPATH\0", "MAILPATH\0",
            "noclobber\0", "nounset\0", "noglob\0", "errexit\0", "xtrace\0"),
        new("yash", 5, "bindkey\0", "getopts\0", "unalias\0", "disown\0", "typeset\0", "ulimit\0"),
        new("csh", 5, "onintr\0", "breaksw\0", "endsw\0", "unhash\0", "rehash\0", "hashstat\0"),
        new("rc", 2, "\0apid\0", "\0whatis\0", "\0bqstatus\0", "/rcmain\0"),
        new("fish", 1, "__fish_print_help"),
        new("sash", 1, "in place of this sash process"),
        new("elvish", 1, "src.elv.sh/pkg/eval"),
        new("gosh", 1, "mvdan.cc/sh/v3/interp"),
        new("nushell", 2, "nu_protocol", "nu_engine"),
    ];

    /// <summary>What is asked, as text.</summary>
    public static string Rules =>
        string.Join('\n', [string.Join(' ', s_names.Order(StringComparer.Ordinal)), .. Families.Select(f => f.Rule)]);

    /// <summary>What a file is that speaks against <c>no-shell</c>; null when nothing does.</summary>
    public static string? Offence(FileUnderTest file)
    {
        if ((s_names.Contains(file.Name) && file.IsExecutable) || file.Content.Families.Any(Families.Contains))
            return "a shell";
        return file.Content.IsPacked ? "a packed program, which could be a shell" : null;
    }
}
