using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ingot.Tools;

/// <summary>The <c>config.json</c> of an OCI runtime bundle
/// (<see href="https://github.com/opencontainers/runtime-spec/blob/v1.0.2/config.md">runtime configuration</see>).</summary>
/// <remarks>Rlimits are only lowered: raising one above the hard limit of the caller makes the runtime refuse to start.</remarks>
public sealed record RuntimeSpec
{
    /// <summary>The version of the specification.</summary>
    [JsonPropertyName("ociVersion")]
    public string OciVersion { get; init; } = "1.0.2";

    /// <summary>The process that is the container.</summary>
    [JsonPropertyName("process")]
    public required RuntimeProcess Process { get; init; }

    /// <summary>The root filesystem.</summary>
    [JsonPropertyName("root")]
    public required RuntimeRoot Root { get; init; }

    /// <summary>The name the container sees as its host's; needs a namespace of its own for names.</summary>
    [JsonPropertyName("hostname")]
    public string? Hostname { get; init; }

    /// <summary>What is mounted, in order.</summary>
    [JsonPropertyName("mounts")]
    public IReadOnlyList<RuntimeMount> Mounts { get; init; } = [];

    /// <summary>What is particular to Linux.</summary>
    [JsonPropertyName("linux")]
    public RuntimeLinux Linux { get; init; } = new();

    /// <summary>A container as people expect one: its own processes, mounts, IPC and host name, the usual <c>/proc</c>, <c>/dev</c> and
    /// read-only <c>/sys</c>, the kernel's dangerous files masked, Docker's default capabilities. It gets a network of its own (only a
    /// loopback) unless <paramref name="hostNetwork"/>.</summary>
    /// <param name="rootDirectory">The root filesystem, absolute or relative to the bundle.</param>
    /// <param name="process">What runs in it.</param>
    /// <param name="hostNetwork">Whether it uses the host's network.</param>
    public static RuntimeSpec Container(string rootDirectory, RuntimeProcess process, bool hostNetwork) =>
        Container(rootDirectory, process, hostNetwork ? [] : [new RuntimeNamespace("network")]);

    /// <summary>A container as people expect one, as <see cref="Container(string, RuntimeProcess, bool)"/>.</summary>
    /// <param name="rootDirectory">The root filesystem, absolute or relative to the bundle.</param>
    /// <param name="process">What runs in it.</param>
    /// <param name="network">Its network namespace, a new one or one to join; empty for that of the caller.</param>
    public static RuntimeSpec Container(string rootDirectory, RuntimeProcess process, IReadOnlyList<RuntimeNamespace> network) => new()
    {
        Process = process,
        Root = new RuntimeRoot(rootDirectory, Readonly: false),
        Hostname = "ingot",
        Mounts = RuntimeMount.Usual,
        Linux = new RuntimeLinux
        {
            Namespaces =
            [
                new("pid"), new("ipc"), new("uts"), new("mount"), new("cgroup"), .. network,
            ],
        },
    };

    /// <summary>The same with all privileges that this process has: every capability, every device, nothing masked,
    /// no system call refused.</summary>
    public RuntimeSpec Privileged() => this with
    {
        Process = Process with { Capabilities = RuntimeCapabilities.All },
        Mounts = [.. Mounts.Select(m => m.Type == "sysfs" ? m with { Options = ["nosuid", "noexec", "nodev"] } : m)],
        Linux = Linux with
        {
            MaskedPaths = [],
            ReadonlyPaths = [],
            Seccomp = null,
            Resources = Linux.Resources with { Devices = [new RuntimeDeviceRule(Allow: true, Access: "rwm")] },
        },
    };

    /// <summary>The document.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, RuntimeSpecContext.Written.RuntimeSpec);
}

/// <summary>The process of a container.</summary>
public sealed record RuntimeProcess
{
    /// <summary>The program and its arguments; the program is searched in the <c>PATH</c> of <see cref="Environment"/>.</summary>
    [JsonPropertyName("args")]
    public required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>The environment as <c>NAME=value</c>; nothing else is inherited.</summary>
    [JsonPropertyName("env")]
    public required IReadOnlyList<string> Environment { get; init; }

