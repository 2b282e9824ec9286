using System.Text;
using Ingot.Oci.Tar;

namespace Ingot.Oci.Tests.Layouts;

/// <summary>Archives for tests, with any names and links in any order.</summary>
internal sealed class ArchiveFile
{
    private readonly List<(TarEntry Entry, byte[] Content)> _entries = [];

    public ArchiveFile Add(string path, string content) => Add(path, Encoding.UTF8.GetBytes(content));

    public ArchiveFile Add(string path, byte[] content)
    {
        _entries.Add((new TarEntry { Path = path, Type = TarEntryType.File, Mode = 0b110_100_100, Size = content.Length }, content));
        return this;
    }

    public ArchiveFile Add(string path, TarEntryType type, string? target = null)
    {
        _entries.Add((new TarEntry { Path = path, Type = type, Mode = 0b111_101_101, LinkTarget = target }, []));
        return this;
    }

    public async Task<byte[]> BytesAsync()
    {
        var bytes = new MemoryStream();
        await using var tar = new TarWriter(bytes, leaveOpen: true);
        foreach (var (entry, content) in _entries)
            await tar.WriteAsync(entry, content);
        await tar.CompleteAsync();
        return bytes.ToArray();
    }

    public async Task<string> WriteAsync(string path)
    {
        await File.WriteAllBytesAsync(path, await BytesAsync());
        return path;
    }
}
