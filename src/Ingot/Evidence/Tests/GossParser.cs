using System.Buffers;
using System.Globalization;
using Ingot.Diagnostics;
using Ingot.Yaml;

namespace Ingot.Evidence.Tests;

/// <summary>Turns the YAML of a goss file into resources, and says everything that is wrong with it.</summary>
internal sealed class GossParser
{
    private static readonly string[] s_networks = ["tcp", "tcp6", "udp", "udp6"];
    private static readonly SearchValues<char> s_digits = SearchValues.Create("0123456789.");

    private readonly DiagnosticBag _diagnostics;
    private readonly MatcherParser _matchers;

    private GossParser(DiagnosticBag diagnostics)
    {
        _diagnostics = diagnostics;
        _matchers = new MatcherParser(diagnostics);
    }

    public static GossFile Parse(SourceText source, DiagnosticBag diagnostics)
    {
        int template = source.Text.IndexOf("{{", StringComparison.Ordinal);
        if (template >= 0)
        {
            // Before the template is rendered the text need not be YAML: nothing else can be said of it.
            diagnostics.Error("goss-not-supported", "Go templates are not supported yet", source.Span(template, 2), "write the values out");
            return new GossFile(source, []);
        }

        var root = YamlReader.Read(source, GossScalars.File, diagnostics);
        return new GossFile(source, root is null ? [] : new GossParser(diagnostics).Root(root));
    }

    private List<GossResource> Root(YamlNode root)
    {
        List<GossResource> resources = [];
        if (root is YamlScalar { IsNull: true })
            return resources;
        if (root is not YamlMap map)
        {
            _diagnostics.Error("goss-root", $"a goss file is a map of resources, found {root.GossKind}", root.Span);
            return resources;
        }

        foreach (var (key, value) in map.Entries)
        {
            if (GossResourceSchema.All.FirstOrDefault(s => s.Key == key.Text) is { } schema)
                resources.AddRange(Section(schema, value));
            else if (GossResourceSchema.NotYetEvaluated.Contains(key.Text))
                _diagnostics.Error("goss-not-supported", $"the resource '{key.Text}' is not supported yet", key.Span, path: key.Text);
            else
                _diagnostics.Error("goss-resource-unknown", $"'{key.Text}' is not a goss resource", key.Span,
                    Suggestion.For(key.Text, GossResourceSchema.All.Select(s => s.Key))
                        ?? Expected(GossResourceSchema.All.Select(s => s.Key)),
                    key.Text);
        }

        return resources;
    }

    private IEnumerable<GossResource> Section(GossResourceSchema schema, YamlNode section)
    {
        if (section is YamlScalar { IsNull: true })
            yield break;
        if (section is not YamlMap map)
        {
            _diagnostics.Error("goss-section", $"'{schema.Key}' is a map of resources, found {section.GossKind}",
                section.Span, path: schema.Key);
            yield break;
        }

        foreach (var (key, value) in map.Entries)
        {
            string path = $"{schema.Key}/{key.Text}";
            if (value is not YamlMap attributes)
                _diagnostics.Error("goss-resource", $"'{key.Text}' is a map of attributes, found {value.GossKind}", value.Span, path: path);
            else if (Resource(schema, key, attributes, path) is { } resource)
                yield return resource;
        }
    }

    private GossResource? Resource(GossResourceSchema schema, YamlScalar key, YamlMap attributes, string path)
    {
        CheckWords(schema, attributes, path);
        var checks = schema.Attributes
            .Select(attribute => Check(schema, attribute, attributes, path))
            .OfType<GossCheck>().ToList();
        if (schema.Attributes.FirstOrDefault(a => a.IsRequired && attributes.Find(a.Name) is null) is { } missing)
            _diagnostics.Error("goss-attribute-missing", $"'{missing.Name}' is missing", key.Span,
                $"every {schema.Key} says what it expects of '{missing.Name}'", path);

        var settings = new Settings(this, attributes, path);
        var resource = new GossResource(schema.Type, key.Text, Name(schema, key, settings), checks, key.Span)
        {
            Title = settings.Text("title"),
            Skip = settings.Truth("skip"),
        };
        return schema.Type switch
        {
            GossResourceType.Command => resource with { Command = Command(key, attributes, settings, path) },
            GossResourceType.Http =>
                Request(key, resource.Name, settings, path) is { } request ? resource with { Request = request } : null,
            GossResourceType.Port => CheckPort(resource, key, path) ? resource : null,
            GossResourceType.File => CheckPath(resource, key, path) ? resource : null,
            _ => resource,
        };
    }

