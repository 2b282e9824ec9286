using System.Globalization;

namespace Ingot.Benchmarks;

/// <summary>One measured command.</summary>
/// <param name="Part">What of the case it did: <c>build</c>, <c>push</c>, <c>export</c>.</param>
/// <param name="Run">Which of the runs it belongs to.</param>
/// <param name="Seconds">How long it took.</param>
/// <param name="CpuSeconds">The processor time it used; null when that was not measured.</param>
/// <param name="PeakKibibytes">The memory of its largest process; null when that was not measured.</param>
internal sealed record Figure(
    string Workload, string Case, string Tool, string Part, int Run, double Seconds, double? CpuSeconds, long? PeakKibibytes);

/// <summary>Something that was found out beside the times.</summary>
internal sealed record Fact(string Workload, string Case, string Tool, string Name, string Value);

/// <summary>What <c>benchmarks/run</c> wrote down.</summary>
internal sealed class Figures(IReadOnlyList<Figure> all, IReadOnlyList<Fact> facts)
{
    private const int Columns = 8;
    private const int FactColumns = 6;

    /// <summary>Reads the file that <c>benchmarks/lib/measure.sh</c> describes.</summary>
    public static Figures Read(string path)
    {
        var figures = new List<Figure>();
        var facts = new List<Fact>();
        foreach (string[] line in File.ReadLines(path).Skip(1).Select(line => line.Split('\t')))
        {
            if (line is [var workload, var name, var tool, "fact", var what, var value] && line.Length == FactColumns)
                facts.Add(new Fact(workload, name, tool, what, value));
            else if (line.Length == Columns)
                figures.Add(new Figure(line[0], line[1], line[2], line[3], int.Parse(line[4], CultureInfo.InvariantCulture),
                    Number(line[5])!.Value, Number(line[6]), (long?)Number(line[7])));
            else
                throw new FormatException($"'{string.Join(' ', line)}' in '{path}' has {line.Length} columns");
        }

        return new Figures(figures, facts);
    }

    /// <summary>The measured commands of a case.</summary>
    public IReadOnlyList<Figure> Of(string workload, string name, string tool) =>
        [.. all.Where(f => f.Workload == workload && f.Case == name && f.Tool == tool)];

    /// <summary>How long a case took a tool, all its parts together, in the order of runs.</summary>
    public Times? Times(string workload, string name, string tool)
    {
        var figures = Of(workload, name, tool);
        if (figures.Count == 0)
            return null;

        int parts = figures.Select(f => f.Part).Distinct().Count();
        // A run of which a part failed has no time.
        double[] totals = [.. figures.GroupBy(f => f.Run).Where(run => run.Count() == parts).Select(run => run.Sum(f => f.Seconds))];
        return totals.Length == 0
            ? null
            : new Times(totals,
                [.. figures.GroupBy(f => f.Part).Select(part => Benchmarks.Times.Median([.. part.Select(f => f.Seconds)]))]);
    }

    /// <summary>Facts by workload, case and tool.</summary>
    public IReadOnlyList<Fact> Facts(string workload, string name, string tool) =>
        [.. facts.Where(f => f.Workload == workload && f.Case == name && f.Tool == tool)];

    /// <summary>A fact that is there once.</summary>
    public string? Value(string workload, string name, string tool, string what) =>
        Facts(workload, name, tool).LastOrDefault(f => f.Name == what)?.Value;

    private static double? Number(string text) => text == "-" ? null : double.Parse(text, CultureInfo.InvariantCulture);
}

/// <summary>The times of one case.</summary>
/// <param name="Totals">In seconds, a run each.</param>
/// <param name="Parts">The medians of its parts.</param>
internal sealed record Times(double[] Totals, double[] Parts)
{
    /// <summary>The middle one.</summary>
    public double Middle => Median(Totals);

    /// <summary>The middle one of some times.</summary>
    public static double Median(double[] values)
    {
        double[] sorted = [.. values.Order()];
        int half = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        string parts = Parts.Length > 1 ? $" = {string.Join(" + ", Parts.Select(Seconds))}" : "";
        string range = Totals.Length > 1 ? $" ({Seconds(Totals.Min())}–{Seconds(Totals.Max())})" : "";
        return $"{Seconds(Middle)} s{parts}{range}";
    }

    /// <summary>Seconds as tables have them.</summary>
    public static string Seconds(double value) => value.ToString(value < 10 ? "0.00" : "0.0", CultureInfo.InvariantCulture);
}
