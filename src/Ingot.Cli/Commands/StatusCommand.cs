using System.CommandLine;
using System.Globalization;
using Ingot.Cli.Output;
using Ingot.Diagnostics;
using Ingot.Projects;
using Ingot.Server.Api;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot status [SERVICE]</c> and <c>ingot instances [SERVICE]</c>.</summary>
internal static class StatusCommand
{
    public static Command Create(Binder bind)
    {
        var service = new Argument<string?>("SERVICE") { Description = "Only this service", Arity = ArgumentArity.ZeroOrOne };
        var watch = Watching.Option();
        var command = new Command("status",
            "What runs where: stage, service, digest, version, generation, instances, health, share of traffic, since when")
        {
            service, watch,
        };
        command.SetAction(
            bind((context, result, cancellationToken) =>
                Watching.ShowAsync(context.Terminal, result.GetValue(watch), async (terminal, token) =>
                {
                    var status = await FetchAsync(context, result.GetValue(service), token);
                    if (!terminal.TryJson(status, ApiJson.Default.StatusReply))
                        Print(terminal, status);
                }, cancellationToken)));
        return command;
    }

    public static Command CreateInstances(Binder bind)
    {
        var service = new Argument<string?>("SERVICE") { Description = "Only this service", Arity = ArgumentArity.ZeroOrOne };
        var watch = Watching.Option();
        var command = new Command("instances", "Every instance with its generation, address, state and health") { service, watch };
        command.SetAction(
            bind((context, result, cancellationToken) =>
                Watching.ShowAsync(context.Terminal, result.GetValue(watch), async (terminal, token) =>
                {
                    var status = await FetchAsync(context, result.GetValue(service), token);
                    if (!terminal.TryJson(status, ApiJson.Default.StatusReply))
                        PsCommand.Print(terminal, PsCommand.Rows(status, stage: null));
                }, cancellationToken)));
        return command;
    }

    public static void Print(Terminal terminal, StatusReply status)
    {
        if (status.Services.Count == 0)
        {
            terminal.Line("nothing runs");
            return;
        }

        terminal.Table(
            ["STAGE", "SERVICE", "VERSION", "DIGEST", "GENERATION", "STATE", "INSTANCES", "SHARE", "SINCE", "URL"],
            status.Services.Select(Row));
        foreach (var service in status.Services)
        {
            if (service.Withdrawn is not null)
                terminal.Line(terminal.Bad(
                    $"{service.Stage}/{service.Service}: {service.Withdrawn}; it goes on serving until another version is deployed"));
            if (service.Left)
                terminal.Line($"{service.Stage}/{service.Service} is no longer in the project: "
                    + $"it keeps running until 'ingot down --service {service.Service} --stage {service.Stage}'");
            foreach (string trouble in service.Troubles)
                terminal.Line(terminal.Bad($"{service.Stage}/{service.Service}: {trouble}"));
            foreach (var warm in service.Warm)
                terminal.Line($"{service.Stage}/{service.Service}: generation {warm.Generation} ({warm.Version ?? warm.Digest.Short}) "
                    + $"{Standing(warm)}");
            if (service.Failure is { } failure)
                Print(terminal, service, failure);
            if (service.Rollout is { } rollout)
                terminal.Line($"{service.Stage}/{service.Service}: rollout {rollout.Id} of {rollout.Version ?? rollout.Digest.Short} is "
                    + $"{rollout.State} at {rollout.Share} %{(rollout.Reason is null ? "" : ": " + rollout.Reason)}");
        }
    }

    private static void Print(Terminal terminal, ServiceStatus service, FailedRollout failure)
    {
        terminal.Line(terminal.Bad($"{service.Stage}/{service.Service}: "
            + $"rollout {failure.Rollout} of {failure.Version ?? failure.Digest.Short} went back: {failure.Reason}"));
        foreach (string symptom in SymptomText.Of(failure.Symptoms))
            terminal.Line($"  {symptom}");
    }

    private static string Standing(GenerationStatus warm) => warm.Withdrawn is null
        ? $"is kept warm with {(warm.Instances == 1 ? "1 instance" : $"{warm.Instances} instances")}"
        : $"cannot be rolled back to: {warm.Withdrawn}";

    internal static async Task<StatusReply> FetchAsync(CommandContext context, string? service, CancellationToken cancellationToken)
    {
        using var server = await context.ConnectAsync(cancellationToken, start: false);
        var status = await server.GetAsync("api/v1/status", ApiJson.Default.StatusReply, cancellationToken);
        if (service is null)
            return status;

        RequireKnown(context, status, service);
        return new StatusReply([.. status.Services.Where(s => s.Service == service)]);
    }

    // A service of the project here may not have run yet.
    private static void RequireKnown(CommandContext context, StatusReply status, string service)
    {
        string[] here = ProjectFiles.IsIn(context.ProjectDirectory) ? [.. context.LoadProject().Services.Select(s => s.Name)] : [];
        string[] known = [.. status.Services.Select(s => s.Service).Union(here).Order(StringComparer.Ordinal)];
        if (!known.Contains(service))
            throw new InvalidInputException("no-service", $"there is no service '{service}'", Suggestion.Among(service, "services", known));
    }

    private static string[] Row(ServiceStatus s) =>
    [
        s.Stage, s.Service, s.Version ?? "-", s.Digest?.Short ?? "-", s.Generation?.ToString(CultureInfo.InvariantCulture) ?? "-", s.State,
        $"{s.Instances.Count(i => i.Generation == s.Generation && i.Health == "healthy")}"
            + $"/{s.Instances.Count(i => i.Generation == s.Generation)}",
        $"{s.Share} %", s.Since?.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture) ?? "-", s.Url ?? "-",
    ];
}
