using System.Globalization;
using Ingot.Tools;

namespace Ingot.Builds.Steps;

/// <summary>How many processors a command sees, where its image says so.</summary>
internal static class StepProcessors
{
    /// <summary>Where the C library looks.</summary>
    public const string OnlineFile = "/sys/devices/system/cpu/online";

    private const string Allowed = "Cpus_allowed_list:";

    private static int s_next;

    /// <summary>What stands in <see cref="OnlineFile"/>.</summary>
    public static string Online(int count) => count == 1 ? "0\n" : $"0-{count - 1}\n";

    /// <summary>So many of the processors that this process may use, which must have them; null for null.</summary>
    public static RuntimeProcessors? Take(int? count)
    {
        if (count is not { } wanted)
            return null;

        // Commands that run side by side take those that stand next.
        var own = Parse(File.ReadLines("/proc/self/status").First(l => l.StartsWith(Allowed, StringComparison.Ordinal))[Allowed.Length..]);
        int first = (int)((uint)Interlocked.Add(ref s_next, wanted) % (uint)own.Count);
        var taken = Enumerable.Range(0, wanted).Select(i => own[(first + i) % own.Count]).Order();
        return new RuntimeProcessors(string.Join(',', taken.Select(p => p.ToString(CultureInfo.InvariantCulture))));
    }

    /// <summary>The numbers of a list such as <c>0-3,8</c>.</summary>
    internal static IReadOnlyList<int> Parse(string list) =>
        [.. list.Trim().Split(',', StringSplitOptions.RemoveEmptyEntries).SelectMany(part =>
        {
            int[] ends = [.. part.Split('-').Select(n => int.Parse(n, CultureInfo.InvariantCulture))];
            return Enumerable.Range(ends[0], ends[^1] - ends[0] + 1);
        })];
}
