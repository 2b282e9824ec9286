using System.Text;
using Ingot.Diagnostics;
using Ingot.Oci.Registries;
using Ingot.Templates.Dockerfile;
using Ingot.Templates.Dockerfile.Checks;

namespace Ingot.Fuzz;

/// <summary>A Dockerfile: the parser, the checks, and the triggers that an image keeps.</summary>
internal sealed class DockerfileTarget : FuzzTarget
{
    public override string Name => "dockerfile";

    public override IReadOnlyList<string> Tokens { get; } =
    [
        "FROM ", "FROM scratch AS a\n", "RUN ", "COPY ", "ADD ", "ENV ", "ARG ", "LABEL ", "CMD ", "ENTRYPOINT ", "EXPOSE ", "HEALTHCHECK ",
        "USER ", "WORKDIR ", "VOLUME ", "SHELL ",
        "STOPSIGNAL ", "ONBUILD ", "MAINTAINER ", " AS ", "--from=", "--mount=", "type=cache,", "type=secret,id=a", "target=/x", ",",
        "--network=none", "--security=insecure", "--link", "--parents",
        "--exclude=", "--chmod=", "--chown=", "--checksum=sha256:", "--keep-git-dir", "--unpack=", "--platform=", "--interval=",
        "--device=", "<<EOF", "<<-EOF", "<<'EOF'", "EOF\n", "\nEOF\n", "\\\n", "`\n",
        "# escape=`\n", "# check=skip=all;error=true\n", "# syntax=x\n", "#", "//", "{\"syntax\":\"a\"}", "$", "${", "}", ":-", ":+", ":?",
        "##", "%%", "//", "[\"", "\"]", "\",\"", "\"", "'", "\\", "`", "\t", "\r\n", "\n", "\n\n",
        "apt-get update && apt-get install x", "curl x | sh", "sudo ", "0", "80/tcp", "30s", "\uFEFF", "\0", "🦊", "\u0085", "\ud800",
        "u=rwX,go=rX", "0755",
    ];

    public override Task<int> RunAsync(byte[] input)
    {
        SourceText source = new("Dockerfile", Encoding.UTF8.GetString(input));
        DiagnosticBag diagnostics = [];
        var syntax = DockerfileParser.Parse(source, diagnostics);
        Must(DiagnosticRenderer.Render(diagnostics).Length > 0 || diagnostics.Count == 0, "diagnostics are shown");
        Must(diagnostics.All(d => d.Span is { } span && Inside(span, source)), "a diagnostic stands in the file");
        HashCode signature = default;
        foreach (string code in diagnostics.Select(d => d.Code).Distinct().Order(StringComparer.Ordinal))
            signature.Add(code);
        if (diagnostics.HasErrors)
            return Task.FromResult(signature.ToHashCode());

        Must(syntax.Stages.Count > 0, "a file without errors has a stage");
        foreach (string kind in CheckWhole(syntax, source))
            signature.Add(kind);
        return Task.FromResult(signature.ToHashCode());
    }

    private static IEnumerable<string> CheckWhole(DockerfileSyntax syntax, SourceText source)
    {
        var instructions = syntax.GlobalArguments
            .Concat<Instruction>(syntax.Stages.SelectMany(stage => stage.Instructions.Prepend(stage.From)))
            .ToList();
        Must(instructions.TrueForAll(i => Inside(i.Span, source) && i.Span.Length > 0), "an instruction stands in the file");
        List<string> triggers = [.. instructions.OfType<OnbuildInstruction>().Select(onbuild => onbuild.Trigger)];
        DiagnosticBag again = [];
        // An image does not keep the escape character.
        var read = DockerfileParser.ParseTriggers(triggers, "image", again);
        Must(syntax.Escape != '\\' || (read.Count == triggers.Count && !again.HasErrors), "what ONBUILD keeps is read again");
        var findings = DockerfileChecks.Run(syntax, CheckContext.None);
        Must(findings.All(finding => finding.Span is { } span && Inside(span, source)), "a finding stands in the file");
        return instructions.Select(i => i.GetType().Name).Concat(findings.Select(finding => finding.Code)).Distinct()
            .Order(StringComparer.Ordinal);
    }

    private static bool Inside(SourceSpan span, SourceText source) =>
        span.Start >= 0 && span.Length >= 0 && span.Start + span.Length <= source.Text.Length;
}

/// <summary>An ignore file, a line of dashes, and paths.</summary>
internal sealed class IgnoreFileTarget : FuzzTarget
{
    public override string Name => "ignorefile";

