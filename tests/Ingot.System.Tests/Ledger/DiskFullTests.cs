using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using Ingot.Oci.Content;
using Ingot.Server.Ledger;
using Ingot.Server.Storage;
using Ingot.SystemTests.Registry;
using Ingot.Tools;

namespace Ingot.SystemTests.Ledger;

/// <summary>A disk of a few megabytes, filled to the last byte.</summary>
public sealed class DiskFullTests : IAsyncLifetime
{
    private readonly string _mount = Directory.CreateTempSubdirectory("ingot-small-disk-").FullName;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root: mounts a tmpfs");
        await CommandRunner.RunAsync(new Command("mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", _mount));
    }

    public async ValueTask DisposeAsync()
    {
        if (Environment.IsPrivilegedProcess)
            await CommandRunner.RunAsync(new Command("umount", "-l", _mount));
        Directory.Delete(_mount);
    }

    [Fact]
    public async Task ALedgerOnAFullDiskSaysSoLosesNothingAndGoesOnWhenThereIsRoom()
    {
        var home = new ServerHome(Path.Combine(_mount, "home"));
        await using var ledger = await LedgerStore.OpenAsync(home, TimeProvider.System);
        string filler = Path.Combine(_mount, "filler");
        await File.WriteAllBytesAsync(filler, new byte[2 << 20]);
        long acknowledged = 0;
        async Task<LedgerException> FillAsync() => await Assert.ThrowsAsync<LedgerException>(async () =>
        {
            while (true)
                acknowledged = (await ledger.AppendAsync("tester", Large(acknowledged))).Seq + 1;
        });
        var failure = await FillAsync();

        Assert.Contains("disk is full", failure.Message, StringComparison.Ordinal);
        Assert.Contains("free space on its disk and try again", failure.Message, StringComparison.Ordinal);
        Assert.True(acknowledged > 10);
        // What failed gave its pages back, which may be room for one more.
        await FillAsync();
        await ExpectAsync(home, ledger, acknowledged);

        File.Delete(filler);
        var entry = await ledger.AppendAsync("tester", Large(acknowledged));
        Assert.Equal(acknowledged, entry.Seq);
        await ExpectAsync(home, ledger, acknowledged + 1);
    }

    [Fact]
    public async Task ARegistryOnAFullDiskSaysSoAndGoesOnWhenThereIsRoom()
    {
        await using var registry = await RegistryProcess.StartAsync(Path.Combine(_mount, "home"));
        var bytes = RandomNumberGenerator.GetBytes(10 << 20);
        var refused = await registry.Http.PostAsync($"/v2/a/b/blobs/uploads/?digest={Digest.Of(bytes)}", new ByteArrayContent(bytes));
        string body = await refused.Content.ReadAsStringAsync();
        Assert.True(refused.StatusCode == HttpStatusCode.InsufficientStorage, $"{(int)refused.StatusCode}: {body}");
        Assert.Contains("disk is full", body, StringComparison.Ordinal);

        var small = RandomNumberGenerator.GetBytes(1 << 20);
        var accepted = await registry.Http.PostAsync($"/v2/a/b/blobs/uploads/?digest={Digest.Of(small)}", new ByteArrayContent(small));
        Assert.True(accepted.StatusCode == HttpStatusCode.Created,
            $"{(int)accepted.StatusCode}: {await accepted.Content.ReadAsStringAsync()}");
        Assert.Equal(small, await registry.Http.GetByteArrayAsync($"/v2/a/b/blobs/{Digest.Of(small)}"));
    }

    private static LedgerEvent.ProjectApplied Large(long n) =>
        new("shop", Digest.Of(BitConverter.GetBytes(n)), new string('x', 50_000) + n.ToString(CultureInfo.InvariantCulture));

    private static async Task ExpectAsync(ServerHome home, LedgerStore ledger, long size)
    {
        Assert.Equal(size, ledger.Size);
        var report = await LedgerVerifier.VerifyAsync(home);
        Assert.Empty(report.Problems);
        Assert.Equal(size, report.Size);
    }
}
