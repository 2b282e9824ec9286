using System.Globalization;
using System.Text;
using Ingot.Diagnostics;

namespace Ingot.Tests.Diagnostics;

public sealed class PlainTextTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("plain text, ünïcödé, 漢字, 👍\tand a tab", "plain text, ünïcödé, 漢字, 👍\tand a tab")]
    [InlineData("\u001b[31mred\u001b[0m", "\\x1b[31mred\\x1b[0m")]
    [InlineData("a\nb\rc\0d\u007fe\a", "a\\x0ab\\x0dc\\x00d\\x7fe\\x07")]
    [InlineData("\u009b2J", "\\x9b2J")]
    [InlineData("ab\u202egpj.exe", "ab\\u202egpj.exe")]
    [InlineData("a\u200bb\u2066c\ufeffd", "a\\u200bb\\u2066c\\ufeffd")]
    [InlineData("a\u2028b\u2029c\u0085d", "a\\u2028b\\u2029c\\x85d")]
    [InlineData("soft\u00adhyphen", "soft\\xadhyphen")]
    [InlineData("\U000e0041", "\\U000e0041")]
    [InlineData("\u3164\u115f", "\\u3164\\u115f")]
    public void WhatCannotBeSeenIsWrittenOut(string text, string visible)
    {
        Assert.Equal(visible, PlainText.Visible(text));
        Assert.Equal(text == visible, PlainText.IsPlain(text));
    }

    [Theory]
    [InlineData("plain 漢字\tx", "plain 漢字\tx")]
    [InlineData("\u001b[1;31mred\u001b[0m", "red")]
    [InlineData("\u009b2Jcleared", "cleared")]
    [InlineData("\u001b]0;a title\ashown", "shown")]
    [InlineData("\u001b]8;;https://example.org\u001b\\link\u001b]8;;\u001b\\", "link")]
    [InlineData("\u001b]0;a string that never ends", "0;a string that never ends")]
    [InlineData("\u001b(Bcharset\u001bc", "charset")]
    [InlineData("end of line\r", "end of line")]
    [InlineData("over\rwritten", "over\\x0dwritten")]
    [InlineData("\u001b", "\\x1b")]
    [InlineData("a\u202eb\0c", "a\\u202eb\\x00c")]
    public void WhatOnlySteersATerminalIsLeftOutOfWhatProgramsWrote(string text, string cleaned)
    {
        Assert.Equal(cleaned, PlainText.Cleaned(text));
        Assert.True(PlainText.IsPlain(PlainText.Cleaned(text)));
    }

    [Fact]
    public void CleaningTakesTimeInProportionAndHidesNoPlainText()
    {
        string text = string.Concat(Enumerable.Repeat("\u001b]x", 200_000)) + "seen";
        Assert.EndsWith("seen", PlainText.Cleaned(text), StringComparison.Ordinal);
    }

    // An attribute cannot hold half a character.
    [Fact]
    public void BytesThatAreNoTextAndHalfCharactersAreWrittenOut()
    {
        Assert.Equal("bad\\xffbyte", PlainText.Visible("bad\udcffbyte"));
        Assert.Equal("half\\ud83d", PlainText.Visible("half\ud83d"));
    }

    [Fact]
    public void NoTextWhateverItsBytesKeepsAnythingThatATerminalObeys()
    {
        var random = new Random(11);
        for (int i = 0; i < 20_000; i++)
        {
            var bytes = new byte[random.Next(24)];
            random.NextBytes(bytes);
            string text = i % 2 == 0
                ? Encoding.UTF8.GetString(bytes)
                : new string([.. bytes.Chunk(2).Select(b => (char)(b[0] << 8 | b[^1]))]);
            string visible = PlainText.Visible(text);
            Assert.DoesNotContain(visible, c => c != '\t' && CharUnicodeInfo.GetUnicodeCategory(c) is UnicodeCategory.Control
                or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
            Assert.True(PlainText.IsPlain(visible), visible);
            Assert.DoesNotContain(PlainText.VisibleLines(text), c => c is '\r' or '\u001b' or '\u009b');
        }
    }
}
