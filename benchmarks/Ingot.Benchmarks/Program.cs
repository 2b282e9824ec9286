using Ingot.Benchmarks;

// What scripts of this directory need beside the builders: workloads that are the same on every machine, and the price of the work that no builder can leave out.
switch (args)
{
    case ["files", var directory, var count, var mebibytes]:
        Workload.WriteFiles(directory, int.Parse(count), long.Parse(mebibytes) << 20);
        return 0;
    case ["stages", var directory, var width, var depth]:
        Workload.WriteStages(directory, int.Parse(width), int.Parse(depth));
        return 0;
    case ["floor", var directory, var codec]:
        await Floor.MeasureAsync(directory, codec);
        return 0;
    default:
        Console.Error.WriteLine("usage: files DIR COUNT MIB | stages DIR WIDTH DEPTH | floor DIR gzip|zstd|none");
        return 2;
}
