using Ingot.Oci.Content;
using Ingot.Server.Ledger;
using Ingot.Server.Storage;

// Appends to the ledger of the home in the first argument until it is killed, from several tasks, and prints the number of each acknowledged entry.
await using var ledger = await LedgerStore.OpenAsync(new ServerHome(args[0]), TimeProvider.System);
var output = Console.OpenStandardOutput();
var gate = new Lock();
await Task.WhenAll(Enumerable.Range(0, 8).Select(AppendAsync));

async Task AppendAsync(int appender)
{
    for (int i = 0; ; i++)
    {
        var digest = Digest.Of(BitConverter.GetBytes(((long)Environment.ProcessId << 32) + (appender << 24) + i));
        var entries = await ledger.AppendAsync("appender", [new LedgerEvent.ImagePublished("shop/web", digest, MediaType.Manifest, 1), new LedgerEvent.TagBound("shop/web", $"{appender}-{i}", digest)]);
        lock (gate)
        {
            foreach (var entry in entries)
                output.Write(System.Text.Encoding.ASCII.GetBytes($"{entry.Seq}\n"));
        }
    }
}
