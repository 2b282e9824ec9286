using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using Ingot.Oci.Linux;

namespace Ingot.Oci.Tests.Linux;

/// <summary>The numbers of the kernel's interface, held by a compiler against the kernel's own headers,
/// for each processor of the table.</summary>
public sealed class KernelHeadersTests
{
    private const string Includes = """
        #include <asm/errno.h>
        #include <linux/fcntl.h>
        #include <linux/stat.h>
        #include <linux/openat2.h>
        #include <linux/fs.h>
        #include <linux/netlink.h>
        #include <linux/sched.h>
        #include <linux/uio.h>
        #include <linux/wait.h>
        #include <asm/signal.h>
        #include <asm/statfs.h>
        #include <asm/socket.h>
        #include <asm/unistd.h>
        """;

    // What the C library adds, the same on every processor.
    private static readonly Dictionary<string, string> s_ofLibrary = new()
    {
        [nameof(Kernel.MNT_DETACH)] = "sys/mount.h",
        [nameof(Kernel.POSIX_SPAWN_SETSIGDEF)] = "spawn.h",
        [nameof(Kernel.POSIX_SPAWN_SETSIGMASK)] = "spawn.h",
        [nameof(Kernel.POSIX_SPAWN_SETSID)] = "spawn.h",
        [nameof(Kernel.AF_NETLINK)] = "sys/socket.h",
        [nameof(Kernel.SOCK_RAW)] = "sys/socket.h",
        [nameof(Kernel.SOCK_CLOEXEC)] = "sys/socket.h",
    };

    // Younger than some headers it is compiled with.
    private static readonly string[] s_young = [nameof(Kernel.RWF_DONTCACHE)];

    public static TheoryData<Architecture> Architectures => [.. LinuxAbi.All.Select(row => row.Architecture)];

    [Theory]
    [MemberData(nameof(Architectures))]
    public async Task EveryNumberIsTheKernels(Architecture architecture)
    {
        var claims = Constants().Where(c => !s_ofLibrary.ContainsKey(c.Name))
            .Concat(OfTable(LinuxAbi.Of(architecture))).Concat(Layouts()).ToList();
        Assert.True(claims.Count > 50, "the table has far fewer numbers than the kernel's interface needs");

        Assert.Equal("", await CompileAsync(architecture, Includes, claims));
    }

    [Fact]
    public async Task EveryNumberOfTheLibraryIsIts()
    {
        Assert.SkipUnless(File.Exists("/usr/include/stdio.h"), "the headers of the C library are not installed: apt-get install libc6-dev");
        var claims = Constants().Where(c => s_ofLibrary.ContainsKey(c.Name)).ToList();
        string includes = string.Concat(s_ofLibrary.Values.Distinct().Select(header => $"#include <{header}>\n"));

        Assert.Equal("", await RunAsync(["-D_GNU_SOURCE"], includes, claims));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public async Task AWrongNumberIsNoticed(Architecture architecture)
    {
        var right = LinuxAbi.Of(architecture);
        var wrong = LinuxAbi.Of(architecture == Architecture.X64 ? Architecture.Arm64 : Architecture.X64);

        foreach (var (name, value) in OfTable(wrong).Except(OfTable(right)))
            Assert.Contains($"{name} is not", await CompileAsync(architecture, Includes, [(name, value)]), StringComparison.Ordinal);
        Assert.Contains("EINTR is not", await CompileAsync(architecture, Includes, [("EINTR", "5")]), StringComparison.Ordinal);
    }

    [Fact]
    public void AnUnknownProcessorIsNotGuessedAt() => Assert.Throws<PlatformNotSupportedException>(() => LinuxAbi.Of(Architecture.S390x));

    [Fact]
    public void NoNumberIsLeftOutOfTheStructures()
    {
        Assert.Equal(s_statX.Count, Fields(typeof(StatX)).Count);
        Assert.Equal(2, Fields(typeof(StatXTime)).Count);
        Assert.Equal(3, Fields(typeof(OpenHow)).Count);
    }

    private static readonly Dictionary<string, string> s_statX = new()
    {
        ["_links"] = "stx_nlink",
        ["_user"] = "stx_uid",
        ["_group"] = "stx_gid",
        ["_mode"] = "stx_mode",
        ["_inode"] = "stx_ino",
        ["_size"] = "stx_size",
        ["_blocks"] = "stx_blocks",
        ["_changed"] = "stx_ctime",
        ["_modified"] = "stx_mtime",
        ["_fileDeviceMajor"] = "stx_rdev_major",
        ["_fileDeviceMinor"] = "stx_rdev_minor",
        ["_deviceMajor"] = "stx_dev_major",
        ["_deviceMinor"] = "stx_dev_minor",
    };

    private static readonly Dictionary<string, string> s_time = new() { ["_seconds"] = "tv_sec", ["_nanoseconds"] = "tv_nsec" };

    private static readonly Dictionary<string, string> s_openHow = new()
    {
        ["_flags"] = "flags",
        ["_mode"] = "mode",
        ["_resolve"] = "resolve",
    };

    private static IEnumerable<(string Name, string Value)> Constants() => typeof(Kernel)
        .GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (field.Name.Replace("SYS_", "__NR_", StringComparison.Ordinal),
            Text(field.GetRawConstantValue() ?? ((nuint)field.GetValue(null)!).ToString(CultureInfo.InvariantCulture))));

