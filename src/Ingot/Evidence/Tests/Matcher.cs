using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Ingot.Evidence.Tests;

/// <summary>What a matcher answered: it holds, it does not, or the value is of a kind it cannot judge.
/// A matcher that cannot judge fails, negated or not.</summary>
/// <param name="Holds">Whether it holds.</param>
/// <param name="Problem">Why it could not judge; null when it could.</param>
/// <param name="Note">What helps to see why it does not hold, such as missing elements; null when there is nothing to add.</param>
public readonly record struct MatchAnswer(bool Holds, string? Problem = null, string? Note = null);

/// <summary>What a goss file expects of a value.</summary>
public abstract record Matcher
{
    private Matcher()
    {
    }

    /// <summary>Holds <paramref name="actual"/> against the expectation.</summary>
    public abstract MatchAnswer Match(GossValue actual);

    /// <summary>The expectation as JSON, for messages.</summary>
    public string Json
    {
        get
        {
            using var buffer = new MemoryStream();
            using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
                Write(json);
            return Encoding.UTF8.GetString(buffer.ToArray());
        }
    }

    /// <inheritdoc/>
    public sealed override string ToString() => Json;

    internal abstract void Write(Utf8JsonWriter json);

    /// <summary>The same value of the same kind.</summary>
    public sealed record EqualTo(GossValue Expected) : Matcher
    {
        /// <inheritdoc/>
        public override MatchAnswer Match(GossValue actual) => new(Expected.Equals(actual));

        internal override void Write(Utf8JsonWriter json) => Expected.Write(json);
    }

    /// <summary>The value as text is exactly this.</summary>
    public sealed record TextIs(string Expected) : Matcher
    {
        /// <inheritdoc/>
        public override MatchAnswer Match(GossValue actual) => new(actual.AsText() == Expected);

        internal override void Write(Utf8JsonWriter json) => new GossValue.Text(Expected).Write(json);
    }

    /// <summary>The value as a number compares so: <c>eq</c>, <c>gt</c>, <c>ge</c>, <c>lt</c>, <c>le</c>.</summary>
    public sealed record Compares(string Operator, double Bound) : Matcher
    {
        /// <inheritdoc/>
        public override MatchAnswer Match(GossValue actual)
        {
            if (actual.AsNumber() is not { } number)
                return new MatchAnswer(false, $"{actual.Json} is not a number");

            return new MatchAnswer(Operator switch
            {
                "gt" => number > Bound,
                "ge" => number >= Bound,
                "lt" => number < Bound,
                "le" => number <= Bound,
                _ => number.Equals(Bound),
            });
        }

        internal override void Write(Utf8JsonWriter json)
        {
            if (Operator == "eq")
                new GossValue.Number(Bound).Write(json);
            else
                WriteNamed(json, Operator, j => new GossValue.Number(Bound).Write(j));
        }
    }

    /// <summary>The value as text begins with this.</summary>
    public sealed record HasPrefix(string Prefix) : Matcher
    {
        /// <inheritdoc/>
        public override MatchAnswer Match(GossValue actual) => new(actual.AsText().StartsWith(Prefix, StringComparison.Ordinal));

        internal override void Write(Utf8JsonWriter json) => WriteNamed(json, "have-prefix", j => j.WriteStringValue(Prefix));
    }

    /// <summary>The value as text ends with this.</summary>
    public sealed record HasSuffix(string Suffix) : Matcher
    {
        /// <inheritdoc/>
        public override MatchAnswer Match(GossValue actual) => new(actual.AsText().EndsWith(Suffix, StringComparison.Ordinal));

        internal override void Write(Utf8JsonWriter json) => WriteNamed(json, "have-suffix", j => j.WriteStringValue(Suffix));
    }

    /// <summary>Some part of the value as text matches.</summary>
    public sealed record MatchesExpression(GoRegex Expression) : Matcher
    {
        /// <inheritdoc/>
        public override MatchAnswer Match(GossValue actual) => new(Expression.IsMatch(actual.AsText()));

        internal override void Write(Utf8JsonWriter json) => WriteNamed(json, "match-regexp", j => j.WriteStringValue(Expression.Pattern));
    }

    /// <summary>The value as text contains this.</summary>
    public sealed record ContainsText(string Part) : Matcher
    {
        /// <inheritdoc/>
        public override MatchAnswer Match(GossValue actual) => new(actual.AsText().Contains(Part, StringComparison.Ordinal));

