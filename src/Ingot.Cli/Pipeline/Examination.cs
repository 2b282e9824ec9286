using Ingot.Cli.Commands;
using Ingot.Cli.Output;
using Ingot.Evidence;
using Ingot.Evidence.Claims;
using Ingot.Evidence.Packages;
using Ingot.Evidence.Secrets;
using Ingot.Evidence.Tests;
using Ingot.Policies;
using Ingot.Templates.Project;

namespace Ingot.Cli.Pipeline;

/// <summary>The examinations of an image, shared by <c>up</c>, <c>test</c> and <c>scan</c>, and how their results are told.</summary>
internal static class Examination
{
    /// <summary>How an image is tested that stands under a name in the local store: as the services of the project in <paramref name="context"/>'s directory run it, when it is of that.</summary>
    public static SandboxOptions OptionsFor(CommandContext context, string name)
    {
        if (ProjectFiles.IsIn(context.ProjectDirectory))
        {
            var project = ProjectFiles.Load(context);
            if (project.Images.FirstOrDefault(i => name.Split(':', '@')[0] == $"{project.Name}/{i.Name}") is { } image)
                return ImageQuestions.SandboxOf(project, image, context.Home.Work);
        }

        return new SandboxOptions(context.Home.Work, TimeProvider.System);
    }

    public static Task<TestReport> TestAsync(ImageUnderTest subject, IReadOnlyList<GossFile> files, SandboxOptions options, CancellationToken cancellationToken) =>
        GossRunner.RunAsync(subject.Root, subject.Image.Config.Config, files, options, cancellationToken);

    public static void Print(Terminal terminal, string image, TestReport tests, bool isResult = true)
    {
        Action<string> say = isResult ? terminal.Result : terminal.Progress;
        foreach (var failed in tests.Results.Where(r => r.Outcome == TestOutcome.Fail))
            terminal.Result($"test     {terminal.Bad("failed")} {failed.Summary}");
        if (tests is { Succeeded: false, SandboxOutput: { } output })
            terminal.Result($"test     the sandbox ended by itself:\n{output}");
        string skipped = tests.Skipped > 0 ? $", {tests.Skipped} skipped" : "";
        say($"test     {image}: {tests.Passed} of {tests.Results.Count} checks passed{skipped} ({tests.Duration.TotalSeconds:0.0} s)");
    }

    public static void Print(Terminal terminal, string image, PackageInventory packages, SecretReport secrets, ClaimReport claims, bool isResult = true)
    {
        Action<string> say = isResult ? terminal.Result : terminal.Progress;
        foreach (var unreadable in packages.Unreadable)
            say($"scan     {image}: could not be read: {unreadable}");
        foreach (var finding in secrets.Findings)
            terminal.Result($"scan     {terminal.Bad("secret")} {finding.Description} ({finding.Rule}) in {Where(finding)}: {finding.Match}");
        foreach (var broken in claims.Results.Where(c => !c.Holds))
            terminal.Result($"scan     {terminal.Bad("not true")} {broken.Claim}: {broken.Reason}");
        say($"scan     {image}: {packages.Packages.Count} packages, {secrets.Findings.Count} secrets, {claims.Results.Count(c => c.Holds)} of {claims.Results.Count} claims hold");
    }

    /// <summary>Where a secret was found, for people.</summary>
    public static string Where(SecretFinding finding)
    {
        string layer = finding.Layer is { } digest ? $" of layer {digest.Short}" : "";
        string later = finding.DeletedLater ? ", deleted by a later layer and still shipped" : "";
        return $"{finding.Path}:{finding.Line}{layer}{later}";
    }
}
