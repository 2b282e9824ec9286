using Ingot.Oci.Content;
using Ingot.Server.Ledger;
using Ingot.Server.Registry;
using Ingot.Server.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Ingot.SystemTests.Registry;

/// <summary>A registry on an ephemeral port of the loopback address.</summary>
public sealed class RegistryProcess : IAsyncDisposable
{
    private readonly WebApplication _app;

    private RegistryProcess(WebApplication app, LedgerStore ledger, ServerHome home)
    {
        _app = app;
        Ledger = ledger;
        Home = home;
        Http = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
    }

    public LedgerStore Ledger { get; }

    public ServerHome Home { get; }

    public HttpClient Http { get; }

    /// <summary>The address and port, as image references begin with it.</summary>
    public string Host => Http.BaseAddress!.Authority;

    public static async Task<RegistryProcess> StartAsync(string directory)
    {
        var home = new ServerHome(directory);
        var ledger = await LedgerStore.OpenAsync(home, TimeProvider.System);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.MapRegistry(new RegistryOptions
        {
            Ledger = ledger,
            Store = new DirectoryStore(home.Content),
            Uploads = home.Uploads,
            Mutable = ["scratch/*"],
        });
        await app.StartAsync();
        return new RegistryProcess(app, ledger, home);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        await Ledger.DisposeAsync();
    }
}
