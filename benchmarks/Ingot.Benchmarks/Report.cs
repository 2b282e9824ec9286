using System.Globalization;
using System.Text;

namespace Ingot.Benchmarks;

/// <summary>Writes figures as tables, each workload's between its two marks in a file; what is outside of marks stays as it is.</summary>
internal static class Report
{
    private static readonly (string Id, string Name)[] s_tools = [("buildkit", "BuildKit"), ("buildah", "buildah"), ("ingot", "Ingot")];

    private static readonly (string Case, string Text, double? Wanted)[] s_a =
    [
        ("cold", "cold, zstd, reproducible", 2.5),
        ("cold-times", "cold, zstd, times not rewritten", null),
        ("cold-refused", "cold, zstd, times rewritten, then refused by the exporter of images", null),
        ("cold-imported", "cold, zstd, the base imported and never built on", null),
        ("cold-gzip", "cold, gzip", 5),
        ("unchanged", "nothing changed", 0.15),
        ("launcher", "nothing changed, through the launcher", null),
        ("one-file", "one of the 20,000 files changed", 0.35),
        ("small-file", "the small file changed", null),
    ];

    private static readonly (string Case, string Text, double? Wanted)[] s_d = [("export", "export to an archive", 1),
        ("push", "push to a registry that has the rest", 1), ("push-all", "push to an empty registry", null)];

    /// <summary>Prints the workloads' tables and replaces their sections in a file, or adds them to its end.</summary>
    public static void Write(Figures figures, string path, IReadOnlyList<string> workloads)
    {
        string text = File.Exists(path) ? File.ReadAllText(path) : "";
        foreach (string workload in workloads)
        {
            string section = Section(figures, workload);
            Console.WriteLine(section);
            text = Replace(text, workload, section);
        }

        File.WriteAllText(path, text);
    }

    private static string Section(Figures figures, string workload)
    {
        var text = new StringBuilder();
        switch (workload)
        {
            case "A":
                text.Append("### A: 20,000 files, 280 MB\n\n");
                Table(text, figures, "A", s_a);
                Memory(text, figures);
                break;
            case "B":
                text.Append("### B: digests of a step with `apt-get`\n\n");
                Digests(text, figures);
                break;
            case "C":
                text.Append("### C: 60 stages that sleep, ten beside each other\n\n");
                Stages(text, figures);
                break;
            case "D":
                text.Append("### D: an image of 2 GB with a new small layer\n\n");
                Table(text, figures, "D", s_d);
                if (figures.Value("D", "export", "ingot", "bytes") is { } bytes)
                    text.Append(CultureInfo.InvariantCulture,
                        $"\nThe archive has {long.Parse(bytes, CultureInfo.InvariantCulture) / 1e6:0} MB.\n");
                break;
            default:
                text.Append("### Where the time of A goes\n\n");
                Profile.Append(text, figures, "zstd");
                Profile.Append(text, figures, "gzip");
                break;
        }

        return $"{text}\n{Machine(figures)}\n";
    }

    private static string Machine(Figures figures)
    {
        string Known(string tool, string name) => figures.Value("all", "machine", tool, name) ?? "unknown";
        return $"*{Known("-", "date")}; {Known("-", "machine")}; load {Known("-", "load")} at the start; "
            + $"BuildKit of docker.io {Known("buildkit", "version")}, buildah {Known("buildah", "version")}, "
            + $"Ingot {Known("ingot", "version")}.*";
    }

    private static void Table(
        StringBuilder text, Figures figures, string workload, IEnumerable<(string Case, string Text, double? Wanted)> rows)
    {
        text.Append("| | BuildKit | buildah | Ingot | wanted | BuildKit ÷ Ingot | buildah ÷ Ingot |\n|---|---|---|---|---|---|---|\n");
        foreach (var (name, title, wanted) in rows)
        {
            var times = s_tools.Select(tool => figures.Times(workload, name, tool.Id)).ToArray();
            if (times.All(t => t is null))
                continue;
            // What Ingot does is always reproducible: rows of what others may leave out are held against that.
            var own = times[2] ?? (name.StartsWith("cold-", StringComparison.Ordinal) ? figures.Times(workload, "cold", "ingot") : null);
            string limit = wanted is { } seconds ? $"≤ {seconds.ToString(CultureInfo.InvariantCulture)} s" : "";
            text.Append(CultureInfo.InvariantCulture, $"| {title} | {Cell(times[0])} | {Cell(times[1])} | {Cell(times[2])} | {limit} | "
                + $"{Ratio(times[0], own)} | {Ratio(times[1], own)} |\n");
        }
    }

