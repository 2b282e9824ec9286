using System.Text;
using System.Text.Json;

namespace Ingot.Cli.Tests.Commands;

/// <summary>What cannot be had is said where a template asks for it.</summary>
public sealed class PlacesTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-places-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task ARegistryThatIsNotThereIsSaidAtTheFrom()
    {
        var run = await BuildAsync("# a comment\nFROM 127.0.0.1:9/team/base:1\n");
        Assert.Equal(3, run.ExitCode);
        Assert.Contains("Dockerfile:2:6: error: the image '127.0.0.1:9/team/base:1' could not be obtained: ", run.Error,
            StringComparison.Ordinal);
        Assert.Contains("connection refused", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("(127.0.0.1", run.Error, StringComparison.Ordinal);

        var json = await BuildAsync("FROM 127.0.0.1:9/team/base:1\n", "-o", "json");
        var diagnostic = JsonDocument.Parse(json.Output).RootElement.GetProperty("error").GetProperty("diagnostics")[0];
        Assert.Equal((1, 6), (diagnostic.GetProperty("line").GetInt32(), diagnostic.GetProperty("column").GetInt32()));
    }

    [Theory]
    [InlineData("404 Not Found", 2)]
    [InlineData("401 Unauthorized", 2)]
    [InlineData("403 Forbidden", 2)]
    [InlineData("500 Internal Server Error", 3)]
    public async Task ABaseThatTheRegistryDoesNotGiveIsSaidAtTheFrom(string status, int exitCode)
    {
        await using var server = new Eavesdropper($"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        var run = await BuildAsync($"FROM scratch AS one\nFROM {server.Address}/team/base:1\n");
        Assert.Equal(exitCode, run.ExitCode);
        Assert.Contains("Dockerfile:2:6: error: ", run.Error, StringComparison.Ordinal);
        Assert.Contains($"{server.Address}/team/base:1", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("not JSON at all")]
    [InlineData("{}")]
    [InlineData("""{"schemaVersion":1}""")]
    [InlineData("""{"schemaVersion":2,"config":{"digest":"sha256:abc","size":1,"mediaType":"x"},"layers":[]}""")]
    public async Task AMalformedBaseIsSaidAtTheFrom(string manifest)
    {
        string digest = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(manifest)));
        await using var server = new Eavesdropper(
            "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\n"
            + $"Docker-Content-Digest: sha256:{digest}\r\nContent-Length: {manifest.Length}\r\nConnection: close\r\n\r\n{manifest}");
        var run = await BuildAsync($"FROM {server.Address}/team/base:1\n");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("Dockerfile:1:6: error: ", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("BytePosition", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnArchiveThatIsNoImageIsSaidAtTheFrom()
    {
        File.WriteAllText(Path.Combine(_directory, "base.tar"), "no archive");
        var run = await BuildAsync("FROM oci-archive://base.tar\n");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("Dockerfile:1:6: error: ", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("404 Not Found", "the server answered 404 (Not Found)")]
    [InlineData("403 Forbidden", "the server answered 403 (Forbidden)")]
    public async Task AnAddThatIsNotThereIsSaidAtTheAdd(string status, string expected)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "builds need root");
        await using var server = new Eavesdropper($"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        var run = await BuildAsync($"FROM scratch\n\nADD http://{server.Address}/file.txt /\n");
        Assert.Equal(3, run.ExitCode);
        Assert.Contains("Dockerfile:3:1: error: ", run.Error, StringComparison.Ordinal);
        Assert.Contains(expected, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AVersionThatIsNoPlatformIsSaidAtTheFrom()
    {
        var run = await BuildAsync("FROM --platform=linux/foo scratch\n");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("Dockerfile:1:17: error: 'linux/foo' is not a platform", run.Error, StringComparison.Ordinal);
    }

    private async Task<ProgramRun> BuildAsync(string dockerfile, params string[] options)
    {
        File.WriteAllText(Path.Combine(_directory, "Dockerfile"), dockerfile);
        File.WriteAllText(Path.Combine(_directory, "ingot.yaml"), "ingot: 1\nproject: shop\nimages:\n  web: { dockerfile: Dockerfile }\n");
        return await ProgramRun.Of(["-C", _directory, "build", .. options]);
    }
}
