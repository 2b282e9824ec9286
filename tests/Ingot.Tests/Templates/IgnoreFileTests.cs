using System.Text;
using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Fluent;
using Ingot.Diagnostics;
using Ingot.Templates.Dockerfile;
using Ingot.Testing;

namespace Ingot.Tests.Templates;

public class IgnoreFileTests
{
    private static readonly string[] s_patternParts = ["a", "b", "ab", "*", "**", "?", "/", "a*", "[ab]", "[^a]", "\\*", ".", "..", "b.md"];
    private static readonly string[] s_names = ["a", "b", "ab", "aab", "b.md", "*", ".git"];

    [Theory]
    [InlineData("node_modules", "node_modules", true)]
    [InlineData("node_modules", "node_modules/x/y", true)]
    [InlineData("node_modules", "web/node_modules", false)]
    [InlineData("**/node_modules", "web/node_modules/x", true)]
    [InlineData("**/node_modules", "node_modules", true)]
    [InlineData("/dist", "dist/a", true)]
    [InlineData("dist/", "dist", true)]
    [InlineData("./dist//x/../y", "dist/y", true)]
    [InlineData("*.md", "a.md", true)]
    [InlineData("*.md", "docs/a.md", false)]
    [InlineData("*/temp*", "a/temporary.txt", true)]
    [InlineData("*/temp*", "a/b/temporary.txt", false)]
    [InlineData("*/*/temp*", "a/b/temporary.txt", true)]
    [InlineData("temp?", "tempa", true)]
    [InlineData("temp?", "temp", false)]
    [InlineData("temp?", "temp/", false)]
    [InlineData("**/*.go", "main.go", true)]
    [InlineData("**/*.go", "a/b/main.go", true)]
    [InlineData("a/**", "a/b/c", true)]
    [InlineData("a/**", "a", false)]
    [InlineData("a/**/b", "a/b", true)]
    [InlineData("a/**/b", "a/x/y/b", true)]
    [InlineData("a/**/b", "axb", false)]
    [InlineData("**", "anything/at/all", true)]
    [InlineData("**foo", "dir/xfoo", true)]
    [InlineData("**f?o", "dir/xfoo", false)]
    [InlineData("**/f?o", "dir/foo", true)]
    [InlineData("[a-c]x", "bx", true)]
    [InlineData("[^a-c]x", "bx", false)]
    [InlineData("[^a-c]x", "dx", true)]
    [InlineData("a\\*", "a*", true)]
    [InlineData("a\\*", "ab", false)]
    [InlineData("a[\\]]", "a]", true)]
    [InlineData("a.b", "axb", false)]
    [InlineData("a+(b)|{c}$", "a+(b)|{c}$", true)]
    [InlineData("# a comment", "# a comment", false)]
    [InlineData("  #a", "#a", true)]
    [InlineData("  spaced  ", "spaced", true)]
    [InlineData("\uFEFFbom", "bom", true)]
    [InlineData("a\r\nb\r\n", "b", true)]
    [InlineData(".", "a", false)]
    [InlineData("/", "a", false)]
    [InlineData("../a", "a", false)]
    [InlineData("A", "a", false)]
    [InlineData("f?x", "f🦊x", true)]
    [InlineData("*\n!*.md", "a.md", false)]
    [InlineData("*\n!*.md", "a/b.md", true)]
    [InlineData("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true)]
    [InlineData("*.md\nREADME-secret.md\n!README*.md", "README-secret.md", false)]
    [InlineData("a\n!a/b", "a/b", false)]
    [InlineData("a\n!a/b", "a/b/c", false)]
    [InlineData("a\n!a/b\na/b/c", "a/b/c", true)]
    [InlineData("a/b\n!a", "a/b", true)]
    [InlineData("a/b\n!a", "a/c", false)]
    [InlineData("a/b\n!a/b", "a/b/c", false)]
    [InlineData("*\n!a\na/b\n!a/b/c", "a/b/c", false)]
    [InlineData("*\n!a\na/b\n!a/b/c", "a/b/d", true)]
    [InlineData("./!a\nb\n", "a", false)]
    [InlineData("\uFEFF# a", "# a", false)]
    [InlineData("a \t", "a", true)]
    [InlineData("/../a", "a", true)]
    [InlineData("b/../a", "a", true)]
    [InlineData("//a", "a", true)]
    [InlineData("a\n!a/b", "a/x", true)]
    [InlineData("!a", "a", false)]
    [InlineData("*\n! /keep", "keep", false)]
    [InlineData("", "a", false)]
    public void PatternsMeanWhatTheyMeanToDocker(string file, string path, bool ignored) =>
        Assert.Equal(ignored, IgnoreFile.Parse(file).IsIgnored(path));

    [Theory]
    [InlineData("a", "a", true)]
    [InlineData("a", "b", false)]
    [InlineData("a\n!a/b", "a", false)]
    [InlineData("a\n!a/b/c", "a/b", false)]
    [InlineData("a\n!a/b/c", "a/x", true)]
    [InlineData("a\n!b", "a", true)]
    [InlineData("*\n!**/*.md", "a", false)]
    [InlineData("*\n!*.md", "a", true)]
    [InlineData("a\n!a\na", "a", true)]
    [InlineData("a\n!a/**", "a", false)]
    [InlineData("a\n!?/b", "a", false)]
    [InlineData("a\n!?/b", "a/c", true)]
    public void AnIgnoredDirectoryIsPrunedWhenNothingInItComesBack(string file, string directory, bool prune) =>
        Assert.Equal(prune, IgnoreFile.Parse(file).CanPrune(directory));

    [Theory]
    [InlineData("!", "'!' includes nothing again")]
    [InlineData("! ", "'!' includes nothing again")]
    [InlineData("[", "'[' is not a pattern")]
    [InlineData("a[b", "'a[b' is not a pattern")]
    [InlineData("[]a]", "'[]a]' is not a pattern")]
    [InlineData("[a-]", "'[a-]' is not a pattern")]
    [InlineData("[-a]", "'[-a]' is not a pattern")]
    [InlineData("a\\", "'a\\' is not a pattern")]
    [InlineData("[\\", "'[\\' is not a pattern")]
    [InlineData("!x[", "'!x[' is not a pattern")]
    [InlineData("!/", "'!' includes nothing again")]
    [InlineData("[b-a]", "'[b-a]' is not a pattern")]
    public void PatternsThatCannotBeReadAreReportedWithTheirLine(string pattern, string message)
    {
        DiagnosticBag diagnostics = [];
        var file = IgnoreFile.Parse(new SourceText(".dockerignore", $"ok\n\n{pattern}\nalso"), diagnostics);
        var diagnostic = Assert.Single(diagnostics);
        Assert.Equal((message, 3, DockerfileCodes.BadIgnorePattern), (diagnostic.Summary, diagnostic.Span!.Value.Line, diagnostic.Code));
        Assert.True(file.IsIgnored("ok") && file.IsIgnored("also"));
        Assert.Throws<InvalidInputException>(() => IgnoreFile.Parse(pattern));
    }

    [Fact]
    public void APatternFullOfStarsTakesLittleTime()
    {
        var file = IgnoreFile.Parse(string.Concat(Enumerable.Repeat("*a", 60))
            + "b\n" + string.Concat(Enumerable.Repeat("**/a", 60)) + "/b");
        Assert.False(file.IsIgnored(new string('a', 4000)));
        Assert.False(file.IsIgnored(string.Join('/', Enumerable.Repeat("a", 1000))));
    }

    [Fact]
    public void EveryAnswerIsThatOfTheRegularExpressions() =>
        Prop.ForAll(Files().ToArbitrary(), Paths().ToArbitrary(),
            (lines, path) => IgnoreFile.Parse(string.Join('\n', lines)).IsIgnored(path) == Naive.IsIgnored(lines, path))
            .Holds(3000);

    [Fact]
    public void NothingBelowAPrunedDirectoryIsEverIncluded() =>
        Prop.ForAll(Files().ToArbitrary(), Paths().ToArbitrary(), Paths().ToArbitrary(), (lines, directory, below) =>
        {
            var file = IgnoreFile.Parse(string.Join('\n', lines));
            return !file.CanPrune(directory) || file.IsIgnored($"{directory}/{below}");
        }).Holds(3000);

    [Fact]
    public void ArbitraryTextIsReadWithoutAnException() =>
        Prop.ForAll<string, string>((text, path) =>
        {
            IgnoreFile.Parse(new SourceText(".dockerignore", text ?? ""), []).CanPrune(path ?? "");
            return true;
        }).Holds(1000);

    [Fact]
    public void PatternsOfExcludeAreThoseOfAFileButForASlashInFront() =>
        Prop.ForAll(Files().ToArbitrary(), Paths().ToArbitrary(), (lines, path) =>
            lines.Any(IsCleanedOtherwise)
                || IgnoreFile.FromPatterns(lines).IsIgnored(path) == IgnoreFile.Parse(string.Join('\n', lines)).IsIgnored(path))
            .Holds(2000);

    // In a file the slash in front goes, and the '!' is taken off before the rest is cleaned.
    private static bool IsCleanedOtherwise(string line) =>
        line.TrimStart('!').StartsWith('/')
            || line.StartsWith("!.", StringComparison.Ordinal)
            || (line.StartsWith('!') && line.Contains("..", StringComparison.Ordinal));

    [Theory]
    [InlineData("*.md", "a.md", true)]
    [InlineData("*.md", "d/a.md", false)]
    [InlineData("d", "d/a.md", true)]
    [InlineData("/d", "d", false)]
    [InlineData(" d ", "d", true)]
    [InlineData("", "d", false)]
    [InlineData("./d", "d", true)]
    public void ExcludePatternsAreRelativeToTheRootOfTheSource(string pattern, string path, bool excluded) =>
        Assert.Equal(excluded, IgnoreFile.FromPatterns([pattern]).IsIgnored(path));

    // Cleaned as a path with its '!', of which "!." is the first part: BuildKit does the same.
    [Fact]
    public void AnExcludePatternThatTakesBackNeedsNoDotInFront()
    {
        Assert.False(IgnoreFile.FromPatterns(["*", "!d"]).IsIgnored("d"));
        Assert.True(IgnoreFile.FromPatterns(["*", "!./d"]).IsIgnored("d"));
        Assert.False(IgnoreFile.Parse("*\n!./d").IsIgnored("d"));
    }

    [Theory]
    [InlineData("[")]
    [InlineData("!")]
    [InlineData("a\\")]
    public void AnExcludePatternThatCannotBeReadIsRefused(string pattern) =>
        Assert.Throws<InvalidInputException>(() => IgnoreFile.FromPatterns(["ok", pattern]));

    [Fact]
    public void ArbitraryPatternsHaveAFaultOrAreUsable() =>
        Prop.ForAll<string, string>((pattern, path) =>
        {
            if (IgnoreFile.Fault(pattern ?? "") is null)
                IgnoreFile.FromPatterns([pattern ?? ""]).IsIgnored(path ?? "");
            return true;
        }).Holds(1000);

    private static Gen<string[]> Files()
    {
        var pattern = Gen.Elements(s_patternParts).NonEmptyListOf().Select(parts => string.Concat(parts.Take(6)));
        var line = pattern.SelectMany(p => Gen.Elements("", "", "!").Select(prefix => prefix + p));
        return line.ArrayOf().Select(lines => lines.Where(IsPattern).Take(5).ToArray());
    }

    private static bool IsPattern(string line)
    {
        DiagnosticBag diagnostics = [];
        IgnoreFile.Parse(new SourceText(".dockerignore", line), diagnostics);
        return line.Length > 0 && !diagnostics.HasErrors;
    }

    private static Gen<string> Paths() => Gen.Elements(s_names).NonEmptyListOf().Select(parts => string.Join('/', parts.Take(5)));

    /// <summary>The rules written down again, with regular expressions as Docker has them.</summary>
    private static class Naive
    {
        public static bool IsIgnored(string[] lines, string path)
        {
            string[] parts = path.Split('/');
            var said = new bool[lines.Length];
            bool ignored = false;
            for (int depth = 1; depth <= parts.Length; depth++)
            {
                ignored = false;
                for (int i = 0; i < lines.Length; i++)
                {
                    bool includes = lines[i][0] == '!';
                    if (!said[i] && includes == ignored)
                        said[i] = Matches(Clean(includes ? lines[i][1..] : lines[i]), string.Join('/', parts[..depth]));
                    if (said[i])
                        ignored = !includes;
                }
            }

            return ignored;
        }

        private static string Clean(string pattern)
        {
            string cleaned = Path.GetFullPath(pattern, "/#1/#2/#3/#4/#5/#6/#7");
            string relative = pattern.StartsWith('/') ? cleaned[1..] : Path.GetRelativePath("/#1/#2/#3/#4/#5/#6/#7", cleaned);
            return relative.Length > 1 ? relative.TrimEnd('/') : relative.Length == 0 ? "/" : relative;
        }

        private static bool Matches(string pattern, string path)
        {
            bool onlyStars = !pattern[Math.Min(2, pattern.Length)..].Any(c => "*?[]\\".Contains(c));
            if (pattern.StartsWith("**", StringComparison.Ordinal) && onlyStars)
                return path.EndsWith(pattern[2..], StringComparison.Ordinal)
                    || (pattern.Length > 2 && pattern[2] == '/' && path == pattern[3..]);

            StringBuilder regex = new("^");
            for (int i = 0; i < pattern.Length; i++)
            {
                if (pattern[i..].StartsWith("**", StringComparison.Ordinal))
                {
                    i += pattern[(i + 2)..].StartsWith('/') ? 2 : 1;
                    regex.Append(i + 1 == pattern.Length ? ".*" : "(.*/)?");
                }
                else
                {
                    regex.Append(pattern[i] switch
                    {
                        '*' => "[^/]*",
                        '?' => "[^/]",
                        '[' or ']' or '^' or '-' => pattern[i].ToString(),
                        '\\' => Regex.Escape(pattern[++i].ToString()),
                        var c => Regex.Escape(c.ToString()),
                    });
                }
            }

            return Regex.IsMatch(path, regex + "$", RegexOptions.Singleline);
        }
    }
}
