using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Ingot.Transparency;

/// <summary>A signature under a note: whose, and the bytes. Unknown types are carried along unread.</summary>
/// <param name="Name">The key's name.</param>
/// <param name="KeyId">The key's id, the first four bytes of a hash, big endian.</param>
/// <param name="Signature">The bytes after the key id.</param>
public sealed record NoteSignature(string Name, uint KeyId, ReadOnlyMemory<byte> Signature);

/// <summary>A text with signatures below it
/// (<see href="https://c2sp.org/signed-note">C2SP signed-note</see>).</summary>
/// <param name="Text">The text that is signed, with the newline it ends in.</param>
/// <param name="Signatures">The signatures, in the note's order; none of them is verified by being here.</param>
public sealed record SignedNote(string Text, IReadOnlyList<NoteSignature> Signatures)
{
    private const int MaxBytes = 1 << 20;
    private const int MaxSignatures = 100;
    private const string SignaturePrefix = "\u2014 ";

    // Strict: malformed UTF-8 is refused, not replaced.
    private static readonly UTF8Encoding s_utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Signs <paramref name="text"/>, which must end in a newline.</summary>
    public static SignedNote Sign(string text, NoteSigner signer)
    {
        if (!IsText(text))
            throw new ArgumentException("the text of a note ends in a newline and holds no other control character", nameof(text));

        return new SignedNote(text, [new NoteSignature(signer.Verifier.Name, signer.Verifier.KeyId, signer.Sign(s_utf8.GetBytes(text)))]);
    }

    /// <summary>Reads a note, or throws <see cref="FormatException"/>. Verifies nothing.</summary>
    public static SignedNote Parse(ReadOnlySpan<byte> note)
    {
        if (note.Length > MaxBytes)
            throw new FormatException($"the note has {note.Length} bytes: a note may have {MaxBytes}");

        try
        {
            return Parse(s_utf8.GetString(note));
        }
        catch (DecoderFallbackException e)
        {
            throw new FormatException("the note is not UTF-8", e);
        }
    }

    /// <summary>Reads a note, or throws <see cref="FormatException"/>. Verifies nothing.</summary>
    public static SignedNote Parse(string note)
    {
        // Signatures cannot hold an empty line, so the last one ends the text.
        int split = note.LastIndexOf("\n\n", StringComparison.Ordinal);
        if (split < 0)
            throw new FormatException("the note has no empty line between its text and its signatures");

        string text = note[..(split + 1)];
        string below = note[(split + 2)..];
        if (!IsText(text) || !IsText(below))
            throw new FormatException("the note does not end in a newline, or holds another control character");

        var lines = below[..^1].Split('\n');
        if (lines.Length > MaxSignatures)
            throw new FormatException($"the note has {lines.Length} signatures: it may have {MaxSignatures}");

        return new SignedNote(text, [.. lines.Select(ParseSignature)]);
    }

    /// <summary>Whether the note is signed by <paramref name="verifier"/>'s key: there is a signature of that name and id, and every such
    /// one is valid. Signatures of other keys are ignored.</summary>
    public bool IsSignedBy(NoteVerifier verifier)
    {
        var own = Signatures.Where(signature => signature.Name == verifier.Name && signature.KeyId == verifier.KeyId).ToList();
        if (own.Count == 0)
            return false;

        var text = s_utf8.GetBytes(Text);
        return own.TrueForAll(signature => verifier.Verify(text, signature.Signature.Span));
    }

    /// <summary>The note as text, as <see cref="Parse(string)"/> reads it.</summary>
    public override string ToString()
    {
        var note = new StringBuilder(Text).Append('\n');
        foreach (var (name, keyId, signature) in Signatures)
            note.Append(CultureInfo.InvariantCulture,
                $"{SignaturePrefix}{name} {Convert.ToBase64String(WithKeyId(keyId, signature.Span))}\n");
        return note.ToString();
    }

    /// <summary>Whether a key may have this name: not empty, without a space or <c>+</c>.</summary>
    internal static bool IsKeyName(string name) => name.Length > 0 && !name.Any(c => char.IsWhiteSpace(c) || char.IsControl(c) || c == '+');

    private static bool IsText(string text) => text.EndsWith('\n') && !text.Any(c => c != '\n' && char.IsControl(c));

    private static NoteSignature ParseSignature(string line)
    {
        int space = line.LastIndexOf(' ');
        if (!line.StartsWith(SignaturePrefix, StringComparison.Ordinal) || space <= SignaturePrefix.Length)
            throw new FormatException($"'{line}' is not a signature: expected '{SignaturePrefix}NAME BASE64'");

        string name = line[SignaturePrefix.Length..space];
        string base64 = line[(space + 1)..];
        if (!IsKeyName(name) || !TryBase64(base64, out var bytes) || bytes.Length <= 4)
            throw new FormatException($"'{line}' is not a signature: expected '{SignaturePrefix}NAME BASE64'");

        return new NoteSignature(name, BinaryPrimitives.ReadUInt32BigEndian(bytes), bytes.AsMemory(4));
    }

    internal static bool TryBase64(string text, out byte[] bytes)
    {
        bytes = new byte[text.Length];
        if (!Convert.TryFromBase64String(text, bytes, out int written))
            return false;

        Array.Resize(ref bytes, written);
        // Padding bits and white space would give one signature many spellings.
        return Convert.ToBase64String(bytes) == text;
    }

    private static byte[] WithKeyId(uint keyId, ReadOnlySpan<byte> signature)
    {
        var bytes = new byte[4 + signature.Length];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, keyId);
        signature.CopyTo(bytes.AsSpan(4));
        return bytes;
    }
}
