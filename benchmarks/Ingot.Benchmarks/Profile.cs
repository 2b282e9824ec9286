using System.Globalization;
using System.Text;

namespace Ingot.Benchmarks;

/// <summary>Where the time of a cold build goes, beside what its data costs at least.</summary>
internal static class Profile
{
    private const double Allowed = 1.6;
    private const string Prefix = "build ";

    /// <summary>Appends the tables of one codec; nothing when it was not measured.</summary>
    public static void Append(StringBuilder text, Figures figures, string codec)
    {
        if (figures.Times("profile", codec, "ingot") is not { } total)
            return;

        var builds = figures.Of("profile", codec, "ingot");
        text.Append(CultureInfo.InvariantCulture,
            $"Cold, {codec}: {total}, with {Times.Median([.. builds.Select(b => b.CpuSeconds ?? 0)]):0.00} s of processor time.\n\n");
        text.Append("| line of progress | at | after the one before |\n|---|---|---|\n");
        double before = 0;
        foreach (var (line, at) in Lines(figures, codec))
        {
            text.Append(CultureInfo.InvariantCulture, $"| {line} | {at:0.00} s | {at - before:0.00} s |\n");
            before = at;
        }

        text.Append(CultureInfo.InvariantCulture, $"| the end | {total.Middle:0.00} s | {total.Middle - before:0.00} s |\n\n");
        Floor(text, figures, codec, total.Middle);
    }

    // The lines of the builds in the order of time, each with its median.
    private static IEnumerable<(string Line, double At)> Lines(Figures figures, string codec) =>
        figures.Facts("profile", codec, "ingot")
            .GroupBy(f => Plain(f.Name))
            .Select(group => (Line: group.Key, At: Times.Median([.. group.Select(f => Number(f.Value))])))
            .OrderBy(line => line.At);

    private static void Floor(StringBuilder text, Figures figures, string codec, double total)
    {
        string[] parts = ["read", "SHA-256 of each file", "SHA-256 of all in a row", "compression"];
        text.Append("| the data alone | one core | all cores |\n|---|---|---|\n");
        double[] one = [.. parts.Select(part => Median(figures, $"{codec}-one", part))],
            all = [.. parts.Select(part => Median(figures, $"{codec}-all", part))];
        for (int i = 0; i < parts.Length; i++)
            text.Append(CultureInfo.InvariantCulture, $"| {parts[i]} | {one[i]:0.00} s | {all[i]:0.00} s |\n");
        // The least is one hash; a digest of each file and one of the layer are two.
        double leastOne = one[0] + one[2] + one[3], leastAll = all[0] + all[2] + all[3];
        text.Append(CultureInfo.InvariantCulture, $"| read + SHA-256 in a row + compression | {leastOne:0.00} s | {leastAll:0.00} s |\n");
        text.Append(CultureInfo.InvariantCulture,
            $"| the cold build over that sum; wanted: ≤ {Allowed} | {total / leastOne:0.00} | {total / leastAll:0.00} |\n\n");
    }

    private static double Median(Figures figures, string name, string part) =>
        figures.Facts("profile", name, "floor").Where(f => f.Name == part).Select(f => Number(f.Value)).ToArray() is { Length: > 0 } values
            ? Times.Median(values)
            : 0;

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    // Without what differs from run to run.
    private static string Plain(string line)
    {
        line = line.StartsWith(Prefix, StringComparison.Ordinal) ? line[Prefix.Length..].TrimStart() : line;
        if (line.Contains(" is sha256:", StringComparison.Ordinal))
            return "the image";

        int times = line.LastIndexOf(" (", StringComparison.Ordinal);
        return (times > 0 && line.Contains(" s, ", StringComparison.Ordinal) ? line[..times] : line).Replace("|", "\\|",
            StringComparison.Ordinal);
    }
}
