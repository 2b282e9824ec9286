using System.Net;
using System.Net.Sockets;
using System.Text;
using Ingot.Oci.Content;
using static Ingot.Server.Tests.Registry.RegistryFixture;

namespace Ingot.Server.Tests.Registry;

public sealed class BlobTests : IAsyncLifetime
{
    private const string Missing = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

    private RegistryFixture _registry = null!;

    public async ValueTask InitializeAsync() => _registry = await StartAsync();

    public ValueTask DisposeAsync() => _registry.DisposeAsync();

    [Theory]
    [InlineData("GET", "/v2/")]
    [InlineData("HEAD", "/v2/")]
    [InlineData("GET", "/v2")]
    public async Task TheRegistryAnswersAPing(string method, string path)
    {
        var response = await _registry.SendAsync(method, path, (byte[]?)null);
        await ExpectAsync(200, response);
        Assert.Equal("registry/2.0", response.Headers.GetValues("Docker-Distribution-Api-Version").Single());
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("some bytes")]
    public async Task ABlobPushedInOneRequestComesBack(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        var digest = Digest.Of(bytes);
        var pushed = await _registry.SendAsync("POST", $"/v2/a/b/blobs/uploads/?digest={digest}", bytes);
        await ExpectAsync(201, pushed);
        Assert.Equal($"/v2/a/b/blobs/{digest}", pushed.Headers.Location!.ToString());

        await ExpectBlobAsync("a/b", bytes);
        Assert.Empty(Directory.GetFiles(_registry.Uploads));
        Assert.Empty(Directory.GetFiles(Path.Combine(_registry.Store.Root, "tmp")));
    }

    [Fact]
    public async Task ARefusalIsNotKeptAsTheBlob()
    {
        await using var registry = await RegistryFixture.StartAsync();
        var blob = await registry.PushBlobAsync("shop/web", [1, 2, 3]);
        var answer = await registry.SendAsync("GET", $"/v2/shop/web/blobs/{blob.Digest}", (byte[]?)null, ("Range", "bytes=100-"));
        Assert.Equal(416, (int)answer.StatusCode);
        Assert.Null(answer.Headers.CacheControl);
        Assert.Null(answer.Headers.ETag);
        Assert.Empty(answer.Headers.AcceptRanges);
    }

