using System.Text.RegularExpressions;
using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile;

internal sealed partial class InstructionReader
{
    private CopyInstruction? ReadCopy(RawInstruction raw)
    {
        if (ReadCopyWords(raw) is not { } words)
            return null;

        var destination = words[^1];
        words.RemoveAt(words.Count - 1);
        bool isList = DockerfileWords.Json(raw.Arguments.Text, out _) is not null;
        if (!isList && HeredocWord.TryParse(destination.Text) is not null)
        {
            diagnostics.Error(DockerfileCodes.BadHeredoc, "the destination of COPY cannot be a here-document", destination.Span);
            return null;
        }

        List<Word> sources = isList ? words : [.. words.Where(w => HeredocWord.TryParse(w.Text) is null)];
        List<Heredoc> documents = [.. raw.Heredocs.Select(h => h.Document)];
        if (CheckPaths(sources.Append(destination)))
        {
            CheckDestination(destination, words.Count);
            if (words.Count != sources.Count + documents.Count)
                diagnostics.Error(DockerfileCodes.BadHeredoc, "a here-document cannot be told from the paths", raw.Line.Span(raw.Arguments), "write <<name without blanks");
        }

        foreach (var document in documents)
            CheckContent(raw, document);
        CheckCopyFlags(raw);
        return new(raw.Span, raw.Text, sources, destination, raw.Flag("from"), raw.Flag("chown"), raw.Flag("chmod"), documents);
    }

    private bool CheckPaths(IEnumerable<Word> paths)
    {
        bool readable = true;
        foreach (var path in paths)
            readable &= VariableExpander.Check(path, diagnostics, Escape, "a path with blanks needs the list form: COPY [\"a b\", \"c\"]");
        return readable;
    }

    private List<Word>? ReadCopyWords(RawInstruction raw)
    {
        List<Word> words;
        if (DockerfileWords.Json(raw.Arguments.Text, out bool notStrings) is { } strings)
            words = [.. strings.Select(s => new Word(s, raw.Line.Span(raw.Arguments)))];
        else
            words = [.. DockerfileWords.Blank(raw.Arguments).Select(raw.Line.Word)];

        if (notStrings)
            diagnostics.Error(DockerfileCodes.BadExecForm, "a list of sources and a destination holds only strings", raw.Line.Span(raw.Arguments), "put every path in double quotes");
        else if (words.Count == 0)
            return Missing<List<Word>>(raw, "a source and a destination");
        else if (words.Count == 1)
            diagnostics.Error(DockerfileCodes.MissingArguments, $"COPY '{words[0].Text}' has no destination", words[0].Span, "write COPY source destination");
        return notStrings || words.Count == 1 ? null : words;
    }

    private void CheckDestination(Word destination, int sources)
    {
        if (sources > 1 && Literal(destination) is { } path && !path.EndsWith('/') && path is not ("." or ".."))
            diagnostics.Error(DockerfileCodes.BadValue, $"several sources need a directory: '{path}' does not end with '/'", destination.Span, $"write {path}/");
    }

    private void CheckContent(RawInstruction raw, Heredoc document)
    {
        CheckFileName(raw, document);
        if (document.Expand)
            VariableExpander.ExpandContent(document, static _ => "set", diagnostics);
    }

    private void CheckFileName(RawInstruction raw, Heredoc document)
    {
        if (document.Name.Contains('/', StringComparison.Ordinal) || document.Name is "." or "..")
            diagnostics.Error(DockerfileCodes.BadHeredoc, $"the here-document '{document.Name}' becomes a file: its name cannot be a path", raw.Keyword);
    }

    private void CheckCopyFlags(RawInstruction raw)
    {
        if (raw.Flag("from") is { } from)
            CheckFrom(from);
        if (raw.Flag("chown") is { } chown && Checked(chown))
            CheckLiteral(chown, Owner(), "is not an owner", "user, user:group, or their numbers");
        if (raw.Flag("chmod") is { } chmod && Checked(chmod))
            CheckMode(chmod);
    }

    private void CheckFrom(Word from)
    {
        if (from.Text.Contains('$', StringComparison.Ordinal))
            diagnostics.Error(DockerfileCodes.BadValue, "variables have no meaning in --from", from.Span, "write FROM $image AS name above, and --from=name");
        else if (!ImageName().IsMatch(from.Text))
            diagnostics.Error(DockerfileCodes.BadValue, $"'{from.Text}' is neither a stage nor an image", from.Span, "the name or the number of a stage above, or an image with its tag");
    }

    private void CheckMode(Word chmod)
    {
        if (Literal(chmod) is not { } mode || OctalMode().IsMatch(mode))
            return;

        if (SymbolicMode().IsMatch(mode))
            diagnostics.Error(DockerfileCodes.NotSupportedYet, $"the symbolic mode '{mode}' is not supported yet", chmod.Span, "write it in octal, such as 0755");
        else
            diagnostics.Error(DockerfileCodes.BadValue, $"'{mode}' is not a mode", chmod.Span, "three or four octal digits, such as 0755");
    }

    [GeneratedRegex("^0?[0-7]{3,4}$")]
    private static partial Regex OctalMode();

    [GeneratedRegex("^[ugoa]*([-+=][rwxXstugo]*)+(,[ugoa]*([-+=][rwxXstugo]*)+)*$")]
    private static partial Regex SymbolicMode();
}
