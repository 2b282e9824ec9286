using System.Diagnostics;
using System.Globalization;
using System.Text;
using Ingot.Oci;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Tar;

namespace Ingot.Fuzz;

/// <summary>A tar archive.</summary>
internal class TarTarget : FuzzTarget
{
    private const int Block = 512;

    public override string Name => "tar";

    public override IReadOnlyList<string> Tokens { get; } =
    [
        "ustar\000", "ustar  \0", "././@LongLink", "0000644\0", "7777777\0", "00000000000\0", "00000000012\0", "77777777777\0", "0", "1",
        "2", "3", "4", "5", "6", "7", "x", "g", "L", "K", "S", "../", "/", "..", ".wh.", ".wh..wh..opq",
        "12 path=a/b\n", "14 size=99999\n", "30 mtime=-1234567890.123456789\n", "19 SCHILY.xattr.a=\n", "20 linkpath=../../x\n",
        "99999999999999 a=b\n", "0 a=b\n", "\u0080\0\0\0\0\0\0\0\0\0\0\u0001", "\0\0\0\0\0\0\0\0", "\u00ff\u00ff\u00ff\u00ff",
        "a/", "b", "dev/null",
    ];

    public override async Task<int> RunAsync(byte[] input)
    {
        HashCode signature = default;
        try
        {
            using TarReader reader = new(new MemoryStream(input));
            var buffer = new byte[4096];
            while (await reader.NextAsync() is { } entry)
            {
                signature.Add((entry.Type, entry.Size > 0));
                long length = 0;
                for (int read; (read = await reader.Content.ReadAsync(buffer)) > 0;)
                    length += read;
                Must(length == entry.Size || length == 0, "an entry is as long as it says");
            }
        }
        catch (IngotException e)
        {
            signature.Add(Kind(e));
        }

        return signature.ToHashCode();
    }

    // A wrong checksum would end every run at the first header.
    public override byte[] Repair(byte[] input, Random random)
    {
        if (input.Length < Block || (input[0] == 0x1F && input[1] == 0x8B) || random.Next(4) == 0)
            return input;

        for (int at = 0; at + Block <= input.Length; at += Block)
        {
            if (input.AsSpan(at + 257, 5).SequenceEqual("ustar"u8) || at == 0)
                SetChecksum(input.AsSpan(at, Block));
        }

        return input;
    }

    protected static string Kind(IngotException e) => e.GetType().Name + new string([.. e.Message.Where(char.IsLetter).Take(24)]);

    private static void SetChecksum(Span<byte> header)
    {
        header.Slice(148, 8).Fill((byte)' ');
        int sum = 0;
        foreach (byte b in header)
            sum += b;
        Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0').ToString(CultureInfo.InvariantCulture) + "\0 ")
            .CopyTo(header[148..]);
    }
}

/// <summary>A layer: what is in it is unpacked, and its index written and read. Nothing outside of the directory may change.</summary>
internal sealed class LayerTarget : TarTarget, IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-fuzz-").FullName;
    private long _runs;

    public override string Name => "layer";

    public override async Task<int> RunAsync(byte[] input)
    {
        string run = Directory.CreateDirectory(Path.Combine(_directory, _runs++.ToString(CultureInfo.InvariantCulture))).FullName;
        string inside = Directory.CreateDirectory(Path.Combine(run, "inside")).FullName;
        string outside = Directory.CreateDirectory(Path.Combine(run, "outside")).FullName;
        HashCode signature = default;
        try
        {
            using var tar = Decompress(input);
            var index = await LayerExtractor.ExtractAsync(tar, inside,
                new ExtractOptions { Whiteouts = WhiteoutForm.Overlay, MaxBytes = 16 << 20 });
            signature.Add((index.Files.Count, index.Whiteouts.Count));
            byte[] written = index.Write();
            Must(LayerIndex.Read(written).Write().AsSpan().SequenceEqual(written), "an index is read as it is written");
        }
        catch (IngotException e)
        {
            signature.Add(Kind(e));
        }

        Must(!Directory.EnumerateFileSystemEntries(outside).Any(), "nothing is written outside of the directory");
        Must(Directory.EnumerateFileSystemEntries(run).Count() == 2, "nothing is written beside the directory");
        Remove(run);
        return signature.ToHashCode();
    }

    public void Dispose()
    {
        using var remove = Process.Start("rm", ["-rf", "--", _directory]);
        remove.WaitForExit();
    }

    private static Stream Decompress(byte[] input)
    {
        MemoryStream stream = new(input);
        return input switch
        {
            [0x1F, 0x8B, ..] => LayerCompression.Gzip.Decompress(stream),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => LayerCompression.Zstandard.Decompress(stream),
            _ => stream,
        };
    }

    // What has a name that is no text stays until the end: only bytes can name it.
    private static void Remove(string directory)
    {
        try
        {
            Directory.Delete(directory, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return;
        }
    }
}
