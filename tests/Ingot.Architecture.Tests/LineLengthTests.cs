using System.Text.RegularExpressions;

namespace Ingot.Architecture.Tests;

/// <summary>A line of a source file fits in a window; two of them fit beside each other on a wide screen.</summary>
public sealed partial class LineLengthTests
{
    private const int MaxColumns = 140;

    // A word that alone takes most of a line, such as an address or bytes in base64, is not cut in two.
    private const int LongWord = 100;

    [Fact]
    public void NoLineIsTooLong()
    {
        var faults = RepositoryFiles.Tracked.Where(IsSource).SelectMany(file => TooLong(file, RepositoryFiles.Read(file)));
        string text = string.Join('\n', faults);

        Assert.True(text.Length == 0, text);
    }

    [Theory]
    [InlineData("x = y;", 0)]
    [InlineData("string text = \"{140}\";", 1)]
    [InlineData("// {140}", 1)]
    [InlineData("Call(\"\"\"{140}\"\"\");", 0)]
    [InlineData("Call(\"\"\"\n{140}\n\"\"\");", 0)]
    [InlineData("Call($$\"\"\"\"\n{140}\n\"\"\"\n{140}\n\"\"\"\");\nCall({140});", 1)]
    [InlineData("Call(\"\"\"\nshort\n\"\"\");\nCall({140});", 1)]
    [InlineData("// \"\"\"\nCall({140});", 1)]
    [InlineData("/// <summary>See https://example.org/{word}</summary>", 0)]
    [InlineData("string bytes = \"{word}\";", 0)]
    public void ALongLineIsFoundOutsideOfTextThatHasItsLinesByItself(string source, int expected)
    {
        string written = source
            .Replace("{140}", string.Concat(Enumerable.Repeat("word ", 28)), StringComparison.Ordinal)
            .Replace("{word}", new string('a', 140), StringComparison.Ordinal);

        Assert.Equal(expected, TooLong("a.cs", written).Count());
    }

    private static bool IsSource(string file) =>
        file.EndsWith(".cs", StringComparison.Ordinal) && file.Split('/')[0] is "src" or "tests" or "benchmarks" or "fuzz";

    private static IEnumerable<string> TooLong(string file, string text)
    {
        // The quotes that end the raw string in which a line begins; none outside of one.
        string quotes = "";
        foreach (var (number, line) in text.Split('\n').Index())
        {
            bool isRaw = quotes.Length > 0;
            for (int at = 0; at < line.Length;)
            {
                if (quotes.Length > 0)
                {
                    int end = line.IndexOf(quotes, at, StringComparison.Ordinal);
                    at = end < 0 ? line.Length : end + quotes.Length;
                    quotes = end < 0 ? quotes : "";
                }
                else
                {
                    var literal = LiteralOrComment().Match(line, at);
                    at = literal.Success ? literal.Index + literal.Length : line.Length;
                    quotes = literal.Groups["raw"].Value;
                    isRaw |= quotes.Length > 0;
                }
            }
            if (line.Length > MaxColumns && !isRaw && !line.Split(' ').Any(word => word.Length >= LongWord))
                yield return $"{file}:{number + 1} has {line.Length} columns, and at most {MaxColumns} are wanted: break it";
        }
    }

    [GeneratedRegex("""(?<raw>"{3,})|@\$?"([^"]|"")*"|"(\\.|[^"\\])*"|'(\\.|[^'\\])+'|//.*""")]
    private static partial Regex LiteralOrComment();
}
