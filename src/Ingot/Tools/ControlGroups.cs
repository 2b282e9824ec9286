namespace Ingot.Tools;

/// <summary>Control groups that containers leave when who started them is killed,
/// and nothing that could be asked about them is there any more.</summary>
public static class ControlGroups
{
    private const string MountInfo = "/proc/self/mountinfo";
    private const string Own = "/proc/self/cgroup";

    /// <summary>Removes groups that have neither processes nor groups of their own, and that were made before a time. Where it may not,
    /// it does nothing.</summary>
    /// <param name="isAbandoned">Which names are meant.</param>
    /// <param name="before">Groups that are younger stay: a container that is being started has an empty one.</param>
    /// <returns>Whether none of them is left.</returns>
    public static bool Remove(Func<string, bool> isAbandoned, DateTimeOffset before)
    {
        if (!File.Exists(MountInfo) || !File.Exists(Own))
            return true;

        var abandoned = Places(File.ReadAllLines(MountInfo), File.ReadAllLines(Own)).Where(Directory.Exists)
            .SelectMany(place => new DirectoryInfo(place).EnumerateDirectories())
            .Where(group => isAbandoned(group.Name) && group.LastWriteTimeUtc < before.UtcDateTime)
            .ToList();
        bool areGone = true;
        foreach (var group in abandoned)
            areGone &= TryRemove(group);
        return areGone;
    }

    /// <summary>Where a runtime puts the groups of containers for which it is told no place: below the group of who starts it, and with
    /// version 2 beside that.</summary>
    // https://docs.kernel.org/filesystems/proc.html (mountinfo), https://man7.org/linux/man-pages/man7/cgroups.7.html (/proc/pid/cgroup)
    internal static IReadOnlyList<string> Places(IEnumerable<string> mountInfo, IEnumerable<string> own)
    {
        var groups = own.Select(line => line.Split(':', 3)).Where(parts => parts.Length == 3)
            .ToDictionary(parts => parts[1], parts => parts[2]);
        var places = new List<string>();
        foreach (string[] fields in mountInfo.Select(line => line.Split(' ')))
        {
            int end = Array.IndexOf(fields, "-");
            string[] options = end > 0 && end + 3 < fields.Length ? fields[end + 3].Split(',') : [];
            string type = end > 0 ? fields.ElementAtOrDefault(end + 1) ?? "" : "";
            string? group = type switch
            {
                "cgroup2" => groups.GetValueOrDefault(""),
                "cgroup" => groups.FirstOrDefault(g => g.Key.Length > 0 && g.Key.Split(',').All(options.Contains)).Value,
                _ => null,
            };
            if (group is null)
                continue;
            places.Add(Path.Join(fields[4], group).TrimEnd('/'));
            if (type == "cgroup2" && Path.GetDirectoryName(group) is { } parent)
                places.Add(Path.Join(fields[4], parent).TrimEnd('/'));
        }

        return [.. places.Distinct()];
    }

    // The kernel refuses when something is in it.
    private static bool TryRemove(DirectoryInfo group)
    {
        try
        {
            group.Delete();
            return true;
        }
        catch (DirectoryNotFoundException)
        {
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
