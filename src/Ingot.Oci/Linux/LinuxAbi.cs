using System.Runtime.InteropServices;

namespace Ingot.Oci.Linux;

#pragma warning disable SA1310, CA1707, CS1591, SA1313 // the kernel's own names

/// <summary>What of the kernel's interface differs from processor to processor, and what differs on others than these.</summary>
/// <param name="Architecture">The processor.</param>
/// <param name="O_DIRECTORY">Open a directory only.</param>
/// <param name="O_NOFOLLOW">Do not follow a last link.</param>
/// <param name="SYS_openat2">The number of the system call.</param>
/// <remarks><see href="https://man7.org/linux/man-pages/man2/syscalls.2.html">System calls</see>; a test holds each row against the
/// kernel's headers for that processor.</remarks>
public sealed record LinuxAbi(Architecture Architecture, int O_DIRECTORY, int O_NOFOLLOW, int SYS_openat2)
{
    /// <summary>A row a processor.</summary>
    public static IReadOnlyList<LinuxAbi> All { get; } =
    [
        new(Architecture.X64, O_DIRECTORY: 0x10000, O_NOFOLLOW: 0x20000, SYS_openat2: 437),
        new(Architecture.Arm64, O_DIRECTORY: 0x4000, O_NOFOLLOW: 0x8000, SYS_openat2: 437),
    ];

    /// <summary>The row of the processor this process is for.</summary>
    public static LinuxAbi Host { get; } = Of(RuntimeInformation.ProcessArchitecture);

    /// <summary>The row of a processor; one that is not in the table throws <see cref="PlatformNotSupportedException"/>, because a guess
    /// could open the wrong thing.</summary>
    public static LinuxAbi Of(Architecture architecture) => All.FirstOrDefault(row => row.Architecture == architecture)
        ?? throw new PlatformNotSupportedException($"the kernel's numbers for '{architecture}' are not known: "
            + $"Ingot runs on {string.Join(" and ", All.Select(row => row.Architecture))}");
}
