using System.Diagnostics;
using Ingot.Builds.Files;
using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Tests.Builds.Files;

/// <summary>Files of a context are recognised without being read, and never wrongly.</summary>
public sealed class ContextStampTests : IDisposable
{
    private const long Second = 1_000_000_000;

    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-stamps-").FullName;

    private string Root => Path.Combine(_directory, "context");

    private string Kept => Path.Combine(_directory, "kept");

    public ContextStampTests()
    {
        Directory.CreateDirectory(Root);
        Directory.CreateDirectory(Kept);
        Write("a.txt", "one");
        Write("d/b.txt", "two");
        Write("d/e/c.log", "three");
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData(10 * Second + 7, 10 * Second + 7, false)]
    [InlineData(10 * Second + 7, 10 * Second + 40_000_000, false)]
    [InlineData(10 * Second + 7, 10 * Second + 60_000_000, true)]
    // A filesystem that keeps seconds, or two of them.
    [InlineData(10 * Second, 12 * Second, false)]
    [InlineData(10 * Second, 13 * Second + 1, true)]
    // The clock was set back.
    [InlineData(20 * Second + 7, 10 * Second, false)]
    public void AStampIsBelievedWhenALaterChangeWouldGetAnotherTime(long changed, long now, bool expected) =>
        Assert.Equal(expected, new FileStamp(1, 2, 3, 4, changed).IsSettled(now));

    [Fact]
    public void WhatWasReadOnceIsNotReadAgain()
    {
        Settle();
        using (var files = Open())
        {
            Assert.Equal(3, Select(files).Unread.Count());
            Assert.Empty(files.Read(Select(files), parallelism: 2).Unread);
        }

        using var again = Open();
        var selection = Select(again);
        Assert.Empty(selection.Unread);
        using var plain = new ContextFiles(Context(), Tree.Epoch);
        Assert.Equal(Select(plain).Digest, selection.Digest);
    }

    [Theory]
    [InlineData("printf 'ONE' > a.txt && touch -d \"$(stat -c %y ../time)\" a.txt")]
    [InlineData("printf 'ONE' > new && touch -r a.txt new && mv new a.txt")]
    [InlineData("cp -p a.txt copy && printf 'ONE' > copy && touch -r a.txt copy && cp -p --remove-destination copy a.txt && rm copy")]
    public void AFileOfEqualSizeAndTimeWithOtherContentIsNoticed(string change)
    {
        Settle();
        Shell("touch -r a.txt ../time");
        Digest? before;
        using (var files = Open())
        {
            files.Read(Select(files), parallelism: 1);
            before = files.StampOf([""]);
        }

        var written = File.GetLastWriteTimeUtc(Path.Combine(Root, "a.txt"));
        Shell(change);
        Assert.Equal((3L, written),
            (new FileInfo(Path.Combine(Root, "a.txt")).Length, File.GetLastWriteTimeUtc(Path.Combine(Root, "a.txt"))));
        Settle();
        using var again = Open();
        Assert.NotEqual(before, again.StampOf([""]));
        Assert.Contains("a.txt", Select(again).Unread.Select(f => f.Entry.Path));
    }

    [Theory]
    [InlineData("chmod 755 a.txt")]
    [InlineData("touch -d @5 d/b.txt")]
    [InlineData("rm d/e/c.log")]
    [InlineData("touch d/e/new")]
    [InlineData("mkdir d/f")]
    [InlineData("mv d/e d/g")]
    [InlineData("ln -s a.txt link")]
    [InlineData("rm a.txt && ln -s d/b.txt a.txt")]
    public void AnythingThatChangesInATreeChangesItsStamp(string change)
    {
        Settle();
        var before = Stamp("");
        Assert.Equal(before, Stamp(""));
        Shell(change);
        Settle();
        Assert.NotEqual(before, Stamp(""));
    }

