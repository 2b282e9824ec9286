using System.Buffers.Binary;
using System.Globalization;
using System.Net;

namespace Ingot.Evidence.Tests;

/// <summary>What listens in a process's network, from the kernel's own tables
/// (<see href="https://docs.kernel.org/networking/proc_net_tcp.html">/proc/net/tcp</see>).</summary>
internal static class ListeningPorts
{
    private const string TcpListen = "0A";

    /// <summary>The addresses a port listens on, each once, in the table's order; empty when nothing does,
    /// or the process is gone.</summary>
    public static IReadOnlyList<string> Addresses(int processId, GossPort port)
    {
        try
        {
            return Addresses(File.ReadLines($"/proc/{processId}/net/{port.Network}"), port);
        }
        catch (IOException)
        {
            return [];
        }
    }

    internal static IReadOnlyList<string> Addresses(IEnumerable<string> table, GossPort port)
    {
        List<string> addresses = [];
        foreach (var line in table.Skip(1))
        {
            // Number, local address, remote address, state; UDP has no state of listening: a bound socket counts.
            var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length < 4 || (port.Network.StartsWith("tcp", StringComparison.Ordinal) && fields[3] != TcpListen))
                continue;

            int colon = fields[1].IndexOf(':', StringComparison.Ordinal);
            if (colon > 0
                && int.TryParse(fields[1].AsSpan(colon + 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int number)
                && number == port.Number)
            {
                addresses.Add(Address(fields[1][..colon]));
            }
        }

        return [.. addresses.Distinct()];
    }

    // Words of four bytes, each written as a number of the machine: its bytes come out backwards on every machine .NET runs on.
    private static string Address(string hex)
    {
        var bytes = Convert.FromHexString(hex);
        for (int i = 0; i < bytes.Length; i += 4)
            BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(i), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(i)));
        return new IPAddress(bytes).ToString();
    }
}
