using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Tar;
using Ingot.SystemTests.Shop;
using Ingot.Testing;

namespace Ingot.SystemTests.Builds;

/// <summary>What normalisation rules do to images, seen with the programs that check files.</summary>
public sealed class RuleTests : IDisposable
{
    // Something for a rule of each kind, made by the step itself; and what the next step sees of it.
    private const string Leftovers = """
        RUN mkdir -p /var/log/apt /etc/ssh /root/.npm/_logs /var/lib/dpkg /made/CMakeFiles && echo a > /var/log/apt/history.log && echo k > /etc/ssh/ssh_host_rsa_key \
         && echo id > /etc/machine-id && echo x > /root/.npm/_logs/1-debug-0.log && echo old > /var/lib/dpkg/status-old && echo try > /made/CMakeFiles/CMakeOutput.log \
         && echo 'web:!:99999::::::' > /etc/shadow && cat /bin/notes > /made/kept && busybox chmod 4751 /made/kept && busybox ln /made/kept /made/twin \
         && busybox tar cf /made/a.tar /bin/notes /var/log && busybox tar czf /made/b.tar.gz /bin/notes && busybox gzip -c /bin/notes > /made/c.gz && busybox touch /made
        """;

    private const string Look = "RUN busybox find / -xdev -type f ! -path '/proc/*' ! -path '/sys/*' ! -path '/dev/*' ! -path /etc/hosts ! "
        + "-path /etc/resolv.conf ! -path /seen | busybox sort"
        + " | while read f; do busybox sha256sum \"$f\"; busybox stat -c '%a %u %g %s %Y' \"$f\"; done";

    private readonly TemporaryDirectory _directory = new();
    private readonly IngotProgram _ingot;

    public RuleTests() => _ingot = new IngotProgram(_directory.At("home"), server: null);

    private BusyboxProject Project => new(_directory.At("project"));

    public void Dispose()
    {
        // Snapshots have modes of their own.
        using var remove = System.Diagnostics.Process.Start("rm", ["-rf", _directory.At("home"), _directory.At("project")]);
        remove.WaitForExit();
        _directory.Dispose();
    }

    [Fact]
    public async Task WhatWasFetchedStillHasItsChecksumInTheNextStep()
    {
        byte[] jar = Jar(new DateTimeOffset(2026, 1, 2, 3, 4, 6, TimeSpan.Zero)), gzip = [.. Gzip(1_767_323_046), 1];
        await Project.WriteAsync($"""
            RUN cat /fetched/app.jar > /app.jar && cat /fetched/app.jar > /app.zip && cat /fetched/data.gz > /data.gz
            RUN echo '{Hex(jar)}  /app.jar' | busybox sha256sum -c && echo '{Hex(jar)}  /app.zip' | busybox sha256sum -c && echo '{Hex(gzip)}  /data.gz' | busybox sha256sum -c
            """);
        Directory.CreateDirectory(Project.At("root/fetched"));
        await File.WriteAllBytesAsync(Project.At("root/fetched/app.jar"), jar);
        await File.WriteAllBytesAsync(Project.At("root/fetched/data.gz"), gzip);
        await BuildAsync();
    }

    // The cache is older than the file, and the file older than the step.
    [Fact]
    public async Task WhatWasFetchedStillHasItsChecksumBesideACache()
    {
        await Project.WriteAsync("RUN --mount=type=cache,target=/c echo kept > /c/kept\n");
        await BuildAsync();
        await Task.Delay(TimeSpan.FromSeconds(4), TestContext.Current.CancellationToken);
        byte[] jar = Jar(DateTimeOffset.UtcNow), gzip = [.. Gzip((uint)DateTimeOffset.UtcNow.ToUnixTimeSeconds()), 1];
        Directory.CreateDirectory(Project.At("root/fetched"));
        await File.WriteAllBytesAsync(Project.At("root/fetched/app.jar"), jar);
        await File.WriteAllBytesAsync(Project.At("root/fetched/data.gz"), gzip);
        await Task.Delay(TimeSpan.FromSeconds(6), TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Project.At("Dockerfile"), """
            FROM scratch
            COPY root/ /
            RUN --mount=type=cache,target=/c cat /c/kept && cat /fetched/app.jar > /app.jar && cat /fetched/data.gz > /data.gz
            RUN busybox sha256sum /app.jar /data.gz > /seen
            """);
        await BuildAsync();
        Assert.Equal($"{Hex(jar)}  /app.jar\n{Hex(gzip)}  /data.gz\n", await SeenAsync());
    }

