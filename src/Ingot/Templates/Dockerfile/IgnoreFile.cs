using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile;

/// <summary>
/// A <c>.dockerignore</c>: which files of a context are not part of it. Patterns count in order and the last that matches decides;
/// <c>!</c> takes a file back in; a pattern that matches a directory matches everything below it.
/// </summary>
/// <remarks>The rules are those of https://docs.docker.com/build/concepts/context/#dockerignore-files.</remarks>
public sealed class IgnoreFile
{
    private readonly List<IgnorePattern> _patterns;

    private IgnoreFile(List<IgnorePattern> patterns) => _patterns = patterns;

    /// <summary>Ignores nothing.</summary>
    public static IgnoreFile Empty { get; } = new([]);

    /// <summary>Reads a file whose patterns must all be right; a wrong one throws <see cref="InvalidInputException"/>.</summary>
    public static IgnoreFile Parse(string text)
    {
        DiagnosticBag diagnostics = [];
        var file = Parse(new SourceText(".dockerignore", text), diagnostics);
        diagnostics.ThrowIfErrors();
        return file;
    }

    /// <summary>Reads a file; a pattern that cannot be read is reported and left out.</summary>
    public static IgnoreFile Parse(SourceText source, DiagnosticBag diagnostics)
    {
        List<IgnorePattern> patterns = [];
        for (int number = 1; number <= source.LineCount; number++)
        {
            string line = number == 1 ? source.Line(1).TrimStart('\uFEFF') : source.Line(number);
            // A # is a comment only as the very first character.
            string pattern = line.StartsWith('#') ? "" : line.Trim();
            if (pattern.Length == 0)
                continue;

            bool includes = pattern.StartsWith('!');
            string path = Clean(includes ? pattern[1..].Trim() : pattern);
            if (path.Length == 0)
                diagnostics.Error(DockerfileCodes.BadIgnorePattern, "'!' takes nothing back in", source.LineSpan(number), "write a pattern after it");
            else if (IgnorePattern.TryParse(path, includes) is { } read)
                patterns.Add(read);
            else
                diagnostics.Error(DockerfileCodes.BadIgnorePattern, $"'{pattern}' is not a pattern", source.LineSpan(number), "a '[' needs its ']', and a '\\' a character after it");
        }

        return new(patterns);
    }

    /// <summary>Patterns that stand in no file, such as those of <c>--exclude</c>: none is a comment. Null when one cannot be read.</summary>
    public static IgnoreFile? TryOf(IEnumerable<string> patterns)
    {
        List<IgnorePattern> read = [];
        foreach (string pattern in patterns.Select(static p => p.Trim()).Where(static p => p.Length > 0))
        {
            bool includes = pattern.StartsWith('!');
            string path = Clean(includes ? pattern[1..].Trim() : pattern);
            if (path.Length == 0 || IgnorePattern.TryParse(path, includes) is not { } one)
                return null;
            read.Add(one);
        }

        return new(read);
    }

    /// <summary>Whether a path of the context, with <c>/</c> between its parts and none at its ends, is left out.</summary>
    public bool IsIgnored(string relativePath)
    {
        bool ignored = false;
        foreach (var pattern in _patterns)
        {
            // A pattern that would change nothing is not asked.
            if (pattern.Includes == ignored && pattern.MatchesOrParent(relativePath))
                ignored = !pattern.Includes;
        }

        return ignored;
    }

    /// <summary>Whether a directory is ignored and nothing below it can be taken back in, so that it need not be read.</summary>
    public bool CanPrune(string relativeDirectory) =>
        IsIgnored(relativeDirectory) && !_patterns.Any(pattern => pattern.Includes && pattern.MayMatchBelow(relativeDirectory));

    /// <summary>Whether some pattern can match a path below a directory.</summary>
    public bool MayMatchBelow(string relativeDirectory) => _patterns.Any(pattern => pattern.MayMatchBelow(relativeDirectory));

    // The shortest equal path: no empty or "." parts, ".." taken back where it can be, no slash at either end.
    private static string Clean(string pattern)
    {
        if (pattern.Length == 0)
            return "";

        bool rooted = pattern.StartsWith('/');
        List<string> parts = [];
        foreach (string part in pattern.Split('/'))
        {
            if (part is "" or ".")
                continue;
            if (part != "..")
                parts.Add(part);
            else if (parts.Count > 0 && parts[^1] != "..")
                parts.RemoveAt(parts.Count - 1);
            else if (!rooted)
                parts.Add(part);
        }

        return parts.Count > 0 ? string.Join('/', parts) : rooted ? "/" : ".";
    }
}