    private void CheckWords(GossResourceSchema schema, YamlMap attributes, string path)
    {
        foreach (var (word, _) in attributes.Entries)
        {
            if (schema.Words.Contains(word.Text))
                continue;

            if (schema.NotYet.Contains(word.Text))
                _diagnostics.Error("goss-not-supported", $"'{word.Text}' is not supported yet", word.Span, path: path);
            else
                _diagnostics.Error("goss-attribute-unknown", $"'{word.Text}' is not an attribute of {schema.Key}", word.Span,
                    Suggestion.For(word.Text, schema.Words) ?? Expected(schema.Words), path);
        }
    }

    private GossCheck? Check(GossResourceSchema schema, GossAttribute attribute, YamlMap attributes, string path)
    {
        if (attributes.Entries.FirstOrDefault(e => e.Key.Text == attribute.Name) is not { Value: { } value, Key: var key })
            return null;

        string below = $"{path}/{attribute.Name}";
        if (attribute.Name == "mode" && value is YamlScalar scalar && scalar.AsNumber() is not null)
        {
            _diagnostics.Error("goss-mode", $"the mode '{scalar.Text}' is a number to YAML, which never equals a mode", value.Span,
                $"write it in quotes: \"{scalar.Text.PadLeft(4, '0')}\"", below);
            return null;
        }

        if (schema.Type == GossResourceType.File && attribute.Name == "contains")
            _diagnostics.Warning("goss-contains", "'contains' is the old name of 'contents'", key.Span, path: below);
        return _matchers.Parse(value, attribute.Kind, below) is { } matcher ? new GossCheck(attribute.Name, matcher, value.Span) : null;
    }

    private static string Name(GossResourceSchema schema, YamlScalar key, Settings settings) =>
        schema.Type == GossResourceType.Command ? key.Text : settings.Text(schema.NameAttribute) ?? key.Text;

    private GossCommand Command(YamlScalar key, YamlMap attributes, Settings settings, string path)
    {
        var timeout = settings.Milliseconds("timeout") ?? TimeSpan.FromSeconds(10);
        int retries = (int)Math.Clamp(settings.Number("retry_count") ?? 0, 0, 1000);
        var delay = settings.Duration("retry_delay") ?? TimeSpan.FromSeconds(1);
        switch (attributes.Find("exec"))
        {
            case YamlList list:
                if (list.Items.Count == 0 || list.Items.Any(i => i is not YamlScalar))
                    _diagnostics.Error("goss-exec", "'exec' is a line for the shell, or a program and its arguments as a list of texts",
                        list.Span, path: $"{path}/exec");
                return new GossCommand([.. list.Items.OfType<YamlScalar>().Select(s => s.Text)], NeedsShell: false,
                    timeout, retries, delay);
            case YamlScalar { IsNull: false } line:
                return new GossCommand(["sh", "-c", line.Text], NeedsShell: true, timeout, retries, delay);
            case YamlMap map:
                _diagnostics.Error("goss-exec", $"'exec' is a line for the shell, or a list of texts, found {map.GossKind}", map.Span,
                    path: $"{path}/exec");
                break;
        }

        return new GossCommand(["sh", "-c", key.Text], NeedsShell: true, timeout, retries, delay);
    }

    private GossRequest? Request(YamlScalar key, string url, Settings settings, string path)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
        {
            _diagnostics.Error("goss-url", $"'{url}' is not an http or https URL", key.Span, path: path);
            return null;
        }

