using System.Security.Cryptography;
using Ingot.Oci.Content;
using Xunit;

namespace Ingot.Testing;

/// <summary>What every content store keeps to. A test class for a store derives from it and says how to make one,
/// and what it left behind.</summary>
public abstract class ContentStoreContract
{
    private static readonly byte[] s_bytes = "some bytes\n"u8.ToArray();

    protected abstract IContentStore Store { get; }

    /// <summary>What lies in the store's storage that belongs to no blob.</summary>
    protected abstract IReadOnlyList<string> Leftovers();

    /// <summary>Damages a stored blob behind the store's back; false when the store cannot be damaged.</summary>
    protected abstract bool TryDamage(Digest digest);

    [Fact]
    public async Task WhatWasCommittedIsReadBack()
    {
        var digest = await WriteAsync(s_bytes);
        Assert.Equal(Digest.Of(s_bytes), digest);
        Assert.Equal(s_bytes.Length, await Store.SizeAsync(digest));
        Assert.Equal(s_bytes, await Store.ReadAsync(digest));
        Assert.Equal([digest], await ListAsync());
        AssertNothingIsLeft();
    }

    [Fact]
    public async Task TheEmptyBlobIsABlob()
    {
        var digest = await WriteAsync([]);
        Assert.Equal("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", digest.ToString());
        Assert.Equal(0, await Store.SizeAsync(digest));
        Assert.Equal(Array.Empty<byte>(), await Store.ReadAsync(digest));
        AssertNothingIsLeft();
    }

    [Fact]
    public async Task WhatIsNotThereIsNull()
    {
        var digest = Digest.Of(s_bytes);
        Assert.Null(await Store.SizeAsync(digest));
        Assert.Null(await Store.OpenAsync(digest));
        Assert.Null(await Store.ReadAsync(digest));
        Assert.Empty(await ListAsync());
        var e = await Assert.ThrowsAsync<ContentMismatchException>(() => Store.ReadRequiredAsync(digest));
        Assert.Equal($"'{digest}' is not in the store", e.Message);
    }

    [Fact]
    public async Task NothingIsVisibleBeforeTheCommit()
    {
        await using var writer = await Store.BeginAsync();
        await writer.WriteAsync(s_bytes);
        Assert.Equal(s_bytes.Length, writer.Written);
        Assert.Null(await Store.SizeAsync(Digest.Of(s_bytes)));
        Assert.Empty(await ListAsync());
        await writer.CommitAsync();
        Assert.Equal(s_bytes.Length, await Store.SizeAsync(Digest.Of(s_bytes)));
    }

    [Fact]
    public async Task DisposingUncommittedLeavesNothing()
    {
        await using (var writer = await Store.BeginAsync())
            await writer.WriteAsync(s_bytes);
        Assert.Empty(await ListAsync());
        AssertNothingIsLeft();
    }

    [Fact]
    public async Task AnotherDigestThanExpectedIsRefusedAndNothingIsKept()
    {
        await using (var writer = await Store.BeginAsync())
        {
            await writer.WriteAsync(s_bytes);
            var e = await Assert.ThrowsAsync<ContentMismatchException>(async () => await writer.CommitAsync(Digest.Of([])));
            Assert.Equal($"expected '{Digest.Of([])}' and received {s_bytes.Length} bytes of '{Digest.Of(s_bytes)}'", e.Message);
        }

        Assert.Empty(await ListAsync());
        AssertNothingIsLeft();
    }

    [Fact]
    public async Task TheSameBlobTwiceIsOneBlob()
    {
        var digest = await WriteAsync(s_bytes);
        Assert.Equal(digest, await WriteAsync(s_bytes));
        Assert.Equal([digest], await ListAsync());
        AssertNothingIsLeft();
    }

    [Fact]
    public async Task ManyWritersOfOneBlobDoNotDisturbEachOther()
    {
        byte[] bytes = RandomNumberGenerator.GetBytes(300_000);
        var digests = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => WriteAsync(bytes))));
        Assert.All(digests, digest => Assert.Equal(Digest.Of(bytes), digest));
        Assert.Equal(bytes, await Store.ReadAsync(digests[0]));
        AssertNothingIsLeft();
    }

    [Fact]
    public async Task PiecesOfAnySizeMakeTheSameBlob()
    {
        byte[] bytes = RandomNumberGenerator.GetBytes(1_000_003);
        await using var writer = await Store.BeginAsync();
        for (int at = 0, step = 1; at < bytes.Length; step = (step * 3) + 1)
        {
            int length = Math.Min(step, bytes.Length - at);
            if (step % 2 == 0)
                await writer.WriteAsync(bytes.AsMemory(at, length));
            else
                writer.Write(bytes, at, length);
            at += length;
        }

        Assert.Equal(Digest.Of(bytes), await writer.CommitAsync(Digest.Of(bytes)));
        Assert.Equal(bytes, await Store.ReadAsync(Digest.Of(bytes)));
    }

    [Fact]
    public async Task AStreamCanBeReadFromAnyPlaceWhileTheBlobIsDeleted()
    {
        var digest = await WriteAsync(s_bytes);
        await using var stream = (await Store.OpenAsync(digest))!;
        Assert.Equal(s_bytes.Length, stream.Length);
        Assert.True(await Store.DeleteAsync(digest));
        stream.Seek(5, SeekOrigin.Begin);
        byte[] rest = new byte[6];
        await stream.ReadExactlyAsync(rest);
        Assert.Equal("bytes\n"u8.ToArray(), rest);
        Assert.Equal(0, await stream.ReadAsync(rest));
    }

    [Fact]
    public async Task WhatWasDeletedIsGone()
    {
        var digest = await WriteAsync(s_bytes);
        Assert.True(await Store.DeleteAsync(digest));
        Assert.False(await Store.DeleteAsync(digest));
        Assert.Null(await Store.SizeAsync(digest));
        Assert.Empty(await ListAsync());
        AssertNothingIsLeft();
    }

    [Fact]
    public async Task PuttingBytesGivesTheirDescriptor()
    {
        var descriptor = await Store.PutAsync("text/plain", s_bytes);
        Assert.Equal(Descriptor.Of("text/plain", s_bytes), descriptor);
        Assert.Equal(descriptor, await Store.PutAsync("text/plain", s_bytes));
        Assert.Equal([descriptor.Digest], await ListAsync());
    }

    [Fact]
    public async Task ADamagedDocumentIsNotBelieved()
    {
        var digest = await WriteAsync(s_bytes);
        if (TryDamage(digest))
            await Assert.ThrowsAsync<ContentMismatchException>(() => Store.ReadAsync(digest));
    }

    [Fact]
    public async Task ADocumentLargerThanAllowedIsNotReadIntoMemory()
    {
        var digest = await WriteAsync(new byte[ContentStoreExtensions.MaxDocumentBytes + 1]);
        var e = await Assert.ThrowsAsync<ContentMismatchException>(() => Store.ReadAsync(digest));
        Assert.Contains("a document may have", e.Message, StringComparison.Ordinal);
    }

    private async Task<Digest> WriteAsync(byte[] bytes)
    {
        await using var writer = await Store.BeginAsync();
        await writer.WriteAsync(bytes);
        return await writer.CommitAsync();
    }

    private async Task<List<Digest>> ListAsync()
    {
        var digests = new List<Digest>();
        await foreach (var digest in Store.ListAsync())
            digests.Add(digest);
        return digests;
    }

    private void AssertNothingIsLeft() => Assert.Empty(Leftovers());
}
