using System.Buffers;
using System.Text.RegularExpressions;
using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile.Checks;

/// <summary>Checks of what an image is made of, and of how it runs.</summary>
internal static partial class ImageRules
{
    private static readonly SearchValues<char> s_shellCharacters = SearchValues.Create("'\"\\$&|;<>()*?\n`");

    public static IEnumerable<Finding> ConstantPlatform(CheckedFile file)
    {
        foreach (var from in file.Syntax.Stages.Select(stage => stage.From))
        {
            if (from.Platform is not { } platform || file.Literal(platform) is not { } text)
                continue;

            // A stage that says in its name what it is for may be for it alone.
            string[] parts = text.ToLowerInvariant().Split('/');
            if (!parts.Take(2).Any(part => from.StageName?.Contains(part, StringComparison.Ordinal) ?? false))
                yield return new(platform.Span, $"the platform is always '{text}', whatever is built",
                    "leave it to --platform of the build, or write $BUILDPLATFORM or $TARGETPLATFORM");
        }
    }

    public static IEnumerable<Finding> RedundantPlatform(CheckedFile file) =>
        from stage in file.Syntax.Stages
        where stage.From.Platform?.Text is "$TARGETPLATFORM" or "${TARGETPLATFORM}"
        select new Finding(stage.From.Platform!.Span, $"'{stage.From.Platform}' is what the platform is without the flag",
            "leave the flag out");

    public static IEnumerable<Finding> FloatingBase(CheckedFile file)
    {
        for (int i = 0; i < file.Syntax.Stages.Count; i++)
        {
            var from = file.Syntax.Stages[i].From;
            if (file.Globals.Expand(from.Image) is { } name && IsFloating(file, name, i))
                yield return Floating(from.Image.Span, name);

            foreach (var source in file.Syntax.Stages[i].Instructions.SelectMany(Sources))
            {
                if (IsFloating(file, source.Text, i))
                    yield return Floating(source.Span, source.Text);
            }
        }
    }

    public static IEnumerable<Finding> RelativeWorkdir(CheckedFile file)
    {
        bool[] set = new bool[file.Syntax.Stages.Count];
        for (int i = 0; i < set.Length; i++)
        {
            set[i] = file.BaseOf(i) is { } parent && set[parent];
            if (file.Syntax.Stages[i].Instructions.OfType<WorkdirInstruction>().FirstOrDefault() is not { } first)
                continue;

            if (!set[i] && file.Literal(first.Path) is { Length: > 0 } path && path[0] != '/')
                yield return new(first.Path.Span, $"where '{path}' is depends on the working directory of the base",
                    $"write /{path}, or an absolute WORKDIR above it");
            set[i] = true;
        }
    }

    public static IEnumerable<Finding> MultipleInstructions(CheckedFile file)
    {
        foreach (var stage in file.Syntax.Stages)
        {
            foreach (var same in stage.Instructions
                .Where(i => i is CmdInstruction or EntrypointInstruction or HealthcheckInstruction)
                .GroupBy(i => i.GetType()))
            {
                string keyword = file.Keyword(same.First()).ToUpperInvariant();
                foreach (var earlier in same.SkipLast(1))
                    yield return new(earlier.Span, $"this {keyword} has no effect: another follows it",
                        $"it is on line {same.Last().Span.Line}");
            }
        }
    }

    public static IEnumerable<Finding> JsonArguments(CheckedFile file)
    {
        bool[] shells = new bool[file.Syntax.Stages.Count];
        for (int i = 0; i < shells.Length; i++)
        {
            shells[i] = file.BaseOf(i) is { } parent && shells[parent];
            foreach (var instruction in file.Syntax.Stages[i].Instructions)
            {
                // Who chooses a shell wants one.
                shells[i] |= instruction is ShellInstruction;
                var command = (instruction as CmdInstruction)?.Command ?? (instruction as EntrypointInstruction)?.Command;
                if (command?.Shell is { } text && !shells[i])
                    yield return new(
                        instruction.Span,
                        $"{file.Keyword(instruction).ToUpperInvariant()} runs in a shell, which does not pass signals on",
                        $"write {file.Keyword(instruction)} [{Words(text)}]");
            }
        }
    }

    public static IEnumerable<Finding> CmdIgnored(CheckedFile file)
    {
        foreach (var stage in file.Syntax.Stages)
        {
            var entry = stage.Instructions.OfType<EntrypointInstruction>().LastOrDefault();
            if (entry?.Command.Shell is not null && stage.Instructions.OfType<CmdInstruction>().LastOrDefault() is { } cmd)
                yield return new(cmd.Span, "CMD has no effect: ENTRYPOINT is in shell form, which takes no arguments",
                    "write ENTRYPOINT as a list");
        }
    }

    public static IEnumerable<Finding> ExposeProtoCasing(CheckedFile file) =>
        from expose in file.Instructions.OfType<ExposeInstruction>()
        from port in expose.Ports
        let text = file.Literal(port)
        where text is not null && text.Contains('/', StringComparison.Ordinal) && text.Any(char.IsUpper)
        select new Finding(port.Span, $"the protocol of '{text}' is not in lower case", $"write {text.ToLowerInvariant()}");

