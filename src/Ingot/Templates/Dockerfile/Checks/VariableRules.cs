using System.Text.RegularExpressions;
using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile.Checks;

/// <summary>Checks of arguments and variables.</summary>
internal static partial class VariableRules
{
    public static IEnumerable<Finding> UndefinedInFrom(CheckedFile file)
    {
        foreach (var from in file.Syntax.Stages.Select(stage => stage.From))
        {
            foreach (var word in new[] { from.Image, from.Platform }.OfType<Word>())
            {
                foreach (string name in file.Globals.Undeclared(word))
                    yield return new(word.Span, $"'{name}' is not declared above the first FROM",
                        Suggestion.For(name, file.Globals.Names) ?? $"write ARG {name} there");
            }
        }
    }

    public static IEnumerable<Finding> InvalidDefaultInFrom(CheckedFile file)
    {
        GlobalScope defaults = new(file.Syntax, new Dictionary<string, string>());
        foreach (var image in file.Syntax.Stages.Select(stage => stage.From.Image))
        {
            // What is not declared is the business of another check.
            if (!image.Text.Contains('$', StringComparison.Ordinal) || defaults.Undeclared(image).Count > 0)
                continue;

            ShellLexer lexer = new(image.Text, defaults.Find, file.Syntax.Escape) { OnlyChecks = true };
            string name = lexer.Process();
            if (lexer.Problem is null && !ImageName().IsMatch(name))
                yield return new(image.Span, $"with the defaults of its arguments '{image}' is '{name}', which names no image",
                    "give the ARG a default");
        }
    }

    public static IEnumerable<Finding> Secrets(CheckedFile file)
    {
        foreach (var instruction in file.Everything)
        {
            IEnumerable<string> names = instruction switch
            {
                ArgInstruction arg => arg.Arguments.Select(argument => argument.Name),
                EnvInstruction env => env.Variables.Select(variable => variable.Name.Text),
                _ => [],
            };
            foreach (string name in names.Where(name => SecretName().IsMatch(name) && !HarmlessName().IsMatch(name)))
                yield return new(instruction.Span, $"'{name}' looks like a secret, and what {file.Keyword(instruction).ToUpperInvariant()} "
                    + "says can be read by everybody who has the image", "give it with RUN --mount=type=secret");
        }
    }

    public static IEnumerable<Finding> Undefined(CheckedFile file)
    {
        List<StageScope> scopes = [];
        for (int i = 0; i < file.Syntax.Stages.Count; i++)
        {
            StageScope scope = new(file, file.BaseOf(i) is { } parent ? scopes[parent] : null,
                file.Globals.Expand(file.Syntax.Stages[i].From.Image) == "scratch");
            scopes.Add(scope);
            foreach (var finding in file.Syntax.Stages[i].Instructions.SelectMany(scope.Pass))
                yield return finding;
        }
    }

    // What an image of a registry defines is not known here. A variable is reported where nothing else can define it, where its name is
    // nearly that of a declared one, or where an argument of that name stands above the first FROM, which stages must declare again.
    private sealed class StageScope(CheckedFile file, StageScope? parent, bool isScratch)
    {
        private readonly HashSet<string> _defined = parent is null ? ["PATH"] : [.. parent._defined];

        private bool IsComplete { get; } = isScratch || parent is { IsComplete: true };

        public IEnumerable<Finding> Pass(Instruction instruction)
        {
            List<Finding> findings = [.. Words(instruction).SelectMany(Undefined)];
            if (instruction is ArgInstruction arg)
            {
                foreach (var (name, initial) in arg.Arguments)
                {
                    findings.AddRange(initial is null ? [] : Undefined((initial, false)));
                    _defined.Add(name);
                }
            }

            if (instruction is EnvInstruction env)
                _defined.UnionWith(env.Variables.Select(variable => variable.Name.Text));
            return findings;
        }

        private IEnumerable<Finding> Undefined((Word Word, bool IsContent) use)
        {
            List<string> missing = [];
            char escape = use.IsContent ? '\\' : file.Syntax.Escape;
            ShellLexer lexer = new(use.Word.Text, name => _defined.Contains(name) ? "x" : null, escape)
            {
                OnlyChecks = true,
                QuotesAreOrdinary = use.IsContent,
                Missing = missing.Add,
            };
            lexer.Process();
            return missing.Distinct().Where(name => VariableName().IsMatch(name))
                .Select(name => Judge(name, use.Word.Span)).OfType<Finding>();
        }

        private Finding? Judge(string name, SourceSpan span)
        {
            // Every image has a PATH, and many images variables whose names end so.
            string? near = Suggestion.For(name, _defined.Where(defined => defined != "PATH"));
            if (file.Globals.Declares(name))
                return new(span, $"the variable '{name}' is not declared in this stage", $"write ARG {name} below its FROM");
            return IsComplete || near is not null
                ? new(span, $"the variable '{name}' is not declared here", near ?? $"write ARG {name} or ENV {name}=… above it")
                : null;
        }

        private static IEnumerable<(Word Word, bool IsContent)> Words(Instruction instruction)
        {
            IEnumerable<Word?> words = instruction switch
            {
                EnvInstruction env => env.Variables.SelectMany(v => new[] { v.Name, v.Value }),
                LabelInstruction label => label.Labels.SelectMany(v => new[] { v.Name, v.Value }),
                TransferInstruction copy => [.. copy.Sources, copy.Destination, copy.Chown, copy.Chmod, (copy as AddInstruction)?.Checksum],
                WorkdirInstruction workdir => [workdir.Path],
                UserInstruction user => [user.User],
                ExposeInstruction expose => expose.Ports,
                StopsignalInstruction stop => [stop.Signal],
                VolumeInstruction volume => volume.Paths,
                RunInstruction run => run.Mounts.SelectMany(mount => mount.Options.Select(option => option.Value)),
                _ => [],
            };
            var documents = instruction is TransferInstruction transfer ? transfer.Heredocs.Where(document => document.Expand) : [];
            return
            [
                .. words.OfType<Word>().Select(word => (word, false)),
                .. documents.Select(document => (new Word(document.Content, document.Span), true)),
            ];
        }
    }

    [GeneratedRegex("(?:_|^)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex SecretName();

    [GeneratedRegex("(?:_|^)(?:public|file|version)(?:_|$)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex HarmlessName();

    [GeneratedRegex("^[A-Za-z_][A-Za-z0-9_]*$")]
    private static partial Regex VariableName();

    // https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests, with a registry in front.
    [GeneratedRegex("^([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,"
        + "127})?(@[a-z0-9+._-]+:[0-9a-fA-F]{32,})?$")]
    private static partial Regex ImageName();
}
