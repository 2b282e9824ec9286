using System.IO.Pipelines;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Oci.Images;

/// <summary>An image's root filesystem as one archive: layers merged, deletions applied. Needs no root, and unpacks nothing: each layer is
/// read twice, once for what is in it and once for its files.</summary>
/// <remarks>Directories come first, then the files of each layer in its order, then links and the rest;
/// the same image gives the same bytes.</remarks>
public static class FileSystemArchive
{
    private const int MaxSmallFile = 64 << 20;
    private const int SetIdBits = 0b110_000_000_000;

    /// <summary>Writes the archive; the output stays open.</summary>
    public static Task WriteAsync(IContentStore store, Image image, Stream output, CancellationToken cancellationToken = default) =>
        WriteAsync(store, image, output, static (_, entry) => entry, cancellationToken);

    /// <summary>Writes the files of an image into a directory, over what is there: as the caller's own, without the bits and capabilities
    /// that would give others the caller's rights.
    /// Links are made and never followed, those in the directory neither. Needs root; devices are refused.</summary>
    public static async Task ExtractAsync(IContentStore store, Image image, string directory, CancellationToken cancellationToken = default)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var pipe = new Pipe();
        var writing = WriteToAsync(pipe.Writer, store, image, stop.Token);
        try
        {
            await LayerExtractor.ExtractAsync(pipe.Reader.AsStream(), directory, new ExtractOptions(),
                cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }

        await writing.ConfigureAwait(false);
    }

