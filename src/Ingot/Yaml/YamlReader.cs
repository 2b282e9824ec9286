using System.Buffers;
using System.Globalization;
using Ingot.Diagnostics;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Ingot.Yaml;

/// <summary>Reads the one document of a file into nodes with their places, with bounds that no file of a person reaches. What is wrong is
/// reported, all of it where the syntax allows to go on; no text makes it throw.</summary>
public sealed class YamlReader
{
    private const int MaximumDepth = 64;
    private const long MaximumSize = 100_000;

    // https://yaml.org/spec/1.2.2/#51-character-set: what is not printable ends the text for the parser, unnoticed.
    private static readonly SearchValues<char> s_controlCharacters =
        SearchValues.Create([.. Enumerable.Range(0, 0x20).Append(0x7F).Select(c => (char)c).Except(['\t', '\n', '\r'])]);

    private readonly SourceText _source;
    private readonly DiagnosticBag _diagnostics;
    private readonly YamlKind _kind;
    private readonly Parser _parser;
    private readonly Dictionary<AnchorName, YamlNode?> _anchors = [];
    private readonly Stack<SourceSpan> _openBrackets = [];
    private readonly int _offset;

    private YamlReader(SourceText source, YamlKind kind, DiagnosticBag diagnostics)
    {
        _source = source;
        _kind = kind;
        _diagnostics = diagnostics;
        _offset = source.Text.StartsWith('\uFEFF') ? 1 : 0;
        _parser = new Parser(new StringReader(source.Text[_offset..]));
    }

    /// <summary>The document; null when it cannot be read, which has been reported, and when there is none and none is needed.</summary>
    public static YamlNode? Read(SourceText source, YamlKind kind, DiagnosticBag diagnostics)
    {
        int control = source.Text.AsSpan().IndexOfAny(s_controlCharacters);
        if (control >= 0)
        {
            diagnostics.Error(kind.Codes.Syntax, $"there is a control character here, 0x{(int)source.Text[control]:x2}",
                source.Span(control, 1), $"{kind.Name} is text");
            return null;
        }

        YamlReader reader = new(source, kind, diagnostics);
        try
        {
            return reader.ReadDocument();
        }
        catch (YamlException e)
        {
            diagnostics.Error(kind.Codes.Syntax, Sentence(e.Message), reader.Place(e), reader.Cure(e));
            return null;
        }
        catch (TooLargeException e)
        {
            diagnostics.Error(kind.Codes.TooLarge, e.Message, e.Span);
            return null;
        }
    }

    private YamlNode? ReadDocument()
    {
        Advance();
        Advance();
        if (_parser.Current is StreamEnd)
        {
            if (_kind.EmptyCure is { } cure)
                _diagnostics.Error(_kind.Codes.Syntax, "the file is empty", _source.Span(0, 0), cure);
            return null;
        }

        Advance();
        var root = ReadNode("", 0);
        Advance();
        if (_parser.Current is DocumentStart next)
            _diagnostics.Error(_kind.Codes.Documents, "a second document starts here", Span(next.Start, next.End),
                $"one file is {_kind.Name}: remove the '---'");
        return root;
    }

    private void Advance()
    {
        try
        {
            _parser.MoveNext();
        }
        catch (Exception e) when (e is not YamlException)
        {
            // Some texts break the parser itself. They are no YAML either.
            var place = _parser.Current?.End ?? Mark.Empty;
            throw new YamlException(place, place, "the text cannot be read from here on");
        }
    }

    // Reads the node that starts at the current event, and moves past it.
    private YamlNode ReadNode(string path, int depth)
    {
        var start = _parser.Current!;
        var span = Span(start.Start, start.End);
        if (depth > MaximumDepth)
            throw new TooLargeException($"the document is nested deeper than {MaximumDepth}", span);

        // `? :` and its like end a mapping where a value must stand.
        if (start is not (NodeEvent or AnchorAlias))
            throw new YamlException(start.Start, start.End, "a value is missing here");

        Advance();
        if (start is AnchorAlias alias)
            return _anchors.GetValueOrDefault(alias.Value) is { } named ? named with { Span = span } : Unresolved(alias, span, path);

        var anchor = ((NodeEvent)start).Anchor;
        if (!anchor.IsEmpty)
            _anchors[anchor] = null;
        CheckTag((NodeEvent)start, span, path);
        YamlNode node = start switch
        {
            MappingStart map => ReadMap(OpenBracket(map.Style == MappingStyle.Flow, span), path, depth),
            SequenceStart list => ReadList(OpenBracket(list.Style == SequenceStyle.Flow, span), path, depth),
            _ => new YamlScalar(span, ((Scalar)start).Value,
                ((Scalar)start).Style == ScalarStyle.Plain && start is Scalar { Tag.IsEmpty: true }),
        };
        if (!anchor.IsEmpty)
            _anchors[anchor] = node;
        return node;
    }

    // What stands in brackets is meant to its closing bracket; a block, for messages, on its first line.
    private SourceSpan OpenBracket(bool isBracket, SourceSpan start)
    {
        int line = start.Line;
        int endOfLine = _source.LineStart(line) + _source.Line(line).TrimEnd().Length;
        var span = start with { Length = isBracket ? 1 : Math.Max(0, endOfLine - start.Start) };
        if (isBracket)
            _openBrackets.Push(span);
        return span;
    }

    private SourceSpan CloseBracket(SourceSpan span)
    {
        var end = _parser.Current!.End;
        if (!_openBrackets.TryPeek(out var open) || open != span)
            return span;

        _openBrackets.Pop();
        return span with { Length = Math.Max(1, Span(end, end).Start - span.Start) };
    }

