using Ingot.Diagnostics;

namespace Ingot.Templates.Project;

/// <summary>A node of a document, where it stands. An alias is the node it names.</summary>
internal abstract record YamlNode(SourceSpan Span)
{
    /// <summary>The nodes it would be if every alias were written out.</summary>
    public long Size { get; init; } = 1;

    /// <summary>What it is, for messages.</summary>
    public abstract string Kind { get; }
}

/// <summary>A single value.</summary>
internal sealed record YamlScalar(SourceSpan Span, string Text, bool IsPlain) : YamlNode(Span)
{
    public bool IsNull => IsPlain && Text is "" or "~" or "null" or "Null" or "NULL";

    public override string Kind => IsNull ? "nothing" : "a single value";
}

/// <summary>A list.</summary>
internal sealed record YamlList(SourceSpan Span, IReadOnlyList<YamlNode> Items) : YamlNode(Span)
{
    public override string Kind => "a list";
}

/// <summary>A mapping; no key stands twice.</summary>
internal sealed record YamlMap(SourceSpan Span, IReadOnlyList<(YamlScalar Key, YamlNode Value)> Entries) : YamlNode(Span)
{
    public override string Kind => "a mapping";
}

/// <summary>An alias of nothing, which has been reported: it stands in for whatever was meant.</summary>
internal sealed record YamlUnresolved(SourceSpan Span) : YamlNode(Span)
{
    public override string Kind => "an alias of nothing";
}
