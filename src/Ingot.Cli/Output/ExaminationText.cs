using Ingot.Evidence.Secrets;
using Ingot.Evidence.Tests;
using Ingot.Projects;

namespace Ingot.Cli.Output;

/// <summary>How the results of examining an image are told, by <c>up</c>, <c>test</c> and <c>scan</c>.</summary>
internal static class ExaminationText
{
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

    public static void Print(Terminal terminal, string image, ImageScan scan, bool isResult = true)
    {
        var (packages, secrets, claims) = scan;
        Action<string> say = isResult ? terminal.Result : terminal.Progress;
        foreach (var unreadable in packages.Unreadable)
            say($"scan     {image}: could not be read: {unreadable}");
        foreach (var finding in secrets.Findings)
            terminal.Result(
                $"scan     {terminal.Bad("secret")} {finding.Description} ({finding.Rule}) in {Where(finding)}: {finding.Match}");
        foreach (var broken in claims.Results.Where(c => !c.Holds))
            terminal.Result($"scan     {terminal.Bad("not true")} {broken.Claim}: {broken.Reason}");
        say($"scan     {image}: {packages.Packages.Count} packages, {secrets.Findings.Count} secrets, {claims.Results.Count(c => c.Holds)} "
            + $"of {claims.Results.Count} claims hold");
    }

    /// <summary>Where a secret was found, for people.</summary>
    public static string Where(SecretFinding finding)
    {
        string layer = finding.Layer is { } digest ? $" of layer {digest.Short}" : "";
        string later = finding.DeletedLater ? ", deleted by a later layer and still shipped" : "";
        return $"{finding.Path}:{finding.Line}{layer}{later}";
    }
}
