using System.Text;
using Ingot.Builds.Files;
using Ingot.Diagnostics;
using Ingot.Oci.Tar;
using Ingot.Plans;

namespace Ingot.Tests.Builds.Files;

public sealed partial class ContextFilesTests : IDisposable
{
    private readonly string _outside = Directory.CreateTempSubdirectory("ingot-context-").FullName;

    private string Root => Path.Combine(_outside, "context");

    public ContextFilesTests() => Directory.CreateDirectory(Root);

    // Not the base library's way: one name here is no text.
    public void Dispose() => System.Diagnostics.Process.Start("rm", ["-rf", _outside]).WaitForExit();

    [Fact]
    public void ADirectoryHasWhatIsInItWithModesOfGit()
    {
        Write("src/b.sh", "b", mode: 0b111_000_000);
        Write("src/a", "a", mode: 0b110_110_110);
        Write("src/set", "x", mode: 0b100_111_101_101);
        Write("src/read", "x", mode: 0b100_100_100);
        Directory.CreateDirectory(Path.Combine(Root, "src/empty"),
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Assert.Equal("src: d  755|f a 644|f b.sh 755|d empty 755|f read 644|f set 755\n", Select("src"));
    }

    [Fact]
    public void ModesAreTheHostsWhereTheRuleAboutThemIsOff()
    {
        Write("b.sh", "b", mode: 0b111_000_000);
        Write("set", "x", mode: 0b100_111_101_101);
        using var files = new ContextFiles(new TreeSource.Context(Root, "web", null) { KeepsModes = true }, Tree.Epoch);
        Assert.Equal([0b111_000_000, 0b100_111_101_101], new[] { "b.sh", "set" }.Select(p => files.Find(p)!.Entry.Mode));
    }

    // Root may read what others may not; what the kernel itself refuses nobody may.
    [Fact]
    public void AFileThatCannotBeReadIsSaidWithItsPathAndTheCure()
    {
        using var files = new ContextFiles(new TreeSource.Context($"/proc/{Environment.ProcessId}", "kernel", null), Tree.Epoch);
        var e = Assert.Throws<InvalidInputException>(() => files.Find("mem"));
        Assert.Contains("'mem' in the context 'kernel' cannot be read: ", e.Message, StringComparison.Ordinal);
        Assert.Contains("leave it out in '.dockerignore'", Assert.Single(e.Diagnostics).Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void FilesThatAreGoneWhenTheyAreReadAreSaid(int parallelism)
    {
        for (int i = 0; i < 20; i++)
            Write($"src/f{i}", "x");
        using var files = new ContextFiles(new TreeSource.Context(Root, "web", null), Tree.Epoch,
            Directory.CreateDirectory(Path.Combine(_outside, "kept")).FullName);
        var selection = new SourceSelection(SourceSelector.Select(files, [new CopySource("src", default)], _ => { }));
        Assert.Equal(20, selection.Unread.Count());
        Directory.Delete(Path.Combine(Root, "src"), recursive: true);
        var e = Assert.Throws<InvalidInputException>(() => files.Read(selection, parallelism));
        Assert.Contains("in the context 'web' vanished while the image was being built", e.Message, StringComparison.Ordinal);
        Assert.Contains("'src/f", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("readable", Assert.Single(e.Diagnostics).Detail, StringComparison.Ordinal);
        Assert.Throws<InvalidInputException>(() => files.Open(new FileOrigin(0, "src/f1")));
    }

    [Fact]
    public void WhatAnotherUserMayNotReadIsSaid()
    {
        Assert.SkipUnless(Ingot.Testing.LinuxTree.IsRoot, "needs root, to be another user");
        Write("a", "a", mode: 0);
        Write("closed/b", "b");
        File.SetUnixFileMode(_outside, (UnixFileMode)0b111_101_101);
        File.SetUnixFileMode(Path.Combine(Root, "closed"), UnixFileMode.None);
        using var files = new ContextFiles(new TreeSource.Context(Root, "web", null), Tree.Epoch,
            Directory.CreateDirectory(Path.Combine(_outside, "kept")).FullName);
        AsNobody(() =>
        {
            Assert.Contains("'a' in the context 'web' cannot be read",
                Assert.Throws<InvalidInputException>(() => files.Open(new FileOrigin(0, "a"))).Message, StringComparison.Ordinal);
            Assert.Contains(
                "'closed' in the context 'web' cannot be read",
                Assert.Throws<InvalidInputException>(() => SourceSelector.Select(files, [new CopySource("", default)], _ => { })).Message,
                StringComparison.Ordinal);
            Assert.Contains("'closed/b' in the context 'web' cannot be read",
                Assert.Throws<InvalidInputException>(() => files.Find("closed/b")).Message, StringComparison.Ordinal);
            Assert.Null(files.StampOf(["."]));
        });
    }

    [Fact]
    public void AContextThatIsGoneIsSaid()
    {
        var context = new TreeSource.Context(Path.Combine(Root, "gone"), "web", null);
        Assert.Contains("it is gone", Assert.Throws<InvalidInputException>(() => new ContextFiles(context, Tree.Epoch)).Message,
            StringComparison.Ordinal);
        Directory.CreateDirectory(context.Directory);
        Assert.Contains(
            "it is gone",
            Assert.Throws<InvalidInputException>(() =>
                new ContextFiles(context with { IgnoreFile = Path.Combine(Root, ".dockerignore") }, Tree.Epoch)).Message,
            StringComparison.Ordinal);
    }

    // The calling thread alone, and back again.
    private static void AsNobody(Action act)
    {
        const uint Nobody = 65534;
        _ = SetFileSystemUser(Nobody);
        try
        {
            act();
        }
        finally
        {
            _ = SetFileSystemUser(0);
        }
    }

    [System.Runtime.InteropServices.LibraryImport("libc", EntryPoint = "setfsuid")]
    private static partial int SetFileSystemUser(uint user);

    [Fact]
    public void TheWholeContextIsADirectory()
    {
        Write("a", "a");
        Write("d/b", "b");
        Assert.Equal(": d  755|f a 644|d d 755|f d/b 644\n", Select(""));
    }

    [Theory]
    [InlineData(
        "*\n!src\n!products.tsv\n", "", ": d  755|f products.tsv 644|d src 755|f src/main.c 644|d src/sub 755|f src/sub/x.log 644\n")]
    [InlineData("**/*.log\nsecret\n", "", ": d  755|f .dockerignore 644|f products.tsv 644|d src 755|f src/main.c 644|d src/sub 755\n")]
    [InlineData("src\n!src/sub\n", "src", "src: d  755|d sub 755|f sub/x.log 644\n")]
    [InlineData("src\n!src/sub/*.log\n", "src", "src: d  755|d sub 755|f sub/x.log 644\n")]
    [InlineData("*\n!src/sub\n", "src/sub/x.log", "x.log: f  644\n")]
    [InlineData("*", "", ": d  755\n")]
    public void WhatTheIgnoreFileLeavesOutIsNotThere(string ignore, string source, string expected)
    {
        Write("src/main.c", "c");
        Write("src/sub/x.log", "l");
        Write("secret/key", "k");
        Write("products.tsv", "p");
        Write(".dockerignore", ignore);
        Assert.Equal(expected, Select(source));
    }

    [Theory]
    [InlineData("src", "'.dockerignore' leaves it out")]
    [InlineData("src/main.c", "'.dockerignore' leaves it out")]
    [InlineData("othr", "did you mean 'other'?")]
    [InlineData("other/x", "")]
    [InlineData("file/x", "")]
    public void WhatIsMissingHasAReason(string source, string reason)
    {
        Write("src/main.c", "c");
        Write("other/file", "o");
        Write("file", "f");
        Write(".dockerignore", "src\n");
        Assert.Equal($"missing {source} ({reason})\n", Select(source));
    }

    [Fact]
    public void ALinkOutOfTheContextLeadsBackIntoIt()
    {
        File.WriteAllText(Path.Combine(_outside, "secret"), "the host's");
        Write("secret", "the context's own");
        Write("etc/passwd", "the context's passwd");
        Link("up", "../secret");
        Link("absolute", "/etc/passwd");
        Link("directory", "..");
        Link("far", "../../../../../../../../etc/passwd");
        Assert.Equal("up: f  644\n", Select("up"));
        Assert.Equal("the context's own", Content("up"));
        Assert.Equal("the context's passwd", Content("absolute"));
        Assert.Equal("the context's own", Content("directory/secret"));
        Assert.Equal("the context's passwd", Content("far"));
    }

    [Fact]
    public void LinksWithinADirectoryAreCopiedAsLinks()
    {
        Link("src/out", "/etc/passwd");
        Link("src/dangling", "nowhere");
        Link("src/loop", "loop");
        Assert.Equal("src: d  755|l dangling nowhere|l loop loop|l out /etc/passwd\n", Select("src"));
    }

    [Fact]
    public void ALinkToNothingOrInACircleIsMissing()
    {
        Link("dangling", "nowhere");
        Link("loop", "loop");
        Assert.StartsWith("missing dangling", Select("dangling"), StringComparison.Ordinal);
        Assert.StartsWith("missing loop", Select("loop"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("*.txt", "a.txt: f  644\nb.txt: f  644\n")]
    [InlineData("d?/x*", "x1: f  644\nx2: f  644\n")]
    [InlineData("d[12]", "d1: d  755|f x1 644\nd2: d  755|f x2 644\n")]
    [InlineData("[]x]", "missing []x] ()\n")]
    [InlineData("*.nothing", "")]
    [InlineData("d?/nothing", "")]
    [InlineData("nothing/*", "")]
    [InlineData("\\*.txt", "missing \\*.txt ()\n")]
    [InlineData("link/*", "x1: f  644\n")]
    [InlineData("l*/x1", "")]
    [InlineData("l*", "link: d  755|f x1 644\n")]
    public void PatternsMatchInOrder(string pattern, string expected)
    {
        Write("b.txt", "b");
        Write("a.txt", "a");
        Write("d2/x2", "2");
        Write("d1/x1", "1");
        Write("ignored.txt", "i");
        Link("link", "d1");
        Write(".dockerignore", "ignored.txt\n");
        Assert.Equal(expected, Select(pattern));
    }

    [Fact]
    public void APatternMayMatchNothingBesideSomething()
    {
        Write("package.json", "p");
        Assert.Equal("package.json: f  644\n", Select("package.json", "yarn.loc[k]"));
    }

    [Fact]
    public void NamesThatAreNoTextAreNames()
    {
        Write("src/ok", "x");
        string odd = Path.Combine(Root, "src", "odd");
        // A byte that is not UTF-8, through the shell: the base library cannot say it.
        using var process = System.Diagnostics.Process.Start("sh", ["-c", $"printf x > \"$(printf '{odd}\\377')\""])!;
        process.WaitForExit();
        Assert.Equal("src: d  755|f odd\uDCFF 644|f ok 644\n", Select("src"));
    }

    [Fact]
    public void APipeIsAPipeAndASocketLeftOut()
    {
        using var socket = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, 0);
        Directory.CreateDirectory(Path.Combine(Root, "run"));
        socket.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(Path.Combine(Root, "run", "s")));
        Assert.Equal("run: d  755\n", Select("run"));

        using var process = System.Diagnostics.Process.Start("mkfifo", [Path.Combine(Root, "run", "pipe")])!;
        process.WaitForExit();
        Assert.Equal("run: d  755|f pipe 644\n", Select("run"));
        using var files = Open();
        Assert.Equal(TarEntryType.Fifo, files.Find("run/pipe")!.Entry.Type);
        Assert.Equal(0x1A4, files.Find("run/pipe")!.Entry.Mode);
    }

    [Fact]
    public void TheDigestIsOfContentsNamesAndModesAndOfNothingElse()
    {
        Write("a/x", "1");
        Write("a/y", "2");
        var before = Selection("a").Digest;

        File.SetLastWriteTimeUtc(Path.Combine(Root, "a/x"), new DateTime(2001, 2, 3, 4, 5, 6, DateTimeKind.Utc));
        File.SetUnixFileMode(Path.Combine(Root, "a/y"), UnixFileMode.UserRead);
        File.Delete(Path.Combine(Root, "a/x"));
        Write("a/x", "1");
        Write("elsewhere", "3");
        Assert.Equal(before, Selection("a").Digest);

        string moved = Path.Combine(_outside, "moved");
        Directory.Move(Root, moved);
        using (var files = new ContextFiles(new TreeSource.Context(moved, "other", null), Tree.Epoch))
            Assert.Equal(before, new SourceSelection(SourceSelector.Select(files, [new CopySource("a", default)], _ => { })).Digest);
        Directory.Move(moved, Root);

        Changes(before, () => Write("a/x", "one"), () => Write("a/x", "1"));
        Changes(before, () => Write("a/z", ""), () => File.Delete(Path.Combine(Root, "a/z")));
        Changes(before, () => File.Move(Path.Combine(Root, "a/x"), Path.Combine(Root, "a/X")),
            () => File.Move(Path.Combine(Root, "a/X"), Path.Combine(Root, "a/x")));
        Changes(before, () => Write("a/x", "1", mode: 0b111_101_101), () => Write("a/x", "1"));
        Changes(before, () => Directory.CreateDirectory(Path.Combine(Root, "a/d")), () => Directory.Delete(Path.Combine(Root, "a/d")));
        Changes(before, () => Link("a/l", "x"), () => File.Delete(Path.Combine(Root, "a/l")));
    }

    private void Changes(Ingot.Oci.Content.Digest before, Action change, Action undo)
    {
        change();
        Assert.NotEqual(before, Selection("a").Digest);
        undo();
        Assert.Equal(before, Selection("a").Digest);
    }

    private void Write(string path, string content, int mode = 0b110_100_100)
    {
        string full = Path.Combine(Root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, content);
        File.SetUnixFileMode(full, (UnixFileMode)mode);
    }

    private void Link(string path, string target)
    {
        string full = Path.Combine(Root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.CreateSymbolicLink(full, target);
    }

    private ContextFiles Open()
    {
        string ignore = Path.Combine(Root, ".dockerignore");
        return new ContextFiles(new TreeSource.Context(Root, "web", File.Exists(ignore) ? ignore : null), Tree.Epoch);
    }

    private SourceSelection Selection(params string[] sources)
    {
        using var files = Open();
        return new SourceSelection(SourceSelector.Select(files, [.. sources.Select(s => new CopySource(s, default))], _ => { }));
    }

    private string Select(params string[] sources)
    {
        using var files = Open();
        var text = new StringBuilder();
        var selected = SourceSelector.Select(
            files, [.. sources.Select(s => new CopySource(s, default))],
            missing => text.Append("missing ").Append(missing.Pattern).Append(" (")
                .Append(missing.IsPattern ? "" : files.ReasonForAbsence(missing.Pattern)).Append(")\n"));
        foreach (var source in selected)
            text.Append(source.Name).Append(": ").AppendJoin('|', source.Files.Select(f => Tree.Print(f.Entry))).Append('\n');
        Assert.All(selected.SelectMany(s => s.Files), f => Assert.Equal(Tree.Epoch, f.Entry.ModifiedTime));
        return text.ToString();
    }

    private string Content(string path)
    {
        using var files = Open();
        var selected = Assert.Single(SourceSelector.Select(files, [new CopySource(path, default)], _ => { }));
        Assert.Equal(TarEntryType.File, selected.Files[0].Entry.Type);
        using var reader = new StreamReader(files.Open(selected.Files[0].Origin));
        return reader.ReadToEnd();
    }
}
