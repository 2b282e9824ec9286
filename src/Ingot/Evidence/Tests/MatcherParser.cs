using Ingot.Diagnostics;
using Ingot.Yaml;

namespace Ingot.Evidence.Tests;

/// <summary>Reads what a goss file expects of one attribute. Null where it is wrong, and where nothing is asserted;
/// the diagnostics say which.</summary>
internal sealed class MatcherParser(DiagnosticBag diagnostics)
{
    private static readonly string[] s_names =
    [
        "equal", "have-prefix", "have-suffix", "match-regexp", "contain-substring", "gt", "ge", "lt", "le",
        "contain-element", "contain-elements",
        "consist-of", "have-len", "have-key", "have-patterns", "not", "and", "or",
    ];

    private static readonly string[] s_notYet = ["semver-constraint", "gjson", "xml"];

    public Matcher? Parse(YamlNode value, GossAttributeKind kind, string path)
    {
        if (kind == GossAttributeKind.Reader && value is YamlList list)
            return list.Items.Count == 0 ? Nothing(list, path) : Patterns(list, isNamed: false, path);
        // Older files write numbers in quotes.
        if (kind == GossAttributeKind.Number
            && value is YamlScalar { IsPlain: false } quoted
            && (quoted with { IsPlain = true }).AsNumber() is { } number)
            return new Matcher.Compares("eq", number);

        return Parse(value, path);
    }

    // goss makes no check of it either: what asserts nothing must not count as passed.
    private Matcher.HasPatterns? Nothing(YamlList list, string path)
    {
        diagnostics.Warning("goss-empty-list", "an empty list asserts nothing", list.Span,
            "write \"\" to assert that it is empty, or remove the line", path);
        return null;
    }

    private Matcher? Parse(YamlNode value, string path) => value switch
    {
        YamlScalar { IsNull: true } => Fail<Matcher>(value, path, "goss-matcher-missing", "nothing is expected here",
            "write a value or a matcher, or remove the line"),
        YamlScalar scalar => Scalar(scalar),
        YamlList list => All(list, path) is { } elements ? new Matcher.ContainsElements(elements, SplitsText: false) : null,
        YamlMap map => Named(map, path),
        _ => null,
    };

    private static Matcher Scalar(YamlScalar scalar)
    {
        if (scalar.AsTruth() is { } truth)
            return new Matcher.EqualTo(new GossValue.Truth(truth));

        return scalar.AsNumber() is { } number ? new Matcher.Compares("eq", number) : new Matcher.TextIs(scalar.Text);
    }

    private Matcher? Named(YamlMap map, string path)
    {
        if (map.Entries.Count != 1)
        {
            string found = map.Entries.Count == 0 ? "none" : string.Join(", ", map.Entries.Select(e => $"'{e.Key.Text}'"));
            return Fail<Matcher>(map, path, "goss-matcher-count", $"one matcher is expected here, found {found}",
                "join several with 'and'");
        }

        var (key, value) = map.Entries[0];
        string below = $"{path}/{key.Text}";
        return key.Text switch
        {
            "equal" => Value(value, below) is { } expected ? new Matcher.EqualTo(expected) : null,
            "have-prefix" => Text(value, below) is { } text ? new Matcher.HasPrefix(text) : null,
            "have-suffix" => Text(value, below) is { } text ? new Matcher.HasSuffix(text) : null,
            "contain-substring" => Text(value, below) is { } text ? new Matcher.ContainsText(text) : null,
            "match-regexp" => Expression(value, below),
            "gt" or "ge" or "lt" or "le" => Number(value, below) is { } bound ? new Matcher.Compares(key.Text, bound) : null,
            "have-len" => Length(value, below),
            "have-key" => Parse(value, below) is { } inner ? new Matcher.HasKey(inner) : null,
            "have-patterns" =>
                value is YamlList list ? Patterns(list, isNamed: true, below) : Wrong<Matcher>(value, below, "a list of patterns"),
            "contain-element" => Parse(value, below) is { } inner ? new Matcher.ContainsElement(inner) : null,
            "contain-elements" => List(value, below) is { } all ? new Matcher.ContainsElements(all, SplitsText: true) : null,
            "consist-of" => List(value, below) is { } all ? new Matcher.ConsistsOf(all) : null,
            "and" => List(value, below) is { } all ? new Matcher.And(all) : null,
            "or" => List(value, below) is { } all ? new Matcher.Or(all) : null,
            "not" => Parse(value, below) is { } inner ? new Matcher.Not(inner) : null,
            var name when s_notYet.Contains(name) =>
                Fail<Matcher>(key, path, "goss-not-supported", $"the matcher '{name}' is not supported yet"),
            var name => Fail<Matcher>(key, path, "goss-matcher-unknown", $"'{name}' is not a matcher",
                Suggestion.For(name, s_names) ?? $"expected one of {string.Join(", ", s_names)}"),
        };
    }

