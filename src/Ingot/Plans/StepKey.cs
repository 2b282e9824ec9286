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

        var sentences = ChangesFrom(other).Select(Sentence).ToList();
        if (sentences.Count == 0)
            sentences.Add("the order of its parts changed");
        return sentences.Count > 10 ? [.. sentences.Take(10)] : sentences;
    }

    /// <summary>The parts that this key and <paramref name="other"/>, an earlier one, do not share, in the order of this key and what is gone last. Parts are paired by what they name:
    /// a variable with the variable of that name, a rule with its other version, everything else in turn.</summary>
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

    private static string Sentence(KeyChange change) => (change.Before, change.After) switch
    {
        (null, { } after) => $"{change.Name} is new: '{Shown(after)}'",
        ({ } before, null) => $"{change.Name} is gone: '{Shown(before)}'",
        ({ } before, { } after) => $"{change.Name} was '{Shown(before)}' and is '{Shown(after)}'",
        _ => change.Name,
    };

    // A file of the template is a value too.
    private static string Shown(string value)
    {
        int end = value.IndexOf('\n', StringComparison.Ordinal);
        return end < 0 && value.Length <= MaxShown ? value : value[..Math.Min(MaxShown, end < 0 ? MaxShown : end)] + "…";
    }
}