    [Fact]
    public async Task WhatAStepMadeAndRecordedStillHasItsChecksumInTheNextStepAndTheBuildSaysWhy()
    {
        await Project.WriteAsync("""
            RUN busybox tar czf /a.tar.gz /bin/notes /etc && busybox tar cf /b.tar /bin/notes /etc && busybox sha256sum /a.tar.gz > /SHA256SUMS && busybox md5sum /b.tar > /b.tar.md5
            RUN busybox sha256sum -c /SHA256SUMS && busybox md5sum -c /b.tar.md5
            """);
        Directory.CreateDirectory(Project.At("root/etc"));
        string said = await BuildAsync();
        Assert.Contains(
            "the rule 'tar-gzip-times@4' did not touch what something has a checksum or a signature of: /a.tar.gz (of /SHA256SUMS)",
            said,
            StringComparison.Ordinal);
        Assert.Contains("the rule 'tar-times@4' did not touch what something has a checksum or a signature of: /b.tar (of /b.tar.md5)",
            said, StringComparison.Ordinal);
    }

    // The first step makes a file of which it says that it is from the time of the second.
    [Fact]
    public async Task AChecksumInALayerBelowCountsToo()
    {
        await Project.WriteAsync("""
            RUN t=$(( $(date +%s) + 6 )) && busybox printf "\037\213\010\000$(for i in 0 8 16 24; do busybox printf '\\%03o' $(( (t >> i) & 255 )); done)\002\003\003\000" > /x.bin \
             && echo "$(busybox sha256sum /x.bin | busybox cut -c1-64)  /x.gz" > /SHA256SUMS
            RUN sleep 9 && cat /x.bin > /x.gz
            RUN busybox sha256sum -c /SHA256SUMS
            """);
        Assert.Contains("did not touch what something has a checksum or a signature of: /x.gz (of /SHA256SUMS)", await BuildAsync(),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatARuleTakesAwayIsSaidWithTheRuleAndTheFiles()
    {
        await Project.WriteAsync(Leftovers);
        string said = await BuildAsync();
        Assert.Contains("the rule 'ssh-host-keys@1' left out /etc/ssh/ssh_host_rsa_key\n", said, StringComparison.Ordinal);
        Assert.Contains("the rule 'machine-id@1' emptied /etc/machine-id\n", said, StringComparison.Ordinal);
        Assert.Contains("the rule 'apt-logs@1' left out /var/log/apt/history.log\n", said, StringComparison.Ordinal);
        Assert.Contains("the rule 'npm-logs@2' left out /root/.npm/_logs/1-debug-0.log\n", said, StringComparison.Ordinal);
        Assert.Contains("the rule 'cmake-logs@1' left out /made/CMakeFiles/CMakeOutput.log\n", said, StringComparison.Ordinal);
        Assert.DoesNotContain("shadow-last-change", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ALaterStepSeesWhatTheImageHoldsWhetherItsLayersWereJustMadeOrCameFromTheCache()
    {
        await Project.WriteAsync($"{Leftovers}\n{Look} > /seen");
        await BuildAsync();
        string fresh = await SeenAsync();
        Assert.Contains("/made/b.tar.gz", fresh, StringComparison.Ordinal);
        Assert.DoesNotContain("ssh_host", fresh, StringComparison.Ordinal);
        Assert.Equal(await HeldAsync(), fresh);

        // The layers are there, and what was mounted for commands is not: it is made of the layers.
        Directory.Delete(_directory.At("home/cache/snapshots"), recursive: true);
        await File.WriteAllTextAsync(Project.At("Dockerfile"),
            (await File.ReadAllTextAsync(Project.At("Dockerfile"))).Replace("> /seen", "> /seen ", StringComparison.Ordinal)
                + "RUN true\n");
        await BuildAsync();
        Assert.Equal(fresh, await SeenAsync());
    }

    [Fact]
    public async Task ArchivesThatAStepMadeAreTheSameAgain()
    {
        await Project.WriteAsync("RUN sleep 1 && mkdir /in && date > /in/kept && cat /bin/notes > /in/kept && busybox tar czf /a.tar.gz "
            + "/in && busybox tar cf /b.tar /in && busybox cp /a.tar.gz /c.tgz");
        await BuildAsync();
        await _ingot.ExpectAsync(0, "-C", Project.Directory, "reproduce", "app");
    }

    [Fact]
    public async Task AFileOfAWebServerThatChangedAndLooksAsBeforeIsAWarningUnlessItIsDatedByTheCommit()
    {
        await Project.WriteAsync("COPY www /usr/share/nginx/html");
        Directory.CreateDirectory(Project.At("www"));
        await WriteServedAsync("one");
        Assert.DoesNotContain("serves files", await BuildAsync(), StringComparison.Ordinal);
        await WriteServedAsync("two");
        Assert.Contains(
            "'app' serves files that changed but look the same, with equal size and time: /usr/share/nginx/html/app.js. Web servers",
            await BuildAsync(),
            StringComparison.Ordinal);
        await WriteServedAsync("three");
        Assert.DoesNotContain("serves files", await BuildAsync(), StringComparison.Ordinal);

        await File.AppendAllTextAsync(Project.At("ingot.yaml"), "epoch: commit\n");
        await Project.GitAsync("init", "-q");
        await WriteServedAsync("four");
        await Project.CommitAsync("four", "1700000000");
        await BuildAsync();
        await WriteServedAsync("five");
        await Project.CommitAsync("five", "1700000100");
        Assert.DoesNotContain("serves files", await BuildAsync(), StringComparison.Ordinal);
    }

    private Task WriteServedAsync(string text) => File.WriteAllTextAsync(Project.At("www/app.js"), $"let version = '{text}'\n");

    private async Task<string> BuildAsync() => (await _ingot.ExpectAsync(0, "-C", Project.Directory, "build", "app")).Output;

    private async Task<Image> ImageAsync()
    {
        var shown = await _ingot.ExpectAsync(0, "-C", Project.Directory, "-o", "json", "build", "app");
        string digest = JsonDocument.Parse(shown.Output).RootElement.GetProperty("images")[0].GetProperty("digest").GetString()!;
        return await Image.LoadAsync(new DirectoryStore(_directory.At("home/content")), Digest.Parse(digest));
    }

    private async Task<string> SeenAsync()
    {
        var image = await ImageAsync();
        var store = new DirectoryStore(_directory.At("home/content"));
        int layer = image.Manifest.Layers.Count - 1;
        await using var tar = await Ingot.Oci.Layers.LayerBlob.OpenAsync(store, image.Manifest.Layers[layer],
            image.Config.RootFs.DiffIds[layer]);
        using var reader = new TarReader(tar);
        while (await reader.NextAsync() is { } entry)
        {
            if (entry.Path == "seen")
                return await new StreamReader(reader.Content).ReadToEndAsync();
        }

        throw new InvalidOperationException("the layer has no file 'seen'");
    }

    // What the image holds, in the words of the look into it.
    private async Task<string> HeldAsync()
    {
        var tree = await MergedTree.ReadAsync(new DirectoryStore(_directory.At("home/content")), await ImageAsync());
        var files = tree.Walk()
            .Where(f => f.File.Record.Type is TarEntryType.File or TarEntryType.HardLink && f.Path != "seen")
            .ToDictionary(f => f.Path, f => f.File.Record);
        var lines = files.OrderBy(f => "/" + f.Key, StringComparer.Ordinal).Select(pair =>
        {
            var (path, f) = pair;
            var file = f.Type == TarEntryType.HardLink ? files[f.LinkTarget!] : f;
            return $"{f.Digest!.ToString()!.Split(':')[1]}  /{path}\n{Convert.ToString(file.Mode, 8)} {file.UserId} {file.GroupId} "
                + $"{f.Size} {file.ModifiedTime.ToUnixTimeSeconds()}\n";
        });
        return string.Concat(lines);
    }

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private static byte[] Gzip(uint time) => [0x1F, 0x8B, 8, 0, .. BitConverter.GetBytes(time), 2, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0];

    private static byte[] Jar(DateTimeOffset time)
    {
        var bytes = new MemoryStream();
        using (var archive = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            var entry = archive.CreateEntry("META-INF/MANIFEST.MF");
            entry.LastWriteTime = time;
            using var writer = new StreamWriter(entry.Open());
            writer.Write("Manifest-Version: 1.0\r\n");
        }

        return bytes.ToArray();
    }
}
