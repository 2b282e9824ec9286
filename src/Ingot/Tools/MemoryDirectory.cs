using System.Globalization;

namespace Ingot.Tools;

/// <summary>A directory of a container that is kept in memory, and that its user may write to: the same for an instance and for the sandbox
/// its image was tested in.</summary>
public static class MemoryDirectory
{
    /// <summary>The options of its tmpfs.</summary>
    /// <param name="bytes">Its size.</param>
    /// <param name="user">The user the image names; null or empty for root.</param>
    public static IReadOnlyList<string> Options(long bytes, string? user) =>
        ["rw", "noexec", "nosuid", "nodev", string.Create(CultureInfo.InvariantCulture, $"size={bytes}"), .. Owner(user)];

    // runc 1.1 ignores mode= where the image has the directory, so the owner is given. A user by name is only known inside the image:
    // any may write then.
    private static string[] Owner(string? user)
    {
        var parts = (user ?? "").Split(':');
        if (parts[0].Length == 0)
            return ["uid=0", "gid=0", "mode=0700"];
        bool numeric = parts.All(part => uint.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out _));
        return numeric ? [$"uid={parts[0]}", $"gid={(parts.Length > 1 ? parts[1] : "0")}", "mode=0700"] : ["mode=1777"];
    }
}
