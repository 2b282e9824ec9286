using System.Text;
using System.Text.Json.Nodes;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layers;
using Ingot.Oci.Layers.Compression;
using Ingot.Oci.Layouts;
using Ingot.Oci.Tar;
using Ingot.Tools;

namespace Ingot.Corpus;

/// <summary>Makes the images that cases start with, for every builder the same bytes, because no registry is asked.</summary>
public static class BaseImages
{
    /// <summary>One static program with a shell and its tools, accounts, and files of every kind.</summary>
    public const string Busybox = "corpus/busybox:1";

    /// <summary>The same with triggers, a user and a working directory in its configuration.</summary>
    public const string Onbuild = "corpus/onbuild:1";

    /// <summary>Debian with a compiler and an interpreter.</summary>
    public const string Debian = "corpus/debian:1";

    private const string Path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    private const int Program = 0b111_101_101;
    private const int Plain = 0b110_100_100;
    private const int Web = 1000;

    private static readonly DateTimeOffset s_time = DateTimeOffset.FromUnixTimeSeconds(1_000_000_000);

    // The tools that cases use; /bin/busybox has more.
    private static readonly string[] s_tools =
    [
        "sh", "ash", "awk", "basename", "cat", "chgrp", "chmod", "chown", "cmp", "cp", "cut", "date", "dd", "dirname", "echo", "env",
        "expr", "false", "find", "grep", "gunzip", "gzip", "head",
        "hostname", "httpd", "id", "install", "ln", "ls", "mkdir", "mkfifo", "mknod", "mktemp", "mv", "nc", "od", "printf", "pwd",
        "readlink", "rm", "rmdir", "sed", "seq", "sha256sum",
        "sleep", "sort", "stat", "tail", "tar", "tee", "test", "touch", "tr", "true", "truncate", "tty",
        "uname", "uniq", "wc", "whoami", "xargs",
    ];

    // Nobody reads them in a test.
    private static readonly string[] s_leftOut = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*"];

    private static readonly string[] s_directories =
        ["bin", "data", "data/dir", "dev", "etc", "home", "opt", "opt/release-1", "proc", "run", "sys", "usr", "usr/bin", "usr/share",
            "usr/share/hard", "var", "var/lib"];

