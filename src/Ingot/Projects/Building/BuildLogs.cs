using System.Text.Json;
using Ingot.Diagnostics;
using Ingot.Oci.Content;

namespace Ingot.Projects.Building;

/// <summary>A step in the log of a build.</summary>
/// <param name="Step">Its place, <c>stage 2/5</c>.</param>
/// <param name="Instruction">The instruction.</param>
/// <param name="Outcome"><c>cached</c>, <c>finished</c>, <c>failed</c>, or <c>stopped</c> when the build ended before it did.</param>
/// <param name="Seconds">How long it took; null when it did not end.</param>
/// <param name="Output">What it wrote.</param>
public sealed record LoggedStep(string Step, string Instruction, string Outcome, double? Seconds, IReadOnlyList<string> Output);

/// <summary>An image in the log of a build.</summary>
public sealed record LoggedImage(string Name, Digest Digest);

/// <summary>The log of a build.</summary>
/// <param name="Id">What it is called.</param>
/// <param name="Project">The project.</param>
/// <param name="Directory">Where that was.</param>
/// <param name="Started">When it began.</param>
/// <param name="Targets">The images that it was to make.</param>
/// <param name="Images">The images that it made.</param>
/// <param name="Steps">Its steps, as they began.</param>
/// <param name="IsCut">Whether more was written than is kept.</param>
public sealed record LoggedBuild(
    string Id, string Project, string Directory, DateTimeOffset Started, IReadOnlyList<string> Targets, IReadOnlyList<LoggedImage> Images,
    IReadOnlyList<LoggedStep> Steps, bool IsCut);

/// <summary>The logs of builds that are kept with the cache.</summary>
public static class BuildLogs
{
    /// <summary>How many are kept.</summary>
    public const int MaxLogs = 100;

    /// <summary>How many bytes all of them may take.</summary>
    public const long MaxBytes = 512L << 20;

    /// <summary>Where they are.</summary>
    public static string DirectoryOf(string cache) => Path.Combine(cache, "logs");

    /// <summary>The ids, the newest first.</summary>
    public static IReadOnlyList<string> Ids(string cache) => [.. Files(cache).Select(f => Path.GetFileNameWithoutExtension(f.Name))];

    /// <summary>Takes away the oldest, as far as there are too many or they take too much.</summary>
    public static void Prune(string cache, int maxLogs = MaxLogs, long maxBytes = MaxBytes)
    {
        long bytes = 0;
        int count = 0;
        foreach (var file in Files(cache))
        {
            bytes += file.Length;
            if (++count > 1 && (count > maxLogs || bytes > maxBytes))
                file.Delete();
        }
    }

    /// <summary>The newest log that <paramref name="wanted"/> takes; null when there is none.</summary>
    public static LoggedBuild? Find(string cache, Func<LoggedBuild, bool> wanted) =>
        Ids(cache).Select(id => TryRead(cache, id)).OfType<LoggedBuild>().FirstOrDefault(wanted);

    /// <summary>Reads a log; null when there is none of that id, or nobody can read it. Lines that a killed build left half are left
    /// out.</summary>
    public static LoggedBuild? TryRead(string cache, string id)
    {
        try
        {
            return LoggedBuildReader.Read(id, File.ReadLines(Path.Combine(DirectoryOf(cache), id + BuildLog.Extension)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static IEnumerable<FileInfo> Files(string cache)
    {
        var directory = new DirectoryInfo(DirectoryOf(cache));
        return directory.Exists ? directory.GetFiles("*" + BuildLog.Extension).OrderByDescending(f => f.Name, StringComparer.Ordinal) : [];
    }
}

/// <summary>Puts the lines of a log together.</summary>
internal static class LoggedBuildReader
{
    public static LoggedBuild? Read(string id, IEnumerable<string> lines)
    {
        LoggedBuild? build = null;
        var steps = new OrderedDictionary<string, LoggedStep>(StringComparer.Ordinal);
        var output = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        var images = new List<LoggedImage>();
        bool isCut = false;
        foreach (var line in lines.Select(Parse).OfType<BuildLogLine>())
        {
            if (line is { Kind: "build", Project: { } project })
                build = new LoggedBuild(id, project, line.Directory ?? "", line.Started ?? default, line.Images ?? [], images, [],
                    IsCut: false);
            else if (line is { Kind: "image", Name: { } name, Digest: { } digest })
                images.Add(new LoggedImage(name, digest));
            else if (line.Step is { } step)
                Take(steps, output, step, line);
            isCut |= line.Kind == "cut";
        }

        return build is null ? null : build with { IsCut = isCut, Steps = [.. steps.Values] };
    }

    private static void Take(OrderedDictionary<string, LoggedStep> steps, Dictionary<string, List<string>> output, string step,
        BuildLogLine line)
    {
        if (line.Kind is "cached" or "started")
        {
            // What a step mounts may be copied under its name, before it or while others wait.
            var lines = output[step] = output.GetValueOrDefault(step) ?? [];
            steps[step] = new LoggedStep(step, line.Text ?? "", line.Kind == "cached" ? "cached" : "stopped", Seconds: null, lines);
        }
        else if (line.Kind == "output" && output.TryGetValue(step, out var written))
        {
            written.Add(line.Text ?? "");
        }
        else if (line.Kind is "finished" or "failed" && steps.TryGetValue(step, out var ended))
        {
            steps[step] = ended with { Outcome = line.Kind, Seconds = line.Seconds };
        }
    }

    private static BuildLogLine? Parse(string line)
    {
        try
        {
            return JsonSerializer.Deserialize(line, BuildLogJson.Default.BuildLogLine);
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            return null;
        }
    }
}