        internal override void Write(Utf8JsonWriter json) => WriteNamed(json, "contain-substring", j => j.WriteStringValue(Part));
    }

    /// <summary>Some element of the list matches; a text is the list of its lines.</summary>
    public sealed record ContainsElement(Matcher Element) : Matcher
    {
        /// <inheritdoc/>
        public override MatchAnswer Match(GossValue actual)
        {
            if (actual.AsItems() is not { } items)
                return NotAList(actual);

            string? problem = null;
            foreach (var item in items)
            {
                var answer = Element.Match(item);
                if (answer.Holds)
                    return answer;
                problem ??= answer.Problem;
            }

            return new MatchAnswer(false, problem);
        }

        internal override void Write(Utf8JsonWriter json) => WriteNamed(json, "contain-element", Element.Write);
    }

    /// <summary>Each expectation is met by an element of the list, no element meeting two.</summary>
    /// <param name="Elements">The expectations.</param>
    /// <param name="SplitsText">Whether a text counts as the list of its lines: <c>contain-elements</c> says so,
    /// a list written plainly does not.</param>
    public sealed record ContainsElements(IReadOnlyList<Matcher> Elements, bool SplitsText) : Matcher
    {
        /// <inheritdoc/>
        public override MatchAnswer Match(GossValue actual)
        {
            if ((SplitsText ? actual.AsItems() : (actual as GossValue.Items)?.Values) is not { } items)
                return NotAList(actual);

            var missing = Assignment.Unmatched(Elements, items);
            return missing.Count == 0 ? new MatchAnswer(true) : new MatchAnswer(false, Note: $"missing {List(missing)}");
        }

        internal override void Write(Utf8JsonWriter json)
        {
            if (SplitsText)
                WriteNamed(json, "contain-elements", j => WriteAll(j, Elements));
            else
                WriteAll(json, Elements);
        }
    }

    /// <summary>The list's elements meet the expectations one to one, in any order.</summary>
    public sealed record ConsistsOf(IReadOnlyList<Matcher> Elements) : Matcher
    {
        /// <inheritdoc/>
        public override MatchAnswer Match(GossValue actual)
        {
            if (actual is not GossValue.Items items)
                return NotAList(actual);

            var missing = Assignment.Unmatched(Elements, items.Values);
            if (missing.Count > 0)
                return new MatchAnswer(false, Note: $"missing {List(missing)}");

            int extra = items.Values.Count - Elements.Count;
            return extra == 0 ? new MatchAnswer(true) : new MatchAnswer(false, Note: $"{extra} more than expected");
        }

        internal override void Write(Utf8JsonWriter json) => WriteNamed(json, "consist-of", j => WriteAll(j, Elements));
    }

    /// <summary>The list has so many elements, the text so many bytes.</summary>
    public sealed record HasLength(int Length) : Matcher
    {
        /// <inheritdoc/>
        public override MatchAnswer Match(GossValue actual) => actual switch
        {
            GossValue.Items items => new MatchAnswer(items.Values.Count == Length, Note: Is(items.Values.Count)),
            GossValue.Text text =>
                new MatchAnswer(Encoding.UTF8.GetByteCount(text.Value) == Length, Note: Is(Encoding.UTF8.GetByteCount(text.Value))),
            _ => new MatchAnswer(false, $"{actual.Json} has no length"),
        };

        private static string Is(int length) => $"its length is {length}";

        internal override void Write(Utf8JsonWriter json) => WriteNamed(json, "have-len", j => j.WriteNumberValue(Length));
    }

    /// <summary>The map has a key that matches. No attribute that is read from an image is a map: it never can be judged.</summary>
    public sealed record HasKey(Matcher Key) : Matcher
    {
        /// <inheritdoc/>
        public override MatchAnswer Match(GossValue actual) => new(false, $"{actual.Json} is not a map");

        internal override void Write(Utf8JsonWriter json) => WriteNamed(json, "have-key", Key.Write);
    }

