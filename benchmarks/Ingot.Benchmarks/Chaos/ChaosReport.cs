using System.Globalization;

namespace Ingot.Benchmarks.Chaos;

/// <summary>Runs rounds and says what came of them.</summary>
internal static class ChaosReport
{
    public static async Task<int> RunAsync(string program, string example, string scratch, int rollouts, int rate, int seed)
    {
        await using var host = new ChaosHost(program, scratch);
        CopyDirectory(example, host.Project);
        var run = new ChaosRun(host, rate, seed, TimeProvider.System);
        await run.PrepareAsync();
        var rounds = new List<Round>();
        for (int i = 0; i < rollouts; i++)
        {
            var round = await run.NextAsync();
            rounds.Add(round);
            Print(string.Create(CultureInfo.InvariantCulture,
                $"{i + 1,3} {round.Change,-16} {round.Fault,-17} {(round.AsWanted ? "as wanted" : "NOT as wanted"),-13} {round.Requests,6} "
                    + $"requests, {round.Lost} lost, {round.Cut} cut, {round.OfVersion} of the version, "
                    + $"back {Seconds(round.TrafficBack)} {round.Said}"));
        }

        Print(Table(rounds));
        var verified = await host.IngotAsync("log", "verify");
        Print(verified.Output);
        await host.IngotAsync("down", host.Project);
        return verified.ExitCode == 0 && rounds.All(round => round is { AsWanted: true, Lost: 0 }) ? 0 : 1;
    }

    private static string Table(List<Round> rounds)
    {
        var lines = new List<string>
        {
            "", "| fault | rollouts | as wanted | requests | lost | cut with the proxy | longest way back |", "|---|---|---|---|---|---|---"
                + "|"
                ,
        };
        foreach (var group in rounds.GroupBy(round => round.Fault).OrderBy(group => group.Key))
            lines.Add(Line(group.Key.ToString(), [.. group]));
        lines.Add(Line("all", rounds));
        return string.Join('\n', lines);
    }

    private static string Line(string name, List<Round> rounds) => string.Create(CultureInfo.InvariantCulture,
        $"| {name} | {rounds.Count} | {rounds.Count(round => round.AsWanted)} | {rounds.Sum(round => (long)round.Requests)} | "
            + $"{rounds.Sum(round => round.Lost)} | {rounds.Sum(round => round.Cut)} | {Seconds(rounds.Max(round => round.TrafficBack))} "
            + $"|");

    private static string Seconds(TimeSpan? span) =>
        span is { } value ? string.Create(CultureInfo.InvariantCulture, $"{value.TotalSeconds:0.00} s") : "–";

    private static void Print(string line)
    {
        Console.WriteLine(line);
        Console.Out.Flush();
    }

    private static void CopyDirectory(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.EnumerateFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        foreach (string directory in Directory.EnumerateDirectories(from))
            CopyDirectory(directory, Path.Combine(to, Path.GetFileName(directory)));
    }
}