    /// <summary>The working directory, absolute; it must exist.</summary>
    [JsonPropertyName("cwd")]
    public string Directory { get; init; } = "/";

    /// <summary>Who it runs as.</summary>
    [JsonPropertyName("user")]
    public RuntimeUser User { get; init; } = new();

    /// <summary>Whether it has a terminal.</summary>
    [JsonPropertyName("terminal")]
    public bool Terminal { get; init; }

    /// <summary>What it may do.</summary>
    [JsonPropertyName("capabilities")]
    public RuntimeCapabilities Capabilities { get; init; } = RuntimeCapabilities.Default;

    /// <summary>What it may use of single things; null for what the caller may.</summary>
    [JsonPropertyName("rlimits")]
    public IReadOnlyList<RuntimeLimit>? Limits { get; init; }

    /// <summary>Whether programs with the set-user-id bit gain nothing by it.</summary>
    [JsonPropertyName("noNewPrivileges")]
    public bool NoNewPrivileges { get; init; }

    /// <summary>The <c>process.json</c> that <c>runc exec</c> takes.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, RuntimeSpecContext.Written.RuntimeProcess);
}

/// <summary>A resource limit of a process (<see href="https://man7.org/linux/man-pages/man2/getrlimit.2.html">getrlimit</see>). None may be
/// above what the caller has.</summary>
/// <param name="Type">Which, such as <c>RLIMIT_CORE</c>.</param>
/// <param name="Soft">The limit.</param>
/// <param name="Hard">What it may be raised to.</param>
public sealed record RuntimeLimit(
    [property: JsonPropertyName("type")] string Type,
    [property: JsonPropertyName("soft")] ulong Soft,
    [property: JsonPropertyName("hard")] ulong Hard)
{
    /// <summary>No limit.</summary>
    public const ulong Unlimited = ulong.MaxValue;
}

/// <summary>Numeric ids; the runtime reads no <c>/etc/passwd</c>.</summary>
public sealed record RuntimeUser
{
    /// <summary>The user.</summary>
    [JsonPropertyName("uid")]
    public uint UserId { get; init; }

    /// <summary>The group.</summary>
    [JsonPropertyName("gid")]
    public uint GroupId { get; init; }

    /// <summary>What new files do not get of the mode that a program asks for: 022, whatever the caller's is.</summary>
    [JsonPropertyName("umask")]
    public uint Mask { get; init; } = 0b010_010;

    /// <summary>Further groups; null for none.</summary>
    [JsonPropertyName("additionalGids")]
    public IReadOnlyList<uint>? AdditionalGroupIds { get; init; }
}

/// <summary>Sets of capabilities, each named as <c>CAP_CHOWN</c> is.</summary>
public sealed record RuntimeCapabilities
{
    // https://docs.docker.com/engine/containers/run/#runtime-privilege-and-linux-capabilities
    private static readonly string[] s_default =
    [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID",
        "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
    ];

    /// <summary>What can ever be gained.</summary>
    [JsonPropertyName("bounding")]
    public IReadOnlyList<string> Bounding { get; init; } = [];

    /// <summary>What holds now.</summary>
    [JsonPropertyName("effective")]
    public IReadOnlyList<string> Effective { get; init; } = [];

    /// <summary>What may be made to hold.</summary>
    [JsonPropertyName("permitted")]
    public IReadOnlyList<string> Permitted { get; init; } = [];

    // https://github.com/torvalds/linux/blob/v6.12/include/uapi/linux/capability.h: the place in the list is the bit.
    private static readonly string[] s_byNumber =
    [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
        "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE",
        "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE",
        "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
        "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME",
        "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE",
        "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
        "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ",
        "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
    ];

    /// <summary>All that this process has: giving what one has not makes the runtime refuse to start.</summary>
    public static RuntimeCapabilities All => Of([.. s_byNumber.Where((_, bit) => (OwnCapabilities() >> bit & 1) != 0)]);

