using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Tar;

namespace Ingot.Corpus;

/// <summary>What a build came to, as sorted lines: the configuration, the history above the base,
/// and every path in which the image differs from its base.</summary>
/// <remarks>Left out: times, which Ingot sets and BuildKit takes from the clock; sizes of compressed layers. A file whose content is one of
/// the base's is named so, because a base is made of what Debian has today.</remarks>
public static partial class ImageReport
{
    private const string Suffix = " # buildkit";
    private const int RootMode = 0b111_101_101;

    // What decides nothing, or is the builder's own.
    private static readonly string[] s_ignored =
        ["Hostname", "Domainname", "AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce", "Image"];

    /// <summary>The lines of an image in <paramref name="store"/>.</summary>
    public static async Task<IReadOnlyList<string>> MakeAsync(
        IContentStore store, Digest digest, Platform platform, IReadOnlyList<BaseImage> bases, IReadOnlySet<string> withoutContent,
        CancellationToken cancellationToken = default)
    {
        var image = await Image.LoadAsync(store, digest, platform, cancellationToken);
        var below = bases
            .Where(b => b.DiffIds.Count <= image.Config.RootFs.DiffIds.Count
                && image.Config.RootFs.DiffIds.Take(b.DiffIds.Count).SequenceEqual(b.DiffIds))
            .MaxBy(b => b.DiffIds.Count);
        var tree = await ImageTree.ReadAsync(store, image, image.Manifest.Layers.Count, cancellationToken);
        using var config = JsonDocument.Parse(await store.ReadRequiredAsync(image.Manifest.Config.Digest, cancellationToken));
        return
        [
            $"base {below?.Name ?? "scratch"}",
            $"platform {image.Config.Os}/{image.Config.Architecture}{(image.Config.Variant is { } variant ? "/" + variant : "")}",
            .. Config(config.RootElement),
            .. History(image, below, tree.EmptyLayers),
            .. Tree(tree, below, bases, withoutContent),
        ];
    }

    private static IEnumerable<string> Config(JsonElement document)
    {
        if (!document.TryGetProperty("config", out var config))
            yield break;

        foreach (var property in config.EnumerateObject()
            .OrderBy(p => p.Name, StringComparer.Ordinal)
            .Where(p => !s_ignored.Contains(p.Name) && !IsEmpty(p.Value)))
        {
            if (property.Value.ValueKind == JsonValueKind.Object && property.Name != "Healthcheck")
            {
                foreach (var item in property.Value.EnumerateObject().OrderBy(p => p.Name, StringComparer.Ordinal))
                    yield return $"config {property.Name} "
                        + $"{Json(item.Name)}{(item.Value.ValueKind == JsonValueKind.String ? "=" + Json(item.Value.GetString()!) : "")}";
            }
            else if (property.Name == "Env")
            {
                foreach (var item in property.Value.EnumerateArray())
                    yield return $"config Env {Json(item.GetString()!)}";
            }
            else
            {
                yield return $"config {property.Name} {Value(property.Value)}";
            }
        }
    }

    private static bool IsEmpty(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => true,
        JsonValueKind.String => value.GetString()!.Length == 0,
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        _ => false,
    };

    private static string Value(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => $"[{string.Join(',', value.EnumerateArray().Select(Value))}]",
        JsonValueKind.Object => $"{{{string.Join(',', Members(value).Select(p => $"{p.Name}:{Value(p.Value)}"))}}}",
        JsonValueKind.String => Json(value.GetString()!),
        _ => value.GetRawText(),
    };

    private static IEnumerable<JsonProperty> Members(JsonElement value) =>
        value.EnumerateObject().Where(p => !IsEmpty(p.Value)).OrderBy(p => p.Name, StringComparer.Ordinal);

    private static string[] PortsOf(string text) => text.Replace(":{}", "", StringComparison.Ordinal).Split(' ');

    private static string Json(string text) => EscapedText.Quote(TarPath.Encode(text));

    // What an instruction does, and what it wrote. Build arguments and health checks are left out of the text: BuildKit publishes the
    // values of build arguments, which may be secrets, and prints health checks as a structure of its program; ports it sorts or not,
    // from version to version.
    private static IEnumerable<string> History(Image image, BaseImage? below, IReadOnlyList<bool> emptyLayers)
    {
        int layer = 0;
        foreach (var (index, entry) in image.Config.History.Index())
        {
            bool isEmpty = entry.EmptyLayer == true || emptyLayers[layer++];
            if (index < (below?.HistoryCount ?? 0))
                continue;
            string text = entry.CreatedBy ?? "";
            text = text.EndsWith(Suffix, StringComparison.Ordinal) ? text[..^Suffix.Length] : text;
            text = PublishedArguments().Replace(text, "RUN ");
            text = OwnText().Replace(text, "$1");
            text = Ports().Match(text) is { Success: true } ports
                ? $"EXPOSE [{string.Join(' ', PortsOf(ports.Groups[1].Value).Order(StringComparer.Ordinal))}]"
                : text;
            yield return $"history {(isEmpty ? "empty" : "layer")} {Json(text)}";
        }
    }

