using System.Net;
using Ingot.Server.Access;
using Ingot.Server.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ingot.Server.Tests.Access;

public sealed class ApiRolesTests
{
    [Fact]
    public void EveryEndpointHasARowAndEveryRowAnEndpoint()
    {
        using var test = new TestHome();
        Directory.CreateDirectory(test.Home.Private);
        var options = new ServerOptions(test.Home.Root, new IPEndPoint(IPAddress.Loopback, 1), "0", "0", []);
        using var app = (IDisposable)IngotServer.Build(options, test.Home, test.Home.Socket);
        var routes = (IEndpointRouteBuilder)app;
        routes.MapApi(new ApiServices(options, test.Home, default, null!, null!, null!, null!, null!, null!, null!, null!, null!, null!,
            null!, null!, NullLogger.Instance));

        var endpoints = routes.DataSources.SelectMany(source => source.Endpoints).Cast<RouteEndpoint>()
            .SelectMany(e => e.Metadata.GetRequiredMetadata<IHttpMethodMetadata>().HttpMethods,
                (e, method) => $"{method} /{e.RoutePattern.RawText!.TrimStart('/')}")
            .ToHashSet(StringComparer.Ordinal);
        Assert.Equal(endpoints.Order(StringComparer.Ordinal), ApiRoles.Rows.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void OnlyHealthIsOpen() =>
        Assert.Equal(["GET /api/v1/health"], ApiRoles.Rows.Where(row => row.Value == Role.None).Select(row => row.Key));

    [Fact]
    public void WhatInstancesWroteIsForThoseWhoRunThem() => Assert.Equal(Role.Releaser, ApiRoles.Find("GET", "/api/v1/logs"));

    [Theory]
    [InlineData("viewer", HttpStatusCode.Forbidden)]
    [InlineData("publisher", HttpStatusCode.Forbidden)]
    [InlineData("approver", HttpStatusCode.Forbidden)]
    [InlineData("releaser", HttpStatusCode.NotFound)]
    [InlineData("administrator", HttpStatusCode.NotFound)]
    public async Task LogsAreShownToReleasersAndAdministratorsAlone(string role, HttpStatusCode expected)
    {
        await using var server = await RunningServer.StartAsync();
        using var http = server.Client(RunningServer.Bearer(await server.TokenAsync("one", role)));
        using var answer = await http.GetAsync(new Uri("api/v1/logs?project=shop&service=web", UriKind.Relative));
        Assert.Equal(expected, answer.StatusCode);
    }

    [Theory]
    [InlineData("POST", "/api/v1/somewhere")]
    [InlineData("DELETE", "/api/v1/health")]
    [InlineData("get", "/api/v1/health")]
    [InlineData("GET", null)]
    public void WhatHasNoRowIsClosed(string method, string? route) => Assert.Null(ApiRoles.Find(method, route));

    [Fact]
    public async Task EachRoleMayDoWhatItsRowsSayAndNothingElse()
    {
        await using var server = await RunningServer.StartAsync();
        foreach (var role in Roles.All)
        {
            using var http =
                server.Client(RunningServer.Bearer(await server.TokenAsync($"only-{Roles.Names(role)[0]}", Roles.Names(role)[0])));
            foreach (var (row, needed) in ApiRoles.Rows
                .Where(r => !r.Key.Contains("rollouts", StringComparison.Ordinal) && !r.Key.EndsWith("target", StringComparison.Ordinal)))
            {
                var (method, route) = (row.Split(' ')[0], row.Split(' ')[1]);
                using var request = new HttpRequestMessage(new HttpMethod(method),
                    route.Replace("{name}", "nobody", StringComparison.Ordinal).Replace("{entry:long}", "0", StringComparison.Ordinal));
                if (method != "GET")
                    request.Content = new StringContent("not json", System.Text.Encoding.UTF8, "application/json");
                using var answer = await http.SendAsync(request);
                bool admitted = needed == Role.None || role == Role.Administrator || (needed & role) != Role.None;
                Assert.True(admitted == (answer.StatusCode != HttpStatusCode.Forbidden), $"{role} and '{row}': {answer.StatusCode}");
            }
        }
    }

    [Fact]
    public async Task NobodyDoesAnythingWithoutAToken()
    {
        await using var server = await RunningServer.StartAsync();
        using var http = server.Client();
        http.DefaultRequestHeaders.TryAddWithoutValidation("X-Ingot-User", "root");
        foreach (string row in ApiRoles.Rows.Keys.Where(k => k != "GET /api/v1/health"))
        {
            using var request = new HttpRequestMessage(new HttpMethod(row.Split(' ')[0]),
                row.Split(' ')[1].Replace("{entry:long}", "0", StringComparison.Ordinal));
            using var answer = await http.SendAsync(request);
            Assert.True(answer.StatusCode == HttpStatusCode.Unauthorized, $"'{row}': {answer.StatusCode}");
        }
    }
}
