using System.Diagnostics;
using System.Security.Cryptography;
using Ingot.Oci.Layers;

namespace Ingot.Benchmarks;

/// <summary>The work that no builder can leave out: every file is read, and its bytes are hashed and compressed, each once. One thing after the other, so that a sum can be compared with.</summary>
internal static class Floor
{
    private const int BufferBytes = 1 << 20;

    public static async Task MeasureAsync(string directory, string codec)
    {
        string[] files = [.. Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
        var clock = Stopwatch.StartNew();
        var contents = new List<byte[]>(files.Length);
        foreach (string file in files)
            contents.Add(await File.ReadAllBytesAsync(file));
        long bytes = contents.Sum(c => (long)c.Length);
        Report("read", clock, bytes);

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        clock.Restart();
        foreach (byte[] content in contents)
            hash.AppendData(content);
        hash.GetHashAndReset();
        Report("SHA-256", clock, bytes);

        clock.Restart();
        var compressed = new CountingStream();
        await using (var encoder = LayerCompression.Find(codec)!.Compress(compressed))
        {
            foreach (byte[] content in contents)
                await encoder.WriteAsync(content);
        }

        Report(codec, clock, bytes);
        Console.WriteLine($"{compressed.Count} bytes compressed, {Environment.ProcessorCount} cores, buffers of {BufferBytes} bytes");
    }

    private static void Report(string what, Stopwatch clock, long bytes) =>
        Console.WriteLine(FormattableString.Invariant($"{what,-8} {clock.Elapsed.TotalSeconds:F2} s {bytes / 1e6 / clock.Elapsed.TotalSeconds:F0} MB/s"));

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
