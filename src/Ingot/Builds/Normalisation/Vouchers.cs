using System.Text;
using System.Text.RegularExpressions;
using Ingot.Builds.Files;
using Ingot.Builds.Layers;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Builds.Normalisation;

/// <summary>What somebody can check without Ingot: a file that something else in the image has a checksum or a signature of. No rule
/// touches it, for the check would fail.</summary>
internal sealed partial class Vouchers : IDisposable
{
    // What is more is no list of checksums; a database of RPM is read as a whole.
    private const int MaxTextBytes = 32 << 20;
    private const int MaxDatabaseBytes = 256 << 20;

    // Of all texts together, and of the step's own that have no name of such a list. Files come in the order of their names, so that it is
    // the same ones each time.
    private const long MaxNamedBytes = 256 << 20;
    private const int MaxOtherBytes = 1 << 20;
    private const long MaxOthersBytes = 32 << 20;
    private const int WindowBytes = 1 << 20;
    private const int StartBytes = 4 << 10;

    // Signatures stand beside what they are of, and so do checksums of kinds that are not computed here.
    private static readonly string[] s_signatures = [".asc", ".sig", ".sign", ".minisig", ".p7s", ".gpg", ".pgp", ".prov", ".bundle",
        ".sigstore", ".sigstore.json", ".b2", ".b3", ".sha224", ".sha3"];

    private readonly IReadOnlyList<IVouchingFiles> _layers;
    private readonly string _step;
    private Checksums? _checksums;

    /// <summary>Looks in files when it is asked, and not before.</summary>
    /// <param name="layers">The step's own files, and those below; owned.</param>
    /// <param name="step">The text of the step, which may have checksums too.</param>
    public Vouchers(IReadOnlyList<IVouchingFiles> layers, string step)
    {
        _layers = layers;
        _step = step;
    }

    /// <summary>Nobody vouches for anything.</summary>
    public static Vouchers None { get; } = new([], "");

    /// <summary>What vouches for a file, for people; null when nothing does.</summary>
    public string? Find(string path, LayerContent content, CancellationToken cancellationToken = default) =>
        SignatureOf(path) is { } signature ? "/" + signature : (_checksums ??= Gather(cancellationToken)).Find(path, content);

    /// <summary>Whether a file is one that holds checksums of others, by its path.</summary>
    public static bool IsSource(string path) => Source().IsMatch(path);

    public void Dispose()
    {
        foreach (var layer in _layers)
            layer.Dispose();
    }

    private string? SignatureOf(string path) =>
        s_signatures.Select(ending => path + ending).FirstOrDefault(name => _layers.Any(layer => layer.Has(name)));

    private Checksums Gather(CancellationToken cancellationToken)
    {
        var checksums = new Checksums();
        checksums.Add("the instruction", _step);
        long named = MaxNamedBytes, others = MaxOthersBytes;
        foreach (var layer in _layers)
        {
            foreach (var (path, bytes) in layer.Sources((path, bytes) => IsSource(path) || (layer.IsOfStep && bytes <= MaxOtherBytes)))
            {
                cancellationToken.ThrowIfCancellationRequested();
                bool isNamed = IsSource(path);
                // What is no text takes nothing from what texts may have.
                if (!isNamed && IsBinary(layer, path))
                    continue;
                ref long left = ref (isNamed ? ref named : ref others);
                if ((left -= Math.Min(bytes, MaxTextBytes)) >= 0)
                    Take(checksums, layer, path, bytes, isNamed);
            }
        }

        return checksums;
    }

