using Ingot.Diagnostics;

namespace Ingot.Templates.Dockerfile;

/// <summary>
/// A <c>.dockerignore</c>: which files of a context are not part of it. Patterns count in order and the last that matches decides;
/// <c>!</c> takes a file back in; a pattern that matches a directory matches everything below it.
/// </summary>
/// <remarks>The rules are those of https://docs.docker.com/build/concepts/context/#dockerignore-files.</remarks>
public sealed class IgnoreFile
{
    /// <summary>What the file is called, or what its name ends with.</summary>
    public const string Name = ".dockerignore";
    private const string Cure = "a '[' needs its ']', a range its ends in order, and a '\\' a character after it";

    private readonly List<IgnorePattern> _patterns;
    private readonly bool _hasExceptions;

    private IgnoreFile(List<IgnorePattern> patterns)
    {
        _patterns = patterns;
        _hasExceptions = patterns.Exists(pattern => pattern.Includes);
    }

    /// <summary>Whether a pattern takes something back in.</summary>
    public bool HasExceptions => _hasExceptions;

    /// <summary>Ignores nothing.</summary>
    public static IgnoreFile Empty { get; } = new([]);

    /// <summary>The file that says what is left out of a context; null when there is none. A Dockerfile's own, beside it,
    /// comes before the context's.</summary>
    /// <param name="context">The context's directory.</param>
    /// <param name="beside">The directory of the Dockerfile; null for one that is no file,
    /// or for a context beside the Dockerfile's.</param>
    /// <param name="dockerfile">The Dockerfile, as seen from there.</param>
    /// <returns>Its path without links, which <see cref="ProjectDirectory.ReadResolved"/> takes.</returns>
    public static string? Locate(ProjectDirectory context, ProjectDirectory? beside = null, string? dockerfile = null) =>
        beside?.FindFile(dockerfile + Name) ?? context.FindFile(Name);

    /// <summary>Reads a file whose patterns must all be right; a wrong one throws <see cref="InvalidInputException"/>.</summary>
    public static IgnoreFile Parse(string text)
    {
        DiagnosticBag diagnostics = [];
        var file = Parse(new SourceText(Name, text), diagnostics);
        diagnostics.ThrowIfErrors();
        return file;
    }

    /// <summary>Patterns that do not stand in a file, as <c>--exclude</c> of COPY has them: a slash at their start stays, and then they
    /// match nothing. A wrong one throws <see cref="InvalidInputException"/>.</summary>
    public static IgnoreFile FromPatterns(IEnumerable<string> patterns)
    {
        List<IgnorePattern> read = [];
        foreach (string pattern in patterns.Select(pattern => pattern.Trim()).Where(pattern => pattern.Length > 0))
        {
            if (Fault(pattern) is { } cure)
                throw new InvalidInputException(DockerfileCodes.BadIgnorePattern, $"'{pattern}' is not a pattern", cure);
            read.Add(Read(Clean(pattern))!);
        }

        return new(read);
    }

    /// <summary>What a pattern needs before it can be used; null when it is right.</summary>
    public static string? Fault(string pattern)
    {
        string cleaned = Clean(pattern.Trim());
        return cleaned is "!" ? "write a pattern after '!'" : Read(cleaned) is null ? Cure : null;
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
            path = path.Length > 1 && path[0] == '/' ? path[1..] : path;
            if (includes && path is "" or "/")
                diagnostics.Error(DockerfileCodes.BadIgnorePattern, "'!' includes nothing again", source.LineSpan(number),
                    "write a pattern after it");
            else if (Read(includes ? "!" + path : path) is { } read)
                patterns.Add(read);
            else
                diagnostics.Error(DockerfileCodes.BadIgnorePattern, $"'{pattern}' is not a pattern", source.LineSpan(number), Cure);
        }

        return new(patterns);
    }

    /// <summary>As <see cref="FromPatterns"/>; null when a pattern is wrong.</summary>
    public static IgnoreFile? TryOf(IReadOnlyList<string> patterns) =>
        patterns.Any(pattern => Fault(pattern) is not null) ? null : FromPatterns(patterns);

    /// <summary>Whether a path of the context, with <c>/</c> between its parts and none at its ends, is left out.</summary>
    /// <remarks>
    /// As a walk from the top decides it: what a pattern said of a directory it says of everything below, and a pattern that would change
    /// nothing is not asked.
    /// </remarks>
    public bool IsIgnored(string relativePath)
    {
        if (!_hasExceptions)
            return _patterns.Exists(pattern => pattern.MatchesOrParent(relativePath));

        var said = new bool[_patterns.Count];
        var matches = new bool[]?[_patterns.Count];
        int parts = relativePath.AsSpan().Count('/') + 1;
        bool ignored = false;
        for (int part = 0; part < parts; part++)
        {
            ignored = false;
            for (int i = 0; i < said.Length; i++)
            {
                if (!said[i] && _patterns[i].Includes == ignored)
                    said[i] = (matches[i] ??= _patterns[i].MatchesUpTo(relativePath, parts))[part];
                if (said[i])
                    ignored = !_patterns[i].Includes;
            }
        }

        return ignored;
    }

    /// <summary>Whether a directory is ignored and nothing below it can be taken back in, so that it need not be read.</summary>
    public bool CanPrune(string relativeDirectory) =>
        IsIgnored(relativeDirectory) && !_patterns.Any(pattern => pattern.Includes && pattern.MayMatchBelow(relativeDirectory));

    /// <summary>Whether some pattern can match a path below a directory.</summary>
    public bool MayMatchBelow(string relativeDirectory) => _patterns.Any(pattern => pattern.MayMatchBelow(relativeDirectory));

    private static IgnorePattern? Read(string pattern) =>
        pattern.StartsWith('!') ? IgnorePattern.TryParse(pattern[1..], includes: true) : IgnorePattern.TryParse(pattern, includes: false);

    // The shortest equal path: no empty or "." parts, ".." taken back where it can be, no slash at the end.
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

        return rooted ? "/" + string.Join('/', parts) : parts.Count > 0 ? string.Join('/', parts) : ".";
    }
}