        string? user = settings.Text("username");
        string? password = settings.Text("password");
        return new GossRequest
        {
            Url = uri,
            Method = settings.Text("method") is { Length: > 0 } method ? method : "GET",
            Timeout = settings.Milliseconds("timeout") is { } timeout && timeout > TimeSpan.Zero ? timeout : TimeSpan.FromSeconds(5),
            NoFollowRedirects = settings.Truth("no-follow-redirects"),
            AllowInsecure = settings.Truth("allow-insecure"),
            Headers = settings.Headers("request-headers"),
            Body = settings.Text("request-body"),
            Credentials = user is null && password is null ? null : $"{user}:{password}",
        };
    }

    private bool CheckPort(GossResource resource, YamlScalar key, string path)
    {
        if (GossPort.TryParse(resource.Name, out _))
            return true;

        _diagnostics.Error("goss-port", $"'{resource.Name}' is not a port", key.Span,
            $"expected a number, or one after {string.Join(", ", s_networks.Select(n => $"'{n}:'"))}", path);
        return false;
    }

    private bool CheckPath(GossResource resource, YamlScalar key, string path)
    {
        if (resource.Name.StartsWith('/') || resource.Name.StartsWith('~'))
            return true;

        _diagnostics.Error("goss-path", $"'{resource.Name}' is not an absolute path", key.Span,
            "a path begins with '/', or with '~' and the name of a user", path);
        return false;
    }

    private static string Expected(IEnumerable<string> words) =>
        $"expected one of {string.Join(", ", words.Order(StringComparer.Ordinal))}";

    /// <summary>The words of a resource that are no checks.</summary>
    private sealed class Settings(GossParser parser, YamlMap attributes, string path)
    {
        public string? Text(string name)
        {
            switch (attributes.Find(name))
            {
                case null or YamlScalar { IsNull: true }:
                    return null;
                case YamlScalar scalar:
                    return scalar.Text;
                case var other:
                    return Wrong<string>(name, other, "a text");
            }
        }

        public bool Truth(string name)
        {
            var value = attributes.Find(name);
            if (value is null or YamlScalar { IsNull: true })
                return false;
            if (value is YamlScalar scalar)
            {
                // Where the type is known YAML 1.1's words are read too.
                if (scalar.AsTruth() is { } truth)
                    return truth;
                if (scalar.IsPlain && scalar.Text is "yes" or "on" or "y" or "no" or "off" or "n")
                    return scalar.Text is "yes" or "on" or "y";
            }

            Wrong<string>(name, value, "true or false");
            return false;
        }

        public double? Number(string name)
        {
            var value = attributes.Find(name);
            if (value is null or YamlScalar { IsNull: true })
                return null;
            if (value is YamlScalar scalar && scalar.AsNumber() is { } number)
                return number;

            Wrong<string>(name, value, "a number");
            return null;
        }

        public TimeSpan? Milliseconds(string name) => Number(name) is { } number ? Bounded(number) : null;

        public TimeSpan? Duration(string name)
        {
            if (attributes.Find(name) is not YamlScalar { IsNull: false } scalar || scalar.AsNumber() is not null)
                return Milliseconds(name);

            var duration = GoDuration(scalar.Text);
            if (duration is null)
                Wrong<string>(name, scalar, "milliseconds, or a duration such as 500ms or 2s");
            return duration;
        }

        public IReadOnlyList<KeyValuePair<string, string>> Headers(string name)
        {
            var value = attributes.Find(name);
            if (value is null or YamlScalar { IsNull: true })
                return [];
            if (value is not YamlList list)
                return Wrong<IReadOnlyList<KeyValuePair<string, string>>>(name, value, "a list of headers") ?? [];

            List<KeyValuePair<string, string>> headers = [];
            foreach (var item in list.Items)
            {
                int colon = item is YamlScalar scalar ? scalar.Text.IndexOf(':', StringComparison.Ordinal) : -1;
                if (colon > 0)
                    headers.Add(new(((YamlScalar)item).Text[..colon].Trim(), ((YamlScalar)item).Text[(colon + 1)..].Trim()));
                else
                    Wrong<string>(name, item, "'Name: value'");
            }

            return headers;
        }

        private static TimeSpan Bounded(double milliseconds) =>
            TimeSpan.FromMilliseconds(Math.Clamp(milliseconds, 0, TimeSpan.FromHours(1).TotalMilliseconds));

        // One number and one unit of Go's durations.
        private static TimeSpan? GoDuration(string text)
        {
            int unit = text.AsSpan().IndexOfAnyExcept(s_digits);
            if (unit <= 0
                || !double.TryParse(text.AsSpan(0, unit), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number))
                return null;

            return text[unit..] switch
            {
                "ms" => Bounded(number),
                "s" => Bounded(number * 1000),
                "m" => Bounded(number * 60_000),
                _ => null,
            };
        }

        private T? Wrong<T>(string name, YamlNode at, string expected)
            where T : class
        {
            parser._diagnostics.Error("goss-setting", $"'{name}' is {expected}, found {at.GossKind}", at.Span, path: $"{path}/{name}");
            return null;
        }
    }
}

/// <summary>A port of a network: <c>80</c>, <c>tcp6:80</c>.</summary>
internal readonly record struct GossPort(string Network, int Number)
{
    public static bool TryParse(string text, out GossPort port)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        string network = colon < 0 ? "tcp" : text[..colon];
        bool good = int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            && number <= 65535;
        port = new GossPort(network, number);
        return good && network is "tcp" or "tcp6" or "udp" or "udp6";
    }

    public override string ToString() => $"{Network}:{Number}";
}
