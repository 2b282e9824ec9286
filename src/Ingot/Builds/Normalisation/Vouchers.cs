using System.Text;
using System.Text.RegularExpressions;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Builds.Normalisation;

/// <summary>What somebody can check without Ingot: a file that something else in the image has a checksum or a signature of. No rule
/// touches it, for the check would fail.</summary>
internal sealed partial class Vouchers : IDisposable
{
    // What is more is no list of checksums.
    private const int MaxSourceBytes = 256 << 20;

    // Signatures stand beside what they are of, and so do checksums of kinds that are not computed here.
    private static readonly string[] s_signatures = [".asc", ".sig", ".sign", ".minisig", ".p7s", ".sigstore", ".sigstore.json", ".b2", ".b3", ".sha224", ".sha3"];

    private readonly IReadOnlyList<IVouchingFiles> _layers;
    private readonly Lazy<Checksums> _checksums;

    /// <summary>Looks in files when it is asked, and not before.</summary>
    /// <param name="layers">The step's own files, and those below; owned.</param>
    /// <param name="step">The text of the step, which may have checksums too.</param>
    public Vouchers(IReadOnlyList<IVouchingFiles> layers, string step)
    {
        _layers = layers;
        _checksums = new(() => Gather(step));
    }

    /// <summary>Nobody vouches for anything.</summary>
    public static Vouchers None { get; } = new([], "");

    /// <summary>What vouches for a file, for people; null when nothing does.</summary>
    public string? Find(string path, LayerContent content) =>
        SignatureOf(path) is { } signature ? "/" + signature : _checksums.Value.Find(content);

    /// <summary>Whether a file is one that holds checksums of others, by its path.</summary>
    public static bool IsSource(string path) => Source().IsMatch(path);

    public void Dispose()
    {
        foreach (var layer in _layers)
            layer.Dispose();
    }

    private string? SignatureOf(string path) => s_signatures.Select(ending => path + ending).FirstOrDefault(name => _layers.Any(layer => layer.Has(name)));

    private Checksums Gather(string step)
    {
        var checksums = new Checksums();
        checksums.Add("the instruction", step);
        foreach (var layer in _layers)
        {
            foreach (string path in layer.Sources(IsSource))
            {
                using var content = layer.Open(path);
                checksums.Add("/" + path, Text(path, content));
            }
        }

        return checksums;
    }

    // Databases of RPM are binary, everything else is text.
    private static string Text(string path, Stream content)
    {
        byte[] bytes = Bytes(content);
        return path.EndsWith(".sqlite", StringComparison.Ordinal) ? RpmDigests.Read(bytes) : Encoding.Latin1.GetString(bytes);
    }

    private static byte[] Bytes(Stream content)
    {
        var bytes = new MemoryStream();
        byte[] buffer = new byte[64 << 10];
        for (int read; bytes.Length < MaxSourceBytes && (read = content.Read(buffer)) > 0;)
            bytes.Write(buffer, 0, read);
        return bytes.ToArray();
    }

    // Lists of checksums, records of what a package manager installed, locks of what it is to install.
    [GeneratedRegex(
        @"(?:^|/)(?:[^/]*\.(?:md5|sha1|sha256|sha384|sha512)(?:sums?)?(?:\.txt)?|[^/]*(?:MD5|SHA)[0-9-]*SUMS?[^/]*|[^/]*checksums?[^/]*|[^/]*\.md5sums|[^/]*\.dist-info/RECORD|conda-meta/[^/]*\.json"
        + @"|package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lock|Cargo\.lock|go\.sum|Pipfile\.lock|poetry\.lock|uv\.lock|pdm\.lock|pylock[^/]*\.toml|requirements[^/]*\.txt"
        + @"|composer\.lock|packages\.lock\.json|verification-metadata\.xml|\.package-lock\.json)$|^var/lib/dpkg/status$|^(?:usr/)?lib/apk/db/installed$|^(?:var/lib|usr/lib/sysimage|usr/share)/rpm/rpmdb\.sqlite$",
        RegexOptions.CultureInvariant)]
    private static partial Regex Source();
}

/// <summary>Files of a layer in which checksums may be.</summary>
internal interface IVouchingFiles : IDisposable
{
    /// <summary>Whether there is a regular file.</summary>
    bool Has(string path);

    /// <summary>The regular files that are wanted by their paths.</summary>
    IEnumerable<string> Sources(Func<string, bool> isWanted);

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

    public IEnumerable<string> Sources(Func<string, bool> isWanted)
    {
        var directories = new Stack<(string Path, int Depth)>([("", 0)]);
        while (directories.TryPop(out var directory))
        {
            foreach (var (name, file) in _files.List(directory.Path))
            {
                string path = TarPath.Join(directory.Path, name);
                if (file.Type == TarEntryType.Directory && directory.Depth < MaxDepth)
                    directories.Push((path, directory.Depth + 1));
                else if (file.Type == TarEntryType.File && isWanted(path))
                    yield return path;
            }
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

    public IEnumerable<string> Sources(Func<string, bool> isWanted) =>
        tree.Files.Where(f => f.Record.Type is TarEntryType.File or TarEntryType.HardLink && isWanted(f.Record.Path)).Select(f => f.Record.Path);

    public Stream Open(string path) => _layers.Value[tree.Find(path)!.Value.Layer].OpenRead(path);

    public void Dispose()
    {
        foreach (var layer in _layers.IsValueCreated ? _layers.Value : [])
            layer.Dispose();
    }
}
