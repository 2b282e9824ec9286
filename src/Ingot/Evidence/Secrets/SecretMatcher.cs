using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;

namespace Ingot.Evidence.Secrets;

/// <summary>A match in one text: where it is and what of it may be shown.</summary>
internal readonly record struct SecretMatch(SecretRule Rule, long Start, int Length, int Line, string Shown, string Secret);

/// <summary>Holds the rules against text: a search for all keywords at once, and around what it finds the rules of that keyword.</summary>
internal static class SecretMatcher
{
    /// <summary>The most characters of a match that are looked at.</summary>
    public const int Ahead = 8 << 10;

    private static readonly Keywords s_exact = new(SecretRules.All.Where(r => !r.AnyCase), StringComparison.Ordinal);
    private static readonly Keywords s_anyCase = new(SecretRules.All.Where(r => r.AnyCase), StringComparison.OrdinalIgnoreCase);

    /// <summary>The most characters before a keyword that a rule looks at, its edge included.</summary>
    public static int Before { get; } = SecretRules.All.Max(r => r.Before) + 1;

    /// <summary>Finds what matches around the keywords in <paramref name="text"/> from <paramref name="from"/> up to
    /// <paramref name="to"/>.</summary>
    /// <param name="text">The text; characters before and after the range give context.</param>
    /// <param name="from">The first character at which a keyword counts.</param>
    /// <param name="to">The first at which none does.</param>
    /// <param name="applies">Which rules are looked for.</param>
    /// <param name="found">Gets each match with its position in <paramref name="text"/>; the same one may come again.</param>
    public static void Find(
        ReadOnlySpan<char> text, int from, int to, Func<SecretRule, bool> applies, Action<SecretRule, int, string, string> found)
    {
        s_exact.Find(text, from, to, applies, found);
        s_anyCase.Find(text, from, to, applies, found);
    }

    /// <summary>All matches of a short text, generic ones only where no other rule matched.</summary>
    public static IReadOnlyList<SecretMatch> Find(string text, Func<SecretRule, bool> applies)
    {
        List<SecretMatch> matches = [];
        Find(text, 0, text.Length, applies, (rule, start, secret, shown) =>
            matches.Add(new SecretMatch(rule, start, secret.Length, 1 + text.AsSpan(0, start).Count('\n'), shown, secret)));
        return Distinct(matches);
    }

    /// <summary>Each match once, and no generic one over a match of another rule.</summary>
    public static IReadOnlyList<SecretMatch> Distinct(IReadOnlyList<SecretMatch> matches)
    {
        var unique = matches.DistinctBy(m => (m.Rule.Id, m.Start))
            .OrderBy(m => m.Start).ThenBy(m => m.Rule.Id, StringComparer.Ordinal).ToList();
        var kept = unique.Where(m => !m.Rule.IsGeneric).ToList();
        foreach (var generic in unique.Where(m => m.Rule.IsGeneric))
        {
            if (!kept.Exists(k => Overlap(k, generic)))
                kept.Add(generic);
        }

        return [.. kept.OrderBy(m => m.Start).ThenBy(m => m.Rule.Id, StringComparer.Ordinal)];
    }

    private static bool Overlap(SecretMatch a, SecretMatch b) => a.Start < b.Start + b.Length && b.Start < a.Start + a.Length;

    private static void Try(SecretRule rule, ReadOnlySpan<char> text, int keyword, Action<SecretRule, int, string, string> found)
    {
        int start = Math.Max(0, keyword - rule.Before - 1);
        var window = text[start..Math.Min(text.Length, keyword + rule.Ahead)];
        if (!rule.Regex.IsMatch(window))
            return;

        string copy = window.ToString();
        for (var match = rule.Regex.Match(copy); match.Success && match.Index <= keyword - start; match = match.NextMatch())
        {
            var group = match.Groups["secret"];
            // A match around another keyword has its own turn.
            if (match.Index + match.Length > keyword - start
                && Entropy.Of(group.ValueSpan) >= rule.MinEntropy
                && rule.Accepts?.Invoke(group.Value) != false
                && rule.AcceptsMatch?.Invoke(match.Value) != false
                && !(rule.IsGeneric && Placeholder.IsOne(group.Value)))
            {
                string secret = Whole(rule, text, start + group.Index, group.Length);
                found(rule, start + group.Index, secret, Show(match, secret, rule));
            }
        }
    }

    // A pattern need not reach to the end of a long secret; what is taken out of texts must.
    private static string Whole(SecretRule rule, ReadOnlySpan<char> text, int start, int length)
    {
        int end = start + length;
        int footer = rule.HasLines ? text[end..Math.Min(text.Length, start + Ahead)].IndexOf("-----END") : -1;
        if (footer >= 0)
            return text[start..(end + footer)].ToString();

        while (end < text.Length && end < start + Ahead && (IsTokenCharacter(text[end]) || (rule.HasLines && IsBetweenLines(text[end]))))
            end++;

        return text[start..end].ToString();
    }

    private static bool IsTokenCharacter(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' or '/' or '+' or '=' or '~';

    private static bool IsBetweenLines(char c) => char.IsWhiteSpace(c) || c is '\\' or '"' or '\'' or ',';

    // What may be seen: the name it is assigned to, and the beginning that every secret of the kind has.
    // What else stood around it may be another secret.
    private static string Show(Match match, string secret, SecretRule rule)
    {
        string name = match.Groups["name"] is { Success: true } group ? $"{Printable(group.Value)}=" : "";
        string known = rule.AnyCase ? "" : rule.Keywords.FirstOrDefault(k => secret.StartsWith(k, StringComparison.Ordinal)) ?? "";
        return $"{name}{known}… ({secret.Length} characters)";
    }

    internal static string Printable(string text)
    {
        var clean = new StringBuilder(text.Length);
        foreach (char c in text)
            clean.Append(char.IsControl(c) ? ' ' : c);
        return clean.ToString();
    }

    private sealed class Keywords
    {
        private readonly SearchValues<string> _search;
        private readonly StringComparison _comparison;
        private readonly Dictionary<char, List<(string Keyword, SecretRule Rule)>> _byFirst = [];

        public Keywords(IEnumerable<SecretRule> rules, StringComparison comparison)
        {
            _comparison = comparison;
            var all = rules.SelectMany(rule => rule.Keywords.Select(keyword => (Keyword: keyword, Rule: rule))).ToList();
            _search = SearchValues.Create([.. all.Select(a => a.Keyword).Distinct()], comparison);
            foreach (var pair in all)
                Of(pair.Keyword[0]).Add(pair);
        }

        public void Find(
            ReadOnlySpan<char> text, int from, int to, Func<SecretRule, bool> applies, Action<SecretRule, int, string, string> found)
        {
            while (from < to)
            {
                int next = text[from..].IndexOfAny(_search);
                if (next < 0 || from + next >= to)
                    return;

                from += next;
                foreach (var (keyword, rule) in Of(text[from]))
                {
                    if (text[from..].StartsWith(keyword, _comparison) && applies(rule))
                        Try(rule, text, from, found);
                }

                from++;
            }
        }

        private List<(string Keyword, SecretRule Rule)> Of(char first)
        {
            char key = _comparison == StringComparison.Ordinal ? first : char.ToLowerInvariant(first);
            if (!_byFirst.TryGetValue(key, out var list))
                _byFirst[key] = list = [];
            return list;
        }
    }
}
