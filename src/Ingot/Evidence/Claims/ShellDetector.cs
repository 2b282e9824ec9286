using Ingot.Oci.Tar;

namespace Ingot.Evidence.Claims;

/// <summary>Recognises shells: by their names, and by what is in them, so that a renamed one is found too.</summary>
internal static class ShellDetector
{
    private const int MaxProgramBytes = 64 << 20;

    private static readonly HashSet<string> s_names = new(StringComparer.Ordinal)
    {
        "sh", "ash", "bash", "rbash", "dash", "zsh", "ksh", "ksh93", "rksh", "mksh", "lksh", "oksh", "pdksh", "yash", "posh", "csh", "tcsh", "bsd-csh",
        "fish", "elvish", "xonsh", "pwsh", "powershell", "busybox", "toybox", "sash", "static-sh", "hush",
    };

    /// <summary>Whether the file is a shell, or a link that a shell can be run by.</summary>
    public static bool IsShell(ImageRoot root, RootFile file) => file.Status.Type switch
    {
        RootFileType.File => Executable.Is(file.Status) && (s_names.Contains(TarPath.Name(file.Path)) || HasBuiltins(root, file.Path)),
        RootFileType.SymbolicLink => s_names.Contains(TarPath.Name(file.Path)) && root.Target(file.Path) is { } target && Executable.Is(target),
        _ => false,
    };

    // The POSIX shell must have these commands built in, and these variables; make knows the commands too, and has no prompt.
    private static bool HasBuiltins(ImageRoot root, string path)
    {
        using var content = root.OpenFile(path);
        if (content is null || content.Length is < 4 or > MaxProgramBytes || !IsElf(content))
            return false;

        var program = new byte[content.Length];
        content.Position = 0;
        content.ReadExactly(program);
        return Has(program, "unalias\0"u8) && Has(program, "getopts\0"u8) && Has(program, "OPTIND"u8) && Has(program, "PS4"u8);
    }

    private static bool Has(ReadOnlySpan<byte> program, ReadOnlySpan<byte> text) => program.IndexOf(text) >= 0;

    private static bool IsElf(Stream content)
    {
        Span<byte> head = stackalloc byte[4];
        content.ReadExactly(head);
        return head.SequenceEqual("\u007fELF"u8);
    }
}

internal static class Executable
{
    public static bool Is(RootFileStatus status) => status.Type == RootFileType.File && (status.Mode & 0b001_001_001) != 0;
}

/// <summary>Recognises what can add programs to an image.</summary>
internal static class PackageManagers
{
    private static readonly HashSet<string> s_names = new(StringComparer.Ordinal)
    {
        "apt", "apt-get", "apt-cache", "aptitude", "dpkg", "dpkg-deb", "apk", "rpm", "yum", "dnf", "dnf5", "microdnf", "tdnf", "zypper", "pacman", "opkg", "emerge",
        "xbps-install", "nix", "nix-env", "snap", "flatpak", "brew", "conda", "mamba", "micromamba", "pip", "pip3", "pipx", "uv", "easy_install", "poetry",
        "npm", "npx", "yarn", "pnpm", "corepack", "gem", "bundle", "bundler", "cargo", "composer", "cpan", "luarocks",
    };

    /// <summary>Whether the file is one, or a link that one can be run by.</summary>
    public static bool IsOne(ImageRoot root, RootFile file)
    {
        string name = TarPath.Name(file.Path);
        // Python runs it from its directory, without a program of that name.
        if (file.Status.Type == RootFileType.File && file.Path.EndsWith("/pip/__main__.py", StringComparison.Ordinal))
            return true;

        bool known = s_names.Contains(name) || (name.StartsWith("pip3.", StringComparison.Ordinal) && name.AsSpan(5).IndexOfAnyExceptInRange('0', '9') < 0);
        return known && file.Status.Type switch
        {
            RootFileType.File => Executable.Is(file.Status),
            RootFileType.SymbolicLink => root.Target(file.Path) is { } target && Executable.Is(target),
            _ => false,
        };
    }
}
