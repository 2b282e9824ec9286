using System.Globalization;
using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Ingot.Diagnostics;
using Ingot.Templates.Dockerfile;
using Ingot.Templates.Project;
using Ingot.Testing;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;
using YamlNode = YamlDotNet.RepresentationModel.YamlNode;

namespace Ingot.Tests.Templates;

/// <summary>The parser, the schema for editors and the reference say the same.</summary>
public class ProjectDocumentsTests
{
    private static readonly JsonNode s_schema =
        JsonNode.Parse(File.ReadAllText(Path.Combine(Repository.Root, "docs", "schemas", "ingot.yaml.schema.json")))!;
    private static readonly string s_reference = File.ReadAllText(Path.Combine(Repository.Root, "docs", "ingot-yaml.md"));
    private static readonly string s_dockerfiles = File.ReadAllText(Path.Combine(Repository.Root, "docs", "dockerfile.md"));

    public static TheoryData<string> Sections => [.. ProjectKeys.Sections.Select(section => section.Path)];

    [Theory]
    [MemberData(nameof(Sections))]
    public void TheSchemaHasExactlyTheKeysThatAreRead(string path)
    {
        var section = ProjectKeys.Sections.Single(s => s.Path == path);
        var schema = Find(path);
        Assert.Equal(section.Keys.Order(), schema["properties"]!.AsObject().Select(property => property.Key).Order());
        Assert.False(schema["additionalProperties"]!.GetValue<bool>());
    }

    [Theory]
    [MemberData(nameof(Sections))]
    public void TheReferenceHasARowForEveryKey(string path)
    {
        var section = ProjectKeys.Sections.Single(s => s.Path == path);
        string heading = path.Length == 0 ? "## The document" : $"# {path.Replace("*", "\\*", StringComparison.Ordinal)}";
        int start = s_reference.IndexOf(heading + "\n", StringComparison.Ordinal);
        Assert.True(start >= 0, $"no heading '{heading}'");
        int end = s_reference.IndexOf("\n#", start + 3, StringComparison.Ordinal);
        string chapter = s_reference[start..(end < 0 ? s_reference.Length : end)];
        var rows = Regex.Matches(chapter, "^\\| `([^`]+)` \\|", RegexOptions.Multiline).Select(match => match.Groups[1].Value);
        Assert.Equal(section.Keys.Order(), rows.Order());
        Assert.All(section.Later, key => Assert.Contains($"`{key}`",
            chapter[chapter.IndexOf("Not supported yet", StringComparison.Ordinal)..], StringComparison.Ordinal));
    }

    [Fact]
    public void TheSchemaListsTheGatesClaimsAndTargets()
    {
        Assert.Equal(ProjectKeys.Gates, Enum(Find("stages/*")["properties"]!["gates"]!["items"]!));
        Assert.Equal(ProjectKeys.Claims, Enum(Find("images/*")["properties"]!["claims"]!["items"]!));
        Assert.Equal(ProjectKeys.Rules, Enum(Find("images/*/normalise")["properties"]!["off"]!["items"]!));
        Assert.Equal(ProjectKeys.Compressions, Enum(s_schema["definitions"]!["compression"]!));
        Assert.Equal(ProjectKeys.Targets, Enum(Find("stages/*")["properties"]!["target"]!));
    }

    [Fact]
    public void TheSchemaAcceptsWhatTheParserAccepts()
    {
        foreach (var vector in Vector
            .All("project")
            .Where(v => !v.Expected.Contains("error ", StringComparison.Ordinal) && v.Name != "anchors_and_merge_keys"))
            Assert.True(Accepts(s_schema, Load(vector.Input), out string why), $"{vector.Name}: {why}");
    }

