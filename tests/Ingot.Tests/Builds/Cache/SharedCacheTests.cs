using System.Net;
using System.Net.Sockets;
using System.Text;
using Ingot.Builds;
using Ingot.Builds.Cache;
using Ingot.Builds.Layers;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Registries;
using Ingot.Plans;

namespace Ingot.Tests.Builds.Cache;

public sealed class SharedCacheTests : IDisposable
{
    private static readonly StepKey s_key = StepKey.Of([new("run", ""), new("argument", "make")]);

    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-shared-").FullName;
    private readonly DirectoryStore _store;

    public SharedCacheTests() => _store = new DirectoryStore(At("content"));

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private string At(string name) => Path.Combine(_directory, name);

    private LayoutCachePlace Place => new(At("shared"));

    private DirectoryStore Shared => new(At("shared"));

    private static StepRecord Record(Digest? diffId) => new()
    {
        Key = ["run", "", "argument", "make"],
        Result = new StepResult { DiffId = diffId, Bytes = 2048 },
        Origin = new StepOrigin { Place = "p\nweb\n1", Text = "RUN make", Base = "scratch", Made = DateTimeOffset.UnixEpoch },
    };

    private async Task<SharedLayer> LayerAsync(string content)
    {
        await using var writer = await LayerWriter.BeginAsync(Shared, LayerCompression.Gzip);
        foreach (var (entry, bytes) in Tree.Entries($"f {content}"))
            await writer.WriteAsync(entry, bytes);
        var layer = await writer.FinishAsync();
        return new SharedLayer { DiffId = layer.DiffId, Bytes = layer.TarSize, Codec = LayerCompression.Gzip.Codec, Blob = layer.Blob! };
    }

    private async Task PutAsync(SharedCacheDocument document)
    {
        var config = await Shared.PutAsync(SharedCache.ConfigType, SharedCache.Write(document));
        await Place.PutManifestAsync(SharedCache.WriteManifest(config, [.. document.Layers.Select(l => l.Blob)]), default);
    }

    private async Task<(CacheImport Import, IReadOnlyList<BuildEvent.CacheNote> Notes)> ImportAsync(params ICachePlace[] places)
    {
        var notes = new Notes();
        return (await CacheImport.ReadAsync(places.Length == 0 ? [Place] : places, notes, default), notes.Seen);
    }

    private LayerCache Cache(CacheImport import) => new(At("cache"), _store) { Imported = import };

    [Fact]
    public async Task RecordsAreThereAtOnceAndBlobsWhenTheyAreNeeded()
    {
        var layer = await LayerAsync("a");
        await PutAsync(new SharedCacheDocument { Records = [Record(layer.DiffId)], Layers = [layer] });
        var (import, notes) = await ImportAsync();
        Assert.False(Assert.Single(notes).IsWarning);
        Assert.Equal(Place.Name, import.Find(s_key.Digest)!.Origin!.Source);

        var cache = Cache(import);
        Assert.True(await cache.HasAsync(layer.DiffId, default));
        Assert.Null(await _store.SizeAsync(layer.Blob.Digest));
        Assert.Equal(layer.Blob.Digest, (await cache.BlobAsync(new ChainLayer(layer.DiffId, null), LayerCompression.Gzip, default)).Digest);
        Assert.NotNull(await _store.SizeAsync(layer.Blob.Digest));
        // From then on it is this host's own.
        Directory.Delete(At("shared"), recursive: true);
        Assert.True(await new LayerCache(At("cache"), _store).HasAsync(layer.DiffId, default));
    }

