using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Builds.Normalisation;

/// <summary>Checksums that something in an image has of its files, as databases of packages, lock files, lists of checksums and records of
/// installed packages write them.</summary>
internal sealed partial class Checksums
{
    private const int PrefixBytes = 16;
    private const int ReadBytes = 256 << 10;

    private static readonly (int Bytes, HashAlgorithmName Name)[] s_algorithms =
    [
        (16, HashAlgorithmName.MD5), (20, HashAlgorithmName.SHA1), (32, HashAlgorithmName.SHA256), (48, HashAlgorithmName.SHA384),
        (64, HashAlgorithmName.SHA512),
    ];

    // By their first bytes: what they are of is asked, not who could forge them.
    private readonly Dictionary<UInt128, string> _sources = [];
    private readonly HashSet<int> _lengths = [];

    // Of kinds that are not computed here what counts is the name of what they are of.
    private readonly Dictionary<string, string> _names = new(StringComparer.Ordinal);

    /// <summary>Takes all that stand in a text.</summary>
    /// <param name="source">What the text is, for people.</param>
    /// <param name="text">The text; bytes that are no characters do not matter.</param>
    public void Add(string source, ReadOnlySpan<char> text)
    {
        foreach (var match in Hexadecimal().EnumerateMatches(text))
            Add(source, Convert.FromHexString(text.Slice(match.Index, match.Length)));
        foreach (var match in ListedIn(source).EnumerateMatches(text))
            _names.TryAdd(NameIn(text.Slice(match.Index, match.Length)), source);
        foreach (var match in Base64().EnumerateMatches(text))
        {
            if (Decode(Digits(text.Slice(match.Index, match.Length))) is { } bytes)
                Add(source, bytes);
        }
    }

    /// <summary>What has a checksum of these bytes; null when nothing has.</summary>
    public string? Find(string path, LayerContent content)
    {
        if (_names.TryGetValue(TarPath.Name(path), out string? list))
            return list;
        if (_sources.Count == 0)
            return null;

        var hashes = s_algorithms.Where(a => _lengths.Contains(a.Bytes)).Select(a => IncrementalHash.CreateHash(a.Name)).ToList();
        try
        {
            Read(content, hashes);
            return hashes.Select(h => _sources.GetValueOrDefault(Prefix(h.GetHashAndReset()))).FirstOrDefault(s => s is not null);
        }
        finally
        {
            hashes.ForEach(h => h.Dispose());
        }
    }

    private static void Read(LayerContent content, List<IncrementalHash> hashes)
    {
        byte[] buffer = new byte[(int)Math.Clamp(content.Length, 1, ReadBytes)];
        int read;
        for (long at = 0; (read = content.ReadAt(at, buffer)) > 0; at += read)
        {
            foreach (var hash in hashes)
                hash.AppendData(buffer.AsSpan(0, read));
        }
    }

    private void Add(string source, byte[] digest)
    {
        if (!Array.Exists(s_algorithms, a => a.Bytes == digest.Length))
            return;

        _lengths.Add(digest.Length);
        _sources.TryAdd(Prefix(digest), source);
    }

    private static UInt128 Prefix(byte[] digest) =>
        System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(digest.AsSpan(0, PrefixBytes));

    private static Regex ListedIn(string source) =>
        OfOtherKinds().IsMatch(source) ? ListedByOtherKinds()
            : source.Contains("512", StringComparison.Ordinal) ? ListedBesideSha512()
            : Listed();

    // 'HEX  NAME' or 'KIND (NAME) = HEX'.
    private static string NameIn(ReadOnlySpan<char> line)
    {
        int end = line.LastIndexOf(") = ");
        var name = end >= 0 ? line[(line.IndexOf('(') + 1)..end] : line[(line.IndexOf(' ') + 2)..];
        return name[(name.LastIndexOf('/') + 1)..].TrimEnd('\r').ToString();
    }

    // Without what says that it is one.
    private static ReadOnlySpan<char> Digits(ReadOnlySpan<char> match) => match[0] switch
    {
        's' => match[(match.IndexOfAny('-', '=') + 1)..],
        'Z' => match["Z:Q1".Length..],
        _ => match[(match.LastIndexOf('"') + 1)..],
    };

    private static byte[]? Decode(ReadOnlySpan<char> text)
    {
        string plain = text.TrimEnd('=').ToString().Replace('-', '+').Replace('_', '/');
        byte[] bytes = new byte[plain.Length];
        return Convert.TryFromBase64String(plain.PadRight((plain.Length + 3) / 4 * 4, '='), bytes, out int length) ? bytes[..length] : null;
    }

    [GeneratedRegex("(?<![0-9A-Za-z])(?:[0-9a-fA-F]{128}|[0-9a-fA-F]{96}|[0-9a-fA-F]{64}|[0-9a-fA-F]{40}|[0-9a-fA-F]{32})(?![0-9A-Za-z])")]
    private static partial Regex Hexadecimal();

    [GeneratedRegex("(?:^|[/._-])(?:b[23]|blake|sha3(?!84))[^/]*$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex OfOtherKinds();

    // As sha224sum and b2sum write them; as long as a SHA-512 are those of BLAKE2.
    [GeneratedRegex(@"(?m)^\\?[0-9a-fA-F]{56} [ *][^\n]+")]
    private static partial Regex ListedBesideSha512();

    [GeneratedRegex(@"(?m)^\\?(?:[0-9a-fA-F]{56}|[0-9a-fA-F]{128}) [ *][^\n]+|(?m)^(?:BLAKE|SHA224|SHA3"
        + @"|SHA512/)[^(\n]* \([^\n]+\) = [0-9a-fA-F]{32,128}")]
    private static partial Regex Listed();

    // In a list of such a name those of other lengths are too.
    [GeneratedRegex(@"(?m)^\\?[0-9a-fA-F]{32,128} [ *][^\n]+|(?m)^[A-Za-z0-9/-]+ \([^\n]+\) = [0-9a-fA-F]{32,128}")]
    private static partial Regex ListedByOtherKinds();

    // Of package-lock.json and its like, of RECORD, of NuGet's locks, of apk's database.
    [GeneratedRegex("(?:sha(?:1|256|384|512)[-=]|\"contentHash\": ?\"|\\bZ:Q1)[A-Za-z0-9+/_-]{27,86}={0,2}")]
    private static partial Regex Base64();
}
