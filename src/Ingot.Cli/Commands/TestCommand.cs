using System.CommandLine;
using Ingot.Cli.Output;
using Ingot.Evidence;
using Ingot.Evidence.Tests;
using Ingot.Oci.Content;
using Ingot.Projects.Examination;

namespace Ingot.Cli.Commands;

/// <summary><c>ingot test IMAGE -f goss.yaml</c>.</summary>
internal static class TestCommand
{
    public static Command Create(Binder bind)
    {
        var name = new Argument<string>("IMAGE") { Description = "name[:tag][@digest] in the local store" };
        var file = new Option<string[]>("--file", "-f")
        {
            Description = "A goss file; may be given several times",
            HelpName = "FILE",
            Required = true,
        };
        var command = new Command("test", "Run goss tests against an image: on its files, and in a sandbox") { name, file };
        command.SetAction(bind(async (context, result, cancellationToken) =>
        {
            var (found, image) = await ImagesCommands.FindAsync(context, result.GetRequiredValue(name), cancellationToken);
            var files = GossFiles.LoadTyped(context.Directory, result.GetRequiredValue(file));
            Directory.CreateDirectory(context.Home.Work);
            await using var subject = await ImageUnderTest.UnpackAsync(new DirectoryStore(context.Home.Content), image.Digest,
                context.Home.Work, cancellationToken);
            var sandbox = ProjectExamination.SandboxOf(context.FindProject(), found, context.Home.Work);
            var report = await ProjectExamination.TestAsync(subject, files, sandbox, cancellationToken);
            var reply = new TestReply(image.Digest, report.Succeeded, report.Passed, report.Failed, report.Skipped,
                [.. report.Results.Select(Row)]);
            if (!context.Terminal.TryJson(reply, ReportJson.Default.TestReply))
                ExaminationText.Print(context.Terminal, found, report);
            return report.Succeeded ? ExitCode.Done : ExitCode.No;
        }));
        return command;
    }

    private static TestRow Row(TestResult r) =>
        new(r.Name, r.Outcome.ToString().ToLowerInvariant(), r.Expected, r.Found, Math.Round(r.Duration.TotalSeconds, 4));
}
