using System.Net;
using Ingot.Evidence.Signatures;
using Ingot.Instances;
using Ingot.Oci.Content;
using Ingot.Server.Access;
using Ingot.Server.Api;
using Ingot.Server.Control;
using Ingot.Server.Ledger;
using Ingot.Server.Registry;
using Ingot.Server.Storage;
using Ingot.Tools;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace Ingot.Server;

/// <summary>The registry, the ledger, the API and the controller in one process.</summary>
public static class IngotServer
{
    /// <summary>Serves until it is told to stop (SIGTERM, SIGINT, or the token). What runs goes on running.</summary>
    public static async Task RunAsync(ServerOptions options, CancellationToken cancellationToken = default)
    {
        var time = TimeProvider.System;
        var home = new ServerHome(options.Home);
        string? tightened = HomeDirectory.Prepare(home.Root);
        await using var ledger = await LedgerStore.OpenAsync(home, time, cancellationToken);
        var content = new DirectoryStore(home.Content);
        using var tokens = new TokenStore(home, ledger, time);

        using var socket = UnixPeer.ShortDirectory.Of(home.Socket);
        await using var app = Build(options, home, socket.Path);
        var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("ingot");
        var address = new IPEndPoint(IsAny(options.Listen.Address) ? IPAddress.Loopback : options.Listen.Address,
            options.Listen.Port);
        var projects = new ProjectBook(ledger);
        var targets = Targets.Of(new TargetHome(home.Root, home.ReadId(), time, repository => CredentialsOf(repository, address, tokens)));
        var stages = new StageTargets(projects, targets);
        await using var controller = new Controller(ledger, stages, time, logger);
        var keys = new KeyBook(ledger, new KeyStore(home.Keys));
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var gatekeeper = new Gatekeeper(tokens, options);
        app.Use(next => async http =>
        {
            await ready.Task;
            await gatekeeper.HandleAsync(http, next);
        });
        var shelf = new EvidenceShelf(ledger, content, keys);
        var candidates = new Candidates(ledger, projects, shelf, time);
        var promotions = new PromotionDesk(ledger, projects, candidates);
        app.MapRegistry(new RegistryOptions
        {
            Ledger = ledger,
            Store = content,
            Uploads = home.Uploads,
            Mutable = options.MutableRepositories,
            Sparse = options.SparseRepositories,
            IsAdministrator = http => Gatekeeper.PrincipalOf(http)?.Has(Role.Administrator) == true,
            IsVersion = candidates.IsVersionAsync,
            TrustedSignature = new AccessoryTrust(keys).SignatureAsync,
            Time = time,
            ReferrerNotes = home.ReferrerNotes,
            Trusted = shelf.BelievedAsync,
        });
        var instances = new InstanceDesk(ledger, stages, logger);
        app.MapApi(new ApiServices(
            options, home, time.GetUtcNow(), ledger, projects,
            promotions,
            new ReleaseDesk(ledger, controller, projects, promotions, new PullCheck(content, targets, address.ToString()), candidates,
                address.ToString()),
            new StopDesk(ledger, controller, projects, stages),
            new KeyDesk(ledger, keys, promotions, new KeyStore(home.Keys)),
            new TagDesk(ledger, candidates.IsVersionAsync),
            targets,
            new StatusReader(ledger, controller, projects),
            instances,
            new FailureReader(ledger, projects, instances),
            tokens, logger));

        if (tightened is not null)
            logger.LogWarning("{Note}", tightened);
        // Nothing is begun before the address is ours: engines pull from it.
        await ListenAsync(app, options, cancellationToken);
        await ledger.AppendAsync("ingot", new LedgerEvent.ServerStarted(options.Version), cancellationToken);
        await keys.TakeUpAsync(cancellationToken);
        controller.Resume();
        ready.SetResult();
        logger.LogInformation("ingot {Version} serves {Home} at http://{Listen}", options.Version, home.Root, options.Listen);
        await app.WaitForShutdownAsync(cancellationToken);
    }

    /// <summary>A server that is configured here and nowhere else: no file of the working directory and no variable adds to it,
    /// and no file is watched.</summary>
    internal static WebApplication Build(ServerOptions options, ServerHome home, string socket)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions
        {
            ApplicationName = "ingot",
            EnvironmentName = Environments.Production,
            ContentRootPath = home.Private,
        });
        builder.Configuration.Sources.Clear();
        builder.Environment.ContentRootFileProvider = new NullFileProvider();
        builder.Environment.WebRootFileProvider = new NullFileProvider();
        builder.Services.AddRouting();
        builder.Logging.ClearProviders().AddConsole(console => console.FormatterName = PlainLogFormatter.FormatterName);
        // Not AddConsoleFormatter: it reads the formatter's options from the configuration, by reflection.
        builder.Services.AddSingleton<ConsoleFormatter, PlainLogFormatter>();
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
        // Why it did not start is said once, in words, by whoever started it.
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(options.Listen);
            ListenInHome(kestrel, socket);
            kestrel.AddServerHeader = false;
            // Layers have no upper size; manifests and API calls have limits of their own.
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 100, gracePeriod: TimeSpan.FromSeconds(30));
        });
        return builder.Build();
    }

    /// <summary>The socket on which commands of the home's owner find the server. Nobody else can enter its directory.</summary>
    private static void ListenInHome(KestrelServerOptions kestrel, string socket)
    {
        // The home's lock is held: a socket that is there was left by a server that was killed.
        File.Delete(socket);
        kestrel.ListenUnixSocket(socket, listen => listen.Use(next => connection =>
        {
            connection.Items[Gatekeeper.LocalConnection] = true;
            return next(connection);
        }));
    }

    private static async Task ListenAsync(WebApplication app, ServerOptions options, CancellationToken cancellationToken)
    {
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch (IOException e) when (e.InnerException is AddressInUseException)
        {
            throw new ToolException("ingot",
                $"could not listen at '{options.Listen}': another program has that address; end it, or choose another with '--listen'", e);
        }
    }

    /// <summary>What an engine of this host pulls with: from this registry the token for that, from any other nothing.</summary>
    private static NetworkCredential? CredentialsOf(string repository, IPEndPoint address, TokenStore tokens) =>
        repository.StartsWith($"{address}/", StringComparison.Ordinal)
            ? new NetworkCredential(TokenStore.PullName, tokens.PullToken)
            : null;

    private static bool IsAny(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);
}
