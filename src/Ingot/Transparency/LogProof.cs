using System.Globalization;
using System.Text;

namespace Ingot.Transparency;

/// <summary>A receipt that can be checked without the log: where an entry stands, the path to the root, and the signed checkpoint
/// (<see href="https://c2sp.org/tlog-proof">C2SP tlog-proof</see>, version 1).</summary>
/// <param name="Index">The entry's place in the log, from 0.</param>
/// <param name="Path">The inclusion proof, the leaf's sibling first.</param>
/// <param name="Checkpoint">The signed checkpoint, as text.</param>
public sealed record LogProof(long Index, IReadOnlyList<MerkleHash> Path, string Checkpoint)
{
    /// <summary>The first line of a proof.</summary>
    public const string Header = "c2sp.org/tlog-proof@v1";

    private const int MaxPath = 63;

    /// <summary>Reads a proof, or throws <see cref="FormatException"/>. Verifies nothing; an <c>extra</c> line is skipped,
    /// because nothing vouches for it.</summary>
    public static LogProof Parse(string text)
    {
        int split = text.IndexOf("\n\n", StringComparison.Ordinal);
        if (split < 0)
            throw new FormatException("the proof has no empty line before its checkpoint");

        var lines = new Queue<string>(text[..split].Split('\n'));
        if (lines.Dequeue() != Header)
            throw new FormatException($"the text is not a proof: expected '{Header}' in its first line");
        if (lines.TryPeek(out string? extra) && extra.StartsWith("extra ", StringComparison.Ordinal))
            lines.Dequeue();

        return new LogProof(ParseIndex(lines), ParsePath(lines), text[(split + 2)..]);
    }

    /// <summary>Checks that <paramref name="entry"/> is in the log of <paramref name="verifier"/>; returns the checkpoint it is under, or
    /// throws <see cref="FormatException"/> with what does not hold.</summary>
    public Checkpoint Verify(ReadOnlySpan<byte> entry, NoteVerifier verifier)
    {
        var checkpoint = Transparency.Checkpoint.ParseSigned(Checkpoint, verifier);
        return MerkleTree.VerifyInclusion(MerkleTree.HashLeaf(entry), Index, checkpoint.Size, checkpoint.Root, Path)
            ? checkpoint
            : throw new FormatException(
                $"the proof does not show the entry to stand at {Index} of the {checkpoint.Size} entries of '{checkpoint.Origin}'");
    }

    /// <summary>The proof as text, as <see cref="Parse"/> reads it.</summary>
    public override string ToString()
    {
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"{Header}\nindex {Index}\n");
        foreach (var hash in Path)
            text.Append(hash).Append('\n');
        return text.Append('\n').Append(Checkpoint).ToString();
    }

    private static long ParseIndex(Queue<string> lines)
    {
        const string Key = "index ";
        string line = lines.Count > 0 ? lines.Dequeue() : "";
        string number = line.StartsWith(Key, StringComparison.Ordinal) ? line[Key.Length..] : "";
        return long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out long index)
            && index.ToString(CultureInfo.InvariantCulture) == number
            ? index
            : throw new FormatException($"'{line}' is not the index of a proof: expected 'index NUMBER'");
    }

    private static List<MerkleHash> ParsePath(Queue<string> lines)
    {
        if (lines.Count > MaxPath)
            throw new FormatException($"the proof has {lines.Count} hashes: it may have {MaxPath}");

        return [.. lines.Select(line => MerkleHash.TryParse(line, out var hash)
            ? hash
            : throw new FormatException($"'{line}' is not a hash: expected 32 bytes in base64"))];
    }
}
