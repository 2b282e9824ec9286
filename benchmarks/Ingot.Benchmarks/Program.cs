using System.Globalization;
using Ingot.Benchmarks;
using Ingot.Benchmarks.Chaos;

// What the scripts of this directory need beside the builders: workloads that are the same on every machine, the price of the work that no
// builder can leave out, and tables of what was measured.
switch (args)
{
    case ["files", var directory, var count, var mebibytes, .. var seed]:
        Workload.WriteFiles(directory, Number(count), (long)Number(mebibytes) << 20, seed is [var given] ? Number(given) : 0);
        return 0;
    case ["stages", var directory, var width, var depth, .. var seconds]:
        Workload.WriteStages(directory, Number(width), Number(depth), seconds is [var pause] ? pause : "0.5");
        return 0;
    case ["floor", var directory, var codec]:
        await Floor.MeasureAsync(directory, codec);
        return 0;
    case ["differences", var layout, var first, var second]:
        await Differences.PrintAsync(layout, first, second);
        return 0;
    case ["report", var figures, var results, .. var workloads]:
        Report.Write(Figures.Read(figures), results, workloads);
        return 0;
    case ["chaos", var program, var example, var scratch, var rollouts, var rate, var seed]:
        return await ChaosReport.RunAsync(program, example, scratch, Number(rollouts), Number(rate), Number(seed));
    case ["ledger", var home, var entries]:
        return await LedgerVerification.MeasureAsync(home, Number(entries));
    default:
        Console.Error.WriteLine("usage: files DIR COUNT MIB [SEED] | stages DIR WIDTH DEPTH [SECONDS] | floor DIR gzip|zstd|none | "
            + "differences LAYOUT NAME NAME | report FIGURES RESULTS WORKLOAD... "
            + "| chaos PROGRAM EXAMPLE SCRATCH ROLLOUTS RATE SEED | ledger HOME ENTRIES");
        return 2;
}

static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
