using System.Text;
using Ingot.Builds.Cache;
using Ingot.Oci.Content;
using Ingot.Oci.Layouts;
using Ingot.Server.Ledger;
using Ingot.Server.Registry;
using static Ingot.Server.Tests.Registry.RegistryFixture;

namespace Ingot.Server.Tests.Registry;

/// <summary>What pruning does to a registry that serves meanwhile.</summary>
public sealed class PruneTests : IAsyncLifetime
{
    private static readonly DateTime s_old = DateTime.UtcNow.AddDays(-3);
    private static readonly CachePolicy s_registry = new() { BlobsOnly = true, All = true };

    private RegistryFixture _registry = null!;

    public async ValueTask InitializeAsync() => _registry = await StartAsync();

    public ValueTask DisposeAsync() => _registry.DisposeAsync();

    [Fact]
    public async Task AHostThatOnlyServesGivesBackWhatNothingNames()
    {
        var image = await _registry.PublishAsync("scratch/web", "1", "kept");
        var gone = await _registry.PublishAsync("scratch/web", "2", "given up");
        var stray = await _registry.PushBlobAsync("shop/web", "never named"u8.ToArray());
        await ExpectAsync(202, await _registry.SendAsync("DELETE", $"/v2/scratch/web/manifests/{gone}", (byte[]?)null));
        AgeAll();

        var dry = await PruneAsync(s_registry with { DryRun = true });
        Assert.Equal(4, dry.Items);
        Assert.True(IsThere(stray.Digest));
        var report = await PruneAsync();
        Assert.Equal((4, "blobs"), (report.Items, Assert.Single(report.Kinds).Kind));
        Assert.False(IsThere(stray.Digest));
        Assert.False(IsThere(gone));
        await ExpectAsync(200, await _registry.SendAsync("GET", $"/v2/scratch/web/manifests/{image}", (byte[]?)null));
        foreach (string text in (string[])["kept"])
            await ExpectAsync(200, await _registry.SendAsync("GET", $"/v2/scratch/web/blobs/{Of(text)}", (byte[]?)null));
    }

    [Fact]
    public async Task WhatAClientWasToldIsHereStays()
    {
        var head = await _registry.PushBlobAsync("shop/web", "asked for"u8.ToArray());
        var mounted = await _registry.PushBlobAsync("shop/web", "mounted"u8.ToArray());
        var anonymous = await _registry.PushBlobAsync("shop/web", "mounted from anywhere"u8.ToArray());
        var stray = await _registry.PushBlobAsync("shop/web", "never asked for"u8.ToArray());
        AgeAll();
        await ExpectAsync(200, await _registry.SendAsync("HEAD", $"/v2/shop/web/blobs/{head.Digest}", (byte[]?)null));
        await ExpectAsync(201,
            await _registry.SendAsync("POST", $"/v2/shop/api/blobs/uploads/?mount={mounted.Digest}&from=shop/web", (byte[]?)null));
        await ExpectAsync(201, await _registry.SendAsync("POST", $"/v2/shop/api/blobs/uploads/?mount={anonymous.Digest}", (byte[]?)null));

        Assert.Equal(1, (await PruneAsync()).Items);
        Assert.False(IsThere(stray.Digest));
        Assert.All([head, mounted, anonymous], blob => Assert.True(IsThere(blob.Digest)));
    }

    [Fact]
    public async Task AnUploadThatWasFinishedLongAfterItsLastByteIsYoung()
    {
        byte[] bytes = "slowly"u8.ToArray();
        var begun = await _registry.SendAsync("POST", "/v2/shop/web/blobs/uploads/", (byte[]?)null);
        string location = begun.Headers.Location!.ToString();
        await ExpectAsync(202, await _registry.SendAsync("PATCH", location, bytes));
        foreach (string file in Directory.EnumerateFiles(_registry.Uploads))
            File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddHours(-5));
        await ExpectAsync(201, await _registry.SendAsync("PUT", $"{location}?digest={Digest.Of(bytes)}", (byte[]?)null));

