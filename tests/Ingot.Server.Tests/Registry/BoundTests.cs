using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Server.Registry;
using static Ingot.Server.Tests.Registry.RegistryFixture;

namespace Ingot.Server.Tests.Registry;

/// <summary>What a client cannot use up.</summary>
public sealed class BoundTests
{
    private const string UserHeader = "X-User";

    [Fact]
    public async Task OneUserCannotOpenUploadsWithoutEndNorTakeThoseOfOthers()
    {
        await using var registry = await StartAsync(options => options with { MaxUploadsOfUser = 5, MaxUploads = 12, Actor = UserOf });
        var answers = await Task.WhenAll(Enumerable.Range(0, 30).Select(_ => BeginAsync(registry, "mallory")));
        Assert.Equal(5, answers.Count(answer => (int)answer.StatusCode == 202));
        var refused = answers.First(answer => !answer.IsSuccessStatusCode);
        await ExpectAsync(429, refused, "TOOMANYREQUESTS");
        Assert.Equal("30", refused.Headers.GetValues("Retry-After").Single());
        Assert.Equal(5, Directory.EnumerateFiles(registry.Uploads).Count());

        await ExpectAsync(202, await BeginAsync(registry, "alice"));
        // One more is free again after one was cancelled.
        string location = answers.First(answer => answer.IsSuccessStatusCode).Headers.Location!.ToString();
        await ExpectAsync(204, await registry.SendAsync("DELETE", location, (byte[]?)null));
        await ExpectAsync(202, await BeginAsync(registry, "mallory"));
        await ExpectAsync(429, await BeginAsync(registry, "mallory"));
    }

    [Fact]
    public async Task AllUsersTogetherAreBoundedAndASingleRequestCountsToo()
    {
        await using var registry = await StartAsync(options => options with { MaxUploadsOfUser = 5, MaxUploads = 12, Actor = UserOf });
        for (int i = 0; i < 12; i++)
            await ExpectAsync(202, await BeginAsync(registry, $"user {i}"));
        await ExpectAsync(429, await BeginAsync(registry, "alice"));
        byte[] bytes = "whole"u8.ToArray();
        await ExpectAsync(429,
            await registry.SendAsync("POST", $"/v2/shop/web/blobs/uploads/?digest={Digest.Of(bytes)}", bytes, (UserHeader, "alice")));
    }