    private static string Cell(Times? times) => times?.ToString() ?? "–";

    private static string Ratio(Times? other, Times? own) =>
        other is null || own is null ? "" : (other.Middle / own.Middle).ToString("0.0", CultureInfo.InvariantCulture);

    private static void Memory(StringBuilder text, Figures figures)
    {
        double[] peaks = [.. figures.Of("A", "cold", "ingot").Select(f => f.PeakKibibytes).OfType<long>().Select(kib => kib * 1024 / 1e6)];
        if (peaks.Length > 0)
            text.Append(CultureInfo.InvariantCulture, $"\nPeak memory of Ingot's build process, cold: "
                + $"{Times.Median(peaks):0} MB ({peaks.Min():0}–{peaks.Max():0}); wanted: ≤ 200 MB.\n");
    }

    private static void Digests(StringBuilder text, Figures figures)
    {
        text.Append("| | cold builds | distinct digests | one build | files that differ between two |\n|---|---|---|---|---|\n");
        foreach (var (id, name) in s_tools)
        {
            var digests = figures.Facts("B", "digest", id);
            string[] paths = [.. figures.Facts("B", "differs", id).Select(f => $"`{f.Value}`")];
            string different = paths.Length > 0 ? string.Join(", ", paths)
                : digests.Select(d => d.Value).Distinct().Count() > 1 ? "none by content, mode or owner"
                : "none";
            text.Append(CultureInfo.InvariantCulture, $"| {name} | {digests.Count} | {digests.Select(d => d.Value).Distinct().Count()} | "
                + $"{Cell(figures.Times("B", "cold", id))} | {different} |\n");
        }
    }

    private static void Stages(StringBuilder text, Figures figures)
    {
        double sleep = double.Parse(figures.Value("C", "sleep", "-", "seconds") ?? "0", CultureInfo.InvariantCulture);
        text.Append("| | BuildKit | buildah | Ingot |\n|---|---|---|---|\n");
        foreach (var (name, title) in new[] { ("width-10", "all 60"), ("width-1", "one column of six alone: the critical path") })
            text.Append(CultureInfo.InvariantCulture,
                $"| {title} | {string.Join(" | ", s_tools.Select(tool => Cell(figures.Times("C", name, tool.Id))))} |\n");
        text.Append(CultureInfo.InvariantCulture, $"| all 60 over the sleeping alone, "
            + $"{sleep} s | {string.Join(" | ", s_tools.Select(tool => Over(figures.Times("C", "width-10", tool.Id)?.Middle, sleep)))} "
            + $"|\n");
        var over = s_tools.Select(tool =>
            Over(figures.Times("C", "width-10", tool.Id)?.Middle, figures.Times("C", "width-1", tool.Id)?.Middle));
        text.Append(CultureInfo.InvariantCulture, $"| all 60 over one column | {string.Join(" | ", over)} |\n");
        text.Append("\nWanted: within 15 % of the critical path.\n");
    }

    private static string Over(double? all, double? path) =>
        all is { } a && path is > 0 and { } p ? ((a / p) - 1).ToString("+0 %;−0 %", CultureInfo.InvariantCulture) : "–";

    private static string Replace(string text, string workload, string section)
    {
        string begin = $"<!-- benchmarks/run {workload} -->", end = $"<!-- end {workload} -->";
        string marked = $"{begin}\n{section}{end}";
        int from = text.IndexOf(begin, StringComparison.Ordinal), to = text.IndexOf(end, StringComparison.Ordinal);
        return from < 0 || to < from ? $"{text.TrimEnd()}\n\n{marked}\n" : text[..from] + marked + text[(to + end.Length)..];
    }
}