    [Fact]
    public void TheSchemaRefusesWhatTheParserRefusesForItsKeysAndKinds()
    {
        string[] codes = [ProjectCodes.UnknownKey, ProjectCodes.NotSupportedYet, ProjectCodes.WrongKind, ProjectCodes.BadName];
        var refused = Vector.All("project").Where(v => codes.Any(code => v.Expected.Contains(code, StringComparison.Ordinal))
            && !v.Expected.Contains(ProjectCodes.Syntax, StringComparison.Ordinal));
        Assert.All(refused.Where(v => v.Name is not ("keys_that_are_not_words" or "merge_of_something_else")),
            vector => Assert.False(Accepts(s_schema, Load(vector.Input), out _), vector.Name));
    }

    [Fact]
    public void TheExampleOfTheReferenceIsAProject()
    {
        string yaml = Regex.Match(s_reference, "```yaml\n(.*?)```", RegexOptions.Singleline).Groups[1].Value;
        DiagnosticBag diagnostics = [];
        Assert.NotNull(ProjectParser.Parse(new SourceText("ingot.yaml", yaml), diagnostics));
        Assert.Empty(diagnostics);
        Assert.True(Accepts(s_schema, Load(yaml), out string why), why);
    }

    [Fact]
    public void EveryCodeIsInTheReference()
    {
        Assert.All(Codes(typeof(ProjectCodes)), code => Assert.Contains($"| `{code}` |", s_reference, StringComparison.Ordinal));
        Assert.All(Codes(typeof(DockerfileCodes)), code => Assert.Contains($"| `{code}` |", s_dockerfiles, StringComparison.Ordinal));
    }

    [Fact]
    public void EveryCodeOfAVectorIsInTheReference()
    {
        var codes = Vector.All("project").Concat(Vector.All("dockerfile"))
            .SelectMany(v => Regex.Matches(v.Expected, " ((?:project|dockerfile)-[a-z-]+): ").Select(m => m.Groups[1].Value)).Distinct();
        Assert.All(codes, code => Assert.Contains($"| `{code}` |", s_reference + s_dockerfiles, StringComparison.Ordinal));
    }

    [Fact]
    public void EveryInstructionIsInTheReference() =>
        Assert.All(
            new[] { "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD",
                "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR" },
            keyword => Assert.Matches($"\n\\| [^|]*`{keyword}`", s_dockerfiles));

    private static IEnumerable<string> Codes(Type type) =>
        type.GetFields(BindingFlags.Public | BindingFlags.Static).Select(field => (string)field.GetRawConstantValue()!);

    private static IEnumerable<string> Enum(JsonNode schema) => schema["enum"]!.AsArray().Select(value => value!.GetValue<string>());

    // The object schema of a section, through references and alternatives.
    private static JsonNode Find(string path)
    {
        var schema = s_schema;
        foreach (string part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            schema = part == "*" ? schema["additionalProperties"]! : schema["properties"]![part]!;
            if (schema["anyOf"] is JsonArray alternatives)
                schema = alternatives.First(a => a!["$ref"] is not null)!;
            if (schema["$ref"] is { } reference)
                schema = s_schema["definitions"]![reference.GetValue<string>().Split('/')[^1]]!;
        }

        return schema;
    }

    private static YamlNode Load(string yaml)
    {
        YamlStream stream = [];
        stream.Load(new StringReader(yaml.TrimStart('\uFEFF')));
        return stream.Documents[0].RootNode;
    }

