using System.Text;
using Ingot.Oci.Linux;
using Ingot.Server.Storage;
using Ingot.Transparency;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Server.Ledger;

/// <summary>What a home remembers of its log's end, beside the log's key: the signed checkpoint of the last commit. A ledger that is
/// shorter, or another one, is not continued.</summary>
/// <remarks>
/// The database alone cannot show that its end is gone: without its write-ahead log it is a whole, earlier ledger. Written after each
/// commit, in place, into two blocks in turn, so that a power cut leaves one of them whole; what it remembers is never ahead of what is on
/// disk. The file itself is made beside and takes its name with its first block in it, so that there is never one that remembers nothing.
/// </remarks>
internal sealed class LedgerHead : IDisposable
{
    // What a disk writes at once, or more.
    private const int Block = 4096;

    private readonly string _path;
    private FileStream? _file;
    private int _next;

    // Without a file, the next block takes the place of what is there.
    private LedgerHead(string path, FileStream? file = null, int next = 0)
    {
        _path = path;
        _file = file;
        _next = next;
    }

    /// <summary>Begins to remember a log that is made now. Before its key is there: where the key is, something is remembered.</summary>
    public static void Create(ServerHome home, NoteSigner signer)
    {
        using var head = new LedgerHead(home.LogHead);
        head.Write(new Checkpoint(signer.Verifier.Name, 0, MerkleTree.EmptyRoot).Sign(signer).ToString());
    }

    /// <summary>What a home remembers; null when nothing is, as in homes of earlier versions.</summary>
    public static Checkpoint? Read(ServerHome home, NoteVerifier verifier)
    {
        if (!File.Exists(home.LogHead))
            return null;

        byte[] bytes = File.ReadAllBytes(home.LogHead);
        return Enumerable.Range(0, 2).Select(block => ReadBlock(bytes, block, verifier)).OfType<Checkpoint>()
            .MaxBy(checkpoint => checkpoint.Size)
            ?? throw new LedgerException($"what this home remembers of its log in '{home.LogHead}' cannot be read: "
                + $"restore it from a backup together with the ledger, {Accept}");
    }

    /// <summary>How many entries a home remembers, whoever signed that; 0 when nothing is remembered.</summary>
    public static long SizeIn(ServerHome home)
    {
        byte[] bytes = File.Exists(home.LogHead) ? File.ReadAllBytes(home.LogHead) : [];
        return Enumerable.Range(0, 2).Select(block => ReadBlock(bytes, block, verifier: null)?.Size ?? 0).Max();
    }

    /// <summary>Refuses a ledger that is not the one that is remembered, or not all of it.</summary>
    public static void Check(ServerHome home, Checkpoint? remembered, LedgerView view)
    {
        if (LossIn(home, remembered, view) is { } loss)
            throw new LedgerException($"the ledger '{home.Database}' {loss}: restore it from a backup, {Accept}");
    }

    /// <summary>How the ledger differs from what is remembered; null when it continues it.</summary>
    public static string? LossIn(ServerHome home, Checkpoint? remembered, LedgerView view)
    {
        long size = view.Size;
        if (remembered is null)
            return size == 0 ? $"is empty, and its key '{home.LogKey}' is that of an earlier one" : null;
        if (size < remembered.Size)
            return $"has {size} entries, and this home remembers {remembered.Size}: its end is lost";

        var root = view.RootAt(remembered.Size)
            ?? throw new LedgerException(
                $"the ledger '{home.Database}' is damaged: its tree over {remembered.Size} entries cannot be read; run 'ingot log verify'");
        return root == remembered.Root ? null : $"is not the one that this home remembers: its first {remembered.Size} entries differ";
    }

    /// <summary>Goes on remembering, from the ledger's own last checkpoint where nothing is remembered yet. <paramref name="anew"/> forgets
    /// what was remembered, but only with the next that is.</summary>
    public static LedgerHead Open(ServerHome home, Checkpoint? remembered, NoteVerifier verifier, LedgerView view, bool anew)
    {
        if (!anew && remembered is not null)
        {
            int last = ReadBlock(File.ReadAllBytes(home.LogHead), 0, verifier)?.Size == remembered.Size ? 0 : 1;
            return new LedgerHead(home.LogHead, Open(home.LogHead, FileMode.OpenOrCreate), 1 - last);
        }

        var head = new LedgerHead(home.LogHead);
        if (!anew && view.CheckpointNote(view.Size) is { } note && Parse(note, verifier)?.Root == view.RootAt(view.Size))
            head.Remember(note);
        return head;
    }

    /// <summary>Remembers a signed checkpoint that is on disk. A disk that fails here takes nothing but the newest memory.</summary>
    public void Remember(string note)
    {
        try
        {
            Write(note);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The entries are in the ledger all the same, and what is remembered is true, only older.
        }
    }

    public void Dispose() => _file?.Dispose();

    private const string Accept = "or accept that the entries are lost, on the record, with 'ingot log accept-loss --why \"…\"'";

    private static FileStream Open(string path, FileMode mode) => new(path, new FileStreamOptions
    {
        Mode = mode,
        Access = FileAccess.ReadWrite,
        Share = FileShare.ReadWrite,
        BufferSize = 0,
        UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
    });

    private static Checkpoint? ReadBlock(byte[] bytes, int block, NoteVerifier? verifier) => bytes.Length <= block * Block
        ? null
        : Parse(Encoding.UTF8.GetString(bytes, block * Block, Math.Min(Block, bytes.Length - (block * Block))).TrimEnd('\0'), verifier);

    private static Checkpoint? Parse(string note, NoteVerifier? verifier)
    {
        try
        {
            return verifier is null ? Checkpoint.Parse(SignedNote.Parse(note).Text) : Checkpoint.ParseSigned(note, verifier);
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private void Write(string note)
    {
        byte[] block = new byte[Block];
        Encoding.UTF8.GetBytes(note, block);
        if (_file is null)
            Replace(block);
        else
            Write(_file, block, _next);
        _next = 1 - _next;
    }

    private void Replace(byte[] block)
    {
        string fresh = _path + ".new";
        var file = Open(fresh, FileMode.Create);
        try
        {
            Write(file, block, _next);
            File.Move(fresh, _path, overwrite: true);
            SyncDirectory();
            _file = file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private void SyncDirectory()
    {
        string directory = Path.GetDirectoryName(_path)!;
        using var handle = new SafeFileHandle(
            Libc.Open(LinuxPath.Terminated(directory), LinuxAbi.Host.O_DIRECTORY | Kernel.O_CLOEXEC), ownsHandle: true);
        if (handle.IsInvalid || Libc.FSync(handle) != 0)
            throw LinuxError.Failed("sync the directory", directory);
    }

    private static void Write(FileStream file, byte[] block, int at)
    {
        RandomAccess.Write(file.SafeFileHandle, block, (long)at * Block);
        RandomAccess.FlushToDisk(file.SafeFileHandle);
    }
}
