using System.Security.Cryptography;

namespace Ingot.Oci.Content;

/// <summary>Small files that are there whole or not at all.</summary>
public static class AtomicFile
{
    /// <summary>Makes or replaces a file. Whoever reads it meanwhile sees the old or the new one,
    /// also when this program is killed.</summary>
    /// <param name="path">The file; its directory must be there.</param>
    /// <param name="bytes">All of its content.</param>
    /// <param name="durable">Whether the content is on disk when this returns.</param>
    public static void Write(string path, ReadOnlySpan<byte> bytes, bool durable = false)
    {
        string temporary = $"{path}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6))}.tmp";
        try
        {
            using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                file.Write(bytes);
                file.Flush(flushToDisk: durable);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e)
        {
            File.Delete(temporary);
            if (DiskException.Of(path, bytes.Length, e) is { } disk)
                throw disk;
            throw;
        }
    }
}
