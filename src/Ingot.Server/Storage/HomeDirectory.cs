using Ingot.Oci.Linux;

namespace Ingot.Server.Storage;

/// <summary>A home cannot be used as it is: it, or the way to it, belongs to somebody else.</summary>
public sealed class HomeException(string message) : IngotException(message);

/// <summary>Keeps a home its owner's. What lies in it decides what runs and who is believed: whoever can write there, or put another
/// directory in its place, is its owner in truth.</summary>
public static class HomeDirectory
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode OthersWrite = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;
    private const int MostLinks = 40;

    // What decides who is believed and what runs, the directory before what is in it.
    private static readonly string[] s_vital =
        ["server", "server/token", "server/tokens", "keys", "uploads", "content", "working", "ledger.db", "ledger.db-wal", "ledger.db-shm"];

    /// <summary>Refuses a home that belongs to another user than this process acts as, that others can write, in which others put something
    /// that matters, or whose path another user can lead elsewhere. One that is not there yet is fine.</summary>
    public static void Check(string home) => Check(home, Libc.GetEUid());

    /// <summary>What this process makes from now on is its user's only.</summary>
    public static void KeepPrivate() => _ = Libc.UMask(0x3F);

    /// <summary>Makes the home when it is not there, checks it, and takes away what others may see of it.
    /// Returns a note when that changed anything.</summary>
    public static string? Prepare(string home)
    {
        Check(home);
        Directory.CreateDirectory(home, OwnerOnly);
        Check(home);
        var mode = File.GetUnixFileMode(home);
        if ((mode & ~OwnerOnly) == 0)
            return null;

        File.SetUnixFileMode(home, mode & OwnerOnly);
        foreach (string file in Directory.EnumerateFiles(home, "ledger.db*"))
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return $"'{home}' could be read by other users and is now its owner's only";
    }

    internal static void Check(string home, uint user)
    {
        string path = Path.GetFullPath(home);
        var (type, owner, mode) = Follow(path, path, user, 0);
        if (type is not (0 or Kernel.S_IFDIR))
            throw new HomeException($"the home '{home}' is not a directory: set INGOT_HOME to one");
        if (type != 0 && owner != user)
            throw new HomeException($"the home '{home}' belongs to the user {owner}, and this is the user {user}: "
                + "set INGOT_HOME to a directory of your own, or run as its owner");
        // Taking the right to write away now would keep what was put there before.
        if (type != 0 && (mode & OthersWrite) != 0)
            throw new HomeException($"other users can write to the home '{home}', and so decide who is trusted: look at what is in it, "
                + $"remove what is not yours, then run 'chown -R {user} {home}' and 'chmod 700 {home}'");
        foreach (string name in type == 0 ? [] : s_vital)
            RefuseEntry(Path.Combine(path, name), user);
    }

    private static void RefuseEntry(string path, uint user)
    {
        if (Look(path) is not { } found)
            return;
        if (found.Type == Kernel.S_IFLNK)
            throw new HomeException(
                $"'{path}' is a symbolic link, which another user can point elsewhere: remove it, and keep what it names in its place");
        if (found.UserId != user)
            throw new HomeException($"'{path}' belongs to the user {found.UserId}, and this is the user {user}: look at what is in it, "
                + $"then remove it or run 'chown -R {user} {path}'");
    }

    /// <summary>Walks to <paramref name="path"/> from the root, link by link. Type 0: from some part on, nothing is there.</summary>
    private static (int Type, uint Owner, UnixFileMode Mode) Follow(string path, string home, uint user, int links)
    {
        string at = "/";
        (int Type, uint Owner, UnixFileMode Mode) last = (Kernel.S_IFDIR, 0, UnixFileMode.None);
        foreach (string part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            Refuse(at, home, user);
            at = Path.Combine(at, part);
            if (Look(at) is not { } found)
                return (0, 0, UnixFileMode.None);
            if (found.Type == Kernel.S_IFLNK)
            {
                RefuseStranger(at, found.UserId, home, user);
                if (links >= MostLinks)
                    throw new HomeException($"the home '{home}' leads through a loop of symbolic links");
                string target = new FileInfo(at).LinkTarget ?? "/";
                string rest = path.Length > at.Length && path.StartsWith(at + "/", StringComparison.Ordinal) ? path[(at.Length + 1)..] : "";
                return Follow(Path.GetFullPath(Path.Combine(Path.GetDirectoryName(at)!, target, rest)), home, user, links + 1);
            }

            last = (found.Type, found.UserId, (UnixFileMode)found.Mode);
        }

        return last;
    }

    // In a directory that others write, they put another thing under any name; only a sticky one keeps names for their owners.
    private static void Refuse(string directory, string home, uint user)
    {
        if (Look(directory) is not { } found)
            return;
        RefuseStranger(directory, found.UserId, home, user);
        var mode = (UnixFileMode)found.Mode;
        if ((mode & OthersWrite) == 0 || (mode & UnixFileMode.StickyBit) != 0)
            return;
        // A group of the owner's own, as systems with a group for each user make it.
        if ((mode & UnixFileMode.OtherWrite) == 0 && found.UserId == user && found.GroupId == user)
            return;
        throw new HomeException(
            $"the home '{home}' lies below '{directory}', which others can write: set INGOT_HOME to a directory they cannot replace");
    }

    private static void RefuseStranger(string path, uint owner, string home, uint user)
    {
        if (owner != 0 && owner != user)
            throw new HomeException($"the home '{home}' is reached through '{path}', which belongs to the user {owner}, "
                + $"and this is the user {user}: set INGOT_HOME to a directory they cannot replace");
    }

    private static StatX? Look(string path)
    {
        if (Libc.StatX(Kernel.AT_FDCWD, LinuxPath.Terminated(path), Kernel.AT_SYMLINK_NOFOLLOW, Kernel.STATX_BASIC_STATS,
            out var found) == 0)
            return found;

        return LinuxError.Last is Kernel.ENOENT or Kernel.ENOTDIR
            ? null
            : throw new HomeException($"could not look at '{path}': {LinuxError.Message}");
    }
}
