namespace Ingot.Diagnostics;

/// <summary>What a person may have meant.</summary>
public static class Suggestion
{
    private const int MostShown = 20;

    /// <summary><c>did you mean 'x'?</c> with the candidate nearest to <paramref name="word"/>; null when none is near.</summary>
    public static string? For(string word, IEnumerable<string> candidates)
    {
        string? best = null;
        int bestDistance = Math.Max(1, word.Length / 3) + 1;
        foreach (var candidate in candidates)
        {
            int distance = Distance(word.ToUpperInvariant(), candidate.ToUpperInvariant());
            if (distance < bestDistance)
                (best, bestDistance) = (candidate, distance);
        }

        return best is null ? null : $"did you mean '{best}'?";
    }

    /// <summary>What a person may have meant, and everything there is to choose from:
    /// <c>did you mean 'web'? services: api, web</c>.</summary>
    /// <param name="word">What was written.</param>
    /// <param name="kind">What is chosen, in the plural.</param>
    /// <param name="known">What there is.</param>
    public static string Among(string word, string kind, IReadOnlyCollection<string> known)
    {
        if (known.Count == 0)
            return $"there are no {kind}";

        string all = $"{kind}: {string.Join(", ", known.Take(MostShown))}{(known.Count > MostShown ? ", …" : "")}";
        return For(word, known) is { } near ? $"{near} {all}" : all;
    }

    // Damerau-Levenshtein with adjacent transpositions; words are short.
    private static int Distance(string a, string b)
    {
        var d = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
            d[i, 0] = i;
        for (int j = 0; j <= b.Length; j++)
            d[0, j] = j;
        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                int cost = a[i - 1] == b[j - 1] ? 0 : 1;
                d[i, j] = Math.Min(Math.Min(d[i - 1, j] + 1, d[i, j - 1] + 1), d[i - 1, j - 1] + cost);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
            }
        }

        return d[a.Length, b.Length];
    }
}
