using System.Globalization;
using System.Text;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Tar;
using Ingot.Tools;

namespace Ingot.Corpus;

/// <summary>Makes the context of a case, the same for every builder, as its <c>files.txt</c> describes it, one file a line:
/// <c>dir PATH MODE</c>, <c>file PATH MODE CONTENT</c>, <c>link PATH TARGET</c>, <c>hard PATH FILE</c>, <c>fifo PATH MODE</c>,
/// and <c>archive PATH none|gzip|bzip2|xz|zstd</c> with the entries of it, indented, below; those may end with <c>UID:GID</c>.
/// <c>size:N</c> is a content of N bytes. A path that begins with <c>@NAME/</c> is in the named context.</summary>
/// <param name="umask">What a checkout takes away from modes; 0 when they are to be as the case says.</param>
public sealed class CaseFiles(int umask = 0)
{
    private const int DirectoryMode = 0b111_101_101;
    private const int FileMode = 0b110_100_100;
    private const int ModeBits = 0xFFF;
    private static readonly DateTimeOffset s_time = DateTimeOffset.FromUnixTimeSeconds(1_000_000_000);

    /// <summary>Makes the context in <paramref name="directory"/>, which must be missing: <c>context</c> with the Dockerfile, and
    /// <c>@NAME</c> for each named one.</summary>
    public async Task MakeAsync(CorpusCase corpusCase, string directory, CancellationToken cancellationToken = default)
    {
        string context = Path.Combine(directory, "context");
        MakeDirectory(context);
        string given = Path.Combine(corpusCase.Directory, "context");
        if (Directory.Exists(given))
            CopyTree(given, context);

        string description = Path.Combine(corpusCase.Directory, "files.txt");
        string[] lines = File.Exists(description) ? await File.ReadAllLinesAsync(description, cancellationToken) : [];
        for (int i = 0; i < lines.Length; i++)
        {
            if (lines[i].Length == 0 || lines[i][0] is '#' or ' ')
                continue;
            var below = lines.Skip(i + 1).TakeWhile(l => l.StartsWith(' ')).ToList();
            await MakeAsync(directory, EscapedText.Words(lines[i]), below, cancellationToken);
        }

        string dockerfile = Path.Combine(context, corpusCase.Dockerfile);
        MakeDirectory(Path.GetDirectoryName(dockerfile)!);
        File.Copy(Path.Combine(corpusCase.Directory, "Dockerfile"), dockerfile);
        Chmod(dockerfile, FileMode);
    }

    private async Task MakeAsync(
        string directory, IReadOnlyList<byte[]> words, IReadOnlyList<string> below, CancellationToken cancellationToken)
    {
        string name = Encoding.UTF8.GetString(words[1]);
        string path = Path.Combine(directory, name[0] == '@' ? name : $"context/{name}");
        MakeDirectory(Path.GetDirectoryName(path)!);
        switch (Encoding.UTF8.GetString(words[0]))
        {
            case "dir":
                MakeDirectory(path);
                Chmod(path, Mode(words[2]));
                break;
            case "file":
                await File.WriteAllBytesAsync(path, Content(words[3]), cancellationToken);
                Chmod(path, Mode(words[2]));
                break;
            case "link":
                File.CreateSymbolicLink(path, Encoding.UTF8.GetString(words[2]));
                break;
            case "hard":
                await CommandRunner.RunAsync(
                    new Command("ln", Path.Combine(directory, "context", Encoding.UTF8.GetString(words[2])), path), cancellationToken);
                break;
            case "fifo":
                await CommandRunner.RunAsync(new Command("mkfifo", path), cancellationToken);
                Chmod(path, Mode(words[2]));
                break;
            case "archive":
                await ArchiveAsync(path, Encoding.UTF8.GetString(words[2]), below, cancellationToken);
                break;
            case var kind:
                throw new FormatException($"'{kind}' is no kind of file");
        }
    }

