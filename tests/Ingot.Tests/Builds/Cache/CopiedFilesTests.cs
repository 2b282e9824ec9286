using Ingot.Builds;
using Ingot.Builds.Cache;
using Ingot.Builds.Files;
using Ingot.Oci.Content;
using Ingot.Oci.Tar;

namespace Ingot.Tests.Builds.Cache;

public sealed class CopiedFilesTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-copied-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private CopiedFiles Open() => new(_directory);

    private static SelectedFile File(string path, string content, int mode = 0b110_100_100) =>
        new(new TarEntry { Path = path, Type = TarEntryType.File, Mode = mode, ModifiedTime = Tree.Epoch },
            Digest.Of(System.Text.Encoding.UTF8.GetBytes(content)), new FileOrigin(0, path));

    private static SelectedFile Link(string path, string target) =>
        new(new TarEntry
        {
            Path = path,
            Type = TarEntryType.SymbolicLink,
            Mode = 0b111_111_111,
            LinkTarget = target,
            ModifiedTime = Tree.Epoch,
        },
            Content: null, new FileOrigin(0, path));

    private static SourceSelection Selection(params SelectedFile[] files) => new([new SelectedSource("src", files)]);

    private IReadOnlyList<InputChange> Between(SourceSelection before, SourceSelection after)
    {
        var cache = Open();
        return CopiedFiles.Compare(Open().Find(cache.Keep(before)!.Value)!, Open().Find(cache.Keep(after)!.Value)!);
    }

    [Fact]
    public void WhatChangedIsNamedByPath()
    {
        var changes = Between(
            Selection(File("a", "1"), File("b", "1"), File("gone", "1"), Link("l", "a")),
            Selection(File("a", "2"), File("b", "1", 0b111_101_101), File("new", "1"), Link("l", "b")));
        Assert.Equal(["a", "b", "gone", "l", "new"], changes.Select(c => c.Name));
        Assert.StartsWith(Digest.Of("1"u8).ToString(), changes[0].Before);
        Assert.StartsWith(Digest.Of("2"u8).ToString(), changes[0].After);
        Assert.Contains("mode 0755", changes[1].After, StringComparison.Ordinal);
        Assert.Null(changes[2].After);
        Assert.StartsWith("link to 'b'", changes[3].After);
        Assert.Null(changes[4].Before);
    }

    [Fact]
    public void EqualSelectionsAreOneFile()
    {
        var cache = Open();
        Assert.Equal(cache.Keep(Selection(File("a", "1"), File("b", "2"))), Open().Keep(Selection(File("a", "1"), File("b", "2"))));
        Assert.Single(Directory.EnumerateFiles(Path.Combine(_directory, "copied")));
        Assert.Null(cache.Keep(Selection()));
    }

    [Theory]
    [InlineData("a\U0001F600b", "a\U0001F601b")]
    [InlineData("line\nbreak", "line\rbreak")]
    public void AnyNameStays(string one, string other) =>
        Assert.Equal([one, other],
            Between(Selection(File(one, "1")), Selection(File(other, "1"))).Select(c => c.Name!).OrderBy(n => n == one ? 0 : 1));

    [Fact]
    public void NamesThatAreNoTextStayApart() => AnyNameStays(TarPath.Decode("x"u8.ToArray().Append((byte)0x80).ToArray()),
        TarPath.Decode("x"u8.ToArray().Append((byte)0xff).ToArray()));

    [Fact]
    public void WhatIsDamagedIsNotThere()
    {
        var digest = Open().Keep(Selection(File("a", "1")))!.Value;
        string path = Path.Combine(_directory, "copied", digest.Hex);
        foreach (byte[] bytes in (byte[][])[[], [.. System.IO.File.ReadAllBytes(path)[..^3]], [.. System.IO.File.ReadAllBytes(path), 0],
            "ingot copied files 1\n\u00ff"u8.ToArray()])
        {
            System.IO.File.WriteAllBytes(path, bytes);
            Assert.Null(Open().Find(digest));
        }

        Assert.Null(Open().Find(Digest.Of("another"u8)));
    }

    [Fact]
    public void AContentThatWasReadLaterCounts()
    {
        var unread = File("a", "1") with { Content = null };
        var read = new Dictionary<FileOrigin, Digest> { [unread.Origin] = Digest.Of("1"u8) };
        Assert.Equal(Open().Keep(Selection(File("a", "1"))), Open().Keep(Selection(unread), read));
    }

    [Fact]
    public void TwentyThousandFilesTakeNoTimeThatMatters()
    {
        var selection = Selection([.. Enumerable.Range(0, 20_000).Select(i => File($"directory/of/sources/{i % 200}/file{i}.txt", "1"))]);
        Open().Keep(selection);
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var digest = Open().Keep(selection);
        // Some 5 ms on an idle machine.
        Assert.InRange(clock.ElapsedMilliseconds, 0, 1000);
        Assert.Equal(20_000, Open().Find(digest!.Value)!.Count);
        TestContext.Current.SendDiagnosticMessage($"{clock.ElapsedMilliseconds} ms");
    }

    [Fact]
    public void OfTooManyFilesNothingIsKept() =>
        Assert.Null(Open().Keep(Selection([.. Enumerable.Range(0, CopiedFiles.MaxFiles + 1)
            .Select(i => Link(i.ToString(System.Globalization.CultureInfo.InvariantCulture), "x"))])));
}
