using System.Text;
using Ingot.Tools;

namespace Ingot.Tests.Tools;

/// <summary>What a person is shown to give to a shell, given to real shells.</summary>
public sealed class ShellWordTests
{
    private const int Words = 2000;
    private const int LongestWord = 24;
    private const string Special = " \t\n\r'\"$\\`;&|<>(){}[]*?~#!^=%+-,:@./\u0001\u001b\u007f";

    public static TheoryData<string> Shells => ["dash", "bash", "bash --posix", "busybox sh", "sh"];

    [Theory]
    [MemberData(nameof(Shells))]
    public async Task AShellMakesTheSameWordOfIt(string shell)
    {
        string[] parts = shell.Split(' ');
        Assert.SkipUnless(new[] { "/bin/", "/usr/bin/" }.Any(place => File.Exists(place + parts[0])), $"needs {parts[0]}");
        var random = new Random(20260101);
        string[] words = ["", "-n", "--", "~", "!", "#", "'", "''", "\\", "$(id)", "`id`", "a;b", "a&b", "a|b", "a>b", "a\nb", "é€𐍈",
            .. Enumerable.Range(0, Words).Select(_ => Word(random))];
        string line = "printf '%s\\0' " + string.Join(' ', words.Select(ShellWord.Quote));

        var captured = await CommandRunner.CaptureAsync(
            new Command(parts[0], [.. parts[1..], "-s"]) { Input = Encoding.UTF8.GetBytes(line + "\n") }, 1 << 20);

        Assert.Equal("", Encoding.UTF8.GetString(captured.Error));
        Assert.Equal(words, Encoding.UTF8.GetString(captured.Output).Split('\0')[..^1]);
    }

    [Theory]
    [InlineData("lowerdir=a:b,x", "lowerdir=a:b,x")]
    [InlineData("a b", "'a b'")]
    [InlineData("a;b", "'a;b'")]
    [InlineData("it's", @"'it'\''s'")]
    [InlineData("", "''")]
    [InlineData("é", "'é'")]
    public void OnlyWhatMeansNothingIsLeftAsItIs(string word, string quoted) => Assert.Equal(quoted, ShellWord.Quote(word));

    private static string Word(Random random)
    {
        var word = new StringBuilder();
        int length = random.Next(1, LongestWord);
        while (word.Length < length)
        {
            if (random.Next(2) == 0)
                word.Append(Special[random.Next(Special.Length)]);
            else
                word.Append(new Rune(random.Next(1, 0xD7FF)));
        }

        return word.ToString();
    }
}
