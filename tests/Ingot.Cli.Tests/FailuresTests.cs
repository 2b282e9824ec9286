using System.Net.Sockets;
using Ingot.Cli.Output;

namespace Ingot.Cli.Tests;

/// <summary>What is said of failures that nobody gave words to.</summary>
public sealed class FailuresTests
{
    [Fact]
    public async Task ARequestThatNobodyWrappedNamesWhomItAsked()
    {
        string address = $"127.0.0.1:{ChildProgram.FreePort()}";
        using var http = new HttpClient();
        Assert.Equal($"error: {address}: connection refused\n", await SaidAsync(() => http.GetAsync(new Uri($"http://{address}/"))));
    }

    [Fact]
    public async Task ASocketThatNobodyWrappedDoes()
    {
        int port = ChildProgram.FreePort();
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        string said = await SaidAsync(() => socket.ConnectAsync("127.0.0.1", port));
        Assert.EndsWith("connection refused\n", said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Resource temporarily unavailable (registry.example:443)", "error: registry.example:443: resource temporarily unavailable")]
    [InlineData("Resource temporarily unavailable ([::1]:443)", "error: [::1]:443: resource temporarily unavailable")]
    [InlineData("It went wrong: 443", "error: it went wrong: 443")]
    [InlineData("It went wrong (see above)", "error: it went wrong (see above)")]
    public async Task WhereThePlatformNamesNobodyItsSentenceStands(string message, string expected) =>
        Assert.StartsWith(expected, await SaidAsync(() => Task.FromException(new HttpRequestException(message))), StringComparison.Ordinal);

    private static async Task<string> SaidAsync(Func<Task> act)
    {
        using StringWriter output = new(), error = new();
        var terminal = new Terminal(output, error, json: false, outputIsTerminal: false, errorIsTerminal: false, noColor: true);
        int exitCode = await Failures.GuardAsync(terminal, async () =>
        {
            await act();
            return ExitCode.Done;
        }, CancellationToken.None);
        Assert.Equal((ExitCode.WrongEnvironment, ""), (exitCode, output.ToString()));
        return error.ToString();
    }
}