    [GeneratedRegex(@"^RUN \|\d+ .*?(?=/bin/)", RegexOptions.Singleline)]
    private static partial Regex PublishedArguments();

    [GeneratedRegex("^(ARG|HEALTHCHECK) .*$", RegexOptions.Singleline)]
    private static partial Regex OwnText();

    [GeneratedRegex(@"^EXPOSE (?:map)?\[(.*)\]$")]
    private static partial Regex Ports();

    private static IEnumerable<string> Tree(
        ImageTree tree, BaseImage? below, IReadOnlyList<BaseImage> bases, IReadOnlySet<string> withoutContent)
    {
        var under = below?.Tree.Files ?? new Dictionary<string, ImageFile>();
        var names = bases.SelectMany(b => b.Tree.Files
            .Where(f => f.Value is { Digest: not null, Text: null })
            .Select(f => (f.Value.Digest!.Value, Name: $"{b.Name}:/{f.Key}")))
            .GroupBy(p => p.Item1).ToDictionary(g => g.Key, g => g.First().Name);
        var groups = tree.Files.Where(f => f.Value.Entry.Type != TarEntryType.Directory).GroupBy(f => f.Value,
            ReferenceEqualityComparer.Instance)
            .ToDictionary(g => g.Key!, g => g.Select(p => p.Key).ToList(), ReferenceEqualityComparer.Instance);
        var underGroups = under
            .GroupBy(f => f.Value, ReferenceEqualityComparer.Instance)
            .ToDictionary(g => g.Key!, g => g.First().Key, ReferenceEqualityComparer.Instance);
        foreach (var (path, file) in tree.Files)
        {
            string line = Line(path, file, First(groups, path, file), names, withoutContent);
            bool isSame = under.TryGetValue(path, out var old)
                ? line == Line(path, old, old.Entry.Type == TarEntryType.Directory ? path : underGroups[old], names, withoutContent)
                : path.Length == 0 && file.Entry is { Mode: RootMode, UserId: 0, GroupId: 0, ExtendedAttributes: null };
            if (!isSame)
                yield return line;
        }

        foreach (string path in under.Keys.Where(p => !tree.Files.ContainsKey(p) && p.Length > 0))
            yield return $"gone /{EscapedText.Path(path)}";
    }

    private static string First(Dictionary<object, List<string>> groups, string path, ImageFile file) =>
        groups.TryGetValue(file, out var paths) ? paths[0] : path;

    private static string Line(
        string path, ImageFile file, string first, Dictionary<Digest, string> names, IReadOnlySet<string> withoutContent)
    {
        var entry = file.Entry;
        string name = "/" + EscapedText.Path(path);
        if (first != path)
            return $"hard {name} is /{EscapedText.Path(first)}";

        string kind = entry.Type switch
        {
            TarEntryType.File => "file",
            TarEntryType.SymbolicLink => "link",
            TarEntryType.CharacterDevice => "char",
            TarEntryType.BlockDevice => "block",
            TarEntryType.Directory => "dir",
            _ => "fifo",
        };
        string mode = entry.Type == TarEntryType.SymbolicLink ? "" : " " + Convert.ToString(entry.Mode, 8).PadLeft(4, '0');
        string attributes = string.Concat((entry.ExtendedAttributes ?? []).Select(a => $" {a.Key}={Convert.ToHexStringLower(a.Value)}"));
        string rest = entry.Type switch
        {
            TarEntryType.File => " " + Content(name, file, names, withoutContent),
            TarEntryType.SymbolicLink => $" -> {EscapedText.Path(entry.LinkTarget!)}",
            TarEntryType.CharacterDevice or TarEntryType.BlockDevice =>
                string.Create(CultureInfo.InvariantCulture, $" {entry.DeviceMajor}:{entry.DeviceMinor}"),
            _ => "",
        };
        return string.Create(CultureInfo.InvariantCulture, $"{kind} {name}{mode} {entry.UserId}:{entry.GroupId}{attributes}{rest}");
    }

    private static string Content(string name, ImageFile file, Dictionary<Digest, string> names, IReadOnlySet<string> withoutContent)
    {
        if (withoutContent.Contains(name))
            return "any content";
        if (file.Text is { } text)
            return EscapedText.Quote(text);
        return names.TryGetValue(file.Digest!.Value, out var same)
            ? $"as {same}"
            : string.Create(CultureInfo.InvariantCulture, $"{file.Entry.Size} {file.Digest}");
    }
}
