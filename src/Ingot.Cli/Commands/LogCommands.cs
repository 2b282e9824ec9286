using System.CommandLine;
using System.Globalization;
using Ingot.Cli.Output;
using Ingot.Diagnostics;
using Ingot.Server.Access;
using Ingot.Server.Api;
using Ingot.Server.Ledger;
using Ingot.Server.Storage;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot log show|verify|checkpoint|prove|accept-loss</c>.</summary>
internal static class LogCommands
{
    private const int Page = 500;
    private const int DefaultTail = 100;
    private const int Largest = 1000;
    private const int Wait = 20_000;

    public static Command Create(Binder bind) => new("log",
        "The ledger: everything that happened, signed, and proof that nobody changed it")
    {
        CreateShow(bind), CreateVerify(bind), CreateCheckpoint(bind), CreateProve(bind), CreateAcceptLoss(bind),
    };

    private static Command CreateShow(Binder bind)
    {
        var tail = new Option<int?>("--tail")
        {
            Description = $"The newest N entries, at most {Largest}; {DefaultTail} by default",
            HelpName = "N",
        };
        var from = new Option<long?>("--from") { Description = "Everything from this entry on", HelpName = "N" };
        var follow = new Option<bool>("--follow") { Description = "Keep printing what happens from now on" };
        var all = new Option<bool>("--all") { Description = "Also the steps in between: intents and acknowledgements of rollouts" };
        var command = new Command("show", "Show what happened, the newest last") { tail, from, follow, all };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var log = new LogReader(await context.ConnectAsync(cancellationToken, start: false), context.Terminal, result.GetValue(all));
            using (log)
            {
                long next = result.GetValue(from) is { } first
                    ? await log.ShowFromAsync(first, result.GetValue(follow), cancellationToken)
                    : await log.ShowTailAsync(TailOf(result.GetValue(tail)), cancellationToken);
                if (result.GetValue(follow))
                    await log.FollowAsync(next, cancellationToken);
            }

            return ExitCode.Done;
        }));
        return command;
    }

    private static int TailOf(int? given) => given is null or (>= 1 and <= Largest)
        ? given ?? DefaultTail
        : throw new InvalidInputException("tail", $"'{given}' is not a number of entries to show", $"1 to {Largest}; '--from 0' shows all");

    private static Command CreateVerify(Binder bind)
    {
        var against = new Option<FileInfo[]>("--against")
        {
            Description =
                "A checkpoint kept earlier, as 'log checkpoint' prints it: the ledger must continue it. May be given several times",
            HelpName = "FILE",
        };
        var command = new Command("verify",
            "Recompute the tree, the signatures and the tables from storage alone, and report what does not match") { against };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var notes = (result.GetValue(against) ?? []).Select(file => (file.Name, Note: ReadNote(file))).ToList();
            var report = LocalServer.Configured is null
                ? await VerifyHomeAsync(context.Home.Server, notes, cancellationToken)
                : await VerifyThereAsync(context, notes, cancellationToken);
            if (!context.Terminal.TryJson(report, ApiJson.Default.VerifyReply))
                Print(context.Terminal, report, notes.Count);
            return report.Ok ? ExitCode.Done : ExitCode.No;
        }));
        return command;
    }

    private static string ReadNote(FileInfo file)
    {
        try
        {
            return File.ReadAllText(file.FullName);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidInputException("against", $"the checkpoint '{file.FullName}' could not be read: {IngotException.ReasonOf(e)}",
                "a file that 'ingot log checkpoint' printed");
        }
    }

    /// <summary>The home's own ledger is read from its file, whoever has it open, and whether a server runs or not.</summary>
    private static async Task<VerifyReply> VerifyHomeAsync(
        ServerHome home, List<(string Name, string Note)> notes, CancellationToken cancellationToken)
    {
        HomeDirectory.Check(home.Root);
        var known = notes.ConvertAll(kept => ReadKnown(home, kept.Name, kept.Note));
        return VerifyReply.Of(await LedgerVerifier.VerifyAsync(home, known, cancellationToken));
    }

    private static Transparency.Checkpoint ReadKnown(ServerHome home, string name, string note)
    {
        try
        {
            return LedgerVerifier.ReadKnown(home, note);
        }
        catch (FormatException e)
        {
            throw new InvalidInputException("against", $"'{name}' is not a checkpoint of this log: {e.Message}",
                "a file that 'ingot log checkpoint' printed for this log");
        }
    }

    private static async Task<VerifyReply> VerifyThereAsync(
        CommandContext context, List<(string Name, string Note)> notes, CancellationToken cancellationToken)
    {
        using var server = await context.ConnectAsync(cancellationToken, start: false);
        var request = new VerifyRequest(notes.ConvertAll(kept => kept.Note));
        return await server.SendAsync(HttpMethod.Post, "api/v1/log/verify", request, ApiJson.Default.VerifyRequest,
            ApiJson.Default.VerifyReply, cancellationToken);
    }

    private static Command CreateCheckpoint(Binder bind)
    {
        var command = new Command("checkpoint",
            "Print the newest signed checkpoint: kept elsewhere, it can later prove that nothing before it was changed or cut off");
        command.SetAction(bind(async (context, _, cancellationToken) =>
        {
            context.Terminal.Document((await CheckpointAsync(context, cancellationToken)).TrimEnd('\n'));
            return ExitCode.Done;
        }));
        return command;
    }

    private static async Task<string> CheckpointAsync(CommandContext context, CancellationToken cancellationToken)
    {
        if (LocalServer.Configured is null)
        {
            HomeDirectory.Check(context.Home.Directory);
            return LedgerStore.CheckpointOf(context.Home.Server)
                ?? throw new RefusedException("the ledger is empty: there is nothing to keep a checkpoint of");
        }

        using var server = await context.ConnectAsync(cancellationToken, start: false);
        return await server.GetTextAsync("api/v1/log/checkpoint", cancellationToken);
    }

    private static Command CreateProve(Binder bind)
    {
        var entry = new Argument<long>("ENTRY") { Description = "The entry's number, as 'log show' prints it" };
        var command = new Command("prove",
            "Print a proof (c2sp.org/tlog-proof) that an entry is in the signed ledger, for anyone to check offline") { entry };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            using var server = await context.ConnectAsync(cancellationToken, start: false);
            context.Terminal.Document((await server.GetTextAsync(
                $"api/v1/log/proof/{result.GetValue(entry).ToString(CultureInfo.InvariantCulture)}", cancellationToken)).TrimEnd('\n'));
            return ExitCode.Done;
        }));
        return command;
    }

    private static Command CreateAcceptLoss(Binder bind)
    {
        var why = new Option<string>("--why") { Description = "The reason, for the record", HelpName = "TEXT", Required = true };
        var command = new Command("accept-loss",
            "Continue with a ledger that lost entries this home remembers, when no backup has them; recorded with your name") { why };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            if (LocalServer.Configured is { } server)
                throw new RefusedException(
                    $"INGOT_SERVER names '{server}': a loss is accepted on the host that has the ledger, without INGOT_SERVER");

            HomeDirectory.Check(context.Home.Directory);
            var entry = await LedgerStore.AcceptLossAsync(context.Home.Server, TimeProvider.System, Principal.NameOf(Environment.UserName),
                ReasonOf(result.GetRequiredValue(why)), cancellationToken);
            context.Terminal.Line($"the loss is on the record as entry {entry.Seq}: checkpoints that were kept of what is lost no longer "
                + "verify, and that entry says why");
            return ExitCode.Done;
        }));
        return command;
    }

    private static string ReasonOf(string why) => PlainText.IsPlain(why) && why.Length is > 0 and <= Largest
        ? why
        : throw new InvalidInputException("why", "the reason is not one line of visible characters",
            $"a sentence of at most {Largest} characters");

    private static void Print(Terminal terminal, VerifyReply report, int against)
    {
        string continues = against == 0
            ? ""
            : $", and continue {(against == 1 ? "the checkpoint" : $"all {against} checkpoints")} that were kept";
        if (report.Ok)
            terminal.Line(
                terminal.Good($"{report.Size} entries are whole: tree, signatures and tables match{continues}; root {report.Root}"));
        foreach (var problem in report.Problems)
            terminal.Line(terminal.Bad(problem.Entry is { } entry ? $"entry {entry}: {problem.Problem}" : problem.Problem));
    }

    /// <summary>Reads a server's ledger and tells it. It owns the client.</summary>
    private sealed class LogReader(ServerClient server, Terminal terminal, bool all) : IDisposable
    {
        public void Dispose() => server.Dispose();

        /// <summary>Tells everything from an entry on; returns where it goes on.</summary>
        public async Task<long> ShowFromAsync(long from, bool isFollowed, CancellationToken cancellationToken)
        {
            RequireRange(from, isFollowed, (await GetAsync($"from=0&count=1", cancellationToken)).Size);
            var entries = new List<LogEntryReply>();
            long next = from;
            long size;
            do
            {
                var page = await GetAsync($"from={next}&count={Page}", cancellationToken);
                size = page.Size;
                next += Page;
                if (terminal.Json)
                    entries.AddRange(page.Entries);
                else
                    Print(page.Entries);
            }
            while (next < size);

            terminal.TryJson(new LogReply(size, entries), ApiJson.Default.LogReply);
            return size;
        }

        // What comes next may be waited for; what comes after that cannot be meant.
        private static void RequireRange(long from, bool isFollowed, long size)
        {
            if (from >= 0 && (from < size || (from == size && isFollowed)))
                return;

            string entries = size == 0 ? "has no entries yet" : size == 1 ? "has one entry, number 0" : $"has the entries 0 to {size - 1}";
            throw new InvalidInputException("from", $"there is nothing from entry {from} on: the ledger {entries}", "'--from 0' shows all");
        }

        /// <summary>Tells the newest entries, and how many there are before them; returns where it goes on.</summary>
        public async Task<long> ShowTailAsync(int count, CancellationToken cancellationToken)
        {
            var page = await GetAsync($"tail={count}", cancellationToken);
            if (terminal.TryJson(page, ApiJson.Default.LogReply))
                return page.Size;

            if (page.Entries is [var first, ..] && page.Entries.Count == count && first.Entry > 0)
                terminal.Line($"{first.Entry} entries before these are not shown: 'ingot log show --from 0' shows all");
            Print(page.Entries);
            return page.Size;
        }

        /// <summary>Tells what happens from an entry on, until it is told to stop.</summary>
        public async Task FollowAsync(long next, CancellationToken cancellationToken)
        {
            while (true)
            {
                var page = await GetAsync($"from={next}&count={Page}&wait={Wait}", cancellationToken);
                next = Math.Min(page.Size, next + Page);
                if (page.Entries.Count > 0 && !terminal.TryJson(page, ApiJson.Default.LogReply))
                    Print(page.Entries);
            }
        }

        private Task<LogReply> GetAsync(FormattableString query, CancellationToken cancellationToken) =>
            server.GetAsync($"api/v1/log?{query.ToString(CultureInfo.InvariantCulture)}&all={(all ? "true" : "false")}",
                ApiJson.Default.LogReply, cancellationToken);

        private void Print(IReadOnlyList<LogEntryReply> entries)
        {
            foreach (var entry in entries)
                terminal.Line($"{entry.Entry,5}  {entry.Time.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)}  "
                    + $"{entry.Actor,-12}  {entry.Text}");
        }
    }
}