    [Fact]
    public async Task ABlobPushedInTwoRequestsComesBack()
    {
        var bytes = Random(5000);
        string location = await BeginAsync("a/b");
        await ExpectAsync(201, await _registry.SendAsync("PUT", $"{location}?digest={Digest.Of(bytes)}", bytes));

        await ExpectBlobAsync("a/b", bytes);
        await ExpectAsync(404, await _registry.SendAsync("GET", location, (byte[]?)null), "BLOB_UPLOAD_UNKNOWN");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ABlobPushedInChunksComesBack(bool lastInPut)
    {
        var bytes = Random(3072);
        string location = await BeginAsync("a/b");
        location = await PatchAsync(location, bytes[..1024], "0-1023", "0-1023");
        location = await PatchAsync(location, bytes[1024..2048], "1024-2047", "0-2047");
        if (!lastInPut)
            location = await PatchAsync(location, bytes[2048..], "2048-3071", "0-3071");
        await ExpectAsync(201, await _registry.SendAsync(
            "PUT", $"{location}?digest={Digest.Of(bytes)}", lastInPut ? bytes[2048..] : [],
            lastInPut ? [("Content-Range", "2048-3071")] : []));

        await ExpectBlobAsync("a/b", bytes);
    }

    [Fact]
    public async Task ABlobStreamedWithoutALengthComesBack()
    {
        var bytes = Random(300_000);
        string location = await BeginAsync("a/b");
        using var content = new StreamContent(new MemoryStream(bytes));
        content.Headers.ContentLength = null;
        using var request = new HttpRequestMessage(HttpMethod.Patch, location) { Content = content };
        request.Headers.TransferEncodingChunked = true;
        await ExpectAsync(202, await _registry.Http.SendAsync(request));
        await ExpectAsync(201, await _registry.SendAsync("PUT", $"{location}?digest={Digest.Of(bytes)}", []));

        await ExpectBlobAsync("a/b", bytes);
    }

    [Theory]
    [InlineData("1024-2047")]
    [InlineData("1-1024")]
    [InlineData("1023-0")]
    public async Task AChunkOutOfOrderIsRefusedAndTheUploadGoesOn(string range)
    {
        var bytes = Random(1024);
        string location = await BeginAsync("a/b");
        var refused = await _registry.SendAsync("PATCH", location, bytes, ("Content-Range", range));
        await ExpectAsync(416, refused, "BLOB_UPLOAD_INVALID");
        Assert.Equal("0-0", Header(refused, "Range"));

        var status = await _registry.SendAsync("GET", location, (byte[]?)null);
        await ExpectAsync(204, status);
        await PatchAsync(location, bytes, "0-1023", "0-1023");
        status = await _registry.SendAsync("GET", location, (byte[]?)null);
        Assert.Equal("0-1023", Header(status, "Range"));
        await ExpectAsync(416,
            await _registry.SendAsync("PUT", $"{location}?digest={Digest.Of(bytes)}", bytes, ("Content-Range", "0-1023")));
        await ExpectAsync(201, await _registry.SendAsync("PUT", $"{location}?digest={Digest.Of(bytes)}", []));
    }

    [Theory]
    [InlineData("bytes 0-9/10")]
    [InlineData("0")]
    [InlineData("a-b")]
    [InlineData("-1-5")]
    [InlineData("0-")]
    [InlineData("99999999999999999999-1")]
    public async Task AContentRangeThatIsNoneIsRefused(string range) => await ExpectAsync(
        400, await _registry.SendAsync("PATCH", await BeginAsync("a/b"), Random(10), ("Content-Range", range)), "BLOB_UPLOAD_INVALID");

    [Fact]
    public async Task AChunkOfAnotherLengthThanItSaysIsRefused() => await ExpectAsync(
        400, await _registry.SendAsync("PATCH", await BeginAsync("a/b"), Random(10), ("Content-Range", "0-10")), "SIZE_INVALID");

    [Fact]
    public async Task BytesOfAnotherDigestAreRefusedHoweverTheyAreSent()
    {
        var bytes = Random(100);
        await ExpectAsync(400, await _registry.SendAsync("POST", $"/v2/a/b/blobs/uploads/?digest={Missing}", bytes), "DIGEST_INVALID");
        await ExpectAsync(400, await _registry.SendAsync("PUT", $"{await BeginAsync("a/b")}?digest={Missing}", bytes), "DIGEST_INVALID");
        string location = await PatchAsync(await BeginAsync("a/b"), bytes, "0-99", "0-99");
        await ExpectAsync(400, await _registry.SendAsync("PUT", $"{location}?digest={Missing}", []), "DIGEST_INVALID");

        await ExpectAsync(404, await _registry.SendAsync("HEAD", $"/v2/a/b/blobs/{Missing}", (byte[]?)null));
        await ExpectAsync(404, await _registry.SendAsync("HEAD", $"/v2/a/b/blobs/{Digest.Of(bytes)}", (byte[]?)null));
        Assert.Empty(Directory.GetFiles(_registry.Uploads));
    }

    [Theory]
    [InlineData("sha256:baddigeststring", "DIGEST_INVALID")]
    [InlineData("sha256:", "DIGEST_INVALID")]
    [InlineData("sha256:ABCDEF0000000000000000000000000000000000000000000000000000000000", "DIGEST_INVALID")]
    [InlineData("md5:d41d8cd98f00b204e9800998ecf8427e", "DIGEST_INVALID")]
    [InlineData("nonsense", "DIGEST_INVALID")]
    [InlineData("sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce", "DIGEST_INVALID")]
    [InlineData(
        "sha512:CF83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
        "DIGEST_INVALID")]
    public async Task WhatIsNotADigestIsRefused(string digest, string code)
    {
        await ExpectAsync(400, await _registry.SendAsync("GET", $"/v2/a/b/blobs/{digest}", (byte[]?)null), code);
        await ExpectAsync(400, await _registry.SendAsync("POST", $"/v2/a/b/blobs/uploads/?digest={digest}", []), code);
        await ExpectAsync(400, await _registry.SendAsync("POST", $"/v2/a/b/blobs/uploads/?mount={digest}&from=c/d", []), code);
        string location = await BeginAsync("a/b");
        await ExpectAsync(400, await _registry.SendAsync("PUT", $"{location}?digest={digest}", []), code);
        await ExpectAsync(204, await _registry.SendAsync("GET", location, (byte[]?)null));
    }

    [Fact]
    public async Task AnUploadIsNotFinishedWithoutADigest() =>
        await ExpectAsync(400, await _registry.SendAsync("PUT", await BeginAsync("a/b"), Random(3)), "DIGEST_INVALID");

    [Fact]
    public async Task AnAlgorithmThatIsNotTheSpecificationsIsRefused() =>
        await ExpectAsync(400, await _registry.SendAsync("POST", "/v2/a/b/blobs/uploads/?digest-algorithm=md5", []), "UNSUPPORTED");

    [Fact]
    public async Task ACancelledUploadIsGone()
    {
        string location = await PatchAsync(await BeginAsync("a/b"), Random(10), "0-9", "0-9");
        await ExpectAsync(204, await _registry.SendAsync("DELETE", location, (byte[]?)null));

        await ExpectAsync(404, await _registry.SendAsync("GET", location, (byte[]?)null), "BLOB_UPLOAD_UNKNOWN");
        await ExpectAsync(404, await _registry.SendAsync("DELETE", location, (byte[]?)null), "BLOB_UPLOAD_UNKNOWN");
        Assert.Empty(Directory.GetFiles(_registry.Uploads));
    }

    [Theory]
    [InlineData("00000000000000000000000000000000")]
    [InlineData("..%2f..%2fledger.db")]
    [InlineData("%2e%2e")]
    [InlineData("x")]
    public async Task AnUploadNobodyBeganIsUnknown(string id)
    {
        foreach (string method in new[] { "GET", "PATCH", "PUT", "DELETE" })
            await ExpectAsync(404, await _registry.SendAsync(method, $"/v2/a/b/blobs/uploads/{id}?digest={Missing}", []));
        Assert.True(File.Exists(_registry.Home.Database));
    }

    [Fact]
    public async Task AnUploadIsOnlyFoundInItsRepository()
    {
        string location = await BeginAsync("a/b");
        await ExpectAsync(404, await _registry.SendAsync("GET", location.Replace("a/b", "c/d", StringComparison.Ordinal), (byte[]?)null),
            "BLOB_UPLOAD_UNKNOWN");
    }

    [Fact]
    public async Task AnUploadGoesOnAfterTheServerWasRestarted()
    {
        var bytes = Random(200_000);
        string location = await PatchAsync(await BeginAsync("a/b"), bytes[..150_000], "0-149999", "0-149999");
        await _registry.RestartAsync();

        var status = await _registry.SendAsync("GET", location, (byte[]?)null);
        Assert.Equal("0-149999", Header(status, "Range"));
        await PatchAsync(location, bytes[150_000..], "150000-199999", "0-199999");
        await ExpectAsync(201, await _registry.SendAsync("PUT", $"{location}?digest={Digest.Of(bytes)}", []));
        await ExpectBlobAsync("a/b", bytes);
    }

    [Fact]
    public async Task AnUploadGoesOnAfterTheClientWasCutOff()
    {
        var bytes = Random(1_000_000);
        string location = await BeginAsync("a/b");
        using (var socket = new TcpClient())
        {
            await socket.ConnectAsync(IPAddress.Loopback, _registry.Http.BaseAddress!.Port);
            await socket.GetStream()
                .WriteAsync(Encoding.ASCII.GetBytes($"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: {bytes.Length}\r\n\r\n"));
            await socket.GetStream().WriteAsync(bytes.AsMemory(0, 500_000));
        }

        long received = await ReceivedAsync(location);
        Assert.InRange(received, 0, 500_000);
        var rest = bytes[(int)received..];
        await ExpectAsync(202, await _registry.SendAsync("PATCH", location, rest, ("Content-Range", $"{received}-{bytes.Length - 1}")));
        await ExpectAsync(201, await _registry.SendAsync("PUT", $"{location}?digest={Digest.Of(bytes)}", []));
        await ExpectBlobAsync("a/b", bytes);
    }

    [Fact]
    public async Task TwoRequestsDoNotWriteToOneUpload()
    {
        string location = await BeginAsync("a/b");
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, _registry.Http.BaseAddress!.Port);
        await socket.GetStream()
            .WriteAsync(Encoding.ASCII.GetBytes($"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"));
        // Until the server has begun with the first request, the second one is merely out of order.
        HttpResponseMessage second;
        do
            second = await _registry.SendAsync("PATCH", location, [], ("Content-Range", "7-7"));
        while (second.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable);

        await ExpectAsync(409, second, "BLOB_UPLOAD_INVALID");
    }