    private IReadOnlyList<Matcher>? List(YamlNode value, string path) =>
        value is YamlList list ? All(list, path) : Wrong<IReadOnlyList<Matcher>>(value, path, "a list of matchers");

    private List<Matcher>? All(YamlList list, string path)
    {
        List<Matcher> matchers = [];
        for (int i = 0; i < list.Items.Count; i++)
        {
            if (Parse(list.Items[i], $"{path}[{i}]") is { } matcher)
                matchers.Add(matcher);
        }

        return matchers.Count == list.Items.Count ? matchers : null;
    }

    private Matcher.HasPatterns? Patterns(YamlList list, bool isNamed, string path)
    {
        List<LinePattern> patterns = [];
        for (int i = 0; i < list.Items.Count; i++)
        {
            if (Pattern(list.Items[i], $"{path}[{i}]") is { } pattern)
                patterns.Add(pattern);
        }

        return patterns.Count == list.Items.Count ? new Matcher.HasPatterns(patterns, isNamed) : null;
    }

    private LinePattern? Pattern(YamlNode item, string path)
    {
        if (item is not YamlScalar scalar)
            return Wrong<LinePattern>(item, path, "a pattern");

        return LinePattern.TryParse(scalar.Text, out var pattern, out var problem)
            ? pattern
            : BadExpression<LinePattern>(item, path, scalar.Text, problem);
    }

    private Matcher.MatchesExpression? Expression(YamlNode value, string path)
    {
        if (Text(value, path) is not { } text)
            return null;

        return GoRegex.TryParse(text, out var regex, out var problem)
            ? new Matcher.MatchesExpression(regex!)
            : BadExpression<Matcher.MatchesExpression>(value, path, text, problem);
    }

    private Matcher.HasLength? Length(YamlNode value, string path) =>
        Number(value, path) is not { } number ? null
        : number is >= 0 and <= int.MaxValue && Math.Floor(number).Equals(number) ? new Matcher.HasLength((int)number)
        : Wrong<Matcher.HasLength>(value, path, "a length: a whole number that is not negative");

    private double? Number(YamlNode value, string path)
    {
        if (value is YamlScalar scalar && scalar.AsNumber() is { } number)
            return number;

        Wrong<Matcher>(value, path, "a number");
        return null;
    }

    private string? Text(YamlNode value, string path) =>
        value is YamlScalar { IsNull: false } scalar ? scalar.Text : Wrong<string>(value, path, "a text");

    private GossValue? Value(YamlNode value, string path)
    {
        switch (value)
        {
            case YamlScalar { IsNull: false } scalar:
                return scalar.AsTruth() is { } truth ? new GossValue.Truth(truth)
                    : scalar.AsNumber() is { } number ? new GossValue.Number(number)
                    : new GossValue.Text(scalar.Text);
            case YamlList list:
                var items = list.Items.Select((item, i) => Value(item, $"{path}[{i}]")).ToList();
                return items.Contains(null) ? null : new GossValue.Items(items!);
            default:
                return Wrong<GossValue>(value, path, "a value or a list of values");
        }
    }

    private T? BadExpression<T>(YamlNode at, string path, string expression, string problem)
        where T : class => Fail<T>(at, path, "goss-regexp", $"'{expression}' is not a Go regular expression: {problem}");

    private T? Wrong<T>(YamlNode at, string path, string expected)
        where T : class => Fail<T>(at, path, "goss-matcher-value", $"{expected} is expected here, found {at.GossKind}");

    private T? Fail<T>(YamlNode at, string path, string code, string summary, string? detail = null)
        where T : class
    {
        diagnostics.Error(code, summary, at.Span, detail, path);
        return null;
    }
}
