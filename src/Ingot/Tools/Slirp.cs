using System.IO.Pipes;
using System.Net;

namespace Ingot.Tools;

/// <summary>slirp4netns: a network of a container's own, carried by an ordinary process through the host's sockets. It changes nothing on
/// the host, and is gone with the process.</summary>
/// <remarks>The process that carries the packets has no privileges and sees no files but those that name resolvers: packets may be hostile.
/// The host's loopback is not reachable through it. Names are resolved by <see cref="Resolver"/>, which asks whom the host asks, also when
/// that listens on the host's loopback only.</remarks>
public static class Slirp
{
    /// <summary>The resolver's address in such a network.</summary>
    public const string Resolver = "10.0.2.3";

    /// <summary>What the carrier's own addresses are in: the gateway, the resolver and the network's.</summary>
    public static IPNetwork Network { get; } = new(IPAddress.Parse("10.0.2.0"), 24);

    internal const string Program = "slirp4netns";
    internal const int ReadyDescriptor = 3;

    private const string Device = "/dev/net/tun";

    /// <summary>Why it cannot be used on this host, as a sentence; null when it can.</summary>
    public static string? Obstacle()
    {
        if (Prerequisites.Missing().Any(p => p.Needs == Program))
            return $"'{Program}' is not installed: install it with 'apt-get install {Prerequisites.PackageOf(Program)}'";
        return File.Exists(Device) ? null : $"the kernel's '{Device}' is missing: load it with 'modprobe tun'";
    }

    /// <summary>Those of <paramref name="networks"/> that can be closed in such a network: its own stays, in which nobody else
    /// answers.</summary>
    public static IReadOnlyList<IPNetwork> Closable(IEnumerable<IPNetwork> networks) =>
        [.. networks.Where(n => n.PrefixLength < Network.PrefixLength || !Network.Contains(n.BaseAddress))];

    /// <summary>Carries the packets of a network namespace for as long as the thread that starts it lives, and writes a 1 to its third
    /// descriptor when it does.</summary>
    public static Command Carry(string target) => Tether.EndWithThread(new Command(
        Program,
        "--netns-type=path", "--configure", "--mtu=65520", "--disable-host-loopback", "--enable-sandbox", "--enable-seccomp",
        $"--ready-fd={ReadyDescriptor}", target, "tap0"));
}

/// <summary>A process that carries the packets of a network.</summary>
internal sealed class SlirpProcess : IDisposable
{
    private readonly AnonymousPipeServerStream _ready;
    private readonly ChildProcess _process;
    private readonly string _log;

    private SlirpProcess(AnonymousPipeServerStream ready, ChildProcess process, string log)
    {
        _ready = ready;
        _process = process;
        _log = log;
    }

    /// <summary>Starts one for the namespace that a file is, and does not wait. It says what is wrong in a file beside.</summary>
    public static SlirpProcess Start(string target)
    {
        var ready = new AnonymousPipeServerStream(PipeDirection.In);
        try
        {
            string log = Path.GetFullPath(target + "-log");
            var command = Slirp.Carry(target) with { Directory = Environment.CurrentDirectory };
            var process = ChildProcess.Start(command, log, given: ready.ClientSafePipeHandle);
            // Closed here, the pipe ends with the process.
            ready.DisposeLocalCopyOfClientHandle();
            return new SlirpProcess(ready, process, log);
        }
        catch
        {
            ready.Dispose();
            throw;
        }
    }

    /// <summary>Waits until the network is there; throws what was said when it will not be.</summary>
    public void Await(CancellationToken cancellationToken)
    {
        using (cancellationToken.Register(_process.Kill))
        {
            if (_ready.ReadByte() == '1')
                return;
        }

        cancellationToken.ThrowIfCancellationRequested();
        throw new ToolException(Slirp.Program, $"the network of the container could not be made:\n{File.ReadAllText(_log).TrimEnd()}");
    }

    public void Dispose()
    {
        _process.Kill();
        _process.Wait();
        _ready.Dispose();
    }
}
