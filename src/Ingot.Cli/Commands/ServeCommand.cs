using System.CommandLine;
using System.Net;
using Ingot.Diagnostics;
using Ingot.Server;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot serve</c>.</summary>
internal static class ServeCommand
{
    public static Command Create(Binder bind)
    {
        var listen = new Option<string>("--listen") { Description = "Address and port to listen on", HelpName = "ADDRESS:PORT", DefaultValueFactory = _ => "127.0.0.1:7070" };
        var mutable = new Option<string[]>("--mutable") { Description = "Repositories (a pattern with *) whose tags may be moved and deleted; by default none", HelpName = "PATTERN" };
        var command = new Command("serve", "Run the registry, the ledger, the API and the controller in this process") { listen, mutable };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            string text = result.GetValue(listen)!;
            if (!IPEndPoint.TryParse(text, out var endpoint) || endpoint.Port == 0)
                throw new InvalidInputException("listen", $"'{text}' is not an address and port to listen on", "expected for example 127.0.0.1:7070");

            await IngotServer.RunAsync(new ServerOptions(context.Home.Directory, endpoint, Application.Version, LocalServer.BuildId, result.GetValue(mutable) ?? []), cancellationToken);
            return ExitCode.Done;
        }));
        return command;
    }
}
