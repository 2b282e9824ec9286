using System.Text.RegularExpressions;

namespace Ingot.Evidence.Secrets;

/// <summary>How a kind of secret is recognised: a row of <see cref="SecretRules.All"/>.</summary>
/// <param name="Id">A stable name.</param>
/// <param name="Description">What it is, for people.</param>
/// <param name="Keywords">Texts one of which stands in every match: only around them is the pattern tried.</param>
/// <param name="Pattern">The expression; its group <c>secret</c> is what must not be seen.</param>
public sealed record SecretRule(string Id, string Description, IReadOnlyList<string> Keywords, string Pattern)
{
    /// <summary>Whether keywords are found in any case.</summary>
    public bool AnyCase { get; init; }

    /// <summary>The least entropy of the secret, in bits a character; 0 for any.</summary>
    public double MinEntropy { get; init; }

    /// <summary>Where it is looked for.</summary>
    public SecretScope Scope { get; init; } = SecretScope.Everything;

    /// <summary>An expression that a file's path must match; null for every file. With one, only files are looked at.</summary>
    public string? PathPattern { get; init; }

    /// <summary>Whether a match is dropped when another rule has matched the same characters,
    /// and when it looks like a placeholder.</summary>
    public bool IsGeneric { get; init; }

    /// <summary>The most characters by which a match begins before its keyword.</summary>
    public int Before { get; init; } = 16;

    /// <summary>The most characters after the beginning of the keyword that decide whether there is a match:
    /// what is longer matches with its beginning.</summary>
    public int Ahead { get; init; } = 512;

    /// <summary>Whether the secret goes on over several lines, as a key in PEM does.</summary>
    public bool HasLines { get; init; }

    /// <summary>A last test of the secret that an expression cannot express; null for none.</summary>
    public Func<string, bool>? Accepts { get; init; }

    /// <summary>A last test of the whole match; null for none.</summary>
    public Func<string, bool>? AcceptsMatch { get; init; }

    // Building one costs milliseconds, and most rules never meet a keyword.
    internal Regex Regex =>
        field ??= new Regex(Pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture);

    private Regex? PathRegex =>
        field ??= PathPattern is null ? null : new Regex(PathPattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);

    internal bool AppliesTo(SecretPlace place, string path, bool isText) =>
        Scope switch
        {
            SecretScope.Text => isText,
            SecretScope.Configuration => place != SecretPlace.File,
            _ => true,
        }
        && (PathPattern is null || (place == SecretPlace.File && PathRegex!.IsMatch(path)));

    /// <inheritdoc/>
    public bool Equals(SecretRule? other) => other is not null && Id == other.Id;

    /// <inheritdoc/>
    public override int GetHashCode() => StringComparer.Ordinal.GetHashCode(Id);
}

/// <summary>Where a rule looks.</summary>
public enum SecretScope
{
    /// <summary>In every file, text or not, and in the configuration.</summary>
    Everything,

    /// <summary>In text files and in the configuration: the pattern is too loose for a program's bytes.</summary>
    Text,

    /// <summary>In environment, labels and history alone.</summary>
    Configuration,
}

internal static class Entropy
{
    /// <summary>Shannon's entropy of a text's characters, in bits a character.</summary>
    public static double Of(ReadOnlySpan<char> text)
    {
        Span<int> counts = stackalloc int[256];
        counts.Clear();
        foreach (char c in text)
            counts[c & 0xFF]++;

        double entropy = 0;
        foreach (int count in counts)
        {
            if (count > 0)
                entropy -= (double)count / text.Length * Math.Log2((double)count / text.Length);
        }

        return entropy;
    }
}