    public override IReadOnlyList<string> Tokens { get; } =
        ["*", "**", "**/", "/**", "?", "!", "!**", "[a-z]", "[^a]", "[", "]", "\\", "/", "..", "./", "#", " ", "\n", "\n!", "---\n", "a",
            "b/", "node_modules", ".git", "*.md", "\uFEFF", "\r\n", "🦊", "a/b/c", "^", "$", "."];

    public override Task<int> RunAsync(byte[] input)
    {
        string[] parts = Encoding.UTF8.GetString(input).Split("---\n", 2);
        DiagnosticBag diagnostics = [];
        var file = IgnoreFile.Parse(new SourceText(".dockerignore", parts[0]), diagnostics);
        HashCode signature = default;
        signature.Add(diagnostics.Count);
        foreach (string path in (parts.Length < 2 ? "a\na/b\n" : parts[1]).Split('\n').Take(20).Select(path => path.Trim('/'))
            .Where(path => path.Length > 0))
        {
            bool ignored = file.IsIgnored(path);
            bool pruned = file.CanPrune(path);
            Must(!pruned || ignored, "what is pruned is ignored");
            Must(!pruned || (file.IsIgnored(path + "/x") && file.IsIgnored(path + "/a/b.md")),
                "nothing below a pruned directory comes back");
            signature.Add((ignored, pruned));
        }

        foreach (string pattern in parts[0].Split('\n'))
            signature.Add(IgnoreFile.Fault(pattern) is null);
        return Task.FromResult(signature.ToHashCode());
    }
}

/// <summary>A text with variables.</summary>
internal sealed class SubstitutionTarget : FuzzTarget
{
    public override string Name => "substitution";

    public override IReadOnlyList<string> Tokens { get; } =
        ["$a", "${a}", "${", "}", "$", ":-", "-", ":+", "+", ":?", "?", "#", "##", "%", "%%", "/", "//", "*", "?", "\\*", "\\}", "\\/",
            "\\\\", "\\", "`", "'", "\"", "<<", "<<-", " ", "\n", "a", "path", "empty", "unset", "long", "🦊", "\ud800", "$@", "$1"];

    public override Task<int> RunAsync(byte[] input)
    {
        string text = Encoding.UTF8.GetString(input);
        SourceText source = new("x", text);
        Word word = new(text, source.Span(0, text.Length));
        HashCode signature = default;
        foreach (char escape in "\\`")
        {
            DiagnosticBag diagnostics = [];
            string one = VariableExpander.Expand(word, Lookup, diagnostics, escape);
            var words = VariableExpander.ExpandWords(word, Lookup, diagnostics, escape);
            string content = VariableExpander.ExpandContent(new Heredoc("x", true, text, word.Span), Lookup, diagnostics);
            Must(diagnostics.All(d => d.Span is { } span && span.Start >= 0 && span.Start + span.Length <= text.Length),
                "a diagnostic stands in the text");
            Must(
                one.Length <= text.Length + (2 * VariableExpander.MaximumLength)
                    && content.Length <= text.Length + (2 * VariableExpander.MaximumLength),
                "an expansion is not too long");
            signature.Add((diagnostics.Count, diagnostics.FirstOrDefault()?.Code, words.Count, one.Length.CompareTo(text.Length)));
        }

        return Task.FromResult(signature.ToHashCode());
    }

    private static string? Lookup(string name) => name switch
    {
        "a" => "b",
        "empty" => "",
        "path" => "/usr/local/lib/x.tar.gz",
        "long" => s_long,
        _ when name.Length % 3 == 0 => $" two \"words ${name}* ",
        _ => null,
    };

    private static readonly string s_long = string.Concat(Enumerable.Repeat("ab/", 500));
}

/// <summary>The name of an image.</summary>
internal sealed class ReferenceTarget : FuzzTarget
{
    public override string Name => "reference";

    public override IReadOnlyList<string> Tokens { get; } =
        ["localhost", ":5000", "/", ":", "@", "sha256:", "24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d", "docker.io",
            "library", ".", "-", "_", "__", "latest", "A", "a", "0", "[::1]", "%", "🦊", " ", "\n", "a-b_c.d"];

    public override Task<int> RunAsync(byte[] input)
    {
        string text = Encoding.UTF8.GetString(input);
        if (!Reference.TryParse(text, out var reference))
            return Task.FromResult(0);

        Must(Reference.TryParse(reference.ToString(), out var again) && again == reference, "a reference is read as it is written");
        // Docker's defaults may make a long name too long.
        Must(text.Length > 200 || Reference.TryParse(reference.WithDockerDefaults().ToString(), out _), "a reference with defaults is one");
        Must(!text.AsSpan().ContainsAny(" \n\r\t"), "a reference has no blanks");
        return Task.FromResult(HashCode.Combine(reference.Registry is null, reference.Tag is null, reference.Digest is null,
            reference.Repository.Count(c => c == '/')));
    }
}
