using System.Text.RegularExpressions;
using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile;

internal sealed partial class InstructionReader
{
    private CopyInstruction? ReadCopy(RawInstruction raw)
    {
        if (ReadTransfer(raw) is not { } read)
            return null;

        if (raw.Flag("from") is { } from)
            CheckFrom(from);
        foreach (var source in read.Sources.Where(word => IsUrl(word.Text)))
            diagnostics.Error(DockerfileCodes.BadValue, $"COPY does not download '{source.Text}'", source.Span, "ADD does");
        return new(raw.Span, raw.Text, read.Sources, read.Destination, raw.Flag("from"), raw.Flag("chown"),
            raw.Flag("chmod"), read.Documents)
        {
            Link = raw.Switch("link") ?? false,
            Parents = raw.Switch("parents") ?? false,
            Exclude = ReadExclude(raw),
        };
    }

    private AddInstruction? ReadAdd(RawInstruction raw)
    {
        if (ReadTransfer(raw) is not { } read)
            return null;

        if (raw.Flag("checksum") is { } checksum && Checked(checksum))
            CheckChecksum(checksum, read);
        return new(raw.Span, raw.Text, read.Sources, read.Destination, raw.Flag("chown"), raw.Flag("chmod"), read.Documents)
        {
            Link = raw.Switch("link") ?? false,
            Exclude = ReadExclude(raw),
            Checksum = raw.Flag("checksum"),
            KeepGitDirectory = raw.Switch("keep-git-dir") ?? false,
            Unpack = raw.Switch("unpack"),
        };
    }

    private Transfer? ReadTransfer(RawInstruction raw)
    {
        if (ReadCopyWords(raw) is not { } words)
            return null;

        var destination = words[^1];
        words.RemoveAt(words.Count - 1);
        bool isList = DockerfileWords.Json(raw.Arguments.Text, out _) is not null;
        if (HeredocWord.TryParse(destination.Text) is not null)
        {
            diagnostics.Error(
                DockerfileCodes.BadHeredoc, $"the destination of {raw.Row.Keyword} cannot be a here-document", destination.Span);
            return null;
        }

        List<Word> sources = isList ? words : [.. words.Where(w => HeredocWord.TryParse(w.Text) is null)];
        List<Heredoc> documents = [.. raw.Heredocs.Select(h => h.Document)];
        // Shells know more blanks than lines of a Dockerfile: a word may be one document here and two words there.
        bool isClear = words.Count >= sources.Count + documents.Count
            && HeredocWord.FindAll(raw.Line.Text).Count >= words.Count - sources.Count;
        if (CheckPaths(raw, sources.Append(destination)) && !isClear)
            diagnostics.Error(DockerfileCodes.BadHeredoc, "a here-document cannot be told from the paths", raw.Line.Span(raw.Arguments),
                "write <<name without blanks");

        foreach (var document in documents)
            CheckContent(raw, document);
        CheckOwnerAndMode(raw);
        return new(sources, destination, documents);
    }

    private bool CheckPaths(RawInstruction raw, IEnumerable<Word> paths)
    {
        bool readable = true;
        foreach (var path in paths)
            readable &= VariableExpander.Check(path, diagnostics, Escape,
                $"a path with blanks needs the list form: {raw.Row.Keyword} [\"a b\", \"c\"]");
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
            diagnostics.Error(DockerfileCodes.BadExecForm, "a list of sources and a destination holds only strings",
                raw.Line.Span(raw.Arguments), "put every path in double quotes");
        else if (words.Count == 0)
            return Missing<List<Word>>(raw, "a source and a destination");
        else if (words.Count == 1)
            diagnostics.Error(DockerfileCodes.MissingArguments, $"{raw.Row.Keyword} '{words[0].Text}' has no destination", words[0].Span,
                $"write {raw.Row.Keyword} source destination");
        return notStrings || words.Count == 1 ? null : words;
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
            diagnostics.Error(
                DockerfileCodes.BadHeredoc, $"the here-document '{document.Name}' becomes a file: its name cannot be a path", raw.Keyword);
    }

    private void CheckOwnerAndMode(RawInstruction raw)
    {
        if (raw.Flag("chown") is { } chown && Checked(chown))
            CheckLiteral(chown, FileOwner(), "is not an owner", "user, user:group, or their numbers");
        if (raw.Flag("chmod") is { } chmod && Checked(chmod))
            CheckLiteral(chmod, Mode(), "is not a mode", "octal digits such as 0755, or changes such as u=rwX,go=rX");
    }

    // Variables have no meaning in them: https://github.com/moby/buildkit/issues/2673
    private List<Word> ReadExclude(RawInstruction raw)
    {
        List<Word> patterns = [.. raw.All("exclude").Select(flag => flag.Value!).Where(word => !string.IsNullOrWhiteSpace(word.Text))];
        foreach (var word in patterns)
        {
            if (IgnoreFile.Fault(word.Text) is { } cure)
                diagnostics.Error(DockerfileCodes.BadValue, $"'{word.Text}' is not a pattern", word.Span, cure);
        }

        return patterns;
    }

    private void CheckChecksum(Word checksum, Transfer read)
    {
        if (read.Sources.Count != 1 || read.Documents.Count > 0)
            diagnostics.Error(DockerfileCodes.BadValue, "--checksum belongs to one source", checksum.Span,
                "write an ADD of its own for that source");
        else if (Literal(read.Sources[0]) is { } source && !IsUrl(source) && !Repository().IsMatch(source))
            diagnostics.Error(
                DockerfileCodes.BadValue, $"--checksum is for downloads and repositories, which '{source}' is not", checksum.Span);
        else
            CheckLiteral(checksum, Checksum(), "is not a checksum", "sha256: and 64 hexadecimal digits, or the commit of a repository");
    }

    private static bool IsUrl(string text) =>
        text.StartsWith("http://", StringComparison.Ordinal) || text.StartsWith("https://", StringComparison.Ordinal);

    private void CheckFrom(Word from)
    {
        if (from.Text.Contains('$', StringComparison.Ordinal))
            diagnostics.Error(DockerfileCodes.BadValue, "variables have no meaning in --from", from.Span,
                "write FROM $image AS name above, and --from=name");
        else if (!ImageName().IsMatch(from.Text))
            diagnostics.Error(DockerfileCodes.BadValue, $"'{from.Text}' is neither a stage nor an image", from.Span,
                "the name or the number of a stage above, or an image with its tag");
    }

    private sealed record Transfer(List<Word> Sources, Word Destination, List<Heredoc> Documents);

    // No user is root.
    [GeneratedRegex(@"^([^\s:-][^\s:]*(:[^\s:]*)?|:[^\s:]+)$")]
    private static partial Regex FileOwner();

    [GeneratedRegex("^(0*[0-7]{1,4}|[ugoa]*([-+=][rwxXstugo]*)+(,[ugoa]*([-+=][rwxXstugo]*)+)*)$")]
    private static partial Regex Mode();

    [GeneratedRegex(@"\.git|^(git://|git@|ssh://|github\.com/)")]
    private static partial Regex Repository();

    [GeneratedRegex("^(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}|[0-9a-fA-F]{7,64})$")]
    private static partial Regex Checksum();
}
