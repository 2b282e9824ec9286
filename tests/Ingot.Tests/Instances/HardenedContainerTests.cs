using System.Text.Json;
using Ingot.Instances;
using Ingot.Oci.Content;
using Ingot.Releases;
using Ingot.Templates.Project;
using Ingot.Tools;

namespace Ingot.Tests.Instances;

public sealed class HardenedContainerTests
{
    private const string Home = "0123456789ab";

    private static readonly ServiceKey s_key = new("shop", "web", "production");

    [Fact]
    public void AnInstanceRunsItsDigestWithNothingItDoesNotNeed()
    {
        var spec = HardenedContainer.Spec(Home, s_key, Generation(), 1, Image("65532:65532"), "network-id");
        var host = spec.HostConfig;

        Assert.Equal("127.0.0.1:7070/shop/web@" + Digest.Of("image"u8), spec.Image);
        Assert.Equal((true, false, "private", "network-id"), (host.ReadonlyRootfs, host.Privileged, host.IpcMode, host.NetworkMode));
        Assert.Equal(["ALL"], host.CapDrop);
        Assert.Equal("no-new-privileges:true", host.SecurityOpt[0]);
        Assert.StartsWith("seccomp={", host.SecurityOpt[1], StringComparison.Ordinal);
        Assert.Equal((64L << 20, 64L << 20, 500_000_000L, 64L), (host.Memory, host.MemorySwap, host.NanoCpus, host.PidsLimit));
        Assert.Equal(("on-failure", 3), (host.RestartPolicy.Name, host.RestartPolicy.MaximumRetryCount));
        Assert.Equal(["A=1", "B=2"], spec.Env);
    }

    [Theory]
    [InlineData("65532:65532", "uid=65532,gid=65532,mode=0700")]
    [InlineData("65532", "uid=65532,gid=0,mode=0700")]
    [InlineData("", "uid=0,gid=0,mode=0700")]
    [InlineData(null, "uid=0,gid=0,mode=0700")]
    [InlineData("web", "mode=1777")]
    [InlineData("65532:web", "mode=1777")]
    [InlineData("65532,size=9g", "mode=1777")]
    public void OnlyTheImagesUserMayWriteWhereTheNumberIsKnown(string? user, string owner)
    {
        var tmpfs = HardenedContainer.Spec(Home, s_key, Generation(), 0, Image(user), "network-id").HostConfig.Tmpfs;

        Assert.Equal($"rw,noexec,nosuid,nodev,size=1048576,{owner}", Assert.Single(tmpfs).Value);
    }

    [Fact]
    public void NamesAndLabelsTellEverythingNeededToFindAnInstanceAgain()
    {
        Assert.Equal("ingot-shop.web.production-g7-1-012345", HardenedContainer.Name(Home, s_key, 7, 1));
        Assert.Equal("ingot-shop.production-012345", HardenedContainer.Network(Home, s_key));
        var labels = InstanceLabels.Of(Home, s_key, Generation(), 1, "sha256:id");
        Assert.Equal("digest generation home image index port project service spec stage version",
            string.Join(' ', labels.Keys.Select(key => key.Replace("io.ingot.", "", StringComparison.Ordinal))));
        Assert.Equal(("7", "1", "8080"), (labels[InstanceLabels.Generation], labels[InstanceLabels.Index], labels[InstanceLabels.Port]));
        Assert.Equal(["io.ingot.home=0123456789ab", "io.ingot.project=shop", "io.ingot.service=web", "io.ingot.stage=production"],
            InstanceLabels.Filter(Home, s_key));
    }

    [Fact]
    public void ServicesWhoseNamesOnlyDifferInWhereADashStandsShareNoName() => Assert.NotEqual(
        HardenedContainer.Name(Home, new ServiceKey("shop", "web-api", "test"), 1, 0),
        HardenedContainer.Name(Home, new ServiceKey("shop-web", "api", "test"), 1, 0));

