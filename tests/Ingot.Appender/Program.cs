using Ingot.Builds.Cache;
using Ingot.Oci.Content;
using Ingot.Oci.Layouts;
using Ingot.Server.Ledger;
using Ingot.Server.Storage;

// With 'prune' as the second argument: prunes what the registry of the home in the first does not need, and says so first.
var home = new ServerHome(args[0]);
if (args is [_, "prune"])
{
    var store = new DirectoryStore(home.Content);
    var pruning = new CachePruning(Path.Combine(home.Root, "cache"), store,
        async token => await LayoutReach.OfAsync(store, LedgerRoots.Read(home), token));
    Console.WriteLine("pruning");
    await pruning.RunAsync(new CachePolicy { BlobsOnly = true, All = true });
    return;
}

// Otherwise appends to the ledger of that home until it is killed, from several tasks, and prints the number of each acknowledged entry.
await using var ledger = await LedgerStore.OpenAsync(home, TimeProvider.System);
var output = Console.OpenStandardOutput();
var gate = new Lock();
await Task.WhenAll(Enumerable.Range(0, 8).Select(AppendAsync));

async Task AppendAsync(int appender)
{
    for (int i = 0; ; i++)
    {
        var digest = Digest.Of(BitConverter.GetBytes(((long)Environment.ProcessId << 32) + (appender << 24) + i));
        var entries = await ledger.AppendAsync("appender", [new LedgerEvent.ImagePublished("shop/web", digest, MediaType.Manifest, 1),
            new LedgerEvent.TagBound("shop/web", $"{appender}-{i}", digest)]);
        lock (gate)
        {
            foreach (var entry in entries)
                output.Write(System.Text.Encoding.ASCII.GetBytes($"{entry.Seq}\n"));
        }
    }
}