    private YamlUnresolved Unresolved(AnchorAlias alias, SourceSpan span, string path)
    {
        string why = _anchors.ContainsKey(alias.Value) ? "is inside what it refers to" : "refers to nothing above";
        _diagnostics.Error(_kind.Codes.Syntax, $"the alias '*{alias.Value.Value}' {why}", span,
            $"write &{alias.Value.Value} before the node that is meant", path);
        return new YamlUnresolved(span);
    }

    private void CheckTag(NodeEvent node, SourceSpan span, string path)
    {
        if (!node.Tag.IsEmpty
            && node.Tag.Value is not ("tag:yaml.org,2002:str" or "tag:yaml.org,2002:map" or "tag:yaml.org,2002:seq" or "!"))
            _diagnostics.Error(_kind.Codes.Tag, $"the tag '{node.Tag.Value}' has no meaning here", span,
                "write the value without it", path);
    }

    private YamlList ReadList(SourceSpan span, string path, int depth)
    {
        List<YamlNode> items = [];
        long size = 1;
        while (_parser.Current is not SequenceEnd)
        {
            items.Add(ReadNode($"{path}[{items.Count.ToString(CultureInfo.InvariantCulture)}]", depth + 1));
            size = Grow(size, items[^1], span);
        }

        var whole = CloseBracket(span);
        Advance();
        return new YamlList(whole, items) { Size = size };
    }

    private YamlMap ReadMap(SourceSpan span, string path, int depth)
    {
        List<(YamlScalar Key, YamlNode Value)> entries = [];
        Dictionary<string, YamlScalar> keys = new(StringComparer.Ordinal);
        List<YamlNode> merged = [];
        long size = 1;
        while (_parser.Current is not MappingEnd)
        {
            var key = ReadNode(path, depth + 1);
            string name = key is YamlScalar text ? text.Text : "";
            var value = ReadNode(YamlPath.Join(path, name), depth + 1);
            size = Grow(size, value, span);
            if (key is YamlUnresolved)
                continue;
            if (key is not YamlScalar scalar)
                _diagnostics.Error(_kind.Codes.Key, $"a key is {key.Kind}", key.Span, "a key is a single word", path);
            else if (scalar is { IsPlain: true, Text: "<<" })
                merged.Add(value);
            else if (keys.TryAdd(name, scalar))
                entries.Add((scalar, value));
            else
                Duplicate(scalar, keys[name], path);
        }

        var whole = CloseBracket(span);
        Advance();
        foreach (var node in merged)
            Merge(node, keys, entries, path);
        return new YamlMap(whole, entries) { Size = size };
    }

    private void Duplicate(YamlScalar key, YamlScalar first, string path) =>
        _diagnostics.Error(_kind.Codes.DuplicateKey, $"the key '{PlainText.OneLine(key.Text)}' appears twice", key.Span,
            $"the first is on line {first.Span.Line}{_kind.DuplicateCure}", YamlPath.Join(path, key.Text));

    // https://yaml.org/type/merge.html: what stands in the mapping itself wins, then the earlier of the merged ones.
    private void Merge(YamlNode node, Dictionary<string, YamlScalar> keys, List<(YamlScalar, YamlNode)> entries, string path)
    {
        foreach (var item in node is YamlList list ? list.Items : [node])
        {
            if (item is YamlMap map)
                entries.AddRange(map.Entries.Where(entry => keys.TryAdd(entry.Key.Text, entry.Key)));
            else if (item is not YamlUnresolved)
                _diagnostics.Error(_kind.Codes.Merge, $"'<<' needs a mapping, not {item.Kind}", item.Span, null, path);
        }
    }

    private static long Grow(long size, YamlNode child, SourceSpan span)
    {
        size += child.Size;
        return size <= MaximumSize
            ? size
            : throw new TooLargeException($"the document has more than {MaximumSize} parts when its aliases are written out", span);
    }

    private SourceSpan Span(Mark start, Mark end)
    {
        int from = (int)Math.Clamp(start.Index + _offset, 0, _source.Text.Length);
        int to = (int)Math.Clamp(end.Index + _offset, from, _source.Text.Length);
        return _source.Span(from, to - from);
    }

    private static string Sentence(string message) =>
        message.Length == 0 ? "the text is not YAML" : $"{char.ToLowerInvariant(message[0])}{message[1..].TrimEnd('.')}";

    // The parser says of a tab only which mapping it spoils.
    private SourceSpan Place(YamlException e)
    {
        for (int line = 1; line <= _source.LineCount && SpoiltByTab(e); line++)
        {
            string text = _source.Line(line);
            int blanks = text.Length - text.TrimStart(' ').Length;
            if (blanks < text.Length && text[blanks] == '\t')
                return _source.Span(_source.LineStart(line) + blanks, 1);
        }

        return Span(e.Start, e.End);
    }

    private static bool SpoiltByTab(YamlException e) => e.Message.Contains("tab ", StringComparison.Ordinal);

    private string? Cure(YamlException e)
    {
        if (SpoiltByTab(e))
            return "indent with spaces: YAML allows no tabs there";
        if (_openBrackets.TryPeek(out var open))
            return $"the '{open.Text}' on line {open.Line} may not be closed";
        return e.Message.Contains("mapping", StringComparison.Ordinal)
            ? "put quotes around a text that holds ': ', or fix the indentation"
            : null;
    }

    private sealed class TooLargeException(string message, SourceSpan span) : Exception(message)
    {
        public SourceSpan Span { get; } = span;
    }
}