    private static async Task WriteToAsync(PipeWriter writer, IContentStore store, Image image, CancellationToken cancellationToken)
    {
        Exception? failure = null;
        try
        {
            await WriteAsync(store, image, writer.AsStream(leaveOpen: true), Own, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // Whoever reads gets it.
            failure = e;
        }

        await writer.CompleteAsync(failure).ConfigureAwait(false);
    }

    // The directory itself stays as it is.
    private static TarEntry? Own(string path, TarEntry entry) => path.Length == 0 ? null : entry with
    {
        UserId = 0,
        GroupId = 0,
        Mode = entry.Type == TarEntryType.Directory ? entry.Mode : entry.Mode & ~SetIdBits,
        ExtendedAttributes = null,
    };

    private static async Task WriteAsync(IContentStore store, Image image, Stream output, Func<string, TarEntry, TarEntry?> change,
        CancellationToken cancellationToken)
    {
        var tree = await MergedTree.ReadAsync(store, image, cancellationToken).ConfigureAwait(false);
        var names = Names.Of(tree);
        var tar = new TarWriter(output, leaveOpen: true);
        await using (tar.ConfigureAwait(false))
        {
            foreach (var entry in names.Directories.Select(d => change(d.Path, Entry(d.Path, d.File.Record.Entry))).OfType<TarEntry>())
                await tar.WriteAsync(entry, cancellationToken).ConfigureAwait(false);
            for (int i = 0; i < image.Manifest.Layers.Count; i++)
            {
                Task Write(string path, FileRecord record, Stream content) =>
                    tar.WriteAsync(change(path, Entry(path, record.Entry))!, content, cancellationToken);
                await VisitAsync(store, image, i, names.Contents(i), Write, cancellationToken).ConfigureAwait(false);
            }

            foreach (var (path, entry) in names.Rest)
                await tar.WriteAsync(change(path, entry with { Path = path })!, cancellationToken).ConfigureAwait(false);
            await tar.CompleteAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Reads some files of an image whole, by path; what is no file, or has more than 64 MiB, is left out.</summary>
    public static async Task<IReadOnlyDictionary<string, byte[]>> ReadFilesAsync(
        IContentStore store, Image image, MergedTree tree, Func<string, bool> wanted, CancellationToken cancellationToken = default)
    {
        var found = new Dictionary<string, byte[]>();
        var files = tree.Walk()
            .Where(f => f.File.Record.Type == TarEntryType.File && f.File.Record.Size <= MaxSmallFile && wanted(f.Path))
            .ToList();
        for (int i = 0; i < image.Manifest.Layers.Count; i++)
        {
            var here = files.Where(f => f.File.Layer == i).Select(f => (f.Path, f.File.Record)).OrderBy(f => f.Record.Offset).ToList();
            // Several names of one file: its bytes pass by once.
            await VisitAsync(store, image, i, [.. here.DistinctBy(f => f.Record)], async (path, record, content) =>
            {
                byte[] bytes = new byte[record.Size];
                await content.ReadExactlyAsync(bytes, cancellationToken).ConfigureAwait(false);
                foreach (var (name, _) in here.Where(f => f.Record == record))
                    found[name] = bytes;
            }, cancellationToken).ConfigureAwait(false);
        }

        return found;
    }

    private static async Task VisitAsync(
        IContentStore store, Image image, int layer, IReadOnlyList<(string Path, FileRecord Record)> files,
        Func<string, FileRecord, Stream, Task> visit, CancellationToken cancellationToken)
    {
        if (files.Count == 0)
            return;

        var archive = await LayerBlob.OpenAsync(store, image.Manifest.Layers[layer], image.Config.RootFs.DiffIds[layer],
            cancellationToken).ConfigureAwait(false);
        await using (archive.ConfigureAwait(false))
        {
            var section = new SectionStream(archive);
            foreach (var (path, record) in files)
            {
                await section.GoToAsync(record.Offset, record.Size, cancellationToken).ConfigureAwait(false);
                await visit(path, record, section).ConfigureAwait(false);
            }

            // To the end, where it is verified.
            await archive.CopyToAsync(Stream.Null, cancellationToken).ConfigureAwait(false);
        }
    }

    // As when it is unpacked: labels and access lists belong to the host, and a time is whole seconds everywhere.
    private static TarEntry Entry(string path, TarEntry entry)
    {
        var kept = entry.ExtendedAttributes?.Where(
            a => a.Key.StartsWith("user.", StringComparison.Ordinal) || a.Key == "security.capability").ToList();
        return entry with
        {
            Path = path,
            ExtendedAttributes = kept is { Count: > 0 }
                ? new SortedDictionary<string, byte[]>(kept.ToDictionary(), StringComparer.Ordinal)
                : null,
        };
    }

    private sealed record Names(
        IReadOnlyList<(string Path, MergedFile File)> Directories, IReadOnlyList<(string Path, MergedFile File)> Files,
        IReadOnlyList<(string Path, TarEntry Entry)> Rest)
    {
        public static Names Of(MergedTree tree)
        {
            var directories = new List<(string, MergedFile)>();
            var files = new List<(string, MergedFile)>();
            var rest = new List<(string, TarEntry)>();
            var first = new Dictionary<MergedFile, string>(ReferenceEqualityComparer.Instance);
            foreach (var (path, file) in tree.Walk())
            {
                if (file.Record.Type == TarEntryType.Directory)
                    directories.Add((path, file));
                else if (first.TryGetValue(file, out string? target))
                    rest.Add((path, LinkTo(file, target)));
                else
                    AddFirst(path, file);
            }

            return new Names(directories, files, rest);

            void AddFirst(string path, MergedFile file)
            {
                first[file] = path;
                if (file.Record.Type == TarEntryType.File)
                    files.Add((path, file));
                else
                    rest.Add((path, Entry(path, file.Record.Entry)));
            }
        }

        public IReadOnlyList<(string Path, FileRecord Record)> Contents(int layer) =>
            [.. Files.Where(f => f.File.Layer == layer).Select(f => (f.Path, f.File.Record)).OrderBy(f => f.Record.Offset)];

        private static TarEntry LinkTo(MergedFile file, string target) =>
            Entry(target, file.Record.Entry) with
            {
                Type = TarEntryType.HardLink,
                LinkTarget = target,
                Size = 0,
                ExtendedAttributes = null,
            };
    }

    /// <summary>A part of a stream that is read once, from start to end. Leaves that open.</summary>
    private sealed class SectionStream(Stream inner) : Stream
    {
        private long _position;
        private long _left;

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public async Task GoToAsync(long offset, long size, CancellationToken cancellationToken)
        {
            byte[] buffer = new byte[64 << 10];
            // A file without content stands nowhere.
            for (long skip = size == 0 ? 0 : offset - _position; skip > 0;)
            {
                int read = await inner.ReadAsync(buffer.AsMemory(0, (int)Math.Min(skip, buffer.Length)),
                    cancellationToken).ConfigureAwait(false);
                if (read == 0)
                    throw new LayerException("a layer became shorter while it was read");
                skip -= read;
                _position += read;
            }

            _left = size;
        }

        public override int Read(byte[] buffer, int offset, int count) =>
            ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int read = await inner.ReadAsync(buffer[..(int)Math.Min(buffer.Length, _left)], cancellationToken).ConfigureAwait(false);
            _left -= read;
            _position += read;
            return read;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