    [Fact]
    public async Task AnUploadThatStoodStillTooLongIsThrownAwayAtTheNextStart()
    {
        string location = await PatchAsync(await BeginAsync("a/b"), Random(10), "0-9", "0-9");
        string fresh = await BeginAsync("a/b");
        string old = Directory.GetFiles(_registry.Uploads).Single(file => file.Contains(location.Split('/')[^1], StringComparison.Ordinal));
        File.SetLastWriteTimeUtc(old, File.GetLastWriteTimeUtc(old) - TimeSpan.FromHours(25));
        await _registry.RestartAsync();

        await ExpectAsync(404, await _registry.SendAsync("GET", location, (byte[]?)null), "BLOB_UPLOAD_UNKNOWN");
        await ExpectAsync(204, await _registry.SendAsync("GET", fresh, (byte[]?)null));
    }

    [Fact]
    public async Task WhatAKilledWriterLeftInTheStoreIsRemovedAtAStartADayLater()
    {
        string directory = Path.Combine(_registry.Store.Root, "tmp");
        string old = Path.Combine(directory, "old");
        string fresh = Path.Combine(directory, "fresh");
        await File.WriteAllTextAsync(old, "half a blob");
        await File.WriteAllTextAsync(fresh, "half a blob");
        File.SetLastWriteTimeUtc(old, File.GetLastWriteTimeUtc(old) - TimeSpan.FromHours(25));
        await _registry.RestartAsync();

        Assert.Equal([fresh], Directory.GetFiles(directory));
    }