    [Fact]
    public void EverySettingOfAnInstanceChangesItsSpecDigest()
    {
        var generation = Generation();
        Generation[] others =
        [
            generation with { Digest = Digest.Of("other"u8) },
            generation with { Port = 81 },
            generation with { Config = new Dictionary<string, string> { ["A"] = "1", ["B"] = "3" } },
            generation with { Config = new Dictionary<string, string> { ["A"] = "1 B 2" } },
            generation with { Writable = new Dictionary<string, long>() },
            generation with { Limits = generation.Limits with { Memory = 1 } },
            generation with { Limits = generation.Limits with { Cpus = 2 } },
            generation with { Limits = generation.Limits with { Pids = 1 } },
        ];

        Assert.Equal(others.Length + 1, others.Append(generation).Select(g => g.SpecDigest).Distinct().Count());
        Assert.Equal(generation.SpecDigest, (generation with
        {
            Number = 9,
            Version = "other",
            Config = new Dictionary<string, string> { ["B"] = "2", ["A"] = "1" },
        }).SpecDigest);
    }

    [Fact]
    public void TheSystemCallProfileAllowsByNameAndDeniesTheRest()
    {
        using var profile = JsonDocument.Parse(SeccompProfile.Json);
        var allowed = profile.RootElement.GetProperty("syscalls").EnumerateArray()
            .Where(rule => rule.GetProperty("action").GetString() == "SCMP_ACT_ALLOW" && !rule.TryGetProperty("args", out _))
            .SelectMany(rule => rule.GetProperty("names").EnumerateArray().Select(name => name.GetString()!))
            .ToArray();

        Assert.Equal("SCMP_ACT_ERRNO", profile.RootElement.GetProperty("defaultAction").GetString());
        Assert.Equal(allowed.Length, allowed.Distinct().Count());
        string[] denied = ["mount", "umount2", "unshare", "setns", "clone", "clone3", "socket", "ptrace", "process_vm_readv",
            "process_vm_writev", "keyctl", "add_key", "request_key", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup",
            "init_module", "finit_module", "kexec_load", "reboot", "chroot", "pivot_root", "open_by_handle_at", "name_to_handle_at",
            "swapon", "settimeofday", "clock_settime", "iopl", "ioperm", "modify_ldt", "personality", "acct", "quotactl", "fsopen",
            "fsmount", "move_mount", "open_tree", "pidfd_getfd"];
        Assert.Empty(denied.Intersect(allowed));
        string[] needed = ["read", "write", "openat", "execve", "futex", "mmap", "epoll_wait", "accept4", "rseq", "getrandom",
            "clock_nanosleep", "wait4", "exit_group", "rt_sigreturn", "sendfile", "statx", "prlimit64", "arch_prctl"];
        Assert.Empty(needed.Except(allowed));
    }

    [Fact]
    public void HomesShareNoName()
    {
        Assert.NotEqual(HardenedContainer.Name(Home, s_key, 1, 0), HardenedContainer.Name("ba9876543210", s_key, 1, 0));
        Assert.NotEqual(HardenedContainer.Network(Home, s_key), HardenedContainer.Network("ba9876543210", s_key));
    }

    [Theory]
    [InlineData("shop", "staging")]
    [InlineData("shop-production", "x")]
    [InlineData("sho", "p-production")]
    public void StagesShareNoNetwork(string project, string stage) =>
        Assert.NotEqual(HardenedContainer.Network(Home, s_key), HardenedContainer.Network(Home, new ServiceKey(project, "web", stage)));

    [Fact]
    public void ServicesOfAStageShareOne() =>
        Assert.Equal(HardenedContainer.Network(Home, s_key), HardenedContainer.Network(Home, s_key with { Service = "api" }));

    private static DockerImage Image(string? user) => new("sha256:id", [], new DockerImageConfig(user));

    private static Generation Generation() => new()
    {
        Number = 7,
        Repository = "127.0.0.1:7070/shop/web",
        Digest = Digest.Of("image"u8),
        Version = "1.2.3",
        Replicas = 2,
        Port = 8080,
        Config = new Dictionary<string, string> { ["B"] = "2", ["A"] = "1" },
        Writable = new Dictionary<string, long> { ["/data"] = 1 << 20 },
        Limits = new LimitsDefinition { Memory = 64 << 20, Cpus = 0.5, Pids = 64 },
    };
}
