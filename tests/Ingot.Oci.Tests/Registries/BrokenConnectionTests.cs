using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Registries;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Registries;

/// <summary>What networks and registries do to transfers.</summary>
public sealed class BrokenConnectionTests : IAsyncDisposable
{
    private const string Repository = "team/app";
    private static readonly byte[] s_bytes = [.. Enumerable.Range(0, 600_000).Select(i => (byte)(i * 7919 >> 5))];
    private static readonly Descriptor s_blob = Descriptor.Of("application/octet-stream", s_bytes);

    private readonly TestRegistry _registry = new();

    public ValueTask DisposeAsync() => _registry.DisposeAsync();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ADownloadThatBreaksGoesOn(bool hasRanges)
    {
        _registry.HasRanges = hasRanges;
        _registry.AddBlob(Repository, s_bytes);
        foreach (int count in (int[])[100_000, 250_000])
            _registry.Breaks.Enqueue(count);
        Assert.Equal(s_bytes, await ReadAsync(_registry.Client()));
        Assert.Equal(3, Gets());
    }

    [Fact]
    public async Task ADownloadThatNeverGetsOnIsGivenUp()
    {
        _registry.AddBlob(Repository, s_bytes);
        foreach (int _ in Enumerable.Range(0, 20))
            _registry.Breaks.Enqueue(0);
        var e = await Assert.ThrowsAsync<RegistryException>(() => ReadAsync(_registry.Client()));
        Assert.Contains("4 times in a row", e.Message, StringComparison.Ordinal);
        Assert.InRange(Gets(), 2, 8);
    }

