using Ingot.Tools;

namespace Ingot.Tests.Tools;

public sealed class CapturedOutputTests
{
    private static readonly CancellationToken s_stop = TestContext.Current.CancellationToken;

    [Fact]
    public async Task BothStreamsAreKeptByteForByte()
    {
        var captured = await CommandRunner.CaptureAsync(
            new Command("sh", "-c", "printf 'a\\r\\n\\377'; printf 'b' >&2; exit 3"), 100, s_stop);
        Assert.Equal(3, captured.ExitCode);
        Assert.Equal([(byte)'a', (byte)'\r', (byte)'\n', 0xFF], captured.Output);
        Assert.Equal("b"u8.ToArray(), captured.Error);
    }

    [Fact]
    public async Task WhatIsTooMuchIsReadAndDropped()
    {
        var captured = await CommandRunner.CaptureAsync(new Command("sh", "-c", "head -c 5000000 /dev/zero"), 1000, s_stop);
        Assert.Equal((0, 1000), (captured.ExitCode, captured.Output.Length));
    }

    [Fact]
    public async Task CancellingEndsTheProgram()
    {
        using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            CommandRunner.CaptureAsync(new Command("sleep", "60"), 10, stop.Token));
    }

    [Theory]
    [InlineData("printf 'one\\ntwo'", "one\ntwo\n")]
    [InlineData("printf 'one\\r\\n\\r\\n'", "one\n\n")]
    [InlineData("printf ''", "")]
    [InlineData("printf '\\n'", "\n")]
    public async Task OutputIsLines(string script, string expected) =>
        Assert.Equal(expected, await CommandRunner.RunAsync(new Command("sh", "-c", script), s_stop));

    [Fact]
    public async Task ALineThatIsTooLongComesInPiecesAndIsWholeInTheOutput()
    {
        var pieces = new List<string>();
        var result = await CommandRunner.TryRunAsync(new Command("sh", "-c", "head -c 200000 /dev/zero | tr '\\0' x; echo; echo end"),
            pieces.Add, s_stop);
        Assert.Equal(new string('x', 200_000) + "\nend\n", result.Output);
        Assert.Equal(5, pieces.Count);
        Assert.All(pieces, p => Assert.True(p.Length <= 64 << 10));
    }
}