    [Fact]
    public async Task ALayerIsFetchedOnceHoweverManyNeedIt()
    {
        var layer = await LayerAsync("a");
        await PutAsync(new SharedCacheDocument { Records = [], Layers = [layer] });
        var place = new Counting(Place);
        var (import, _) = await ImportAsync(place);
        var cache = Cache(import);
        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Task.Run(() => cache.EnsureAsync(layer.DiffId, default))));
        // The configuration, and the blob.
        Assert.Equal(2, place.Opened);
    }

    private static SharedLayer Changed(string how, SharedLayer layer, SharedLayer other, string blobs)
    {
        string file = Path.Combine(blobs, layer.Blob.Digest.Hex);
        switch (how)
        {
            case "another blob under the digest":
                File.WriteAllBytes(file, new byte[layer.Blob.Size]);
                return layer;
            case "a blob that is cut off":
                File.WriteAllBytes(file, File.ReadAllBytes(file)[..^1]);
                return layer;
            case "a blob that is too long":
                File.AppendAllText(file, "x");
                return layer;
            case "a blob that is gone":
                File.Delete(file);
                return layer;
            case "a blob of another layer":
                return layer with { Blob = other.Blob };
            case "another compression":
                return layer with { Blob = layer.Blob with { MediaType = MediaType.LayerZstd } };
            case "no compression":
                return layer with { Blob = layer.Blob with { MediaType = MediaType.Layer } };
            default:
                return layer with { Blob = layer.Blob with { Size = layer.Blob.Size + 1 } };
        }
    }

    [Theory]
    [InlineData("another blob under the digest")]
    [InlineData("a blob that is cut off")]
    [InlineData("a blob that is too long")]
    [InlineData("a blob that is gone")]
    [InlineData("a blob of another layer")]
    [InlineData("another compression")]
    [InlineData("no compression")]
    [InlineData("another size")]
    public async Task WhatIsNotTheLayerGetsIntoNoImage(string how)
    {
        var good = await LayerAsync("good");
        var bad = Changed(how, good, await LayerAsync("evil"), At("shared/blobs/sha256"));
        await PutAsync(new SharedCacheDocument { Records = [Record(good.DiffId)], Layers = [bad] });
        var (import, _) = await ImportAsync();
        var cache = Cache(import);
        var refused = await Assert.ThrowsAsync<SharedCacheException>(() =>
            cache.BlobAsync(new ChainLayer(good.DiffId, null), LayerCompression.Gzip, default));
        Assert.Contains(good.DiffId.ToString(), refused.Message, StringComparison.Ordinal);
        Assert.Equal(Place.Name, refused.Place.Name);
        Assert.True(!await new LayerCache(At("cache"), _store).HasAsync(good.DiffId, default), how);
        Assert.Empty(Directory.EnumerateFiles(At("cache/layers")));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{\"version\":1,\"records\":[],\"layers\":null}")]
    [InlineData("{\"version\":2,\"records\":[],\"layers\":[]}")]
    [InlineData("{\"version\":1,\"records\":[null],\"layers\":[]}")]
    [InlineData("{\"version\":1,\"records\":[{\"key\":[],\"result\":{}}],\"layers\":[]}")]
    [InlineData("{\"version\":1,\"records\":[{\"key\":[\"a\"],\"result\":{}}],\"layers\":[]}")]
    [InlineData("{\"version\":1,\"records\":[{\"key\":[\"a\",null],\"result\":{}}],\"layers\":[]}")]
    [InlineData("{\"version\":1,\"records\":[{\"key\":[\"a\",\"b\"],\"result\":null}],\"layers\":[]}")]
    [InlineData("{\"version\":1,\"records\":[{\"key\":[\"a\",\"b\"],\"result\":{\"diff_id\":\"sha256:../../etc/passwd\"}}],\"layers\":[]}")]
    [InlineData("{\"version\":1,\"records\":[{\"key\":[\"a\",\"b\"],\"result\":{\"rules\":[null]}}],\"layers\":[]}")]
    [InlineData("{\"version\":1,\"records\":[],\"layers\":[{}]}")]
    [InlineData("{\"version\":1,\"records\":[],\"layers\":[null]}")]
    [InlineData("{\"version\":1,\"records\":[],\"layers\":[],\"selections\":[{\"name\":\"../../steps/x\","
        + "\"digest\":\"sha256:0000000000000000000000000000000000000000000000000000000000000000\"}]}")]
    [InlineData("{\"version\":1,\"records\":[],\"layers\":[],\"mounts\":[{\"name\":\"../../../../tmp/x\",\"id\":\"i\","
        + "\"diff_id\":\"sha256:0000000000000000000000000000000000000000000000000000000000000000\","
        + "\"blob\":{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\","
        + "\"digest\":\"sha256:0000000000000000000000000000000000000000000000000000000000000000\",\"size\":1}}]}")]
    [InlineData("{\"version\":1,\"records\":[")]
    public void WhatIsNoConfigurationIsRefused(string json) =>
        Assert.Throws<FormatException>(() => SharedCache.Read(Encoding.UTF8.GetBytes(json)));

    [Fact]
    public void AConfigurationIsWrittenAsItIsRead()
    {
        var document = new SharedCacheDocument
        {
            Records = [Record(null), Record(Digest.Of("x"u8))],
            Layers = [],
            Selections = [new(Digest.Of("q"u8).Hex, Digest.Of("a"u8))],
        };
        byte[] bytes = SharedCache.Write(document);
        Assert.Equal(bytes, SharedCache.Write(SharedCache.Read(bytes)));
    }

    [Fact]
    public void AnImageIsNoCacheAndAnEnormousOneIsNotRead()
    {
        byte[] image = ImageJson.Write(new Manifest { Config = Descriptor.Of(MediaType.Config, "{}"u8), Layers = [] });
        Assert.Contains("and not '" + SharedCache.ArtifactType, Assert.Throws<FormatException>(() => SharedCache.ConfigOf(image)).Message,
            StringComparison.Ordinal);
        byte[] enormous = SharedCache.WriteManifest(
            new Descriptor { MediaType = SharedCache.ConfigType, Digest = Digest.Of("x"u8), Size = 1L << 40 }, []);
        Assert.Contains("are read", Assert.Throws<FormatException>(() => SharedCache.ConfigOf(enormous)).Message, StringComparison.Ordinal);
        Assert.Throws<FormatException>(() => SharedCache.ConfigOf("{\"layers\":3}"u8));
    }

    [Fact]
    public async Task ACacheThatIsNotThereIsARemarkAndOneThatCannotBeReadAWarning()
    {
        Assert.Contains("there is no cache", Assert.Single((await ImportAsync()).Notes).Text, StringComparison.Ordinal);

        using var http = new HttpClient();
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        var gone = new RegistryCachePlace(new RegistryClient(http, new Uri($"http://127.0.0.1:{port}/"), time: new Impatient()), "shop",
            "cache", $"127.0.0.1:{port}/shop:cache");
        await LayerAsync("a");
        await new LayoutCachePlace(At("shared")).PutManifestAsync("{}"u8.ToArray(), default);
        var (import, notes) = await ImportAsync(gone, Place);
        Assert.Equal([true, true], notes.Select(n => n.IsWarning));
        Assert.Null(import.Find(s_key.Digest));
    }

    [Fact]
    public async Task TheFirstThatKnowsAStepIsBelieved()
    {
        var layer = await LayerAsync("a");
        await PutAsync(new SharedCacheDocument { Records = [Record(layer.DiffId)], Layers = [layer] });
        var other = new LayoutCachePlace(At("other"));
        var config = await new DirectoryStore(At("other")).PutAsync(SharedCache.ConfigType,
            SharedCache.Write(new SharedCacheDocument { Records = [Record(null)], Layers = [] }));
        await other.PutManifestAsync(SharedCache.WriteManifest(config, []), default);
        Assert.Equal(layer.DiffId, (await ImportAsync(Place, other)).Import.Find(s_key.Digest)!.Result.DiffId);
        Assert.Null((await ImportAsync(other, Place)).Import.Find(s_key.Digest)!.Result.DiffId);
    }

    [Fact]
    public async Task AResultOfThisHostComesBeforeWhatIsOffered()
    {
        var layer = await LayerAsync("a");
        await PutAsync(new SharedCacheDocument { Records = [Record(layer.DiffId)], Layers = [layer] });
        var (import, _) = await ImportAsync();
        var steps = new StepCache(At("cache")) { Imported = import };
        steps.Add(s_key, "place", new StepResult());
        Assert.Equal([false, true], steps.Candidates(s_key).Select(c => c.IsImported));
    }

    [Fact]
    public async Task WhatIsSharedIsNotCompressedAgain()
    {
        var cache = new LayerCache(At("cache"), _store);
        await using var writer = await LayerWriter.BeginAsync(_store, LayerCompression.Gzip);
        foreach (var (entry, bytes) in Tree.Entries("f a"))
            await writer.WriteAsync(entry, bytes);
        var layer = await writer.FinishAsync();
        cache.Add(layer, LayerCompression.Gzip);
        Assert.Equal(layer.Blob!.Digest, (await cache.ShareAsync(layer.DiffId, LayerCompression.Zstandard, default)).Blob.Digest);
    }

    private sealed class Notes : IBuildProgress
    {
        public List<BuildEvent.CacheNote> Seen { get; } = [];

        public void Report(BuildEvent progress) => Seen.Add(Assert.IsType<BuildEvent.CacheNote>(progress));
    }

    /// <summary>Waits for nothing.</summary>
    private sealed class Impatient : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, dueTime > TimeSpan.FromSeconds(30) ? dueTime : TimeSpan.Zero, period);
    }

    private sealed class Counting(ICachePlace place) : ICachePlace
    {
        private int _opened;

        public int Opened => _opened;

        public string Name => place.Name;

        public Task<byte[]?> ReadManifestAsync(CancellationToken cancellationToken) => place.ReadManifestAsync(cancellationToken);

        public Task<Stream?> OpenAsync(Descriptor blob, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _opened);
            return place.OpenAsync(blob, cancellationToken);
        }

        public Task<bool> PutAsync(Descriptor blob, Func<CancellationToken, ValueTask<Stream>> open, CancellationToken cancellationToken) =>
            place.PutAsync(blob, open, cancellationToken);

        public Task PutManifestAsync(byte[] manifest, CancellationToken cancellationToken) =>
            place.PutManifestAsync(manifest, cancellationToken);
    }
}
