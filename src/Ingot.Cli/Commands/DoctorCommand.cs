using System.CommandLine;
using System.Text.Json.Serialization;
using Ingot.Tools;
using Command = System.CommandLine.Command;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot doctor</c>.</summary>
internal static class DoctorCommand
{
    public static Command Create(Binder bind)
    {
        var fix = new Option<bool>("--fix") { Description = "Install what is missing (the launcher does it before the program starts)" };
        var command = new Command("doctor", "Check prerequisites and show how to fix what is missing; show where the data is") { fix };
        command.SetAction(bind(async (context, _, cancellationToken) =>
        {
            using var server = await ConnectQuietlyAsync(context, cancellationToken);
            var health = server is null ? null : await server.TryHealthAsync(cancellationToken);
            var missing = Prerequisites.Missing();
            var report = new DoctorReport(
                context.Home.Directory,
                [.. Prerequisites.All.Select(p => new DoctorCheck(p.Package, p.Needs, p.Reason, !missing.Contains(p)))],
                Dockerd.Answers(),
                health?.Version,
                Environment.UserName == "root",
                missing.Count == 0 ? null : Prerequisites.Install(missing).ToString())
            {
                DockerElsewhere = DockerContext.OfUser.Elsewhere(),
            };
            if (!context.Terminal.TryJson(report, DoctorJson.Default.DoctorReport))
                Print(context, report);
            return missing.Count == 0 ? ExitCode.Done : ExitCode.WrongEnvironment;
        }));
        return command;
    }

    private static async Task<ServerClient?> ConnectQuietlyAsync(CommandContext context, CancellationToken cancellationToken)
    {
        try
        {
            return await context.ConnectAsync(cancellationToken, start: false);
        }
        catch (ServerException)
        {
            return null;
        }
    }

    private static void Print(CommandContext context, DoctorReport report)
    {
        var terminal = context.Terminal;
        terminal.Line($"home     {report.Home}");
        terminal.Line($"user     {(report.Root ? "root" : "not root: builds and local rollouts need root")}");
        terminal.Line($"docker   {(report.Docker ? "answers" : "does not answer; 'ingot up' starts dockerd when it is needed")}");
        if (report.DockerElsewhere is { } elsewhere)
            terminal.Line($"         {terminal.Bad(elsewhere)}");
        terminal.Line($"server   {(report.Server is null ? "none runs; 'ingot up' starts one" : "version " + report.Server)}");
        terminal.Line();
        terminal.Table(["", "PACKAGE", "NEEDED", "REASON"],
            report.Packages.Select(p => (string[])[p.Present ? "ok" : "MISSING", p.Package, p.Needs, p.Reason]));
        if (report.Cure is not null)
            terminal.Document($"\nfix it with: {report.Cure}");
    }
}

internal sealed record DoctorReport(string Home, IReadOnlyList<DoctorCheck> Packages, bool Docker, string? Server, bool Root, string? Cure)
{
    /// <summary>What the <c>docker</c> command talks to that is not this host's own Engine; null when it is this host's own.</summary>
    public string? DockerElsewhere { get; init; }
}

internal sealed record DoctorCheck(string Package, string Needs, string Reason, bool Present);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(DoctorReport))]
internal sealed partial class DoctorJson : JsonSerializerContext;
