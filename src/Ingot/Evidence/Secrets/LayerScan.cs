using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Evidence.Secrets;

/// <summary>A match in a file of a layer.</summary>
internal sealed record FileMatch(string Path, SecretMatch Match);

/// <summary>What a search through one layer left: the matches, and which paths the layer has and hides.</summary>
internal sealed class LayerContent
{
    private readonly HashSet<string> _files = new(StringComparer.Ordinal);
    private readonly HashSet<string> _directories = new(StringComparer.Ordinal);
    private readonly HashSet<string> _hidden = new(StringComparer.Ordinal);
    private readonly HashSet<string> _opaque = new(StringComparer.Ordinal);

    public List<FileMatch> Matches { get; } = [];

    public long Files { get; set; }

    public long Bytes { get; set; }

    public bool IsCut { get; set; }

    public void Add(TarEntry entry)
    {
        if (Whiteout.IsOpaque(entry.Path))
            _opaque.Add(Whiteout.Hidden(entry.Path));
        else if (Whiteout.IsWhiteout(entry.Path))
            _hidden.Add(Whiteout.Hidden(entry.Path));
        else
            (entry.Type == TarEntryType.Directory ? _directories : _files).Add(entry.Path);
    }

    /// <summary>Whether this layer takes away or replaces what a lower one has at <paramref name="path"/>.</summary>
    public bool Covers(string path)
    {
        if (_files.Contains(path) || _directories.Contains(path) || _hidden.Contains(path))
            return true;

        for (string parent = path; parent.Length > 0;)
        {
            parent = TarPath.Parent(parent);
            // A file where the directory was takes everything in it away too.
            if (_hidden.Contains(parent) || _opaque.Contains(parent) || _files.Contains(parent))
                return true;
        }

        return false;
    }
}

/// <summary>Searches the files of one layer in one pass, in a window of bounded size.</summary>
internal sealed class LayerScan
{
    private const int ChunkBytes = 256 << 10;
    private const int SniffedBytes = 8 << 10;
    // A file of nothing but keys is told by its first findings.
    private const int MaxMatchesOfFile = 100;
    private const int MaxMatches = 10_000;

    private readonly byte[] _bytes = new byte[ChunkBytes];
    private readonly char[] _window = new char[ChunkBytes + SecretMatcher.Ahead + SecretMatcher.Before];
    private readonly LayerContent _content = new();

    /// <summary>Reads the layer to its end: its digest and diff id are verified before what was found is believed.</summary>
    public async Task<LayerContent> RunAsync(IContentStore store, Descriptor layer, Digest? diffId, CancellationToken cancellationToken)
    {
        var stream = await LayerBlob.OpenAsync(store, layer, diffId, cancellationToken);
        using var tar = new TarReader(stream);
        while (await tar.NextAsync(cancellationToken) is { } entry)
        {
            _content.Add(entry);
            if (entry.Type == TarEntryType.File && entry.Size > 0 && !Whiteout.IsWhiteout(entry.Path))
                await ScanAsync(entry.Path, tar.Content, cancellationToken);
        }

        return _content;
    }

    private async Task ScanAsync(string path, Stream content, CancellationToken cancellationToken)
    {
        var file = new FileState(path);
        int filled = 0;
        bool ended = false;
        while (!ended)
        {
            int read = await content.ReadAtLeastAsync(_bytes, _bytes.Length, throwOnEndOfStream: false, cancellationToken);
            ended = read < _bytes.Length;
            file.IsText ??= !_bytes.AsSpan(0, Math.Min(read, SniffedBytes)).Contains((byte)0);
            // Bytes as characters of their own number: every expression is about ASCII.
            Encoding.Latin1.GetChars(_bytes.AsSpan(0, read), _window.AsSpan(filled));
            filled += read;
            _content.Bytes += read;

            int to = ended ? filled : filled - SecretMatcher.Ahead;
            Search(file, filled, to);
            filled = Shift(file, filled, to);
        }

        _content.Files++;
        Take(file);
    }

    private void Search(FileState file, int filled, int to) =>
        SecretMatcher.Find(_window.AsSpan(0, filled), file.SearchedTo, to,
            rule => rule.AppliesTo(SecretPlace.File, file.Path, file.IsText!.Value), (rule, start, secret, shown) =>
            {
                if (file.Matches.Count < MaxMatchesOfFile)
                    file.Matches.Add(new SecretMatch(rule, file.Offset + start, secret.Length,
                        file.Lines + 1 + _window.AsSpan(0, start).Count('\n'), shown, secret));
                else
                    _content.IsCut = true;
            });

    // Keeps what the next keywords need before them, and what was not searched yet.
    private int Shift(FileState file, int filled, int to)
    {
        int drop = Math.Max(0, to - SecretMatcher.Before);
        file.Lines += _window.AsSpan(0, drop).Count('\n');
        file.Offset += drop;
        file.SearchedTo = to - drop;
        _window.AsSpan(drop, filled - drop).CopyTo(_window);
        return filled - drop;
    }

    private void Take(FileState file)
    {
        foreach (var match in SecretMatcher.Distinct(file.Matches))
        {
            if (_content.Matches.Count < MaxMatches)
                _content.Matches.Add(new FileMatch(file.Path, match));
            else
                _content.IsCut = true;
        }
    }

    private sealed class FileState(string path)
    {
        public string Path { get; } = path;

        public bool? IsText { get; set; }

        // Where in the file the window begins, and how many lines end before it.
        public long Offset { get; set; }

        public int Lines { get; set; }

        public int SearchedTo { get; set; }

        public List<SecretMatch> Matches { get; } = [];
    }
}
