using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Tar;
using Ingot.Plans;
using Ingot.Templates.Dockerfile;

namespace Ingot.Builds.Files;

/// <summary>Where a file is in the tree it is copied from.</summary>
/// <param name="Layer">The layer of a chain; 0 in a context.</param>
/// <param name="Path">The path.</param>
/// <param name="Part">Which of the trees that one copy reads; 0 when there is one.</param>
internal readonly record struct FileOrigin(int Layer, string Path, int Part = 0);

/// <summary>A file that a copy reads.</summary>
/// <param name="Entry">What it is, with its path below what was selected: empty for that itself.</param>
/// <param name="Content">The digest of a regular file's content; null for everything else, and for a file that was not read yet.</param>
/// <param name="Origin">Where its content is.</param>
internal sealed record SelectedFile(TarEntry Entry, Digest? Content, FileOrigin Origin)
{
    /// <summary>What a file looked like that was not read yet; null for others.</summary>
    public FileStamp? Unread { get; init; }

    /// <summary>The same for all names of one file, such as the first of them; null for a file of one name.</summary>
    public string? Links { get; init; }

    /// <summary>Opens its content when that is not where <see cref="Origin"/> says, as for a file of an archive or of the template;
    /// else null.</summary>
    public Func<Stream>? Open { get; init; }

    /// <summary>Whether it is a directory that is not copied itself but only on the way to what is.</summary>
    public bool IsOnTheWay { get; init; }
}

/// <summary>What one source of a copy matched.</summary>
/// <param name="Name">Its last component: what a file is called in a directory it is copied to.</param>
/// <param name="Files">The file; or the directory and everything in it, in the order of layers.</param>
internal sealed record SelectedSource(string Name, IReadOnlyList<SelectedFile> Files)
{
    /// <summary>Whether <see cref="Files"/> are what an archive holds, in its order, and not what was selected in a tree.</summary>
    public bool IsArchive { get; init; }

    /// <summary>Whether it is unpacked when it turns out to be an archive.</summary>
    public bool MayBeArchive { get; init; }

    public bool IsDirectory => Files[0].Entry.Type == TarEntryType.Directory;
}

/// <summary>Everything a copy reads, and the digest of all of it that can matter to the result.</summary>
/// <param name="Sources">In the order of the instruction, and of layers within a pattern.</param>
internal sealed record SourceSelection(IReadOnlyList<SelectedSource> Sources)
{
    private Digest? _digest;

    /// <summary>The digest of names, types, modes, owners, times, links and contents; not of where they lie. While files are unread, what
    /// they look like stands in for their content.</summary>
    public Digest Digest => _digest ??= DigestOf(Sources);

    /// <summary>The files that were not read yet.</summary>
    public IEnumerable<SelectedFile> Unread => Sources.SelectMany(s => s.Files).Where(f => f.Unread is not null);

    /// <summary>The same with the content of unread files.</summary>
    public SourceSelection With(Func<SelectedFile, Digest?> contentOf)
    {
        SelectedFile Read(SelectedFile file) =>
            file.Unread is not null && contentOf(file) is { } content ? file with { Content = content, Unread = null } : file;
        return new([.. Sources.Select(s => s with { Files = [.. s.Files.Select(Read)] })]);
    }

    private static Digest DigestOf(IReadOnlyList<SelectedSource> sources)
    {
        using var hash = new FieldHash();
        foreach (var source in sources)
        {
            hash.Add("source");
            hash.Add(source.Name);
            foreach (var file in source.Files)
                Append(hash, file);
        }

        return hash.Finish();
    }

    private static void Append(FieldHash hash, SelectedFile file)
    {
        var entry = file.Entry;
        hash.Add(entry.Path);
        Span<char> numbers = stackalloc char[160];
        numbers.TryWrite(null, $"{entry.Type} {entry.Mode} {entry.UserId} {entry.GroupId} {entry.ModifiedTime.UtcTicks} "
            + $"{entry.DeviceMajor} {entry.DeviceMinor}", out int written);
        hash.Add(numbers[..written]);
        hash.Add(entry.LinkTarget);
        hash.Add(file.Content?.ToString() ?? file.Unread?.ToString());
        hash.Add(file.Links);
        hash.Add(file.IsOnTheWay ? "way" : "");
        foreach (var (name, value) in entry.ExtendedAttributes ?? [])
        {
            hash.Add(name);
            hash.Add(Convert.ToHexString(value));
        }
    }

