using Ingot.Oci.Content;

namespace Ingot.Oci.Tests.Content;

public sealed class VerifyingStreamTests
{
    private static readonly byte[] s_bytes = "the content\n"u8.ToArray();

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(4096)]
    public async Task GoodBytesPassInPiecesOfAnySize(int piece)
    {
        await using var stream = Verify(s_bytes, Digest.Of(s_bytes), s_bytes.Length);
        Assert.Equal(s_bytes, await ReadAllAsync(stream, piece));
    }

    [Fact]
    public async Task TheEmptyBlobPasses()
    {
        await using var stream = Verify([], Digest.Of([]), 0);
        Assert.Empty(await ReadAllAsync(stream, 16));
    }

    [Fact]
    public void SynchronousReadsAreVerifiedToo()
    {
        using var good = Verify(s_bytes, Digest.Of(s_bytes), s_bytes.Length);
        Assert.Equal("the content\n", new StreamReader(good).ReadToEnd());
        using var bad = Verify(s_bytes, Digest.Of([]), s_bytes.Length);
        Assert.Throws<ContentMismatchException>(() => new StreamReader(bad).ReadToEnd());
    }

    [Fact]
    public async Task OtherBytesOfTheSameLengthFailAtTheEnd()
    {
        byte[] other = [.. s_bytes];
        other[3] ^= 1;
        await FailsAsync(Verify(other, Digest.Of(s_bytes), other.Length),
            $"expected '{Digest.Of(s_bytes)}' and read 12 bytes of '{Digest.Of(other)}'");
    }

    [Fact]
    public async Task TooFewBytesFail() =>
        await FailsAsync(Verify(s_bytes[..5], Digest.Of(s_bytes), s_bytes.Length), $"'{Digest.Of(s_bytes)}' ended after 5 bytes of 12");

    [Fact]
    public async Task NoBytesAtAllFail() =>
        await FailsAsync(Verify([], Digest.Of(s_bytes), s_bytes.Length), $"'{Digest.Of(s_bytes)}' ended after 0 bytes of 12");

    [Fact]
    public async Task TooManyBytesFail() => await FailsAsync(Verify([.. s_bytes, 1], Digest.Of(s_bytes), s_bytes.Length),
        $"'{Digest.Of(s_bytes)}' is longer than its 12 bytes");

    [Fact]
    public async Task BytesAfterAVerifiedBlobFail()
    {
        await using var stream = Verify([.. s_bytes, 1], Digest.Of(s_bytes), s_bytes.Length);
        await stream.ReadExactlyAsync(new byte[s_bytes.Length]);
        await Assert.ThrowsAsync<ContentMismatchException>(async () => await stream.ReadExactlyAsync(new byte[1]));
    }

    [Fact]
    public async Task AnEmptyBufferEndsNothing()
    {
        await using var stream = Verify(s_bytes, Digest.Of(s_bytes), s_bytes.Length);
        Assert.Equal(0, await stream.ReadAsync(Memory<byte>.Empty));
        Assert.Equal(s_bytes, await ReadAllAsync(stream, 100));
    }

    [Fact]
    public void TheInnerStreamIsOwned()
    {
        var inner = new MemoryStream(s_bytes);
        new VerifyingStream(inner, Digest.Of(s_bytes), s_bytes.Length).Dispose();
        Assert.False(inner.CanRead);
    }

    private static VerifyingStream Verify(byte[] bytes, Digest digest, long size) => new(new MemoryStream(bytes), digest, size);

    private static async Task FailsAsync(VerifyingStream stream, string message)
    {
        await using (stream)
        {
            var e = await Assert.ThrowsAsync<ContentMismatchException>(() => ReadAllAsync(stream, 7));
            Assert.Equal(message, e.Message);
        }
    }

    private static async Task<byte[]> ReadAllAsync(Stream stream, int piece)
    {
        var all = new List<byte>();
        byte[] buffer = new byte[piece];
        int read;
        while ((read = await stream.ReadAsync(buffer)) > 0)
            all.AddRange(buffer[..read]);
        return [.. all];
    }
}
