using System.Globalization;
using System.Text;

namespace Ingot.Transparency;

/// <summary>What a log says of itself: its name, its size, its root
/// (<see href="https://c2sp.org/tlog-checkpoint">C2SP tlog-checkpoint</see>).</summary>
/// <param name="Origin">The log's name.</param>
/// <param name="Size">The number of entries.</param>
/// <param name="Root">The root of the tree over them.</param>
public sealed record Checkpoint(string Origin, long Size, MerkleHash Root)
{
    /// <summary>Lines after the root; none of them is empty. Ingot writes none.</summary>
    public IReadOnlyList<string> Extensions { get; init; } = [];

    /// <summary>Reads the text of a note, or throws <see cref="FormatException"/>.</summary>
    public static Checkpoint Parse(string text)
    {
        string[] lines = text.Split('\n');
        if (lines.Length < 4 || lines[^1].Length != 0)
            throw new FormatException("a checkpoint has three lines at least: origin, size and root, each ended by a newline");
        if (lines[0].Length == 0)
            throw new FormatException("the checkpoint's origin is empty");
        if (!long.TryParse(lines[1], NumberStyles.None, CultureInfo.InvariantCulture, out long size)
            || size.ToString(CultureInfo.InvariantCulture) != lines[1])
            throw new FormatException($"the checkpoint's size is '{lines[1]}': expected a decimal number without leading zeros");
        if (!MerkleHash.TryParse(lines[2], out var root))
            throw new FormatException($"the checkpoint's root is '{lines[2]}': expected 32 bytes in base64");

        string[] extensions = lines[3..^1];
        if (extensions.Contains(""))
            throw new FormatException("a checkpoint holds no empty line");

        return new Checkpoint(lines[0], size, root) { Extensions = extensions };
    }

    /// <summary>Reads a checkpoint that the key of <paramref name="verifier"/> signed under the origin of the key's name, or throws
    /// <see cref="FormatException"/>.</summary>
    public static Checkpoint ParseSigned(string note, NoteVerifier verifier)
    {
        var signed = SignedNote.Parse(note);
        if (!signed.IsSignedBy(verifier))
            throw new FormatException($"the checkpoint is not signed by the key of '{verifier.Name}'");

        var checkpoint = Parse(signed.Text);
        return checkpoint.Origin == verifier.Name
            ? checkpoint
            : throw new FormatException($"the checkpoint is of '{checkpoint.Origin}' and the key of '{verifier.Name}'");
    }

    /// <summary>Signs the checkpoint.</summary>
    public SignedNote Sign(NoteSigner signer) => SignedNote.Sign(ToString(), signer);

    /// <summary>The text that is signed.</summary>
    public override string ToString()
    {
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"{Origin}\n{Size}\n{Root}\n");
        foreach (string extension in Extensions)
            text.Append(extension).Append('\n');
        return text.ToString();
    }
}
