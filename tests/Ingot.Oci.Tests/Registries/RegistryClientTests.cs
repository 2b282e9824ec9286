using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Registries;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Registries;

public sealed class RegistryClientTests : IAsyncDisposable
{
    private const string Repository = "team/app";
    private static readonly byte[] s_bytes = Encoding.UTF8.GetBytes(new string('x', 300_000));
    private static readonly byte[] s_index = ImageJson.Write(new ImageIndex { Manifests = [] });
    private static readonly RegistryCredentials s_ann = new(TestRegistry.UserName, TestRegistry.Password);

    private readonly TestRegistry _registry = new();

    public ValueTask DisposeAsync() => _registry.DisposeAsync();

    [Fact]
    public async Task ABlobGoesUpAndComesDown()
    {
        var client = _registry.Client();
        var blob = Descriptor.Of("text/plain", s_bytes);
        Assert.False(await client.HasBlobAsync(Repository, blob.Digest));
        Assert.Null(await client.OpenBlobAsync(Repository, blob));
        Assert.True(await PushAsync(client, s_bytes));
        Assert.True(await client.HasBlobAsync(Repository, blob.Digest));
        await using var stream = (await client.OpenBlobAsync(Repository, blob))!;
        Assert.Equal(blob.Digest, await Digest.OfAsync(stream));
        Assert.True(await client.DeleteBlobAsync(Repository, blob.Digest));
        Assert.False(await client.DeleteBlobAsync(Repository, blob.Digest));
    }

