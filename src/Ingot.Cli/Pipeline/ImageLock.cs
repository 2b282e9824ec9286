using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.RegularExpressions;
using Ingot.Diagnostics;
using Ingot.Oci.Content;

namespace Ingot.Cli.Pipeline;

/// <summary>A tag that was resolved anew.</summary>
/// <param name="Name">The reference as the person wrote it.</param>
/// <param name="Old">What it named before; null when it is new.</param>
/// <param name="New">What it names now.</param>
internal sealed record LockChange(string Name, Digest? Old, Digest New);

/// <summary>A project's <c>ingot.lock</c>: which digest each tag of a registry named when it was first built.</summary>
internal sealed partial class ImageLock
{
    public const string FileName = "ingot.lock";

    private const string Head = """
        # Which digest each tag named when it was first used here. Made by ingot; keep it with the sources.
        # 'ingot build --update' asks the registries anew.
        ingot-lock: 1
        images:

        """;

    private readonly string _path;
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, Digest> _images;
    private readonly SortedDictionary<string, LockChange> _changes = new(StringComparer.Ordinal);

    private ImageLock(string path, SortedDictionary<string, Digest> images)
    {
        _path = path;
        _images = images;
    }

    /// <summary>What was added or moved and is not saved yet, by name.</summary>
    public IReadOnlyList<LockChange> Changes
    {
        get
        {
            lock (_gate)
                return [.. _changes.Values];
        }
    }

    /// <summary>Reads the file in <paramref name="directory"/>; one that is not there locks nothing.</summary>
    public static ImageLock Load(string directory)
    {
        string path = Path.Combine(directory, FileName);
        return new ImageLock(path, Read(path));
    }

    /// <summary>The digest that a name is locked to.</summary>
    public bool TryFind(string name, out Digest digest)
    {
        lock (_gate)
            return _images.TryGetValue(name, out digest);
    }

    /// <summary>Locks a name to a digest.</summary>
    public void Set(string name, Digest digest)
    {
        lock (_gate)
        {
            bool isKnown = _images.TryGetValue(name, out var old);
            if (isKnown && old == digest)
                return;
            _changes[name] = new LockChange(name, isKnown ? old : null, digest);
            _images[name] = digest;
        }
    }

    /// <summary>Writes what changed into the file as it is now: another build may have added names meanwhile. The file is replaced whole.</summary>
    public async Task SaveAsync(Home home, CancellationToken cancellationToken)
    {
        var changes = Changes;
        if (changes.Count == 0)
            return;

        using var held = await home.LockAsync(_path, cancellationToken);
        var current = Read(_path);
        foreach (var change in changes)
            current[change.Name] = change.New;
        AtomicFile.Write(_path, Encoding.UTF8.GetBytes(Write(current)), durable: true);
        lock (_gate)
            _changes.Clear();
    }

    /// <summary>The file's text: a name a line, sorted, so that two branches that add names merge.</summary>
    public static string Write(IReadOnlyDictionary<string, Digest> images)
    {
        var text = new StringBuilder(Head);
        foreach (var (name, digest) in images.OrderBy(i => i.Key, StringComparer.Ordinal))
            text.Append("  \"").Append(name).Append("\": ").Append(digest).Append('\n');
        return text.ToString();
    }

    /// <summary>Reads the text of a file; what is wrong goes to <paramref name="diagnostics"/>.</summary>
    [SuppressMessage("Maintainability", "CA1502", Justification = "a file of four kinds of lines")]
    public static SortedDictionary<string, Digest> Parse(SourceText source, DiagnosticBag diagnostics)
    {
        var images = new SortedDictionary<string, Digest>(StringComparer.Ordinal);
        bool hasVersion = false;
        int start = 0;
        foreach (string line in source.Text.Split('\n'))
        {
            var span = source.Span(start, line.Length);
            start += line.Length + 1;
            string text = line.TrimEnd();
            if (text.Length == 0 || text.StartsWith('#'))
                continue;
            if (text.StartsWith("ingot-lock:", StringComparison.Ordinal))
                hasVersion = ReadVersion(text, span, diagnostics);
            else if (EntryPattern().Match(text) is { Success: true } entry && Digest.TryParse(entry.Groups[2].ValueSpan, out var digest))
                Add(images, entry.Groups[1].Value, digest, span, diagnostics);
            else if (text != "images:" && text != "images: {}")
                diagnostics.Error("lock-line", $"'{(text.Length > 80 ? text[..80] : text)}' is not understood", span, "expected '  \"NAME\": sha256:…'; where two branches met, keep the line of one of them");
        }

        if (!hasVersion && !diagnostics.HasErrors)
            diagnostics.Error("lock-version", $"'{source.Name}' has no 'ingot-lock: 1'", source.Span(0, 0), "delete the file to lock every image anew");
        return images;
    }

    private static bool ReadVersion(string text, SourceSpan span, DiagnosticBag diagnostics)
    {
        if (text["ingot-lock:".Length..].Trim() != "1")
            diagnostics.Error("lock-version", $"'{text}' is a version that this ingot does not know", span, "use the ingot that wrote it, or a newer one");
        return true;
    }

    private static void Add(SortedDictionary<string, Digest> images, string name, Digest digest, SourceSpan span, DiagnosticBag diagnostics)
    {
        if (!images.TryAdd(name, digest) && images[name] != digest)
            diagnostics.Error("lock-twice", $"'{name}' is locked to two digests", span, "keep one of the lines");
    }

    private static SortedDictionary<string, Digest> Read(string path)
    {
        if (!File.Exists(path))
            return new SortedDictionary<string, Digest>(StringComparer.Ordinal);

        var diagnostics = new DiagnosticBag();
        var images = Parse(new SourceText(Commands.ProjectFiles.Name(path), File.ReadAllText(path)), diagnostics);
        diagnostics.ThrowIfErrors();
        return images;
    }

    [GeneratedRegex(@"\A  ""?([^""\s]+?)""?: (sha256:[0-9a-f]+)\z")]
    private static partial Regex EntryPattern();
}
