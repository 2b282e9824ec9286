using Ingot.Oci.Content;

namespace Ingot.Corpus;

/// <summary>One Dockerfile of the corpus with what is built from it.</summary>
/// <remarks>A case is a directory: <c>Dockerfile</c>, <c>case.txt</c> with a setting a line, <c>files.txt</c> with the context as
/// <see cref="CaseFiles"/> reads it, <c>context/</c> with files of it that git can hold, and <c>buildkit.txt</c>,
/// what BuildKit made of it.</remarks>
public sealed record CorpusCase(string Name, string Directory)
{
    /// <summary>What BuildKit made of it, as recorded.</summary>
    public const string RecordName = "buildkit.txt";

    private readonly List<KeyValuePair<string, string>> _settings = ReadSettings(Path.Combine(Directory, "case.txt"));

    /// <summary>The Dockerfile's name in the context.</summary>
    public string Dockerfile => Find("dockerfile") ?? "Dockerfile";

    /// <summary>The stage to build; null for the last.</summary>
    public string? Target => Find("target");

    /// <summary>What the image runs on.</summary>
    public Platform Platform => Find("platform") is { } text ? ParsePlatform(text) : Platform.Host;

    /// <summary>The platform as the case writes it; null when it does not.</summary>
    public string? PlatformText => Find("platform");

    /// <summary>Build arguments.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Arguments => [.. All("arg").Select(Split)];

    /// <summary>Labels of the command line.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Labels => [.. All("label").Select(Split)];

    /// <summary>Named contexts: a directory beside the context that <c>files.txt</c> describes,
    /// or <c>docker-image://</c> and one of the bases.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Contexts => [.. All("context").Select(Split)];

    /// <summary>Secrets by their ids.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Secrets => [.. All("secret").Select(Split)];

    /// <summary>Whether BuildKit fails to build it.</summary>
    public bool MustFail => Find("fails") is not null;

    /// <summary>Whether BuildKit must be newer than that of Debian 13: the case uses what came later.</summary>
    public bool NeedsNewer => Find("newer") is not null;

    /// <summary>Whether no BuildKit of Debian knows what the case uses: its record is written by hand,
    /// after the reference of the language.</summary>
    public bool IsByReference => Find("reference") is not null;

    /// <summary>Whether the case is made for the base with compilers.</summary>
    public bool NeedsDebian =>
        File.ReadAllText(Path.Combine(Directory, "Dockerfile")).Contains(BaseImages.Debian, StringComparison.Ordinal);

    /// <summary>Why Ingot's result differs on purpose; null when it must be equal.</summary>
    public string? Different => Find("different") ?? Refused ?? Accepted;

    /// <summary>Why Ingot refuses on purpose what BuildKit builds; null when it does not.</summary>
    public string? Refused => Find("refused");

    /// <summary>Why Ingot builds on purpose what BuildKit refuses; null when it does not.</summary>
    public string? Accepted => Find("accepted");

    /// <summary>The lines of a report, by how they begin, that differ on purpose.</summary>
    public IReadOnlyList<string> Excused => All("excused");

    /// <summary>Paths whose content depends on Debian's state, and is therefore not recorded.</summary>
    public IReadOnlySet<string> Volatile => All("volatile").ToHashSet();

    /// <summary>Where BuildKit's answer is kept.</summary>
    public string RecordPath => Path.Combine(Directory, RecordName);

    /// <summary>The cases in a directory, by name.</summary>
    public static IReadOnlyList<CorpusCase> ReadAll(string directory) =>
        [.. System.IO.Directory.EnumerateDirectories(directory)
            .Order(StringComparer.Ordinal)
            .Select(d => new CorpusCase(Path.GetFileName(d), d))];

    private static Platform ParsePlatform(string text)
    {
        string[] parts = text.Split('/');
        return new Platform { Os = parts[0], Architecture = parts[1], Variant = parts.ElementAtOrDefault(2) };
    }

    private string? Find(string key) => All(key).Count == 0 ? null : All(key)[0];

    private List<string> All(string key) => [.. _settings.Where(s => s.Key == key).Select(s => s.Value)];

    private static KeyValuePair<string, string> Split(string text) =>
        text.IndexOf('=', StringComparison.Ordinal) is var at and > 0
            ? new(text[..at], text[(at + 1)..])
            : throw new FormatException($"expected NAME=VALUE, found '{text}'");

    private static List<KeyValuePair<string, string>> ReadSettings(string path)
    {
        string[] lines = File.Exists(path) ? File.ReadAllLines(path) : [];
        return [.. lines.Where(l => l.Length > 0 && l[0] != '#').Select(Setting)];
    }

    private static KeyValuePair<string, string> Setting(string line)
    {
        string[] parts = line.Split(' ', 2);
        string[] known = ["arg", "label", "context", "secret", "target", "platform", "dockerfile", "fails", "newer", "reference",
            "different", "refused", "accepted", "excused", "volatile"];
        return known.Contains(parts[0])
            ? new(parts[0], parts.ElementAtOrDefault(1) ?? "")
            : throw new FormatException($"a case has no setting '{parts[0]}'");
    }
}
