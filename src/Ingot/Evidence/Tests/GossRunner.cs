using Ingot.Oci.Images;

namespace Ingot.Evidence.Tests;

/// <summary>Runs goss files against an image: what the root filesystem can tell without running anything, the rest in a sandbox.</summary>
public static class GossRunner
{
    /// <summary>Runs <paramref name="files"/>, parsed without errors, against an image.</summary>
    public static Task<TestReport> RunAsync(
        ImageUnderTest image, IReadOnlyList<GossFile> files, SandboxOptions options, CancellationToken cancellationToken = default) =>
        RunAsync(image.Root, image.Image.Config.Config, files, options, cancellationToken);

    /// <summary>Runs <paramref name="files"/>, parsed without errors,
    /// against a root filesystem and what a container of it would run.</summary>
    public static async Task<TestReport> RunAsync(
        ImageRoot root, ContainerConfig config, IReadOnlyList<GossFile> files, SandboxOptions options,
        CancellationToken cancellationToken = default)
    {
        long began = options.Time.GetTimestamp();
        var sandbox = new SandboxFacts(root, config, options);
        await using (sandbox)
        {
            var run = new Run(new OfflineFacts(root), sandbox, options.Time);
            var resources = files.SelectMany(f => f.Resources).ToList();
            if (resources.Any(r => !r.IsOffline && !r.Skip))
                await sandbox.StartAsync([.. resources.Where(IsAwaited)], cancellationToken);

            List<TestResult> results = [];
            foreach (var resource in resources)
                results.AddRange(await run.JudgeAsync(resource, cancellationToken));
            return new TestReport(files, results, options.Time.GetElapsedTime(began))
            {
                Sandbox = options.Terms,
                SandboxOutput = sandbox.Ended,
            };
        }
    }

    // What is expected to be there takes its time; what is expected not to be would be "right" too early.
    private static bool IsAwaited(GossResource resource) =>
        !resource.Skip
        && (resource.Type is GossResourceType.Http
            || (resource.Type is GossResourceType.Port or GossResourceType.Process
                && resource.Checks.Any(c => c.Expected.Match(new GossValue.Truth(true)).Holds)));

    private sealed class Run(OfflineFacts offline, SandboxFacts sandbox, TimeProvider time)
    {
        public async Task<IReadOnlyList<TestResult>> JudgeAsync(GossResource resource, CancellationToken cancellationToken)
        {
            if (resource.Skip)
                return [.. resource.Checks.Select(check => Skipped(resource, check, "the file says so"))];
            if (resource.IsOffline)
                return Judge(resource, property => offline.Find(resource, property), TimeSpan.Zero);

            for (int retries = resource.Command?.Retries ?? 0; ; retries--)
            {
                long began = time.GetTimestamp();
                var find = await sandbox.FindAsync(resource, cancellationToken);
                var results = Judge(resource, find, time.GetElapsedTime(began));
                if (retries <= 0 || results.All(r => r.Outcome != TestOutcome.Fail))
                    return results;

                await Task.Delay(resource.Command!.RetryDelay, time, cancellationToken);
            }
        }

        private List<TestResult> Judge(GossResource resource, Func<string, Fact> find, TimeSpan asking)
        {
            List<TestResult> results = [];
            string? skip = null;
            foreach (var check in resource.Checks)
            {
                if (skip is not null)
                {
                    results.Add(Skipped(resource, check, skip));
                    continue;
                }

                long began = time.GetTimestamp();
                var fact = find(check.Property);
                var result = Judge(resource, check, fact) with { Duration = asking + time.GetElapsedTime(began) };
                results.Add(result);
                // What is not there has no mode; a command that failed still has its output.
                if (results.Count == 1
                    && resource.Type is not GossResourceType.Command
                    && (result.Outcome == TestOutcome.Fail || fact.Value is GossValue.Truth { Value: false }))
                    skip = $"'{check.Property}' decides";
            }

            return results;
        }

        private static TestResult Judge(GossResource resource, GossCheck check, Fact fact)
        {
            var answer = fact.Value is { } value ? check.Expected.Match(value) : new MatchAnswer(false, fact.Problem);
            string? found = fact.Value?.Json;
            string name = $"{Title(resource)}: {check.Property}";
            string summary = answer switch
            {
                { Holds: true } => $"{name}: as expected, {check.Expected.Json}",
                { Problem: { } problem } => $"{name}: expected {check.Expected.Json}, and {problem}",
                { Note: { } note } => $"{name}: expected {check.Expected.Json}, found {found}: {note}",
                _ => $"{name}: expected {check.Expected.Json}, found {found}",
            };
            return Result(resource, check, answer.Holds ? TestOutcome.Pass : TestOutcome.Fail, found, summary);
        }

        private static TestResult Skipped(GossResource resource, GossCheck check, string why) =>
            Result(resource, check, TestOutcome.Skip, found: null, $"{Title(resource)}: {check.Property}: skipped, {why}");

        private static TestResult Result(GossResource resource, GossCheck check, TestOutcome outcome, string? found, string summary) =>
            new(resource.Type, resource.Id, check.Property, outcome, check.Expected.Json, found, summary, TimeSpan.Zero)
            {
                Title = resource.Title,
            };

        private static string Title(GossResource resource)
        {
            string id = $"{resource.Type.ToString().ToLowerInvariant()} {resource.Id}";
            return resource.Name == resource.Id ? id : $"{id} ({resource.Name})";
        }
    }
}
