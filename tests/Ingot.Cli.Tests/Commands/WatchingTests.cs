using Ingot.Cli.Commands;
using Ingot.Cli.Output;

namespace Ingot.Cli.Tests.Commands;

public sealed class WatchingTests
{
    [Fact]
    public async Task WhatChangedIsShownAgainUntilItIsEnded() =>
        Assert.Equal("one\n\ntwo\n", await WatchedAsync(isTerminal: false, json: false, "one", "one", "two", "two"));

    [Fact]
    public async Task OnATerminalItTakesThePlaceOfThePageBefore() =>
        Assert.Equal(
            "\u001b[H\u001b[2Jone\n\u001b[H\u001b[2Jtwo\n",
            await WatchedAsync(isTerminal: true, json: false, "one", "two", "two"));

    [Fact]
    public async Task InJsonEachIsADocumentOnALine() =>
        Assert.Equal("one\ntwo\none\n", await WatchedAsync(isTerminal: true, json: true, "one", "two", "one"));

    [Fact]
    public async Task WhatFailsEndsIt()
    {
        using var output = new StringWriter();
        await Assert.ThrowsAsync<InvalidOperationException>(() => Watching.RepeatAsync(
            On(output, isTerminal: false, json: false), TimeSpan.Zero, (_, _) => throw new InvalidOperationException(), default));
    }

    private static async Task<string> WatchedAsync(bool isTerminal, bool json, params string[] states)
    {
        using var output = new StringWriter();
        using var end = new CancellationTokenSource();
        int looks = 0;
        await Watching.RepeatAsync(On(output, isTerminal, json), TimeSpan.Zero, async (terminal, _) =>
        {
            terminal.Line(states[looks]);
            if (++looks == states.Length)
                await end.CancelAsync();
        }, end.Token);
        return output.ToString();
    }

    private static Terminal On(StringWriter output, bool isTerminal, bool json) =>
        new(output, new StringWriter(), json, isTerminal, isTerminal, noColor: true);
}
