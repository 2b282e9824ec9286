using Ingot.Diagnostics;
using Ingot.Yaml;

namespace Ingot.Templates.Project;

internal sealed partial class ProjectReader
{
    private ImageDefinition? ReadImage(Entry entry)
    {
        if (ReadSection(entry.Value, _imageKeys) is not { } section)
            return null;

        var image = ReadTemplate(entry, section);
        var tests = ReadTests(section["tests"]);
        return image is null ? null : image with
        {
            Version = ReadVersion(section["version"]),
            Tests = [.. tests.Select(t => t.Path)],
            TestSpans = [.. tests.Select(t => t.Span)],
            Claims = Choices(section["claims"], ProjectKeys.Claims, "claim"),
            Epoch = ReadEpoch(section["epoch"]),
            Compression = ReadCompression(section["compression"]),
            Processors = Whole(section["processors"], 1, 1024),
            RulesOff = Choices(Optional(section["normalise"], ProjectKeys.Normalise)["off"], ProjectKeys.Rules, "rule"),
        };
    }

    private EpochDefinition? ReadEpoch(Field? field)
    {
        if (Text(field) is not { } text)
            return null;
        if (!EpochDefinition.TryParse(text, field!.Span, out var epoch))
            Bad(field, $"'{Show(text)}' is not an epoch", EpochDefinition.Form);
        return epoch;
    }

    private CompressionDefinition? ReadCompression(Field? field)
    {
        if (Text(field) is not { } text)
            return null;
        if (ProjectKeys.Compressions.Contains(text))
            return new(field!.Span, text);

        Bad(field!, $"'{Show(text)}' is not a way to compress layers", Suggestion.For(text, ProjectKeys.Compressions)
            ?? $"known: {string.Join(", ", ProjectKeys.Compressions)}");
        return null;
    }

    private ImageDefinition? ReadTemplate(Entry entry, Section section)
    {
        // The one that was added last is named first.
        var given = templates.Reverse().Where(t => section[t.Key] is not null).ToList();
        if (given is [var one, var other, ..])
            diagnostics.Error(ProjectCodes.Conflict, $"the image '{entry.Name}' has both a {one.Key} and a {other.Key}",
                section[one.Key]!.Span, "keep one of them", entry.Value.Path);
        if (given is [var template, ..])
        {
            RefuseKeysOfOthers(section, template);
            return template.Read(new ImageSection(this, entry, section));
        }

        bool isLater = entry.Value.Node is YamlMap map && map.Entries.Any(e => _imageKeys.Later.Contains(e.Key.Text));
        if (!isLater)
        {
            string known = string.Join(" nor a ", templates.Reverse().Select(t => t.Key));
            diagnostics.Error(ProjectCodes.MissingKey, $"the image '{entry.Name}' has neither a {known}", entry.Key.Span,
                "say what it is made from", entry.Value.Path);
        }

        // So that a service which names the image is not reported as well.
        return new DebianImage(entry.Name, entry.Key.Span, "", [], null);
    }

    private void RefuseKeysOfOthers(Section section, ImageTemplate template)
    {
        foreach (var other in templates)
        {
            foreach (var stray in other.Keys.Except(template.Keys).Select(key =>
                (Name: key, Field: section[key])).Where(k => k.Field is not null))
                diagnostics.Error(ProjectCodes.Conflict, $"'{stray.Name}' belongs to an image made from a {other.Key}", stray.Field!.Span,
                    "remove it", stray.Field.Path);
        }
    }

    internal DockerfileImage ReadDockerfile(ImageSection section)
    {
        var field = section["dockerfile"]!;
        string path = RelativePath(field) ?? "Dockerfile";
        if (path == ".")
            diagnostics.Error(ProjectCodes.BadPath, $"'{Scalar(field)}' is a directory", field.Span, "name the Dockerfile itself",
                field.Path);
        int slash = path.LastIndexOf('/');
        string context = section["context"] is { } given ? RelativePath(given) ?? "." : slash < 0 ? "." : path[..slash];
        string? target = Accepted(section["target"], text =>
            text.Length > 0 && !text.Any(char.IsWhiteSpace), "a stage", "the name of a stage in the Dockerfile");
        var arguments = Pairs(section["args"]).Select(ReadArgument).OfType<KeyValuePair<string, string>>();
        return new(section.Name, section.Span, path, context, target, [.. arguments]);
    }

    private KeyValuePair<string, string>? ReadArgument(Entry argument)
    {
        if (!ProjectValues.IsEnvironmentName(argument.Name))
            diagnostics.Error(ProjectCodes.BadName, $"'{Show(argument.Name)}' cannot name an argument", argument.Key.Span,
                "letters, digits and '_'", argument.Value.Path);
        return AnyText(argument.Value) is { } value ? new(argument.Name, value) : null;
    }

    internal DebianImage ReadDebian(ImageSection section)
    {
        var field = section["debian"]!;
        var debian = Optional(field, ProjectKeys.Debian);
        string? suite = field.Node is YamlMap
            ? Accepted(Required(debian, "suite"), ProjectValues.IsSuite, "a release", "such as bookworm") : null;
        return new(section.Name, section.Span, suite ?? "", ReadPackages(debian["packages"]), ReadMirror(debian["mirror"]))
        {
            KeepsDocumentation = ReadDocumentation(debian["documentation"]) == "keep",
        };
    }

    private string? ReadDocumentation(Field? field) =>
        Accepted(field, ProjectKeys.Documentation.Contains, "what becomes of documentation", "keep or drop");

    private List<string> ReadPackages(Field? field)
    {
        List<string> packages = [];
        foreach (var item in field is null ? [] : Items(field))
        {
            if (Accepted(item, ProjectValues.IsPackage, "a package", "a name such as tzdata, or name=version") is { } package)
                packages.Add(package);
        }

        return packages;
    }

    private string? ReadMirror(Field? field) => Accepted(
        field,
        text => Uri.TryCreate(text, UriKind.Absolute, out var uri)
            && uri.Scheme is "http" or "https" or "file" && uri.UserInfo.Length == 0 && !text.Any(char.IsWhiteSpace),
        "the address of a mirror",
        "http://, https:// or file://, without a password");

    private string? ReadVersion(Field? field)
    {
        if (Text(field) is not { } text)
            return null;
        if (ProjectValues.IsVersion(text))
            return text;

        if (text == "git")
            Later(field!.Node, field.Path, "'version: git' is not supported yet", "write a version such as 2.3.1");
        else
            Bad(field!, $"'{Show(text)}' is not a version", text.Contains('+', StringComparison.Ordinal)
                ? "a tag cannot hold '+': leave the build metadata out" : "three numbers, such as 2.3.1 or 2.4.0-rc.1");
        return null;
    }

    private List<(string Path, SourceSpan Span)> ReadTests(Field? field)
    {
        IEnumerable<Field> fields = field is null ? [] : field.Node is YamlList ? Items(field) : [field];
        return [.. from item in fields let path = RelativePath(item) where path is not null select (path, item.Span)];
    }
}