    [Fact]
    public async Task ABlobIsMountedFromAnotherRepositoryOrFromAnywhere()
    {
        var blob = await _registry.PushBlobAsync("a/b", Random(50));
        var mounted = await _registry.SendAsync("POST", $"/v2/c/d/blobs/uploads/?mount={blob.Digest}&from=a/b", []);
        await ExpectAsync(201, mounted);
        Assert.Equal($"/v2/c/d/blobs/{blob.Digest}", mounted.Headers.Location!.ToString());
        await ExpectAsync(201, await _registry.SendAsync("POST", $"/v2/e/f/blobs/uploads/?mount={blob.Digest}", []));
    }

    [Fact]
    public async Task AMissingBlobIsNotMountedButUploaded()
    {
        var response = await _registry.SendAsync("POST", $"/v2/c/d/blobs/uploads/?mount={Missing}&from=a/b", []);
        await ExpectAsync(202, response);
        var bytes = Random(20);
        await ExpectAsync(201, await _registry.SendAsync("PUT", $"{response.Headers.Location}?digest={Digest.Of(bytes)}", bytes));
    }

    [Theory]
    [InlineData("bytes=500-1499", 500, 1000)]
    [InlineData("bytes=500-", 500, 2572)]
    [InlineData("bytes=-500", 2572, 500)]
    [InlineData("bytes=-5000", 0, 3072)]
    [InlineData("bytes=2000-5000", 2000, 1072)]
    [InlineData("bytes=0-0", 0, 1)]
    [InlineData("bytes=0-9223372036854775807", 0, 3072)]
    public async Task ARangeOfABlobIsServed(string range, int offset, int count)
    {
        var bytes = Random(3072);
        var blob = await _registry.PushBlobAsync("a/b", bytes);
        var response = await _registry.SendAsync("GET", $"/v2/a/b/blobs/{blob.Digest}", (byte[]?)null, ("Range", range));

        await ExpectAsync(206, response);
        Assert.Equal(bytes[offset..(offset + count)], await response.Content.ReadAsByteArrayAsync());
        Assert.Equal($"bytes {offset}-{offset + count - 1}/3072", response.Content.Headers.ContentRange!.ToString());
    }

