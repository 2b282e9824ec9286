using System.Diagnostics;
using System.Security.Cryptography;
using FsCheck;
using FsCheck.Fluent;
using Ingot.Oci.Content;
using Ingot.Oci.Layers.Compression;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Layers.Compression;

public sealed class LayerCompressionTests
{
    public static TheoryData<string> All => ["none", "gzip", "zstd"];

    public static TheoryData<string> Compressing => ["gzip", "zstd"];

    [Theory]
    [MemberData(nameof(All))]
    public async Task BytesOfEverySizeComeBack(string name)
    {
        var compression = LayerCompression.Find(name)!;
        foreach (int size in (int[])[0, 1, 511, 32 << 10, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5_000_003])
        {
            byte[] bytes = Text(size);
            byte[] compressed = await CompressAsync(compression, bytes);
            Assert.Equal(Digest.Of(bytes), Digest.Of(await DecompressAsync(compression, compressed)));
            if (name != "none" && size > 1 << 20)
                Assert.InRange(compressed.Length, 1, size / 2);
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task BytesThatDoNotCompressComeBack(string name)
    {
        var compression = LayerCompression.Find(name)!;
        byte[] bytes = RandomNumberGenerator.GetBytes(3_333_333);
        Assert.Equal(Digest.Of(bytes), Digest.Of(await DecompressAsync(compression, await CompressAsync(compression, bytes))));
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task HowTheBytesAreWrittenChangesNothing(string name)
    {
        var compression = LayerCompression.Find(name)!;
        byte[] bytes = Text(3_000_000);
        var expected = Digest.Of(await CompressAsync(compression, bytes));
        Prop.ForAll(Arb.From(Gen.NonEmptyListOf(Gen.Choose(1, 1_500_000))), async pieces =>
            Digest.Of(await CompressAsync(compression, bytes, [.. pieces])) == expected)
            .Holds(8);
    }

    [Theory]
    [InlineData("gzip", "gzip")]
    [InlineData("zstd", "zstd")]
    public async Task OtherProgramsReadWhatWeWrite(string name, string program)
    {
        using var directory = new TemporaryDirectory();
        byte[] bytes = Text(3_456_789);
        await File.WriteAllBytesAsync(directory.At("data"), await CompressAsync(LayerCompression.Find(name)!, bytes));
        using var process =
            Process.Start(new ProcessStartInfo(program, ["-dc"]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        var output = Digest.OfAsync(process.StandardOutput.BaseStream);
        await using (var input = File.OpenRead(directory.At("data")))
            await input.CopyToAsync(process.StandardInput.BaseStream);
        process.StandardInput.Close();
        Assert.Equal(Digest.Of(bytes), await output);
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }

    [Theory]
    [InlineData("gzip", "gzip")]
    [InlineData("gzip", "gzip", "-1")]
    [InlineData("gzip", "gzip", "-9")]
    [InlineData("zstd", "zstd", "-19")]
    [InlineData("zstd", "zstd", "--long=27")]
    public async Task WhatOtherProgramsWriteIsRead(string name, string program, params string[] options)
    {
        byte[] bytes = Text(2_345_678);
        byte[] compressed = await PipeAsync(program, ["-c", .. options], bytes);
        Assert.Equal(Digest.Of(bytes), Digest.Of(await DecompressAsync(LayerCompression.Find(name)!, compressed)));
        // Two pieces one after the other are one stream.
        Assert.Equal(Digest.Of([.. bytes, .. bytes]),
            Digest.Of(await DecompressAsync(LayerCompression.Find(name)!, [.. compressed, .. compressed])));
    }

    [Fact]
    public async Task TheGzipHeaderSaysNothingAboutTheMachine()
    {
        byte[] compressed = await CompressAsync(LayerCompression.Gzip, Text(100));
        Assert.Equal("1F8B08000000000000FF", Convert.ToHexString(compressed, 0, 10));
    }

    [Theory]
    [MemberData(nameof(Compressing))]
    public async Task DataThatEndsTooEarlyIsRefused(string name)
    {
        var compression = LayerCompression.Find(name)!;
        byte[] compressed = await CompressAsync(compression, Text(300_000));
        foreach (int length in (int[])[0, 1, 5, 9, 11, compressed.Length / 2, compressed.Length - 8, compressed.Length - 1])
        {
            if (length == 0 && name == "zstd")
                continue;
            await Assert.ThrowsAsync<LayerException>(() => DecompressAsync(compression, compressed[..length]));
        }
    }

    [Theory]
    [MemberData(nameof(Compressing))]
    public async Task BytesAfterTheDataAreRefused(string name)
    {
        var compression = LayerCompression.Find(name)!;
        byte[] compressed = await CompressAsync(compression, Text(1000));
        await Assert.ThrowsAsync<LayerException>(() => DecompressAsync(compression, [.. compressed, .. "junk after the end"u8]));
        await Assert.ThrowsAsync<LayerException>(() => DecompressAsync(compression, [.. compressed, .. new byte[512]]));
    }

    [Theory]
    [MemberData(nameof(Compressing))]
    public async Task DamagedDataIsRefusedOrMeansTheSame(string name)
    {
        var compression = LayerCompression.Find(name)!;
        byte[] bytes = Text(50_000);
        byte[] compressed = await CompressAsync(compression, bytes);
        var damage = from at in Gen.Choose(0, compressed.Length - 1) from value in Gen.Choose(0, 255) select (at, (byte)value);
        Prop.ForAll(Arb.From(damage), async change =>
        {
            byte[] damaged = [.. compressed];
            damaged[change.at] = change.Item2;
            try
            {
                return (await DecompressAsync(compression, damaged)).AsSpan().SequenceEqual(bytes);
            }
            catch (LayerException)
            {
                return true;
            }
        }).Holds(1000);
    }

    [Theory]
    [MemberData(nameof(Compressing))]
    public async Task ABombIsReadInBoundedMemory(string name)
    {
        const long Size = 64L << 20;
        var compression = LayerCompression.Find(name)!;
        var compressed = new MemoryStream();
        await using (var encoder = compression.Compress(compressed))
        {
            byte[] zeros = new byte[1 << 20];
            for (long left = Size; left > 0; left -= zeros.Length)
                await encoder.WriteAsync(zeros);
        }

        Assert.InRange(compressed.Length, 1, 300_000);
        compressed.Position = 0;
        await using var decoder = compression.Decompress(compressed);
        byte[] buffer = new byte[64 << 10];
        long before = GC.GetAllocatedBytesForCurrentThread(), total = 0;
        int read;
        while ((read = decoder.Read(buffer)) > 0)
            total += read;
        Assert.Equal(Size, total);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public async Task AWindowOfMoreThan128MegabytesIsRefused()
    {
        // A frame header that asks for a window of 1 GiB: RFC 8878, 3.1.1.1.2.
        byte[] frame = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 20 << 3, 0x01, 0, 0];
        await Assert.ThrowsAsync<LayerException>(() => DecompressAsync(LayerCompression.Zstandard, frame));
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task AnAbandonedStreamIsDisposedWithoutFinishing(string name)
    {
        var output = new MemoryStream();
        var encoder = LayerCompression.Find(name)!.Compress(output);
        await encoder.WriteAsync(Text(100));
        encoder.Dispose();
        if (name != "none")
            Assert.Equal(0, output.Length);
        Assert.True(output.CanWrite);
    }

    [Theory]
    [InlineData("application/vnd.oci.image.layer.v1.tar", "none")]
    [InlineData("application/vnd.oci.image.layer.v1.tar+gzip", "gzip")]
    [InlineData("application/vnd.oci.image.layer.v1.tar+zstd", "zstd")]
    [InlineData("application/vnd.docker.image.rootfs.diff.tar.gzip", "gzip")]
    [InlineData("application/vnd.docker.image.rootfs.diff.tar", "none")]
    public void TheMediaTypeSaysHow(string mediaType, string name) => Assert.Equal(name, LayerCompression.ForMediaType(mediaType).Name);

    [Theory]
    [InlineData("")]
    [InlineData("application/vnd.oci.image.manifest.v1+json")]
    [InlineData("application/vnd.oci.image.layer.v1.tar+xz")]
    public void AnotherMediaTypeIsRefused(string mediaType)
    {
        var e = Assert.Throws<LayerException>(() => LayerCompression.ForMediaType(mediaType));
        Assert.StartsWith($"'{mediaType}' is not a layer", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheCodecNamesWhatDecidesTheBytes()
    {
        Assert.Matches(@"^gzip level 4, zlib 1\.", LayerCompression.Gzip.Codec);
        Assert.Matches(@"^zstd level 3, frames of 1 to 4 MiB by content, libzstd 1\.", LayerCompression.Zstandard.Codec);
        Assert.Null(LayerCompression.Find("xz"));
    }

    internal static byte[] Text(int length)
    {
        // Compresses like text, and repeats over distances both near and far.
        var random = new Random(length);
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++)
            bytes[i] = i > 70_000 && random.Next(3) > 0 ? bytes[i - 70_000] : (byte)('a' + random.Next(8));
        return bytes;
    }

    private static async Task<byte[]> CompressAsync(LayerCompression compression, byte[] bytes, params int[] pieces)
    {
        var output = new MemoryStream();
        await using (var encoder = compression.Compress(output))
        {
            for (int at = 0, i = 0; at < bytes.Length; i++)
            {
                int length = Math.Min(pieces.Length == 0 ? bytes.Length : pieces[i % pieces.Length], bytes.Length - at);
                await encoder.WriteAsync(bytes.AsMemory(at, length));
                await encoder.FlushAsync();
                at += length;
            }
        }

        return output.ToArray();
    }

    private static async Task<byte[]> DecompressAsync(LayerCompression compression, byte[] bytes)
    {
        await using var decoder = compression.Decompress(new MemoryStream(bytes));
        var output = new MemoryStream();
        await decoder.CopyToAsync(output);
        return output.ToArray();
    }

    private static async Task<byte[]> PipeAsync(string program, string[] arguments, byte[] input)
    {
        using var process =
            Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        var output = new MemoryStream();
        var copy = process.StandardOutput.BaseStream.CopyToAsync(output);
        await process.StandardInput.BaseStream.WriteAsync(input);
        process.StandardInput.Close();
        await copy;
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
        return output.ToArray();
    }
}
