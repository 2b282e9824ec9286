using System.CommandLine;
using Ingot.Cli.Output;
using Ingot.Evidence;
using Ingot.Evidence.Claims;
using Ingot.Evidence.Secrets;
using Ingot.Oci.Content;
using Ingot.Projects.Examination;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot scan IMAGE</c>.</summary>
internal static class ScanCommand
{
    public static Command Create(Binder bind)
    {
        var name = new Argument<string>("IMAGE") { Description = "name[:tag][@digest] in the local store" };
        var command = new Command("scan", "Packages, secrets and hardening of an image (vulnerabilities are not looked up yet)") { name };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var (found, image) = await ImagesCommands.FindAsync(context, result.GetRequiredValue(name), cancellationToken);
            Directory.CreateDirectory(context.Home.Work);
            await using var subject = await ImageUnderTest.UnpackAsync(new DirectoryStore(context.Home.Content), image.Digest,
                context.Home.Work, cancellationToken);
            var scan = await ProjectExamination.ScanAsync(subject, ClaimChecker.Names, cancellationToken);
            var (packages, secrets, claims) = scan;
            var report = new ScanReport(image.Digest, packages.Packages.Count, null, [.. secrets.Findings.Select(Row)],
                [.. claims.Results.Select(Row)], packages.Unreadable);
            if (!context.Terminal.TryJson(report, ReportJson.Default.ScanReport))
                ExaminationText.Print(context.Terminal, found, scan);
            return secrets.Findings.Count == 0 ? ExitCode.Done : ExitCode.No;
        }));
        return command;
    }

    private static SecretRow Row(SecretFinding f) => new(f.Rule, ExaminationText.Where(f), f.Match);

    private static ClaimRow Row(ClaimResult c) => new(c.Claim, c.Holds, c.Offending);
}
