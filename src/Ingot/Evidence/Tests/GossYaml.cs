using System.Globalization;
using Ingot.Diagnostics;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Ingot.Evidence.Tests;

/// <summary>A YAML node with its place in the file.</summary>
internal abstract record YamlTree(SourceSpan Span)
{
    /// <summary>A scalar. Only a plain one (without quotes) can be anything but text.</summary>
    public sealed record Scalar(SourceSpan Span, string Text, bool IsPlain) : YamlTree(Span)
    {
        // What goss's YAML library makes of a plain scalar: null, a truth value, a number, else text.
        public bool IsNull => IsPlain && Text is "" or "~" or "null" or "Null" or "NULL";

        public bool? AsTruth() => !IsPlain ? null : Text switch
        {
            "true" or "True" or "TRUE" => true,
            "false" or "False" or "FALSE" => false,
            _ => null,
        };

        public double? AsNumber()
        {
            if (!IsPlain || Text.Length == 0 || !(char.IsAsciiDigit(Text[0]) || Text[0] is '-' or '+' or '.'))
                return null;

            return TryInteger(Text, out long integer) ? integer
                : double.TryParse(Text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out double real) ? real
                : null;
        }

        // A leading zero means octal there, so that 'mode: 0644' is the number 420.
        private static bool TryInteger(string text, out long value)
        {
            bool negative = text[0] == '-';
            var digits = text.AsSpan(negative || text[0] == '+' ? 1 : 0);
            bool good = digits switch
            {
                ['0', 'x' or 'X', .. var hex] => long.TryParse(hex, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value),
                ['0', 'o' or 'O', .. var octal] => TryOctal(octal, out value),
                ['0', .. { Length: > 0 } octal] => TryOctal(octal, out value),
                _ => long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out value),
            };
            value = negative ? -value : value;
            return good;
        }

        private static bool TryOctal(ReadOnlySpan<char> digits, out long value)
        {
            value = 0;
            foreach (char c in digits)
            {
                if (c is < '0' or > '7')
                    return false;
                value = (value * 8) + (c - '0');
            }

            return digits.Length is > 0 and < 20;
        }
    }

    /// <summary>A list.</summary>
    public sealed record Sequence(SourceSpan Span, IReadOnlyList<YamlTree> Items) : YamlTree(Span);

    /// <summary>A map, keys in the file's order, none twice.</summary>
    public sealed record Mapping(SourceSpan Span, IReadOnlyList<KeyValuePair<Scalar, YamlTree>> Entries) : YamlTree(Span)
    {
        public YamlTree? Find(string key) => Entries.FirstOrDefault(e => e.Key.Text == key).Value;
    }

    /// <summary>What people call the node's kind.</summary>
    public string Kind => this switch
    {
        Scalar { IsNull: true } => "nothing",
        Scalar scalar when scalar.AsTruth() is not null => "a truth value",
        Scalar scalar when scalar.AsNumber() is not null => "a number",
        Scalar => "a text",
        Sequence => "a list",
        _ => "a map",
    };
}

/// <summary>Reads YAML into a tree with places; goes on after a duplicate key, stops where the syntax breaks.</summary>
internal sealed class YamlTreeReader
{
    private const int MaxDepth = 64;
    // Anchors can make a small file describe a huge tree.
    private const int MaxNodes = 200_000;

    private readonly SourceText _source;
    private readonly DiagnosticBag _diagnostics;
    private readonly Parser _parser;
    private readonly Dictionary<string, YamlTree> _anchors = new(StringComparer.Ordinal);
    private int _nodes;

    private YamlTreeReader(SourceText source, DiagnosticBag diagnostics)
    {
        _source = source;
        _diagnostics = diagnostics;
        _parser = new Parser(new StringReader(source.Text));
    }

    /// <summary>The root of the first document; null when the file is empty or its syntax is broken, which is then in <paramref name="diagnostics"/>.</summary>
    public static YamlTree? Read(SourceText source, DiagnosticBag diagnostics)
    {
        var reader = new YamlTreeReader(source, diagnostics);
        try
        {
            return reader.ReadDocument();
        }
        catch (YamlException e)
        {
            diagnostics.Error("goss-yaml-syntax", $"this is not YAML: {Clean(e)}", reader.SpanOf(e.Start, e.Start));
            return null;
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            // The library's scanner gives up so on some broken flow collections, without a place; the last token it read is near.
            var near = reader._parser.Current?.End ?? Mark.Empty;
            diagnostics.Error("goss-yaml-syntax", "this is not YAML: a flow collection is broken or not closed near here", reader.SpanOf(near, near));
            return null;
        }
    }

    // The library prefixes its messages with the position, which the span says already.
    private static string Clean(YamlException e)
    {
        string message = e.InnerException?.Message ?? e.Message;
        int colon = message.StartsWith('(') ? message.IndexOf("): ", StringComparison.Ordinal) : -1;
        message = (colon < 0 ? message : message[(colon + 3)..]).TrimEnd('.');
        return message.Length == 0 ? "syntax error" : char.ToLowerInvariant(message[0]) + message[1..];
    }