    [Fact]
    public async Task ABoundOutlivesTheServerAndWhatStandsStillMakesRoom()
    {
        var options = (RegistryOptions o) => o with { MaxUploadsOfUser = 3, Actor = UserOf };
        await using var registry = await StartAsync(options);
        for (int i = 0; i < 3; i++)
            await ExpectAsync(202, await BeginAsync(registry, "alice"));
        await registry.RestartAsync(options);
        await ExpectAsync(429, await BeginAsync(registry, "alice"));
        await ExpectAsync(202, await BeginAsync(registry, "bob"));

        foreach (string file in Directory.EnumerateFiles(registry.Uploads))
            File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddMinutes(-20));
        await ExpectAsync(202, await BeginAsync(registry, "alice"));
    }

    [Fact]
    public async Task FinishedUploadsAreNotCounted()
    {
        await using var registry = await StartAsync(options => options with { MaxUploads = 2, MaxUploadsOfUser = 2 });
        for (int i = 0; i < 10; i++)
            await registry.PushBlobAsync("shop/web", Encoding.UTF8.GetBytes($"{i}"));
        for (int i = 0; i < 10; i++)
            await ExpectAsync(
                400, await registry.SendAsync("POST", $"/v2/shop/web/blobs/uploads/?digest={Digest.Of([1])}", [2]), "DIGEST_INVALID");
        Assert.Empty(Directory.EnumerateFiles(registry.Uploads));
    }

    [Fact]
    public void UploadsLeaveAReserveOnTheDisk()
    {
        var drive = new DriveInfo(AppContext.BaseDirectory);
        var disk = new DiskReserve(AppContext.BaseDirectory, 1);
        disk.Require(1);
        Assert.Equal(507, Assert.Throws<RegistryRefusal>(() => disk.Require(drive.TotalSize)).Status);
    }

    [Fact]
    public async Task ABlobThatWouldFillTheDiskIsRefusedBeforeItIsSent()
    {
        await using var registry = await StartAsync();
        var begun = await BeginAsync(registry, "alice");
        using var socket = new System.Net.Sockets.TcpClient(registry.Http.BaseAddress!.Host, registry.Http.BaseAddress.Port);
        await using var stream = socket.GetStream();
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes($"PATCH {begun.Headers.Location} HTTP/1.1\r\nHost: x\r\nContent-Length: {1L << 60}\r\n\r\n"));
        using var reader = new StreamReader(stream);
        Assert.Equal("HTTP/1.1 507 Insufficient Storage", await reader.ReadLineAsync());
    }

    [Fact]
    public async Task NobodyBuriesEvidenceUnderWhatNoTrustedKeySigned()
    {
        var trusted = new HashSet<Digest>();
        await using var registry = await StartAsync(options => options with
        {
            MaxUnverified = 8,
            MaxUnverifiedOfUser = 5,
            Actor = UserOf,
            Trusted = (_, manifests, _) => Task.FromResult<IReadOnlySet<Digest>>(manifests.Where(trusted.Contains).ToHashSet()),
        });
        var image = Descriptor.Of(MediaType.Manifest, await registry.MakeImageAsync("shop/web", "an image"));
        var answers = new List<HttpResponseMessage>();
        foreach (byte[] junk in await ReferrersAsync(registry, image, "junk", 20))
            answers.Add(await PutAsync(registry, junk, "mallory"));
        Assert.Equal(5, answers.Count(answer => answer.IsSuccessStatusCode));
        await ExpectAsync(403, answers[^1], "DENIED");

        // Others have room of their own, up to the bound of all.
        var others = new List<HttpResponseMessage>();
        foreach (byte[] other in await ReferrersAsync(registry, image, "other", 10))
            others.Add(await PutAsync(registry, other, "alice"));
        Assert.Equal(3, others.Count(answer => answer.IsSuccessStatusCode));

        foreach (byte[] signed in await ReferrersAsync(registry, image, "signed", 12))
        {
            trusted.Add(Digest.Of(signed));
            await ExpectAsync(201, await PutAsync(registry, signed, "mallory"));
        }

        // What is here already may be sent again; another image has its own bound.
        await ExpectAsync(201, await PutAsync(registry, (await ReferrersAsync(registry, image, "junk", 1))[0], "mallory"));
        var second = Descriptor.Of(MediaType.Manifest, await registry.MakeImageAsync("shop/web", "another image"));
        await ExpectAsync(201, await PutAsync(registry, (await ReferrersAsync(registry, second, "junk", 1))[0], "mallory"));
    }

    [Fact]
    public async Task OfOneSignedBundleInManyManifestsOnlyTheFirstIsExempt()
    {
        // All are around one bundle: of those that are asked about, the first counts.
        await using var registry = await StartAsync(options => options with
        {
            MaxUnverified = 8,
            MaxUnverifiedOfUser = 5,
            Actor = UserOf,
            Trusted = (_, manifests, _) => Task.FromResult<IReadOnlySet<Digest>>(manifests.Take(1).ToHashSet()),
        });
        var image = Descriptor.Of(MediaType.Manifest, await registry.MakeImageAsync("shop/web", "an image"));
        var answers = await Task.WhenAll((await ReferrersAsync(registry, image, "wrapped", 40))
            .Select(wrapper => PutAsync(registry, wrapper, "mallory")));
        Assert.Equal(6, answers.Count(answer => answer.IsSuccessStatusCode));
    }

    [Fact]
    public async Task ManyAtOnceDoNotSlipPastTheBound()
    {
        await using var registry = await StartAsync(options => options with { MaxUnverified = 6, MaxUnverifiedOfUser = 6, Actor = UserOf });
        var image = Descriptor.Of(MediaType.Manifest, await registry.MakeImageAsync("shop/web", "an image"));
        var answers =
            await Task.WhenAll((await ReferrersAsync(registry, image, "junk", 40)).Select(junk => PutAsync(registry, junk, "mallory")));
        Assert.Equal(6, answers.Count(answer => answer.IsSuccessStatusCode));
        Assert.Equal(6, registry.Ledger.Read(view => view.Referrers("shop/web", image.Digest)).Count);
    }

    [Fact]
    public async Task ManyLargeManifestsAtOnceTakeTurns()
    {
        await using var registry = await StartAsync();
        var notes = new SortedDictionary<string, string> { ["large"] = new('x', 8_000_000) };
        var manifests = new List<byte[]>();
        for (int i = 0; i < 12; i++)
            manifests.Add(await registry.MakeImageAsync("shop/web", "one",
                manifest => manifest with { Annotations = new(notes) { ["n"] = $"{i}" } }));
        var answers = await Task.WhenAll(manifests.Select((manifest, i) => registry.PutManifestAsync("shop/web", $"v{i}", manifest)));
        Assert.All(answers, answer => Assert.Equal(201, (int)answer.StatusCode));
        for (int i = 0; i < manifests.Count; i++)
            Assert.Equal(manifests[i], await registry.Http.GetByteArrayAsync($"/v2/shop/web/manifests/v{i}"));
        Assert.Empty(Directory.EnumerateFiles(registry.Uploads));
    }

    [Fact]
    public async Task ALargeManifestThatNeverEndsKeepsNobodyWaiting()
    {
        await using var registry = await StartAsync();
        var sockets = new List<System.Net.Sockets.TcpClient>();
        for (int i = 0; i < 4; i++)
        {
            var socket = new System.Net.Sockets.TcpClient(registry.Http.BaseAddress!.Host, registry.Http.BaseAddress.Port);
            sockets.Add(socket);
            await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes("PUT /v2/shop/web/manifests/slow HTTP/1.1\r\nHost: x\r\n"
                + $"Content-Type: {MediaType.Manifest}\r\nContent-Length: 8000000\r\n\r\n"));
            await socket.GetStream().WriteAsync(new byte[1_000_000]);
        }

        byte[] large = await registry.MakeImageAsync("shop/web", "one",
            manifest => manifest with { Annotations = new() { ["large"] = new string('x', 4_000_000) } });
        await ExpectAsync(201, await registry.PutManifestAsync("shop/web", "v1", large).WaitAsync(TimeSpan.FromMinutes(1)));
        sockets.ForEach(socket => socket.Dispose());
    }

    private static string UserOf(Microsoft.AspNetCore.Http.HttpContext http) =>
        http.Request.Headers[UserHeader].ToString() is { Length: > 0 } user ? user : "anonymous";

    private static Task<HttpResponseMessage> BeginAsync(RegistryFixture registry, string user) =>
        registry.SendAsync("POST", "/v2/shop/web/blobs/uploads/", (byte[]?)null, (UserHeader, user));

    private static Task<HttpResponseMessage> PutAsync(RegistryFixture registry, byte[] manifest, string user) =>
        registry.SendAsync("PUT", $"/v2/shop/web/manifests/{Digest.Of(manifest)}", manifest, ("Content-Type", MediaType.Manifest),
            (UserHeader, user));

    private static async Task<byte[][]> ReferrersAsync(RegistryFixture registry, Descriptor subject, string note, int count)
    {
        byte[] one = await registry.MakeImageAsync("shop/web", "evidence");
        var manifest = ImageJson.ReadManifest(one);
        return [.. Enumerable.Range(0, count)
            .Select(i => ImageJson.Write(manifest with { Subject = subject, Annotations = new() { ["note"] = $"{note} {i}" } }))];
    }
}
