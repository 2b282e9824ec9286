using System.Net;
using Ingot.Tools;

namespace Ingot.Tests.Tools;

public sealed class HaproxyConfigTests
{
    private static readonly HaproxyCheck s_check = new("/healthz", TimeSpan.FromSeconds(1), 2, 3);

    [Fact]
    public void TheConfigurationSaysEverythingAndLogsNothing() => Assert.Equal(
        """
        global
          description ingot 127.0.0.1 8080
          stats socket /run/ingot/abc/haproxy.sock mode 600 level admin
          maxconn 4000
          hard-stop-after 1h
          user haproxy

        defaults
          mode http
          timeout connect 2s
          timeout client 90000ms
          timeout server 90000ms
          timeout queue 5s
          timeout http-request 10s
          timeout http-keep-alive 10s
          timeout tunnel 1h
          timeout check 500ms
          option redispatch 1
          option forwardfor
          retries 3
          retry-on conn-failure empty-response

        frontend fe
          bind fd@3
          bind fd@4
          option idle-close-on-response
          default_backend be

        backend be
          balance roundrobin
          http-request disable-l7-retry unless { method GET HEAD OPTIONS PUT DELETE TRACE }
          option httpchk
          http-check send meth GET uri-lf "%[srv_name,map(/run/ingot/abc/checks.map,/)]" ver HTTP/1.1 hdr Host localhost hdr User-Agent ingot hdr Connection close
          http-check expect status 200-399
          server g1-0 10.0.0.2:8080 weight 19 check inter 1000ms rise 2 fall 3
          server g2-0 10.0.0.3:8080 weight 1 check inter 1000ms rise 2 fall 3

        """,
        Config().Render());

    [Theory]
    [InlineData(" bind *:1")]
    [InlineData("\nlisten evil")]
    [InlineData("\"")]
    [InlineData("'")]
    [InlineData("\\")]
    [InlineData("#")]
    [InlineData("$HOME")]
    [InlineData(",/)]")]
    [InlineData("%[env(X)]")]
    [InlineData("\0")]
    [InlineData("\r")]
    [InlineData("\t")]
    public void AWordThatWouldSayMoreIsNoPartOfAConfiguration(string more)
    {
        HaproxyConfig[] configs =
        [
            Config() with { Directory = "/home" + more },
            Config() with { User = "u" + more },
            Config() with { Servers = [new HaproxyServer("g" + more, "10.0.0.2:1", 1, s_check)] },
            Config() with { Servers = [new HaproxyServer("g", "10.0.0.2:1" + more, 1, s_check)] },
        ];
        Assert.All(configs, config => Assert.Throws<ToolException>(config.Render));
    }

    [Theory]
    [InlineData("a\nlisten evil")]
    [InlineData("a # b")]
    [InlineData("a \"b")]
    public void ADescriptionIsOneLineOfText(string description) =>
        Assert.Throws<ToolException>((Config() with { Description = description }).Render);

    [Fact]
    public void CheckPathsStandOneServerALine() => Assert.Equal("g1-0 /healthz\ng2-0 /healthz\n", Config().RenderChecks());

    [Fact]
    public void WithoutAUserTheProcessStaysWhatItWas() =>
        Assert.DoesNotContain("user ", (Config() with { User = null }).Render().Replace("User-Agent ", "", StringComparison.Ordinal),
            StringComparison.Ordinal);

    [Fact]
    public void WhatIsWrittenIsReadAgain()
    {
        var servers = Config().Servers;

        Assert.Equal(servers, HaproxyConfig.ReadServers(Config().Render(), Config().RenderChecks()));
        // A path that was lost leaves the server: it is checked at the root.
        Assert.Equal(servers.Select(server => server with { Check = server.Check with { Path = "/" } }),
            HaproxyConfig.ReadServers(Config().Render(), ""));
    }

    [Theory]
    [InlineData("")]
    [InlineData("server")]
    [InlineData("server g1-0 10.0.0.2:8080")]
    [InlineData("server g1-0 10.0.0.2:8080 weight x check inter 1000ms rise 2 fall 3")]
    [InlineData("server g1-0 10.0.0.2:8080 weight -1 check inter 1000ms rise 2 fall 3")]
    [InlineData("server g1-0 10.0.0.2:8080 weight 1 check inter 1000 rise 2 fall 3")]
    [InlineData("server g1-0 10.0.0.2:8080 weight 1 check inter 0ms rise 2 fall 3")]
    [InlineData("server g1-0 10.0.0.2:8080 weight 1 check inter 1000ms rise 0 fall 3")]
    [InlineData("server g1-0 10.0.0.2:8080 weight 1 check inter 1000ms rise 2 fall 99999999999")]
    [InlineData("  server g1-0 10.0.0.2:8080 weight 1 check inter 1000ms rise 2 fa")]
    public void ALineThatIsNoServerIsNone(string line) => Assert.Empty(HaproxyConfig.ReadServers($"global\n{line}\n", "g1-0 /\n"));

    [Fact]
    public void CheckingLooksAtWhatIsNotInUseYet() =>
        Assert.Equal("haproxy -c -q -f /run/ingot/abc/haproxy.next.cfg", Haproxy.Check(Config()).ToString());

    [Theory]
    [InlineData("healthz")]
    [InlineData("")]
    [InlineData("/a b")]
    [InlineData("/a;set server be/g1-0 weight 0")]
    [InlineData("/a\nserver evil 10.0.0.1:80")]
    [InlineData("/a\"b")]
    [InlineData("/a'b")]
    [InlineData("/a\\b")]
    [InlineData("/a#b")]
    [InlineData("/a\0b")]
    [InlineData("/ä")]
    public void APathThatWouldEndAWordIsRefused(string path)
    {
        var e = Assert.Throws<ToolException>(() => (s_check with { Path = path }).SafePath);

        Assert.Contains("cannot be the path of a health check", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/healthz?full=1&x=%20")]
    [InlineData("/~a/b.c_d-e,f:g@h")]
    public void AnOrdinaryPathIsTaken(string path) => Assert.Equal(path, (s_check with { Path = path }).SafePath);

    [Fact]
    public async Task ASocketPathTheKernelWouldCutIsRefused()
    {
        var config = Config() with { Directory = "/run/" + new string('x', 200) };

        var e = await Assert.ThrowsAsync<ToolException>(() => Haproxy.RunAsync(config, TimeProvider.System));

        Assert.Contains("218 characters", e.Message, StringComparison.Ordinal);
    }

    private static HaproxyConfig Config() => new()
    {
        Directory = "/run/ingot/abc",
        Listen = [IPEndPoint.Parse("127.0.0.1:8080"), IPEndPoint.Parse("[::1]:8080")],
        CheckTimeout = TimeSpan.FromMilliseconds(500),
        RequestTimeout = TimeSpan.FromSeconds(90),
        Description = "ingot 127.0.0.1 8080",
        User = "haproxy",
        Servers = [new HaproxyServer("g1-0", "10.0.0.2:8080", 19, s_check), new HaproxyServer("g2-0", "10.0.0.3:8080", 1, s_check)],
    };
}
