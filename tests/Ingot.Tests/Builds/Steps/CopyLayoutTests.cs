using Ingot.Builds.Files;
using Ingot.Builds.Steps;
using Ingot.Oci.Content;
using Ingot.Oci.Tar;
using Ingot.Plans;

namespace Ingot.Tests.Builds.Steps;

/// <summary>What Docker's builder does, written down by hand; the one deliberate difference says so.</summary>
public sealed class CopyLayoutTests
{
    public static TheoryData<string, string, string, string, string> Cases => new()
    {
        // name, the tree copied into, sources (a file 'f NAME', or a directory 'NAME: entries'), destination, what is written
        { "a file gets a new name", "", "f a", "/x", "f x 644\n" },
        { "a file keeps its name in a directory that is there", "d x", "f a", "/x", "f x/a 644\n" },
        { "a file keeps its name where a directory is written", "", "f a", "/x/", "d x 755\nf x/a 644\n" },
        { "missing directories are made", "d x", "f a", "/x/y/z/a", "d x/y 755\nd x/y/z 755\nf x/y/z/a 644\n" },
        { "directories that are there are not written again", "d x 1777; d x/y 700", "f a", "/x/y/", "f x/y/a 644\n" },
        { "a file replaces a file", "f x 600", "f a", "/x", "f x 644\n" },
        { "a file goes where a link leads", "l x y/z; d y", "f a", "/x", "f y/z 644\n" },
        { "a file goes into the directory a link leads to", "l x /y; d y", "f a", "/x", "f y/a 644\n" },
        { "a link in the middle is followed", "l bin usr/bin; d usr; d usr/bin", "f a", "/bin/a", "f usr/bin/a 644\n" },
        { "a link that leads out stays in", "l x ../../..; d etc", "f a", "/x/etc/", "f etc/a 644\n" },
        { "several sources go into a directory", "", "f a; f b", "/x/", "d x 755\nf x/a 644\nf x/b 644\n" },
        { "the later of two of one name wins", "", "f a 600; f a 755", "/", "f a 755\n" },
        { "contents are copied and not the directory", "", "src: f src/a; d src/b 700; f src/b/c", "/x",
            "d x 755\nf x/a 644\nd x/b 700\nf x/b/c 644\n" },
        { "contents go to the root", "d etc 700", "src: f src/a; d src/etc 755; f src/etc/c", "/", "f a 644\nd etc 755\nf etc/c 644\n" },
        { "an empty directory makes its destination", "", "src:", "/x/y", "d x 755\nd x/y 755\n" },
        { "an empty directory onto one changes nothing", "d x", "src:", "/x", "" },
        { "links in a directory stay links", "", "src: l src/l ../../etc/passwd", "/", "l l ../../etc/passwd\n" },
        { "a link replaces a file", "f l", "src: l src/l a", "/", "l l a\n" },
        { "a file in a directory replaces a link", "l a b; f b", "src: f src/a", "/", "f a 644\n" },
        { "a directory and a file together", "", "src: f src/a; f b", "/x/", "d x 755\nf x/a 644\nf x/b 644\n" },
        { "otherwise than Docker: a directory goes where a link to one leads", "l lib usr/lib; d usr; d usr/lib",
            "src: d src/lib 700; f src/lib/a; d src/lib/d; f src/lib/d/b", "/", "f usr/lib/a 644\nd usr/lib/d 755\nf usr/lib/d/b 644\n" },
        { "names of one file stay one", "", "src: f src/b hard; f src/a hard", "/", "f a 644\nh b a\n" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task FilesGoWhereDockerPutsThem(string name, string target, string sources, string destination, string expected)
    {
        var placed = CopyLayout.Of(await Tree.OfAsync(target), Sources(sources), Options(destination));
        Assert.True(expected == Print(placed), $"{name}: {Print(placed)}");
    }

    public static TheoryData<string, string, string, string, string> Archives => new()
    {
        // name, the tree unpacked into, the archive's entries, destination, what is written
        { "files keep modes and owners", "", "f a 640 7:8; d d 1777 9:9; f d/b 4755", "/x",
            "d x 755\nf x/a 640 7:8\nd x/d 1777 9:9\nf x/d/b 4755\n" },
        { "the archive's root is there already", "d x 700", "d . 777 5:5; f a", "/x", "f x/a 644\n" },
        { "directories that are missing are made", "", "f a/b/c", "/", "d a 755\nd a/b 755\nf a/b/c 644\n" },
        { "directories are merged and get the archive's modes", "d x; d x/d 700; f x/d/old", "d d 755; f d/new", "/x",
            "d x/d 755\nf x/d/new 644\n" },
        { "a file takes a directory's place", "d x; d x/d; f x/d/old", "f d", "/x", "f x/d 644\n" },
        { "a directory takes a file's place", "d x; f x/d", "d d; f d/a", "/x", "d x/d 755\nf x/d/a 644\n" },
        { "a directory takes a link's place", "l lib usr/lib; d usr; d usr/lib; f usr/lib/x", "d lib; f lib/a", "/",
            "d lib 755\nf lib/a 644\n" },
        { "a link on the way is followed", "l lib usr/lib; d usr; d usr/lib", "f lib/a", "/", "f usr/lib/a 644\n" },
        { "a link of the archive's own is followed", "", "d real; l to real; f to/a", "/", "d real 755\nf real/a 644\nl to real\n" },
        { "the last of one name wins", "", "f a 600; f a 755", "/", "f a 755\n" },
        { "what a file takes the place of is gone", "", "d a; f a/b; f a", "/", "f a 644\n" },
        { "what was taken away stays away", "d a; f a/old", "f a; d a; f a/new", "/", "d a 755\nf a/.wh..wh..opq 0\nf a/new 644\n" },
        { "what was never there needs no hiding", "", "f a; d a; f a/new", "/", "d a 755\nf a/new 644\n" },
        { "the first name of a file in the layer is the file", "", "f b 640; h a b", "/", "f a 644\nh b a\n" },
        { "a name stays when the other gets another file", "", "f a 600; h b a; f a 755", "/", "f a 755\nf b 644\n" },
        { "three names are one file", "", "f c 600 1:2; h b c; h a b", "/", "f a 644\nh b a\nh c a\n" },
        { "a name of itself stays", "", "f a 600; h a a", "/", "f a 644\n" },
        { "a tree that was taken away may come back", "", "d a; d a/b; f a/b/c; f a; d a; f a/b", "/", "d a 755\nf a/b 644\n" },
        { "a link to a link is another link", "", "l a x; h b a", "/", "l a x\nl b x\n" },
        { "a link out of the destination leads back into it", "d x; d x/etc; d etc", "l out /etc; f out/passwd; l up ../../etc; f up/group",
            "/x", "f x/etc/group 644\nf x/etc/passwd 644\nl x/out /etc\nl x/up ../../etc\n" },
        { "a link out of the destination makes what is not there within it", "d x; d etc", "l out /etc; f out/passwd", "/x",
            "d x/etc 755\nf x/etc/passwd 644\nl x/out /etc\n" },
        { "a link that is there does not lead out either", "d x; l x/out /etc; d etc", "f out/passwd", "/x",
            "d x/etc 755\nf x/etc/passwd 644\n" },
    };

    [Theory]
    [MemberData(nameof(Archives))]
    public async Task ArchivesAreUnpackedAsDockerDoes(string name, string target, string archive, string destination, string expected)
    {
        var placed = CopyLayout.Of(await Tree.OfAsync(target), [Archive(archive)], Options(destination));
        Assert.True(expected == Print(placed), $"{name}: {Print(placed)}");
    }

    [Theory]
    [InlineData("f x", "f a", "/x", "'/x' is a File, and the copy needs a directory there")]
    [InlineData("", "l a a; f a/b", "/", "'a/b' in 'a.tar' cannot be unpacked: 'a' contains a symlink loop")]
    [InlineData("", "f a; f a/b", "/", "'a/b' in 'a.tar' cannot be unpacked: '/a' is a File")]
    [InlineData("f etc", "f etc/passwd", "/", "'etc/passwd' in 'a.tar' cannot be unpacked: '/etc' is a File")]
    [InlineData("d etc; f etc/shadow", "h mine etc/shadow", "/",
        "the hard link 'mine' in 'a.tar' names 'etc/shadow', which is not a file that the archive brought before")]
    [InlineData("", "h a b; f b", "/", "the hard link 'a' in 'a.tar' names 'b', which is not a file that the archive brought before")]
    [InlineData("", "d a; h b a", "/", "the hard link 'b' in 'a.tar' names 'a', which is not a file that the archive brought before")]
    public async Task AnArchiveThatCannotBeUnpackedIsRefused(string target, string archive, string destination, string expected)
    {
        var tree = await Tree.OfAsync(target);
        Assert.Equal(expected,
            Assert.Throws<CopyConflictException>(() => CopyLayout.Of(tree, [Archive(archive)], Options(destination))).Message);
    }

    [Fact]
    public async Task AnOwnerIsForEverythingUnpackedAndAModeForNothing()
    {
        var options = Options("/x") with { Owner = (10, 20), Mode = ModeChange.TryParse("600") };
        var placed = CopyLayout.Of(await Tree.OfAsync(""), [Archive("f a 4755 7:8; d d 1777")], options);
        Assert.Equal("d x 755 10:20\nf x/a 4755 10:20\nd x/d 1777 10:20\n", Print(placed));
    }

    [Fact]
    public async Task ADirectoryOnTheWayGetsTheModeAndKeepsItsOwner()
    {
        var source = new SelectedSource("", [.. Tree.Entries("d . 700; d a 711 5:5; d a/b 750; f a/b/c").Select(e =>
            File(e.Entry with { Path = e.Entry.Path.TrimStart('.') }, linked: false) with
            {
                IsOnTheWay = e.Entry.Type == TarEntryType.Directory,
            })]);
        var options = Options("/x/") with { Owner = (1, 2), Mode = ModeChange.TryParse("640") };
        var placed = CopyLayout.Of(await Tree.OfAsync("d x 777; d x/a 700 8:9"), [source], options);
        Assert.Equal("d x/a 711 8:9\nd x/a/b 640 1:2\nf x/a/b/c 640 1:2\n", Print(placed));
    }

    [Fact]
    public async Task OnlyWhatAProgramMayDoIsCopiedOfAttributes()
    {
        var entry = new TarEntry
        {
            Path = "",
            Type = TarEntryType.File,
            ExtendedAttributes =
                new(StringComparer.Ordinal) { ["security.capability"] = [1], ["user.x"] = [2], ["trusted.overlay.opaque"] = [3] },
        };
        var placed = CopyLayout.Of(
            await Tree.OfAsync(""), [new SelectedSource("a", [new SelectedFile(entry, null, default)])], Options("/a"));
        Assert.Equal(["security.capability"], Assert.Single(placed).Entry.ExtendedAttributes!.Keys);
    }

    [Theory]
    [InlineData("f .wh.etc", "/", ".wh.etc")]
    [InlineData("f a", "/.wh..wh..opq", ".wh..wh..opq")]
    [InlineData("f a", "/.wh.x/y", ".wh.x")]
    public async Task ANameThatWouldDeleteIsRefused(string source, string destination, string path)
    {
        var tree = await Tree.OfAsync("");
        Assert.Equal($"'/{path}' cannot be in a layer: a name that begins with '.wh.' there means a deletion",
            Assert.Throws<CopyConflictException>(() => CopyLayout.Of(tree, Sources(source), Options(destination))).Message);
    }

    [Fact]
    public async Task NamesOfOneFileInTwoSourcesStayTwoFiles()
    {
        var sources = Sources("src: f src/b hard; f src/a hard").Concat(Sources("src: f src/d hard; f src/c hard")).ToList();
        Assert.Equal("f a 644\nh b a\nf c 644\nh d c\n", Print(CopyLayout.Of(await Tree.OfAsync(""), sources, Options("/"))));
    }

    [Theory]
    [InlineData("f x", "src: f src/a", "/x", "'/x' is a File, and the copy needs a directory there")]
    [InlineData("f x", "f a", "/x/", "'/x' is a File, and the copy needs a directory there")]
    [InlineData("f x", "f a", "/x/y/z", "'/x' is a File, and the copy needs a directory there")]
    [InlineData("d a", "src: f src/a", "/", "'a' cannot replace the directory '/a'")]
    [InlineData("f a", "src: d src/a", "/", "the directory 'a' cannot replace '/a', which is a File")]
    [InlineData("l a b; f b", "src: d src/a", "/", "the directory 'a' cannot replace '/a', which is a SymbolicLink")]
    [InlineData("l a nothing", "src: d src/a", "/", "the directory 'a' cannot replace '/a', which is a SymbolicLink")]
    [InlineData("l x x", "f a", "/x/y", "'/x/y' contains a symlink loop")]
    [InlineData("", "f a; f b", "/x", "several sources are copied to '/x', which is not a directory: write '/x/'")]
    public async Task WhatCannotBeIsSaid(string target, string sources, string destination, string expected)
    {
        var tree = await Tree.OfAsync(target);
        Assert.Equal(expected,
            Assert.Throws<CopyConflictException>(() => CopyLayout.Of(tree, Sources(sources), Options(destination))).Message);
    }

    [Fact]
    public async Task AnOwnerAndAModeAreForEverythingCopiedButModesNotForMissingDirectories()
    {
        var options = new CopyOptions("x/y", DestinationIsDirectory: true, Owner: (10, 20), Mode: ModeChange.TryParse("600"), Tree.Epoch);
        var placed = CopyLayout.Of(await Tree.OfAsync(""), Sources("src: f src/a; d src/d; l src/l a"), options);
        Assert.Equal("d x 755 10:20\nd x/y 755 10:20\nf x/y/a 600 10:20\nd x/y/d 600 10:20\nl x/y/l a 10:20\n", Print(placed));
    }

    [Fact]
    public async Task WithoutAnOwnerEachFileKeepsItsOwnAndMissingDirectoriesAreRoots()
    {
        var options = new CopyOptions("x", DestinationIsDirectory: true, Owner: null, Mode: null, Tree.Epoch);
        var placed = CopyLayout.Of(await Tree.OfAsync(""), Sources("f a 4755 7:8"), options);
        Assert.Equal("d x 755\nf x/a 4755 7:8\n", Print(placed));
    }

    private static CopyOptions Options(string destination) =>
        new(destination.Trim('/'), destination.EndsWith('/'), Owner: null, Mode: null, Tree.Epoch);

    // In the archive's order; '.' is its root.
    private static SelectedSource Archive(string entries) => new("a.tar", [
        .. Tree.Entries(entries)
            .Select(e => new SelectedFile(e.Entry with { Path = e.Entry.Path == "." ? "" : e.Entry.Path }, Content: null, default)),
    ])
    { IsArchive = true };

    private static string Print(IEnumerable<PlacedFile> placed) => string.Concat(placed.Select(p => Tree.Print(p.Entry) + "\n"));

    // 'f a; f b' are two sources, 'src: f src/a; f b' a directory and a file: what lies below its name is the directory's.
    private static List<SelectedSource> Sources(string text)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        bool isDirectory = colon > 0 && !text[..colon].Contains(' ', StringComparison.Ordinal);
        string directory = isDirectory ? text[..colon] : "";
        var all = Tree.Entries((isDirectory ? text[(colon + 1)..] : text).Replace(" hard", "", StringComparison.Ordinal))
            .Select(e => e.Entry)
            .ToList();
        bool areLinked = text.Contains(" hard", StringComparison.Ordinal);
        var sources = new List<SelectedSource>();
        if (isDirectory)
        {
            var below = all
                .Where(e => e.Path.StartsWith(directory + "/", StringComparison.Ordinal))
                .Select(e => File(e with { Path = e.Path[(directory.Length + 1)..] }, areLinked));
            sources.Add(new SelectedSource(directory,
                [File(new TarEntry { Path = "", Type = TarEntryType.Directory, Mode = 493 }, linked: false), .. below]));
        }

        sources.AddRange(all
            .Where(e => !isDirectory || !e.Path.StartsWith(directory + "/", StringComparison.Ordinal))
            .Select(e => new SelectedSource(e.Path, [File(e with { Path = "" }, linked: false, e.Path)])));
        return sources;
    }

    private static SelectedFile File(TarEntry entry, bool linked, string? origin = null) =>
        new(entry, entry.Type == TarEntryType.File ? Digest.Of("same"u8) : null, new FileOrigin(0, origin ?? entry.Path))
        {
            Links = linked ? "one" : null,
        };
}