    private static readonly (string Name, int Mode, string Text)[] s_files =
    [
        ("data/a", Plain, "a of the base\n"),
        ("data/b", Plain, "b of the base\n"),
        ("data/dir/x", Plain, "x of the base\n"),
        ("data/dir/y", 0b110_000_000, "y of the base\n"),
        ("etc/passwd", Plain, "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/:/bin/false\nweb:x:1000:1000:web:/home/web:/bin/sh\n"
            + "cook:x:1001:100:cook:/home/cook:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
        ("etc/group", Plain,
            "root:x:0:\ndaemon:x:1:\nmedia:x:44:web,cook\nusers:x:100:\nweb:x:1000:\nkitchen:x:2000:cook,web\nnogroup:x:65534:\n"),
        ("opt/release-1/app", Program, "#!/bin/sh\necho release 1\n"),
        ("usr/bin/as-root", 0b100_111_101_101, "#!/bin/sh\nid -u\n"),
        ("usr/share/hard/one", Plain, "one file with three names\n"),
    ];

    /// <summary>Makes the bases of busybox in <paramref name="layout"/>;
    /// <paramref name="program"/> is a busybox linked statically.</summary>
    public static async Task MakeAsync(OciLayout layout, string program, CancellationToken cancellationToken = default)
    {
        await using var lower = await LayerWriter.BeginAsync(layout.Store, LayerCompression.Gzip, cancellationToken);
        foreach (var (entry, content) in await LowerAsync(program, cancellationToken))
            await lower.WriteAsync(entry, content, cancellationToken);
        await using var upper = await LayerWriter.BeginAsync(layout.Store, LayerCompression.Gzip, cancellationToken);
        foreach (var (entry, content) in Upper())
            await upper.WriteAsync(entry, content, cancellationToken);

        Layer[] layers = [await lower.FinishAsync(cancellationToken), await upper.FinishAsync(cancellationToken)];
        var config = new JsonObject { ["Env"] = new JsonArray(Path), ["Cmd"] = new JsonArray("sh") };
        await NameAsync(layout, Busybox, layers, config, cancellationToken);
        await NameAsync(layout, Onbuild, layers, OnbuildConfig(), cancellationToken);
    }

    /// <summary>Makes the archive of Debian's root; needs root and Debian's packages.</summary>
    public static Task BootstrapAsync(string archive, CancellationToken cancellationToken = default) => CommandRunner.RunAsync(
        new Command("mmdebstrap", ["--quiet", "--mode=root", "--variant=minbase", "--format=tar", "--skip=output/dev",
            "--include=gcc,libc6-dev,make,python3-minimal,git", .. s_leftOut.Select(p => $"--dpkgopt=path-exclude={p}"),
            "bookworm", archive]),
        cancellationToken);

    /// <summary>Makes the base of Debian from an archive of its root.</summary>
    public static async Task MakeDebianAsync(OciLayout layout, string archive, CancellationToken cancellationToken = default)
    {
        await using var layer = await LayerWriter.BeginAsync(layout.Store, LayerCompression.None, cancellationToken);
        await layer.WriteAsync(Entry("dev", TarEntryType.Directory, Program).Entry, cancellationToken);
        using var reader = new TarReader(File.OpenRead(archive));
        while (await reader.NextAsync(cancellationToken) is { } entry)
        {
            // Devices are the container runtime's.
            if (entry.Path != "dev" && !entry.Path.StartsWith("dev/", StringComparison.Ordinal))
                await layer.WriteAsync(entry, reader.Content, cancellationToken);
        }

        var config = new JsonObject { ["Env"] = new JsonArray(Path), ["Cmd"] = new JsonArray("bash") };
        await NameAsync(layout, Debian, [await layer.FinishAsync(cancellationToken)], config, cancellationToken);
    }

    /// <summary>The bases that are in a layout, with their files.</summary>
    public static async Task<IReadOnlyList<BaseImage>> ReadAsync(OciLayout layout, CancellationToken cancellationToken = default)
    {
        var bases = new List<BaseImage>();
        foreach (var (name, descriptor) in await layout.NamesAsync(cancellationToken))
        {
            var image = await Image.LoadAsync(layout.Store, descriptor.Digest, cancellationToken: cancellationToken);
            var tree = await ImageTree.ReadAsync(layout.Store, image, image.Manifest.Layers.Count, cancellationToken);
            bases.Add(new BaseImage(name, descriptor.Digest, image.Config.RootFs.DiffIds, image.Config.History.Count, tree));
        }

        return bases;
    }

    private static async Task<List<(TarEntry Entry, byte[] Content)>> LowerAsync(string program, CancellationToken cancellationToken)
    {
        var entries = new List<(TarEntry, byte[])>();
        foreach (string directory in s_directories)
            entries.Add(Entry(directory, TarEntryType.Directory, Program));
        entries.Add(Entry("bin/busybox", TarEntryType.File, Program, await File.ReadAllBytesAsync(program, cancellationToken)));
        foreach (string tool in s_tools)
            entries.Add(Link($"bin/{tool}", "busybox"));
        foreach (var (name, mode, text) in s_files)
            entries.Add(Entry(name, TarEntryType.File, mode, Encoding.UTF8.GetBytes(text)));
        entries.Add(Entry("home/web", TarEntryType.Directory, 0b111_101_000, owner: Web));
        entries.Add(Entry("home/web/.profile", TarEntryType.File, Plain, "umask 022\n"u8.ToArray(), Web));
        entries.Add(Entry("root", TarEntryType.Directory, 0b111_000_000));
        entries.Add(Entry("tmp", TarEntryType.Directory, 0b001_111_111_111));
        entries.Add(Entry("etc/removed-again", TarEntryType.File, Plain, "gone in the next layer\n"u8.ToArray()));
        return entries;
    }

    private static IEnumerable<(TarEntry Entry, byte[] Content)> Upper()
    {
        // cap_net_bind_service=ep, revision 2.
        byte[] capability = Convert.FromHexString("0100000200040000000000000000000000000000");
        yield return Entry("etc/.wh.removed-again", TarEntryType.File, Plain, []);
        yield return Link("opt/current", "release-1");
        yield return Link("var/run", "/run");
        yield return Link("lib64", "usr/share");
        yield return Entry("usr/share/hard/two", TarEntryType.File, Plain, "two\n"u8.ToArray());
        yield return HardLink("usr/share/hard/three", "usr/share/hard/two");
        var (capable, content) = Entry("usr/bin/capable", TarEntryType.File, Program, "#!/bin/sh\necho capable\n"u8.ToArray());
        yield return (capable with { ExtendedAttributes = new(StringComparer.Ordinal) { ["security.capability"] = capability } }, content);
    }

    private static (TarEntry Entry, byte[] Content) Entry(
        string path, TarEntryType type, int mode, byte[]? content = null, int owner = 0) =>
        (new TarEntry
        {
            Path = path,
            Type = type,
            Mode = mode,
            UserId = owner,
            GroupId = owner,
            Size = content?.Length ?? 0,
            ModifiedTime = s_time,
        }, content ?? []);

    private static (TarEntry Entry, byte[] Content) Link(string path, string target)
    {
        var (entry, content) = Entry(path, TarEntryType.SymbolicLink, 0x1FF);
        return (entry with { LinkTarget = target }, content);
    }

    private static (TarEntry Entry, byte[] Content) HardLink(string path, string target)
    {
        var (entry, content) = Entry(path, TarEntryType.HardLink, Plain);
        return (entry with { LinkTarget = target }, content);
    }

    private static JsonObject OnbuildConfig() => new()
    {
        ["Env"] = new JsonArray(Path, "BASE=onbuild"),
        ["Cmd"] = new JsonArray("sh"),
        ["User"] = "root:media",
        ["WorkingDir"] = "/srv/app",
        ["Labels"] = new JsonObject { ["kept"] = "yes" },
        ["ExposedPorts"] = new JsonObject { ["80/tcp"] = new JsonObject() },
        ["Volumes"] = new JsonObject { ["/var/base"] = new JsonObject() },
        ["StopSignal"] = "SIGINT",
        ["OnBuild"] = new JsonArray("ARG TRIGGERED=by-default", "COPY trigger.txt ./", "RUN echo \"$TRIGGERED in $PWD\" > triggered",
            "ENV TRIGGERED_BY=base"),
    };

    private static async Task NameAsync(
        OciLayout layout, string name, IReadOnlyList<Layer> layers, JsonObject config, CancellationToken cancellationToken)
    {
        const string Created = "2001-09-09T01:46:40Z";
        var document = new JsonObject
        {
            ["created"] = Created,
            ["architecture"] = Platform.Host.Architecture,
            ["os"] = Platform.Host.Os,
            ["config"] = config,
            ["rootfs"] = new JsonObject
            {
                ["type"] = "layers",
                ["diff_ids"] = new JsonArray([.. layers.Select(l => JsonValue.Create(l.DiffId.ToString()))]),
            },
            ["history"] =
                new JsonArray([.. layers.Select((_, i) => new JsonObject { ["created"] = Created, ["created_by"] = $"base {i}" })]),
        };
        var configBlob = await layout.Store.PutAsync(MediaType.Config, Encoding.UTF8.GetBytes(document.ToJsonString()), cancellationToken);
        var manifest = new Manifest { Config = configBlob, Layers = [.. layers.Select(l => l.Blob!)] };
        var descriptor = await layout.Store.PutAsync(MediaType.Manifest, ImageJson.Write(manifest), cancellationToken);
        // The annotation by which Docker loads images.
        SortedDictionary<string, string> annotations = new(StringComparer.Ordinal) { ["io.containerd.image.name"] = "docker.io/" + name };
        await layout.SetAsync(name, descriptor with { Annotations = annotations }, cancellationToken);
    }
}
