namespace Ingot.Tests.Builds.Files;

public sealed class FileTreeTests
{
    [Theory]
    [InlineData("d a; f a/x; f b", "f a/y; f b 600", "d a 755 @0\nf a/x 644 @0\nf a/y 644 @1\nf b 600 @1\n")]
    [InlineData("d a; f a/x; f b", "w a", "f b 644 @0\n")]
    [InlineData("d a; f a/x; d a/d; f a/d/e", "d a 700; o a; f a/z", "d a 700 @1\nf a/z 644 @1\n")]
    [InlineData("d a; f a/x; f a.b; f ab", "w a; d a; f a/n", "d a 755 @1\nf a/n 644 @1\nf a.b 644 @0\nf ab 644 @0\n")]
    [InlineData("d a; f a/x", "f a", "f a 644 @1\n")]
    [InlineData("f a", "d a; f a/x", "d a 755 @1\nf a/x 644 @1\n")]
    [InlineData("l a b; d b", "f a/x", "d a 755 @1\nf a/x 644 @1\nd b 755 @0\n")]
    [InlineData("", "f a/b/c", "d a 755 @1\nd a/b 755 @1\nf a/b/c 644 @1\n")]
    [InlineData("d a 1777; d a/b 700", "f a/b/c", "d a 1777 @0\nd a/b 700 @0\nf a/b/c 644 @1\n")]
    [InlineData("d a; d a/b; f a/b/c; f a/d", "w a/b/c; w a/nothing", "d a 755 @0\nd a/b 755 @0\nf a/d 644 @0\n")]
    [InlineData("d b; f b/x", "f a; f c; d b 711", "f a 644 @1\nd b 711 @1\nf b/x 644 @0\nf c 644 @1\n")]
    public async Task ALayerOverAnother(string lower, string upper, string expected) =>
        Assert.Equal(expected, Tree.Print(await Tree.OfAsync(lower, upper)));

    [Fact]
    public async Task ManyLayersKeepWhereEachFileIsFrom()
    {
        var tree = await Tree.OfAsync("d a; f a/1", "f a/2", "w a/1", "f a/1 600");
        Assert.Equal("d a 755 @0\nf a/1 600 @3\nf a/2 644 @1\n", Tree.Print(tree));
        Assert.Equal(4, tree.Layers);
    }

    [Theory]
    [InlineData("lib/x", "usr/lib/x")]
    [InlineData("lib/up/x", "x")]
    [InlineData("lib/abs/x", "etc/x")]
    [InlineData("nothing/here", "nothing/here")]
    [InlineData("lib/../x", "usr/x")]
    [InlineData("out/x", "etc/passwd/x")]
    [InlineData("round/x", null)]
    [InlineData("", "")]
    public async Task LinksAreFollowedAndNeverLeadOut(string path, string? expected)
    {
        var tree = await Tree.OfAsync("l lib usr/lib; d usr; d usr/lib; l usr/lib/up ../../..; l usr/lib/abs /etc; d etc; "
            + "l out ../../../etc/passwd; l round round2; l round2 round");
        Assert.Equal(expected, tree.Resolve(path));
    }

    [Fact]
    public async Task OnlyWhatIsBelowADirectoryIsBelowIt()
    {
        var tree = await Tree.OfAsync("d a; f a/x; d a/b; f a/b/c; f a-b; d a.d; f a.d/x");
        Assert.Equal(["a/b", "a/b/c", "a/x"], tree.Below("a").Select(f => f.Record.Path));
        Assert.Equal(["a/b", "a/x"], tree.Children("a").Select(f => f.Record.Path));
        Assert.Equal(["a", "a-b", "a.d"], tree.Children("").Select(f => f.Record.Path));
        Assert.Empty(tree.Below("nothing"));
    }
}
