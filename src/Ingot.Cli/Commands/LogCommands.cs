using System.CommandLine;
using System.Globalization;
using Ingot.Cli.Output;
using Ingot.Server.Api;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot log show|verify|prove</c>.</summary>
internal static class LogCommands
{
    private const int Page = 500;

    public static Command Create(Binder bind) => new("log", "The ledger: everything that happened, signed, and proof that nobody changed it")
    {
        CreateShow(bind), CreateVerify(bind), CreateProve(bind),
    };

    private static Command CreateShow(Binder bind)
    {
        var from = new Option<long>("--from") { Description = "The first entry", HelpName = "N", DefaultValueFactory = _ => 0 };
        var all = new Option<bool>("--all") { Description = "Also the steps in between: intents, acknowledgements and measurements of rollouts" };
        var command = new Command("show", "Tell what happened") { from, all };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            using var server = await context.ConnectAsync(cancellationToken, start: false);
            var entries = new List<LogEntryReply>();
            long next = result.GetValue(from);
            long size;
            do
            {
                var page = await server.GetAsync($"api/v1/log?from={next}&count={Page}&all={(result.GetValue(all) ? "true" : "false")}", ApiJson.Default.LogReply, cancellationToken);
                size = page.Size;
                next += Page;
                if (context.Terminal.Json)
                    entries.AddRange(page.Entries);
                else
                    Print(context.Terminal, page.Entries);
            }
            while (next < size);

            context.Terminal.TryJson(new LogReply(size, entries), ApiJson.Default.LogReply);
            return ExitCode.Done;
        }));
        return command;
    }

    private static Command CreateVerify(Binder bind)
    {
        var command = new Command("verify", "Recompute the tree, the signatures and the tables from storage alone, and name what does not match");
        command.SetAction(bind(async (context, _, cancellationToken) =>
        {
            using var server = await context.ConnectAsync(cancellationToken, start: false);
            var report = await server.GetAsync("api/v1/log/verify", ApiJson.Default.VerifyReply, cancellationToken);
            if (!context.Terminal.TryJson(report, ApiJson.Default.VerifyReply))
                Print(context.Terminal, report);
            return report.Ok ? ExitCode.Done : ExitCode.No;
        }));
        return command;
    }

    private static Command CreateProve(Binder bind)
    {
        var entry = new Argument<long>("ENTRY") { Description = "The entry's number, as 'log show' prints it" };
        var command = new Command("prove", "Print a proof (c2sp.org/tlog-proof) that an entry is in the signed ledger, for anyone to check offline") { entry };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            using var server = await context.ConnectAsync(cancellationToken, start: false);
            context.Terminal.Document((await server.GetTextAsync($"api/v1/log/proof/{result.GetValue(entry).ToString(CultureInfo.InvariantCulture)}", cancellationToken)).TrimEnd('\n'));
            return ExitCode.Done;
        }));
        return command;
    }

    private static void Print(Terminal terminal, IReadOnlyList<LogEntryReply> entries)
    {
        foreach (var entry in entries)
            terminal.Line($"{entry.Entry,5}  {entry.Time.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)}  {entry.Actor,-12}  {entry.Text}");
    }

    private static void Print(Terminal terminal, VerifyReply report)
    {
        if (report.Ok)
            terminal.Line(terminal.Good($"{report.Size} entries are whole: tree, signatures and tables match; root {report.Root}"));
        foreach (var problem in report.Problems)
            terminal.Line(terminal.Bad(problem.Entry is { } entry ? $"entry {entry}: {problem.Problem}" : problem.Problem));
    }
}
