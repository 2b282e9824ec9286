using Ingot.Diagnostics;

namespace Ingot.Yaml;

/// <summary>A node of a document, where it stands. An alias is the node it names.</summary>
public abstract record YamlNode(SourceSpan Span)
{
    /// <summary>The nodes it would be if every alias were written out.</summary>
    public long Size { get; init; } = 1;

    /// <summary>What it is, for messages.</summary>
    public abstract string Kind { get; }
}

/// <summary>A single value.</summary>
/// <param name="Span">Where it stands.</param>
/// <param name="Text">What it is, without quotes.</param>
/// <param name="IsPlain">Whether it stands without quotes: only then can it be anything but text.</param>
public sealed record YamlScalar(SourceSpan Span, string Text, bool IsPlain) : YamlNode(Span)
{
    /// <summary>Whether it stands for nothing: empty, <c>~</c> or <c>null</c>, without quotes.</summary>
    public bool IsNull => IsPlain && Text is "" or "~" or "null" or "Null" or "NULL";

    /// <inheritdoc/>
    public override string Kind => IsNull ? "nothing" : "a single value";
}

/// <summary>A list.</summary>
public sealed record YamlList(SourceSpan Span, IReadOnlyList<YamlNode> Items) : YamlNode(Span)
{
    /// <inheritdoc/>
    public override string Kind => "a list";
}

/// <summary>A mapping; no key stands twice.</summary>
public sealed record YamlMap(SourceSpan Span, IReadOnlyList<(YamlScalar Key, YamlNode Value)> Entries) : YamlNode(Span)
{
    /// <inheritdoc/>
    public override string Kind => "a mapping";

    /// <summary>The value of a key; null when the key is not there.</summary>
    public YamlNode? Find(string key) => Entries.FirstOrDefault(entry => entry.Key.Text == key).Value;
}

/// <summary>An alias of nothing, which has been reported: it stands in for whatever was meant.</summary>
public sealed record YamlUnresolved(SourceSpan Span) : YamlNode(Span)
{
    /// <inheritdoc/>
    public override string Kind => "an alias of nothing";
}
