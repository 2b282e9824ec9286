using System.Globalization;

namespace Ingot.Tools;

/// <summary>The processes of this host, as far as this one may look. One that ends meanwhile is not there.</summary>
internal static class Processes
{
    public static IEnumerable<int> All() =>
        from path in Directory.EnumerateDirectories("/proc")
        let id = int.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : 0
        where id > 0
        select id;

    /// <summary>The words a process was started with; empty for one that has ended.</summary>
    public static IReadOnlyList<string> WordsOf(int process) => Read(process, "cmdline").Split('\0', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The name of its program, cut by the kernel at 15 characters; empty when it is not there.</summary>
    public static string NameOf(int process) => Read(process, "comm").TrimEnd('\n');

    /// <summary>The process that started it, or has it since that one ended; 0 when it is not there.</summary>
    public static int ParentOf(int process)
    {
        string stat = Read(process, "stat");
        // "PID (NAME) STATE PARENT …": a name may hold anything.
        var words = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words.Length > 1 && int.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out int parent) ? parent : 0;
    }

    private static string Read(int process, string what)
    {
        try
        {
            return File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/{what}"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // ESRCH, when it ends between opening and reading, is an IOException too.
            return "";
        }
    }
}
