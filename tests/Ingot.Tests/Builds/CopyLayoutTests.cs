using Ingot.Builds;
using Ingot.Oci.Content;
using Ingot.Oci.Tar;
using Ingot.Plans;

namespace Ingot.Tests.Builds;

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
        { "contents are copied and not the directory", "", "src: f src/a; d src/b 700; f src/b/c", "/x", "d x 755\nf x/a 644\nd x/b 700\nf x/b/c 644\n" },
        { "contents go to the root", "d etc 700", "src: f src/a; d src/etc 755; f src/etc/c", "/", "f a 644\nd etc 755\nf etc/c 644\n" },
        { "an empty directory makes its destination", "", "src:", "/x/y", "d x 755\nd x/y 755\n" },
        { "an empty directory onto one changes nothing", "d x", "src:", "/x", "" },
        { "links in a directory stay links", "", "src: l src/l ../../etc/passwd", "/", "l l ../../etc/passwd\n" },
        { "a link replaces a file", "f l", "src: l src/l a", "/", "l l a\n" },
        { "a file in a directory replaces a link", "l a b; f b", "src: f src/a", "/", "f a 644\n" },
        { "a directory and a file together", "", "src: f src/a; f b", "/x/", "d x 755\nf x/a 644\nf x/b 644\n" },
        { "otherwise than Docker: a directory goes where a link to one leads", "l lib usr/lib; d usr; d usr/lib", "src: d src/lib 700; f src/lib/a; d src/lib/d; f src/lib/d/b", "/", "f usr/lib/a 644\nd usr/lib/d 755\nf usr/lib/d/b 644\n" },
        { "names of one file stay one", "", "src: f src/b hard; f src/a hard", "/", "f a 644\nh b a\n" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task FilesGoWhereDockerPutsThem(string name, string target, string sources, string destination, string expected)
    {
        var options = new CopyOptions(destination.Trim('/'), destination.EndsWith('/'), Owner: null, Mode: null, Tree.Epoch);
        var placed = CopyLayout.Of(await Tree.OfAsync(target), Sources(sources), options);
        Assert.True(expected == Print(placed), $"{name}: {Print(placed)}");
    }

    [Theory]
    [InlineData("f x", "src: f src/a", "/x", "'/x' is a File, and the copy needs a directory there")]
    [InlineData("f x", "f a", "/x/", "'/x' is a File, and the copy needs a directory there")]
    [InlineData("f x", "f a", "/x/y/z", "'/x' is a File, and the copy needs a directory there")]
    [InlineData("d a", "src: f src/a", "/", "'a' cannot replace the directory '/a'")]
    [InlineData("f a", "src: d src/a", "/", "the directory 'a' cannot replace '/a', which is a File")]
    [InlineData("l a b; f b", "src: d src/a", "/", "the directory 'a' cannot replace '/a', which is a SymbolicLink")]
    [InlineData("l a nothing", "src: d src/a", "/", "the directory 'a' cannot replace '/a', which is a SymbolicLink")]
    [InlineData("l x x", "f a", "/x/y", "the links in '/x/y' go round in a circle")]
    [InlineData("", "f a; f b", "/x", "several sources are copied to '/x', which is no directory: write '/x/'")]
    public async Task WhatCannotBeIsSaid(string target, string sources, string destination, string expected)
    {
        var options = new CopyOptions(destination.Trim('/'), destination.EndsWith('/'), Owner: null, Mode: null, Tree.Epoch);
        var tree = await Tree.OfAsync(target);
        Assert.Equal(expected, Assert.Throws<CopyConflictException>(() => CopyLayout.Of(tree, Sources(sources), options)).Message);
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

    private static string Print(IEnumerable<PlacedFile> placed) => string.Concat(placed.Select(p => Tree.Print(p.Entry) + "\n"));

    // 'f a; f b' are two sources, 'src: f src/a; f b' a directory and a file: what lies below its name is the directory's.
    private static List<SelectedSource> Sources(string text)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        bool isDirectory = colon > 0 && !text[..colon].Contains(' ', StringComparison.Ordinal);
        string directory = isDirectory ? text[..colon] : "";
        var all = Tree.Entries((isDirectory ? text[(colon + 1)..] : text).Replace(" hard", "", StringComparison.Ordinal)).Select(e => e.Entry).ToList();
        bool areLinked = text.Contains(" hard", StringComparison.Ordinal);
        var sources = new List<SelectedSource>();
        if (isDirectory)
        {
            var below = all.Where(e => e.Path.StartsWith(directory + "/", StringComparison.Ordinal)).Select(e => File(e with { Path = e.Path[(directory.Length + 1)..] }, areLinked));
            sources.Add(new SelectedSource(directory, [File(new TarEntry { Path = "", Type = TarEntryType.Directory, Mode = 493 }, linked: false), .. below]));
        }

        sources.AddRange(all.Where(e => !isDirectory || !e.Path.StartsWith(directory + "/", StringComparison.Ordinal)).Select(e => new SelectedSource(e.Path, [File(e with { Path = "" }, linked: false, e.Path)])));
        return sources;
    }

    private static SelectedFile File(TarEntry entry, bool linked, string? origin = null) =>
        new(entry, entry.Type == TarEntryType.File ? Digest.Of("same"u8) : null, new FileOrigin(0, origin ?? entry.Path)) { Links = linked ? "one" : null };
}