    [Fact]
    public void WhatIsNotSelectedDoesNotMatter()
    {
        Write(".dockerignore", "d/e\n");
        Settle();
        var whole = Stamp("");
        var file = Stamp("a.txt");
        var directory = Stamp("d");
        Shell("touch d/e/more && echo x >> d/e/c.log");
        Settle();
        Assert.Equal((whole, file, directory), (Stamp(""), Stamp("a.txt"), Stamp("d")));
        Shell("touch d/x");
        Settle();
        Assert.Equal(file, Stamp("a.txt"));
        Assert.NotEqual(directory, Stamp("d"));
    }

    [Theory]
    [InlineData("d/l")]
    [InlineData("*.txt")]
    [InlineData("lin?")]
    public void BehindALinkOrAPatternTheWholeContextMatters(string source)
    {
        Shell("ln -s ../a.txt d/l && ln -s d/e link");
        Settle();
        var before = Stamp(source);
        Shell("touch d/e/far-away");
        Settle();
        Assert.NotEqual(before, Stamp(source));
    }

    [Fact]
    public void AFileThatWasJustChangedIsReadTheNextTimeToo()
    {
        Settle();
        // In the future of the clock, as after it was set back: nothing is concluded.
        var digests = new ContentDigests(Kept, Root, isLocal: true, now: Second);
        var stamp = HostFiles.StampOf(Path.Combine(Root, "a.txt"))!.Value;
        digests.Add(stamp, Digest.Of("one"u8));
        Assert.Null(digests.Find(stamp));
    }

    [Fact]
    public void OnAFilesystemThatOthersDecideAboutNothingIsBelieved()
    {
        Settle();
        var stamp = HostFiles.StampOf(Path.Combine(Root, "a.txt"))!.Value;
        var believed = new ContentDigests(Kept, Root, isLocal: true, ContentDigests.Now(Kept));
        believed.Add(stamp, Digest.Of("one"u8));
        believed.Save(isWhole: true);
        Assert.Equal(Digest.Of("one"u8), new ContentDigests(Kept, Root, isLocal: true, ContentDigests.Now(Kept)).Find(stamp));
        Assert.Null(new ContentDigests(Kept, Root, isLocal: false, ContentDigests.Now(Kept)).Find(stamp));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(20)]
    [InlineData(-1)]
    public void WhatIsDamagedOnDiskIsNothing(int length)
    {
        Settle();
        using (var files = Open())
            files.Read(Select(files), parallelism: 1);
        string kept = Assert.Single(Directory.GetFiles(Kept, "*.stamps"));
        byte[] bytes = File.ReadAllBytes(kept);
        File.WriteAllBytes(kept, length < 0 ? bytes[..^1] : bytes[..length]);
        using var again = Open();
        Assert.Equal(3, Select(again).Unread.Count());
    }

    [Fact]
    public void WhatOneCopyDidNotLookAtStaysKnown()
    {
        Settle();
        using (var files = Open())
            files.Read(Select(files), parallelism: 1);
        Write("a.txt", "other");
        Settle();
        using (var files = Open())
        {
            files.Skip();
            files.Read(new SourceSelection(SourceSelector.Select(files, [new CopySource("a.txt", default)], _ => { })), parallelism: 1);
        }

        using var again = Open();
        Assert.Empty(Select(again).Unread);
    }

    private static SourceSelection Select(ContextFiles files) => new(SourceSelector.Select(files, [new CopySource("", default)], _ => { }));

    private Digest? Stamp(string source)
    {
        using var files = Open();
        return files.StampOf([source]) ?? throw new InvalidOperationException("nothing is settled");
    }

    private TreeSource.Context Context()
    {
        string ignore = Path.Combine(Root, ".dockerignore");
        return new(Root, "web", File.Exists(ignore) ? ignore : null);
    }

    private ContextFiles Open() => new(Context(), Tree.Epoch, Kept);

    // Until a change would get another time.
    private static void Settle() => Thread.Sleep(80);

    private void Write(string name, string text)
    {
        string path = Path.Combine(Root, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }

    private void Shell(string script)
    {
        using var process = Process.Start(new ProcessStartInfo("sh", ["-ec", script]) { WorkingDirectory = Root })!;
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
