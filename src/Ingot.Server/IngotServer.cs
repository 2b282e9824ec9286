using System.Net;
using System.Security.Cryptography;
using Ingot.Evidence.Signatures;
using Ingot.Instances;
using Ingot.Oci.Content;
using Ingot.Server.Api;
using Ingot.Server.Control;
using Ingot.Server.Ledger;
using Ingot.Server.Registry;
using Ingot.Server.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Ingot.Server;

/// <summary>The registry, the ledger, the API and the controller in one process.</summary>
public static class IngotServer
{
    /// <summary>Serves until it is told to stop (SIGTERM, SIGINT, or the token). What runs goes on running.</summary>
    public static async Task RunAsync(ServerOptions options, CancellationToken cancellationToken = default)
    {
        var time = TimeProvider.System;
        var home = new ServerHome(options.Home);
        Directory.CreateDirectory(home.Root);
        await using var ledger = await LedgerStore.OpenAsync(home, time, cancellationToken);
        var content = new DirectoryStore(home.Content);

        await using var app = Build(options);
        var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("ingot");
        var address = new IPEndPoint(options.Listen.Address.Equals(IPAddress.Any) ? IPAddress.Loopback : options.Listen.Address, options.Listen.Port);
        var target = new DockerTarget(home.Root, time);
        await using var controller = new Controller(ledger, target, time, logger);
        var projects = new Projects(ledger);
        var shelf = new EvidenceShelf(ledger, content, new KeyStore(home.Keys));
        string token = Token(home);
        app.MapRegistry(new RegistryOptions
        {
            Ledger = ledger,
            Store = content,
            Uploads = home.Uploads,
            Mutable = options.MutableRepositories,
            Time = time,
            Actor = http => ApiToken.UserOf(http, token),
        });
        app.MapApi(new ApiServices(
            options, home, time.GetUtcNow(), ledger, projects,
            new PromotionDesk(ledger, projects, shelf, time),
            new ReleaseDesk(ledger, controller, projects, new PullCheck(content, target), address.ToString()),
            new StopDesk(ledger, controller, target),
            target,
            new StatusReader(ledger, controller),
            token, logger));

        await ledger.AppendAsync("ingot", new LedgerEvent.ServerStarted(options.Version), cancellationToken);
        controller.Resume();
        await app.StartAsync(cancellationToken);
        logger.LogInformation("ingot {Version} serves {Home} at http://{Listen}", options.Version, home.Root, options.Listen);
        await app.WaitForShutdownAsync(cancellationToken);
    }

    private static WebApplication Build(ServerOptions options)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = Environments.Production });
        builder.Logging.ClearProviders().AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "yyyy-MM-dd HH:mm:ss.fff ";
            console.UseUtcTimestamp = true;
        });
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(options.Listen);
            kestrel.AddServerHeader = false;
            // Layers have no upper size; manifests and API calls have limits of their own.
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 100, gracePeriod: TimeSpan.FromSeconds(30));
        });
        return builder.Build();
    }

    /// <summary>The token callers must show: made on first use, readable by its owner only.</summary>
    private static string Token(ServerHome home)
    {
        string directory = Path.Combine(home.Root, "server");
        string path = Path.Combine(directory, "token");
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (!File.Exists(path))
        {
            using var file = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
            file.Write(System.Text.Encoding.ASCII.GetBytes(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)) + "\n"));
        }

        return File.ReadAllText(path).Trim();
    }
}
