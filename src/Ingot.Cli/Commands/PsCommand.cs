using System.CommandLine;
using System.Globalization;
using System.Text.Json.Serialization;
using Ingot.Cli.Output;
using Ingot.Oci.Content;
using Ingot.Server.Api;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot ps [SERVICE]</c>.</summary>
internal static class PsCommand
{
    public static Command Create(Binder bind)
    {
        var service = new Argument<string?>("SERVICE") { Description = "Only this service", Arity = ArgumentArity.ZeroOrOne };
        var stage = new Option<string?>("--stage") { Description = "Only at this stage", HelpName = "STAGE" };
        var watch = Watching.Option();
        var command = new Command("ps",
            "The instances: service, stage, generation, version, digest, state, health, address, container, since when")
        {
            service, stage, watch,
        };
        command.SetAction(
            bind((context, result, cancellationToken) =>
                Watching.ShowAsync(context.Terminal, result.GetValue(watch), async (terminal, token) =>
                {
                    var rows = Rows(await StatusCommand.FetchAsync(context, result.GetValue(service), token), result.GetValue(stage));
                    if (!terminal.TryJson(new PsReport(rows), PsJson.Default.PsReport))
                        Print(terminal, rows);
                }, cancellationToken)));
        return command;
    }

    internal static IReadOnlyList<InstanceRow> Rows(StatusReply status, string? stage) =>
    [
        .. from s in status.Services
           where stage is null || s.Stage == stage
           from i in s.Instances
           select new InstanceRow(
               s.Project, s.Service, s.Stage, i.Name ?? i.Id, i.Generation, i.Version, i.Digest, i.State, i.Health, i.Check, i.ExitCode,
               i.Address, i.Id, i.Since),
    ];

    internal static void Print(Terminal terminal, IReadOnlyList<InstanceRow> rows)
    {
        if (rows.Count == 0)
        {
            terminal.Line("no instances");
            return;
        }

        terminal.Table(
            ["SERVICE", "STAGE", "INSTANCE", "GENERATION", "VERSION", "DIGEST", "STATE", "HEALTH", "ADDRESS", "CONTAINER", "SINCE"],
            rows.Select(r => (string[])
            [
                r.Service, r.Stage, r.Instance, r.Generation.ToString(CultureInfo.InvariantCulture), r.Version ?? "-", r.Digest.Short,
                r.ExitCode is { } code ? $"{r.State} ({code})" : r.State, r.Check is null ? r.Health : $"{r.Health}: {r.Check}",
                r.Address ?? "-", r.Container,
                r.Since?.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture) ?? "-",
            ]));
    }
}

/// <summary>What <c>ingot ps --output json</c> prints.</summary>
internal sealed record PsReport(IReadOnlyList<InstanceRow> Instances);

internal sealed record InstanceRow(
    string Project, string Service, string Stage, string Instance, int Generation, string? Version, Digest Digest, string State,
    string Health, string? Check, int? ExitCode,
    string? Address, string Container, DateTimeOffset? Since);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(PsReport))]
internal sealed partial class PsJson : JsonSerializerContext;