    /// <summary>None at all.</summary>
    public static RuntimeCapabilities None { get; } = new();

    /// <summary>Those that Docker gives by default. A process that is not root starts with none of them in effect.</summary>
    // Neither inheritable nor ambient: a user other than root must not be handed what only root has (CVE-2022-24769).
    public static RuntimeCapabilities Default { get; } = Of(s_default);

    /// <summary>These without one.</summary>
    public RuntimeCapabilities Without(string name) => Of([.. Permitted.Where(n => n != name)]);

    private static RuntimeCapabilities Of(string[] names) => new() { Bounding = names, Effective = names, Permitted = names };

    private static ulong OwnCapabilities()
    {
        const string Permitted = "CapPrm:";
        string line = File.ReadLines("/proc/self/status").First(l => l.StartsWith(Permitted, StringComparison.Ordinal));
        return ulong.Parse(line[Permitted.Length..].Trim(), System.Globalization.NumberStyles.HexNumber,
            System.Globalization.CultureInfo.InvariantCulture);
    }
}

/// <summary>The root filesystem of a container.</summary>
public sealed record RuntimeRoot(
    [property: JsonPropertyName("path")] string Path,
    [property: JsonPropertyName("readonly")] bool Readonly);

/// <summary>Something mounted in a container.</summary>
public sealed record RuntimeMount
{
    /// <summary>Where, absolute in the container. A missing mount point is made by the runtime, in the root filesystem.</summary>
    [JsonPropertyName("destination")]
    public required string Destination { get; init; }

    /// <summary>The filesystem, or <c>bind</c>.</summary>
    [JsonPropertyName("type")]
    public required string Type { get; init; }

    /// <summary>What: a path of the host for a bind.</summary>
    [JsonPropertyName("source")]
    public required string Source { get; init; }

    /// <summary>The options; null for none.</summary>
    [JsonPropertyName("options")]
    public IReadOnlyList<string>? Options { get; init; }

    /// <summary><c>/proc</c>, <c>/dev</c> and below, and a read-only <c>/sys</c>.</summary>
    public static IReadOnlyList<RuntimeMount> Usual { get; } =
    [
        new() { Destination = "/proc", Type = "proc", Source = "proc", Options = ["nosuid", "noexec", "nodev"] },
        Tmpfs("/dev", 64 << 20, "nosuid", "strictatime", "mode=755"),
        new()
        {
            Destination = "/dev/pts",
            Type = "devpts",
            Source = "devpts",
            Options = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        },
        SharedMemoryOf(64 << 20),
        new() { Destination = "/dev/mqueue", Type = "mqueue", Source = "mqueue", Options = ["nosuid", "noexec", "nodev"] },
        new() { Destination = "/sys", Type = "sysfs", Source = "sysfs", Options = ["nosuid", "noexec", "nodev", "ro"] },
    ];

    /// <summary>Where programs share memory.</summary>
    public const string SharedMemory = "/dev/shm";

    /// <summary>Memory that programs share, of at most <paramref name="size"/> bytes.</summary>
    public static RuntimeMount SharedMemoryOf(long size) => Tmpfs(SharedMemory, size, "nosuid", "noexec", "nodev", "mode=1777");

    /// <summary>A file or directory of the host, without what is mounted below it.</summary>
    public static RuntimeMount BindAlone(string source, string destination, bool readOnly) => new()
    {
        Destination = destination,
        Type = "bind",
        Source = source,
        Options = ["bind", "rprivate", readOnly ? "ro" : "rw"],
    };

    /// <summary>A file or directory of the host, with all that is mounted below it.</summary>
    public static RuntimeMount Bind(string source, string destination, bool readOnly) => new()
    {
        Destination = destination,
        Type = "bind",
        Source = source,
        Options = ["rbind", "rprivate", readOnly ? "ro" : "rw"],
    };

