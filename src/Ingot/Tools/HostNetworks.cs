using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;

namespace Ingot.Tools;

/// <summary>An address of this host.</summary>
/// <param name="Address">The address.</param>
/// <param name="Network">The network that it is in.</param>
/// <param name="IsInternal">Whether nobody but what runs on this host is in that network: it is a bridge's that leads to nothing
/// else.</param>
public sealed record HostAddress(IPAddress Address, IPNetwork Network, bool IsInternal);

/// <summary>The networks that this host is on, and leads to.</summary>
/// <param name="Addresses">Its addresses.</param>
/// <param name="Routes">Where it leads to through others, or is itself; default routes and internal networks are none of them.</param>
public sealed record HostNetworks(IReadOnlyList<HostAddress> Addresses, IReadOnlyList<IPNetwork> Routes)
{
    private const string Interfaces = "/sys/class/net";
    private const string RouteTable = "/proc/net/route";
    private const int PartLength = 24;

    /// <summary>The range from which networks of instances are: a range of Ingot's own, unless the host leads there already.</summary>
    public static IPNetwork Range { get; } = new(IPAddress.Parse("10.213.0.0"), 16);

    /// <summary>Whether the host leads to <see cref="Range"/> already: then it is somebody else's.</summary>
    public bool IsRangeTaken => Routes.Any(r => Overlap(r, Range));

    /// <summary>What runs on this host, or will: the host by all its addresses, everything on its internal networks, and
    /// instances.</summary>
    public IReadOnlyList<IPNetwork> Neighbours =>
    [
        .. Addresses.Where(a => !IPAddress.IsLoopback(a.Address))
            .Select(a => new IPNetwork(a.Address, a.Address.GetAddressBytes().Length * 8)),
        .. Addresses.Where(a => a.IsInternal).Select(a => a.Network),
        .. IsRangeTaken ? Array.Empty<IPNetwork>() : [Range],
    ];

    // Devices come and go while they are looked at, as those of containers do.
    private const int MaxLooks = 10;

    /// <summary>What there is now.</summary>
    /// <exception cref="ToolException">It could not be found out.</exception>
    public static HostNetworks Now() => Settled(Look);

    /// <summary>What a look finds in which nothing went away.</summary>
    internal static HostNetworks Settled(Func<HostNetworks> look)
    {
        for (int left = MaxLooks - 1; ; left--)
        {
            try
            {
                return look();
            }
            catch (Exception e) when (e is IOException or NetworkInformationException)
            {
                if (left == 0)
                    throw new ToolException(
                        "network", $"could not find out which networks this host is on: {IngotException.ReasonOf(e)}", e);
            }
        }
    }

    private static HostNetworks Look()
    {
        var interfaces = NetworkInterface.GetAllNetworkInterfaces();
        var routes = File.Exists(RouteTable) ? Parse(File.ReadLines(RouteTable)).ToList() : [];
        // A default route leads out of the host, whatever it goes through.
        var inside = interfaces.Select(i => i.Name).Where(IsInternal)
            .Except(routes.Where(r => r.Network.PrefixLength == 0).Select(r => r.Interface)).ToHashSet();
        return new HostNetworks(
            [.. interfaces.SelectMany(i => AddressesOf(i, inside.Contains(i.Name)))],
            [.. routes.Where(r => r.Network.PrefixLength > 0 && !inside.Contains(r.Interface)).Select(r => r.Network)]);
    }

    /// <summary>A part of <see cref="Range"/> that nobody has; null when there is none.</summary>
    /// <param name="name">What it is for: it is tried at a place of its own first, so that two that look at once seldom choose the
    /// same.</param>
    /// <param name="taken">Networks that others have.</param>
    public IPNetwork? FreePart(string name, IReadOnlyList<IPNetwork> taken)
    {
        if (IsRangeTaken)
            return null;

        byte[] bytes = Range.BaseAddress.GetAddressBytes();
        byte first = SHA256.HashData(Encoding.UTF8.GetBytes(name))[0];
        foreach (int number in Enumerable.Range(first, 256).Select(n => n % 256))
        {
            var part = new IPNetwork(new IPAddress([bytes[0], bytes[1], (byte)number, 0]), PartLength);
            if (!taken.Concat(Addresses.Select(a => a.Network)).Any(t => Overlap(t, part)))
                return part;
        }

        return null;
    }

    /// <summary>The routes of the kernel's table. Each line has an interface, a destination and, as the eighth word, its mask, in the
    /// bytes of memory.</summary>
    internal static IEnumerable<(string Interface, IPNetwork Network)> Parse(IEnumerable<string> table)
    {
        foreach (string line in table.Skip(1))
        {
            string[] words = line.Split('\t', StringSplitOptions.TrimEntries);
            if (words.Length < 8)
                continue;
            uint destination = uint.Parse(words[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            uint mask = uint.Parse(words[7], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            yield return (words[0], new IPNetwork(new IPAddress(BitConverter.GetBytes(destination)), BitOperations.PopCount(mask)));
        }
    }

    private static IEnumerable<HostAddress> AddressesOf(NetworkInterface link, bool isInternal) => link.GetIPProperties().UnicastAddresses
        .Where(a => !a.Address.IsIPv6LinkLocal).Select(a => new HostAddress(a.Address, NetworkOf(a.Address, a.PrefixLength), isInternal));

    /// <summary>The network of so many bits that an address is in.</summary>
    internal static IPNetwork NetworkOf(IPAddress address, int length)
    {
        byte[] bytes = address.GetAddressBytes();
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] &= (byte)(0xFF00 >> Math.Clamp(length - (i * 8), 0, 8));
        return new IPNetwork(new IPAddress(bytes), length);
    }

    private static bool Overlap(IPNetwork one, IPNetwork other) => one.Contains(other.BaseAddress) || other.Contains(one.BaseAddress);

    // A bridge, none of whose ports is a device or stands on one: what is on it is on this host.
    private static bool IsInternal(string name)
    {
        string ports = Path.Combine(Interfaces, name, "brif");
        return Directory.Exists(ports) && Directory.EnumerateFileSystemEntries(ports).All(port => !LeadsOut(Path.GetFileName(port)));
    }

    private static bool LeadsOut(string port)
    {
        string directory = Path.Combine(Interfaces, port);
        return Path.Exists(Path.Combine(directory, "device"))
            || (Directory.Exists(directory) && Directory.EnumerateFileSystemEntries(directory, "lower_*").Any());
    }
}
