using System.Text;
using Ingot.Evidence;

namespace Ingot.Tests.Evidence;

public sealed class ImageRootTests
{
    [Theory]
    [InlineData("../outside")]
    [InlineData("/../../outside")]
    [InlineData("link/up")]
    [InlineData("dir-link/outside")]
    [InlineData("proc-link")]
    public void NoPathAndNoLinkLeadsOut(string path)
    {
        using var root = new TestRoot();
        root.Link("link/up", "../../outside");
        root.Link("dir-link", "..");
        root.Link("proc-link", "/proc/self/root/etc/passwd");
        Assert.Null(root.Root.ReadFile(path));
        Assert.Null(root.Root.Target(path));
    }

    [Fact]
    public void AnAbsoluteLinkIsAbsoluteInTheRoot()
    {
        using var root = new TestRoot(("etc/real", "inside"), ("a/b/c", "x"));
        root.Link("etc/link", "/etc/real");
        root.Link("a/deep", "/../../../etc/link");
        Assert.Equal("inside"u8.ToArray(), root.Root.ReadFile("/a/deep"));
        Assert.Equal("/etc/real", root.Root.ReadLink("etc/link"));
        Assert.Equal(RootFileType.SymbolicLink, root.Root.Status("/etc/link")!.Value.Type);
        Assert.Equal(RootFileType.File, root.Root.Target("/etc/link")!.Value.Type);
    }

    [Fact]
    public void WhatIsNotThereIsNullAndWhatIsNoFileIsNotRead()
    {
        using var root = new TestRoot(("dir/file", "x"));
        root.Link("loop", "loop");
        root.Link("dangling", "nowhere");
        Assert.Null(root.Root.Status("nothing"));
        Assert.Null(root.Root.Status("dir/file/below"));
        Assert.Null(root.Root.Status("nul\0nul"));
        Assert.Null(root.Root.Status(new string('x', 5000)));
        Assert.NotNull(root.Root.Status("loop"));
        Assert.Null(root.Root.Target("loop"));
        Assert.Null(root.Root.Target("dangling"));
        Assert.Null(root.Root.ReadFile("dir"));
        Assert.Null(root.Root.ReadLink("dir/file"));
        Assert.Empty(root.Root.List("dir/file"));
        Assert.Equal(["file"], root.Root.List("/dir/"));
    }

    [Fact]
    public void APipeIsNotOpened()
    {
        using var root = new TestRoot();
        using (var make = System.Diagnostics.Process.Start("mkfifo", Path.Combine(root.Path, "pipe")))
            make.WaitForExit();
        Assert.Equal(RootFileType.Fifo, root.Root.Status("pipe")!.Value.Type);
        Assert.Null(root.Root.OpenFile("pipe"));
    }

    [Fact]
    public void AWalkSeesEveryFileOnceAndFollowsNoLink()
    {
        using var root = new TestRoot(("b/two", "22"), ("b/one", "1"), ("a", ""), ("b.txt", ""));
        root.Link("link", "b");
        Assert.Equal(["a", "b", "b/one", "b/two", "b.txt", "link"], root.Root.Walk().Select(f => f.Path));
        Assert.Equal(2, root.Root.Walk().Single(f => f.Path == "b/two").Status.Size);
    }

    [Fact]
    public void ANameThatIsNoTextIsSeenAndCanBeAskedFor()
    {
        using var root = new TestRoot();
        using (var make = System.Diagnostics.Process.Start("sh", ["-c", $"printf hi > \"{root.Path}/$(printf 'a\\377b')\""]))
            make.WaitForExit();
        var file = Assert.Single(root.Root.Walk());
        Assert.Equal("a\uDCFFb", file.Path);
        Assert.Equal("hi", Encoding.UTF8.GetString(root.Root.ReadFile(file.Path)!));
    }

    [Theory]
    [InlineData("", 0, 0, "")]
    [InlineData("web", 1000, 100, "44,200")]
    [InlineData("1000", 1000, 100, "44,200")]
    [InlineData("web:media", 1000, 44, "")]
    [InlineData("web:7", 1000, 7, "")]
    [InlineData("7", 7, 0, "")]
    [InlineData("7:8", 7, 8, "")]
    [InlineData("root", 0, 0, "")]
    [InlineData("first", 5, 6, "")]
    public void AUserIsResolvedAsTheRuntimeDoes(string user, long userId, long groupId, string further)
    {
        var identity = Accounts().Resolve(user, out _)!;
        Assert.Equal((userId, groupId, further),
            ((long)identity.UserId, (long)identity.GroupId, string.Join(',', identity.FurtherGroupIds)));
    }

    [Theory]
    [InlineData("nobody-here")]
    [InlineData("web:nogroup-here")]
    [InlineData("-1")]
    [InlineData("4294967296")]
    [InlineData("1000x")]
    public void AUserThatIsNoneIsNotResolved(string user) => Assert.Null(Accounts().Resolve(user, out _));

    private static Ingot.Oci.Images.Accounts Accounts()
    {
        using var root = new TestRoot(
            ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n\n# comment\nbroken:line\nweb:x:1000:100:,,,:/home/web:/bin/false\n"
                + "first:x:5:6::/:\nfirst:x:9:9::/:\nbad:x:abc:1::/:\n"),
            ("etc/group", "root:x:0:\nusers:x:100:web\nmedia:x:44:other,web\naudio:x:200:web\nbroken\n"));
        return root.Root.ReadAccounts();
    }
}