    public static IEnumerable<Finding> ExposeInvalidFormat(CheckedFile file) =>
        from expose in file.Instructions.OfType<ExposeInstruction>()
        from port in expose.Ports
        let text = file.Literal(port)
        where text is not null && text.Contains(':', StringComparison.Ordinal)
        select new Finding(port.Span, $"'{text}' names the host's side, which an image does not decide",
            $"write {text[(text.LastIndexOf(':') + 1)..]}");

    public static IEnumerable<Finding> CopyIgnoredFile(CheckedFile file)
    {
        // With exceptions a directory may be left out and files in it may not.
        if (file.Context.Ignored is not { HasExceptions: false } ignored)
            return [];

        return from copy in file.Instructions.OfType<TransferInstruction>()
               where copy is not CopyInstruction { From: not null }
               from source in copy.Sources
               let path = file.Literal(source) is { } text ? Clean(text) : null
               where path is { Length: > 0 } && !Remote().IsMatch(source.Text) && ignored.IsIgnored(path)
               select new Finding(source.Span, $"'{source}' is left out of the context by the ignore file",
                   "include it again with '!', or do not copy it");
    }

    public static IEnumerable<Finding> AddWithoutChecksum(CheckedFile file) =>
        from add in file.Instructions.OfType<AddInstruction>()
        where add.Checksum is null
        from source in add.Sources
        where Download().IsMatch(source.Text)
        select new Finding(source.Span, $"what '{source}' delivers is accepted whatever it contains", "add --checksum=sha256:…");

    public static IEnumerable<Finding> DestinationNotDirectory(CheckedFile file) =>
        from copy in file.Instructions.OfType<TransferInstruction>()
        let path = file.Literal(copy.Destination)
        where copy.Sources.Count + copy.Heredocs.Count > 1 && path is not null and not ("." or "..") && !path.EndsWith('/')
            && !path.EndsWith("/.", StringComparison.Ordinal)
        select new Finding(
            copy.Destination.Span, $"several sources are copied to '{path}', which is a directory only if it exists", $"write {path}/");

    public static IEnumerable<Finding> RootUser(CheckedFile file)
    {
        UserInstruction? user = null;
        Instruction? starts = null;
        string? image = null;
        for (int? i = file.Syntax.Stages.Count - 1; i >= 0; i = file.BaseOf(i.Value))
        {
            var stage = file.Syntax.Stages[i.Value];
            starts ??= stage.Instructions.LastOrDefault(instruction =>
                instruction is EntrypointInstruction or CmdInstruction { Command.Exec: not { Count: 0 } });
            user ??= stage.Instructions.OfType<UserInstruction>().LastOrDefault();
            image = stage.From.Image.Text;
        }

        // An image without a program of its own is a base for others, and a base may have a user that is not known here.
        if (starts is null || (user is null && (file.Context.KnownImages.Contains(image!) || Unprivileged().IsMatch(image!))))
            yield break;

        if (user is null)
            yield return new(starts.Span, "no USER is set, so the program runs as root unless its base says otherwise",
                "write USER with a user of its own above it");
        else if (file.Literal(user.User) is { } name && RootName().IsMatch(name))
            yield return new(user.Span, "the program of the image runs as root", "write USER with a user of its own below it");
    }

    private static IEnumerable<Word> Sources(Instruction instruction) => instruction switch
    {
        CopyInstruction { From: { } from } => [from],
        RunInstruction run => run.Mounts.Select(mount => mount.Find("from")).OfType<Word>(),
        _ => [],
    };

    private static bool IsFloating(CheckedFile file, string name, int stage)
    {
        if (name.Length == 0 || name == "scratch" || name.Contains('@', StringComparison.Ordinal) || name.All(char.IsAsciiDigit)
            || file.FindStage(name, stage) is not null || file.Context.KnownImages.Contains(name))
            return false;

        int colon = name.IndexOf(':', name.LastIndexOf('/') + 1);
        return colon < 0 || name[(colon + 1)..] == "latest";
    }

    private static Finding Floating(SourceSpan span, string name) =>
        new(span, $"'{name}' can be a different image every day", "name a version, or a digest: image:1.2@sha256:…");

    private static string Words(string shell)
    {
        string[] words = shell.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        bool plain = words.Length <= 6 && !shell.AsSpan().ContainsAny(s_shellCharacters);
        return plain ? string.Join(", ", words.Select(word => $"\"{word}\"")) : "\"program\", \"argument\"";
    }

    private static string Clean(string path)
    {
        List<string> parts = [];
        foreach (string part in path.Split('/').Where(part => part is not ("" or ".")))
        {
            if (part != "..")
                parts.Add(part);
            else if (parts.Count > 0)
                parts.RemoveAt(parts.Count - 1);
        }

        return string.Join('/', parts);
    }

    [GeneratedRegex(@"^https?://.*(?<!\.git)(?<!\.git[#?].*)$")]
    private static partial Regex Download();

    [GeneratedRegex("^[a-z+]+://|^git@|^github\\.com/")]
    private static partial Regex Remote();

    [GeneratedRegex("nonroot|rootless|unprivileged", RegexOptions.IgnoreCase)]
    private static partial Regex Unprivileged();

    [GeneratedRegex("^(root|0)(:.*)?$")]
    private static partial Regex RootName();
}
