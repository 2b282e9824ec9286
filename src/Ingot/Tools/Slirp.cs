namespace Ingot.Tools;

/// <summary>slirp4netns: a network of a container's own, carried by an ordinary process through the host's sockets. It changes nothing on the host, and is gone with the process.</summary>
/// <remarks>The process that carries the packets has no privileges and sees no files but those that name resolvers: packets may be hostile. The host's loopback is not reachable through it. Names are resolved by <see cref="Resolver"/>, which asks whom the host asks, also when that listens on the host's loopback only.</remarks>
public static class Slirp
{
    /// <summary>The resolver's address in such a network.</summary>
    public const string Resolver = "10.0.2.3";

    /// <summary>The file, in the directory of the commands, that is the network namespace.</summary>
    public const string Namespace = "network";

    private const string Program = "slirp4netns";
    private const string Ready = "network-ready";
    private const string Said = "network-log";
    private const string Device = "/dev/net/tun";

    /// <summary>Why it cannot be used on this host, as a sentence; null when it can.</summary>
    public static string? Obstacle()
    {
        if (Prerequisites.Missing().Any(p => p.Needs == Program))
            return $"'{Program}' is not installed: install it with 'apt-get install {Prerequisites.PackageOf(Program)}'";
        return File.Exists(Device) ? null : $"the kernel's '{Device}' is missing: load it with 'modprobe tun'";
    }

    /// <summary>Begins to make a network namespace and to carry its packets, and does not wait. To be run in a mount namespace of one's own.</summary>
    // The pipe is opened first: whatever fails after that closes it, and whoever waits sees the end.
    public static Command Begin() => new(
        "sh", "-c",
        $"umask 077 && : > {Namespace} && mkfifo {Ready} && {{ ( unshare --net={Namespace} true && exec {Program} --netns-type=path --configure --mtu=65520 --disable-host-loopback --enable-sandbox --enable-seccomp --ready-fd=3 {Namespace} tap0 ) 3> {Ready} > {Said} 2>&1 & }}");

    /// <summary>Waits until the network is there; fails with what was said when it will not be.</summary>
    public static Command Await() => new("sh", "-c", $"[ \"$(cat {Ready})\" = 1 ] || {{ cat {Said} >&2; echo 'the network of the container could not be made' >&2; exit 1; }}");
}
