using System.CommandLine;
using System.Net;
using Ingot.Diagnostics;
using Ingot.Server;
using Ingot.Server.Storage;
using Ingot.Tools;
using Command = System.CommandLine.Command;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot serve</c>.</summary>
internal static class ServeCommand
{
    public static Command Create(Binder bind)
    {
        var listen = new Option<string>("--listen")
        {
            Description = "Address and port to listen on",
            HelpName = "ADDRESS:PORT",
            DefaultValueFactory = _ => "127.0.0.1:7070",
        };
        var mutable = new Option<string[]>("--mutable")
        {
            Description = "Repositories (a pattern with *) whose tags may be moved and deleted; by default none",
            HelpName = "PATTERN",
        };
        var closed = new Option<bool>("--no-anonymous-read")
        {
            Description = "Require a token to read images, too; writing always needs one",
        };
        var hosts = new Option<string[]>("--host")
        {
            Description = "A name by which a proxy on this host reaches the server; without it a loopback address answers to addresses and "
                + "'localhost' only",
            HelpName = "NAME",
        };
        var sparse = new Option<string[]>("--sparse")
        {
            Description = "Repositories (a pattern with *) whose indexes may name images that are missing; by default none",
            HelpName = "PATTERN",
        };
        var command = new Command("serve", "Run the registry, the ledger, the API and the controller in this process")
        {
            listen, mutable, sparse, closed, hosts,
        };
        var install = new Option<bool>("--install")
        {
            Description = "Have systemd run the server, with these options, now and whenever the host starts",
        };
        var uninstall = new Option<bool>("--uninstall")
        {
            Description = "Undo '--install': the server stops, services keep running, the data stays",
        };
        command.Add(install);
        command.Add(uninstall);
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            string text = result.GetValue(listen)!;
            if (!IPEndPoint.TryParse(text, out var endpoint) || endpoint.Port == 0)
                throw new InvalidInputException("listen", $"'{text}' is not an address and port to listen on",
                    "expected for example 127.0.0.1:7070");
            if (result.GetValue(install) && result.GetValue(uninstall))
                throw new InvalidInputException("install", "'--install' and '--uninstall' contradict each other", "leave one out");
            var unit = new ServerUnit(new Systemd(), context.Terminal);
            var local = new LocalServer(context.Home, context.Terminal);
            if (result.GetValue(uninstall))
                await unit.UninstallAsync(context.Home, () => local.EndAsync(cancellationToken), cancellationToken);
            if (result.GetValue(install))
                await unit.InstallAsync(context.Home, Given(result), () => local.EndAsync(cancellationToken), cancellationToken);
            if (result.GetValue(install) || result.GetValue(uninstall))
                return ExitCode.Done;

            HomeDirectory.KeepPrivate();
            using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            // Beside it: an engine that takes its time keeps nobody from the registry and the ledger.
            var engine = Task.Run(() => Dockerd.BringBackAsync(context.Home, context.Terminal, end.Token), CancellationToken.None);
            try
            {
                string[] moved = result.GetValue(mutable) ?? [];
                string home = context.Home.Directory;
                await IngotServer.RunAsync(new ServerOptions(home, endpoint, Application.Version, LocalServer.BuildId, moved)
                {
                    AnonymousRead = !result.GetValue(closed),
                    Hosts = result.GetValue(hosts) ?? [],
                    SparseRepositories = result.GetValue(sparse) ?? [],
                }, cancellationToken);
            }
            finally
            {
                await end.CancelAsync();
                await engine;
            }

            return ExitCode.Done;
        }));
        return command;

        IReadOnlyList<string> Given(ParseResult result) =>
        [
            "--listen", result.GetValue(listen)!,
            .. Each(result, mutable), .. Each(result, sparse), .. Each(result, hosts),
            .. result.GetValue(closed) ? (string[])[closed.Name] : [],
        ];
    }

    private static IEnumerable<string> Each(ParseResult result, Option<string[]> option) =>
        (result.GetValue(option) ?? []).SelectMany(value => (string[])[option.Name, value]);
}