    private YamlTree? ReadDocument()
    {
        _parser.Consume<StreamStart>();
        if (!_parser.TryConsume<DocumentStart>(out _))
            return null;

        var root = ReadNode(0);
        _parser.Consume<DocumentEnd>();
        if (_parser.TryConsume<DocumentStart>(out var second))
            _diagnostics.Error("goss-yaml-documents", "the file holds more than one document", SpanOf(second.Start, second.End), "a goss file is one document: remove the '---'");
        return root;
    }

    private YamlTree ReadNode(int depth)
    {
        var current = _parser.Current!;
        if (depth > MaxDepth || ++_nodes > MaxNodes)
            throw new YamlException(current.Start, current.End, "the document is nested too deep or too large");

        return _parser.Current switch
        {
            AnchorAlias => ReadAlias(),
            SequenceStart => ReadSequence(depth),
            MappingStart => ReadMapping(depth),
            _ => ReadScalar(),
        };
    }

    private YamlTree ReadAlias()
    {
        var alias = _parser.Consume<AnchorAlias>();
        if (!_anchors.TryGetValue(alias.Value.Value, out var tree))
            throw new YamlException(alias.Start, alias.End, $"'*{alias.Value.Value}' refers to no anchor above it");

        _nodes += Count(tree);
        return tree;
    }

    private static int Count(YamlTree tree) => tree switch
    {
        YamlTree.Sequence sequence => 1 + sequence.Items.Sum(Count),
        YamlTree.Mapping mapping => 1 + mapping.Entries.Sum(e => 1 + Count(e.Value)),
        _ => 1,
    };

    private YamlTree.Scalar ReadScalar()
    {
        var scalar = _parser.Consume<Scalar>();
        bool plain = scalar.Style == ScalarStyle.Plain && (scalar.Tag.IsEmpty || scalar.Tag.IsNonSpecific);
        return Remember(scalar.Anchor, new YamlTree.Scalar(SpanOf(scalar.Start, scalar.End), scalar.Value, plain));
    }

    private YamlTree.Sequence ReadSequence(int depth)
    {
        var start = _parser.Consume<SequenceStart>();
        List<YamlTree> items = [];
        while (!_parser.Accept<SequenceEnd>(out _))
            items.Add(ReadNode(depth + 1));
        _parser.Consume<SequenceEnd>();
        return Remember(start.Anchor, new YamlTree.Sequence(SpanOf(start.Start, start.End), items));
    }

    private YamlTree.Mapping ReadMapping(int depth)
    {
        var start = _parser.Consume<MappingStart>();
        List<KeyValuePair<YamlTree.Scalar, YamlTree>> entries = [];
        List<YamlTree.Mapping> merged = [];
        HashSet<string> seen = new(StringComparer.Ordinal);
        while (!_parser.Accept<MappingEnd>(out _))
        {
            var key = ReadNode(depth + 1);
            var value = ReadNode(depth + 1);
            if (key is not YamlTree.Scalar name)
                _diagnostics.Error("goss-yaml-key", "a key is not a text", key.Span);
            else if (name is { IsPlain: true, Text: "<<" })
                merged.AddRange(Merged(value));
            else if (seen.Add(name.Text))
                entries.Add(new(name, value));
            else
                _diagnostics.Error("goss-yaml-duplicate", $"'{name.Text}' stands here a second time", name.Span, "goss would take the last one and ignore the first: merge them");
        }

        _parser.Consume<MappingEnd>();
        foreach (var entry in merged.SelectMany(m => m.Entries).Where(e => seen.Add(e.Key.Text)))
            entries.Add(entry);
        return Remember(start.Anchor, new YamlTree.Mapping(SpanOf(start.Start, start.End), entries));
    }

    private IEnumerable<YamlTree.Mapping> Merged(YamlTree value)
    {
        switch (value)
        {
            case YamlTree.Mapping mapping:
                return [mapping];
            case YamlTree.Sequence sequence when sequence.Items.All(i => i is YamlTree.Mapping):
                return sequence.Items.Cast<YamlTree.Mapping>();
            default:
                _diagnostics.Error("goss-yaml-merge", "'<<' takes a map, or a list of maps", value.Span);
                return [];
        }
    }

    private T Remember<T>(AnchorName anchor, T tree)
        where T : YamlTree
    {
        if (!anchor.IsEmpty)
            _anchors[anchor.Value] = tree;
        return tree;
    }

    // The library's index counts what it read of its buffer; line and column are exact.
    private SourceSpan SpanOf(Mark start, Mark end)
    {
        int from = Offset(start);
        return _source.Span(from, Math.Clamp(Offset(end) - from, 0, _source.Text.Length - from));
    }

    private int Offset(Mark mark)
    {
        int line = (int)Math.Clamp(mark.Line, 1, _source.LineCount);
        return Math.Min(_source.LineStart(line) + (int)Math.Max(0, mark.Column - 1), _source.Text.Length);
    }
}
