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
    private const int MaxShown = 120;

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

    /// <summary>What stands in this key and not in <paramref name="other"/>, or the other way round: why a cached result could not be used. At most ten sentences.</summary>
    public IReadOnlyList<string> DifferencesFrom(StepKey other)
    {
        if (Parts.Count > 0 && other.Parts.Count > 0 && other.Parts.All(p => p.Name != Parts[0].Name))
            return [$"a step of another kind stood here: '{other.Parts[0].Name}'"];

        var gone = other.Parts.Except(Parts).ToList();
        var sentences = new List<string>();
        foreach (var part in Parts.Except(other.Parts))
        {
            int before = gone.FindIndex(p => p.Name == part.Name);
            sentences.Add(before < 0 ? $"{part.Name} is new: '{Shown(part.Value)}'" : $"{part.Name} was '{Shown(gone[before].Value)}' and is '{Shown(part.Value)}'");
            if (before >= 0)
                gone.RemoveAt(before);
        }

        sentences.AddRange(gone.Select(part => $"{part.Name} is gone: '{Shown(part.Value)}'"));
        if (sentences.Count == 0)
            sentences.Add("the order of its parts changed");
        return sentences.Count > 10 ? [.. sentences.Take(10)] : sentences;
    }

    // A file of the template is a value too.
    private static string Shown(string value)
    {
        int end = value.IndexOf('\n', StringComparison.Ordinal);
        return end < 0 && value.Length <= MaxShown ? value : value[..Math.Min(MaxShown, end < 0 ? MaxShown : end)] + "…";
    }
}
