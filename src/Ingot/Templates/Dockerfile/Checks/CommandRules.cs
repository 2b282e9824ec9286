using System.Text.RegularExpressions;

namespace Ingot.Templates.Dockerfile.Checks;

/// <summary>Checks of what RUN does.</summary>
internal static partial class CommandRules
{
    private static readonly string[] s_shells =
        ["sh", "bash", "dash", "ash", "zsh", "ksh", "python", "python3", "perl", "ruby", "node", "php"];
    private static readonly string[] s_installs =
        ["install", "upgrade", "dist-upgrade", "full-upgrade", "build-dep", "remove", "purge", "autoremove", "autopurge", "satisfy"];

    public static IEnumerable<Finding> AptListsKept(CheckedFile file) =>
        from run in Runs(file.Shipped)
        where run.Commands.Any(c => IsApt(c) && c.Verb == "update") && !run.Removes("/var/lib/apt") && !run.Mounts("/var/lib/apt")
        select run.Find("the package lists of apt stay in the image", "end the command with && rm -rf /var/lib/apt/lists/*");

    public static IEnumerable<Finding> AptUpdateAlone(CheckedFile file) =>
        from run in Runs(file.Instructions)
        where run.Commands.Any(c => IsApt(c) && c.Verb == "update") && !run.Commands.Any(c => IsApt(c) && c.Verb != "update")
            && !run.Mounts("/var/lib/apt") && run.Commands.All(c => IsApt(c) || IsSetting(c))
        select run.Find("the package lists are fetched in one step and used in a later one, when they may be old",
            "write apt-get update && apt-get install … as one RUN");

    public static IEnumerable<Finding> AptNeedsYes(CheckedFile file) =>
        from run in Runs(file.Instructions)
        where !run.Text.Contains("Assume-Yes", StringComparison.OrdinalIgnoreCase) && !run.Commands.Any(c => c.Program == "yes")
        from command in run.Commands
        where IsApt(command) && s_installs.Contains(command.Verb) && !command.IsPiped
            && !command.Has("-y", "--yes", "--assume-yes", "-qq", "--trivial-only", "-s", "--simulate", "--dry-run", "--print-uris",
                "--help", "-f", "--fix-broken")
        select run.Find($"{command.Program} {command.Verb} asks whether to go on, and nobody answers", "add -y");

    public static IEnumerable<Finding> PackageCacheKept(CheckedFile file)
    {
        foreach (var run in Runs(file.Shipped))
        {
            if (run.Commands.Any(c => c.Program == "apk" && c.Verb == "add" && !c.Has("--no-cache")) && !run.Removes("/var/cache/apk")
                && !run.Mounts("/var/cache/apk") && !run.Mounts("/etc/apk/cache"))
                yield return run.Find("apk keeps what it downloaded", "write apk add --no-cache");
            if (run.Commands.FirstOrDefault(c => IsRpm(c) && c.Verb is "install" or "update" or "upgrade" or "groupinstall" or "in" or "up")
                is { } rpm
                && !run.Commands.Any(c => IsRpm(c) && c.Verb is "clean" or "cc") && !run.Removes("/var/cache") && !run.Mounts("/var/cache"))
                yield return run.Find($"{rpm.Program} keeps what it downloaded",
                    $"end the command with && {rpm.Program} clean {(rpm.Program == "zypper" ? "--all" : "all")}");
        }
    }

    public static IEnumerable<Finding> PipCacheKept(CheckedFile file)
    {
        bool off = file.Instructions.Any(i => i is EnvInstruction env
            ? env.Variables.Any(v => v.Name.Text == "PIP_NO_CACHE_DIR")
            : i is ArgInstruction arg && arg.Arguments.Any(a => a.Name == "PIP_NO_CACHE_DIR"));
        return from run in off ? [] : Runs(file.Shipped)
               where run.Commands.Any(IsPipInstall) && !run.Text.Contains("PIP_NO_CACHE_DIR", StringComparison.Ordinal)
                   && !run.Mounts(".cache") && !run.Mounts("pip") && !run.Removes(".cache")
                   && !run.Text.Contains("cache purge", StringComparison.Ordinal)
               select run.Find("pip keeps what it downloaded", "write pip install --no-cache-dir");
    }

