using System.Text;
using Ingot.Builds;
using Ingot.Builds.Running;
using Ingot.Diagnostics;
using Ingot.Oci.Content;
using Ingot.Oci.Images;
using Ingot.Oci.Layouts;
using Ingot.Plans;
using Ingot.Templates.Project;

namespace Ingot.Corpus;

/// <summary>What a builder made of a case: the lines of a report, or why it failed.</summary>
/// <param name="Lines">The report; null when the build failed.</param>
/// <param name="Failure">Why it failed; null when it did not.</param>
public sealed record CaseResult(IReadOnlyList<string>? Lines, string? Failure)
{
    /// <summary>What was thrown that is no answer of a build; null when nothing was.</summary>
    public Exception? Crash { get; init; }

    /// <summary>The image; null when the build failed.</summary>
    public Digest? Image { get; init; }

    /// <summary>What must be the same wherever the case is built: the image's digest, or why there is none. That is the first line: where
    /// the log is follows it.</summary>
    public string Identity => Image?.ToString() ?? $"fails: {Failure?.Split('\n')[0]}";
}

/// <summary>Builds cases with Ingot, in a store and a cache of its own.</summary>
/// <param name="layout">The bases, and where images go.</param>
/// <param name="bases">Those bases.</param>
/// <param name="directory">Where contexts and the cache are.</param>
public sealed class IngotBuild(OciLayout layout, IReadOnlyList<BaseImage> bases, string directory)
{
    /// <summary>Whether every step of every case runs.</summary>
    public bool NoCache { get; init; }

    /// <summary>What the checkout of the cases takes away from modes.</summary>
    public int Umask { get; init; }

    /// <summary>Builds a case. Whatever is thrown is part of the result: one case must not hide the others.</summary>
    public async Task<CaseResult> RunAsync(CorpusCase corpusCase, CancellationToken cancellationToken = default)
    {
        string place = Path.Combine(directory, "cases", corpusCase.Name);
        try
        {
            await new CaseFiles(Umask).MakeAsync(corpusCase, place, cancellationToken);
            var image = await BuildAsync(corpusCase, place, cancellationToken);
            return new CaseResult(
                await ImageReport.MakeAsync(layout.Store, image.Digest, corpusCase.Platform, bases, corpusCase.Volatile, cancellationToken),
                null)
            {
                Image = image.Digest,
            };
        }
        catch (Exception e) when (e is IngotException or InvalidInputException)
        {
            return new CaseResult(null, Nameless(e.Message));
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return new CaseResult(null, e.Message) { Crash = e };
        }
    }

    // Where the case was made is no part of why it failed.
    private string Nameless(string message) => message.Replace(Path.GetFullPath(directory), "", StringComparison.Ordinal);

    private async Task<BuiltImage> BuildAsync(CorpusCase corpusCase, string place, CancellationToken cancellationToken)
    {
        var source = new SourceText(corpusCase.Dockerfile, "");
        var definition = new DockerfileImage(corpusCase.Name, source.Span(0, 0), Path.Combine("context", corpusCase.Dockerfile), "context",
            corpusCase.Target, corpusCase.Arguments);
        var project = new ProjectDefinition("corpus", [definition], [], [], source);
        var diagnostics = new DiagnosticBag();
        var settings = new PlanSettings
        {
            Directory = place,
            Options = new PlanOptions
            {
                Platform = corpusCase.Platform,
                Labels = corpusCase.Labels,
                Contexts = corpusCase.Contexts.ToDictionary(c => c.Key,
                    c => c.Value.Contains("://", StringComparison.Ordinal) ? c.Value : Path.Combine(place, c.Value)),
            },
            FindImage = FindAsync,
        };
        var plan = await Planner.PlanAsync(project, settings, diagnostics, cancellationToken);
        diagnostics.ThrowIfErrors();
        var builder = new Builder(new BuildSettings
        {
            Store = layout.Store,
            CacheDirectory = Path.Combine(directory, "cache"),
            NoCache = NoCache,
            Access = new StepAccess
            {
                Secrets = corpusCase.Secrets.ToDictionary(s => s.Key, s => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(s.Value)),
            },
        });
        return (await builder.BuildAsync(plan!, new Silence(), cancellationToken)).Images[0];
    }

    private async Task<StoredImage?> FindAsync(string name, Platform platform, CancellationToken cancellationToken)
    {
        if (bases.FirstOrDefault(b => b.Name == name) is not { } found)
            return null;
        return new StoredImage(found.Digest, (await Image.LoadAsync(layout.Store, found.Digest, platform, cancellationToken)).Config);
    }

    private sealed class Silence : IBuildProgress
    {
        public void Report(BuildEvent progress)
        {
        }
    }
}
