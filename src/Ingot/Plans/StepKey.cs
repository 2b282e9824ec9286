using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Ingot.Oci.Content;

namespace Ingot.Plans;

/// <summary>One thing a step's result depends on.</summary>
/// <param name="Name">What it is, such as <c>argument</c> or <c>parent</c>.</param>
/// <param name="Value">Its value.</param>
public readonly record struct KeyPart(string Name, string Value)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Name} {Value}";
}

/// <summary>Everything a step's result depends on, and the digest of that: two steps with one key have one result.</summary>
/// <param name="Parts">The parts, in order.</param>
/// <param name="Digest">The SHA-256 of the parts, each name and value preceded by its length.</param>
public sealed record StepKey(IReadOnlyList<KeyPart> Parts, Digest Digest)
{
    /// <summary>The key of these parts.</summary>
    public static StepKey Of(IReadOnlyList<KeyPart> parts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> length = stackalloc byte[4];
        foreach (var part in parts)
        {
            foreach (var text in (ReadOnlySpan<string>)[part.Name, part.Value])
            {
                byte[] bytes = Encoding.UTF8.GetBytes(text);
                BinaryPrimitives.WriteInt32BigEndian(length, bytes.Length);
                hash.AppendData(length);
                hash.AppendData(bytes);
            }
        }

        return new StepKey(parts, Digest.FromHash(hash.GetHashAndReset()));
    }

    /// <summary>The parts that this key and <paramref name="other"/>, an earlier one, do not share, in the order of this key and what is
    /// gone last. Parts are paired by what they name: a variable with the variable of that name, a rule with its other version,
    /// everything else in turn.</summary>
    public IReadOnlyList<KeyChange> ChangesFrom(StepKey other)
    {
        var gone = other.Parts.Except(Parts).ToList();
        var changes = new List<KeyChange>();
        foreach (var part in Parts.Except(other.Parts))
        {
            int before = gone.FindIndex(p => p.Name == part.Name && Subject(p) == Subject(part));
            changes.Add(new KeyChange(part.Name, before < 0 ? null : gone[before].Value, part.Value));
            if (before >= 0)
                gone.RemoveAt(before);
        }

        return [.. changes, .. gone.Select(part => new KeyChange(part.Name, part.Value, After: null))];
    }

    // What of several parts of one name this one speaks of.
    private static string Subject(KeyPart part)
    {
        char end = part.Name switch { "variable" => '=', "rule" => '@', "file" => '\n', _ => '\0' };
        int length = end == '\0' ? -1 : part.Value.IndexOf(end, StringComparison.Ordinal);
        return length < 0 ? "" : part.Value[..length];
    }
}