    private static bool IsBinary(IVouchingFiles layer, string path)
    {
        Span<byte> start = stackalloc byte[StartBytes];
        using var content = layer.Open(path);
        return start[..content.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)].Contains((byte)0);
    }

    // Databases of RPM are binary, everything else is text.
    private static void Take(Checksums checksums, IVouchingFiles layer, string path, long bytes, bool isNamed)
    {
        using var content = layer.Open(path);
        if (path.EndsWith(".sqlite", StringComparison.Ordinal))
            checksums.Add("/" + path, RpmDigests.Read(Bytes(content)));
        else
            TakeText(checksums, "/" + path, content, bytes, isNamed);
    }

    // In parts that overlap by more than a checksum is long.
    private static void TakeText(Checksums checksums, string source, Stream content, long bytes, bool isNamed)
    {
        const int overlap = 200;
        byte[] window = new byte[(int)Math.Clamp(bytes + overlap + 1, overlap + 1, WindowBytes)];
        int kept = 0, read;
        for (long total = 0; total < MaxTextBytes; total += read)
        {
            read = content.ReadAtLeast(window.AsSpan(kept), window.Length - kept, throwOnEndOfStream: false);
            if (read == 0)
                return;
            var filled = window.AsSpan(0, kept + read);
            // What has no name of a list counts when it is a text.
            if (!isNamed && filled.Contains((byte)0))
                return;
            checksums.Add(source, Encoding.Latin1.GetString(filled));
            kept = Math.Min(overlap, filled.Length);
            filled[^kept..].CopyTo(window);
        }
    }

    private static byte[] Bytes(Stream content)
    {
        var bytes = new MemoryStream();
        byte[] buffer = new byte[64 << 10];
        for (int read; bytes.Length < MaxDatabaseBytes && (read = content.Read(buffer)) > 0;)
            bytes.Write(buffer, 0, read);
        return bytes.ToArray();
    }

    // Lists of checksums, records of what a package manager installed, locks of what it is to install.
    [GeneratedRegex(
        @"(?:^|/)(?:[^/]*\.(?:md5|sha1|sha224|sha256|sha384|sha512|b2|b3|sha3)(?:sums?)?(?:\.txt)?"
            + @"|[^/]*(?:MD5|SHA|B2|B3|BLAKE2?[bs]?)[0-9_-]*SUMS?[^/]*|[^/]*checksums?[^/]*|[^/]*\.sums?|[^/]*\.(?:digests?|hash(?:es)?)"
            + @"|[^/]*\.dist-info/RECORD|conda-meta/[^/]*\.json"
        + @"|package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lock|Cargo\.lock|go\.sum|Pipfile\.lock|poetry\.lock"
            + @"|uv\.lock|pdm\.lock|pylock[^/]*\.toml|requirements[^/]*\.txt"
        + @"|composer\.lock|packages\.lock\.json|verification-metadata\.xml|(?:In)?Release|repomd\.xml|index\.yaml|\.package-lock\.json)$"
            + @"|^var/lib/dpkg/status$|^(?:usr/)?lib/apk/db/installed$|^(?:var/lib|usr/lib/sysimage|usr/share)/rpm/rpmdb\.sqlite$",
        RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex Source();
}

/// <summary>Files of a layer in which checksums may be.</summary>
internal interface IVouchingFiles : IDisposable
{
    /// <summary>Whether there is a regular file.</summary>
    bool Has(string path);

    /// <summary>Whether the step itself left them.</summary>
    bool IsOfStep { get; }

    /// <summary>The regular files that are wanted by their paths and sizes, with their sizes, in an order that does not change.</summary>
    IEnumerable<(string Path, long Bytes)> Sources(Func<string, long, bool> isWanted);

    /// <summary>The content of a regular file.</summary>
    Stream Open(string path);
}

/// <summary>The files that a step left, before they are a layer.</summary>
internal sealed class StepFiles(string directory) : IVouchingFiles
{
    // As deep as a path can be opened.
    private const int MaxDepth = 2000;

    private readonly HostFiles _files = new(directory);

    public bool Has(string path) => _files.Find(path) is { Type: TarEntryType.File };

    public bool IsOfStep => true;

    public IEnumerable<(string Path, long Bytes)> Sources(Func<string, long, bool> isWanted)
    {
        var directories = new Stack<(string Path, int Depth)>([("", 0)]);
        while (directories.TryPop(out var directory))
        {
            var below = new List<(string Path, int Depth)>();
            foreach (var (name, file) in _files.List(directory.Path))
            {
                string path = TarPath.Join(directory.Path, name);
                if (file.Type == TarEntryType.Directory && directory.Depth < MaxDepth)
                    below.Add((path, directory.Depth + 1));
                else if (file.Type == TarEntryType.File && isWanted(path, file.Size))
                    yield return (path, file.Size);
            }

            // The first of them is popped first.
            foreach (var next in Enumerable.Reverse(below))
                directories.Push(next);
        }
    }

    public Stream Open(string path) => _files.OpenRead(path);

    public void Dispose() => _files.Dispose();
}

/// <summary>The files below a step.</summary>
/// <param name="tree">What they show.</param>
/// <param name="snapshots">The layers, the topmost first.</param>
internal sealed class ChainFiles(FileTree tree, IReadOnlyList<Snapshot> snapshots) : IVouchingFiles
{
    private readonly Lazy<LayerFiles[]> _layers = new(() => [.. snapshots.Reverse().Select(LayerFiles.Open)]);

    public bool Has(string path) => tree.Find(path) is { Record.Type: TarEntryType.File or TarEntryType.HardLink };

    public bool IsOfStep => false;

    public IEnumerable<(string Path, long Bytes)> Sources(Func<string, long, bool> isWanted) =>
        tree.Files
            .Where(f => f.Record.Type is TarEntryType.File or TarEntryType.HardLink && isWanted(f.Record.Path, f.Record.Size))
            .Select(f => (f.Record.Path, f.Record.Size));

    public Stream Open(string path) => _layers.Value[tree.Find(path)!.Value.Layer].OpenRead(path);

    public void Dispose()
    {
        foreach (var layer in _layers.IsValueCreated ? _layers.Value : [])
            layer.Dispose();
    }
}