    private static async Task ArchiveAsync(string path, string format, IReadOnlyList<string> lines, CancellationToken cancellationToken)
    {
        using var bytes = new MemoryStream();
        var tar = new TarWriter(bytes, leaveOpen: true);
        var entries = new Dictionary<string, TarEntry>();
        foreach (string line in lines)
        {
            var (entry, content) = Entry(EscapedText.Words(line));
            // The header of a hard link says the same of the file as the file's own.
            if (entry.Type == TarEntryType.HardLink && entries.TryGetValue(entry.LinkTarget!, out var linked))
                entry = entry with { Mode = linked.Mode, UserId = linked.UserId, GroupId = linked.GroupId };
            entries[entry.Path] = entry;
            await tar.WriteAsync(entry, content, cancellationToken);
        }

        await tar.CompleteAsync(cancellationToken);
        bytes.Position = 0;
        if (format is "bzip2" or "xz")
        {
            string plain = path + ".plain";
            await File.WriteAllBytesAsync(plain, bytes.ToArray(), cancellationToken);
            await CommandRunner.RunAsync(new Command(format, plain), cancellationToken);
            File.Move(plain + (format == "xz" ? ".xz" : ".bz2"), path);
            return;
        }

        await using var file = File.Create(path);
        await using var encoder = LayerCompression.Find(format)!.Compress(file);
        await bytes.CopyToAsync(encoder, cancellationToken);
    }

    private static (TarEntry Entry, byte[] Content) Entry(IReadOnlyList<byte[]> words)
    {
        string kind = Encoding.UTF8.GetString(words[0]);
        int fixedWords = kind is "dir" or "fifo" or "link" or "hard" ? 3 : 4;
        long[] owner = words.Count > fixedWords
            ? [.. Encoding.UTF8.GetString(words[fixedWords]).Split(':').Select(n => long.Parse(n, CultureInfo.InvariantCulture))]
            : [0, 0];
        byte[] content = kind == "file" ? Content(words[3]) : [];
        bool isLink = kind is "link" or "hard";
        var entry = new TarEntry
        {
            Path = TarPath.Decode(words[1]),
            Type = kind switch
            {
                "dir" => TarEntryType.Directory,
                "link" => TarEntryType.SymbolicLink,
                "hard" => TarEntryType.HardLink,
                "fifo" => TarEntryType.Fifo,
                _ => TarEntryType.File,
            },
            Mode = isLink ? 0x1FF : Mode(words[2]),
            LinkTarget = isLink ? TarPath.Decode(words[2]) : null,
            UserId = owner[0],
            GroupId = owner[1],
            Size = content.Length,
            ModifiedTime = s_time,
        };
        return (entry, content);
    }

    private static byte[] Content(byte[] word)
    {
        const string Prefix = "size:";
        string text = Encoding.Latin1.GetString(word);
        if (!text.StartsWith(Prefix, StringComparison.Ordinal))
            return word;

        byte[] content = new byte[int.Parse(text.AsSpan(Prefix.Length), CultureInfo.InvariantCulture)];
        for (int i = 0; i < content.Length; i++)
            content[i] = (byte)((i * 31) + (i >> 8));
        return content;
    }

    private static int Mode(byte[] word) => Convert.ToInt32(Encoding.ASCII.GetString(word), 8);

    // What a checkout made of modes depends on whose it is: only whether a file is a program is kept.
    private void CopyTree(string from, string to)
    {
        foreach (string source in Directory.EnumerateFileSystemEntries(from))
        {
            string target = Path.Combine(to, Path.GetFileName(source));
            if (Directory.Exists(source))
            {
                MakeDirectory(target);
                CopyTree(source, target);
                continue;
            }

            File.Copy(source, target);
            bool isProgram = File.GetUnixFileMode(source).HasFlag(UnixFileMode.UserExecute);
            Chmod(target, isProgram ? DirectoryMode : FileMode);
        }
    }

    private void MakeDirectory(string path)
    {
        if (Directory.Exists(path))
            return;
        MakeDirectory(Path.GetDirectoryName(path)!);
        Directory.CreateDirectory(path);
        Chmod(path, DirectoryMode);
    }

    private void Chmod(string path, int mode) => File.SetUnixFileMode(path, (UnixFileMode)(mode & ModeBits & ~umask));
}
