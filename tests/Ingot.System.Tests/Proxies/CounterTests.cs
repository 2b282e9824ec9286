using System.Net;
using Ingot.Releases;

namespace Ingot.SystemTests.Proxies;

/// <summary>What each counter of a real HAProxy means, by cause.</summary>
public sealed class CounterTests(ITestOutputHelper output)
{
    private const int Requests = 20;

    [Theory]
    // An answer is an answer, asked for once.
    [InlineData("GET", "/", 200, Requests, 0, 0, 0)]
    [InlineData("GET", "/status?404", 404, Requests, 0, 0, 0)]
    [InlineData("GET", "/status?500", 500, Requests, Requests, 0, 0)]
    [InlineData("GET", "/status?503", 503, Requests, Requests, 0, 0)]
    [InlineData("GET", "/status?504", 504, Requests, Requests, 0, 0)]
    // No answer to what may not be asked twice: the user saw 502, once.
    [InlineData("POST", "/empty", 502, 0, 0, 0, Requests)]
    // No answer at any attempt.
    [InlineData("GET", "/empty", 502, 0, 0, 0, Requests)]
    public async Task OneInstanceCountsWhatUsersSawOnce(
        string method, string path, int status, int responses, int errors, int connections, int broken)
    {
        ProxyHost.Need();
        await using var host = new ProxyHost();
        await host.EnsureAsync();
        await host.UntilUpAsync();

        await AskAsync(host, method, path, status);

        var counters = await host.CountersAsync(1);
        var seen = await host.SeeAsync();
        output.WriteLine(
            $"{method} {path}: {counters}; asked {host.One.Asked($"{method} {path}")}; requests {seen.Requests} failures {seen.Failures}");
        Assert.Equal((responses, errors, connections, broken),
            (counters.Responses, counters.ServerErrors, counters.ConnectionErrors, counters.ResponseErrors));
        Assert.Equal((Requests, status >= 500 ? Requests : 0), (seen.Requests, seen.Failures));
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("POST")]
    public async Task AnInstanceThatDiedIsNoFailureOfAnybodyWhileAnotherAnswers(string method)
    {
        ProxyHost.Need();
        await using var host = new ProxyHost();
        await host.EnsureAsync(50);
        await host.UntilUpAsync();
        host.Two.Dispose();

        await AskAsync(host, method, "/", 200);

        var (one, two) = (await host.CountersAsync(1), await host.CountersAsync(2));
        output.WriteLine($"{method}: {one}; {two}");
        Assert.Equal((Requests, 0L, 0L, 0L), (one.Responses, one.ServerErrors, one.ConnectionErrors, one.ResponseErrors));
        Assert.Equal((0L, 0L, 0L, 0L), (two.Responses, two.ServerErrors, two.ConnectionErrors, two.ResponseErrors));
        Assert.Equal(0, (await host.SeeAsync()).Failures);
    }

    [Fact]
    public async Task WhenNoInstanceIsThereNoneIsBlamedForMoreThanUsersSaw()
    {
        ProxyHost.Need();
        await using var host = new ProxyHost();
        await host.EnsureAsync(50);
        host.One.Dispose();
        host.Two.Dispose();

        await AskAsync(host, "GET", "/", 503);

        var (one, two) = (await host.CountersAsync(1), await host.CountersAsync(2));
        output.WriteLine($"{one}; {two}");
        Assert.Equal(Requests, (await host.SeeAsync()).Failures);
        Assert.Equal((0L, 0L),
            (one.Responses + one.ResponseErrors + one.ConnectionErrors, two.Responses + two.ResponseErrors + two.ConnectionErrors));
    }

    [Fact]
    public async Task WhenTheOnlyInstanceIsNotThereNobodyElseIsBlamed()
    {
        ProxyHost.Need();
        await using var host = new ProxyHost();
        await host.EnsureAsync(0);
        host.Two.Dispose();

        await AskAsync(host, "GET", "/", 503);

        var (one, two) = (await host.CountersAsync(1), await host.CountersAsync(2));
        output.WriteLine($"{one}; {two}");
        Assert.Equal(Requests, (await host.SeeAsync()).Failures);
        Assert.InRange(two.ConnectionErrors, 0, Requests);
        Assert.Equal((0L, 0L, 0L), (one.Responses, one.ConnectionErrors, one.Retries));
    }

    [Fact]
    public async Task AnAnswerThatBreaksOffIsCounted()
    {
        ProxyHost.Need();
        await using var host = new ProxyHost();
        await host.EnsureAsync();
        using var http = ProxyHost.Client();
        for (int i = 0; i < Requests; i++)
            await Assert.ThrowsAnyAsync<HttpRequestException>(() => http.GetStringAsync(new Uri(host.Address, "half")));

        var one = await host.CountersAsync(1);
        output.WriteLine($"{one}");
        Assert.Equal(Requests, host.One.Asked("GET /half"));
        Assert.Equal(Requests, one.ResponseErrors);
    }

    private static async Task AskAsync(ProxyHost host, string method, string path, int status)
    {
        using var http = ProxyHost.Client();
        for (int i = 0; i < Requests; i++)
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(host.Address, path));
            using var answer = await http.SendAsync(request);
            Assert.Equal((HttpStatusCode)status, answer.StatusCode);
        }
    }
}
