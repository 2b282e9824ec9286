using System.Globalization;
using Ingot.Diagnostics;
using Ingot.Yaml;

namespace Ingot.Templates.Project;

/// <summary>A node, and the path it stands at.</summary>
internal sealed record Field(YamlNode Node, string Path)
{
    public SourceSpan Span => Node.Span;
}

/// <summary>A mapping whose keys have been checked.</summary>
internal sealed record Section(Field Field, IReadOnlyDictionary<string, Field> Fields)
{
    /// <summary>Keys that were probably meant by ones that are unknown.</summary>
    public IReadOnlyCollection<string> Misspelt { get; init; } = [];

    public Field? this[string key] => Fields.GetValueOrDefault(key);
}

/// <summary>A named entry of a mapping of names.</summary>
internal sealed record Entry(string Name, YamlScalar Key, Field Value);

/// <summary>Turns the nodes of an <c>ingot.yaml</c> into a project;
/// after a mistake it goes on with what would have been the default.</summary>
internal sealed partial class ProjectReader(SourceText source, DiagnosticBag diagnostics, IReadOnlyList<ImageTemplate> templates)
{
    private readonly KeySection _imageKeys = ProjectKeys.ImageOf(templates);
    private readonly HashSet<string> _laterGates = [];

    public ProjectDefinition? Read(YamlNode root)
    {
        if (ReadSection(new(root, ""), ProjectKeys.Root) is not { } section)
            return null;

        ReadFormat(section);
        NoteLaterGates(root);
        var stages = Entries(section["stages"]).Select(ReadStage).ToList();
        var images = Entries(section["images"]).Select(ReadImage).OfType<ImageDefinition>().ToList();
        var services = Entries(section["services"]).Select(entry => ReadService(entry, stages)).ToList();
        string name = Required(section, "project") is { } project ? ReadName(project) : "";
        new ProjectChecks(diagnostics, images, stages).Check(services);
        return new(name, images, [.. services.Select(service => service.Definition)], stages, source)
        {
            Epoch = ReadEpoch(section["epoch"]),
            Compression = ReadCompression(section["compression"]),
            StandardLabels = Choices(section["standard-labels"], ProjectKeys.StandardLabels, "label"),
            ExemptSecrets = Texts(section["exempt-secrets"]),
        };
    }

    private void ReadFormat(Section section)
    {
        if (Required(section, "ingot") is { } format
            && Value(format, ProjectValues.WholeNumber, "a format", "write ingot: 1") is { } number
            && number != 1)
            Bad(format, $"the format {number.ToString(CultureInfo.InvariantCulture)} is not known", "write ingot: 1");
    }

    // A gate that is defined is refused once, where it is defined.
    private void NoteLaterGates(YamlNode root)
    {
        foreach (var (key, value) in ((YamlMap)root).Entries)
        {
            if (key.Text == "gates" && value is YamlMap gates)
                _laterGates.UnionWith(gates.Entries.Select(gate => gate.Key.Text));
        }
    }

    private Section? ReadSection(Field field, KeySection keys)
    {
        if (field.Node is not YamlMap map)
        {
            WrongKind(field, "a mapping");
            return null;
        }

        Dictionary<string, Field> fields = new(StringComparer.Ordinal);
        List<string> misspelt = [];
        foreach (var (key, value) in map.Entries)
        {
            string path = YamlPath.Join(field.Path, key.Text);
            if (keys.Keys.Contains(key.Text))
                fields.Add(key.Text, new(value, path));
            else if (keys.Later.Contains(key.Text))
                Later(key, path, $"'{key.Text}' is not supported yet", null);
            else if (keys != ProjectKeys.Root || !key.Text.StartsWith("x-", StringComparison.Ordinal))
                UnknownKey(key, path, keys, misspelt);
        }

        return new(field, fields) { Misspelt = misspelt };
    }

    private void UnknownKey(YamlScalar key, string path, KeySection keys, List<string> misspelt)
    {
        string? meant = Suggestion.For(key.Text, [.. keys.Keys, .. keys.Later]);
        diagnostics.Error(ProjectCodes.UnknownKey, $"unknown key '{Show(key.Text)}'", key.Span,
            meant ?? $"known: {string.Join(", ", keys.Keys)}", path.Length == 0 ? null : path);
        misspelt.AddRange(keys.Keys.Where(known => meant is not null && meant == Suggestion.For(known, [known])));
    }

    private Section Optional(Field? field, KeySection keys) =>
        (field is null ? null : ReadSection(field, keys))
            ?? new(field ?? new(new YamlScalar(source.Span(0, 0), "", false), ""), new Dictionary<string, Field>());

    // A mapping whose keys are names that a person chose.
    private IEnumerable<Entry> Entries(Field? field)
    {
        foreach (var entry in Pairs(field))
        {
            if (!ProjectValues.IsName(entry.Name))
                diagnostics.Error(ProjectCodes.BadName, $"'{Show(entry.Name)}' is not a name", entry.Key.Span, NameForm, entry.Value.Path);
            yield return entry;
        }
    }

    private const string NameForm = "lower-case letters, digits and dashes between them, at most 63";

