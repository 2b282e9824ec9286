namespace Ingot.Server.Registry;

/// <summary>Uploads that nobody will finish.</summary>
public static class AbandonedUploads
{
    /// <summary>How long an upload may stand still.</summary>
    public static TimeSpan Timeout { get; } = TimeSpan.FromHours(24);

    /// <summary>Takes away what has not grown for <see cref="Timeout"/>, also under a server that runs: it tells a client that comes back
    /// to begin again. Returns how many files, and their bytes.</summary>
    public static (int Items, long Bytes) Remove(string directory, TimeProvider time, bool dryRun)
    {
        var oldest = time.GetUtcNow().UtcDateTime - Timeout;
        var uploads = new DirectoryInfo(directory);
        var abandoned = uploads.Exists ? uploads.EnumerateFiles().Where(file => file.LastWriteTimeUtc < oldest).ToList() : [];
        long bytes = abandoned.Sum(file => file.Length);
        foreach (var file in dryRun ? [] : abandoned)
            file.Delete();
        return (abandoned.Count, bytes);
    }
}