    [Theory]
    [InlineData("bytes=500-0", 416)]
    [InlineData("bytes=5000-10000", 416)]
    [InlineData("bytes=3072-", 416)]
    [InlineData("bytes=-0", 416)]
    [InlineData("bytes=5000-6000, 4000-,-0", 416)]
    [InlineData("bytes=0-3071,0-", 200)]
    [InlineData("bytes=0-1,x", 200)]
    [InlineData("bytes=,", 200)]
    [InlineData("lines=0-1", 200)]
    [InlineData("bytes=a-b", 200)]
    [InlineData("bytes=-", 200)]
    public async Task ARangeThatCannotBeServedIsRefusedOrPassedOver(string range, int status)
    {
        var blob = await _registry.PushBlobAsync("a/b", Random(3072));
        await ExpectAsync(status, await _registry.SendAsync("GET", $"/v2/a/b/blobs/{blob.Digest}", (byte[]?)null, ("Range", range)));
    }

    [Fact]
    public async Task AMissingBlobIsUnknown()
    {
        await ExpectAsync(404, await _registry.SendAsync("GET", $"/v2/a/b/blobs/{Missing}", (byte[]?)null), "BLOB_UNKNOWN");
        await ExpectAsync(404, await _registry.SendAsync("HEAD", $"/v2/a/b/blobs/{Missing}", (byte[]?)null));
        await ExpectAsync(404, await _registry.SendAsync("DELETE", $"/v2/scratch/b/blobs/{Missing}", (byte[]?)null), "BLOB_UNKNOWN");
    }

    [Fact]
    public async Task ABlobIsDeletedOnlyWhereThatIsAllowedAndOnlyThere()
    {
        var bytes = Random(64);
        var blob = await _registry.PushBlobAsync("scratch/a", bytes);
        await ExpectAsync(202, await _registry.SendAsync("DELETE", $"/v2/scratch/a/blobs/{blob.Digest}", (byte[]?)null));
        await ExpectAsync(404, await _registry.SendAsync("HEAD", $"/v2/scratch/a/blobs/{blob.Digest}", (byte[]?)null));
        await ExpectBlobAsync("product/a", bytes);
        await ExpectAsync(405, await _registry.SendAsync("DELETE", $"/v2/product/a/blobs/{blob.Digest}", (byte[]?)null), "UNSUPPORTED");

        await _registry.PushBlobAsync("scratch/a", bytes);
        await ExpectBlobAsync("scratch/a", bytes);
    }

    [Fact]
    public async Task ABlobThatABuilderPutIntoTheStoreNeedsNoUpload()
    {
        var bytes = Random(99);
        await _registry.Store.PutAsync("application/octet-stream", bytes);

        await ExpectBlobAsync("a/b", bytes);
    }

    [Fact]
    public async Task BlobsLeaveNoEntries()
    {
        long before = _registry.Ledger.Size;
        await _registry.PushBlobAsync("a/b", Random(10));

        Assert.Equal(before, _registry.Ledger.Size);
    }

