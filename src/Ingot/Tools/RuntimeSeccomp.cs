using System.Runtime.InteropServices;
using System.Text.Json.Serialization;

namespace Ingot.Tools;

/// <summary>Which system calls a container may make
/// (<see href="https://github.com/opencontainers/runtime-spec/blob/v1.0.2/config-linux.md#seccomp">seccomp</see>).</summary>
public sealed record RuntimeSeccomp
{
    private const string Refuse = "SCMP_ACT_ERRNO";
    private const uint NotPermitted = 1;
    private const uint NoSuchCall = 38;
    private const ulong NewUserNamespace = 0x10000000;

    /// <summary>What happens to calls that no rule names.</summary>
    [JsonPropertyName("defaultAction")]
    public string DefaultAction { get; init; } = "SCMP_ACT_ALLOW";

    /// <summary>The kinds of programs the rules are for: those of the machine, its 32-bit ones included. Others are killed.</summary>
    [JsonPropertyName("architectures")]
    public IReadOnlyList<string> Architectures { get; init; } =
        RuntimeInformation.ProcessArchitecture == Architecture.Arm64
            ? ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
            : ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"];

    /// <summary>The rules.</summary>
    [JsonPropertyName("syscalls")]
    public IReadOnlyList<RuntimeSeccompRule> Rules { get; init; } = [];

    /// <summary>For commands of strangers that build things: everything but what reaches past the container — kernel keys, which have no
    /// namespace, new user namespaces, which would give back the capabilities that were taken, mounting, and what is for the machine's
    /// administrator or for debuggers of the kernel.</summary>
    public static RuntimeSeccomp Build { get; } = new()
    {
        Rules =
        [
            new(
                [
                    "add_key", "keyctl", "request_key", "mount", "umount", "umount2", "pivot_root", "move_mount", "open_tree",
                    "open_tree_attr", "fsopen", "fsconfig", "fsmount", "fspick",
                    "mount_setattr", "setns", "unshare", "bpf", "perf_event_open", "userfaultfd", "open_by_handle_at", "init_module",
                    "finit_module", "delete_module", "kexec_load",
                    "kexec_file_load", "reboot", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "syslog", "settimeofday",
                    "clock_settime", "clock_settime64", "clock_adjtime",
                    "clock_adjtime64", "adjtimex", "stime", "iopl", "ioperm", "vhangup", "lookup_dcookie", "nfsservctl", "io_uring_setup",
                    "io_uring_enter", "io_uring_register",
                ],
                Refuse, NotPermitted),
            new(["clone"], Refuse, NotPermitted) { Arguments = [new(0, NewUserNamespace, NewUserNamespace, "SCMP_CMP_MASKED_EQ")] },
            // Its flags are in memory, where a filter cannot look; programs then use clone.
            new(["clone3"], Refuse, NoSuchCall),
        ],
    };
}

/// <summary>What happens to some system calls.</summary>
/// <param name="Names">The calls.</param>
/// <param name="Action">What happens, such as <c>SCMP_ACT_ERRNO</c>.</param>
/// <param name="Error">The number of the error that they then return.</param>
public sealed record RuntimeSeccompRule(
    [property: JsonPropertyName("names")] IReadOnlyList<string> Names,
    [property: JsonPropertyName("action")] string Action,
    [property: JsonPropertyName("errnoRet")] uint Error)
{
    /// <summary>What must hold of the arguments; null for nothing.</summary>
    [JsonPropertyName("args")]
    public IReadOnlyList<RuntimeSeccompArgument>? Arguments { get; init; }
}

/// <summary>What must hold of an argument.</summary>
/// <param name="Index">Which, from 0.</param>
/// <param name="Value">The mask, for a masked comparison.</param>
/// <param name="SecondValue">What the masked argument must be.</param>
/// <param name="Operator">How they are compared, such as <c>SCMP_CMP_MASKED_EQ</c>.</param>
public sealed record RuntimeSeccompArgument(
    [property: JsonPropertyName("index")] uint Index,
    [property: JsonPropertyName("value")] ulong Value,
    [property: JsonPropertyName("valueTwo")] ulong SecondValue,
    [property: JsonPropertyName("op")] string Operator);
