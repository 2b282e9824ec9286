using System.Diagnostics;
using Ingot.Builds;
using Ingot.Oci.Content;
using Ingot.Oci.Layers.Compression;

namespace Ingot.SystemTests.Builds;

/// <summary>A context that is large enough to be read while it is copied, written from the layer before,
/// and mounted instead of unpacked.</summary>
public sealed class LargeContextTests(BuildFixture fixture) : IClassFixture<BuildFixture>
{
    private const string Dockerfile = """
        FROM base
        COPY files /opt/files
        COPY small /opt/small
        RUN cat /opt/files/d3/f33 | sha256sum > /sum && ls /opt/files | wc -l >> /sum && rm /opt/files/d1/f11 && echo more >> /opt/files/d2/f22 && stat -c '%a %u %Y' /opt /opt/files >> /sum
        """;

    [Fact]
    public async Task HoweverALayerIsMadeItIsTheSame()
    {
        Assert.SkipWhen(BuildFixture.Missing is not null, BuildFixture.Missing ?? "");
        string project = Directory.CreateTempSubdirectory("ingot-large-").FullName;
        try
        {
            Fill(project);
            var first = await BuildAsync(project, Cache("one"));
            var cached = await BuildAsync(project, Cache("one"));
            Assert.Equal(first, cached);

            // As large as before, and as old: only the kernel knows.
            string changed = Path.Combine(project, "files/d3/f33");
            var time = File.GetLastWriteTimeUtc(changed);
            byte[] bytes = File.ReadAllBytes(changed);
            bytes[1000] ^= 1;
            File.WriteAllBytes(changed, bytes);
            File.SetLastWriteTimeUtc(changed, time);
            File.Delete(Path.Combine(project, "files/d0/f10"));
            File.WriteAllText(Path.Combine(project, "files/d4/more"), "more");

            var patched = await BuildAsync(project, Cache("one"));
            Assert.NotEqual(first, patched);
            var anew = await BuildAsync(project, Cache("two"));
            Assert.Equal(anew, patched);

            // Written from one that was: its archive is parts of several files, and is mounted so.
            foreach (string name in (string[])["d5/f5", "d3/f33", "d9/f119", "d0/new"])
            {
                File.AppendAllText(Path.Combine(project, "files", name), "x");
                patched = await BuildAsync(project, Cache("one"));
            }

            Assert.NotEmpty(Directory.GetFiles(Path.Combine(Cache("one").CacheDirectory, "archives"), "*.parts"));
            Assert.Equal(await BuildAsync(project, Cache("three")), patched);
        }
        finally
        {
            Directory.Delete(project, recursive: true);
        }
    }

    [Fact]
    public async Task WhatACommandSeesOfAMountedLayerIsWhatItSeesOfAnUnpackedOne()
    {
        Assert.SkipWhen(BuildFixture.Missing is not null, BuildFixture.Missing ?? "");
        string project = Directory.CreateTempSubdirectory("ingot-large-").FullName;
        try
        {
            Fill(project);
            string packed = Cache("packed").CacheDirectory, unpacked = Cache("unpacked").CacheDirectory;
            var mounted = await BuildAsync(project, Cache("packed"));
            // What a host without the filesystem remembers of itself.
            string answer = File.ReadAllText(Path.Combine(packed, "mountable"));
            Assert.SkipUnless(answer.Contains("yes", StringComparison.Ordinal), $"this host mounts no images of layers: {answer}");
            await PrepareAsync(Cache("unpacked"));
            File.WriteAllText(Path.Combine(unpacked, "mountable"), answer.Replace("yes", "no", StringComparison.Ordinal));
            Assert.Equal(mounted, await BuildAsync(project, Cache("unpacked")));
            Assert.NotEmpty(Images(packed).Except(Images(Path.Combine(fixture.Home, "cache"))));
            Assert.Empty(Images(unpacked).Except(Images(Path.Combine(fixture.Home, "cache"))));
            Assert.DoesNotContain("erofs", await File.ReadAllTextAsync("/proc/self/mounts", TestContext.Current.CancellationToken),
                StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(project, recursive: true);
        }
    }

    private static IEnumerable<string?> Images(string cache) =>
        Directory.GetFiles(Path.Combine(cache, "archives"), "*.image").Select(Path.GetFileName);

    private static void Fill(string project)
    {
        var random = new Random(7);
        BuildFixture.Write(project, new Dictionary<string, string>
        {
            ["ingot.yaml"] = BuildFixture.Base.Replace("project: p\n", "project: large\n", StringComparison.Ordinal)
                + "  app: { dockerfile: Dockerfile }\n",
            ["Dockerfile"] = Dockerfile,
            ["small"] = "small",
        });
        for (int i = 0; i < 120; i++)
        {
            byte[] content = new byte[random.Next(150_000)];
            random.NextBytes(content.AsSpan(0, content.Length / 3));
            string path = Path.Combine(project, $"files/d{i % 10}/f{i}");
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, content);
        }

        File.WriteAllBytes(Path.Combine(project, "files/d3/f33"), new byte[5000]);
        // Until a change gets another time.
        Thread.Sleep(100);
    }

    private BuildSettings Cache(string name) => new()
    {
        Store = new DirectoryStore(Path.Combine(fixture.Directory, "large", name, "store")),
        CacheDirectory = Path.Combine(fixture.Directory, "large", name, "cache"),
        Codec = LayerCompression.Zstandard,
    };

    private async Task<Digest> BuildAsync(string project, BuildSettings settings)
    {
        await PrepareAsync(settings);
        var built = await fixture.BuildAtAsync(
            project,
            s => s with { Store = settings.Store, CacheDirectory = settings.CacheDirectory, WorkDirectory = null, Codec = settings.Codec },
            TestContext.Current.CancellationToken);
        return built.Image.Digest;
    }

    // The base is made once, as in the other tests.
    private async Task PrepareAsync(BuildSettings settings)
    {
        if (Directory.Exists(settings.CacheDirectory))
            return;

        Directory.CreateDirectory(settings.CacheDirectory);
        using var copy = Process.Start("cp", ["-a", Path.Combine(fixture.Home, "cache") + "/.", settings.CacheDirectory]);
        await copy.WaitForExitAsync();
    }
}
