using System.Globalization;
using System.IO.Compression;
using System.Text;
using Ingot.Builds.Files;
using Ingot.Oci.Tar;

namespace Ingot.Tests.Builds.Files;

/// <summary>Archives byte by byte: also such as no honest program writes.</summary>
internal static class TestArchive
{
    /// <summary>One header and its content, padded.</summary>
    public static byte[] Entry(
        string name, char type = '0', string content = "", string link = "", int mode = 420, long size = -1, string owner = "0",
        int minor = 0)
    {
        byte[] body = Encoding.UTF8.GetBytes(content);
        byte[] block = new byte[512 + ((body.Length + 511) / 512 * 512)];
        body.CopyTo(block, 512);
        Encoding.UTF8.GetBytes(name).CopyTo(block, 0);
        Text(block, 100, Octal(mode, 7));
        Text(block, 108, owner.PadLeft(7, '0'));
        Text(block, 116, owner.PadLeft(7, '0'));
        Text(block, 124, Octal(size < 0 ? body.Length : size, 11));
        Text(block, 136, Octal(1000, 11));
        block[156] = (byte)type;
        Encoding.UTF8.GetBytes(link).CopyTo(block, 157);
        Text(block, 257, "ustar\0" + "00");
        Text(block, 329, Octal(0, 7));
        Text(block, 337, Octal(minor, 7));
        Text(block, 148, "        ");
        Text(block, 148, Octal(block.AsSpan(0, 512).ToArray().Sum(b => (long)b), 6) + "\0 ");
        return block;
    }

    /// <summary>An archive with its end.</summary>
    public static byte[] Of(params byte[][] entries) => [.. entries.SelectMany(e => e), .. new byte[1024]];

    public static byte[] Gzip(byte[] bytes)
    {
        using var result = new MemoryStream();
        using (var gzip = new GZipStream(result, CompressionLevel.Fastest))
            gzip.Write(bytes);
        return result.ToArray();
    }

    /// <summary>Reads an archive as ADD does; its files are then in memory.</summary>
    public static async Task<IReadOnlyList<(SelectedFile File, string Content)>> ReadAsync(
        byte[] archive, ArchiveLimits? limits = null, SelectedFile? selected = null)
    {
        string directory = Directory.CreateTempSubdirectory("ingot-spool-").FullName;
        string spool = Path.Combine(directory, "spool");
        var file = selected ?? new SelectedFile(new TarEntry { Path = "", Type = TarEntryType.File, Size = archive.Length },
            Ingot.Oci.Content.Digest.Of(archive), default);
        try
        {
            using var files = await ArchiveFiles.ReadAsync("a.tar", () => new MemoryStream(archive), file, spool, Tree.Epoch,
                limits ?? ArchiveLimits.Default, CancellationToken.None);
            return [.. files.Files.Select(f => (f, Content(f)))];
        }
        finally
        {
            Assert.False(File.Exists(spool), "the contents were left behind");
            Directory.Delete(directory);
        }
    }

    private static string Content(SelectedFile file)
    {
        using var reader = new StreamReader(file.Open!());
        return reader.ReadToEnd();
    }

    private static string Octal(long value, int digits) =>
        Convert.ToString(value, 8).PadLeft(digits, '0').ToString(CultureInfo.InvariantCulture);

    private static void Text(byte[] block, int at, string text) => Encoding.ASCII.GetBytes(text).CopyTo(block, at);
}
