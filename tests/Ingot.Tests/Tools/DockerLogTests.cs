using System.Text;
using Ingot.Tools;

namespace Ingot.Tests.Tools;

public sealed class DockerLogTests
{
    private const string Time = "2026-01-31T12:00:00.123456789Z ";

    [Fact]
    public void LinesOfBothStreamsComeInTheirOrderWithTheirTimes()
    {
        var lines = new DockerLogLines();
        Assert.Equal(["out one", "out two"], lines.Add(false, Bytes(Time + "out one\n" + "out two\n")).Select(line => line.Text));
        var error = Assert.Single(lines.Add(true, Bytes("2026-01-31T12:00:01Z no!\r\n")));
        Assert.Equal(("no!", true, new DateTimeOffset(2026, 1, 31, 12, 0, 1, TimeSpan.Zero)), (error.Text, error.IsError, error.Time));
        Assert.Empty(lines.Rest());
    }

    [Fact]
    public void ALongLineComesInPiecesAndIsOne()
    {
        var lines = new DockerLogLines();
        Assert.Empty(lines.Add(false, Bytes(Time + new string('a', 16_384))));
        Assert.Equal("between", Assert.Single(lines.Add(true, Bytes(Time + "between\n"))).Text);
        var line = Assert.Single(lines.Add(false, Bytes("2026-01-31T13:00:00Z end\n")));
        Assert.Equal((new string('a', 16_384) + "end", 12), (line.Text, line.Time!.Value.Hour));
    }

    [Fact]
    public void ALineWithoutEndIsCutAndNothingIsLost()
    {
        var lines = new DockerLogLines();
        var read = new List<DockerLogLine>();
        for (int i = 0; i < 40; i++)
            read.AddRange(lines.Add(false, Bytes(Time + new string('x', 16_384))));
        read.AddRange(lines.Rest());
        Assert.All(read, line => Assert.InRange(line.Text.Length, 1, DockerLogLines.LongestLine + 16_384));
        Assert.Equal(40 * 16_384, read.Sum(line => line.Text.Length));
    }

    [Fact]
    public void WhatWasWrittenBeforeTheEndWithoutALineBreakIsALineToo() => Assert.Equal("last", Rest("last").Text);

    [Theory]
    [InlineData("no time here")]
    [InlineData("9999999999-99-99T99:99:99Z text")]
    [InlineData(" begins with a space")]
    public void ALineWithoutATimeIsTakenAsItIs(string text)
    {
        var line = Rest(text);
        Assert.Equal((text, null), (line.Text, line.Time));
    }

    [Fact]
    public void ACharacterThatIsSplitBetweenPiecesIsOneAndBytesThatAreNoTextHarmNobody()
    {
        var lines = new DockerLogLines();
        byte[] text = Bytes("漢\n");
        Assert.Empty(lines.Add(false, text[..2]));
        Assert.Equal("漢", Assert.Single(lines.Add(false, text[2..])).Text);
        Assert.Equal("\ufffd\ufffd", Assert.Single(lines.Add(true, [0xFF, 0xFE, (byte)'\n'])).Text);
    }

    [Fact]
    public async Task TheLinesOfAContainerAreReadAsTheyCome()
    {
        byte[] log = [.. Frame(1, Time + "starts\n"), .. Frame(2, Time + "fails\n"), .. Frame(1, Time + "half")];
        using var peer = Peer(200, log);
        using var engine = new DockerEngine(peer.Path);

        var since = new DateTimeOffset(2026, 1, 31, 12, 0, 0, 250, TimeSpan.Zero);
        Assert.Equal(["starts", "fails", "half"],
            (await engine.ReadLogAsync("a/b", new DockerLogQuery(7, since)).ToListAsync()).Select(line => line.Text));
        Assert.Contains("/containers/a%2Fb/logs?stdout=1&stderr=1&timestamps=1&tail=7&since=1769860800.250 ", peer.Requests[^1],
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task AContainerThatIsGoneWroteNothing()
    {
        using var peer = Peer(404, "{\"message\":\"No such container: a\"}"u8.ToArray());
        using var engine = new DockerEngine(peer.Path);
        Assert.Empty(await engine.ReadLogAsync("a", new DockerLogQuery()).ToListAsync());
    }

    [Theory]
    [InlineData(500, "{\"message\":\"it broke\"}", "it broke")]
    [InlineData(200, "this is no frame at all", "not the output of a container")]
    [InlineData(200, "\u0001\0\0\0\u007f\u007f\u007f\u007fmore is said than comes", "not the output of a container")]
    public async Task WhatIsNoLogIsSaid(int status, string body, string expected)
    {
        using var peer = Peer(status, Bytes(body));
        using var engine = new DockerEngine(peer.Path);
        var e = await Assert.ThrowsAsync<ToolException>(async () => await engine.ReadLogAsync("a", new DockerLogQuery()).ToListAsync());
        Assert.Contains($"reading the log of the container 'a' failed", e.Message, StringComparison.Ordinal);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AFrameThatIsCutOffIsLeftOut()
    {
        using var peer = Peer(200, [.. Frame(1, Time + "whole\n"), .. Frame(1, Time + "cut off\n")[..20]]);
        using var engine = new DockerEngine(peer.Path);
        Assert.Equal("whole", Assert.Single(await engine.ReadLogAsync("a", new DockerLogQuery()).ToListAsync()).Text);
    }

    private static DockerLogLine Rest(string text)
    {
        var lines = new DockerLogLines();
        Assert.Empty(lines.Add(false, Bytes(text)));
        return Assert.Single(lines.Rest());
    }

    private static byte[] Frame(byte stream, string text) =>
        [stream, 0, 0, 0, 0, 0, (byte)(text.Length >> 8), (byte)text.Length, .. Bytes(text)];

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static UnixServer Peer(int status, byte[] body) => new(
        request => request.Contains("\r\n\r\n", StringComparison.Ordinal),
        request => request.Contains("_ping", StringComparison.Ordinal) ? Answer(200, "OK"u8.ToArray()) : Answer(status, body));

    private static byte[] Answer(int status, byte[] body) =>
        [.. Bytes($"HTTP/1.1 {status} X\r\nApi-Version: 1.41\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n"), .. body];
}
