using System.Diagnostics;
using Ingot.Server.Storage;

namespace Ingot.Server.Tests.Storage;

public sealed class SqliteStorageTests : StorageContract, IDisposable
{
    private readonly TestHome _test = new();

    protected override DatabaseSchema Schema { get; } =
        new(7, 3, "CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, text TEXT NOT NULL, bytes BLOB NOT NULL)");

    public void Dispose() => _test.Dispose();

    protected override IStorage NewStorage() => new SqliteStorage(_test.Home);

    protected override async Task<Process> HoldElsewhereAsync()
    {
        string program = Path.Combine(AppContext.BaseDirectory, "Ingot.Appender.dll");
        var process = Process.Start(new ProcessStartInfo("dotnet", ["exec", program, _test.Home.Root]) { RedirectStandardOutput = true })!;
        Assert.NotNull(await process.StandardOutput.ReadLineAsync());
        return process;
    }
}