    /// <summary>Each pattern holds for the lines of the text.</summary>
    /// <param name="Patterns">The patterns.</param>
    /// <param name="IsNamed">Whether the file says <c>have-patterns</c>; a plain list means the same where a text is read.</param>
    public sealed record HasPatterns(IReadOnlyList<LinePattern> Patterns, bool IsNamed) : Matcher
    {
        /// <inheritdoc/>
        public override MatchAnswer Match(GossValue actual)
        {
            var lines = LinePattern.Lines(actual.AsText());
            var missing = Patterns.Where(p => !p.Holds(lines)).Select(p => p.Source).ToList();
            return missing.Count == 0 ? new MatchAnswer(true) : new MatchAnswer(false, Note: $"missing {GossValue.Items.Of(missing).Json}");
        }

        internal override void Write(Utf8JsonWriter json)
        {
            var list = GossValue.Items.Of(Patterns.Select(p => p.Source));
            if (IsNamed)
                WriteNamed(json, "have-patterns", list.Write);
            else
                list.Write(json);
        }
    }

    /// <summary>The expectation does not hold.</summary>
    public sealed record Not(Matcher Inner) : Matcher
    {
        /// <inheritdoc/>
        public override MatchAnswer Match(GossValue actual)
        {
            var answer = Inner.Match(actual);
            return answer.Problem is null ? new MatchAnswer(!answer.Holds) : answer;
        }

        internal override void Write(Utf8JsonWriter json) => WriteNamed(json, "not", Inner.Write);
    }

    /// <summary>All of the expectations hold.</summary>
    public sealed record And(IReadOnlyList<Matcher> All) : Matcher
    {
        /// <inheritdoc/>
        public override MatchAnswer Match(GossValue actual)
        {
            foreach (var inner in All)
            {
                var answer = inner.Match(actual);
                if (!answer.Holds)
                    return answer with { Note = answer.Note ?? $"{inner.Json} does not hold" };
            }

            return new MatchAnswer(true);
        }

        internal override void Write(Utf8JsonWriter json) => WriteNamed(json, "and", j => WriteAll(j, All));
    }

    /// <summary>One of the expectations holds, and none before it could not judge.</summary>
    public sealed record Or(IReadOnlyList<Matcher> Any) : Matcher
    {
        /// <inheritdoc/>
        public override MatchAnswer Match(GossValue actual)
        {
            foreach (var inner in Any)
            {
                var answer = inner.Match(actual);
                if (answer.Holds || answer.Problem is not null)
                    return answer;
            }

            return new MatchAnswer(false);
        }

        internal override void Write(Utf8JsonWriter json) => WriteNamed(json, "or", j => WriteAll(j, Any));
    }

    private static MatchAnswer NotAList(GossValue actual) => new(false, $"{actual.Json} is not a list");

    private static string List(IEnumerable<Matcher> matchers) => $"[{string.Join(',', matchers.Select(m => m.Json))}]";

    private static void WriteNamed(Utf8JsonWriter json, string name, Action<Utf8JsonWriter> value)
    {
        json.WriteStartObject();
        json.WritePropertyName(name);
        value(json);
        json.WriteEndObject();
    }

    private static void WriteAll(Utf8JsonWriter json, IReadOnlyList<Matcher> matchers)
    {
        json.WriteStartArray();
        foreach (var matcher in matchers)
            matcher.Write(json);
        json.WriteEndArray();
    }
}

/// <summary>Gives each expectation an element of its own where that is possible:
/// a matching in a bipartite graph by augmenting paths.</summary>
internal static class Assignment
{
    public static IReadOnlyList<Matcher> Unmatched(IReadOnlyList<Matcher> matchers, IReadOnlyList<GossValue> items)
    {
        var takenBy = new int[items.Count];
        Array.Fill(takenBy, -1);
        List<Matcher> unmatched = [];
        for (int i = 0; i < matchers.Count; i++)
        {
            if (!TryTake(i, matchers, items, takenBy, new bool[items.Count]))
                unmatched.Add(matchers[i]);
        }

        return unmatched;
    }

    private static bool TryTake(int matcher, IReadOnlyList<Matcher> matchers, IReadOnlyList<GossValue> items, int[] takenBy, bool[] tried)
    {
        for (int i = 0; i < items.Count; i++)
        {
            if (tried[i] || !matchers[matcher].Match(items[i]).Holds)
                continue;

            tried[i] = true;
            // Taken already: the one who has it may have another choice.
            if (takenBy[i] < 0 || TryTake(takenBy[i], matchers, items, takenBy, tried))
            {
                takenBy[i] = matcher;
                return true;
            }
        }

        return false;
    }
}
