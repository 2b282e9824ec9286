using System.Buffers.Binary;

namespace Ingot.Builds.Normalisation.Formats;

/// <summary>Numbers as little-endian bytes.</summary>
internal static class Words
{
    public static byte[] Of(uint value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return bytes;
    }
}
