using FsCheck;
using FsCheck.Fluent;
using Ingot.Oci.Tar;
using Ingot.Testing;

namespace Ingot.Oci.Tests.Tar;

public sealed class TarReaderTests
{
    public static TheoryData<string> Vectors => new(VectorFile.Names("tar"));

    [Theory]
    [MemberData(nameof(Vectors))]
    public async Task EveryVectorIsReadAsItSays(string name)
    {
        var vector = VectorFile.Read(name, "tar");
        byte[] archive = ArchiveScript.Build(vector.Lines("archive"));
        string expected = vector["expect"].Trim();
        if (!expected.StartsWith("error ", StringComparison.Ordinal))
        {
            Assert.Equal(expected, (await TarListing.OfAsync(archive)).Trim());
            return;
        }

        var e = await Assert.ThrowsAsync<TarFormatException>(() => TarListing.OfAsync(archive));
        Assert.Contains(expected["error ".Length..], e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Vectors))]
    public async Task HowTheBytesArriveChangesNothing(string name)
    {
        byte[] archive = ArchiveScript.Build(VectorFile.Read(name, "tar").Lines("archive"));
        Assert.Equal(await OutcomeAsync(new MemoryStream(archive)), await OutcomeAsync(new TricklingStream(archive)));
    }

    [Fact]
    public async Task UnreadContentIsSkipped()
    {
        byte[] archive = ArchiveScript.Build(["header name=a size=00000001001", "data x*513", "header name=b size=00000000005",
            "data hello", "end"]);
        using var reader = new TarReader(new MemoryStream(archive));
        Assert.Equal("a", (await reader.NextAsync())!.Path);
        Assert.Equal(512, reader.Position);
        await reader.Content.ReadExactlyAsync(new byte[3]);
        Assert.Equal("b", (await reader.NextAsync())!.Path);
        Assert.Equal("hello", new StreamReader(reader.Content).ReadToEnd());
        Assert.Null(await reader.NextAsync());
        Assert.Null(await reader.NextAsync());
    }

    [Fact]
    public async Task TheInputIsReadToItsEnd()
    {
        var input = new MemoryStream(ArchiveScript.Build(["header name=a", "end", "zeros 300000"]));
        using var reader = new TarReader(input, leaveOpen: true);
        await reader.NextAsync();
        Assert.Null(await reader.NextAsync());
        Assert.Equal(input.Length, input.Position);
    }

    [Fact]
    public async Task MoreEntriesThanAllowedAreRefused()
    {
        byte[] archive = ArchiveScript.Build(["header name=a", "header name=b", "header name=c", "end"]);
        using var reader = new TarReader(new MemoryStream(archive), new TarLimits { MaxEntries = 2 });
        await reader.NextAsync();
        await reader.NextAsync();
        var e = await Assert.ThrowsAsync<TarFormatException>(async () => await reader.NextAsync());
        Assert.Contains("it has more than 2 entries", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task CancellingStopsTheReader()
    {
        using var reader = new TarReader(new MemoryStream(ArchiveScript.Build(["header name=a", "end"])));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await reader.NextAsync(new CancellationToken(canceled: true)));
    }

    // Whatever the bytes, the reader ends, and with one kind of exception.
    [Fact]
    public void DamagedArchivesNeverDoWorseThanToBeRefused()
    {
        byte[][] archives = [.. VectorFile.Names("tar")
            .Where(name => !name.StartsWith("pax_too_large", StringComparison.Ordinal))
            .Select(name => ArchiveScript.Build(VectorFile.Read(name, "tar").Lines("archive")))];
        var damage = from archive in Gen.Elements(archives.Where(archive => archive.Length > 0))
                     from changes in Gen.ListOf(Gen.Choose(0, archive.Length - 1).Zip(Gen.Choose(0, 255)))
                     from length in Gen.Choose(0, archive.Length)
                     from fix in Gen.Choose(0, 1)
                     select Damage(archive, changes, length, fix == 1);
        Prop.ForAll(Arb.From(damage), bytes => OutcomeAsync(new MemoryStream(bytes)).Wait(TimeSpan.FromSeconds(20)))
            .Holds(2000);
    }

    private static byte[] Damage(byte[] archive, IEnumerable<(int At, int Value)> changes, int length, bool fixChecksums)
    {
        byte[] bytes = [.. archive];
        foreach (var (at, value) in changes)
            bytes[at] = (byte)value;
        // Else nearly everything would fail at the checksum.
        for (int at = 0; fixChecksums && at + 512 <= bytes.Length; at += 512)
        {
            int sum = bytes.AsSpan(at, 512).ToArray().Where((_, i) => i is < 148 or >= 156).Sum(b => b) + (8 * ' ');
            System.Text.Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(bytes, at + 148);
        }

        return bytes[..length];
    }

    private static async Task<string> OutcomeAsync(Stream input)
    {
        try
        {
            using var reader = new TarReader(input);
            var lines = new List<string>();
            while (await reader.NextAsync() is { } entry)
            {
                var content = new MemoryStream();
                await reader.Content.CopyToAsync(content);
                lines.Add($"{TarListing.Line(entry)} {Convert.ToHexString(content.ToArray())}");
            }

            return string.Join('\n', lines);
        }
        catch (TarFormatException e)
        {
            // Where content was found to be missing depends on how it was read.
            return e.Message[e.Message.IndexOf(": ", StringComparison.Ordinal)..];
        }
    }

    // One, two, three … bytes at a time.
    private sealed class TricklingStream(byte[] bytes) : MemoryStream(bytes)
    {
        private int _next;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, (_next++ % 97) + 1)], cancellationToken);
    }
}
