using System.Globalization;
using System.Text;
using Ingot.Builds.Files;
using Ingot.Oci.Content;

namespace Ingot.Builds.Cache;

/// <summary>About how large a cache is, without looking at it: what it had when it was last pruned,
/// and what builds have added since.</summary>
public static class CacheSize
{
    /// <summary>The bytes; 0 for a cache that was never measured and that nothing was added to.</summary>
    public static long Estimate(string cacheDirectory)
    {
        try
        {
            return long.TryParse(File.ReadAllText(PathOf(cacheDirectory)), NumberStyles.None, CultureInfo.InvariantCulture, out long bytes)
                ? bytes
                : 0;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return 0;
        }
    }

    /// <summary>When it was last measured, or the cache was new; null when it never was.</summary>
    public static DateTimeOffset? Measured(string cacheDirectory) => HostFiles.Times(MeasuredPath(cacheDirectory))?.Modified;

    internal static void SetMeasured(string cacheDirectory, long bytes)
    {
        Set(cacheDirectory, bytes);
        AtomicFile.Write(MeasuredPath(cacheDirectory), []);
    }

    private static void Set(string cacheDirectory, long bytes) =>
        AtomicFile.Write(PathOf(cacheDirectory), Encoding.ASCII.GetBytes(bytes.ToString(CultureInfo.InvariantCulture)));

    // Two builds that end at once may forget one's addition: the next time the cache is pruned it is measured.
    internal static void Add(string cacheDirectory, long bytes)
    {
        Set(cacheDirectory, Estimate(cacheDirectory) + bytes);
        if (Measured(cacheDirectory) is null)
            AtomicFile.Write(MeasuredPath(cacheDirectory), []);
    }

    private static string MeasuredPath(string cacheDirectory) => Path.Combine(cacheDirectory, "measured");

    private static string PathOf(string cacheDirectory) => Path.Combine(cacheDirectory, "size");
}