        Assert.Equal(0, (await PruneAsync()).Items);
        Assert.True(IsThere(Digest.Of(bytes)));
    }

    [Fact]
    public async Task AManifestThatIsPushedAgainWhileItIsBeingCollectedIsThereAfterwards()
    {
        byte[] manifest = await _registry.MakeImageAsync("scratch/web", "again and again");
        var digest = Digest.Of(manifest);
        for (int i = 0; i < 40; i++)
        {
            await ExpectAsync(201, await _registry.PutManifestAsync("scratch/web", "1", manifest));
            await ExpectAsync(202, await _registry.SendAsync("DELETE", $"/v2/scratch/web/manifests/{digest}", (byte[]?)null));
            AgeAll();
            var prune = Task.Run(() => PruneAsync());
            var answer = await _registry.PutManifestAsync("scratch/web", "1", manifest);
            await prune;
            // Told no, the client sends the blobs again; told yes, all of it is here.
            if (answer.IsSuccessStatusCode)
                Assert.All([digest, Of("again and again")], blob => Assert.True(IsThere(blob)));
            else
                manifest = await _registry.MakeImageAsync("scratch/web", "again and again");
        }
    }

    [Fact]
    public async Task ManyWhoAskWhileMuchIsCollectedAreNeverLiedTo()
    {
        var blobs = await Task.WhenAll(Enumerable.Range(0, 200)
            .Select(i => _registry.PushBlobAsync("shop/web", Encoding.UTF8.GetBytes($"blob {i}"))));
        AgeAll();
        var prune = Task.Run(() => PruneAsync());
        var told = await Task.WhenAll(blobs.Select(async blob =>
            (
                blob.Digest,
                Is: (await _registry.SendAsync("HEAD", $"/v2/shop/web/blobs/{blob.Digest}", (byte[]?)null)).IsSuccessStatusCode)));
        var report = await prune;

        Assert.All(told.Where(one => one.Is), one => Assert.True(IsThere(one.Digest)));
        Assert.Equal(blobs.Count(blob => !IsThere(blob.Digest)), report.Items);
    }

    [Fact]
    public async Task APruneThatIsKilledTakesNothingThatIsNeededAndTheNextOneFinishes()
    {
        var image = await _registry.PublishAsync("shop/web", "1", "kept");
        var strays = await Task.WhenAll(Enumerable.Range(0, 1500).Select(i => WriteAsync($"stray {i}")));
        AgeAll();
        int before = Count();
        string program = Path.Combine(AppContext.BaseDirectory, "Ingot.Appender.dll");
        using (var process = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("dotnet",
            ["exec", program, _registry.Home.Root, "prune"])
        {
            RedirectStandardOutput = true,
        })!)
        {
            await process.StandardOutput.ReadLineAsync();
            while (Count() == before && !process.HasExited)
                await Task.Delay(1);
            process.Kill();
            await process.WaitForExitAsync();
        }

        await _registry.RestartAsync();
        Assert.DoesNotContain(Directory.EnumerateFiles(Path.Combine(_registry.Home.Content, "tmp")),
            path => path.Contains("aside-", StringComparison.Ordinal));
        var verified = await LayoutVerification.VerifyAsync(new OciLayout(_registry.Home.Content), LedgerRoots.Published(_registry.Home));
        Assert.Empty(verified.Problems);
        await PruneAsync();
        Assert.All(strays, stray => Assert.False(IsThere(stray)));
        Assert.True(IsThere(image) && IsThere(Of("kept")));
    }

    [Fact]
    public async Task WhatAKilledPruneLaidAsideIsPutBack()
    {
        var blob = await _registry.PushBlobAsync("shop/web", "laid aside"u8.ToArray());
        string aside = Path.Combine(_registry.Home.Content, "tmp", $"aside-{blob.Digest.Hex}");
        File.Move(_registry.Store.PathOf(blob.Digest), aside);
        await ExpectAsync(404, await _registry.SendAsync("HEAD", $"/v2/shop/web/blobs/{blob.Digest}", (byte[]?)null));
        await _registry.RestartAsync();
        await ExpectAsync(200, await _registry.SendAsync("HEAD", $"/v2/shop/web/blobs/{blob.Digest}", (byte[]?)null));
        Assert.False(File.Exists(aside));
    }

    [Fact]
    public async Task AbandonedUploadsGoAlsoUnderAServerThatKnowsThem()
    {
        var begun = await _registry.SendAsync("POST", "/v2/shop/web/blobs/uploads/", (byte[]?)null);
        string location = begun.Headers.Location!.ToString();
        await ExpectAsync(202, await _registry.SendAsync("PATCH", location, new byte[1000]));
        Assert.Equal((0, 0), AbandonedUploads.Remove(_registry.Uploads, TimeProvider.System, dryRun: false));
        foreach (string file in Directory.EnumerateFiles(_registry.Uploads))
            File.SetLastWriteTimeUtc(file, s_old);
        Assert.Equal((1, 1000), AbandonedUploads.Remove(_registry.Uploads, TimeProvider.System, dryRun: true));
        Assert.Equal((1, 1000), AbandonedUploads.Remove(_registry.Uploads, TimeProvider.System, dryRun: false));

        await ExpectAsync(404, await _registry.SendAsync("PATCH", location, new byte[10]), "BLOB_UPLOAD_UNKNOWN");
        await ExpectAsync(404, await _registry.SendAsync("PUT", $"{location}?digest={Digest.Of(new byte[1000])}", (byte[]?)null),
            "BLOB_UPLOAD_UNKNOWN");
        await _registry.PushBlobAsync("shop/web", new byte[1000]);
    }

    [Fact]
    public async Task ALargeManifestKeepsItsLayers()
    {
        await _registry.PublishAsync("shop/web", "1", "beneath much text",
            manifest => manifest with { Annotations = new() { ["large"] = new string('x', 7 << 20) } });
        AgeAll();
        Assert.Equal(0, (await PruneAsync()).Items);
        Assert.True(IsThere(Of("beneath much text")));
    }

    private async Task<Digest> WriteAsync(string text)
    {
        await File.WriteAllTextAsync(_registry.Store.PathOf(Of(text)), text);
        return Of(text);
    }

    private int Count() => Directory.EnumerateFiles(Path.GetDirectoryName(_registry.Store.PathOf(Of("any")))!).Count();

    private static Digest Of(string text) => Digest.Of(Encoding.UTF8.GetBytes(text));

    private bool IsThere(Digest digest) => File.Exists(_registry.Store.PathOf(digest));

    private void AgeAll()
    {
        foreach (string file in Directory.EnumerateFiles(Path.GetDirectoryName(_registry.Store.PathOf(Of("any")))!))
            File.SetLastWriteTimeUtc(file, s_old);
    }

    private Task<CachePruneReport> PruneAsync(CachePolicy? policy = null)
    {
        var pruning = new CachePruning(Path.Combine(_registry.Home.Root, "cache"), _registry.Store,
            async token => await LayoutReach.OfAsync(_registry.Store, LedgerRoots.Read(_registry.Home), token));
        return pruning.RunAsync(policy ?? s_registry);
    }
}