    [Theory]
    [InlineData("/v2/A/blobs/uploads/")]
    [InlineData("/v2/a//b/blobs/uploads/")]
    [InlineData("/v2/-a/blobs/uploads/")]
    [InlineData("/v2/a%0a/blobs/uploads/")]
    [InlineData("/v2/a%2f..%2fb/blobs/uploads/")]
    [InlineData("/v2/a___b/blobs/uploads/")]
    public async Task ANameThatIsNoneIsRefused(string path) =>
        await ExpectAsync(400, await _registry.SendAsync("POST", path, []), "NAME_INVALID");

    [Fact]
    public async Task ANameLongerThanAllowedIsRefused() =>
        await ExpectAsync(400, await _registry.SendAsync("POST", $"/v2/{new string('a', 256)}/blobs/uploads/", []), "NAME_INVALID");

    [Theory]
    [InlineData("GET", "/v2/nothing")]
    [InlineData("GET", "/v2/a/b/blobs")]
    [InlineData("GET", "/v2/a/b/blobs/")]
    [InlineData("GET", "/v2/a/b/manifests/")]
    [InlineData("GET", "/v2/a/b/tags")]
    [InlineData("GET", "/v2/blobs/sha256:00")]
    public async Task AnAddressTheSpecificationDoesNotKnowIsNotFound(string method, string path) =>
        await ExpectAsync(404, await _registry.SendAsync(method, path, (byte[]?)null), "UNSUPPORTED");

    [Theory]
    [InlineData("POST", "/v2/a/b/manifests/x")]
    [InlineData("PUT", "/v2/a/b/tags/list")]
    [InlineData("PATCH", "/v2/a/b/blobs/sha256:00")]
    [InlineData("DELETE", "/v2/")]
    public async Task AMethodTheSpecificationDoesNotKnowIsRefused(string method, string path) =>
        await ExpectAsync(405, await _registry.SendAsync(method, path, (byte[]?)null), "UNSUPPORTED");

    private static byte[] Random(int count)
    {
        var bytes = new byte[count];
        new Random(count).NextBytes(bytes);
        return bytes;
    }

    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) || response.Content.Headers.TryGetValues(name, out values)
            ? values.Single()
            : null;

    private async Task<string> BeginAsync(string repository)
    {
        var response = await _registry.SendAsync("POST", $"/v2/{repository}/blobs/uploads/", []);
        await ExpectAsync(202, response);
        return response.Headers.Location!.ToString();
    }

    private async Task<string> PatchAsync(string location, byte[] bytes, string range, string received)
    {
        var response = await _registry.SendAsync("PATCH", location, bytes, ("Content-Range", range));
        await ExpectAsync(202, response);
        Assert.Equal(received, Header(response, "Range"));
        return response.Headers.Location!.ToString();
    }

    /// <summary>What the upload has once nobody writes to it any more.</summary>
    private async Task<long> ReceivedAsync(string location)
    {
        while (true)
        {
            var probe = await _registry.SendAsync("PATCH", location, [], ("Content-Range", "7-7"));
            if (probe.StatusCode == HttpStatusCode.Conflict)
            {
                await Task.Delay(20);
                continue;
            }

            string last = Header(await _registry.SendAsync("GET", location, (byte[]?)null), "Range")!.Split('-')[1];
            return last == "0" ? 0 : long.Parse(last, System.Globalization.CultureInfo.InvariantCulture) + 1;
        }
    }

    private async Task ExpectBlobAsync(string repository, byte[] bytes)
    {
        var digest = Digest.Of(bytes);
        var head = await _registry.SendAsync("HEAD", $"/v2/{repository}/blobs/{digest}", (byte[]?)null);
        await ExpectAsync(200, head);
        Assert.Equal(bytes.Length, head.Content.Headers.ContentLength);
        Assert.Equal(digest.ToString(), Header(head, "Docker-Content-Digest"));
        Assert.Equal(bytes, await _registry.Http.GetByteArrayAsync($"/v2/{repository}/blobs/{digest}"));
    }
}
