using System.Globalization;
using System.Text;

namespace Ingot.Evidence.Tests;

/// <summary>A process as <c>/proc</c> shows it from outside of its namespaces.</summary>
/// <param name="Id">Its number here.</param>
/// <param name="Parent">Its parent's number here.</param>
/// <param name="Name">What it calls itself, cut at 15 bytes by the kernel.</param>
/// <param name="InnerIds">Its numbers, from this namespace to its own.</param>
internal sealed record HostProcess(int Id, int Parent, string Name, IReadOnlyList<int> InnerIds)
{
    /// <summary>The longest name the kernel keeps, in bytes.</summary>
    public const int LongestName = 15;

    /// <summary>Whether it is the first process of its namespace.</summary>
    public bool IsInit => InnerIds is [.., 1] && InnerIds.Count > 1;

    /// <summary>Every process that can be read; one that ends meanwhile is left out.</summary>
    public static IEnumerable<HostProcess> All()
    {
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out int id)
                && Read(id) is { } process)
                yield return process;
        }
    }

    /// <summary>The process of a number; null when it is gone.</summary>
    public static HostProcess? Read(int id)
    {
        try
        {
            return Parse(id, File.ReadAllLines($"/proc/{id}/status"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The words it was started with; empty when it is gone.</summary>
    public IReadOnlyList<string> CommandLine()
    {
        try
        {
            return Encoding.UTF8.GetString(File.ReadAllBytes($"/proc/{Id}/cmdline")).Split('\0');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    // https://docs.kernel.org/filesystems/proc.html: 'NSpid' holds one number a namespace, from the reader's inwards.
    private static HostProcess? Parse(int id, IEnumerable<string> lines)
    {
        string name = "";
        int parent = 0;
        int[] inner = [];
        foreach (var line in lines)
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            string value = colon < 0 ? "" : line[(colon + 1)..].Trim();
            switch (colon < 0 ? "" : line[..colon])
            {
                case "Name":
                    name = value;
                    break;
                case "PPid":
                    parent = int.Parse(value, CultureInfo.InvariantCulture);
                    break;
                case "State" when value.StartsWith('Z') || value.StartsWith('X'):
                    return null;
                case "NSpid":
                    inner = [.. value.Split('\t', StringSplitOptions.RemoveEmptyEntries)
                        .Select(n => int.Parse(n, CultureInfo.InvariantCulture))];
                    break;
            }
        }

        return new HostProcess(id, parent, name, inner);
    }
}
