using System.Runtime.InteropServices;

namespace Ingot.Server.Storage;

/// <summary>A home cannot be used as it is: it, or the way to it, belongs to somebody else.</summary>
public sealed class HomeException(string message) : IngotException(message);

/// <summary>Keeps a home its owner's. What lies in it decides what runs and who is believed: whoever can write there, or put another directory in its
/// place, is its owner in truth.</summary>
public static partial class HomeDirectory
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode OthersWrite = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;
    private const int MostLinks = 40;

    // <linux/stat.h> and <fcntl.h>: alike on every architecture.
    private const int CurrentDirectory = -100;
    private const int NoFollow = 0x100;
    private const uint BasicStats = 0x7ff;
    private const int StatxBytes = 256;
    private const int TypeMask = 0xF000;
    private const int TypeLink = 0xA000;
    private const int TypeDirectory = 0x4000;

    /// <summary>Refuses a home that belongs to another user than this process acts as, or whose path another user can lead elsewhere. One that is not there
    /// yet is fine.</summary>
    public static void Check(string home) => Check(home, EffectiveUserId());

    /// <summary>What this process makes from now on is its user's only.</summary>
    public static void KeepPrivate() => _ = SetMask(0x3F);

    /// <summary>Makes the home when it is not there, checks it, and takes away what others may do in it. Returns a note when that changed anything.</summary>
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
        var (type, owner) = Follow(path, path, user, 0);
        if (type is not (0 or TypeDirectory))
            throw new HomeException($"the home '{home}' is not a directory: set INGOT_HOME to one");
        if (type != 0 && owner != user)
            throw new HomeException($"the home '{home}' belongs to the user {owner}, and this is the user {user}: set INGOT_HOME to a directory of your own, or run as its owner");
    }

    /// <summary>Walks to <paramref name="path"/> from the root, link by link. Type 0: from some part on, nothing is there.</summary>
    private static (int Type, uint Owner) Follow(string path, string home, uint user, int links)
    {
        string at = "/";
        (int Type, uint Owner) last = (TypeDirectory, 0);
        foreach (string part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            Refuse(at, home, user);
            at = Path.Combine(at, part);
            if (Look(at) is not { } found)
                return (0, 0);
            if (found.Type == TypeLink)
            {
                RefuseStranger(at, found.Owner, home, user);
                if (links >= MostLinks)
                    throw new HomeException($"the home '{home}' leads through a loop of symbolic links");
                string target = new FileInfo(at).LinkTarget ?? "/";
                string rest = path.Length > at.Length && path.StartsWith(at + "/", StringComparison.Ordinal) ? path[(at.Length + 1)..] : "";
                return Follow(Path.GetFullPath(Path.Combine(Path.GetDirectoryName(at)!, target, rest)), home, user, links + 1);
            }

            last = (found.Type, found.Owner);
        }

        return last;
    }

    // In a directory that others write, they put another thing under any name; only a sticky one keeps names for their owners.
    private static void Refuse(string directory, string home, uint user)
    {
        if (Look(directory) is not { } found)
            return;
        RefuseStranger(directory, found.Owner, home, user);
        if ((found.Mode & OthersWrite) == 0 || (found.Mode & UnixFileMode.StickyBit) != 0)
            return;
        // A group of the owner's own, as systems with a group for each user make it.
        if ((found.Mode & UnixFileMode.OtherWrite) == 0 && found.Owner == user && found.Group == user)
            return;
        throw new HomeException($"the home '{home}' lies below '{directory}', which others can write: set INGOT_HOME to a directory they cannot replace");
    }

    private static void RefuseStranger(string path, uint owner, string home, uint user)
    {
        if (owner != 0 && owner != user)
            throw new HomeException($"the home '{home}' is reached through '{path}', which belongs to the user {owner}, and this is the user {user}: set INGOT_HOME to a directory they cannot replace");
    }

    private static (int Type, UnixFileMode Mode, uint Owner, uint Group)? Look(string path)
    {
        Span<byte> stat = stackalloc byte[StatxBytes];
        if (Statx(CurrentDirectory, path, NoFollow, BasicStats, stat) != 0)
        {
            return Marshal.GetLastPInvokeError() is 2 or 20
                ? null
                : throw new HomeException($"could not look at '{path}': {Marshal.GetLastPInvokeErrorMessage()}");
        }

        int mode = MemoryMarshal.Read<ushort>(stat[28..]);
        return (mode & TypeMask, (UnixFileMode)(mode & 0xFFF), MemoryMarshal.Read<uint>(stat[20..]), MemoryMarshal.Read<uint>(stat[24..]));
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUserId();

    [LibraryImport("libc", EntryPoint = "umask")]
    private static partial uint SetMask(uint mask);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int directory, string path, int flags, uint mask, Span<byte> result);
}
