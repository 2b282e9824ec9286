using System.Diagnostics;
using Ingot.Builds.Cache;
using Ingot.Builds.Files;
using Ingot.Builds.Running;
using Ingot.Oci.Content;
using Ingot.Plans;

namespace Ingot.Tests.Builds.Running;

public sealed class RememberedBuildTests : IDisposable
{
    private static readonly Digest s_key = Digest.Of("key"u8);

    private readonly string _directory = Directory.CreateTempSubdirectory("ingot-remembered-").FullName;
    private readonly Clock _time = new();

    public RememberedBuildTests()
    {
        Directory.CreateDirectory(Path.Combine(Cache, "stamps"));
        foreach (string name in (string[])["ingot.yaml", "context/a", "context/d/b", "context/left-out", "index", "blob"])
        {
            Directory.CreateDirectory(Path.GetDirectoryName(At(name))!);
            File.WriteAllText(At(name), name);
        }

        File.WriteAllText(At("context/.dockerignore"), "left-out\n");
        Thread.Sleep(80);
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void WhileNothingChangesItIsKnownWhatWasSaid()
    {
        Keep();
        Assert.Equal(["one", "two"], Find());
        File.WriteAllText(At("elsewhere"), "");
        File.WriteAllText(At("context/left-out"), "not part of it");
        Assert.Equal(["one", "two"], Find());
        Assert.Null(RememberedBuild.Find(Cache, Digest.Of("another"u8), _time));
    }

    [Theory]
    [InlineData("echo more >> ingot.yaml")]
    [InlineData("cp -p ingot.yaml x; mv x ingot.yaml")]
    [InlineData("rm ingot.yaml")]
    [InlineData("touch Dockerfile.dockerignore")]
    [InlineData("rm blob")]
    [InlineData("touch index")]
    [InlineData("echo more >> context/a")]
    [InlineData("chmod 755 context/a")]
    [InlineData("rm context/d/b")]
    [InlineData("mkdir context/d/e")]
    [InlineData("touch context/new")]
    [InlineData("mv context/d context/e")]
    [InlineData("ln -sf d/b context/a")]
    [InlineData("rm -r context")]
    [InlineData("echo >> context/.dockerignore")]
    [InlineData("rm context/.dockerignore")]
    [InlineData("touch -r context/a x; printf CONTEXT/A > context/a; touch -r x context/a")]
    public void WhateverChangesIsNoticed(string script)
    {
        Keep();
        Assert.NotNull(Find());
        Shell(script);
        Assert.Null(Find());
    }

    [Fact]
    public void ItIsForgottenAfterAnHourAndWhenTheClockWasSetBack()
    {
        Keep();
        _time.Now += TimeSpan.FromMinutes(59);
        Assert.NotNull(Find());
        _time.Now += TimeSpan.FromMinutes(2);
        Assert.Null(Find());
        _time.Now -= TimeSpan.FromHours(2);
        Assert.Null(Find());
    }

    [Fact]
    public void AFileThatMayHaveChangedWhileItWasBuiltIsNotRemembered()
    {
        long began = RememberedBuild.Now(Cache);
        var looks = Looks();
        Thread.Sleep(20);
        File.AppendAllText(At("ingot.yaml"), "x");
        Keep(began, looks);
        Assert.Null(Find());
        Keep(began: 0, looks);
        Assert.Null(Find());
        // One that is replaced as a whole may.
        Thread.Sleep(80);
        began = RememberedBuild.Now(Cache);
        File.AppendAllText(At("index"), "x");
        Keep(began, looks);
        Assert.NotNull(Find());
    }

    // What had not reached the disk by then may be there in name only.
    [Fact]
    public void ItIsForgottenWhenTheMachineStartsAgain()
    {
        Keep();
        string file = Assert.Single(Directory.GetFiles(Path.Combine(Cache, "unchanged")));
        byte[] bytes = File.ReadAllBytes(file);
        int at = bytes.AsSpan().IndexOf(System.Text.Encoding.ASCII.GetBytes(CacheDurability.Boot));
        Assert.True(at > 0);
        bytes[at] ^= 1;
        File.WriteAllBytes(file, bytes);
        Assert.Null(Find());
        bytes[at] ^= 1;
        File.WriteAllBytes(file, bytes);
        Assert.NotNull(Find());
    }

    [Fact]
    public void ADamagedMemoryIsNone()
    {
        Keep();
        string file = Assert.Single(Directory.GetFiles(Path.Combine(Cache, "unchanged")));
        byte[] bytes = File.ReadAllBytes(file);
        for (int length = 0; length < bytes.Length; length++)
        {
            File.WriteAllBytes(file, bytes[..length]);
            Assert.Null(Find());
        }

        var random = new Random(5);
        for (int i = 0; i < 300; i++)
        {
            byte[] damaged = [.. bytes];
            damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(file, damaged);
            _ = Find();
        }

        File.WriteAllBytes(file, bytes);
        Assert.NotNull(Find());
    }

    [Fact]
    public void WithoutACacheNothingIsRemembered()
    {
        string none = At("none");
        Assert.Equal(0, RememberedBuild.Now(none));
        Assert.Null(RememberedBuild.Find(none, s_key, _time));
        Assert.False(Directory.Exists(none));
    }

    private string Cache => At("cache");

    private string At(string name) => Path.Combine(_directory, name);

    private IReadOnlyList<string>? Find() => RememberedBuild.Find(Cache, s_key, _time);

    private IReadOnlyList<ContextLook> Looks()
    {
        string ignore = At("context/.dockerignore");
        using var files = new ContextFiles(new TreeSource.Context(At("context"), "context", ignore), Tree.Epoch,
            Path.Combine(Cache, "stamps"));
        return [new ContextLook(At("context"), ignore, ["a", "d"], files.StampOf(["a", "d"])!.Value),
            new ContextLook(At("context"), ignore, [""], files.StampOf([""])!.Value)];
    }

    private void Keep() => Keep(RememberedBuild.Now(Cache), Looks());

    private void Keep(long began, IReadOnlyList<ContextLook> looks) => new RememberedBuild
    {
        Said = ["one", "two"],
        Files = [At("ingot.yaml"), At("Dockerfile.dockerignore"), At("context/.dockerignore")],
        Replaced = [At("index")],
        Needed = [At("blob"), At("context")],
        Looks = looks,
    }.Keep(Cache, s_key, _time, began);

    private void Shell(string script)
    {
        using var process = Process.Start(new ProcessStartInfo("sh", ["-ec", script]) { WorkingDirectory = _directory })!;
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.UnixEpoch.AddYears(50);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
