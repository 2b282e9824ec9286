using System.Text;
using Ingot.Builds.Layers;
using Ingot.Oci.Content;
using Ingot.Oci.Layers;
using Ingot.Oci.Tar;

namespace Ingot.Tests.Builds.Layers;

public sealed class ServedFilesTests
{
    [Theory]
    [InlineData("usr/share/nginx/html/app.js", true)]
    [InlineData("var/www/index.html", true)]
    [InlineData("srv/site/a.css", true)]
    [InlineData("usr/local/apache2/htdocs/a", true)]
    [InlineData("app/public/app.js", true)]
    [InlineData("app/wwwroot/lib/app.js", true)]
    [InlineData("opt/shop/dist/app.js", true)]
    [InlineData("usr/lib/python3/a.py", false)]
    [InlineData("etc/nginx/nginx.conf", false)]
    [InlineData("usr/share/publication/a", false)]
    [InlineData("var/wwwx/a", false)]
    public void AChangeThatNoServerSeesIsNamedWhereServersLook(string path, bool isNamed) =>
        Assert.Equal(isNamed ? [path] : [], ServedFiles.ChangedUnseen([Layer((path, "one", 0))], [Layer((path, "two", 0))]));

    [Theory]
    [InlineData("one", 0, "longer", 0)]
    [InlineData("one", 0, "two", 7)]
    [InlineData("one", 0, "one", 0)]
    [InlineData("one", 0, "one", 7)]
    public void AChangeOfSizeOrTimeIsSeenAndNoChangeIsNone(string before, int when, string after, int then) =>
        Assert.Empty(ServedFiles.ChangedUnseen([Layer(("srv/a", before, when))], [Layer(("srv/a", after, then))]));

    [Fact]
    public void NewFilesAndOnesThatAreGoneAreSeen() =>
        Assert.Empty(ServedFiles.ChangedUnseen([Layer(("srv/a", "one", 0))], [Layer(("srv/b", "two", 0))]));

    [Fact]
    public void TheTopmostLayerIsWhatIsServed()
    {
        Assert.Empty(ServedFiles.ChangedUnseen([Layer(("srv/a", "one", 0)), Layer(("srv/a", "two", 0))], [Layer(("srv/a", "two", 0))]));
        Assert.Equal(["srv/a"],
            ServedFiles.ChangedUnseen([Layer(("srv/a", "two", 0)), Layer(("srv/a", "one", 0))], [Layer(("srv/a", "two", 0))]));
    }

    // Of tens of thousands of files a few changed: only of those it is asked where they are.
    [Fact]
    public void ManyFilesThatDidNotChangeCostLittle()
    {
        var before =
            Layer([.. Enumerable.Range(0, 50_000).Select(i => ($"opt/shop/node_modules/package-{i}/lib/public/app.js", "one", 0))]);
        var after = new LayerIndex([.. before.Files.Skip(1), .. Layer((before.Files[0].Path, "two", 0)).Files], []);
        var watch = System.Diagnostics.Stopwatch.StartNew();
        Assert.Equal([before.Files[0].Path], ServedFiles.ChangedUnseen([before], [after]));
        Assert.InRange(watch.ElapsedMilliseconds, 0, 400);
    }

    [Fact]
    public void FewAreNamedAndTheOthersCounted()
    {
        Assert.Null(ServedFiles.Warning("web", []));
        Assert.StartsWith(
            "'web' serves files that changed but look the same, with equal size and time: /a, /b, /c and 2 more. Web servers",
            ServedFiles.Warning("web", ["a", "b", "c", "d", "e"]));
    }

    private static LayerIndex Layer(params (string Path, string Content, int Seconds)[] files) => new(
        files.Select(f => new FileRecord(
            new TarEntry
            {
                Path = f.Path,
                Type = TarEntryType.File,
                Size = f.Content.Length,
                ModifiedTime = Tree.Epoch.AddSeconds(f.Seconds),
            },
            Digest.Of(Encoding.UTF8.GetBytes(f.Content)), f.Content.Length, Offset: 0)),
        []);
}
