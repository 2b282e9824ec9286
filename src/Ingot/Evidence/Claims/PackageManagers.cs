using System.Text.RegularExpressions;

namespace Ingot.Evidence.Claims;

/// <summary>Recognises what can add programs to an image: package managers of systems and of languages, as programs,
/// scripts and modules.</summary>
internal static partial class PackageManagers
{
    private static readonly HashSet<string> s_names = new(StringComparer.Ordinal)
    {
        "apt", "apt-get", "apt-cache", "aptitude", "dpkg", "dpkg-deb", "apk", "rpm", "yum", "dnf", "dnf5", "microdnf", "tdnf", "zypper",
        "pacman", "opkg", "emerge",
        "xbps-install", "nix", "nix-env", "snap", "flatpak", "brew", "conda", "mamba", "micromamba", "pip", "pip3", "pipx", "uv",
        "easy_install", "poetry",
        "npm", "npx", "yarn", "pnpm", "corepack", "gem", "bundle", "bundler", "cargo", "composer", "cpan", "cpanm", "luarocks",
        "mmdebstrap", "debootstrap",
    };

    // What an interpreter runs as a package manager without a program of that name: the ends of paths.
    private static readonly string[] s_modules =
    [
        "/pip/__main__.py", "/pip/__main__.pyc", "/pip/_internal/__init__.py", "/pip/_internal/__init__.pyc", "/pip.pyz",
        "/ensurepip/__main__.py", "/ensurepip/__main__.pyc",
        "/setuptools/command/easy_install.py", "/conda/cli/main.py", "/dnf/cli/main.py", "/poetry/console/application.py", "/pipx/main.py",
        "/npm-cli.js", "/npm/lib/npm.js", "/yarn.js", "/yarn/lib/cli.js", "/pnpm.cjs", "/corepack.js",
        "/rubygems/gem_runner.rb", "/CPAN.pm", "/App/cpanminus.pm", "/composer.phar", "/luarocks/cmd/install.lua",
    ];

    // What a script says that starts one, whatever the script is called.
    private static readonly string[] s_scriptWords =
    [
        "pip._internal", "from pip import", "import ensurepip", "easy_install", "conda.cli", "dnf.cli", "poetry.console", "pipx.main",
        "rubygems/gem_runner", "Gem::GemRunner",
        "bundler/cli", "App::Cpan", "App::cpanminus", "composer.phar", "luarocks.cmd", "npm/lib/cli.js", "npm-cli.js", "yarn/lib/cli.js",
        "corepack/dist/corepack.js",
        "Homebrew/brew.sh",
    ];

    /// <summary>The families, with words of their programs or of the libraries that these cannot do without.</summary>
    public static IReadOnlyList<ProgramFamily> Families { get; } =
    [
        new("apt", 1, "libapt-pkg.so"),
        new("dpkg", 3, "triggers-awaited", "half-configured", "/var/lib/dpkg"),
        new("busybox dpkg", 2, "BusyBox v", "/var/lib/dpkg"),
        new("apk", 1, "libapk.so"),
        new("apk, static", 2, "etc/apk/world", "lib/apk/db"),
        new("rpm", 1, "librpm.so"),
        new("pacman", 1, "libalpm.so"),
        new("zypper", 1, "libzypp.so"),
        new("dnf", 1, "libdnf.so"),
        new("dnf5", 1, "libdnf5.so"),
        new("opkg", 1, "libopkg.so"),
        new("xbps", 1, "libxbps.so"),
        new("nix", 1, "libnixstore.so"),
        new("cargo", 2, "cargo/ops/registry", "cargo/sources/registry"),
        new("go", 1, "cmd/go/internal/modload"),
        new("uv", 2, "uv_resolver", "uv_installer"),
        new("mamba", 2, "MAMBA_ROOT_PREFIX", "libmamba"),
    ];

    /// <summary>What is asked, as text.</summary>
    public static string Rules =>
        string.Join('\n', [string.Join(' ', s_names.Order(StringComparer.Ordinal)), .. s_modules, .. s_scriptWords,
            NodePackage().ToString(), .. Families.Select(f => f.Rule)]);

    /// <summary>Whether a file says what it is in a text that is read without being a script.</summary>
    public static bool IsList(FileUnderTest file) => file.Name == "package.json";

    /// <summary>What a file is that speaks against <c>no-package-manager</c>; null when nothing does.</summary>
    public static string? Offence(FileUnderTest file)
    {
        bool isOne = (IsName(file.Name) && file.IsExecutable)
            || IsModule(file) || file.Content.Families.Any(Families.Contains) || IsText(file);
        if (isOne)
            return "a package manager";
        return file.Content.IsPacked ? "a packed program, which could be a package manager" : null;
    }

    private static bool IsName(string name) =>
        s_names.Contains(name)
            || (name.StartsWith("pip3.", StringComparison.Ordinal) && name.AsSpan(5).IndexOfAnyExceptInRange('0', '9') < 0);

    private static bool IsModule(FileUnderTest file)
    {
        if (file.Status.Type != RootFileType.File)
            return false;

        bool isWheel = file.Name.StartsWith("pip-", StringComparison.Ordinal) && file.Name.EndsWith(".whl", StringComparison.Ordinal);
        return isWheel || s_modules.Any(end => ("/" + file.Path).EndsWith(end, StringComparison.Ordinal));
    }

    private static bool IsText(FileUnderTest file)
    {
        string text = file.Content.Text;
        if (text.Length == 0)
            return false;
        return IsList(file) ? NodePackage().IsMatch(text) : s_scriptWords.Any(word => text.Contains(word, StringComparison.Ordinal));
    }

    [GeneratedRegex("""^\s*\{(?:\s*"[^"{}]*"\s*:\s*"[^"]*"\s*,)*?\s*"name"\s*:\s*"(?:npm|yarn|pnpm|corepack)"\s*""")]
    private static partial Regex NodePackage();
}
