using System.CommandLine;
using Ingot.Cli.Output;
using Ingot.Server.Api;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot promote|approve|reject|revoke|explain IMAGE</c>.</summary>
internal static class PromotionCommands
{
    public static Command CreatePromote(Binder bind)
    {
        var (image, stage) = Symbols();
        var command = new Command("promote", "Ask for an image to be admitted to a stage") { image, stage };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            using var server = await context.ConnectAsync(cancellationToken);
            var target = await ImageArgument.ResolveAsync(context, server, result.GetRequiredValue(image), cancellationToken);
            var decision = await server.SendAsync(HttpMethod.Post, "api/v1/promotions",
                new PromotionRequest(target.Project, target.Image, result.GetRequiredValue(stage), target.Digest),
                ApiJson.Default.PromotionRequest, ApiJson.Default.DecisionReply, cancellationToken);
            return Answer(context.Terminal, decision);
        }));
        return command;
    }

    public static Command CreateExplain(Binder bind)
    {
        var (image, stage) = Symbols();
        var command = new Command("explain", "Show which gate says what about an image in a stage, and on which evidence") { image, stage };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            using var server = await context.ConnectAsync(cancellationToken);
            var target = await ImageArgument.ResolveAsync(context, server, result.GetRequiredValue(image), cancellationToken);
            var decision = await server.GetAsync($"api/v1/explain?project={Uri.EscapeDataString(target.Project)}"
                + $"&image={Uri.EscapeDataString(target.Image)}&stage={Uri.EscapeDataString(result.GetRequiredValue(stage))}"
                + $"&digest={Uri.EscapeDataString(target.Digest.ToString())}", ApiJson.Default.DecisionReply, cancellationToken);
            return Answer(context.Terminal, decision);
        }));
        return command;
    }

    public static Command CreateApprove(Binder bind) => CreateWord(bind, "approve", "Approve an image for a stage", approved: true);

    public static Command CreateReject(Binder bind) => CreateWord(bind, "reject", "Reject an image for a stage", approved: false);

    public static Command CreateRevoke(Binder bind)
    {
        var image = new Argument<string>("IMAGE") { Description = "name[:tag][@digest]" };
        var why = Why();
        var command = new Command("revoke", "Withdraw every promotion of an image: no stage admits it, no rollout moves to it, "
            + "no rollback returns to it; what serves it continues until another version is deployed") { image, why };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            using var server = await context.ConnectAsync(cancellationToken);
            var target = await ImageArgument.ResolveAsync(context, server, result.GetRequiredValue(image), cancellationToken);
            var reply = await server.SendAsync(HttpMethod.Post, "api/v1/revocations",
                new RevocationRequest(target.Project, target.Image, target.Digest, result.GetRequiredValue(why)),
                ApiJson.Default.RevocationRequest, ApiJson.Default.ResolveReply, cancellationToken);
            if (!context.Terminal.TryJson(reply, ApiJson.Default.ResolveReply))
                context.Terminal.Line($"{target.Repository}@{target.Digest} is revoked");
            return ExitCode.Done;
        }));
        return command;
    }

    /// <summary>Prints a decision as a tree; the exit code is its answer.</summary>
    public static int Answer(Terminal terminal, DecisionReply decision)
    {
        if (!terminal.TryJson(decision, ApiJson.Default.DecisionReply))
            Print(terminal, decision);
        return CodeOf(decision);
    }

    /// <summary>Whether a digest was admitted, was refused, or only waits: for people, or for time to pass.</summary>
    internal static int CodeOf(DecisionReply decision)
    {
        if (decision.Decision == "admitted")
            return ExitCode.Done;
        var open = decision.Gates.Where(gate => gate.Verdict != "pass").ToList();
        return open.Count > 0 && open.All(gate => gate is { Gate: "approvals", Verdict: "unknown" } or { Gate: "soak" })
            ? ExitCode.Waiting
            : ExitCode.No;
    }

    public static void Print(Terminal terminal, DecisionReply decision, bool toProgress = false)
    {
        Action<string> say = toProgress ? terminal.Result : terminal.Line;
        bool admitted = decision.Decision == "admitted";
        string name =
            $"{decision.Project}/{decision.Image}{(decision.Version is null ? "" : ":" + decision.Version)} ({decision.Digest.Short})";
        say($"{name} {(admitted ? terminal.Good("is admitted") : terminal.Bad("is refused"))} in stage {decision.Stage}");
        if (decision.Fallen is not null)
            say($"  {terminal.Bad(decision.Fallen)}");
        int width = decision.Gates.Count == 0 ? 0 : decision.Gates.Max(g => g.Gate.Length);
        foreach (var gate in decision.Gates)
        {
            string verdict =
                gate.Verdict switch { "pass" => terminal.Good("pass   "), "fail" => terminal.Bad("fail   "), _ => terminal.Bad("unknown") };
            say($"  {verdict} {gate.Gate.PadRight(width)}  {gate.Reason}");
            foreach (var evidence in gate.Evidence)
                say(terminal.Faint($"          {new string(' ', width)}evidence {evidence}"));
            if (gate.Verdict != "pass" && gate.Cure is not null)
                say($"          {new string(' ', width)}-> {gate.Cure}");
        }

        foreach (var quarantine in decision.Quarantines ?? [])
        {
            say(terminal.Bad($"  it failed in {decision.Stage}/{quarantine.Service} and is not released there "
                + $"again{(quarantine.WithSettings ? " with the settings it had" : "")}: {quarantine.Reason}"));
            foreach (string symptom in SymptomText.Of(quarantine.Symptoms))
                say($"    {symptom}");
        }
    }

    private static Command CreateWord(Binder bind, string name, string description, bool approved)
    {
        var (image, stage) = Symbols();
        var why = Why();
        var command = new Command(name, description + "; who and why are recorded") { image, stage, why };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            using var server = await context.ConnectAsync(cancellationToken);
            var target = await ImageArgument.ResolveAsync(context, server, result.GetRequiredValue(image), cancellationToken);
            var decision = await server.SendAsync(HttpMethod.Post, "api/v1/approvals",
                new ApprovalRequest(target.Project, target.Image, result.GetRequiredValue(stage), target.Digest,
                    result.GetRequiredValue(why), approved),
                ApiJson.Default.ApprovalRequest, ApiJson.Default.DecisionReply, cancellationToken);
            var principal = await server.GetAsync("api/v1/principal", ApiJson.Default.PrincipalReply, cancellationToken);
            if (!context.Terminal.TryJson(decision, ApiJson.Default.DecisionReply))
            {
                context.Terminal.Line($"recorded: {principal.Name} {(approved ? "approves" : "rejects")} {target.Repository} "
                    + $"({target.Digest.Short}) for {decision.Stage}: {result.GetRequiredValue(why)}");
                Print(context.Terminal, decision);
            }

            return ExitCode.Done;
        }));
        return command;
    }

    private static (Argument<string> Image, Option<string> Stage) Symbols() => (
        new Argument<string>("IMAGE") { Description = "name[:tag][@digest] of the project" },
        new Option<string>("--stage") { Description = "The stage", HelpName = "STAGE", Required = true });

    private static Option<string> Why() => new("--why") { Description = "The reason, for the record", HelpName = "TEXT", Required = true };
}