    // As much of JSON Schema as the schema uses.
    private static bool Accepts(JsonNode schema, YamlNode node, out string why)
    {
        if (schema["$ref"] is { } reference)
            return Accepts(s_schema["definitions"]![reference.GetValue<string>().Split('/')[^1]]!, node, out why);

        why = $"{node} against {schema.ToJsonString()[..Math.Min(80, schema.ToJsonString().Length)]}";
        if (schema["anyOf"] is JsonArray any && !any.Any(s => Accepts(s!, node, out _)))
            return false;
        if (schema["oneOf"] is JsonArray one && one.Count(s => Accepts(s!, node, out _)) != 1)
            return false;
        if (schema["not"] is { } not && Accepts(not, node, out _))
            return false;
        if (schema["const"] is { } constant && node.ToString() != constant.ToString())
            return false;
        if (schema["enum"] is JsonArray && !(node is YamlScalarNode && Enum(schema).Contains(node.ToString())))
            return false;
        if (schema["type"] is { } type && !(type is JsonArray types ? types.Select(t => t!.GetValue<string>()) : [type.GetValue<string>()])
            .Any(t => IsOfType(t, node)))
            return false;

        return node switch
        {
            YamlMappingNode map => AcceptsMap(schema, map, out why),
            YamlSequenceNode list => schema["items"] is not { } items || AcceptsAll(list.Select(item => (items, item)), out why),
            _ => AcceptsScalar(schema, ((YamlScalarNode)node).Value!),
        };
    }

    private static bool AcceptsMap(JsonNode schema, YamlMappingNode map, out string why)
    {
        why = $"a key of {map}";
        var keys = map.Children.Keys.Select(key => ((YamlScalarNode)key).Value!).ToList();
        if (schema["required"] is JsonArray required && !required.All(key => keys.Contains(key!.GetValue<string>())))
            return false;
        if (schema["propertyNames"] is { } names && !AcceptsAll(map.Children.Keys.Select(key => (names, key)), out why))
            return false;

        List<(JsonNode, YamlNode)> values = [];
        foreach (var (key, value) in map.Children)
        {
            string name = ((YamlScalarNode)key).Value!;
            bool isFree = schema["patternProperties"] is not null && name.StartsWith("x-", StringComparison.Ordinal);
            if (schema["properties"]?[name] is { } known)
                values.Add((known, value));
            else if (schema["additionalProperties"] is JsonObject other)
                values.Add((other, value));
            else if (!isFree && schema["additionalProperties"] is JsonValue)
                return false;
        }

        return AcceptsAll(values, out why);
    }

    private static bool AcceptsAll(IEnumerable<(JsonNode Schema, YamlNode Node)> pairs, out string why)
    {
        foreach (var (schema, node) in pairs)
        {
            if (!Accepts(schema, node, out why))
                return false;
        }

        why = "";
        return true;
    }

    private static bool AcceptsScalar(JsonNode schema, string text)
    {
        bool isNumber = double.TryParse(text, CultureInfo.InvariantCulture, out double number);
        return (schema["pattern"] is not { } pattern || Regex.IsMatch(text, pattern.GetValue<string>()))
            && (schema["maxLength"] is not { } longest || text.Length <= longest.GetValue<int>())
            && (schema["minLength"] is not { } shortest || text.Length >= shortest.GetValue<int>())
            && (schema["minimum"] is not { } least || (isNumber && number >= least.GetValue<double>()))
            && (schema["exclusiveMinimum"] is not { } above || (isNumber && number > above.GetValue<double>()))
            && (schema["maximum"] is not { } most || (isNumber && number <= most.GetValue<double>()));
    }

    // https://yaml.org/spec/1.2.2/#103-core-schema
    private static bool IsOfType(string type, YamlNode node)
    {
        if (node is not YamlScalarNode scalar)
            return node is YamlMappingNode ? type == "object" : type == "array";

        bool plain = scalar.Style == ScalarStyle.Plain && scalar.Tag.IsEmpty;
        return type switch
        {
            "null" => plain && scalar.Value is "" or "~" or "null",
            "boolean" => plain && scalar.Value is "true" or "false",
            "integer" => plain && Regex.IsMatch(scalar.Value!, "^-?[0-9]+$"),
            "number" => plain && Regex.IsMatch(scalar.Value!, @"^-?[0-9]+(\.[0-9]+)?$"),
            "string" => !plain || !(IsOfType("null", node) || IsOfType("boolean", node) || IsOfType("number", node)),
            _ => false,
        };
    }
}
