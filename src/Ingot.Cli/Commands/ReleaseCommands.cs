using System.CommandLine;
using Ingot.Cli.Output;
using Ingot.Cli.Pipeline;
using Ingot.Projects;
using Ingot.Server.Api;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot deploy|rollback|pause|resume SERVICE --stage S</c> and <c>ingot down</c>.</summary>
internal static class ReleaseCommands
{
    public static Command CreateDeploy(Binder bind)
    {
        var (service, stage) = Symbols();
        var image = new Option<string>("--image")
        {
            Description = "name[:tag][@digest] of the project; the service's image at its version when left out",
            HelpName = "IMAGE",
        };
        var overrideQuarantine = new Option<bool>("--override")
        {
            Description = "Release a digest even though it is quarantined; recorded with your name",
        };
        var why = new Option<string>("--why")
        {
            Description = "The reason, for the record",
            HelpName = "TEXT",
            DefaultValueFactory = _ => "deployed by hand",
        };
        var command = new Command("deploy", "Roll an admitted image out to a service") { service, stage, image, overrideQuarantine, why };
        var wait = new WaitSymbols();
        wait.AddTo(command);
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var options = wait.Read(result);
            var project = context.LoadProject();
            using var server = await context.ConnectAsync(cancellationToken);
            string name = result.GetRequiredValue(service);
            string text = result.GetValue(image) ?? project.Services.FirstOrDefault(s => s.Name == name)?.Image ?? name;
            var target = await ImageArgument.ResolveAsync(context, server, text, cancellationToken);
            var request = new ReleaseRequest(project.Name, name, result.GetRequiredValue(stage), target.Digest, result.GetValue(why)!,
                result.GetValue(overrideQuarantine));
            var reply = await server.SendAsync(HttpMethod.Post, "api/v1/releases", request, ApiJson.Default.ReleaseRequest,
                ApiJson.Default.ReleaseReply, cancellationToken);
            return await FollowAsync(context.Terminal, server, options, reply, $"{request.Stage}/{name}",
                isEnough: null, cancellationToken);
        }));
        return command;
    }

    public static Command CreateRollback(Binder bind)
    {
        var (service, stage) = Symbols();
        var why = new Option<string>("--why")
        {
            Description = "The reason, for the record",
            HelpName = "TEXT",
            DefaultValueFactory = _ => "rolled back by hand",
        };
        var command = new Command("rollback",
            "Give the traffic back to the previous generation at once; the digest that is left is quarantined with its settings")
        {
            service, stage, why,
        };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var project = context.LoadProject();
            using var server = await context.ConnectAsync(cancellationToken);
            var request = new RollbackRequest(project.Name, result.GetRequiredValue(service), result.GetRequiredValue(stage),
                result.GetValue(why)!);
            var reply = await server.SendAsync(HttpMethod.Post, "api/v1/rollbacks", request, ApiJson.Default.RollbackRequest,
                ApiJson.Default.ReleaseReply, cancellationToken);
            // What is left after the traffic is back is clearing away: nobody waits for that.
            return await FollowAsync(context.Terminal, server, new WaitOptions(), reply, $"{request.Stage}/{request.Service}",
                rollout => rollout.TrafficBack, cancellationToken);
        }));
        return command;
    }

    public static Command CreatePause(Binder bind) =>
        CreatePause(bind, "pause", "Hold a rollout where it is; the judge still runs and may abort it", paused: true);

    public static Command CreateResume(Binder bind) => CreatePause(bind, "resume", "Let a paused rollout continue", paused: false);

    public static Command CreateDown(Binder bind)
    {
        var directory = new Argument<string?>("DIR")
        {
            Description = "The project's directory; the nearest above when left out",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var service = new Option<string?>("--service")
        {
            Description = "Only this service, also one that is no longer in the project",
            HelpName = "SERVICE",
        };
        var stage = new Option<string?>("--stage") { Description = "Only at this stage", HelpName = "STAGE" };
        var command = new Command("down",
            "Stop what 'up' started: the instances and the proxies of a project. Images, evidence and the ledger stay")
        {
            directory, service, stage,
        };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var project = result.GetValue(directory) is { } given
                ? ProjectFiles.Load(context.Resolve(given), context.Host.FrontEnds)
                : context.LoadProject();
            using var server = await context.ConnectAsync(cancellationToken);
            var request = new StopRequest(project.Name, result.GetValue(service), result.GetValue(stage));
            var status = await server.SendAsync(HttpMethod.Post, "api/v1/stops", request, ApiJson.Default.StopRequest,
                ApiJson.Default.StatusReply, cancellationToken);
            if (!context.Terminal.TryJson(status, ApiJson.Default.StatusReply))
                context.Terminal.Line($"{Stopped(request)} is stopped");
            return ExitCode.Done;
        }));
        return command;
    }

    private static string Stopped(StopRequest request) =>
        (request.Service is null ? $"project {request.Project}" : $"service {request.Service} of {request.Project}")
            + (request.Stage is null ? "" : $" at {request.Stage}");

    private static Command CreatePause(Binder bind, string name, string description, bool paused)
    {
        var (service, stage) = Symbols();
        var why = new Option<string>("--why")
        {
            Description = "The reason, for the record",
            HelpName = "TEXT",
            DefaultValueFactory = _ => "by hand",
        };
        var command = new Command(name, description) { service, stage, why };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var project = context.LoadProject();
            using var server = await context.ConnectAsync(cancellationToken);
            var request = new PauseRequest(project.Name, result.GetRequiredValue(service), result.GetRequiredValue(stage),
                result.GetValue(why)!, paused);
            var rollout = await server.SendAsync(HttpMethod.Post, "api/v1/pauses", request, ApiJson.Default.PauseRequest,
                ApiJson.Default.RolloutReply, cancellationToken);
            if (!context.Terminal.TryJson(rollout, ApiJson.Default.RolloutReply))
                context.Terminal.Line($"rollout {rollout.Id} of {request.Stage}/{request.Service} is {(paused ? "paused" : "resumed")}");
            return ExitCode.Done;
        }));
        return command;
    }

    private static async Task<int> FollowAsync(
        Terminal terminal, ServerClient server, WaitOptions options, ReleaseReply reply, string name, Func<RolloutReply, bool>? isEnough,
        CancellationToken cancellationToken)
    {
        if (reply.Outcome == "refused")
            throw new RefusedException(reply.Reason!);

        if (reply.Outcome == "unchanged")
        {
            if (!terminal.TryJson(reply, ApiJson.Default.ReleaseReply))
                terminal.Line(reply.Reason ?? $"{name} runs this already");
            return ExitCode.Done;
        }

        if (reply.Reason is { } note)
            terminal.Progress($"  {note}");

        var followed = await new RolloutFollower(server, options, text => terminal.Progress($"  {text}"), TimeProvider.System)
            .FollowAsync(reply.Rollout!, isEnough, cancellationToken);
        bool isReturn = isEnough is not null;
        if (!terminal.TryJson(followed.Reply, ApiJson.Default.RolloutReply))
            Print(terminal, followed, name, isReturn, reply.Generation);
        return isReturn ? CodeOfReturn(followed) : followed.ExitCode;
    }

    /// <summary>A rollout that was taken back did what a rollback asks for; one that ended with the traffic elsewhere did not, however it
    /// ended.</summary>
    internal static int CodeOfReturn(FollowedRollout followed) =>
        followed.Rollout.TrafficBack ? ExitCode.Done : followed.End == RolloutEnd.Done ? ExitCode.WentBack : followed.ExitCode;

    /// <summary>What is said of a rollback that has given the traffic back.</summary>
    internal static string Returned(string name, int? generation) => generation is { } number
        ? $"{name}: generation {number} has the traffic again"
        : $"{name}: nothing serves: the first deployment was taken back";

    private static void Print(Terminal terminal, FollowedRollout followed, string name, bool isReturn, int? returnedTo)
    {
        var rollout = followed.Rollout;
        string text = followed.End switch
        {
            _ when isReturn && rollout.TrafficBack => terminal.Good(Returned(name, returnedTo)),
            RolloutEnd.Done or RolloutEnd.WentBack when isReturn =>
                terminal.Bad($"{name}: the traffic was not given back: rollout {rollout.Id} ended as {rollout.State}"
                    + (rollout.Reason is { } why ? $": {why}" : "")),
            RolloutEnd.Done => terminal.Good($"{name} serves generation {rollout.Generation}"),
            RolloutEnd.Detached => $"{name}: rollout {rollout.Id} goes on; {RolloutFollower.WaysOf(rollout)}",
            RolloutEnd.TimedOut => terminal.Bad($"{name}: timed out while rollout {rollout.Id} is in {rollout.State} at "
                + $"{rollout.Share} %; it goes on; {RolloutFollower.WaysOf(rollout)}"),
            RolloutEnd.Paused => terminal.Bad($"{name}: paused: {rollout.Reason}"),
            _ => terminal.Bad($"{name}: went back: {rollout.Reason}"),
        };
        terminal.Line(text);
        foreach (string symptom in SymptomText.Of(rollout.Symptoms))
            terminal.Line($"  {symptom}");
    }

    private static (Argument<string> Service, Option<string> Stage) Symbols() => (
        new Argument<string>("SERVICE") { Description = "The service's name in the project" },
        new Option<string>("--stage") { Description = "The stage", HelpName = "STAGE", Required = true });
}
