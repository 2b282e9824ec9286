using System.Runtime.InteropServices;

namespace Ingot.Oci.Linux;

/// <summary>How a path is opened and resolved: <c>struct open_how</c>
/// (<see href="https://man7.org/linux/man-pages/man2/openat2.2.html">openat2</see>, Linux 5.6).</summary>
[StructLayout(LayoutKind.Explicit, Size = Bytes)]
public readonly struct OpenHow(int flags, ulong resolve)
{
    internal const int Bytes = 24;

    [FieldOffset(0)]
    private readonly ulong _flags = (ulong)(flags | Kernel.O_CLOEXEC);

    [FieldOffset(8)]
    private readonly ulong _mode;

    [FieldOffset(16)]
    private readonly ulong _resolve = resolve;

    /// <summary>The <c>O_…</c>, always with <c>O_CLOEXEC</c>.</summary>
    public ulong Flags => _flags;

    /// <summary>The mode of a new file: always none, because nothing is made so.</summary>
    public ulong Mode => _mode;

    /// <summary>The <c>RESOLVE_…</c> of <see cref="Kernel"/>.</summary>
    public ulong Resolve => _resolve;
}
