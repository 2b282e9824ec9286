using System.IO.Compression;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Ingot.Builds.Normalisation.Formats;
using Ingot.Oci.Layers;

namespace Ingot.Tests.Builds;

public sealed class FormatTimesTests
{
    private const uint Epoch = 1_700_000_000;

    private static readonly DateTimeOffset s_early = DateTimeOffset.FromUnixTimeSeconds(Epoch - 100_000);
    private static readonly DateTimeOffset s_late = DateTimeOffset.FromUnixTimeSeconds(Epoch + 100_000);

    public static TheoryData<string> Formats => [.. s_formats.Keys];

    private static readonly Dictionary<string, (Func<LayerContent, uint, IReadOnlyList<ContentPatch>> Find, Func<DateTimeOffset, byte[]> Make)> s_formats = new()
    {
        ["gzip"] = (GzipTimes.Find, Gzip),
        ["pyc"] = (BytecodeTimes.Find, Bytecode),
        ["ar"] = (ArchiveTimes.Find, Library),
        ["zip"] = (ZipTimes.Find, Zip),
        ["tar"] = (TarTimes.Find, Tar),
    };

    [Theory]
    [MemberData(nameof(Formats))]
    public void FilesThatDifferInALateTimeBecomeOne(string format)
    {
        var (_, make) = s_formats[format];
        byte[] first = make(s_late), second = make(s_late.AddHours(5));
        Assert.NotEqual(first, second);
        Assert.Equal(Apply(format, first), Apply(format, second));
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void AnEarlyTimeStays(string format) => Assert.Empty(Find(format, s_formats[format].Make(s_early)));

    [Theory]
    [MemberData(nameof(Formats))]
    public void DoingItAgainChangesNothing(string format) => Assert.Empty(Find(format, Apply(format, s_formats[format].Make(s_late))));

    [Theory]
    [MemberData(nameof(Formats))]
    public void AFileThatIsCutOffAnywhereIsNoReasonToFail(string format)
    {
        byte[] whole = s_formats[format].Make(s_late);
        for (int length = 0; length < whole.Length; length++)
            AreWithin(Find(format, whole[..length]), length);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void AFileWithAnyByteChangedIsNoReasonToFail(string format)
    {
        byte[] whole = s_formats[format].Make(s_late);
        Prop.ForAll(Gen.Choose(0, whole.Length - 1).Two().ToArbitrary(), ArbMap.Default.ArbFor<byte>(), (places, value) =>
        {
            byte[] changed = [.. whole];
            changed[places.Item1] = value;
            changed[places.Item2] ^= value;
            AreWithin(Find(format, changed), changed.Length);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void AnyBytesAreNoReasonToFail(string format) =>
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes => AreWithin(Find(format, bytes ?? []), bytes?.Length ?? 0)).QuickCheckThrowOnFailure();

    [Fact]
    public void AZipFileStaysReadable()
    {
        using var archive = new ZipArchive(new MemoryStream(Apply("zip", Zip(s_late))));
        Assert.Equal(["META-INF/MANIFEST.MF", "a/B.class"], archive.Entries.Select(e => e.FullName));
        foreach (var entry in archive.Entries)
        {
            Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(Epoch).UtcDateTime, entry.LastWriteTime.DateTime, TimeSpan.FromSeconds(2));
            using var reader = new StreamReader(entry.Open());
            Assert.StartsWith("content of ", reader.ReadToEnd());
        }
    }

    [Fact]
    public void ATarFileKeepsItsChecksums()
    {
        var reader = new System.Formats.Tar.TarReader(new MemoryStream(Apply("tar", Tar(s_late))));
        var entry = reader.GetNextEntry();
        Assert.Equal("a", entry!.Name);
        Assert.Equal(Epoch, entry.ModificationTime.ToUnixTimeSeconds());
        Assert.Equal("b", reader.GetNextEntry()!.Name);
    }

    [Fact]
    public void AModuleThatNamesItsSourceByHashStays()
    {
        byte[] module = Bytecode(s_late);
        module[4] = 1;
        Assert.Empty(Find("pyc", module));
    }

    private static IReadOnlyList<ContentPatch> Find(string format, byte[] bytes) => s_formats[format].Find(LayerContent.Of(bytes), Epoch);

    private static byte[] Apply(string format, byte[] bytes)
    {
        byte[] patched = [.. bytes];
        foreach (var patch in Find(format, bytes))
            patch.Bytes.CopyTo(patched, patch.Offset);
        return patched;
    }

    private static void AreWithin(IReadOnlyList<ContentPatch> patches, int length) =>
        Assert.All(patches, p => Assert.InRange(p.Offset, 0, length - p.Bytes.Length));

    private static byte[] Gzip(DateTimeOffset time) => [0x1F, 0x8B, 8, 0, .. BitConverter.GetBytes((uint)time.ToUnixTimeSeconds()), 2, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    private static byte[] Bytecode(DateTimeOffset time) => [0xCB, 0x0D, 0x0D, 0x0A, 0, 0, 0, 0, .. BitConverter.GetBytes((uint)time.ToUnixTimeSeconds()), 12, 0, 0, 0, 0xE3, 0];

    private static byte[] Library(DateTimeOffset time)
    {
        string Member(string name, string owner, string content) =>
            $"{name,-16}{time.ToUnixTimeSeconds(),-12}{owner}{"100644",-8}{content.Length,-10}`\n{content}{(content.Length % 2 == 1 ? "\n" : "")}";
        return Encoding.ASCII.GetBytes("!<arch>\n" + Member("/", "0     0     ", "index") + Member("a.o/", "0     0     ", "one") + Member("b.o/", "0     0     ", "four"));
    }

    private static byte[] Zip(DateTimeOffset time)
    {
        var bytes = new MemoryStream();
        using (var archive = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var name in (string[])["META-INF/MANIFEST.MF", "a/B.class"])
            {
                var entry = archive.CreateEntry(name);
                entry.LastWriteTime = time;
                using var writer = new StreamWriter(entry.Open());
                writer.Write("content of " + name);
            }
        }

        return bytes.ToArray();
    }

    private static byte[] Tar(DateTimeOffset time)
    {
        var bytes = new MemoryStream();
        using (var writer = new System.Formats.Tar.TarWriter(bytes, System.Formats.Tar.TarEntryFormat.Ustar, leaveOpen: true))
        {
            foreach (var name in (string[])["a", "b"])
                writer.WriteEntry(new System.Formats.Tar.UstarTarEntry(System.Formats.Tar.TarEntryType.RegularFile, name) { ModificationTime = time, DataStream = new MemoryStream([1, 2, 3]) });
        }

        return bytes.ToArray();
    }
}