    /// <summary>Hashes texts, each after its length. There are many and they are short: they are gathered before they are hashed.</summary>
    private sealed class FieldHash : IDisposable
    {
        private const int LengthBytes = 4;

        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        private readonly byte[] _pending = new byte[32 << 10];
        private int _filled;

        public void Add(ReadOnlySpan<char> text)
        {
            if (_filled + LengthBytes + text.Length > _pending.Length)
                Flush();
            if (!Ascii.IsValid(text) || LengthBytes + text.Length > _pending.Length)
            {
                AddLong(TarPath.Encode(text.ToString()));
                return;
            }

            BinaryPrimitives.WriteInt32BigEndian(_pending.AsSpan(_filled), text.Length);
            Ascii.FromUtf16(text, _pending.AsSpan(_filled + LengthBytes), out _);
            _filled += LengthBytes + text.Length;
        }

        public Digest Finish()
        {
            Flush();
            return Digest.FromHash(_hash.GetHashAndReset());
        }

        public void Dispose() => _hash.Dispose();

        private void AddLong(byte[] bytes)
        {
            Flush();
            Span<byte> length = stackalloc byte[LengthBytes];
            BinaryPrimitives.WriteInt32BigEndian(length, bytes.Length);
            _hash.AppendData(length);
            _hash.AppendData(bytes);
        }

        private void Flush()
        {
            _hash.AppendData(_pending, 0, _filled);
            _filled = 0;
        }
    }
}

/// <summary>A tree that sources are selected from.</summary>
internal interface ISelectable
{
    /// <summary>The file at a path, links not followed; null when there is none.</summary>
    SelectedFile? Find(string path);

    /// <summary>The names in a directory, in order.</summary>
    IEnumerable<string> Children(string path);

    /// <summary>Where a path leads when links are followed, never out of the tree; null for a symlink loop.</summary>
    string? Resolve(string path);

    /// <summary>What is in a directory at any depth, in the order of layers, with paths below that directory;
    /// what the filter cannot take may be left out.</summary>
    IEnumerable<SelectedFile> Below(string path, CopyFilter filter);

    /// <summary>Why a file that one would expect is not there, or what else may have been meant; null when nothing is known.</summary>
    string? ReasonForAbsence(string path);
}

/// <summary>Selects what sources and patterns match.</summary>
internal static class SourceSelector
{
    // What separates the directories that are kept from those that are not, with --parents.
    private const string Pivot = "/./";

    /// <summary>Selects the sources of a copy that are in its own tree; what is not there is said through
    /// <paramref name="missing"/>.</summary>
    public static IReadOnlyList<SelectedSource> Select(ISelectable tree, CopyStep step, Action<CopySource> missing) =>
        Select(tree, [.. step.Sources.Where(s => s.Remote is null)], step.Parents, ExcludeOf(step), missing);

    /// <summary>Selects; what is not there is said through <paramref name="missing"/>.</summary>
    public static IReadOnlyList<SelectedSource> Select(ISelectable tree, IReadOnlyList<CopySource> sources, Action<CopySource> missing) =>
        Select(tree, sources, parents: false, IgnoreFile.Empty, missing);

    /// <summary>Whether a source's text is no pattern that could match anything.</summary>
    public static bool IsBroken(CopySource source) =>
        IsWild(source.Pattern) && source.Pattern.Split('/').Any(p => GoPattern.TryParse(p) is null);

    private static IgnoreFile ExcludeOf(CopyStep step) => step.Exclude.Count == 0
        ? IgnoreFile.Empty
        : IgnoreFile.TryOf(step.Exclude) ?? throw new InvalidInputException("build-copy-exclude",
            $"'{string.Join("', '", step.Exclude)}' are not all patterns", "a '[' needs its ']', and a '\\' a character after it");

    private static List<SelectedSource> Select(
        ISelectable tree, IReadOnlyList<CopySource> sources, bool parents, IgnoreFile exclude, Action<CopySource> missing)
    {
        var selected = new List<SelectedSource>();
        foreach (var source in sources)
        {
            if (IsBroken(source))
                missing(source);
            else if (parents)
                selected.AddRange(WithParents(tree, source, exclude, missing));
            else
                selected.AddRange(WithoutParents(tree, source, exclude, missing));
        }

        return selected;
    }

