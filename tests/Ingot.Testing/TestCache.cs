namespace Ingot.Testing;

/// <summary>What tests keep from run to run because it takes long to make. It is the user's own: what root runs,
/// nobody else shall have put there.</summary>
public static class TestCache
{
    /// <summary>The path of something kept.</summary>
    public static string At(string name)
    {
        string? cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        string home = string.IsNullOrEmpty(cache)
            ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache")
            : cache;
        string directory = Path.Combine(home, "ingot-tests");
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return Path.Combine(directory, name);
    }
}
