using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;

namespace Ingot.Oci.Tests;

/// <summary>Failures of the platform in words for people: real ones, not made up.</summary>
public sealed class IngotExceptionTests
{
    private static readonly string[] s_platformWords =
        ["inner exception", "Exception", "System.", "(127.0.0.1", "LineNumber", "BytePosition", "HttpClient"];

    [Fact]
    public async Task NobodyListens()
    {
        using var http = new HttpClient();
        Assert.Equal("connection refused", await ReasonAsync(() => http.GetAsync(new Uri($"http://127.0.0.1:{ClosedPort()}/"))));
    }

    [Fact]
    public async Task NoHostHasTheName()
    {
        using var http = new HttpClient();
        Assert.StartsWith("there is no host of that name", await ReasonAsync(() => http.GetAsync(new Uri("http://no-such-host.invalid/"))),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https", "SSH-2.0-OpenSSH_9.2\r\n", "the TLS handshake failed")]
    [InlineData("http", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "its answer is not HTTP")]
    [InlineData("http", "HTTP/1.1 200 OK\r\n", "it closed the connection before its answer was complete")]
    [InlineData("http", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "it closed the connection before its answer was complete")]
    public async Task APeerIsNotWhatItShouldBe(string scheme, string answer, string expected)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = Task.Run(async () =>
        {
            // A request that was not answered at all is made again.
            while (true)
            {
                using var client = await listener.AcceptTcpClientAsync();
                _ = await client.GetStream().ReadAsync(new byte[4096]);
                await client.GetStream().WriteAsync(System.Text.Encoding.ASCII.GetBytes(answer));
                client.Client.Shutdown(SocketShutdown.Send);
                _ = await client.GetStream().ReadAsync(new byte[4096]);
            }
        });
        using var http = new HttpClient();
        string reason =
            await ReasonAsync(() => http.GetByteArrayAsync(new Uri($"{scheme}://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/")));
        Assert.StartsWith(expected, reason, StringComparison.Ordinal);
        listener.Stop();
        await serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    [Theory]
    [InlineData("127.0.0.1", 2020, 2021, "its certificate has expired or is not valid yet")]
    [InlineData("127.0.0.1", 2098, 2099, "its certificate has expired or is not valid yet")]
    [InlineData("127.0.0.1", 2020, 2099, "the issuer of its certificate is unknown here")]
    [InlineData("127.0.0.2", 2020, 2099, "its certificate is for another name")]
    public async Task ACertificateIsRefusedWithWhatIsWrongWithIt(string name, int begins, int ends, string expected)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Parse(name));
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(
            new DateTimeOffset(begins, 1, 1, 0, 0, 0, TimeSpan.Zero), new DateTimeOffset(ends, 1, 1, 0, 0, 0, TimeSpan.Zero));
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = Task.Run(async () =>
        {
            using var client = await listener.AcceptTcpClientAsync();
            await using var stream = new SslStream(client.GetStream());
            await stream.AuthenticateAsServerAsync(certificate);
            _ = await stream.ReadAsync(new byte[4096]);
        });
        using var http = new HttpClient();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        string reason = await ReasonAsync(() => http.GetByteArrayAsync(new Uri($"https://127.0.0.1:{port}/")));
        Assert.StartsWith("the TLS handshake failed: ", reason, StringComparison.Ordinal);
        Assert.Contains(expected, reason, StringComparison.Ordinal);
        listener.Stop();
        await serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    [Theory]
    [InlineData("{", "unexpected content at line 1, byte 2")]
    [InlineData("{\n \"a\": x}", "unexpected content at line 2, byte 7 ('$.a')")]
    public void WhatIsNoJsonIsSaidWithItsPlace(string json, string expected) =>
        Assert.Equal(expected, Reason(() => JsonSerializer.Deserialize<Dictionary<string, string>>(json)));

    [Fact]
    public void AFileIsNotThere()
    {
        Assert.Equal("there is no file '/no-such-file'", Reason(() => File.ReadAllText("/no-such-file")));
        Assert.Equal("there is no file or directory '/no/such/file'", Reason(() => File.ReadAllText("/no/such/file")));
        Assert.Equal("it is not Base64", Reason(() => Convert.FromBase64String("*")));
        Assert.Equal("a value is of another type than expected", Reason(() => JsonDocument.Parse("1").RootElement.GetString()));
    }

    [Fact]
    public void PermissionIsDenied()
    {
        Assert.Equal("permission denied: '/proc'", Reason(() => File.ReadAllText("/proc")));
        Assert.StartsWith("no such file or directory", Reason(() => System.Diagnostics.Process.Start("/no/such/program")),
            StringComparison.Ordinal);
    }

    private static string Reason(Action act)
    {
        string reason = IngotException.ReasonOf(Assert.ThrowsAny<Exception>(act));
        Assert.DoesNotContain(s_platformWords, word => reason.Contains(word, StringComparison.Ordinal));
        return reason;
    }

    private static async Task<string> ReasonAsync(Func<Task> act)
    {
        string reason = IngotException.ReasonOf(await Assert.ThrowsAnyAsync<Exception>(act));
        Assert.DoesNotContain(s_platformWords, word => reason.Contains(word, StringComparison.Ordinal));
        return reason;
    }

    private static int ClosedPort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
