using System.Diagnostics;
using System.Security.Cryptography;
using Ingot.Oci.Layers.Compression;

namespace Ingot.Benchmarks;

/// <summary>The work that no builder can leave out: every file is read, and its bytes are hashed and compressed, each once. One thing after
/// the other, so that a sum can be compared with; each on as many cores as the process may use.</summary>
internal static class Floor
{
    private const int BufferBytes = 1 << 20;

    /// <summary>Prints what each part takes, in seconds, and the bytes.</summary>
    public static async Task MeasureAsync(string directory, string codec)
    {
        string[] files = [.. Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
        // Once before the clock runs: what is compiled on the way is no part of the work.
        ReadAll(files.Take(100));
        Report("read", Time(() => ReadAll(files)));

        byte[][] contents = [.. files.Select(File.ReadAllBytes)];
        long bytes = contents.Sum(c => (long)c.Length);
        Report("SHA-256 of each file", Time(() => Parallel.ForEach(contents, Cores, content => SHA256.HashData(content))));
        Report("SHA-256 of all in a row", Time(() => HashInRow(contents)));

        var compressed = new CountingStream();
        await CompressAsync(contents.Take(100), codec, new CountingStream());
        var clock = Stopwatch.StartNew();
        await CompressAsync(contents, codec, compressed);
        Report("compression", clock.Elapsed);
        Console.WriteLine(FormattableString.Invariant($"bytes\t{bytes}\ncompressed\t{compressed.Count}"));
    }

    private static ParallelOptions Cores { get; } = new() { MaxDegreeOfParallelism = Environment.ProcessorCount };

    private static void ReadAll(IEnumerable<string> files) => Parallel.ForEach(files, Cores, () => new byte[BufferBytes], Read, _ => { });

    private static byte[] Read(string path, ParallelLoopState state, byte[] buffer)
    {
        using var file = File.OpenHandle(path);
        long at = 0;
        int read;
        while ((read = RandomAccess.Read(file, buffer, at)) > 0)
            at += read;
        return buffer;
    }

    private static void HashInRow(byte[][] contents)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (byte[] content in contents)
            hash.AppendData(content);
        hash.GetHashAndReset();
    }

    private static async Task CompressAsync(IEnumerable<byte[]> contents, string codec, Stream output)
    {
        await using var encoder = LayerCompression.Find(codec)!.Compress(output);
        foreach (byte[] content in contents)
            await encoder.WriteAsync(content);
    }

    private static TimeSpan Time(Action work)
    {
        var clock = Stopwatch.StartNew();
        work();
        return clock.Elapsed;
    }

    private static void Report(string what, TimeSpan elapsed) =>
        Console.WriteLine(FormattableString.Invariant($"{what}\t{elapsed.TotalSeconds:F3}"));

    private sealed class CountingStream : Stream
    {
        public long Count { get; private set; }

        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => Count;
        public override long Position { get => Count; set => throw new NotSupportedException(); }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => Count += count;
    }
}