    public static IEnumerable<Finding> SudoUsed(CheckedFile file) =>
        from run in Runs(file.Instructions)
        where run.Commands.Any(c => c.UsesSudo)
        select run.Find("sudo has no use here: commands have the rights of USER", "write USER root above it, and the user again below");

    public static IEnumerable<Finding> CurlPipeShell(CheckedFile file)
    {
        foreach (var run in Runs(file.Instructions))
        {
            bool fetches = false;
            bool piped = false;
            foreach (var command in run.Commands)
            {
                fetches = command.Program is "curl" or "wget" || (fetches && command.IsPiped);
                piped |= fetches && command.IsPiped && s_shells.Contains(command.Program);
                piped |= s_shells.Contains(command.Program) && command.Arguments.Any(argument => Substitution().IsMatch(argument));
            }

            if (piped)
                yield return run.Find("a download is run without being checked",
                    "download it to a file, compare its checksum, and run that; or use ADD --checksum");
        }
    }

    public static IEnumerable<Finding> NothingRemains(CheckedFile file) =>
        from run in Runs(file.Instructions)
        where run.Commands is [{ Program: "cd" or "export" or "source" or "." or "alias" or "umask" or "ulimit" or "unset" or "pushd" }]
            && !run.Text.Contains('>', StringComparison.Ordinal)
        let program = run.Commands[0].Program
        select run.Find($"{program} changes only the shell of this RUN, which ends with it",
            program switch { "cd" or "pushd" => "write WORKDIR", "export" => "write ENV", _ => "write it in the RUN that needs it" });

    public static IEnumerable<Finding> VerificationOff(CheckedFile file)
    {
        foreach (var run in Runs(file.Instructions))
        {
            foreach (string how in run.Commands.Select(Unverified).OfType<string>().Distinct())
                yield return run.Find($"'{how}' trusts whoever answers", "add the certificate or the key that is missing");
        }

        foreach (var env in file.Instructions.OfType<EnvInstruction>())
        {
            foreach (var (name, value) in env.Variables.Where(v => $"{v.Name}={v.Value}" is "NODE_TLS_REJECT_UNAUTHORIZED=0"
                or "PYTHONHTTPSVERIFY=0" or "GIT_SSL_NO_VERIFY=true" or "GIT_SSL_NO_VERIFY=1"))
                yield return new(env.Span, $"'{name}={value}' trusts whoever answers", "add the certificate that is missing");
        }
    }

    public static IEnumerable<Finding> WorldWritable(CheckedFile file)
    {
        foreach (var run in Runs(file.Instructions))
        {
            if (run.Commands.Any(c => c.Program == "chmod" && c.Arguments.Any(IsOpen)))
                yield return run.Find("everybody in the image may write to the files that chmod changes",
                    "give the rights to the user who needs them: chown, or chmod u=rwX,go=rX");
        }

        foreach (var copy in file.Instructions.OfType<TransferInstruction>())
        {
            if (copy.Chmod is { } mode && IsOpen(mode.Text))
                yield return new(mode.Span, $"everybody in the image may write to what is copied with --chmod={mode}",
                    "write --chmod=u=rwX,go=rX, or --chown");
        }
    }

    private static string? Unverified(ShellCommand command) => command.Program switch
    {
        "curl" when command.Has("-k", "--insecure") => "curl --insecure",
        "wget" when command.Has("--no-check-certificate") => "wget --no-check-certificate",
        "apt" or "apt-get" when command.Has("--allow-unauthenticated", "--force-yes", "--allow-insecure-repositories") =>
            $"{command.Program} without signatures",
        "apk" when command.Has("--allow-untrusted") => "apk --allow-untrusted",
        "pip" or "pip3" when command.Has("--trusted-host") => $"{command.Program} --trusted-host",
        "dnf" or "yum" or "microdnf" when command.Has("--nogpgcheck") => $"{command.Program} --nogpgcheck",
        "zypper" when command.Has("--no-gpg-checks") => "zypper --no-gpg-checks",
        "git" when command.Arguments.Contains("http.sslVerify=false") || command.Words is [.., "http.sslVerify", "false"] =>
            "git http.sslVerify=false",
        "npm" or "yarn" when command.Words is [.., "strict-ssl", "false"] || command.Has("--strict-ssl=false", "--no-strict-ssl") =>
            $"{command.Program} strict-ssl=false",
        _ when command.Words.Any(word => word.Contains("StrictHostKeyChecking=no", StringComparison.OrdinalIgnoreCase)
            || word.Contains("StrictHostKeyChecking no", StringComparison.OrdinalIgnoreCase)) =>
            "StrictHostKeyChecking=no",
        _ => null,
    };