    [Fact]
    public async Task AnEndlessBlobIsCutOff()
    {
        _registry.AddBlob(Repository, s_bytes);
        _registry.IsEndless = true;
        await Assert.ThrowsAsync<ContentMismatchException>(() => ReadAsync(_registry.Client()));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public async Task AnAnswerOfAnotherLengthIsNotRead(int difference)
    {
        _registry.AddBlob(Repository, s_bytes);
        var claimed = s_blob with { Size = s_blob.Size + difference };
        var e = await Assert.ThrowsAsync<ContentMismatchException>(() => _registry.Client().OpenBlobAsync(Repository, claimed));
        Assert.Contains($"has {claimed.Size} bytes, and the registry would send {s_blob.Size}", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABlobThatVanishesMidwayIsSaidToBeGone()
    {
        _registry.AddBlob(Repository, s_bytes);
        _registry.Breaks.Enqueue(1000);
        var client = _registry.Client();
        await using var stream = (await client.OpenBlobAsync(Repository, s_blob))!;
        await client.DeleteBlobAsync(Repository, s_blob.Digest);
        var e = await Assert.ThrowsAsync<RegistryException>(() => stream.CopyToAsync(Stream.Null));
        Assert.Equal(404, e.Status);
    }

    [Theory]
    [InlineData(100_000)]
    [InlineData(599_999)]
    [InlineData(600_000)]
    public async Task AnUploadThatBreaksGoesOnWhereItBroke(int after)
    {
        _registry.UploadBreaks.Enqueue(after);
        Assert.True(await PushAsync(_registry.Client()));
        Assert.True(_registry.HasBlob(Repository, s_blob.Digest));
        Assert.Single(_registry.Requests,
            r => r.StartsWith("GET", StringComparison.Ordinal) && r.Contains("/uploads/", StringComparison.Ordinal));
        Assert.Equal(after < 600_000 ? 1 : 0, _registry.Requests.Count(r => r.StartsWith("PATCH", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task AnUploadThatTheRegistryForgotBeginsAnew()
    {
        _registry.ForgetsUploads = true;
        _registry.UploadBreaks.Enqueue(100_000);
        Assert.True(await PushAsync(_registry.Client()));
        Assert.Equal(2, _registry.Requests.Count(r => r.StartsWith("POST", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task AnUploadThatAlwaysBreaksIsGivenUp()
    {
        _registry.ForgetsUploads = true;
        foreach (int _ in Enumerable.Range(0, 20))
            _registry.UploadBreaks.Enqueue(10);
        var e = await Assert.ThrowsAsync<RegistryException>(() => PushAsync(_registry.Client()));
        Assert.Equal(502, e.Status);
        Assert.False(_registry.HasBlob(Repository, s_blob.Digest));
    }

    // A registry that is full is as full the next time, and the blob is large.
    [Theory]
    [InlineData(507)]
    [InlineData(501)]
    public async Task WhatNoTryCuresIsNotSentAgain(int status)
    {
        // Asked for, begun, and then refused.
        foreach (int answer in (int[])[0, 0, status])
            _registry.Failures.Enqueue(answer);
        var e = await Assert.ThrowsAsync<RegistryException>(() => PushAsync(_registry.Client()));
        Assert.Equal(status, e.Status);
        Assert.Single(_registry.Requests, r => r.StartsWith("PUT", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AConnectionThatIsCutIsOpenedAgain()
    {
        await using var proxy = new CuttingProxy(_registry.Uri, 30_000, 20_000, int.MaxValue);
        var client = new RegistryClient(new HttpClient(), proxy.Uri);
        Assert.True(await PushAsync(client));
        Assert.True(_registry.HasBlob(Repository, s_blob.Digest));

        await using var other = new CuttingProxy(_registry.Uri, 100_000, 100_000, 200_000, int.MaxValue);
        Assert.Equal(s_bytes, await ReadAsync(new RegistryClient(new HttpClient(), other.Uri)));
        Assert.Equal(4, other.Connections);
    }

    [Theory]
    [InlineData("2", 2)]
    [InlineData("0", 0)]
    [InlineData("Thu, 01 Jan 1970 00:00:05 GMT", 5)]
    [InlineData("Wed, 31 Dec 1969 00:00:00 GMT", 0)]
    public async Task ARegistryIsWaitedForAsLongAsItAsks(string retryAfter, int seconds)
    {
        var time = new RecordingTime();
        var client = new RegistryClient(new HttpClient(), _registry.Uri, credentials: null, time);
        _registry.RetryAfter = retryAfter;
        _registry.Failures.Enqueue(429);
        await client.HeadManifestAsync(Repository, "1.0");
        Assert.Equal(seconds == 0 ? [] : [TimeSpan.FromSeconds(seconds)], time.Waits.Where(w => w > TimeSpan.Zero));
    }

    [Fact]
    public async Task ARegistryThatAsksForHoursIsNotWaitedFor()
    {
        _registry.RetryAfter = "7200";
        _registry.Failures.Enqueue(429);
        var e = await Assert.ThrowsAsync<RegistryException>(() => _registry.Client().HeadManifestAsync(Repository, "1.0"));
        Assert.Equal(429, e.Status);
    }

    [Fact]
    public async Task APasswordDoesNotFollowARedirectToAnotherHost()
    {
        await using var elsewhere = new TestRegistry();
        elsewhere.AddBlob(Repository, s_bytes);
        _registry.BlobsAt = elsewhere.Uri;
        _registry.Requires = TestRegistry.Access.Basic;
        var client = _registry.Client(new RegistryCredentials(TestRegistry.UserName, TestRegistry.Password));
        Assert.Equal(s_bytes, await ReadAsync(client));
        Assert.Contains(_registry.Authorizations, a => a.StartsWith("Basic ", StringComparison.Ordinal));
        Assert.Equal([""], elsewhere.Authorizations);
    }

    [Theory]
    [InlineData("application/vnd.docker.distribution.manifest.v1+prettyjws")]
    [InlineData("application/vnd.docker.distribution.manifest.v1+json")]
    public async Task Schema1IsRefusedWithACure(string mediaType)
    {
        _registry.AddManifest(Repository, "old", mediaType, """{"schemaVersion":1,"fsLayers":[],"history":[]}"""u8.ToArray());
        var e = await Assert.ThrowsAsync<ImageException>(() => _registry.Client().GetManifestAsync(Repository, "old"));
        Assert.Contains("skopeo copy --format v2s2", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADockerSchema2ImageIsPulled()
    {
        byte[] layer = Encoding.UTF8.GetBytes("layer");
        byte[] config = ImageJson.Write(
            new ImageConfig { Architecture = "amd64", Os = "linux", RootFs = new RootFileSystem { DiffIds = [Digest.Of(layer)] } });
        byte[] manifest = ImageJson.Write(new Manifest
        {
            MediaType = MediaType.DockerManifest,
            Config = Descriptor.Of(MediaType.DockerConfig, config),
            Layers = [Descriptor.Of(MediaType.DockerLayer, layer)],
        });
        byte[] list = ImageJson.Write(new ImageIndex
        {
            MediaType = MediaType.DockerManifestList,
            Manifests = [Descriptor.Of(MediaType.DockerManifest, manifest) with
            {
                Platform = new Platform { Os = "linux", Architecture = "amd64" },
            }],
        });
        _registry.AddBlob(Repository, layer);
        _registry.AddBlob(Repository, config);
        _registry.AddManifest(Repository, "1.0", MediaType.DockerManifestList, list);
        _registry.AddManifest(Repository, "image", MediaType.DockerManifest, manifest);
        var store = new MemoryStore();
        var pulled = await ImageTransfer.PullAsync(_registry.Client(), Repository, "1.0", store,
            new Platform { Os = "linux", Architecture = "amd64" });
        Assert.Equal(Digest.Of(manifest),
            (await Image.LoadAsync(store, pulled.Digest, new Platform { Os = "linux", Architecture = "amd64" })).Digest);
    }

    private int Gets() => _registry.Requests
        .Count(r => r.StartsWith("GET", StringComparison.Ordinal) && r.Contains("/blobs/sha256", StringComparison.Ordinal));

    private static Task<bool> PushAsync(RegistryClient client) =>
        client.PushBlobAsync(Repository, s_blob, _ => new(new MemoryStream(s_bytes)));

    private static async Task<byte[]> ReadAsync(RegistryClient client)
    {
        await using var stream = (await client.OpenBlobAsync(Repository, s_blob))!;
        var bytes = new MemoryStream();
        await stream.CopyToAsync(bytes);
        return bytes.ToArray();
    }

    // Stands at the beginning of 1970; every wait is over at once.
    private sealed class RecordingTime : TimeProvider
    {
        public List<TimeSpan> Waits { get; } = [];

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Waits.Add(dueTime);
            return System.CreateTimer(callback, state, TimeSpan.Zero, period);
        }
    }
}
