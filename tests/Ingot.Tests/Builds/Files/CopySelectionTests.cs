using Ingot.Builds.Files;
using Ingot.Diagnostics;
using Ingot.Plans;

namespace Ingot.Tests.Builds.Files;

/// <summary>What <c>--parents</c>, <c>--exclude</c> and patterns select, in stages and in contexts alike:
/// as Docker's builder has it.</summary>
public sealed class CopySelectionTests
{
    private const string Stage = "d test; d test/a; d test/a/b 711; d test/a/b/c; d test/a/b/c/d; f test/a/b/c/d/foo; d test/a/b/c/d/e; "
        + "f test/a/b/c/d/e/bay; d test/a/b/c2; d test/a/b/c2/d; d test/a/b/c2/d/e; f test/a/b/c2/d/e/baz; d test/a/b2; d test/a/b2/c; "
        + "f test/a/b2/c/bar; l test/link a/b; l gone nowhere; f top.txt";

    [Theory]
    [InlineData("test/a/b2/c", "(test) (test/a) (test/a/b2) test/a/b2/c test/a/b2/c/bar")]
    [InlineData("test/a/b2/./c", "c c/bar")]
    [InlineData("test/a/./b2/./c", "(b2) b2/c b2/c/bar")]
    [InlineData("test/a/./*/c/bar", "(b2) (b2/c) b2/c/bar")]
    [InlineData("test/a/b*/./c/**/ba*", "(c) (c/d) (c/d/e) c/d/e/bay | (c) c/bar")]
    [InlineData("test/a/b/c*/./d/**/baz", " | (d) (d/e) d/e/baz")]
    [InlineData("test/**/ba?", "(test) (test/a) (test/a/b) (test/a/b/c) (test/a/b/c/d) (test/a/b/c/d/e) test/a/b/c/d/e/bay (test/a/b/c2) "
        + "(test/a/b/c2/d) (test/a/b/c2/d/e) test/a/b/c2/d/e/baz (test/a/b2) (test/a/b2/c) test/a/b2/c/bar")]
    [InlineData("test/link/./c2/**", "(c2) c2/d c2/d/e c2/d/e/baz")]
    [InlineData("./top.txt", "top.txt")]
    [InlineData("test/a/b2/./", "c c/bar")]
    [InlineData("test/a/b9*/c", "")]
    [InlineData("test/a/b9*/./c", "nothing")]
    [InlineData("test/a/./nothing", " missing test/a/./nothing")]
    [InlineData("nothing", " missing nothing")]
    [InlineData("test/link/c", " missing test/link/c")]
    [InlineData("nothing/./x", "nothing missing nothing/./x")]
    [InlineData("top.txt/./x", "nothing missing top.txt/./x")]
    public async Task ParentsAreKeptFromThePivotOn(string pattern, string expected) =>
        Assert.Equal(expected, await SelectAsync(Stage, Step(pattern) with { Parents = true }));

    [Theory]
    [InlineData("test/a/b", "c2", "c c/d c/d/e c/d/e/bay c/d/foo")]
    [InlineData("test/a/b", "**/ba*", "c c/d c/d/e c/d/foo c2 c2/d c2/d/e")]
    [InlineData("test/a/b", "*", "")]
    [InlineData("test/a/b", "c c2/d", "c2")]
    [InlineData("test/a/b", "* !c/d/foo", "(c) (c/d) c/d/foo")]
    [InlineData("test/a/b", "**/d !**/foo", "c (c/d) c/d/foo c2")]
    [InlineData("test/a/b", "b c/nothing d", "c c/d c/d/e c/d/e/bay c/d/foo c2 c2/d c2/d/e c2/d/e/baz")]
    [InlineData("test/a/b*", "c*", " | ")]
    [InlineData("top.txt", "*.txt", "nothing")]
    [InlineData("top.txt", "*.md", "top.txt=")]
    [InlineData("t*", "*.txt a", "link")]
    public async Task WhatIsExcludedIsNotCopied(string pattern, string exclude, string expected) =>
        Assert.Equal(expected, await SelectAsync(Stage, Step(pattern) with { Exclude = exclude.Split(' ') }));

    [Fact]
    public async Task ParentsAndExcludesGoTogether() =>
        Assert.Equal("(a) (a/b) (a/b/c) (a/b/c/d) a/b/c/d/foo",
            await SelectAsync(Stage, Step("test/./a/b/c") with { Parents = true, Exclude = ["a/b/c", "!**/foo"] }));

    [Theory]
    [InlineData("[")]
    [InlineData("a\\")]
    [InlineData("!")]
    public async Task AnExcludeThatIsNoPatternIsSaid(string exclude)
    {
        var e = await Assert.ThrowsAsync<InvalidInputException>(() => SelectAsync(Stage, Step("test") with { Exclude = [exclude] }));
        Assert.Contains($"'{exclude}'", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("test/a/b[", "nothing missing test/a/b[")]
    [InlineData("g*", "nothing missing g*")]
    [InlineData("test/li*/c", "nothing")]
    [InlineData("test/link/*", "d d/e d/e/bay d/foo | d d/e d/e/baz")]
    [InlineData("test/li*", "c c/d c/d/e c/d/e/bay c/d/foo c2 c2/d c2/d/e c2/d/e/baz")]
    public async Task APatternFollowsLinksOnlyBeforeAndAtItsEnd(string pattern, string expected) =>
        Assert.Equal(expected, await SelectAsync(Stage, Step(pattern)));

    [Theory]
    [InlineData("src/./**/*.txt")]
    [InlineData("src/./x")]
    [InlineData("**")]
    [InlineData("src/x/a.txt")]
    public async Task AContextAndAStageSelectTheSame(string pattern)
    {
        string root = Directory.CreateTempSubdirectory("ingot-selection-").FullName;
        try
        {
            foreach (string file in (string[])["src/x/a.txt", "src/x/b.md", "src/y/z/c.txt", "other/d.txt"])
            {
                Directory.CreateDirectory(Path.Combine(root, Path.GetDirectoryName(file)!));
                File.WriteAllText(Path.Combine(root, file), file);
            }

            using var files = new ContextFiles(new TreeSource.Context(root, "web", null), Tree.Epoch);
            foreach (string exclude in (string[])["nothing", "x", "**/*.md", "* !**/c.txt"])
            {
                var step = Step(pattern) with { Parents = true, Exclude = exclude.Split(' ') };
                string staged = await SelectAsync(
                    "d other; f other/d.txt; d src; d src/x; f src/x/a.txt; f src/x/b.md; d src/y; d src/y/z; f src/y/z/c.txt", step);
                Assert.Equal(staged, Print(files, step));
            }
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    private static CopyStep Step(string pattern) => new("", default, new TreeSource.Stage("x"), [new CopySource(pattern, default)], "/");

    private static async Task<string> SelectAsync(string tree, CopyStep step) => Print(new TreeFiles(await Tree.OfAsync(tree)), step);

    // Sources are separated by a bar; a directory on the way stands in parentheses, a file that is its source has an equals sign.
    private static string Print(ISelectable tree, CopyStep step)
    {
        string missing = "";
        var selected = SourceSelector.Select(tree, step, source => missing += $" missing {source.Pattern}");
        string sources = string.Join(" | ",
            selected.Select(s => s.IsDirectory ? string.Join(' ', s.Files.Skip(1).Select(Name)) : s.Name + "="));
        return (selected.Count == 0 ? "nothing" : sources) + missing;
    }

    private static string Name(SelectedFile file) => file.IsOnTheWay ? $"({file.Entry.Path})" : file.Entry.Path;
}
