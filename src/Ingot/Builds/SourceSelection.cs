using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Ingot.Oci.Content;
using Ingot.Oci.Tar;
using Ingot.Plans;

namespace Ingot.Builds;

/// <summary>Where a file is in the tree it is copied from.</summary>
/// <param name="Layer">The layer of a chain; 0 in a context.</param>
/// <param name="Path">The path.</param>
internal readonly record struct FileOrigin(int Layer, string Path);

/// <summary>A file that a copy reads.</summary>
/// <param name="Entry">What it is, with its path below what was selected: empty for that itself.</param>
/// <param name="Content">The digest of a regular file's content; null for everything else.</param>
/// <param name="Origin">Where its content is.</param>
internal sealed record SelectedFile(TarEntry Entry, Digest? Content, FileOrigin Origin)
{
    /// <summary>The same for all names of one file, such as the first of them; null for a file of one name.</summary>
    public string? Links { get; init; }
}

/// <summary>What one source of a copy matched.</summary>
/// <param name="Name">Its last component: what a file is called in a directory it is copied to.</param>
/// <param name="Files">The file; or the directory and everything in it, in the order of layers.</param>
internal sealed record SelectedSource(string Name, IReadOnlyList<SelectedFile> Files)
{
    public bool IsDirectory => Files[0].Entry.Type == TarEntryType.Directory;
}

/// <summary>Everything a copy reads, and the digest of all of it that can matter to the result.</summary>
/// <param name="Sources">In the order of the instruction, and of layers within a pattern.</param>
internal sealed record SourceSelection(IReadOnlyList<SelectedSource> Sources)
{
    /// <summary>The digest of names, types, modes, owners, times, links and contents; not of where they lie.</summary>
    public Digest Digest { get; } = DigestOf(Sources);

    private static Digest DigestOf(IReadOnlyList<SelectedSource> sources)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var source in sources)
        {
            Append(hash, "source", source.Name);
            foreach (var file in source.Files)
                Append(hash, file);
        }

        return Digest.FromHash(hash.GetHashAndReset());
    }

    private static void Append(IncrementalHash hash, SelectedFile file)
    {
        var entry = file.Entry;
        Append(
            hash, entry.Path, string.Create(null, $"{entry.Type} {entry.Mode} {entry.UserId} {entry.GroupId} {entry.ModifiedTime.UtcTicks} {entry.DeviceMajor} {entry.DeviceMinor}"),
            entry.LinkTarget ?? "", file.Content?.ToString() ?? "", file.Links ?? "");
        foreach (var (name, value) in entry.ExtendedAttributes ?? [])
            Append(hash, name, Convert.ToHexString(value));
    }

    private static void Append(IncrementalHash hash, params ReadOnlySpan<string> fields)
    {
        Span<byte> length = stackalloc byte[4];
        foreach (var field in fields)
        {
            byte[] bytes = Encoding.UTF8.GetByteCount(field) == 0 ? [] : TarPath.Encode(field);
            BinaryPrimitives.WriteInt32BigEndian(length, bytes.Length);
            hash.AppendData(length);
            hash.AppendData(bytes);
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

    /// <summary>Where a path leads when links are followed, never out of the tree; null when they go round in a circle.</summary>
    string? Resolve(string path);

    /// <summary>Everything in a directory at any depth, in the order of layers, with paths below that directory.</summary>
    IEnumerable<SelectedFile> Below(string path);

    /// <summary>Why a file that one would expect is not there, or what else may have been meant; null when nothing is known.</summary>
    string? ReasonForAbsence(string path);
}

/// <summary>Selects what sources and patterns match.</summary>
internal static class SourceSelector
{
    /// <summary>Selects; what is not there is said through <paramref name="missing"/>.</summary>
    public static IReadOnlyList<SelectedSource> Select(ISelectable tree, IReadOnlyList<CopySource> sources, Action<CopySource> missing)
    {
        var selected = new List<SelectedSource>();
        foreach (var source in sources)
        {
            var paths = source.IsPattern ? Match(tree, "", source.Pattern.Split('/')) : [source.Pattern];
            var found = paths.Select(path => One(tree, path)).OfType<SelectedSource>().ToList();
            // A pattern may match nothing as long as something is copied, as with Docker: 'COPY package.json yarn.loc[k] ./'.
            if (found.Count == 0 && !source.IsPattern)
                missing(source);
            selected.AddRange(found);
        }

        if (selected.Count == 0 && sources.Count > 0 && sources.All(s => s.IsPattern))
            missing(sources[0]);
        return selected;
    }

    private static SelectedSource? One(ISelectable tree, string path)
    {
        if (tree.Resolve(path) is not { } resolved || tree.Find(resolved) is not { } file)
            return null;

        var files = file.Entry.Type == TarEntryType.Directory ? tree.Below(resolved).Prepend(file).ToList() : [file];
        return new SelectedSource(TarPath.Name(path), [.. NameLinks(files)]);
    }

    // The names of a file are called after the first that is selected: what else it is called does not matter to the copy.
    private static IEnumerable<SelectedFile> NameLinks(List<SelectedFile> files)
    {
        var first = files.Where(f => f.Links is not null).GroupBy(f => f.Links!).Where(g => g.Count() > 1).ToDictionary(g => g.Key, g => g.First().Entry.Path);
        return files.Select(f => f.Links is null ? f : f with { Links = first.GetValueOrDefault(f.Links) });
    }

    private static IEnumerable<string> Match(ISelectable tree, string directory, ReadOnlyMemory<string> pattern)
    {
        if (pattern.Length == 0)
            return [directory];
        if (GoPattern.TryParse(pattern.Span[0]) is not { } part)
            return [];
        if (part.Literal is { } name)
            return tree.Find(TarPath.Join(directory, name)) is null ? [] : Match(tree, TarPath.Join(directory, name), pattern[1..]);

        return tree.Find(directory)?.Entry.Type == TarEntryType.Directory
            ? tree.Children(directory).Where(part.Matches).SelectMany(child => Match(tree, TarPath.Join(directory, child), pattern[1..]))
            : [];
    }
}
