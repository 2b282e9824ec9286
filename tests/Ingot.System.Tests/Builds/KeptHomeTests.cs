using System.Diagnostics;
using System.Text.Json;
using Ingot.SystemTests.Shop;
using Ingot.Testing;

namespace Ingot.SystemTests.Builds;

/// <summary>What an earlier version left in a home is read by this one. See tests/vectors/kept/README.md.</summary>
public sealed class KeptHomeTests : IDisposable
{
    private const string BuiltThen = "sha256:f9846693e2ee849d6c8b378a74e9a6ec5e124b683788ee9cbe13c4b87a209ad7";
    private const int Entries = 168;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task AnImageIsBuiltFromTheCacheThatWasKept()
    {
        Assert.SkipWhen(BuildFixture.Missing is not null, BuildFixture.Missing ?? "");
        var built = await BuildAsync();
        Assert.Equal(BuiltThen, built.GetProperty("digest").GetString());
        // Commands have had another network since: theirs is made again.
        Assert.Equal(2, built.GetProperty("steps").GetProperty("cached").GetInt32());
    }

    [Fact]
    public async Task BuiltAnewItHasTheDigestItHad()
    {
        Assert.SkipWhen(BuildFixture.Missing is not null, BuildFixture.Missing ?? "");
        var built = await BuildAsync("--no-cache");
        Assert.Equal(BuiltThen, built.GetProperty("digest").GetString());
        Assert.Equal(0, built.GetProperty("steps").GetProperty("cached").GetInt32());
    }

    [Fact]
    public async Task ALedgerThatWasKeptIsWholeAndIsContinued()
    {
        var ingot = Unpack("ledger");
        Assert.StartsWith($"{Entries} entries are whole", (await ingot.ExpectAsync(0, "log", "verify")).Output);

        int port = ShopFixture.FreePort();
        using var server = ingot.Start("serve", "--listen", $"127.0.0.1:{port}");
        try
        {
            _ = server.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            _ = server.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            var client = new IngotProgram(ingot.Home, $"http://127.0.0.1:{port}");
            await WaitForAsync(port, server);
            string story = (await client.ExpectAsync(0, "log", "show")).Output;
            Assert.Contains("quarantine", story, StringComparison.OrdinalIgnoreCase);
            await client.ExpectAsync(0, "status");
        }
        finally
        {
            server.Kill();
            await server.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        // It began with an entry of its own.
        string verified = (await ingot.ExpectAsync(0, "log", "verify")).Output;
        Assert.True(int.Parse(verified.Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture) > Entries, verified);
    }

    private async Task<JsonElement> BuildAsync(params string[] options)
    {
        var ingot = Unpack("build");
        var built = await ingot.ExpectAsync(0, ["-C", _directory.At("build", "project"), "-o", "json", "build", .. options]);
        return JsonDocument.Parse(built.Output).RootElement.GetProperty("images")[0];
    }

    private IngotProgram Unpack(string name)
    {
        string archive = Repository.Vector("kept", name + ".tar.gz");
        using var tar = Process.Start("tar", ["-xzpf", archive, "-C", _directory.Root, "--no-same-owner"]);
        tar.WaitForExit();
        Assert.Equal(0, tar.ExitCode);
        return new IngotProgram(_directory.At(name, "home"), server: null);
    }

    private static async Task WaitForAsync(int port, Process server)
    {
        using var http = new HttpClient();
        while (!server.HasExited)
        {
            try
            {
                await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/api/v1/health"), TestContext.Current.CancellationToken);
                return;
            }
            catch (HttpRequestException)
            {
                await Task.Delay(50, TestContext.Current.CancellationToken);
            }
        }

        Assert.Fail($"the server ended with {server.ExitCode}");
    }
}