    private static bool IsOpen(string mode) => OpenMode().IsMatch(mode);

    private static bool IsApt(ShellCommand command) => command.Program is "apt" or "apt-get" or "aptitude";

    private static bool IsRpm(ShellCommand command) => command.Program is "dnf" or "yum" or "microdnf" or "tdnf" or "zypper";

    // What may stand around an update that is to be a step of its own.
    private static bool IsSetting(ShellCommand command) => command.Program is "set" or "echo" or "true" or "";

    private static bool IsPipInstall(ShellCommand command)
    {
        var arguments = command.Program is "python" or "python3" && command.Arguments is ["-m", "pip", ..]
            ? command.Arguments.Skip(2)
            : command.Arguments;
        bool isPip = command.Program is "pip" or "pip3" || arguments.Count() != command.Arguments.Count;
        return isPip && arguments.Contains("install") && !arguments.Any(argument =>
            argument is "--no-cache-dir" or "--no-cache" or "--cache-dir" || argument.StartsWith("--cache-dir=", StringComparison.Ordinal));
    }

    private static IEnumerable<Command> Runs(IEnumerable<Instruction> instructions) =>
        instructions.OfType<RunInstruction>().Select(run => new Command(run));

    [GeneratedRegex(@"(\$|<)\(\s*(curl|wget)\b")]
    private static partial Regex Substitution();

    [GeneratedRegex(@"^([0246]?[0-7][0-7][2367]|[ugo]*[ao][ugoa]*[+=][rwxX]*w[rwxX]*)$")]
    private static partial Regex OpenMode();

    private sealed class Command
    {
        private readonly RunInstruction _run;

        public Command(RunInstruction run)
        {
            _run = run;
            Text = TextOf(run);
            Commands = ShellCommand.Split(Text);
        }

        public string Text { get; }

        public IReadOnlyList<ShellCommand> Commands { get; }

        public Finding Find(string summary, string detail) => new(_run.Span, summary, detail);

        public bool Removes(string path) => Commands.Any(c => c.Program is "rm" or "find"
            && c.Arguments.Any(a => a.Contains(path, StringComparison.Ordinal)
                || (a.Length > 4 && path.StartsWith(a.TrimEnd('/', '*'), StringComparison.Ordinal))));

        public bool Mounts(string path) => _run.Mounts.Any(mount => mount.Find("type")?.Text is "cache" or "tmpfs"
            && mount.Find("target") is { } target
            && (target.Text.Contains(path, StringComparison.Ordinal)
                || path.StartsWith(target.Text.TrimEnd('/') + "/", StringComparison.Ordinal)));

        // A here-document that feeds a program is its input and no command; one that is the command, or a shell's input, is.
        private static string TextOf(RunInstruction run)
        {
            if (run.Script is { } script)
                return script.Content.Split('\n')[0].Contains("sh", StringComparison.Ordinal) ? script.Content : "";
            if (run.Command.Exec is { } exec)
                return exec is [var shell, "-c" or "-ec" or "-xc" or "-exc", var text, ..]
                    && s_shells.Contains(shell[(shell.LastIndexOf('/') + 1)..])
                    ? text
                    : string.Join(' ', exec.Select(argument => $"'{argument}'"));

            string command = run.Command.Shell!;
            return run.Heredocs.Count > 0 && command != run.Heredocs[0].Content ? command.Split('\n')[0] : command;
        }
    }
}