    private IEnumerable<Entry> Pairs(Field? field)
    {
        if (field is null)
            return [];
        if (field.Node is YamlMap map)
            return map.Entries
                .Select(entry => new Entry(entry.Key.Text, entry.Key, new(entry.Value, YamlPath.Join(field.Path, entry.Key.Text))));

        WrongKind(field, "a mapping");
        return [];
    }

    private IEnumerable<Field> Items(Field field)
    {
        if (field.Node is YamlList list)
            return list.Items.Select((item, i) => new Field(item, string.Create(CultureInfo.InvariantCulture, $"{field.Path}[{i}]")));

        WrongKind(field, "a list");
        return [];
    }

    private List<string> Texts(Field? field) =>
        [.. (field is null ? [] : Items(field)).Select(item => Text(item)).OfType<string>().Distinct()];

    // A list of texts, each one of a known few.
    private List<string> Choices(Field? field, IReadOnlyList<string> known, string what)
    {
        List<string> chosen = [];
        foreach (var item in field is null ? [] : Items(field))
        {
            if (Text(item) is not { } text)
                continue;
            if (chosen.Contains(text))
                diagnostics.Error(ProjectCodes.Conflict, $"the {what} '{text}' appears twice", item.Span, null, item.Path);
            else if (known.Contains(text))
                chosen.Add(text);
            else if (what != "gate" || !_laterGates.Contains(text))
                diagnostics.Error(ProjectCodes.Undefined, $"there is no {what} '{Show(text)}'", item.Span,
                    Suggestion.For(text, known) ?? $"known: {string.Join(", ", known)}", item.Path);
        }

        return chosen;
    }

    private Field? Required(Section section, string key)
    {
        if (section[key] is { } field)
            return field;
        if (section.Misspelt.Contains(key))
            return null;

        var span = section.Field.Span with { Length = Math.Min(section.Field.Span.Length, 1) };
        diagnostics.Error(ProjectCodes.MissingKey, $"the key '{key}' is missing", span, null,
            section.Field.Path.Length == 0 ? null : section.Field.Path);
        return null;
    }

    internal string? Text(Field? field, string cureForNothing = "give it a value, or remove the key")
    {
        if (field is null)
            return null;
        if (field.Node is YamlScalar { IsNull: false } scalar)
            return scalar.Text;

        WrongKind(field, "a single value", cureForNothing);
        return null;
    }

    // A text that may be empty, but must say so.
    private string? AnyText(Field field) => Text(field, "for an empty text write \"\"");

    private T? Value<T>(Field? field, Func<string, T?> parse, string what, string? cure)
        where T : struct
    {
        if (Text(field) is not { } text)
            return null;
        if (parse(text) is { } value)
            return value;

        Bad(field!, $"'{Show(text)}' is not {what}", cure);
        return null;
    }

    private int? Whole(Field? field, int minimum, int maximum)
    {
        string range = string.Create(CultureInfo.InvariantCulture, $"a whole number from {minimum} to {maximum}");
        return Value(
            field,
            text => ProjectValues.WholeNumber(text) is { } number && number >= minimum && number <= maximum ? number : (int?)null,
            range,
            null);
    }

    private TimeSpan? Duration(Field? field, bool positive = true)
    {
        var duration = Value(field, Quantity.Duration, "a duration", "such as 500ms, 30s, 10m, 12h or 30d");
        if (!positive || duration != TimeSpan.Zero)
            return duration;

        Bad(field!, "a duration of nothing", "such as 500ms, 30s or 10m");
        return null;
    }

    private string? Accepted(Field? field, Func<string, bool> accepts, string what, string cure)
    {
        if (Text(field) is not { } text || accepts(text))
            return field is null ? null : Scalar(field);

        Bad(field!, $"'{Show(text)}' is not {what}", cure);
        return null;
    }

    private static string? Scalar(Field field) => field.Node is YamlScalar { IsNull: false } scalar ? scalar.Text : null;

    private string ReadName(Field field)
    {
        string name = Text(field) ?? "";
        if (field.Node is YamlScalar { IsNull: false } && !ProjectValues.IsName(name))
            diagnostics.Error(ProjectCodes.BadName, $"'{Show(name)}' is not a name", field.Span, NameForm, field.Path);
        return name;
    }

    internal string? RelativePath(Field? field)
    {
        if (Text(field) is not { } text)
            return null;
        if (ProjectValues.RelativePath(text) is { } path)
            return path;

        diagnostics.Error(ProjectCodes.BadPath, $"'{Show(text)}' is not a path below the project's directory", field!.Span,
            "paths are relative and do not lead out with '..'", field.Path);
        return null;
    }

    internal static string Show(string text) => PlainText.OneLine(text);

    private void WrongKind(Field field, string expected, string cureForNothing = "give it a value, or remove the key")
    {
        if (field.Node is YamlUnresolved)
            return;

        string cure = field.Node is YamlScalar { IsNull: true } ? cureForNothing : $"write {expected}";
        diagnostics.Error(ProjectCodes.WrongKind, $"expected {expected} here, found {field.Node.Kind}", field.Span, cure,
            field.Path.Length == 0 ? null : field.Path);
    }

    private void Bad(Field field, string summary, string? cure) =>
        diagnostics.Error(ProjectCodes.BadValue, summary, field.Span, cure, field.Path);

    private void Later(YamlNode node, string path, string summary, string? cure) =>
        diagnostics.Error(ProjectCodes.NotSupportedYet, summary, node.Span, cure, path);
}
