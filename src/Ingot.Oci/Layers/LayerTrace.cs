using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Layers.Compression;

namespace Ingot.Oci.Layers;

/// <summary>How a layer was written: what lets another that is mostly the same be written from it.</summary>
/// <param name="Codec">What compressed it (<see cref="LayerCompression.Codec"/>).</param>
/// <param name="TarSize">The bytes of the archive.</param>
/// <param name="Blob">The compressed archive.</param>
/// <param name="Frames">The frames of the compressed archive, in order.</param>
/// <param name="Archive">How far the hash of the archive came.</param>
/// <param name="Compressed">How far the hash of the compressed archive came.</param>
public sealed record LayerTrace(
    string Codec, long TarSize, Descriptor Blob, IReadOnlyList<LayerFrame> Frames, IReadOnlyList<HashCheckpoint> Archive,
    IReadOnlyList<HashCheckpoint> Compressed)
{
    private const int StateBytes = 32;

    // The digit is the version of the form.
    private static readonly byte[] s_mark = "ingot layer trace 1\n"u8.ToArray();

    /// <summary>The trace as bytes.</summary>
    public byte[] Write()
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes, Encoding.UTF8);
        writer.Write(s_mark);
        writer.Write(Codec);
        writer.Write(TarSize);
        writer.Write(Blob.MediaType);
        writer.Write(Blob.Digest.ToString());
        writer.Write(Blob.Size);
        writer.Write(Frames.Count);
        foreach (var frame in Frames)
        {
            writer.Write(frame.Start);
            writer.Write(frame.At);
        }

        Write(writer, Archive);
        Write(writer, Compressed);
        writer.Flush();
        return bytes.ToArray();
    }

    /// <summary>Reads what <see cref="Write()"/> wrote; null when the bytes are something else, or of another version.</summary>
    public static LayerTrace? TryRead(byte[] bytes)
    {
        if (!bytes.AsSpan().StartsWith(s_mark))
            return null;
        try
        {
            using var reader = new BinaryReader(
                new MemoryStream(bytes, s_mark.Length, bytes.Length - s_mark.Length, writable: false), Encoding.UTF8);
            string codec = reader.ReadString();
            long size = reader.ReadInt64();
            var blob = new Descriptor
            {
                MediaType = reader.ReadString(),
                Digest = Digest.Parse(reader.ReadString()),
                Size = reader.ReadInt64(),
            };
            var frames = new LayerFrame[Count(reader, sizeof(long) * 2)];
            for (int i = 0; i < frames.Length; i++)
                frames[i] = new LayerFrame(reader.ReadInt64(), reader.ReadInt64());
            return new LayerTrace(codec, size, blob, frames, ReadCheckpoints(reader), ReadCheckpoints(reader));
        }
        catch (Exception e) when (e is IOException or FormatException or ArgumentException)
        {
            return null;
        }
    }

    private static void Write(BinaryWriter writer, IReadOnlyList<HashCheckpoint> checkpoints)
    {
        writer.Write(checkpoints.Count);
        foreach (var checkpoint in checkpoints)
        {
            writer.Write(checkpoint.Length);
            writer.Write(checkpoint.State);
        }
    }

    private static HashCheckpoint[] ReadCheckpoints(BinaryReader reader)
    {
        var checkpoints = new HashCheckpoint[Count(reader, sizeof(long) + StateBytes)];
        for (int i = 0; i < checkpoints.Length; i++)
            checkpoints[i] = new HashCheckpoint(reader.ReadInt64(), reader.ReadBytes(StateBytes));
        return checkpoints;
    }

    // No more than fit into what is left.
    private static int Count(BinaryReader reader, int each)
    {
        int count = reader.ReadInt32();
        return count >= 0 && count <= (reader.BaseStream.Length - reader.BaseStream.Position) / each
            ? count
            : throw new EndOfStreamException("a list is longer than what is left");
    }
}
