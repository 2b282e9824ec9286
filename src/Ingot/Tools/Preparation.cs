using System.Net;

namespace Ingot.Tools;

/// <summary>Something that a tethered program finds, and nobody else: made by this process, in mounts that the kernel takes away with the
/// program. As data; <see cref="Tether"/> makes it. Paths are relative to the directory of the program, or absolute.</summary>
public abstract record Preparation;

/// <summary>An image of a layer, mounted for reading.</summary>
/// <param name="Image">The image, a file.</param>
/// <param name="Devices">The files that hold its contents, in the image's order.</param>
/// <param name="Target">The mount point.</param>
public sealed record ImageMount(string Image, IReadOnlyList<string> Devices, string Target) : Preparation;

/// <summary>Directories mounted over one another. The kernel takes at most a page of options: paths are better relative.</summary>
/// <param name="Lower">The lower directories, uppermost first, at least one.</param>
/// <param name="Upper">Where changes go; null for a mount that cannot be written (which needs two lower directories).</param>
/// <param name="Work">The kernel's own directory on the filesystem of <paramref name="Upper"/>; null without one.</param>
/// <param name="Target">The mount point.</param>
public sealed record OverlayMount(IReadOnlyList<string> Lower, string? Upper, string? Work, string Target) : Preparation;

/// <summary>A filesystem in memory that only root can enter.</summary>
/// <param name="Target">The mount point.</param>
/// <param name="Bytes">How large it may become.</param>
public sealed record MemoryMount(string Target, long Bytes) : Preparation;

/// <summary>A new file, which may be a secret: it belongs into a <see cref="MemoryMount"/>.</summary>
/// <param name="Path">The file.</param>
/// <param name="Content">What it holds.</param>
/// <param name="Mode">Its permissions.</param>
/// <param name="UserId">Its owner.</param>
/// <param name="GroupId">Its group.</param>
public sealed record NewFile(string Path, ReadOnlyMemory<byte> Content, int Mode, uint UserId = 0, uint GroupId = 0) : Preparation;

/// <summary>A socket through which an SSH agent is lent.</summary>
/// <param name="Agent">Who lends it, and ends that.</param>
/// <param name="Path">The socket: relative, for a path of a socket may have 107 bytes.</param>
/// <param name="Mode">Its permissions.</param>
/// <param name="UserId">Its owner.</param>
/// <param name="GroupId">Its group.</param>
public sealed record AgentSocket(SshAgentProxy Agent, string Path, int Mode, uint UserId, uint GroupId) : Preparation;

/// <summary>A network of the program's own, which a process without privileges carries through the host's sockets (<see cref="Slirp"/>). A
/// file is its namespace.</summary>
/// <param name="Target">The file, which is made.</param>
/// <param name="Closed">Networks that it must not reach. The program must be able to change neither routes nor to send past them, as with
/// <c>CAP_NET_ADMIN</c> and <c>CAP_NET_RAW</c>.</param>
public sealed record CarriedNetwork(string Target, IReadOnlyList<IPNetwork> Closed) : Preparation;