    // A pattern may match nothing, as with Docker: 'COPY package.json yarn.loc[k] ./'. What it matches must be there.
    private static IEnumerable<SelectedSource> WithoutParents(
        ISelectable tree, CopySource source, IgnoreFile exclude, Action<CopySource> missing)
    {
        foreach (string path in PathsOf(tree, source.Pattern))
        {
            if (Find(tree, path) is not { } found)
                missing(source);
            else if (One(tree, path, found.Path, found.File, new CopyFilter(null, exclude)) is { } one)
                yield return one;
        }
    }

    private static IEnumerable<SelectedSource> WithParents(
        ISelectable tree, CopySource source, IgnoreFile exclude, Action<CopySource> missing)
    {
        int pivot = source.Pattern.IndexOf(Pivot, StringComparison.Ordinal);
        string root = pivot < 0 ? "" : Clean(source.Pattern[..pivot]);
        string pattern = Clean(pivot < 0 ? source.Pattern : source.Pattern[(pivot + Pivot.Length)..]);
        // The whole tree below the pivot needs no pattern.
        var include = pattern.Length == 0 ? IgnoreFile.Empty : IgnoreFile.TryOf([pattern]);
        if (include is null)
        {
            missing(source);
            yield break;
        }

        var filter = new CopyFilter(pattern.Length == 0 ? null : include, exclude);
        bool mustExist = !IsWild(root) && !IsWild(pattern);
        bool isFound = false;
        foreach (string path in PathsOf(tree, root))
        {
            if (Find(tree, path) is not { File.Entry.Type: TarEntryType.Directory } found
                || One(tree, path, found.Path, found.File, filter) is not { } one)
                continue;

            isFound |= one.Files.Count > 1 || pattern.Length == 0;
            yield return one;
        }

        if (mustExist && !isFound)
            missing(source);
    }

    private static (string Path, SelectedFile File)? Find(ISelectable tree, string path) =>
        tree.Resolve(path) is { } resolved && tree.Find(resolved) is { } file ? (resolved, file) : null;

    // A file that is a source itself is excluded by its name, as Docker's reference has it; BuildKit copies it all the same.
    private static SelectedSource? One(ISelectable tree, string path, string resolved, SelectedFile file, CopyFilter filter)
    {
        if (file.Entry.Type != TarEntryType.Directory)
            return filter.Takes(TarPath.Name(path)) ? new SelectedSource(TarPath.Name(path), [file with { Links = null }]) : null;

        return new SelectedSource(TarPath.Name(path), [file, .. NameLinks(filter.Apply(tree.Below(resolved, filter)))]);
    }

    // The names of a file are called after the first that is selected: what else it is called does not matter to the copy.
    private static IEnumerable<SelectedFile> NameLinks(IReadOnlyList<SelectedFile> files)
    {
        var first = files.Where(f => f.Links is not null).GroupBy(f => f.Links!).Where(g => g.Count() > 1)
            .ToDictionary(g => g.Key, g => g.First().Entry.Path);
        return files.Select(f => f.Links is null ? f : f with { Links = first.GetValueOrDefault(f.Links) });
    }

    // Up to the first component with a wildcard links are followed; from there on a pattern matches what is in directories.
    private static IEnumerable<string> PathsOf(ISelectable tree, string pattern)
    {
        var parts = pattern.Split('/');
        int wild = Array.FindIndex(parts, IsWild);
        if (wild < 0)
            return [pattern];

        return tree.Resolve(string.Join('/', parts[..wild])) is { } start && tree.Find(start)?.Entry.Type == TarEntryType.Directory
            ? Match(tree, start, parts.AsMemory(wild))
            : [];
    }

    private static IEnumerable<string> Match(ISelectable tree, string directory, ReadOnlyMemory<string> pattern)
    {
        if (pattern.Length == 0)
            return [directory];
        if (tree.Find(directory)?.Entry.Type != TarEntryType.Directory || GoPattern.TryParse(pattern.Span[0]) is not { } part)
            return [];
        if (part.Literal is { } name)
            return tree.Find(TarPath.Join(directory, name)) is null ? [] : Match(tree, TarPath.Join(directory, name), pattern[1..]);

        return tree.Children(directory).Where(part.Matches).SelectMany(child => Match(tree, TarPath.Join(directory, child), pattern[1..]));
    }

    // A backslash takes the meaning from the character after it.
    internal static bool IsWild(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] is '*' or '?' or '[')
                return true;
            if (text[i] == '\\')
                i++;
        }

        return false;
    }

    private static string Clean(string path) => ImagePath.ToLayer(path);
}