    private static IEnumerable<(string Name, string Value)> OfTable(LinuxAbi row) => typeof(LinuxAbi)
        .GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .Where(property => property.PropertyType == typeof(int))
        .Select(property => (property.Name.Replace("SYS_", "__NR_", StringComparison.Ordinal), Text(property.GetValue(row)!)));

    private static IEnumerable<(string Name, string Value)> Layouts() =>
    [
        .. LayoutOf(typeof(StatX), "statx", s_statX), .. LayoutOf(typeof(StatXTime), "statx_timestamp", s_time), .. LayoutOf(
            typeof(OpenHow), "open_how", s_openHow),
        ("__builtin_offsetof(struct iovec, iov_base)", Text(Marshal.OffsetOf<IoVector>("<Start>k__BackingField"))),
        ("__builtin_offsetof(struct iovec, iov_len)", Text(Marshal.OffsetOf<IoVector>("<Length>k__BackingField"))),
        ("sizeof(struct iovec)", Text(Marshal.SizeOf<IoVector>())),
        ("__builtin_offsetof(struct statfs, f_type)", "0"), ("sizeof(((struct statfs *)0)->f_type)", "8"), (
            "sizeof(struct statfs) <= 256", "1"),
    ];

    private static IEnumerable<(string Name, string Value)> LayoutOf(Type type, string name, Dictionary<string, string> names) => Fields(
        type)
        .SelectMany(field => new[]
        {
            ($"__builtin_offsetof(struct {name}, {names[field.Name]})", Text(field.GetCustomAttribute<FieldOffsetAttribute>()!.Value)),
            ($"sizeof(((struct {name} *)0)->{names[field.Name]})", Text(Marshal.SizeOf(field.FieldType))),
        })
        .Append(($"sizeof(struct {name})", Text(Marshal.SizeOf(type))));

    private static List<FieldInfo> Fields(Type type) => [.. type.GetFields(BindingFlags.NonPublic | BindingFlags.Instance)];

    private static string Text(object value) => Convert.ToString(value, CultureInfo.InvariantCulture)!;

    private static Task<string> CompileAsync(Architecture architecture, string includes, IReadOnlyList<(string Name, string Value)> claims)
    {
        bool isHost = RuntimeInformation.ProcessArchitecture == architecture;
        (string triplet, string package, string macro) = architecture == Architecture.X64
            ? ("x86_64-linux-gnu", "linux-libc-dev-amd64-cross", "__x86_64__")
            : ("aarch64-linux-gnu", "linux-libc-dev-arm64-cross", "__aarch64__");
        string[] directories = isHost ? [$"/usr/include/{triplet}", "/usr/include"] : [$"/usr/{triplet}/include"];
        string sample = Path.Combine(isHost ? "/usr/include" : directories[0], "linux/openat2.h");
        Assert.SkipUnless(File.Exists(sample),
            $"the kernel's headers for {architecture} are not installed: apt-get install {(isHost ? "linux-libc-dev" : package)}");
        return RunAsync(
            ["-nostdinc", "-U__x86_64__", "-U__i386__", "-U__aarch64__", $"-D{macro}=1", .. directories.Select(d => "-isystem" + d)],
            includes,
            claims);
    }

    // What the compiler says of the claims that are not so; nothing when all are.
    private static async Task<string> RunAsync(
        IReadOnlyList<string> options, string includes, IReadOnlyList<(string Name, string Value)> claims)
    {
        Assert.SkipUnless(File.Exists("/usr/bin/gcc"), "gcc is not installed: apt-get install gcc");
        var source = new StringBuilder(includes).Append('\n');
        foreach (var (name, value) in claims)
            source.Append(Claim(name, value));
        var start = new ProcessStartInfo("gcc", [.. options, "-fsyntax-only", "-x", "c", "-"])
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
        };
        start.Environment["LC_ALL"] = "C.UTF-8";
        using var gcc = Process.Start(start)!;
        var errors = gcc.StandardError.ReadToEndAsync();
        await gcc.StandardInput.WriteAsync(source.ToString());
        gcc.StandardInput.Close();
        await gcc.WaitForExitAsync();
        return await errors;
    }

    private static string Claim(string name, string value)
    {
        string claim = $"_Static_assert(({name}) == ({value}), \"{name} is not {value}\");\n";
        return s_young.Contains(name) ? $"#ifdef {name}\n{claim}#endif\n" : claim;
    }
}
