using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Projects.Images;

/// <summary>The text of an <c>ingot.lock</c>: a thing a line, sorted, so that two branches that add names merge.</summary>
internal sealed partial class LockText
{
    private const string Head = """
        # Which digest each tag named, and which packages each bootstrap installed, when it was first used here. Made by ingot; keep it with the sources.
        # 'ingot build --update' asks the registries and mirrors anew.
        ingot-lock: 1
        images:

        """;

    /// <summary>Digests by the names that templates have for images.</summary>
    public SortedDictionary<string, Digest> Images { get; } = new(StringComparer.Ordinal);

    /// <summary>Bootstraps by image and architecture, with a blank between.</summary>
    public SortedDictionary<string, LockedBootstrap> Bootstraps { get; } = new(StringComparer.Ordinal);

    /// <summary>Reads the text of a file; what is wrong goes to <paramref name="diagnostics"/>.</summary>
    public static LockText Parse(SourceText source, DiagnosticBag diagnostics)
    {
        var reader = new Reader(diagnostics);
        int start = 0;
        foreach (string line in source.Text.Split('\n'))
        {
            reader.Take(line.TrimEnd(), source.Span(start, line.Length));
            start += line.Length + 1;
        }

        if (!reader.HasVersion && !diagnostics.HasErrors)
            diagnostics.Error("lock-version", $"'{source.Name}' has no 'ingot-lock: 1'", source.Span(0, 0),
                "delete the file to lock everything again");
        return reader.Finish();
    }

    /// <summary>The file's text.</summary>
    public override string ToString()
    {
        var text = new StringBuilder(Head);
        foreach (var (name, digest) in Images)
            text.Append("  \"").Append(name).Append("\": ").Append(digest).Append('\n');
        text.Append(Bootstraps.Count == 0 ? "" : "bootstraps:\n");
        foreach (var (name, bootstrap) in Bootstraps)
        {
            text.Append("  \"").Append(name).Append("\":\n    request: \"").Append(bootstrap.Request).Append("\"\n    packages:\n");
            foreach (var package in bootstrap.Packages)
                text.Append(CultureInfo.InvariantCulture, $"      \"{package.Id}\": {package.Version} {package.Digest}\n");
        }

        return text.ToString();
    }

    private sealed class Reader(DiagnosticBag diagnostics)
    {
        private readonly LockText _text = new();
        private readonly Dictionary<string, SortedDictionary<string, InstalledPackage>> _packages = [];
        private bool _isBootstraps;
        private string? _bootstrap;

        public bool HasVersion { get; private set; }

        public void Take(string line, SourceSpan span)
        {
            if (line.Length == 0 || line.StartsWith('#'))
                return;
            if (line.StartsWith("ingot-lock:", StringComparison.Ordinal))
                ReadVersion(line, span);
            else if (line is "images:" or "images: {}" or "bootstraps:" or "bootstraps: {}")
                (_isBootstraps, _bootstrap) = (line.StartsWith('b'), null);
            else if (!(_isBootstraps ? TakeBootstrap(line, span) : TakeImage(line, span)))
                SayNotUnderstood(line, span);
        }

        private void SayNotUnderstood(string line, SourceSpan span)
        {
            string expected = _isBootstraps ? "'      \"NAME:ARCHITECTURE\": VERSION sha256:…'" : "'  \"NAME\": sha256:…'";
            diagnostics.Error("lock-line", $"'{(line.Length > 80 ? line[..80] : line)}' is not understood", span,
                $"expected {expected}; where two branches met, keep the line of one of them");
        }

        public LockText Finish()
        {
            foreach (var (name, packages) in _packages)
                _text.Bootstraps[name] = _text.Bootstraps[name] with { Packages = [.. packages.Values] };
            return _text;
        }

        private void ReadVersion(string line, SourceSpan span)
        {
            HasVersion = true;
            if (line["ingot-lock:".Length..].Trim() != "1")
                diagnostics.Error("lock-version", $"'{line}' is a version that this ingot does not know", span,
                    "use the ingot that wrote it, or a newer one");
        }

        private bool TakeImage(string line, SourceSpan span)
        {
            if (ImageLine().Match(line) is not { Success: true } entry || !Digest.TryParse(entry.Groups[2].ValueSpan, out var digest))
                return false;
            if (!_text.Images.TryAdd(entry.Groups[1].Value, digest) && _text.Images[entry.Groups[1].Value] != digest)
                Twice(entry.Groups[1].Value, "digests", span);
            return true;
        }

        private bool TakeBootstrap(string line, SourceSpan span)
        {
            if (BootstrapLine().Match(line) is { Success: true } start)
            {
                _bootstrap = start.Groups[1].Value;
                if (!_packages.TryAdd(_bootstrap, new(StringComparer.Ordinal)))
                    Twice(_bootstrap, "lists of packages", span);
                _text.Bootstraps[_bootstrap] = new LockedBootstrap("", []);
                return true;
            }

            if (_bootstrap is null || line is "    packages:" or "    packages: {}")
                return _bootstrap is not null;
            if (RequestLine().Match(line) is not { Success: true } request)
                return TakePackage(_packages[_bootstrap], line, span);
            _text.Bootstraps[_bootstrap] = new LockedBootstrap(request.Groups[1].Value, []);
            return true;
        }

        private bool TakePackage(SortedDictionary<string, InstalledPackage> packages, string line, SourceSpan span)
        {
            if (PackageLine().Match(line) is not { Success: true } entry || !Digest.TryParse(entry.Groups[4].ValueSpan, out var digest))
                return false;

            var package = new InstalledPackage(entry.Groups[1].Value, entry.Groups[2].Value, entry.Groups[3].Value, digest);
            if (!packages.TryAdd(package.Id, package) && packages[package.Id] != package)
                Twice(package.Id, "files", span);
            return true;
        }

        private void Twice(string name, string what, SourceSpan span) =>
            diagnostics.Error("lock-twice", $"'{name}' is locked to two {what}", span, "keep one of them");
    }

    [GeneratedRegex(@"\A  ""?([^""\s]+?)""?: (sha256:[0-9a-f]+)\z")]
    private static partial Regex ImageLine();

    [GeneratedRegex(@"\A  ""?([^""\s]+ [^""\s]+?)""?:\z")]
    private static partial Regex BootstrapLine();

    [GeneratedRegex(@"\A    request: ""?([^""]*?)""?\z")]
    private static partial Regex RequestLine();

    // https://www.debian.org/doc/debian-policy/ch-controlfields.html#source and #version.
    [GeneratedRegex(@"\A      ""?([a-z0-9][a-z0-9+.-]*):([a-z0-9-]+)""?: ([A-Za-z0-9.+:~-]+) (sha256:[0-9a-f]+)\z")]
    private static partial Regex PackageLine();
}
