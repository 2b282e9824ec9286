using System.Collections.Frozen;

namespace Ingot.Oci.Content;

/// <summary>What the names in an object of JSON are: those of a specification, or data. Of a list it says what its items are.</summary>
public sealed class JsonShape
{
    private readonly FrozenDictionary<string, JsonShape>? _members;
    private readonly FrozenDictionary<string, string> _known;
    private readonly FrozenDictionary<string, string> _foreign;

    private JsonShape(IReadOnlyDictionary<string, JsonShape>? members, IReadOnlyDictionary<string, string> foreign, bool isDescriptor)
    {
        _members = members?.ToFrozenDictionary(StringComparer.Ordinal);
        _known = (members?.Keys ?? []).ToFrozenDictionary(StrictJson.Fold, StringComparer.Ordinal);
        _foreign = foreign.ToFrozenDictionary(StringComparer.Ordinal);
        IsDescriptor = isDescriptor;
    }

    /// <summary>Names that are data, such as those of annotations, and whatever no specification describes.</summary>
    public static JsonShape Any { get; } = new(members: null, new Dictionary<string, string>(), isDescriptor: false);

    /// <summary>A descriptor: what it embeds must be what it names.</summary>
    public static JsonShape Descriptor { get; } = new(
        new Dictionary<string, JsonShape>(StringComparer.Ordinal)
        {
            ["mediaType"] = Any,
            ["digest"] = Any,
            ["size"] = Any,
            ["urls"] = Any,
            ["annotations"] = Any,
            ["data"] = Any,
            ["artifactType"] = Any,
            ["platform"] = Of("architecture", "os", "os.version", "os.features", "variant", "features"),
        },
        new Dictionary<string, string>(),
        isDescriptor: true);

    internal bool IsDescriptor { get; }

    /// <summary>Whether the names are a specification's.</summary>
    internal bool IsKnown => _members is not null;

    /// <summary>An object with these names, whose values are not looked into.</summary>
    public static JsonShape Of(params IEnumerable<string> names) => Of(names.ToDictionary(name => name, _ => Any, StringComparer.Ordinal));

    /// <summary>An object with these names.</summary>
    public static JsonShape Of(IReadOnlyDictionary<string, JsonShape> members) =>
        new(members, new Dictionary<string, string>(), isDescriptor: false);

    /// <summary>This, and a document with one of <paramref name="names"/> would be read as <paramref name="other"/> by others.</summary>
    public JsonShape Not(string other, params IEnumerable<string> names) =>
        new(
            _members,
            new Dictionary<string, string>(_foreign.Concat(names.Select(name => KeyValuePair.Create(StrictJson.Fold(name), other))),
                StringComparer.Ordinal),
            IsDescriptor);

    /// <summary>What a member is.</summary>
    internal JsonShape Member(string name) => _members?.GetValueOrDefault(name) ?? Any;

    /// <summary>The specification's name that others read <paramref name="folded"/> as; null when there is none.</summary>
    internal string? Known(string folded) => _known.GetValueOrDefault(folded);

    /// <summary>What a document with this name would be to others; null when it would be the same.</summary>
    internal string? Foreign(string folded) => _foreign.GetValueOrDefault(folded);
}