    /// <summary>A filesystem in memory of at most <paramref name="size"/> bytes.</summary>
    public static RuntimeMount Tmpfs(string destination, long size, params IReadOnlyList<string> options) => new()
    {
        Destination = destination,
        Type = "tmpfs",
        Source = "tmpfs",
        Options = [.. options, string.Create(null, $"size={size >> 10}k")],
    };
}

/// <summary>What is particular to Linux in a container.</summary>
public sealed record RuntimeLinux
{
    /// <summary>The namespaces it has of its own.</summary>
    [JsonPropertyName("namespaces")]
    public IReadOnlyList<RuntimeNamespace> Namespaces { get; init; } = [];

    /// <summary>Where its control groups are, absolute below the controllers' roots; null for the runtime's choice.</summary>
    [JsonPropertyName("cgroupsPath")]
    public string? CgroupsPath { get; init; }

    /// <summary>Its limits.</summary>
    [JsonPropertyName("resources")]
    public RuntimeResources Resources { get; init; } = new();

    /// <summary>Which system calls it may make; null for all.</summary>
    [JsonPropertyName("seccomp")]
    public RuntimeSeccomp? Seccomp { get; init; }

    /// <summary>Kernel parameters of its namespaces; null for none.</summary>
    [JsonPropertyName("sysctl")]
    public IReadOnlyDictionary<string, string>? Sysctl { get; init; }

    /// <summary>Files and directories that appear empty.</summary>
    [JsonPropertyName("maskedPaths")]
    public IReadOnlyList<string> MaskedPaths { get; init; } =
    [
        "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
        "/proc/sched_debug", "/proc/scsi",
        "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
    ];

    /// <summary>What cannot be written.</summary>
    [JsonPropertyName("readonlyPaths")]
    public IReadOnlyList<string> ReadonlyPaths { get; init; } = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
}

/// <summary>A namespace a container has of its own.</summary>
/// <param name="Type"><c>pid</c>, <c>network</c>, <c>mount</c>, <c>ipc</c>, <c>uts</c>, <c>user</c> or <c>cgroup</c>.</param>
/// <param name="Path">A namespace to join; null for a new one.</param>
public sealed record RuntimeNamespace(
    [property: JsonPropertyName("type")] string Type,
    [property: JsonPropertyName("path")] string? Path = null);

/// <summary>What a container may use.</summary>
public sealed record RuntimeResources
{
    /// <summary>Which devices it may open: none but those every container has.</summary>
    [JsonPropertyName("devices")]
    public IReadOnlyList<RuntimeDeviceRule> Devices { get; init; } = [new(Allow: false, Access: "rwm")];

    /// <summary>Memory; null for no limit.</summary>
    [JsonPropertyName("memory")]
    public RuntimeMemory? Memory { get; init; }

    /// <summary>Processes; null for no limit.</summary>
    [JsonPropertyName("pids")]
    public RuntimePids? Pids { get; init; }

    /// <summary>Processors; null for all that the caller has.</summary>
    [JsonPropertyName("cpu")]
    public RuntimeProcessors? Processors { get; init; }
}

/// <summary>Processors by their numbers, as <c>0-3,8</c>.</summary>
public sealed record RuntimeProcessors([property: JsonPropertyName("cpus")] string Numbers);

/// <summary>Allows or forbids devices, all of them.</summary>
public sealed record RuntimeDeviceRule(
    [property: JsonPropertyName("allow")] bool Allow,
    [property: JsonPropertyName("access")] string Access);

/// <summary>A limit of memory in bytes.</summary>
public sealed record RuntimeMemory([property: JsonPropertyName("limit")] long Limit);

/// <summary>A limit of processes and threads.</summary>
public sealed record RuntimePids([property: JsonPropertyName("limit")] long Limit);

[JsonSerializable(typeof(RuntimeSpec))]
internal sealed partial class RuntimeSpecContext : JsonSerializerContext
{
    public static RuntimeSpecContext Written { get; } = new(new JsonSerializerOptions
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
    });
}