    [Fact]
    public async Task ABlobThatIsThereIsNotSentAgain()
    {
        _registry.AddBlob(Repository, s_bytes);
        Assert.False(await PushAsync(_registry.Client(), s_bytes));
        Assert.Equal([$"HEAD /v2/{Repository}/blobs/{Digest.Of(s_bytes)}"], _registry.Requests);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ABlobOfAnotherRepositoryIsLinkedOrElseSent(bool canMount)
    {
        _registry.CanMount = canMount;
        _registry.AddBlob("other", s_bytes);
        var client = _registry.Client();
        Assert.True(await client.PushBlobAsync(Repository, Descriptor.Of("", s_bytes), _ => new(new MemoryStream(s_bytes)),
            mountFrom: "other"));
        Assert.True(_registry.HasBlob(Repository, Digest.Of(s_bytes)));
        Assert.Equal(!canMount, _registry.Requests.Any(request => request.StartsWith("PUT", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task TheEmptyBlobIsABlob()
    {
        var client = _registry.Client();
        Assert.True(await PushAsync(client, []));
        await using var stream = (await client.OpenBlobAsync(Repository, Descriptor.Of("", [])))!;
        Assert.Equal(Digest.Of([]), await Digest.OfAsync(stream));
    }

    [Fact]
    public async Task AManifestHasAnExactBodyAndItsType()
    {
        var client = _registry.Client();
        Assert.Null(await client.GetManifestAsync(Repository, "1.0"));
        Assert.Null(await client.HeadManifestAsync(Repository, "1.0"));
        await client.PutManifestAsync(Repository, "1.0", MediaType.Index, s_index);
        var expected = Descriptor.Of(MediaType.Index, s_index);
        Assert.Equal(expected, await client.HeadManifestAsync(Repository, "1.0"));
        Assert.Equal(expected, await client.HeadManifestAsync(Repository, expected.Digest.ToString()));
        var manifest = (await client.GetManifestAsync(Repository, "1.0"))!;
        Assert.Equal(expected, manifest.Descriptor);
        Assert.Equal(s_index, manifest.Bytes);
        Assert.True(await client.DeleteManifestAsync(Repository, expected.Digest.ToString()));
        Assert.False(await client.DeleteManifestAsync(Repository, "1.0"));
    }

    [Fact]
    public async Task ARegistryWithoutTheDigestHeaderIsUnderstood()
    {
        _registry.HasDigestHeader = false;
        var client = _registry.Client();
        await client.PutManifestAsync(Repository, "1.0", MediaType.Index, s_index);
        Assert.Equal(Descriptor.Of(MediaType.Index, s_index), await client.HeadManifestAsync(Repository, "1.0"));
    }

    [Fact]
    public async Task ARegistryThatLiesIsNotBelieved()
    {
        var client = _registry.Client();
        await client.PutManifestAsync(Repository, "1.0", MediaType.Index, s_index);
        _registry.AddBlob(Repository, s_bytes);
        _registry.Lie = (_, bytes) => bytes.Length == 0 ? bytes : [.. bytes[..^1], (byte)(bytes[^1] ^ 1)];
        await Assert.ThrowsAsync<ContentMismatchException>(() => client.GetManifestAsync(Repository, Digest.Of(s_index).ToString()));
        await Assert.ThrowsAsync<ContentMismatchException>(() => client.GetManifestAsync(Repository, "1.0"));
        await Assert.ThrowsAsync<ContentMismatchException>(() => ReadBlobAsync(client));
        _registry.Lie = (_, bytes) => [.. bytes, 1];
        await Assert.ThrowsAsync<ContentMismatchException>(() => ReadBlobAsync(client));
        _registry.Lie = (_, bytes) => bytes.Length == 0 ? bytes : bytes[..^1];
        await Assert.ThrowsAsync<ContentMismatchException>(() => ReadBlobAsync(client));
    }

    [Fact]
    public async Task AnAnswerWithoutEndIsCutOff()
    {
        var client = _registry.Client();
        await client.PutManifestAsync(Repository, "1.0", MediaType.Index, s_index);
        _registry.Lie = (_, _) => new byte[ContentStoreExtensions.MaxDocumentBytes + 1];
        await Assert.ThrowsAsync<RegistryException>(() => client.GetManifestAsync(Repository, "1.0"));
    }

    [Fact]
    public async Task TagsComePageByPage()
    {
        var client = _registry.Client();
        Assert.Empty(await client.ListTagsAsync(Repository).ToListAsync());
        string[] tags = [.. Enumerable.Range(10, 25).Select(i => $"v{i}")];
        foreach (string tag in tags)
            await client.PutManifestAsync(Repository, tag, MediaType.Index, s_index);
        _registry.PageSize = 10;
        Assert.Equal(tags, await client.ListTagsAsync(Repository).ToListAsync());
        Assert.Equal(3,
            _registry.Requests.Count(request => request.Contains("tags/list?last", StringComparison.Ordinal)
                || request.EndsWith("tags/list", StringComparison.Ordinal))
                - 1);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ReferrersAreListedWithAndWithoutTheEndpoint(bool hasReferrers)
    {
        _registry.HasReferrers = hasReferrers;
        var client = _registry.Client();
        var store = new MemoryStore();
        var subject = Descriptor.Of(MediaType.Index, s_index);
        Assert.Empty(await client.ListReferrersAsync(Repository, subject.Digest).ToListAsync());

        var sbom = await SampleImage.ReferrerAsync(store, subject, "application/sbom", "s");
        var note = await SampleImage.ReferrerAsync(store, subject, "application/note", "n");
        await ImageTransfer.PushAsync(store, client, Repository, sbom.Digest);
        await ImageTransfer.PushAsync(store, client, Repository, note.Digest);
        var listed = await client.ListReferrersAsync(Repository, subject.Digest).ToListAsync();
        Assert.Equal(new[] { sbom.Digest, note.Digest }.Order(), listed.Select(referrer => referrer.Digest).Order());
        var filtered = await client.ListReferrersAsync(Repository, subject.Digest, "application/note").ToListAsync();
        Assert.Equal([note.Digest], filtered.Select(referrer => referrer.Digest));
        Assert.Equal("application/note", filtered[0].ArtifactType);
    }

    [Theory]
    [InlineData(TestRegistry.Access.Basic)]
    [InlineData(TestRegistry.Access.Token)]
    public async Task APasswordIsGivenWhenAsked(TestRegistry.Access access)
    {
        _registry.Requires = access;
        var client = _registry.Client(s_ann);
        await client.PingAsync();
        Assert.True(await PushAsync(client, s_bytes));
        // Asked once for the registry and once for the repository, not for every request.
        Assert.Equal(access == TestRegistry.Access.Token ? 2 : 0,
            _registry.Requests.Count(request => request.StartsWith("GET /token", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(TestRegistry.Access.Basic)]
    [InlineData(TestRegistry.Access.Token)]
    public async Task WithoutThePasswordNobodyIsLetIn(TestRegistry.Access access)
    {
        _registry.Requires = access;
        foreach (var credentials in (RegistryCredentials?[])[null, s_ann with { Password = "guess" }])
        {
            var e = await Assert.ThrowsAsync<RegistryException>(() => _registry.Client(credentials).PingAsync());
            Assert.Equal((401, "UNAUTHORIZED"), (e.Status, e.Code));
            Assert.Contains($"docker login {_registry.Name}", e.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("guess", e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task ABusyRegistryIsAskedAgain()
    {
        var time = new SteppingTime();
        var client = new RegistryClient(new HttpClient(), _registry.Uri, credentials: null, time);
        foreach (int status in (int[])[429, 503, 502])
            _registry.Failures.Enqueue(status);
        await client.PutManifestAsync(Repository, "1.0", MediaType.Index, s_index);
        Assert.Equal(3, time.Waits);
    }

    [Fact]
    public async Task ARegistryThatStaysBusyIsGivenUp()
    {
        var client = new RegistryClient(new HttpClient(), _registry.Uri, credentials: null, new SteppingTime());
        foreach (int status in Enumerable.Repeat(503, 10))
            _registry.Failures.Enqueue(status);
        var e = await Assert.ThrowsAsync<RegistryException>(() => client.HeadManifestAsync(Repository, "1.0"));
        Assert.Equal(503, e.Status);
        Assert.Equal(6, _registry.Failures.Count);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(403)]
    [InlineData(500)]
    public async Task AFailureIsToldAndNotTakenForAbsence(int status)
    {
        _registry.Failures.Enqueue(status);
        var e = await Assert.ThrowsAsync<RegistryException>(() => _registry.Client().GetManifestAsync(Repository, "1.0"));
        Assert.Equal($"could not get '1.0' of '{Repository}': the registry answered {status} UNAVAILABLE try again", e.Message);
        Assert.Equal((status, "UNAVAILABLE", Repository), (e.Status, e.Code, e.Repository));
        _registry.Failures.Enqueue(status);
        await Assert.ThrowsAsync<RegistryException>(() => _registry.Client().HasBlobAsync(Repository, Digest.Of([])));
    }

    [Fact]
    public async Task NobodyListeningIsToldWithTheAddress()
    {
        await _registry.DisposeAsync();
        var e = await Assert.ThrowsAsync<RegistryException>(() => _registry.Client().PingAsync());
        Assert.StartsWith($"could not GET '{_registry.Uri}v2/'", e.Message, StringComparison.Ordinal);
        Assert.Equal(0, e.Status);
    }

    [Theory]
    [InlineData("")]
    [InlineData("not json")]
    [InlineData("[]")]
    [InlineData("""{"manifests":[null]}""")]
    [InlineData("""{"manifests":[{"digest":"sha256:1"}]}""")]
    public async Task AnAnswerThatIsNotUnderstoodIsTold(string answer)
    {
        _registry.Lie = (_, _) => Encoding.UTF8.GetBytes(answer);
        await Assert.ThrowsAsync<RegistryException>(async () =>
            await _registry.Client().ListReferrersAsync(Repository, Digest.Of([])).ToListAsync());
    }

    [Theory]
    [InlineData("../admin")]
    [InlineData("App")]
    [InlineData("a?b=c")]
    public async Task ANameThatIsNoRepositoryIsNotSent(string repository)
    {
        await Assert.ThrowsAsync<ArgumentException>(() => _registry.Client().HeadManifestAsync(repository, "1.0"));
        Assert.Empty(_registry.Requests);
    }

    [Fact]
    public async Task ALocalFileThatIsDamagedIsNotPushed()
    {
        byte[] damaged = [.. s_bytes[..^1], 0];
        var blob = Descriptor.Of("", s_bytes);
        await Assert.ThrowsAsync<ContentMismatchException>(() => _registry.Client().PushBlobAsync(Repository, blob,
            _ => new(new VerifyingStream(new MemoryStream(damaged), blob.Digest, blob.Size))));
        Assert.False(_registry.HasBlob(Repository, blob.Digest));
    }

    [Theory]
    [InlineData("""{"auths":{"HOST":{"auth":"YW5uOnNlY3JldA=="}}}""", "ann", "secret")]
    [InlineData("""{"auths":{"https://HOST":{"username":"ann","password":"secret"}}}""", "ann", "secret")]
    [InlineData("""{"auths":{"HOST":{"identitytoken":"t"}}}""", "", "")]
    [InlineData("""{"auths":{"other":{"auth":"YW5uOnNlY3JldA=="}},"credsStore":"x"}""", null, null)]
    [InlineData("""{"auths":{"HOST":{}}}""", null, null)]
    [InlineData("""{}""", null, null)]
    public async Task WhatDockerLoginLeftIsRead(string json, string? user, string? password)
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllTextAsync(directory.At("config.json"), json.Replace("HOST", "registry.example:5000", StringComparison.Ordinal));
        var credentials = await RegistryCredentials.FromDockerConfigAsync(directory.At("config.json"), "registry.example:5000");
        Assert.Equal((user, password), (credentials?.UserName, credentials?.Password));
        Assert.DoesNotContain("secret", $"{credentials}", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("""{"auths":{"HOST":{"auth":"%%%"}}}""")]
    [InlineData("""{"auths":{"HOST":{"auth":"YW5u"}}}""")]
    public async Task ADamagedConfigurationIsTold(string json)
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllTextAsync(directory.At("config.json"), json);
        await Assert.ThrowsAsync<RegistryException>(() => RegistryCredentials.FromDockerConfigAsync(directory.At("config.json"), "HOST"));
        Assert.Null(await RegistryCredentials.FromDockerConfigAsync(directory.At("missing.json"), "HOST"));
    }

    private static Task<bool> PushAsync(RegistryClient client, byte[] bytes) =>
        client.PushBlobAsync(Repository, Descriptor.Of("text/plain", bytes), _ => new(new MemoryStream(bytes)));

    private static async Task ReadBlobAsync(RegistryClient client)
    {
        await using var stream = (await client.OpenBlobAsync(Repository, Descriptor.Of("", s_bytes)))!;
        await stream.CopyToAsync(Stream.Null);
    }

    // Every wait is over at once, and counted.
    private sealed class SteppingTime : TimeProvider
    {
        public int Waits { get; private set; }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Waits++;
            return System.CreateTimer(callback, state, TimeSpan.Zero, period);
        }
    }
}
