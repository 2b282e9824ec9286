using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Ingot.Evidence.Signatures;
using Ingot.Oci.Content;

namespace Ingot.Evidence;

/// <summary>Remembers of manifests in a store whether a set of keys vouches for them, so that what nobody trusts is looked at once and not
/// at every question. For many threads.</summary>
/// <remarks>Only what follows from the bytes and the keys alone is remembered: a digest names the bytes, the keys' identities name the set.
/// Whoever is asked about other keys looks again.</remarks>
public sealed class EvidenceVerdicts
{
    private const int Max = 50_000;

    private readonly ConcurrentDictionary<Question, TrustVerdict> _known = new();

    internal static string NameOf(IEnumerable<TrustedKey> keys) =>
        Convert.ToHexStringLower(
            SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', keys.Select(Trust).Distinct().Order(StringComparer.Ordinal)))));

    // A key that was retired, or has another role, vouches for other things than it did.
    private static string Trust(TrustedKey key) =>
        $"{key.Key.Id} {key.Retired is null} "
        + $"{(key.Predicates is null ? "*" : string.Join(' ', key.Predicates.Order(StringComparer.Ordinal)))}";

    internal TrustVerdict? Find(string keys, Digest subject, Digest manifest) =>
        _known.GetValueOrDefault(new Question(keys, subject, manifest));

    internal void Add(string keys, Digest subject, Digest manifest, TrustVerdict verdict)
    {
        // What is forgotten costs another look.
        if (_known.Count >= Max)
            _known.Clear();
        _known[new Question(keys, subject, manifest)] = verdict;
    }

    /// <summary>What was found.</summary>
    /// <param name="Reason">Why the manifest is not trusted; null when it is.</param>
    /// <param name="Bundle">What it holds when it is believed.</param>
    internal sealed record TrustVerdict(string? Reason, Digest? Bundle = null);

    private readonly record struct Question(string Keys, Digest Subject, Digest Manifest);
}
