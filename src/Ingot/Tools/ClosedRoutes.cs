using System.Net;
using System.Net.Sockets;
using Ingot.Oci.Linux;
using Microsoft.Win32.SafeHandles;

namespace Ingot.Tools;

/// <summary>Routes that lead nowhere: whoever sends there is told at once that it cannot be reached. Made in the network namespace of the
/// calling thread (<see href="https://man7.org/linux/man-pages/man7/rtnetlink.7.html">rtnetlink</see>).</summary>
internal static class ClosedRoutes
{
    private const string InternetProtocol6 = "/proc/sys/net/ipv6";

    private const int HeaderBytes = 16;
    private const int RouteBytes = 12;
    private const int AttributeBytes = 4;

    private const ushort NewRoute = 24;
    private const ushort Answer = 2;
    // A request, to be answered, for something new.
    private const ushort Flags = 0x1 | 0x4 | 0x400;
    private const ushort Destination = 1;
    private const byte MainTable = 254;
    private const byte Static = 4;
    private const byte Unreachable = 7;
    private const byte Ipv4 = 2;
    private const byte Ipv6 = 10;
    private const int Exists = -17;

    /// <summary>Closes these.</summary>
    /// <exception cref="ToolException">The kernel refused it.</exception>
    public static void Add(IEnumerable<IPNetwork> networks)
    {
        bool hasIpv6 = Directory.Exists(InternetProtocol6);
        using var kernel = new SafeFileHandle(
            Libc.Socket(Kernel.AF_NETLINK, Kernel.SOCK_RAW | Kernel.SOCK_CLOEXEC, Kernel.NETLINK_ROUTE), ownsHandle: true);
        if (kernel.IsInvalid)
            throw new ToolException("network", $"could not ask the kernel for routes: {LinuxError.Message}");

        foreach (var network in networks.Distinct())
        {
            if (hasIpv6 || network.BaseAddress.AddressFamily == AddressFamily.InterNetwork)
                Add(kernel, network);
        }
    }

    /// <summary>The message that asks for one.</summary>
    internal static byte[] Request(IPNetwork network)
    {
        byte[] address = network.BaseAddress.GetAddressBytes();
        byte[] message = new byte[HeaderBytes + RouteBytes + AttributeBytes + address.Length];
        var words = message.AsSpan();
        BitConverter.TryWriteBytes(words, message.Length);
        BitConverter.TryWriteBytes(words[4..], NewRoute);
        BitConverter.TryWriteBytes(words[6..], Flags);
        var route = words[HeaderBytes..];
        route[0] = network.BaseAddress.AddressFamily == AddressFamily.InterNetwork ? Ipv4 : Ipv6;
        route[1] = (byte)network.PrefixLength;
        route[4] = MainTable;
        route[5] = Static;
        route[7] = Unreachable;
        var attribute = route[RouteBytes..];
        BitConverter.TryWriteBytes(attribute, (ushort)(AttributeBytes + address.Length));
        BitConverter.TryWriteBytes(attribute[2..], Destination);
        address.CopyTo(attribute[AttributeBytes..]);
        return message;
    }

    private static void Add(SafeFileHandle kernel, IPNetwork network)
    {
        byte[] request = Request(network);
        Span<byte> answer = stackalloc byte[512];
        nint length = Libc.Write(kernel, request, (nuint)request.Length) == request.Length
            ? Libc.Read(kernel, answer, (nuint)answer.Length)
            : -1;
        if (length < 0)
            throw new ToolException("network", $"could not close the route to {network}: {LinuxError.Message}");
        if (length < HeaderBytes + sizeof(int) || BitConverter.ToUInt16(answer[4..]) != Answer)
            throw new ToolException("network", $"could not close the route to {network}: the kernel's answer could not be read");

        int error = BitConverter.ToInt32(answer[HeaderBytes..]);
        if (error is not 0 and not Exists)
            throw new ToolException("network", $"could not close the route to {network}: {LinuxError.MessageOf(-error)}");
    }
}
