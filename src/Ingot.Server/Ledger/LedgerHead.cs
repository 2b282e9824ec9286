using System.Text;
using Ingot.Server.Storage;
using Ingot.Transparency;

namespace Ingot.Server.Ledger;

/// <summary>What a home remembers of its log's end, beside the log's key: the signed checkpoint of the last commit. A ledger that is shorter, or another one, is not continued.</summary>
/// <remarks>
/// The database alone cannot show that its end is gone: without its write-ahead log it is a whole, earlier ledger. Written after each commit, in place, into two blocks in turn,
/// so that a power cut leaves one of them whole; what it remembers is never ahead of what is on disk.
/// </remarks>
internal sealed class LedgerHead : IDisposable
{
    // What a disk writes at once, or more.
    private const int Block = 4096;

    private readonly FileStream _file;
    private int _next;

    private LedgerHead(FileStream file, int next)
    {
        _file = file;
        _next = next;
    }

    /// <summary>Begins to remember a log that is made now. Before its key is there: where the key is, something is remembered.</summary>
    public static void Create(ServerHome home, NoteSigner signer)
    {
        File.Delete(home.LogHead);
        using var head = Open(home.LogHead, 0);
        head.Write(new Checkpoint(signer.Verifier.Name, 0, MerkleTree.EmptyRoot).Sign(signer).ToString());
    }

    /// <summary>What a home remembers; null when nothing is, as in homes of earlier versions.</summary>
    public static Checkpoint? Read(ServerHome home, NoteVerifier verifier)
    {
        if (!File.Exists(home.LogHead))
            return null;

        byte[] bytes = File.ReadAllBytes(home.LogHead);
        return Enumerable.Range(0, 2).Select(block => ReadBlock(bytes, block, verifier)).OfType<Checkpoint>().MaxBy(checkpoint => checkpoint.Size)
            ?? throw new LedgerException($"what this home remembers of its log in '{home.LogHead}' cannot be read: restore it from a backup together with the ledger, {Accept}");
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

        return view.RootAt(remembered.Size) == remembered.Root ? null : $"is not the one that this home remembers: its first {remembered.Size} entries are others";
    }

    /// <summary>Goes on remembering. <paramref name="anew"/> forgets what was remembered.</summary>
    public static LedgerHead Open(ServerHome home, Checkpoint? remembered, NoteVerifier verifier, bool anew)
    {
        if (anew)
            File.Delete(home.LogHead);
        int last = !anew && remembered is not null && ReadBlock(File.ReadAllBytes(home.LogHead), 0, verifier)?.Size == remembered.Size ? 0 : 1;
        return Open(home.LogHead, 1 - last);
    }

    /// <summary>Remembers a signed checkpoint that is on disk. A disk that fails here takes nothing but the newest memory.</summary>
    public void Remember(string note)
    {
        try
        {
            Write(note);
        }
        catch (IOException)
        {
            // The entries are in the ledger all the same, and what is remembered is true, only older.
        }
    }

    public void Dispose() => _file.Dispose();

    private const string Accept = "or accept that the entries are lost, on the record, with 'ingot log accept-loss --why \"…\"'";

    private static LedgerHead Open(string path, int next) => new(
        new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.ReadWrite,
            Share = FileShare.ReadWrite,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }),
        next);

    private static Checkpoint? ReadBlock(byte[] bytes, int block, NoteVerifier verifier)
    {
        if (bytes.Length <= block * Block)
            return null;

        try
        {
            string text = Encoding.UTF8.GetString(bytes, block * Block, Math.Min(Block, bytes.Length - (block * Block)));
            return Checkpoint.ParseSigned(text.TrimEnd('\0'), verifier);
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
        RandomAccess.Write(_file.SafeFileHandle, block, (long)_next * Block);
        RandomAccess.FlushToDisk(_file.SafeFileHandle);
        _next = 1 - _next;
    }
}
